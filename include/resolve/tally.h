/* SPDX-License-Identifier: MIT */
/* Counts of one worker's queries, for the metrics.
 *
 * Owns:    nothing; a value.
 * Threads: the worker's; a copy belongs to the caller.
 */
#ifndef DOTSTUB_RESOLVE_TALLY_H
#define DOTSTUB_RESOLVE_TALLY_H

#include "base/histogram.h"
#include "base/reasons.h"

/* Where queries come from. TALLY_OWN: dotstub sends the query itself, for a query of a client (subquery.h) or for a trace; it
 * counts neither among the types and response codes nor among the misses. */
enum tally_source { TALLY_OWN, TALLY_UDP, TALLY_TCP, TALLY_TLS, TALLY_HTTPS, TALLY_SOURCES };

/* Types from TALLY_TYPES on are counted together at index 0, which is not an assigned type. */
#define TALLY_TYPES  66 /* up to HTTPS */
#define TALLY_RCODES 24 /* up to BADCOOKIE */

struct tally {
    uint64_t source[TALLY_SOURCES];
    uint64_t type[TALLY_TYPES];   /* well-formed queries */
    uint64_t rcode[TALLY_RCODES]; /* responses */
    uint64_t other_rcode;
    struct histogram hits;   /* in tens of microseconds; one batch of datagrams in TALLY_SAMPLED is measured */
    struct histogram misses; /* in ms; all queries that waited and were answered by an upstream */
    struct reasons failures; /* queries that no upstream answered */
};
#define TALLY_SAMPLED 17 /* odd, because clients that query two types at once send pairs */

void tally_merge(struct tally *tally, const struct tally *other);

#endif
