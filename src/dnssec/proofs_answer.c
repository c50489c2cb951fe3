/* SPDX-License-Identifier: MIT */
/* Negative responses made of records of the denial cache.
 *
 * Invariant: what a response says is decided by the checks of denial.h, as for a response of a server; here only the records
 * are chosen that such a response would have.
 */
#include <string.h>

#include "dns/codes.h"
#include "inside.h"
#include "proofs.h"
#include "wire.h"

enum { CHOSEN_MAX = 4 };

struct choosing {
    struct denials *denials;
    const struct key *key;
    struct proof_zone *zone;
    uint64_t now_ms;
    struct proof *chosen[CHOSEN_MAX];
    struct rrset sets[CHOSEN_MAX]; /* only the owners are set */
    unsigned count, hashes;        /* chosen; SHA-1 computations of choose_nsec3, in all zones */
};

/* --- choosing the records --- */

static void choose(struct choosing *choosing, struct proof *proof)
{
    for (unsigned i = 0; i < choosing->count; i++)
        if (choosing->chosen[i] == proof)
            return;
    if (proof && proof->until_ms > choosing->now_ms && choosing->count < CHOSEN_MAX)
        choosing->chosen[choosing->count++] = proof;
}

/* The record of this owner, or the one before it. A record that denies its owner only denies nothing else. */
static struct proof *find_nsec(const struct choosing *choosing, const uint8_t *name, bool *equal)
{
    struct proof *proof = proofs_find(&choosing->zone->nsec, name, NULL, equal);
    return proof && proof->single && !(*equal && name == choosing->key->name) ? NULL : proof;
}

/* The record for the name, and the one for the wildcard that could have matched it. */
static void choose_nsec(struct choosing *choosing)
{
    const struct key *key = choosing->key;
    uint8_t next[NAME_MAX_WIRE], wildcard[NAME_MAX_WIRE];
    bool equal;
    struct proof *proof = find_nsec(choosing, key->name, &equal);
    if (!proof)
        return;
    choose(choosing, proof);
    struct bytes rdata = proof_rdata(proof);
    size_t next_len = name_len(rdata);
    name_lower(next, rdata.data, next_len);
    if (equal || name_is_under(next, next_len, key->name, key->name_len))
        return;
    unsigned before = canonical_common(key->name, proof->wire), after = canonical_common(key->name, next);
    if (denial_wildcard(key->name, key->name_len, before > after ? before : after, wildcard) > 0)
        choose(choosing, find_nsec(choosing, wildcard, &equal));
}

static bool hash_name(struct choosing *choosing, const uint8_t *name, size_t len, uint8_t out[CRYPTO_HASH])
{
    const struct proof_zone *zone = choosing->zone;
    choosing->hashes += zone->iterations + 1u;
    return choosing->hashes <= PROOF_HASHES &&
           crypto_hash((struct bytes){name, len}, (struct bytes){zone->salt, zone->salt_len}, zone->iterations, out);
}

/* The record of this hash, or the one before it; the last one of the zone covers the lowest hashes, too. */
static struct proof *find_nsec3(const struct choosing *choosing, const uint8_t hash[CRYPTO_HASH], bool *equal)
{
    const struct proof_order *order = &choosing->zone->nsec3;
    struct proof *proof = proofs_find(order, NULL, hash, equal);
    return proof ? proof : order->list[order->count - 1];
}

/* The records of the closest encloser, of the name one label longer, and of the wildcard (RFC 5155 section 8). */
static void choose_nsec3(struct choosing *choosing)
{
    const struct key *key = choosing->key;
    uint8_t hash[CRYPTO_HASH], wildcard[NAME_MAX_WIRE];
    const uint8_t *at = key->name;
    struct proof *closer = NULL;
    unsigned least = name_labels(choosing->zone->apex);
    bool equal;
    for (unsigned labels = name_labels(at);; labels--, at += 1 + (size_t)*at) {
        size_t len = key->name_len - (size_t)(at - key->name);
        if (!hash_name(choosing, at, len, hash))
            return;
        struct proof *proof = find_nsec3(choosing, hash, &equal);
        if (equal) {
            choose(choosing, proof);
            size_t wildcard_len = closer ? denial_wildcard(key->name, key->name_len, labels, wildcard) : 0;
            choose(choosing, closer);
            if (wildcard_len > 0 && hash_name(choosing, wildcard, wildcard_len, hash))
                choose(choosing, find_nsec3(choosing, hash, &equal));
            return;
        }
        if (labels == least)
            return;
        closer = proof;
    }
}

