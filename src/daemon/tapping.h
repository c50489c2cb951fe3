/* SPDX-License-Identifier: MIT */
/* dnstap: from dnstap.socket to the workers.
 *
 * Owns:    the tap, from tapping_open to tapping_close.
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_DAEMON_TAPPING_H
#define DOTSTUB_DAEMON_TAPPING_H

#include "config/config.h"
#include "worker.h"

/* False after a line that says so: dnstap is wanted, and this program was built without. */
bool tapping_can(const struct config *config);
/* Once the privileges are dropped and before the workers run; does nothing where dnstap is not wanted. 0 or -ENOMEM. */
int tapping_open(const struct config *config, struct worker *const *workers) MUST_CHECK;
/* After their end. */
void tapping_close(void);

#endif
