/* SPDX-License-Identifier: MIT */
/* Which session may take an attempt: one table of reasons against it, in fitness.c.
 *
 * Does:    says how fit an open session is for an attempt, and which of its server's places (tls.sessions) it fills.
 * Owns:    nothing.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_FITNESS_H
#define DOTSTUB_UPSTREAM_FITNESS_H

#include "group.h"
#include "upstream/upstream.h"

enum fitness {
    FITNESS_UNFIT,
    FITNESS_LAST_RESORT, /* takes the attempt only if no other session is available */
    FITNESS_BUSY,        /* takes the attempt if no session with less load does */
    FITNESS_FIT,
    FITNESSES
};

enum session_place {
    /* Silent: another session may be opened in its place. Their number is small: one retires after ATTEMPT_TIMEOUT,
     * and the next one is mute after SILENCE_MAX. */
    PLACE_NONE,
    PLACE_HELD,    /* reserved by an isolated attempt */
    PLACE_SURPLUS, /* open, but not usable for this attempt: one more session may be opened */
    PLACE_COMMON,  /* takes the attempt, or would with less load */
    PLACES
};

enum fitness session_fitness(const struct session *session, const struct attempt *attempt, uint64_t now_ms,
                             enum session_place *place);

#endif
