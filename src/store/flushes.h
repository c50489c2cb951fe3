/* SPDX-License-Identifier: MIT */
/* The flushes of the fleet that a replica knows.
 *
 * Does:    says whether a value that was sealed at some time is excluded by a flush of its name. Clocks of replicas may
 *          differ, so values that were sealed up to SKEW_MS after a flush are excluded, too.
 * Owns:    nothing; a value, all zero at first. It keeps FLUSHES_MOST flushes; beyond that the oldest one becomes a flush
 *          of everything, which is never wrong.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_STORE_FLUSHES_H
#define DOTSTUB_STORE_FLUSHES_H

#include "seal.h"
#include "store/store.h"

enum { FLUSHES_MOST = 256, FLUSHES_SKEW_MS = SEAL_AHEAD_MS };

struct flushes {
    int64_t newest_ms; /* values that were sealed later are not excluded */
    int64_t all_ms;    /* values that were sealed before are */
    unsigned count;
    struct store_flush flush[FLUSHES_MOST]; /* by time, oldest first */
};

/* False: it is known. */
bool flushes_add(struct flushes *flushes, const struct store_flush *flush);
/* Excludes everything that was sealed before. */
void flushes_add_all(struct flushes *flushes, int64_t before_ms);
/* True if a value of this key must not be used. */
bool flushes_exclude(const struct flushes *flushes, const struct key *key, const struct answer *answer,
                     int64_t sealed_ms);

#endif
