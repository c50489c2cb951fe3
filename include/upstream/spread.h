/* SPDX-License-Identifier: MIT */
/* The assignment of names to upstreams with `upstream-policy: spread`.
 *
 * Does:    computes a weight of each upstream for a name; the one with the greatest weight gets the queries
 *          (rendezvous hashing). While it fails the next one gets them, so the names of a failed upstream are
 *          distributed over all others, and return to it later. The whole name is hashed: with the registrable
 *          domain a single operator would see all queries for an organisation.
 * Owns:    a secret key, derived from the machine id, so that others cannot compute which names an upstream gets,
 *          and so that the assignment survives a restart: with another key at each start every upstream would see
 *          every name in time.
 * Threads: spread_init once before there are other threads; the rest from any thread.
 */
#ifndef DOTSTUB_UPSTREAM_SPREAD_H
#define DOTSTUB_UPSTREAM_SPREAD_H

#include <stddef.h>
#include <stdint.h>

/* Derives the key from this file (see machine-id(5)); if it is unusable the key is random. */
void spread_init(const char *machine_id);

/* The hash of a name in wire form and lower case, or of the name of an upstream. */
uint64_t spread_hash(const void *data, size_t len);

/* The weight of an upstream for a name, from the hashes of both (the finalizer of SplitMix64). */
static inline uint32_t spread_weight(uint64_t name, uint64_t upstream)
{
    uint64_t mixed = name ^ upstream;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(mixed >> 32);
}

#endif
