/* SPDX-License-Identifier: MIT */
/* Whether the daemon can do its work, in words.
 *
 * Threads: any; values only.
 */
#ifndef DOTSTUB_CONTROL_HEALTH_H
#define DOTSTUB_CONTROL_HEALTH_H

#include "gather.h"

/* Tells each reason for calling it degraded, a sentence; gives their number. An upstream entry is degraded when none of its servers
 * has a session and all that were tried fail; one that works less well than it could is not. */
unsigned health_each(const struct gather_sum *sum, void (*tell)(void *context, const char *sentence), void *context);

#endif
