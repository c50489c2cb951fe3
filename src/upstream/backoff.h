/* SPDX-License-Identifier: MIT */
/* How long a server that failed is left alone.
 *
 * Does:    counts failures since the last response and says when the next dial may begin: 50 to 700 ms after the failed one began.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_BACKOFF_H
#define DOTSTUB_UPSTREAM_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BACKOFF_FIRST = 50,
    BACKOFF_MAX = 700,
};

struct backoff {
    unsigned failures; /* failed dials, and sessions that ended before their first response, since the last response */
    uint64_t retry_at_ms; /* no dial before */
};

/* Counted from the beginning of the dial: one that hung for longer has waited enough, and must not delay those that overlap it. */
void backoff_note_dial(struct backoff *backoff, uint64_t begun_ms);
/* A session begun then brought no response before its end. The first time this delays nothing: its attempts are made again at once. */
void backoff_note_session(struct backoff *backoff, uint64_t begun_ms);

#endif
