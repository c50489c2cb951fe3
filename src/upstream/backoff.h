/* SPDX-License-Identifier: MIT */
/* The back-off of a server that failed.
 *
 * Does:    counts failures since the last response and says when the next dial may begin: 50 to 700 ms after the
 *          failed one began, up to 10 s after several failures if the server's certificate was refused, or for as long
 *          as the server has asked for.
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
    BACKOFF_ALONE = 2000,         /* the longest time that a server is left alone if no other one can answer */
};

struct backoff {
    unsigned failures; /* failed dials, and sessions that ended before their first response, since the last response */
    uint64_t retry_at_ms; /* no dial earlier */
    uint64_t alone_at_ms; /* the same while no other server of the group has a session; 0: retry_at_ms applies */
};

/* The back-off counts from the beginning of the dial: a dial that hung for longer has delayed the next one enough.
 * `distrusted`: the server's certificate was refused. */
void backoff_note_dial(struct backoff *backoff, uint64_t begun_ms, bool distrusted);
/* A session dialled at `begun_ms` ended without any response. The first such end causes no delay: its attempts are
 * retried at once. */
void backoff_note_session(struct backoff *backoff, uint64_t begun_ms);
/* The server wants no query for this time. */
void backoff_rest(struct backoff *backoff, uint64_t now_ms, uint64_t rest_ms);

#endif
