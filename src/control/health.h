/* SPDX-License-Identifier: MIT */
/* Reasons to call the daemon degraded.
 *
 * Threads: Any; works on values only.
 */
#ifndef DOTSTUB_CONTROL_HEALTH_H
#define DOTSTUB_CONTROL_HEALTH_H

#include "gather.h"

/* Calls `tell` with one sentence for each degraded upstream; returns their number. An upstream is degraded when one of
 * its servers fails and none is open, or idle after it was used. */
unsigned health_each(const struct gather_sum *sum, void (*tell)(void *context, const char *sentence), void *context);

#endif
