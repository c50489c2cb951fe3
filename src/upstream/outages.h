/* SPDX-License-Identifier: MIT */
/* The servers that fail now, as the log tells it: one line for several servers, and ever fewer lines while nothing changes.
 *
 * Does:    remembers which servers fail and for which reason, and which of them a line has named; says when the next line may be written
 *          (log_repeat_allowed).
 * Owns:    one table for the process, since several workers see one server fail.
 * Threads: any.
 */
#ifndef DOTSTUB_UPSTREAM_OUTAGES_H
#define DOTSTUB_UPSTREAM_OUTAGES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"

/* The server failed. `what`: a constant, the beginning of the line's sentence. True: a line may be written now, and *others is the number
 * of further servers that fail in the same way, which count as named as well. */
bool outages_note_failure(const struct addr *server, const char *what, int reason, uint64_t now_ms, unsigned *others);
/* The server responds again. True: a line had named it. */
bool outages_note_recovery(const struct addr *server);
/* For tests: the state at the start of the process. */
void outages_reset(void);

#endif
