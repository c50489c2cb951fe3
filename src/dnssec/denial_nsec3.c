/* SPDX-License-Identifier: MIT */
/* Proofs by NSEC3 records (RFC 5155 section 8). */
#include <string.h>

#include "crypto.h"
#include "denial.h"
#include "dns/codes.h"
#include "wire.h"

_Static_assert(CRYPTO_HASH == sizeof((struct denial_nsec3 *)0)->hash, "the length of a SHA-1 hash");

/* Base32 with the extended hex alphabet (RFC 4648 section 7): 32 characters, 20 bytes. */
static bool decode_hash(const uint8_t *label, uint8_t out[CRYPTO_HASH])
{
    uint64_t bits = 0;
    if (*label != 32)
        return false;
    for (unsigned i = 0; i < 32; i++) {
        uint8_t byte = label[1 + i];
        unsigned value = byte >= '0' && byte <= '9'   ? byte - (unsigned)'0'
                         : byte >= 'a' && byte <= 'v' ? byte - 'a' + 10u
                                                      : 32;
        if (value == 32)
            return false;
        bits = bits << 5 | value;
        if (i % 8 == 7)
            for (unsigned k = 0; k < 5; k++)
                out[i / 8 * 5 + k] = (uint8_t)(bits >> (32 - 8 * k));
    }
    return true;
}

bool nsec3_read(const struct rrset *set, const struct rrsets *sets, const uint8_t *wire, struct denial_nsec3 *out,
                struct bytes *salt, unsigned *iterations)
{
    if (set->count != 1)
        return false;
    struct cursor cursor = cursor_over(rrset_rdata(wire, &sets->record[set->first]));
    uint8_t algorithm = cursor_u8(&cursor);
    out->set = set;
    out->flags = cursor_u8(&cursor);
    *iterations = cursor_u16(&cursor);
    salt->len = cursor_u8(&cursor);
    salt->data = cursor_take(&cursor, salt->len);
    size_t next_len = cursor_u8(&cursor);
    const uint8_t *next = cursor_take(&cursor, next_len);
    /* RFC 5155 sections 8.1 and 8.2: others are ignored. */
    if (cursor.failed || algorithm != NSEC3_SHA1 || (out->flags & ~NSEC3_OPT_OUT) || next_len != CRYPTO_HASH ||
        set->labels != set->apex_labels + 1u || !decode_hash(set->owner, out->hash))
        return false;
    memcpy(out->next, next, CRYPTO_HASH);
    out->types = (struct bytes){cursor.at, cursor_left(&cursor)};
    return true;
}

static bool hash_name(struct denial_proof *proof, const uint8_t *name, size_t len, uint8_t out[CRYPTO_HASH])
{
    *proof->hashes += proof->iterations + 1;
    return *proof->hashes <= DENIAL_HASHES &&
           crypto_hash((struct bytes){name, len}, proof->salt, proof->iterations, out);
}

static const struct denial_nsec3 *match(const struct denial_proof *proof, const uint8_t hash[CRYPTO_HASH])
{
    for (unsigned i = 0; i < proof->nsec3_count; i++)
        if (memcmp(proof->nsec3[i].hash, hash, CRYPTO_HASH) == 0)
            return &proof->nsec3[i];
    return NULL;
}

/* The last record of a zone has the lowest hash as its next one. */
static bool covers(const struct denial_nsec3 *nsec3, const uint8_t hash[CRYPTO_HASH])
{
    bool after = memcmp(nsec3->hash, hash, CRYPTO_HASH) < 0, before = memcmp(hash, nsec3->next, CRYPTO_HASH) < 0;
    bool last = memcmp(nsec3->hash, nsec3->next, CRYPTO_HASH) >= 0;
    return last ? (after || before) && memcmp(nsec3->hash, hash, CRYPTO_HASH) != 0 : after && before;
}

static const struct denial_nsec3 *cover(const struct denial_proof *proof, const uint8_t hash[CRYPTO_HASH])
{
    for (unsigned i = 0; i < proof->nsec3_count; i++)
        if (covers(&proof->nsec3[i], hash))
            return &proof->nsec3[i];
    return NULL;
}

struct encloser {
    const struct denial_nsec3 *own; /* the name itself exists: nothing else is set */
    unsigned labels;                /* of the closest encloser */
    bool opt_out;                   /* of the record that covers the next closer name */
};

/* Finds the closest provable encloser (RFC 5155 section 8.3). DENIAL_PROVEN: `out` is set. */
static enum denial find_encloser(struct denial_proof *proof, const uint8_t *name, size_t len, struct encloser *out)
{
    uint8_t hash[CRYPTO_HASH], closer[CRYPTO_HASH];
    unsigned labels = name_labels(name);
    const uint8_t *at = name;
    out->own = NULL;
    for (unsigned left = labels; left + 1 > proof->apex_labels; left--) {
        if (!hash_name(proof, at, len - (size_t)(at - name), hash))
            return DENIAL_LIMIT;
        const struct denial_nsec3 *matching = match(proof, hash);
        if (matching && left == labels) {
            out->own = matching;
            return DENIAL_PROVEN;
        }
        if (matching) {
            const struct denial_nsec3 *covering = cover(proof, closer);
            if (!covering || denial_ends_zone(matching->types))
                return DENIAL_NONE;
            out->labels = left;
            out->opt_out = covering->flags & NSEC3_OPT_OUT;
            return DENIAL_PROVEN;
        }
        memcpy(closer, hash, sizeof closer);
        if (left == 0)
            break;
        at += 1 + (size_t)*at;
    }
    return DENIAL_NONE;
}

enum denial nsec3_check(struct denial_proof *proof, const uint8_t *name, size_t len, uint16_t type, bool nxdomain)
{
    uint8_t wildcard[NAME_MAX_WIRE], hash[CRYPTO_HASH];
    struct encloser encloser = {.own = NULL};
    enum denial denial = find_encloser(proof, name, len, &encloser);
    if (denial != DENIAL_PROVEN)
        return denial;
    if (encloser.own)
        return !nxdomain && denial_is_nodata(encloser.own->types, type, len == 1) ? DENIAL_PROVEN : DENIAL_NONE;
    enum denial proven = encloser.opt_out ? DENIAL_OPT_OUT : DENIAL_PROVEN;
    size_t wildcard_len = denial_wildcard(name, len, encloser.labels, wildcard);
    if (wildcard_len == 0)
        return nxdomain ? proven : DENIAL_NONE;
    if (!hash_name(proof, wildcard, wildcard_len, hash))
        return DENIAL_LIMIT;
    if (nxdomain)
        return cover(proof, hash) ? proven : DENIAL_NONE;
    const struct denial_nsec3 *matching = match(proof, hash);
    if (matching)
        return denial_is_nodata(matching->types, type, false) ? proven : DENIAL_NONE;
    /* RFC 5155 sections 8.6: a delegation without DS; an empty non-terminal above such delegations only. */
    return encloser.opt_out ? DENIAL_OPT_OUT : DENIAL_NONE;
}

enum denial nsec3_check_wildcard(struct denial_proof *proof, const uint8_t *name, size_t len, unsigned from_labels)
{
    uint8_t hash[CRYPTO_HASH];
    const uint8_t *closer = canonical_ancestor(name, from_labels + 1);
    if (!hash_name(proof, closer, len - (size_t)(closer - name), hash))
        return DENIAL_LIMIT;
    const struct denial_nsec3 *covering = cover(proof, hash);
    if (!covering)
        return DENIAL_NONE;
    return covering->flags & NSEC3_OPT_OUT ? DENIAL_OPT_OUT : DENIAL_PROVEN;
}
