/* SPDX-License-Identifier: MIT */
/* The key of the cache and of the table of lookups.
 *
 * Does:    holds a name in lower case, type and class, and everything else that changes the answer (DO, CD, the
 *          group of servers).
 * Owns:    nothing; a value.
 * Threads: any.
 */
#ifndef DOTSTUB_DNS_KEY_H
#define DOTSTUB_DNS_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "dns/name.h"

#define KEY_DO 0x01 /* DNSSEC OK (RFC 3225) */
#define KEY_CD 0x02 /* checking disabled (RFC 4035 section 3.2.2) */

/* The group of a key. Its number is valid in this process only and never reused; files and other processes identify
 * the group by the digest of its definition. */
struct key_group {
    uint32_t id;
    uint8_t definition[DIGEST_LEN];
};

/* There is no padding before `name`, so that one contiguous range is compared, and everything behind the flags is
 * hashed; host byte order. A cache entry may serve keys that differ in the flags, so these have the same hash; the
 * type is mixed in. */
struct key {
    uint16_t type;
    uint8_t flags;
    uint8_t name_len;
    uint32_t group;
    uint16_t class;
    uint8_t name[NAME_MAX_WIRE];
};

static inline size_t key_len(const struct key *key)
{
    return offsetof(struct key, name) + key->name_len;
}

/* The golden ratio of 2^64, which is odd, so that the hashes of a name's types differ in all parts. */
#define KEY_TYPE_STEP  UINT64_C(0x9E3779B97F4A7C15)
#define KEY_TYPES_NEAR 128 /* types below this one have their buckets in one cache line with that of type 0 */

/* A miss looks for the name's denial (type 0) beside the type: the bucket of both is one access to memory. Other
 * types are spread, so that no name can fill the line. */
static inline uint64_t key_type_hash(uint16_t type)
{
    return type < KEY_TYPES_NEAR ? (type ^ type >> 4) & 15u : type * KEY_TYPE_STEP;
}

static inline uint64_t key_hash(const struct key *key)
{
    return hash_bytes(&key->name_len, key_len(key) - offsetof(struct key, name_len)) ^ key_type_hash(key->type);
}

/* The hash of the same key with type 0. */
static inline uint64_t key_hash_without_type(const struct key *key, uint64_t hash)
{
    return hash ^ key_type_hash(key->type);
}

bool key_equal(const struct key *a, const struct key *b);
/* Copies only the used part: names are short, and keys are copied often. */
static inline void key_copy(struct key *out, const struct key *key)
{
    memcpy(out, key, offsetof(struct key, name) + key->name_len);
}
/* Copies all but the name. */
static inline void key_copy_head(struct key *out, const struct key *key)
{
    memcpy(out, key, offsetof(struct key, name));
}
/* The key with the suffix of its name that begins at this offset. */
static inline void key_copy_ancestor(struct key *out, const struct key *key, unsigned offset)
{
    memcpy(out, key, offsetof(struct key, name));
    out->name_len = (uint8_t)(key->name_len - offset);
    memcpy(out->name, key->name + offset, out->name_len);
}

#endif
