/* SPDX-License-Identifier: MIT */
/* Facts about one server, for reports and the log.
 *
 * Does:    remembers facts for the reports (report.c) and the log (events.c). Invariant: no decision depends on them.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_NOTES_H
#define DOTSTUB_UPSTREAM_NOTES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/histogram.h"
#include "base/reasons.h"

struct notes {
    int last_error;
    uint64_t failed_ms, opened_ms, opened, resumed;
    struct histogram connect, handshake, answer; /* ms */
    uint64_t failing_since_ms;                   /* 0: not failing */
    struct reasons failures;
};

void notes_add_opened(struct notes *notes, uint64_t now_ms, bool resumed);
/* The phases of a dial that succeeded. */
void notes_add_dial(struct notes *notes, uint64_t connect_ms, uint64_t handshake_ms);
/* The server failed. */
void notes_add_failure(struct notes *notes, uint64_t now_ms, int reason);
/* The server responds again. */
void notes_add_recovery(struct notes *notes);

#endif
