/* SPDX-License-Identifier: MIT */
/* The number of queries after which one server closes a session.
 *
 * Does:    learns from sessions that ended with queries on them: a server may close each session after a few
 *          responses. An allowance that is not confirmed doubles every ALLOWANCE_DOUBLES ms, so a single
 *          coincidence is soon forgotten.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_ALLOWANCE_H
#define DOTSTUB_UPSTREAM_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* ms: a session that is still open this long after a response was not closed because of it. */
    ALLOWANCE_PROOF = 10,
    ALLOWANCE_DOUBLES = 250, /* ms */
};

struct allowance {
    unsigned queries;   /* sent on a new session before it has proved that it stays open longer; 0: no limit */
    uint64_t set_ms;    /* when `queries` was learned */
    unsigned last_life; /* responses on the latest session that ended with queries on it */
};

/* The current allowance; UINT_MAX: no limit. */
unsigned allowance_now(const struct allowance *allowance, uint64_t now_ms);
/* The server ended a session after `given` queries and `answered` responses; `habit`: it has ended sessions without
 * any response before. True: the previous session ended after the same number of responses. Then the server has a
 * limit, and no query caused the end. */
bool allowance_note_end(struct allowance *allowance, uint64_t now_ms, unsigned given, unsigned answered, bool habit);
/* A session stayed open after this number of queries. */
void allowance_note_outlived(struct allowance *allowance, uint64_t now_ms, unsigned given);

#endif
