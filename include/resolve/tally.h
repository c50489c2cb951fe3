/* SPDX-License-Identifier: MIT */
/* Counts of one worker's queries, for the metrics.
 *
 * Owns:    nothing; a value.
 * Threads: the worker's; a copy is anybody's.
 */
#ifndef DOTSTUB_RESOLVE_TALLY_H
#define DOTSTUB_RESOLVE_TALLY_H

#include "base/histogram.h"

/* Types from here on are counted at 0, together: a type of 0 is nobody's. */
#define TALLY_TYPES  66 /* up to HTTPS */
#define TALLY_RCODES 24 /* up to BADCOOKIE */

struct tally {
    uint64_t tcp;                 /* queries that came over TCP */
    uint64_t type[TALLY_TYPES];   /* queries that could be read */
    uint64_t rcode[TALLY_RCODES]; /* answers */
    uint64_t other_rcode;
    struct histogram hits;   /* tens of microseconds; of one batch of datagrams in TALLY_SAMPLED */
    struct histogram misses; /* ms, of all that waited and were answered */
};
#define TALLY_SAMPLED 17 /* odd, since clients that ask for two types at once come in pairs */

void tally_merge(struct tally *tally, const struct tally *other);

#endif
