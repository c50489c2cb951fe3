/* SPDX-License-Identifier: MIT */
/* The losses of one server: sessions that it ended, queries that it did not answer.
 *
 * Does:    says whether the end of a session coincided with ends of others, so that no query need have caused it;
 *          whether an unanswered query is one of many lost together; and how many hedges are sent to a server that
 *          answers nothing.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_LOSSES_H
#define DOTSTUB_UPSTREAM_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LOSS_SPAN = 100,  /* ms: queries were lost together if they were sent within this time */
    LOSS_MIN = 5,     /* and at least this number of them is unanswered; fewer may be for slow names */
    NOTICE_SPAN = 20, /* ms: simultaneous ends are noticed within this time */
    /* ms: a session that is still open this long after the end of another one did not end with it. */
    DOUBT_SPAN = 150,
    MANY_ENDS = 3, /* a single query cannot cause this number of losses at a time */
    PROBES = 2,    /* hedges at a time to a server that answers nothing: more would be lost like the first attempts */
};

struct losses {
    uint64_t answered_sent_ms; /* when the latest of the answered queries was sent */
    uint64_t from_ms, to_ms;   /* queries sent in this interval were lost together; to_ms 0: none */
    uint64_t silent_ms;        /* when the first unanswered query of the latest silent session was sent; 0: never */
    /* When the server last ended a session that was not reserved by an isolated attempt; 0: never. */
    uint64_t shared_end_ms;
    uint64_t lost_ms;           /* when it last ended a session with queries on it unexpectedly; 0: never */
    uint64_t end_ms[MANY_ENDS]; /* when it ended the latest sessions and dials of any kind */
    unsigned ends;              /* ends in all */
    unsigned probes;            /* hedges sent to the server since its last response */
    uint64_t probe_at_ms;       /* when more hedges may be sent */
};

/* A query that was sent at `sent_ms` was answered. */
void losses_note_response(struct losses *losses, uint64_t sent_ms);
/* The server ended a session or a dial. */
void losses_note_end(struct losses *losses, uint64_t now_ms);
/* The session that ended was not reserved by an isolated attempt. */
void losses_note_shared_end(struct losses *losses, uint64_t now_ms);
/* True if, since an attempt was begun (and about when it was sent, or later), the server ended a session that other
 * attempts shared, or several sessions of any kind: then the attempt's query need not have caused the end of its
 * session. */
bool losses_coincide(const struct losses *losses, uint64_t begun_ms, uint64_t sent_ms);

/* The server ended a session with queries on it, and not because of a known limit of its sessions. */
void losses_note_lost(struct losses *losses, uint64_t now_ms);
/* True if this session may have been lost in the same moment: it was dialled before, and has neither been opened
 * nor received data since. */
bool losses_leave_doubt(const struct losses *losses, uint64_t dialed_ms, uint64_t opened_ms, uint64_t heard_ms,
                        uint64_t now_ms);

/* A session is silent; its first unanswered query was sent at `sent_ms`. Sessions that have received nothing since
 * may be silent as well. */
void losses_note_silence(struct losses *losses, uint64_t sent_ms);

/* `count` queries, all sent at about `sent_ms`, are unanswered. */
void losses_note_unanswered(struct losses *losses, uint64_t sent_ms, unsigned count);
/* True if a query sent at `sent_ms` is one of those lost together. */
bool losses_cover(const struct losses *losses, uint64_t sent_ms);

/* True if a hedge may be sent to a server that may just have fallen silent. A few are allowed at a time, the next ones
 * when those are late as well, after twice the time in each round. */
bool losses_may_probe(const struct losses *losses, uint64_t now_ms);
/* Such a hedge is sent. */
void losses_note_probe(struct losses *losses, uint64_t now_ms, uint64_t patience_ms);

#endif
