/* SPDX-License-Identifier: MIT */
/* Which transport carries the queries of an upstream with transport: auto.
 *
 * Does:    one state for each such upstream, from what happens to its sessions; the table is in fallback.c. HTTPS is used
 *          only once a session over it is open: if neither transport works, nothing is changed by that.
 * Owns:    nothing; a value, all zero at first. fallback_watch.c drives it.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_FALLBACK_H
#define DOTSTUB_UPSTREAM_FALLBACK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FALLBACK_HANG = 400,         /* ms: a first dial over TLS that takes longer is overlapped by one over HTTPS */
    FALLBACK_LOSSES = 3,         /* sessions that ended or fell silent with queries unanswered, */
    FALLBACK_SPAN = 60000,       /* ms: within this time */
    FALLBACK_TOGETHER = 250,     /* ms: sessions that ended within this time count once */
    FALLBACK_LATE = 1000,        /* ms: a response after this time is late; */
    FALLBACK_LATE_MIN = 3,       /* this number of late queries, and no response in time for as long, count */
    FALLBACK_LOOK = 250,         /* ms between looks for late queries */
    FALLBACK_POOR = 60000,       /* ms: for this time HTTPS is tried after too many losses */
    FALLBACK_PROBE_FIRST = 2000, /* ms until DNS over TLS is tried again, doubled by each failure, */
    FALLBACK_PROBE_MAX = 16000,  /* up to this */
    FALLBACK_PROOF = 30000,      /* ms for which it must behave well */
    FALLBACK_TEST_STEP = 2000,   /* ms between tests in that time */
    FALLBACK_TESTS = 8,          /* queries of one test: each must be answered in FALLBACK_LATE, together 1.3 kB */
};

enum fallback_state {
    FALLBACK_OFF,     /* queries go over TLS */
    FALLBACK_DOUBT,   /* no session over TLS can be opened: both are dialled, the first one that opens decides */
    FALLBACK_BAD,     /* sessions over TLS open, but lose queries or are too slow: over HTTPS as soon as that opens */
    FALLBACK_ON,      /* queries go over HTTPS; DNS over TLS is tried with back-off */
    FALLBACK_PROVING, /* the same; a session over TLS is open and answers test queries */
    FALLBACK_STATES
};

enum fallback_event {
    FALLBACK_DOT_OPENED,
    FALLBACK_DOT_FAILED,   /* a dial failed, and no session is open */
    FALLBACK_DOT_HANGS,    /* the first dial takes too long */
    FALLBACK_DOT_LOST,     /* too many sessions were lost */
    FALLBACK_DOT_LATE,     /* several queries are late, and none was answered in time for a while */
    FALLBACK_TEST_FAILED,  /* a test query was not answered in time, or the session under test ended */
    FALLBACK_PROVEN,       /* tests were answered for FALLBACK_PROOF */
    FALLBACK_HTTPS_OPENED, /* a session over HTTPS, while none over TLS is open if the state is DOUBT */
    FALLBACK_EXPIRED,      /* HTTPS could not be opened for FALLBACK_POOR */
    FALLBACK_MOVED,        /* the network changed */
    FALLBACK_EVENTS
};

struct fallback {
    uint8_t state;
    uint8_t failures;                  /* of probes in a row */
    uint8_t lost;                      /* valid members of lost_ms */
    int error;                         /* why DNS over TLS was last given up, or was found not to work */
    uint64_t since_ms;                 /* in this state */
    uint64_t probe_ms;                 /* ON: when DNS over TLS is tried again */
    uint64_t lost_ms[FALLBACK_LOSSES]; /* the latest losses, the newest first */
    uint64_t prompt_ms;                /* when a response last came in time */
};

/* Enters the state that follows; true if it is another one. `error`: of the event; 0: it is none. */
bool fallback_note(struct fallback *fallback, enum fallback_event event, int error, uint64_t now_ms);
/* A session over TLS was lost with queries unanswered; true if there were too many. */
bool fallback_note_loss(struct fallback *fallback, uint64_t now_ms);
/* Queries go over HTTPS if that works. */
static inline bool fallback_is_on(const struct fallback *fallback)
{
    return fallback->state == FALLBACK_ON || fallback->state == FALLBACK_PROVING;
}

#endif
