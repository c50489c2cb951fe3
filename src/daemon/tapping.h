/* SPDX-License-Identifier: MIT */
/* dnstap: connects the workers to dnstap.socket.
 *
 * Owns:    the tap, from tapping_open to tapping_close.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_TAPPING_H
#define DOTSTUB_DAEMON_TAPPING_H

#include "config/config.h"
#include "worker.h"

/* False, after a log line, if dnstap is configured but this program was built without it. */
bool tapping_can(const struct config *config);
/* Call it after privileges are dropped and before the workers run; does nothing if dnstap is not configured. Without
 * memory for it the daemon goes on without dnstap, after a log line. */
void tapping_open(const struct config *config, struct worker *const *workers);
/* Call it when the workers have ended. */
void tapping_close(void);

#endif
