/* SPDX-License-Identifier: MIT */
/* Invariant: a hint that has not expired only grows, so a fresh entry always has an unexpired hint. */
#include "cache/cut.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"

#define SHARE 256 /* the tables take at most one 256th of the cache */

/* The hashes need not be secret: a client that chooses colliding names only prevents cuts. The golden ratio of
 * 2^64: the high bits of a product depend on all bits. */
#define TURN UINT64_C(0x9E3779B97F4A7C15)

static unsigned bits_for(size_t bytes)
{
    unsigned bits = 1;
    while ((2 * sizeof(uint32_t) << (bits + 1)) <= bytes / SHARE)
        bits++;
    return bits;
}

size_t cut_bytes(size_t bytes)
{
    return 2 * sizeof(uint32_t) << bits_for(bytes);
}

int cut_init(struct cut *cut, size_t bytes)
{
    cut->bits = bits_for(bytes);
    cut->denials = mem_zalloc((size_t)1 << cut->bits, sizeof *cut->denials);
    cut->below = mem_zalloc((size_t)1 << cut->bits, sizeof *cut->below);
    if (cut->denials && cut->below)
        return 0;
    cut_fini(cut);
    return -ENOMEM;
}

void cut_fini(struct cut *cut)
{
    mem_free(cut->denials);
    mem_free(cut->below);
    cut->denials = cut->below = NULL;
}

/* --- the ancestors of a name --- */

/* A walk over those of at most CUT_LEN bytes, from the top-level name down: not the root, nor the name itself. */
struct descent {
    const uint8_t *name;
    unsigned len, at; /* of the name; the offset of the ancestor that the walk has come to, */
    uint64_t hash;    /* and its hash */
    uint64_t starts;  /* of ancestors that are left: bit n is set if one has n bytes */
};

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * TURN;
    return hash ^ hash >> 32;
}

/* The next bytes of a name, eight at most, the first one lowest; the rest of the word is 0. */
static inline uint64_t read_word(const uint8_t *name, unsigned at, unsigned count)
{
    uint64_t word = 0;
    if (at + sizeof word > NAME_MAX_WIRE) { /* the key may end there */
        for (unsigned i = 0; i < count && i < sizeof word; i++)
            word |= (uint64_t)name[at + i] << 8 * i;
        return word;
    }
    memcpy(&word, name + at, sizeof word);
    word = le64toh(word);
    return count < sizeof word ? word & ((UINT64_C(1) << 8 * count) - 1) : word;
}

static inline uint64_t hash_label(uint64_t hash, const uint8_t *name, unsigned at)
{
    unsigned left = 1u + name[at];
    for (; left > sizeof hash; left -= sizeof hash, at += sizeof hash)
        hash = mix(hash, read_word(name, at, left));
    return mix(hash, read_word(name, at, left));
}

/* Entries with another group, class or CD are independent. */
static inline void descent_start(struct descent *descent, const struct key *key)
{
    uint64_t view = (uint64_t)key->group << 16 ^ (uint64_t)key->class << 48 ^ (uint64_t)(key->flags & KEY_CD) << 40;
    descent->name = key->name;
    descent->len = key->name_len;
    descent->hash = view;
    descent->starts = 0;
    for (unsigned at = 1u + key->name[0]; at + 1 < descent->len; at += 1u + key->name[at])
        if (descent->len - at <= CUT_LEN)
            descent->starts |= UINT64_C(1) << (descent->len - at);
}

static inline bool descent_next(struct descent *descent)
{
    if (!descent->starts)
        return false;
    descent->at = descent->len - (unsigned)__builtin_ctzll(descent->starts);
    descent->starts &= descent->starts - 1;
    descent->hash = hash_label(descent->hash, descent->name, descent->at);
    return true;
}

/* --- hints --- */

static inline size_t hint_index(const struct cut *cut, uint64_t hash)
{
    return hash * TURN >> (64 - cut->bits);
}

static bool hint_lives(const _Atomic uint32_t *hint, uint64_t now_ms)
{
    return now_ms / 1000 < atomic_load_explicit(hint, memory_order_relaxed);
}

/* Rounded up, so that the hint does not expire before the entry. */
static inline void hint_extend(_Atomic uint32_t *hint, uint64_t until_ms)
{
    uint32_t until = (uint32_t)(until_ms / 1000 + 1), before = atomic_load_explicit(hint, memory_order_relaxed);
    while (before < until &&
           !atomic_compare_exchange_weak_explicit(hint, &before, until, memory_order_relaxed, memory_order_relaxed))
        ;
}

void cut_note_denial(struct cut *cut, const struct key *key, uint64_t until_ms)
{
    struct key child = {.name = {1, 0}}; /* a child, whose last ancestor is the name */
    struct descent descent;
    if (key->name_len > CUT_LEN || key->name_len == 1)
        return; /* no walk comes to it; the root */
    child.group = key->group;
    child.class = key->class;
    child.flags = key->flags;
    child.name_len = (uint8_t)(2 + key->name_len);
    memcpy(child.name + 2, key->name, key->name_len);
    descent_start(&descent, &child);
    while (descent_next(&descent))
        ;
    hint_extend(&cut->denials[hint_index(cut, descent.hash)], until_ms);
    hint_extend(&cut->latest, until_ms);
}

void cut_note_below(struct cut *cut, const struct key *key, uint64_t until_ms)
{
    struct descent descent;
    descent_start(&descent, key);
    while (descent_next(&descent))
        hint_extend(&cut->below[hint_index(cut, descent.hash)], until_ms);
}

void cut_flush(struct cut *cut)
{
    for (size_t i = 0; i < (size_t)1 << cut->bits; i++) {
        atomic_store_explicit(&cut->denials[i], 0, memory_order_relaxed);
        atomic_store_explicit(&cut->below[i], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&cut->latest, 0, memory_order_relaxed);
}

unsigned cut_find(const struct cut *cut, const struct key *key, uint64_t now_ms, uint8_t offsets[CUT_DEPTH])
{
    struct descent descent;
    unsigned count = 0;
    descent_start(&descent, key);
    while (descent_next(&descent)) {
        size_t index = hint_index(cut, descent.hash);
        if (hint_lives(&cut->denials[index], now_ms) && !hint_lives(&cut->below[index], now_ms))
            offsets[count++] = (uint8_t)descent.at;
    }
    return count;
}
