/* SPDX-License-Identifier: MIT */
/* Whether a server is usable, as far as is known, and when to find out again.
 *
 * Does:    one state for each server, from the ends of its dials and sessions. Queries find out about the servers that they use; the
 *          others are probed (probe.c): one that failed soon, then less often, so that its recovery is seen; one that was never dialled
 *          once, and one that is idle now and then, so that it is known to be broken before it is needed.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_CONDITION_H
#define DOTSTUB_UPSTREAM_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds. */
enum {
    PROBE_UNKNOWN = 20000,    /* after the first look at a server that was never dialled */
    PROBE_FAILED = 1000,      /* after a failure, doubled by each further one, */
    PROBE_FAILED_MAX = 30000, /* up to this */
    PROBE_USABLE = 600000,    /* after a server was last known to be usable */
};

enum condition_state {
    CONDITION_UNKNOWN,    /* never dialled, or not since the network changed */
    CONDITION_USABLE,     /* the last dial succeeded */
    CONDITION_FAILING,    /* the last dial failed */
    CONDITION_UNANSWERED, /* dials succeed, but the last session ended before its first response: failing as well */
    CONDITIONS
};

enum condition_event {
    CONDITION_OPENED,   /* a session for queries */
    CONDITION_PROBED,   /* a session that only probes */
    CONDITION_ANSWERED, /* the first response after a failure */
    CONDITION_DIAL_FAILED,
    CONDITION_SESSION_FAILED, /* it ended before its first response */
    CONDITION_MOVED,          /* the network changed */
    CONDITION_EVENTS
};

struct condition {
    uint8_t state;
    uint8_t failures;  /* in a row, as far as they count for the next probe */
    uint64_t known_ms; /* of the last event; 0: none */
    uint64_t probe_ms; /* not before; 0: to be set */
};

void condition_note(struct condition *condition, enum condition_event event, uint64_t now_ms);
bool condition_is_failing(const struct condition *condition);
/* When to probe the server, if no session to it is open then. */
uint64_t condition_probe_at(struct condition *condition, uint64_t now_ms);

#endif
