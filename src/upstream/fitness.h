/* SPDX-License-Identifier: MIT */
/* Which session may take an attempt: one table of reasons against it, in fitness.c.
 *
 * Does:    says of an open session how fit it is for an attempt, and which place it fills of those that its server has (tls.sessions).
 * Owns:    nothing.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_FITNESS_H
#define DOTSTUB_UPSTREAM_FITNESS_H

#include "group.h"
#include "upstream/upstream.h"

enum fitness {
    FITNESS_UNFIT,
    FITNESS_LAST_RESORT, /* takes it only where no other session can be had */
    FITNESS_BUSY,        /* takes it if none with less load does */
    FITNESS_FIT,
    FITNESSES
};

enum session_place {
    PLACE_NONE, /* silent: another session may be opened in its stead. There are never many: one retires after ATTEMPT_TIMEOUT, and
                      the next one is mute after SILENCE_MAX */
    PLACE_HELD,    /* an isolated attempt has it for itself */
    PLACE_SURPLUS, /* open, but of no use to this attempt: one more may be opened */
    PLACE_COMMON,  /* takes the attempt, or would but for its load */
    PLACES
};

enum fitness session_fitness(const struct session *session, const struct attempt *attempt, uint64_t now_ms,
                             enum session_place *place);

#endif
