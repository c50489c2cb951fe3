/* SPDX-License-Identifier: MIT */
/* The back-off of a server that failed.
 *
 * Does:    counts failures since the last response and says when the next dial may begin: 50 to 700 ms after the
 *          failed one began, up to 10 s after several failures if the server's certificate was refused.
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
    BACKOFF_MISTAKES = 8,         /* failures; fewer may happen while a certificate is replaced */
    BACKOFF_DISTRUST_MAX = 10000, /* the longest back-off after more failures, if the certificate was refused */
};

struct backoff {
    unsigned failures; /* failed dials, and sessions that ended before their first response, since the last response */
    uint64_t retry_at_ms; /* no dial earlier */
};

/* The back-off counts from the beginning of the dial: a dial that hung for longer has delayed the next one enough.
 * `distrusted`: the server's certificate was refused. */
void backoff_note_dial(struct backoff *backoff, uint64_t begun_ms, bool distrusted);
/* A session dialled at `begun_ms` ended without any response. The first such end causes no delay: its attempts are
 * retried at once. */
void backoff_note_session(struct backoff *backoff, uint64_t begun_ms);

#endif