/* --- the proof --- */

static void add_nsec(struct denial_proof *proof, const struct proof *from, const struct rrset *set)
{
    struct denial_nsec *nsec = &proof->nsec[proof->nsec_count++];
    struct bytes rdata = proof_rdata(from);
    size_t len = name_len(rdata);
    nsec->set = set;
    name_lower(nsec->next, rdata.data, len);
    nsec->types = (struct bytes){rdata.data + len, rdata.len - len};
}

static void add_nsec3(struct denial_proof *proof, const struct proof *from)
{
    struct denial_nsec3 *nsec3 = &proof->nsec3[proof->nsec3_count++];
    struct cursor cursor = cursor_over(proof_rdata(from));
    (void)cursor_take(&cursor, NSEC3_SALT);
    (void)cursor_take(&cursor, cursor_u8(&cursor));
    const uint8_t *next = cursor_take(&cursor, cursor_u8(&cursor)); /* CRYPTO_HASH bytes, see nsec3_read */
    memcpy(nsec3->hash, from->hash, CRYPTO_HASH);
    memcpy(nsec3->next, next, CRYPTO_HASH);
    nsec3->flags = 0;
    nsec3->types = (struct bytes){cursor.at, cursor_left(&cursor)};
}

/* DENIAL_PROVEN with the RCODE, or another value. */
static enum denial prove(struct choosing *choosing, uint16_t *rcode)
{
    const struct proof_zone *zone = choosing->zone;
    const struct key *key = choosing->key;
    struct denial_proof proof;
    unsigned hashes = 0;
    proof.apex = zone->apex;
    proof.apex_len = zone->apex_len;
    proof.apex_labels = name_labels(zone->apex);
    proof.nsec_count = proof.nsec3_count = 0;
    proof.salt = (struct bytes){zone->salt, zone->salt_len};
    proof.iterations = zone->iterations;
    proof.many_iterations = false;
    proof.hashes = &hashes;
    for (unsigned i = 0; i < choosing->count; i++) {
        struct proof *from = choosing->chosen[i];
        struct rrset *set = &choosing->sets[i];
        memcpy(set->owner, from->wire, from->owner_len);
        set->owner_len = from->owner_len;
        if (from->hashed)
            add_nsec3(&proof, from);
        else
            add_nsec(&proof, from, set);
    }
    *rcode = RCODE_NOERROR;
    if (denial_check(&proof, key->name, key->name_len, key->type, false) == DENIAL_PROVEN)
        return DENIAL_PROVEN;
    *rcode = RCODE_NXDOMAIN;
    return denial_check(&proof, key->name, key->name_len, key->type, true);
}

/* True if records of the zone deny the key; they are chosen then. */
static bool denies(struct choosing *choosing, uint16_t *rcode)
{
    struct proof_zone *zone = choosing->zone;
    if (!zone->soa || zone->soa->until_ms <= choosing->now_ms)
        return false;
    choosing->count = 0;
    if (zone->nsec.count > 0)
        choose_nsec(choosing);
    if (choosing->count > 0 && prove(choosing, rcode) == DENIAL_PROVEN)
        return true;
    choosing->count = 0;
    if (zone->nsec3.count > 0)
        choose_nsec3(choosing);
    return choosing->count > 0 && prove(choosing, rcode) == DENIAL_PROVEN;
}

/* --- the message --- */

/* The owner, with a pointer to the name of the Question section: all owners and that name are below the apex. */
static void put_owner(struct writer *writer, const struct key *key, const struct proof *proof)
{
    unsigned common = canonical_common(proof->wire, key->name);
    const uint8_t *from = canonical_ancestor(proof->wire, common), *to = canonical_ancestor(key->name, common);
    writer_bytes(writer, proof->wire, (size_t)(from - proof->wire));
    if (common > 0)
        writer_u16(writer, (uint16_t)(0xC000u | (MESSAGE_HEADER + (unsigned)(to - key->name))));
    else
        writer_u8(writer, 0);
}

