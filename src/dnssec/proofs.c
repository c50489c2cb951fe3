/* SPDX-License-Identifier: MIT */
/* Keeps records of validated responses; proofs_answer.c uses them.
 *
 * Invariants:
 *   - a zone has at least one record, and the SOA of the latest response that added one;
 *   - the records of an order have different owners, or hashes; a newer record replaces the one of its owner;
 *   - `bytes` counts all memory of zones and records, and exceeds `most` only within denials_learn.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "inside.h"
#include "proofs.h"
#include "wire.h"

int denials_new(struct denials **out, size_t bytes)
{
    struct denials *denials = mem_zalloc(1, sizeof *denials);
    if (!denials || table_init(&denials->zones, 64) < 0) {
        mem_free(denials);
        return -ENOMEM;
    }
    list_init(&denials->used);
    denials->most = bytes;
    *out = denials;
    return 0;
}

void denials_free(struct denials *denials)
{
    if (!denials)
        return;
    denials_clear(denials);
    table_fini(&denials->zones);
    mem_free(denials);
}

void denials_clear(struct denials *denials)
{
    struct list_link *link;
    while ((link = list_first(&denials->used)))
        proofs_drop(denials, container_of(link, struct proof, in_use));
}

void proofs_check_epoch(struct denials *denials, uint64_t epoch)
{
    if (denials->epoch != epoch)
        denials_clear(denials);
    denials->epoch = epoch;
}

struct denials_stats denials_stats(const struct denials *denials)
{
    return (struct denials_stats){denials->bytes, denials->most, denials->zones.count, denials->records,
                                  denials->evicted};
}

/* --- zones --- */

static uint64_t hash_of(uint32_t group, const uint8_t *apex, size_t len)
{
    return hash_bytes(apex, len) ^ group * KEY_TYPE_STEP;
}

struct proof_zone *proofs_zone(const struct denials *denials, uint32_t group, const uint8_t *apex, size_t len)
{
    struct table_link *link = table_first(&denials->zones, hash_of(group, apex, len));
    for (; link; link = table_next(link)) {
        struct proof_zone *zone = container_of(link, struct proof_zone, in_table);
        if (zone->group == group && zone->apex_len == len && memcmp(zone->apex, apex, len) == 0)
            return zone;
    }
    return NULL;
}

static struct proof_zone *find_or_add(struct denials *denials, uint32_t group, const uint8_t *apex, size_t len)
{
    struct proof_zone *zone = proofs_zone(denials, group, apex, len);
    if (zone || !(zone = mem_zalloc(1, sizeof *zone)))
        return zone;
    zone->group = group;
    zone->apex_len = (uint8_t)len;
    memcpy(zone->apex, apex, len);
    table_insert(&denials->zones, &zone->in_table, hash_of(group, apex, len));
    denials->bytes += sizeof *zone;
    return zone;
}

static size_t size_of(const struct proof *proof)
{
    return sizeof *proof + proof->len;
}

static void free_proof(struct denials *denials, struct proof *proof)
{
    if (!proof)
        return;
    denials->bytes -= size_of(proof);
    mem_free(proof);
}

static void free_if_empty(struct denials *denials, struct proof_zone *zone)
{
    if (zone->nsec.count + zone->nsec3.count > 0)
        return;
    table_remove(&denials->zones, &zone->in_table);
    free_proof(denials, zone->soa);
    denials->bytes -= sizeof *zone + (zone->nsec.room + zone->nsec3.room) * sizeof(struct proof *);
    mem_free(zone->nsec.list);
    mem_free(zone->nsec3.list);
    mem_free(zone);
}

/* --- the order of the records of a zone --- */

static int compare(const struct proof *proof, const uint8_t *owner, const uint8_t *hash)
{
    return hash ? memcmp(proof->hash, hash, CRYPTO_HASH) : canonical_compare(proof->wire, owner);
}

