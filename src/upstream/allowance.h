/* SPDX-License-Identifier: MIT */
/* How many queries a session of one server outlives.
 *
 * Does:    learns from sessions that ended with queries on them: a server may close each session after a few responses. An allowance that
 *          nothing confirms doubles every ALLOWANCE_DOUBLES ms, so a single accident is soon forgotten.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_ALLOWANCE_H
#define DOTSTUB_UPSTREAM_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ALLOWANCE_PROOF = 10,    /* ms: a session that lives for so long after its last response was not closed by that */
    ALLOWANCE_DOUBLES = 250, /* ms */
};

struct allowance {
    unsigned queries;   /* that a session gets before it has shown that it outlives them; 0: any number */
    uint64_t set_ms;    /* when that was learned */
    unsigned last_life; /* responses of the session that ended last with queries on it */
};

/* The current allowance; UINT_MAX: any number. */
unsigned allowance_now(const struct allowance *allowance, uint64_t now_ms);
/* The server ended a session that had been given and had answered these numbers; `habit`: it ended sessions without any response before.
 * True: it ended the one before after the same number of responses. Then the server has a limit, and no query caused the end. */
bool allowance_note_end(struct allowance *allowance, uint64_t now_ms, unsigned given, unsigned answered, bool habit);
/* A session outlived this number. */
void allowance_note_outlived(struct allowance *allowance, uint64_t now_ms, unsigned given);

#endif
