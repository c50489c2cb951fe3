/* SPDX-License-Identifier: MIT */
#include "dnssec/verified.h"

#include "base/mem.h"

enum { PLACES = 4096 /* 64 KiB */ };

struct verified {
    struct wide_hash place[PLACES]; /* pairs: the first of a pair is the newer one; 0: unused */
};

struct verified *verified_new(void)
{
    return mem_zalloc(1, sizeof(struct verified));
}

void verified_free(struct verified *verified)
{
    mem_free(verified);
}

struct wide_hash verified_hash(struct bytes data, struct bytes key, struct bytes signature)
{
    const struct wide_hash parts[] = {hash_wide(data.data, data.len), hash_wide(key.data, key.len),
                                      hash_wide(signature.data, signature.len)};
    return hash_wide(parts, sizeof parts);
}

static unsigned pair_of(struct wide_hash hash)
{
    return (unsigned)(hash.first % (PLACES / 2)) * 2;
}

static bool is_same(struct wide_hash a, struct wide_hash b)
{
    return a.first == b.first && a.second == b.second;
}

bool verified_has(const struct verified *verified, struct wide_hash hash)
{
    const struct wide_hash *pair = &verified->place[pair_of(hash)];
    return is_same(pair[0], hash) || is_same(pair[1], hash);
}

void verified_add(struct verified *verified, struct wide_hash hash)
{
    struct wide_hash *pair = &verified->place[pair_of(hash)];
    pair[1] = pair[0];
    pair[0] = hash;
}
