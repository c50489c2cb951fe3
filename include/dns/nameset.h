/* SPDX-License-Identifier: MIT */
/* A large immutable set of names, each with a value of one byte, in about 10.5 bytes a name.
 *
 * Does:    stores 80 bits of a keyed 128-bit hash (SipHash-2-4-128) in place of each name. A look-up of a name that is
 *          not in the set finds another one with a probability of (number of names) / 2^80: less than 10^-18 with a
 *          million names, and nobody can choose such a name without the process's key.
 *          A filter over several sets, one byte a name, decides most look-ups with one access to memory.
 * Owns:    a builder owns what was added until name_set_build; sets and filters own their tables. Nothing refers to
 *          the names given.
 * Threads: a builder: one at a time; sets and filters: any.
 */
#ifndef DOTSTUB_DNS_NAMESET_H
#define DOTSTUB_DNS_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"
#include "base/hash.h"
#include "dns/name.h"

/* The numbers of labels that occur in a set: bit N for names of N labels, without the root. */
struct name_depths {
    uint64_t bits[2];
};

static inline bool name_depths_hold(const struct name_depths *depths, unsigned labels)
{
    return depths->bits[labels / 64] >> labels % 64 & 1;
}

struct name_set {
    struct name_depths depths;
    size_t count;
    unsigned bits;    /* of the hash that choose a bucket; at least 8 */
    uint32_t *starts; /* of the buckets: 2^bits + 1 */
    uint8_t *entries; /* NAME_SET_ENTRY bytes each, sorted by bucket */
};
#define NAME_SET_ENTRY 10

struct name_filter {
    struct name_depths depths;
    uint64_t *words; /* NULL: all sets are empty */
    uint32_t count;
};

struct name_set_item;
struct name_set_builder {
    struct name_set_item *items;
    size_t count, cap, limit; /* limit: of names; 0: NAME_SET_MAX */
    struct name_depths depths;
};
#define NAME_SET_MAX 100000000

/* Adds a name (uncompressed, in lower case, `len` bytes with the root label) and a value other than 0. 0, -ENOMEM, or
 * -ENOSPC (the builder's limit). */
int name_set_add(struct name_set_builder *builder, const uint8_t *name, size_t len, uint8_t value) MUST_CHECK;
/* Makes the set. Equal names become one entry, and `merge` makes one value of two. The builder is empty afterwards, also
 * on failure. 0 or -ENOMEM. */
int name_set_build(struct name_set *out, struct name_set_builder *builder,
                   uint8_t (*merge)(uint8_t a, uint8_t b)) MUST_CHECK;
void name_set_drop(struct name_set_builder *builder);
void name_set_free(struct name_set *set);
/* Bytes of memory. */
size_t name_set_size(const struct name_set *set);

/* The value of the name with this hash (hash_wide over the name in lower case); 0: not in the set. */
uint8_t name_set_find(const struct name_set *set, struct wide_hash hash);

/* A filter over `count` sets. 0 or -ENOMEM. */
int name_filter_new(struct name_filter *out, const struct name_set *const *sets, size_t count) MUST_CHECK;
void name_filter_free(struct name_filter *filter);
size_t name_filter_size(const struct name_filter *filter);

/* Four bits of one word for each name. */
static inline uint64_t name_filter_bits(uint64_t hash)
{
    return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) | UINT64_C(1) << (hash >> 12 & 63) |
           UINT64_C(1) << (hash >> 18 & 63);
}

static inline uint32_t name_filter_place(uint64_t hash, uint32_t count)
{
    return (uint32_t)((hash >> 32) * count >> 32);
}

/* False: no set has the name with this hash. About 4 % of other names get true. `words` is not NULL. */
static inline bool name_filter_passes(const struct name_filter *filter, uint64_t hash)
{
    uint64_t bits = name_filter_bits(hash);
    return (filter->words[name_filter_place(hash, filter->count)] & bits) == bits;
}

#endif
