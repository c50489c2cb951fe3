/* SPDX-License-Identifier: MIT */
/* The names that the fleet asks for most, so that a new replica can fetch them from the store.
 *
 * For each definition of a group the store has a sorted set of the names of entries, which are hashes. An entry gets a vote
 * of its TTL whenever a replica took it into its cache, so the score grows with the time for which replicas have it. A vote
 * weighs twice as much an hour later: old ones count less and less. Numbers grow with that, so after ERA a new set begins.
 */
#ifndef DOTSTUB_STORE_POPULAR_H
#define DOTSTUB_STORE_POPULAR_H

#include "inside.h"

/* A replica took the value of this name, with this TTL at first, into its cache. */
void popular_vote(struct store *store, const uint8_t definition[DIGEST_LEN], const uint8_t name[SEAL_NAME],
                  uint32_t ttl);
/* The text of a vote for this TTL, at this second of the era. */
enum { POPULAR_WEIGHT = 2 * DECIMAL_DIGITS + 1 };
struct bytes popular_weight(char out[POPULAR_WEIGHT], uint32_t ttl, int64_t era_s);
/* Continues what store_warm began; returns the next deadline. */
uint64_t popular_check(struct store *store, uint64_t now_ms);
/* Ends all of it. */
void popular_end(struct store *store);

#endif