/* The number of records that are not greater; *equal: the last one of them is this one. */
static size_t place_of(const struct proof_order *order, const uint8_t *owner, const uint8_t *hash, bool *equal)
{
    size_t low = 0, high = order->count;
    *equal = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int difference = compare(order->list[middle], owner, hash);
        *equal |= difference == 0;
        if (difference <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct proof *proofs_find(const struct proof_order *order, const uint8_t *owner, const uint8_t *hash, bool *equal)
{
    size_t place = place_of(order, owner, hash, equal);
    return place > 0 ? order->list[place - 1] : NULL;
}

static struct proof_order *order_of(struct proof_zone *zone, const struct proof *proof)
{
    return proof->hashed ? &zone->nsec3 : &zone->nsec;
}

static const uint8_t *hash_in(const struct proof *proof)
{
    return proof->hashed ? proof->hash : NULL;
}

void proofs_drop(struct denials *denials, struct proof *proof)
{
    struct proof_zone *zone = proof->zone;
    struct proof_order *order = order_of(zone, proof);
    bool equal;
    size_t place = place_of(order, proof->wire, hash_in(proof), &equal);
    memmove(order->list + place - 1, order->list + place, (order->count - place) * sizeof(*order->list));
    order->count--;
    denials->records--;
    list_remove(&proof->in_use);
    free_proof(denials, proof);
    free_if_empty(denials, zone);
}

static bool make_room(struct denials *denials, struct proof_order *order)
{
    if (order->count < order->room)
        return true;
    size_t room = order->room ? 2 * order->room : 4;
    struct proof **list = mem_resize(order->list, room * sizeof(*list));
    if (!list)
        return false;
    denials->bytes += (room - order->room) * sizeof(*list);
    order->list = list;
    order->room = room;
    return true;
}

/* Takes over the record, or frees it. */
static bool insert(struct denials *denials, struct proof_zone *zone, struct proof *proof)
{
    struct proof_order *order = order_of(zone, proof);
    bool equal;
    size_t place = place_of(order, proof->wire, hash_in(proof), &equal);
    proof->zone = zone;
    if (equal) {
        list_remove(&order->list[place - 1]->in_use);
        free_proof(denials, order->list[place - 1]);
        order->list[place - 1] = proof;
    } else if (make_room(denials, order)) {
        memmove(order->list + place + 1, order->list + place, (order->count - place) * sizeof(*order->list));
        order->list[place] = proof;
        order->count++;
        denials->records++;
    } else {
        free_proof(denials, proof);
        return false;
    }
    list_push_back(&denials->used, &proof->in_use);
    return true;
}

/* --- copies of records --- */

struct learning {
    struct denials *denials;
    const struct validation *validation;
    const uint8_t *wire;
    const struct denials_context *context;
};

static size_t put_record(const struct learning *learning, uint16_t type, const struct rrset_record *record,
                         struct writer *writer)
{
    struct bytes rdata = rrset_rdata(learning->wire, record);
    if (canonical_room(rdata.len) > PROOF_BYTES) {
        writer->failed = true;
        return 0;
    }
    writer_u16(writer, type);
    writer_u16(writer, CLASS_IN);
    writer_u32(writer, 0);
    uint8_t data[PROOF_BYTES];
    size_t len = canonical_rdata(learning->wire, type, (size_t)(rdata.data - learning->wire), rdata.len, data);
    writer_u16(writer, (uint16_t)len);
    writer_bytes(writer, data, len);
    return len;
}

/* A copy of a RRset of one record. NULL: too long, or out of memory. */
static struct proof *copy_set(const struct learning *learning, const struct rrset *set, uint64_t until_ms)
{
    uint8_t room[PROOF_BYTES];
    struct writer writer = writer_over(room, sizeof room);
    const struct rrset_record *records = learning->validation->sets->record;
    writer_bytes(&writer, set->owner, set->owner_len);
    size_t rdata_len = put_record(learning, set->type, &records[set->first], &writer);
    unsigned i = set->first_sig;
    for (unsigned count = 0; count < PROOF_SIGNATURES && i != RRSET_NONE; count++, i = records[i].next)
        (void)put_record(learning, TYPE_RRSIG, &records[i], &writer);
    struct proof *proof = writer.failed ? NULL : mem_alloc(sizeof *proof + writer_len(&writer));
    if (!proof)
        return NULL;
    *proof = (struct proof){.until_ms = until_ms,
                            .owner_len = set->owner_len,
                            .rdata_len = (uint16_t)rdata_len,
                            .len = (uint16_t)writer_len(&writer)};
    memcpy(proof->wire, room, proof->len);
    learning->denials->bytes += size_of(proof);
    return proof;
}

/* --- what to keep --- */

/* The seconds for which the RRset may be used. A TTL with the high bit set counts as 0 here. */
static uint32_t life_of(const struct learning *learning, const struct rrset *set)
{
    uint32_t ttl = read_u32(learning->wire + learning->validation->sets->record[set->first].fixed + 4);
    ttl = ttl > INT32_MAX ? 0 : ttl;
    return ttl < set->life_s ? ttl : set->life_s;
}

/* The SOA of the zone in the same response. NULL: there is none, or it is not secure. */
static const struct rrset *soa_of(const struct learning *learning, const uint8_t *apex, size_t len, uint32_t *life_s)
{
    const struct rrset *soa = rrsets_find(learning->validation->sets, 1, apex, len, TYPE_SOA);
    if (!soa || soa->status != RRSET_SECURE || soa->count != 1)
        return NULL;
    struct bytes rdata = rrset_rdata(learning->wire, &learning->validation->sets->record[soa->first]);
    uint32_t minimum = rdata.len < 22 ? 0 : read_u32(rdata.data + rdata.len - 4), life = life_of(learning, soa);
    *life_s = minimum < life ? minimum : life;
    return soa;
}

/* A record that a server makes for each query (RFC 9824): it has NXNAME, or the next name is the first one possible. */
static bool is_single(const struct denial_nsec *nsec)
{
    const uint8_t *owner = nsec->set->owner;
    size_t len = nsec->set->owner_len;
    bool next = nsec->next[0] == 1 && nsec->next[1] == 0 && canonical_len(nsec->next) == len + 2 &&
                memcmp(nsec->next + 2, owner, len) == 0;
    return next || bitmap_has(nsec->types, TYPE_NXNAME);
}

static void drop_all(struct denials *denials, struct proof_order *order)
{
    for (size_t count = order->count; count > 0; count--)
        proofs_drop(denials, order->list[count - 1]);
}

/* The NSEC3 records of a zone have one salt; those with another one are outdated. NULL: out of memory. */
static struct proof_zone *zone_with_salt(struct denials *denials, struct proof_zone *zone, struct bytes salt,
                                         unsigned iterations)
{
    bool same = zone->iterations == iterations && zone->salt_len == salt.len &&
                (salt.len == 0 || memcmp(zone->salt, salt.data, salt.len) == 0);
    if (!same && zone->nsec3.count > 0) {
        uint8_t apex[NAME_MAX_WIRE];
        size_t len = zone->apex_len;
        uint32_t group = zone->group;
        memcpy(apex, zone->apex, len);
        drop_all(denials, &zone->nsec3);
        zone = find_or_add(denials, group, apex, len);
    }
    if (!same && zone) {
        zone->iterations = (uint16_t)iterations;
        zone->salt_len = (uint8_t)salt.len;
        if (salt.len > 0)
            memcpy(zone->salt, salt.data, salt.len);
    }
    return zone;
}

/* Reads what the record says. False: it is not one to keep. */
static bool read_set(const struct learning *learning, const struct rrset *set, struct proof *out, struct bytes *salt,
                     unsigned *iterations)
{
    const struct rrsets *sets = learning->validation->sets;
    struct denial_nsec nsec;
    struct denial_nsec3 nsec3;
    out->hashed = set->type == TYPE_NSEC3;
    out->single = false;
    if (out->hashed) {
        memset(&nsec3, 0, sizeof nsec3);
        if (!nsec3_read(set, sets, learning->wire, &nsec3, salt, iterations) || (nsec3.flags & NSEC3_OPT_OUT) ||
            *iterations > DENIAL_ITERATIONS)
            return false;
        memcpy(out->hash, nsec3.hash, sizeof out->hash);
        return true;
    }
    if (!nsec_read(set, sets, learning->wire, &nsec))
        return false;
    out->single = is_single(&nsec);
    return true;
}

/* Gives the zone the SOA. False: out of memory, and it has none. */
static bool renew_soa(const struct learning *learning, struct proof_zone *zone, const struct rrset *soa,
                      uint64_t until_ms)
{
    struct denials *denials = learning->denials;
    if (zone->soa && zone->soa->until_ms >= until_ms)
        return true;
    struct proof *copy = copy_set(learning, soa, until_ms);
    if (copy) {
        free_proof(denials, zone->soa);
        zone->soa = copy;
    }
    return zone->soa != NULL;
}

static bool learn_set(const struct learning *learning, const struct rrset *set)
{
    struct denials *denials = learning->denials;
    const uint8_t *apex = canonical_ancestor(set->owner, set->apex_labels);
    size_t apex_len = set->owner_len - (size_t)(apex - set->owner);
    struct proof head;
    struct bytes salt = {NULL, 0};
    unsigned iterations = 0;
    uint32_t soa_s = 0, most_s = learning->context->most_s, life_s = life_of(learning, set);
    const struct rrset *soa = soa_of(learning, apex, apex_len, &soa_s);
    if (!soa || !read_set(learning, set, &head, &salt, &iterations))
        return false;
    soa_s = soa_s < most_s ? soa_s : most_s;
    life_s = life_s < soa_s ? life_s : soa_s;
    if (life_s == 0)
        return false;
    struct proof_zone *zone = find_or_add(denials, learning->context->group, apex, apex_len);
    if (zone && head.hashed)
        zone = zone_with_salt(denials, zone, salt, iterations);
    if (!zone)
        return false;
    struct proof *proof = NULL;
    if (renew_soa(learning, zone, soa, learning->context->now_ms + soa_s * UINT64_C(1000)))
        proof = copy_set(learning, set, learning->context->now_ms + life_s * UINT64_C(1000));
    bool kept = false;
    if (proof) {
        proof->hashed = head.hashed;
        proof->single = head.single;
        if (head.hashed)
            memcpy(proof->hash, head.hash, sizeof proof->hash);
        kept = insert(denials, zone, proof);
    }
    free_if_empty(denials, zone);
    return kept;
}

unsigned denials_learn(struct denials *denials, const struct validation *validation, const struct answer *answer,
                       const struct denials_context *context)
{
    const struct learning learning = {denials, validation, answer->wire, context};
    const struct rrsets *sets = validation->sets;
    unsigned count = 0;
    proofs_check_epoch(denials, context->epoch);
    for (unsigned i = 0; sets && i < sets->count; i++) {
        const struct rrset *set = &sets->set[i];
        if (set->section == 1 && set->status == RRSET_SECURE && set->count == 1 &&
            (set->type == TYPE_NSEC || set->type == TYPE_NSEC3))
            count += learn_set(&learning, set);
    }
    for (struct list_link *link; denials->bytes > denials->most && (link = list_first(&denials->used));) {
        proofs_drop(denials, container_of(link, struct proof, in_use));
        denials->evicted++;
    }
    return count;
}