/* Writes the record, and with `all` its signatures. Returns the number of records. */
static unsigned put_proof(struct writer *writer, const struct key *key, const struct proof *proof, uint32_t ttl,
                          bool all)
{
    struct cursor cursor = cursor_over((struct bytes){proof->wire, proof->len});
    unsigned count = 0;
    (void)cursor_take(&cursor, proof->owner_len);
    while (cursor_left(&cursor) > 0 && (all || count == 0)) {
        const uint8_t *fixed = cursor_take(&cursor, PROOF_FIXED);
        size_t len = read_u16(fixed + 8);
        put_owner(writer, key, proof);
        writer_bytes(writer, fixed, 4);
        writer_u32(writer, ttl);
        writer_u16(writer, (uint16_t)len);
        writer_bytes(writer, cursor_take(&cursor, len), len);
        count++;
    }
    return count;
}

static uint32_t ttl_of(const struct choosing *choosing)
{
    uint64_t until_ms = choosing->zone->soa->until_ms;
    for (unsigned i = 0; i < choosing->count; i++)
        until_ms = choosing->chosen[i]->until_ms < until_ms ? choosing->chosen[i]->until_ms : until_ms;
    return (uint32_t)((until_ms - choosing->now_ms) / 1000);
}

static size_t write_message(struct choosing *choosing, uint16_t rcode, uint8_t out[MESSAGE_MAX])
{
    const struct key *key = choosing->key;
    struct writer writer = writer_over(out, MESSAGE_MAX);
    uint32_t ttl = ttl_of(choosing);
    bool all = key->flags & KEY_DO;
    writer_u16(&writer, 0);
    writer_u16(&writer, (uint16_t)(FLAG_QR | FLAG_RD | FLAG_RA | rcode));
    writer_bytes(&writer, (uint8_t[]){0, 1, 0, 0, 0, 0, 0, 0}, 8);
    writer_bytes(&writer, key->name, key->name_len);
    writer_u16(&writer, key->type);
    writer_u16(&writer, key->class);
    unsigned count = put_proof(&writer, key, choosing->zone->soa, ttl, all);
    for (unsigned i = 0; i < choosing->count; i++) {
        struct proof *proof = choosing->chosen[i];
        if (all)
            count += put_proof(&writer, key, proof, ttl, true);
        list_remove(&proof->in_use);
        list_push_back(&choosing->denials->used, &proof->in_use);
    }
    write_u16(out + MESSAGE_ANCOUNT + 2, (uint16_t)count);
    return writer.failed ? 0 : writer_len(&writer);
}

/* --- zones --- */

/* Types that the records say nothing of, or that are not validated. */
static bool is_excluded(const struct key *key)
{
    return (key->flags & KEY_CD) || key->class != CLASS_IN || key->type == TYPE_ANY || key->type == TYPE_RRSIG ||
           key->type == TYPE_NONE;
}

size_t denials_answer(struct denials *denials, const struct key *key, const struct dnssec_context *trust,
                      const struct denials_context *context, uint8_t out[MESSAGE_MAX])
{
    struct choosing choosing;
    const struct anchor *anchor;
    uint16_t rcode;
    proofs_check_epoch(denials, context->epoch);
    if (denials->records == 0 || is_excluded(key) ||
        !(anchor = context_anchor(trust, key->name, key->name_len, key->type)))
        return 0;
    choosing.denials = denials;
    choosing.key = key;
    choosing.now_ms = context->now_ms;
    choosing.hashes = 0;
    const uint8_t *at = key->name;
    /* The DS of a zone is in its parent zone. */
    if (key->type == TYPE_DS && *at)
        at += 1 + (size_t)*at;
    for (;; at += 1 + (size_t)*at) {
        size_t len = key->name_len - (size_t)(at - key->name);
        if (len < anchor->len)
            return 0;
        choosing.zone = proofs_zone(denials, context->group, at, len);
        if (choosing.zone && denies(&choosing, &rcode))
            return write_message(&choosing, rcode, out);
        if (*at == 0)
            return 0;
    }
}
