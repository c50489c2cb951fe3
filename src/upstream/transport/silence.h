/* SPDX-License-Identifier: MIT */
/* Whether a session is silent: several responses are overdue, and nothing has arrived since their queries were sent.
 *
 * Does:    watches the first queries after each sign of life. One or two may ask for slow names; several that were sent within a short time
 *          say that the session is at fault.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_SILENCE_H
#define DOTSTUB_UPSTREAM_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SILENCE_SEVERAL = 3, /* queries */
    SILENCE_SPAN = 250,  /* ms: were sent within this time */
};

struct silence {
    unsigned queries;           /* sent since the last sign of life, counted up to SILENCE_SEVERAL, */
    uint64_t first_ms, last_ms; /* and when the first and the last of these were */
};

void silence_note_query(struct silence *silence, uint64_t now_ms);
/* A sign of life. */
void silence_note_heard(struct silence *silence);
/* Enough queries were sent: */
static inline bool silence_is_possible(const struct silence *silence)
{
    return silence->queries == SILENCE_SEVERAL;
}
/* The moment at which the session is silent, if nothing is heard until then; UINT64_MAX: too few queries were sent. */
uint64_t silence_due(const struct silence *silence, uint64_t overdue_ms);

#endif
