/* SPDX-License-Identifier: MIT */
/* Whether a session is silent: several responses are overdue, and nothing has arrived since their queries were sent.
 *
 * Does:    watches the first queries after each received message. One or two may be for slow names; if several
 *          that were sent within a short time are unanswered, the session is at fault. Hedges do not count: if a
 *          server never answers one type, a session may carry nothing else.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_SILENCE_H
#define DOTSTUB_UPSTREAM_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SILENCE_SEVERAL = 3, /* queries */
    SILENCE_SPAN = 250,  /* ms within which they were sent */
};

struct silence {
    unsigned queries;           /* sent since the last received message, counted up to SILENCE_SEVERAL */
    uint64_t first_ms, last_ms; /* when the first and the last of the counted queries were sent */
};

/* Enough queries were sent. */
static inline bool silence_is_possible(const struct silence *silence)
{
    return silence->queries == SILENCE_SEVERAL;
}
static inline void silence_note_query(struct silence *silence, uint64_t now_ms)
{
    if (silence_is_possible(silence))
        return;
    if (silence->queries > 0 && now_ms > silence->first_ms + SILENCE_SPAN)
        silence->queries = 0;
    if (silence->queries++ == 0)
        silence->first_ms = now_ms;
    silence->last_ms = now_ms;
}
/* A message was received. */
static inline void silence_note_heard(struct silence *silence)
{
    silence->queries = 0;
}
/* When the session counts as silent, unless a message is received before; UINT64_MAX: too few queries were sent. */
static inline uint64_t silence_due(const struct silence *silence, uint64_t overdue_ms)
{
    return silence_is_possible(silence) ? silence->last_ms + overdue_ms : UINT64_MAX;
}

#endif
