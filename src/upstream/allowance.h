/* SPDX-License-Identifier: MIT */
/* The number of queries after which one server closes a session.
 *
 * Does:    learns from sessions that ended with queries on them: a server may close each session after a few
 *          responses. An allowance that is not confirmed doubles every ALLOWANCE_DOUBLES ms, so a single
 *          coincidence is soon forgotten. A server may also leave the session open and respond to nothing more: the
 *          allowance is learned when two sessions, one opened after the other, fall silent after the same number of
 *          responses. A query beyond it costs a hedge, so only one session is sent one query more, after
 *          ALLOWANCE_PROBED ms, and half as often each time that confirms the allowance.
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
    ALLOWANCE_DOUBLES = 250,     /* ms */
    ALLOWANCE_PROBED = 2000,     /* ms */
    ALLOWANCE_CONFIRMED_MAX = 9, /* then it is probed every 9 minutes */
};

struct allowance {
    unsigned queries;     /* sent on a new session before it has proved that it stays open longer; 0: no limit */
    uint64_t set_ms;      /* when `queries` was learned, or probed */
    unsigned last_life;   /* responses on the latest session that ended with queries on it */
    unsigned silent_life; /* responses on the latest session that fell silent; 0: none */
    uint64_t silent_ms;   /* when the first query was sent to which that session did not respond */
    uint8_t confirmed;    /* sessions that fell silent after `queries` responses; 0: not learned from silence */
};

/* The current allowance; UINT_MAX: no limit. */
unsigned allowance_now(const struct allowance *allowance, uint64_t now_ms);
/* The server ended a session after `given` queries and `answered` responses; `habit`: it has ended sessions without
 * any response before. True: the previous session ended after the same number of responses. Then the server has a
 * limit, and no query caused the end. */
bool allowance_note_end(struct allowance *allowance, uint64_t now_ms, unsigned given, unsigned answered, bool habit);
/* A session dialled at `dialed_ms` gave `answered` responses, but none to a query sent at `unanswered_ms`, which
 * another session has answered. True: the previous session fell silent after the same number of responses. Then the
 * server has a limit. */
bool allowance_note_silence(struct allowance *allowance, uint64_t now_ms, unsigned answered, uint64_t dialed_ms,
                            uint64_t unanswered_ms);
/* A silent session received data after all, or a session gave more responses: the server was only slow. */
void allowance_forget_silence(struct allowance *allowance);
/* A session was sent more queries than the allowance that was learned from silence: no other session is for now. */
void allowance_note_probe(struct allowance *allowance, uint64_t now_ms);
/* True if a session with `given` queries and `answered` responses must not be sent more. `outlived`: it is idle and
 * stayed open. */
bool allowance_is_spent(const struct allowance *allowance, uint64_t now_ms, unsigned given, unsigned answered,
                        bool outlived);
/* True if a session will give no response after this number of them. */
bool allowance_is_exhausted(const struct allowance *allowance, unsigned answered);
/* A session stayed open after this number of queries. */
void allowance_note_outlived(struct allowance *allowance, uint64_t now_ms, unsigned given);

#endif
