/* SPDX-License-Identifier: MIT */
/* The records of the denial cache. Private to proofs.c and proofs_answer.c. */
#ifndef DOTSTUB_DNSSEC_PROOFS_H
#define DOTSTUB_DNSSEC_PROOFS_H

#include "base/list.h"
#include "base/table.h"
#include "crypto.h"
#include "dnssec/denials.h"

enum {
    PROOF_SIGNATURES = 4, /* kept with a record */
    PROOF_BYTES = 4096,   /* of a record with its signatures: a longer one is not kept */
    PROOF_HASHES = 128,   /* SHA-1 computations for one response */
};

/* A SOA, NSEC or NSEC3 record with its signatures. */
struct proof {
    struct list_link in_use; /* the least recently used first; a SOA is in no list */
    struct proof_zone *zone;
    uint64_t until_ms;
    uint8_t owner_len;
    bool hashed;               /* NSEC3 */
    bool single;               /* denies its owner only (RFC 9824) */
    uint8_t hash[CRYPTO_HASH]; /* NSEC3: of its owner */
    uint16_t rdata_len;        /* of the first record */
    uint16_t len;
    /* The owner in lower case; then for each record, the signatures last, all but the owner: type, class, TTL (any),
     * length, data. */
    uint8_t wire[];
};
enum { PROOF_FIXED = 10 };

/* The data of a NSEC or NSEC3 record. */
static inline struct bytes proof_rdata(const struct proof *proof)
{
    return (struct bytes){proof->wire + proof->owner_len + PROOF_FIXED, proof->rdata_len};
}

/* Sorted by owner, or by hash. */
struct proof_order {
    struct proof **list;
    size_t count, room;
};

/* The records of one zone and group. */
struct proof_zone {
    struct table_link in_table;
    uint32_t group;
    uint8_t apex_len;
    uint8_t apex[NAME_MAX_WIRE];
    struct proof *soa; /* NULL: none */
    struct proof_order nsec, nsec3;
    uint8_t salt_len; /* of all NSEC3 records, as well as the iterations */
    uint8_t salt[255];
    uint16_t iterations;
};

struct denials {
    struct table zones;
    struct list used; /* of struct proof */
    size_t bytes, most;
    uint64_t records, evicted, epoch;
};

/* NULL: none. `apex` in lower case. */
struct proof_zone *proofs_zone(const struct denials *denials, uint32_t group, const uint8_t *apex, size_t len);
/* The record with the greatest owner (or hash) that is not greater than this one; *equal: it is this one. NULL: none. */
struct proof *proofs_find(const struct proof_order *order, const uint8_t *owner, const uint8_t *hash, bool *equal);
/* Frees the record, and its zone if that was the last one. */
void proofs_drop(struct denials *denials, struct proof *proof);
/* Drops all records if the epoch is another one. */
void proofs_check_epoch(struct denials *denials, uint64_t epoch);

#endif
