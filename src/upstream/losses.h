/* SPDX-License-Identifier: MIT */
/* The losses of one server: sessions that it ended, queries that it left unanswered.
 *
 * Does:    says whether the end of a session coincided with ends of others, so that no query need have caused it; whether an unanswered
 *          query is one of many lost together; and how many hedges a server gets that answers nothing at all.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_LOSSES_H
#define DOTSTUB_UPSTREAM_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LOSS_SPAN = 100,  /* ms: queries were lost together if they were sent so close together, */
    LOSS_MIN = 5,     /* and at least this number is unanswered; fewer may be slow names */
    NOTICE_SPAN = 20, /* ms: ends of the same moment are noticed within this */
    DOUBT_SPAN = 150, /* ms: a session that outlives another one for so long did not end with it */
    MANY_ENDS = 3,    /* no query causes this number of losses at a time */
    PROBES =
        2, /* hedges at a time to a server that answers nothing at all: more would be lost with the first attempts */
};

struct losses {
    uint64_t answered_sent_ms; /* of all queries that it answered the latest was sent then */
    uint64_t from_ms, to_ms;   /* what was sent in between was lost together; to_ms 0: nothing was */
    uint64_t silent_ms;     /* when the first query was sent that its latest silent session left unanswered; 0: never */
    uint64_t shared_end_ms; /* when it last ended a session that no isolated attempt held; 0: never */
    uint64_t lost_ms;       /* when it last ended a session with queries on it, out of its habit; 0: never */
    uint64_t end_ms[MANY_ENDS]; /* when it ended the latest sessions and dials of any kind */
    unsigned ends;              /* all there ever were */
    unsigned probes;            /* hedges sent to it since its last response, */
    uint64_t probe_at_ms;       /* and when more may be */
};

/* A response came to a query that was sent then. */
void losses_note_response(struct losses *losses, uint64_t sent_ms);
/* The server ended a session or a dial. */
void losses_note_end(struct losses *losses, uint64_t now_ms);
/* It was one that no isolated attempt held. */
void losses_note_shared_end(struct losses *losses, uint64_t now_ms);
/* Since an attempt was begun (and about when it was sent, or later) the server ended a session that other attempts shared, or several of
 * any kind: the end of the attempt's own session need not be its fault. */
bool losses_coincide(const struct losses *losses, uint64_t begun_ms, uint64_t sent_ms);

/* The server ended a session with queries on it, and not as its sessions end. */
void losses_note_lost(struct losses *losses, uint64_t now_ms);
/* A session may have ended in the same moment: it was dialled before, and was neither opened nor heard since. */
bool losses_leave_doubt(const struct losses *losses, uint64_t dialed_ms, uint64_t opened_ms, uint64_t heard_ms,
                        uint64_t now_ms);

/* A session is silent: its first unanswered query was sent then. Others that have received nothing since may be silent as well. */
void losses_note_silence(struct losses *losses, uint64_t sent_ms);

/* This number of queries, all sent at about this time, is unanswered. */
void losses_note_unanswered(struct losses *losses, uint64_t sent_ms, unsigned count);
/* A query sent then is one of those lost together. */
bool losses_cover(const struct losses *losses, uint64_t sent_ms);

/* May a hedge be sent to a server that may just have fallen silent? A few at a time, the next ones when those are late as well, and twice as
 * late each time. Counts it. */
bool losses_may_probe(struct losses *losses, uint64_t now_ms, uint64_t patience_ms);

#endif
