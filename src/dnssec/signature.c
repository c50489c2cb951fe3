/* SPDX-License-Identifier: MIT */
#include "signature.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "canonical.h"
#include "crypto.h"
#include "wire.h"

bool signature_read(const uint8_t *wire, const struct rrset_record *record, struct signature *out)
{
    struct bytes rdata = rrset_rdata(wire, record);
    const uint8_t *data = rdata.data;
    if (rdata.len <= RRSIG_SIGNER)
        return false;
    size_t at = (size_t)(data - wire) + RRSIG_SIGNER, end = canonical_name_end(wire, at) - (size_t)(data - wire);
    if (end >= rdata.len)
        return false;
    out->algorithm = data[RRSIG_ALGORITHM];
    out->labels = data[RRSIG_LABELS];
    out->ttl = read_u32(data + RRSIG_TTL);
    out->expiration = read_u32(data + RRSIG_EXPIRATION);
    out->inception = read_u32(data + RRSIG_INCEPTION);
    out->tag = read_u16(data + RRSIG_TAG);
    out->signer_len = (uint8_t)canonical_name(wire, at, out->signer);
    out->rdata = rdata;
    out->raw = (struct bytes){data + end, rdata.len - end};
    return true;
}

/* --- time: serial number arithmetic (RFC 4034 section 3.1.5) --- */

static int32_t skew_of(const struct signature *signature)
{
    int32_t tenth = (int32_t)(signature->expiration - signature->inception) / 10;
    return tenth < SKEW_LEAST ? SKEW_LEAST : tenth > SKEW_MOST ? SKEW_MOST : tenth;
}

enum signature_time signature_time(const struct signature *signature, int64_t now_s)
{
    uint32_t now = (uint32_t)now_s;
    if ((int32_t)(signature->expiration - signature->inception) < 0)
        return TIME_EXPIRED;
    if ((int32_t)(now - signature->expiration) > skew_of(signature))
        return TIME_EXPIRED;
    return (int32_t)(signature->inception - now) > skew_of(signature) ? TIME_NOT_YET : TIME_VALID;
}

uint32_t signature_life(const struct signature *signature, int64_t now_s)
{
    enum { LATE = 60 }; /* seconds, of a signature that is valid thanks to the tolerance only */
    int32_t left = (int32_t)(signature->expiration - (uint32_t)now_s);
    return left >= LATE ? (uint32_t)left : LATE;
}

/* --- which signatures count --- */

unsigned signature_owner_labels(const struct rrset *set)
{
    return set->labels - (set->owner[0] == 1 && set->owner[1] == '*');
}

/* A wildcard cannot have these types, or their expansion would be data of another zone. A NSEC record that was expanded is
 * data, but proves nothing. */
static bool is_of_one_name(const struct rrset *set)
{
    return set->type == TYPE_DNSKEY || set->type == TYPE_DS || set->type == TYPE_SOA || set->type == TYPE_DNAME ||
           set->type == TYPE_NSEC3 || (set->type == TYPE_NSEC && set->section == 1);
}

bool signature_fits(const struct signature *signature, const struct rrset *set)
{
    unsigned labels = signature_owner_labels(set);
    if (!name_is_under(set->owner, set->owner_len, signature->signer, signature->signer_len))
        return false;
    if (signature->labels > labels || signature->labels < name_labels(signature->signer))
        return false;
    if (is_of_one_name(set) && signature->labels != labels)
        return false;
    if (set->type == TYPE_DS)
        return signature->signer_len < set->owner_len || set->owner_len == 1;
    if (set->type == TYPE_DNSKEY || set->type == TYPE_SOA)
        return signature->signer_len == set->owner_len;
    return true;
}

/* --- the canonical form of a RRset (RFC 4034 section 6.3) --- */

struct signed_record {
    uint32_t at;
    uint16_t len;
};

static int compare_records(const void *a, const void *b, void *context)
{
    const uint8_t *data = context;
    const struct signed_record *left = a, *right = b;
    size_t least = left->len < right->len ? left->len : right->len;
    int order = least > 0 ? memcmp(data + left->at, data + right->at, least) : 0;
    return order != 0 ? order : (int)left->len - (int)right->len;
}

static enum signature_result sort_records(struct signed_set *set)
{
    const struct rrset_record *record = NULL;
    set->order = mem_alloc(set->set->count * sizeof *set->order);
    if (!set->order)
        return SIGNATURE_MEMORY;
    for (unsigned i = set->set->first; i != RRSET_NONE; i = record->next) {
        record = &set->sets->record[i];
        struct bytes rdata = rrset_rdata(set->wire, record);
        uint8_t *room = buffer_reserve(&set->rdata, canonical_room(rdata.len));
        if (!room)
            return SIGNATURE_MEMORY;
        size_t len = canonical_rdata(set->wire, set->set->type, (size_t)(rdata.data - set->wire), rdata.len, room);
        set->order[set->count++] = (struct signed_record){(uint32_t)set->rdata.len, (uint16_t)len};
        buffer_commit(&set->rdata, len);
        if (set->rdata.len > SIGNED_MAX)
            return SIGNATURE_LIMIT;
    }
    uint8_t *data = (uint8_t *)buffer_bytes(&set->rdata).data;
    qsort_r(set->order, set->count, sizeof *set->order, compare_records, data);
    unsigned kept = 0; /* equal records count once */
    for (unsigned i = 0; i < set->count; i++)
        if (i == 0 || compare_records(&set->order[kept - 1], &set->order[i], data) != 0)
            set->order[kept++] = set->order[i];
    set->count = kept;
    return SIGNATURE_VALID;
}

void signed_set_free(struct signed_set *set)
{
    buffer_free(&set->rdata);
    mem_free(set->order);
    set->order = NULL;
}

/* The owner, or the wildcard that it was expanded from. */
static size_t signed_owner(const struct signature *signature, const struct rrset *set, uint8_t out[NAME_MAX_WIRE])
{
    if (signature->labels >= signature_owner_labels(set)) {
        memcpy(out, set->owner, set->owner_len);
        return set->owner_len;
    }
    const uint8_t *parent = canonical_ancestor(set->owner, signature->labels);
    size_t len = set->owner_len - (size_t)(parent - set->owner);
    out[0] = 1;
    out[1] = '*';
    memcpy(out + 2, parent, len);
    return len + 2;
}

/* RFC 4034 section 3.1.8.1: the RRSIG's data without the signature, then the records. */
static enum signature_result write_signed(struct signed_set *set, const struct signature *signature, struct buffer *out)
{
    uint8_t owner[NAME_MAX_WIRE];
    size_t owner_len = signed_owner(signature, set->set, owner), head = RRSIG_SIGNER + (size_t)signature->signer_len;
    size_t total = head + set->count * (owner_len + 10) + set->rdata.len;
    if (total > SIGNED_MAX)
        return SIGNATURE_LIMIT;
    uint8_t *at = buffer_reserve(out, total);
    if (!at)
        return SIGNATURE_MEMORY;
    struct writer writer = writer_over(at, total);
    writer_bytes(&writer, signature->rdata.data, RRSIG_SIGNER);
    writer_bytes(&writer, signature->signer, signature->signer_len);
    for (unsigned i = 0; i < set->count; i++) {
        writer_bytes(&writer, owner, owner_len);
        writer_u16(&writer, set->set->type);
        writer_u16(&writer, CLASS_IN);
        writer_u32(&writer, signature->ttl);
        writer_u16(&writer, set->order[i].len);
        writer_bytes(&writer, buffer_bytes(&set->rdata).data + set->order[i].at, set->order[i].len);
    }
    buffer_commit(out, writer_len(&writer));
    return SIGNATURE_VALID;
}

static enum signature_result make_signed(struct signed_set *set, const struct signature *signature, struct buffer *out)
{
    enum signature_result result = set->order ? SIGNATURE_VALID : sort_records(set);
    if (result != SIGNATURE_VALID) {
        signed_set_free(set);
        return result;
    }
    return write_signed(set, signature, out);
}

/* The bytes that are hashed in about the time of one unit of crypto_cost. */
enum { HASHED_PER_UNIT = 16384 };

/* True if the signature is of this data and key. */
static bool check(const struct signature *signature, const struct zone_key *key, struct bytes data,
                  const struct signature_work *work)
{
    struct bytes raw = {key->rdata.data + DNSKEY_KEY, key->rdata.len - DNSKEY_KEY};
    struct wide_hash hash;
    *work->spent += (unsigned)(data.len / HASHED_PER_UNIT);
    if (work->verified) {
        hash = verified_hash(data, key->rdata, signature->raw);
        if (verified_has(work->verified, hash)) {
            ++*work->remembered;
            return true;
        }
    }
    ++*work->checks;
    *work->spent += crypto_cost(key->algorithm);
    if (crypto_verify(key->algorithm, raw, data, signature->raw) != CRYPTO_VALID)
        return false;
    if (work->verified)
        verified_add(work->verified, hash);
    return true;
}

/* The signed data is made when the first key fits, so that signatures without a key cost little. */
static enum signature_result try_keys(struct signed_set *set, const struct signature *signature,
                                      const struct zone_key *keys, unsigned key_count,
                                      const struct signature_work *work, struct buffer *data)
{
    enum signature_result result = SIGNATURE_NO_KEY;
    unsigned tried = 0;
    for (unsigned i = 0; i < key_count; i++) {
        const struct zone_key *key = &keys[i];
        if (key->tag != signature->tag || key->algorithm != signature->algorithm)
            continue;
        if (tried++ == SIGNATURE_COLLISIONS)
            return SIGNATURE_LIMIT;
        result = SIGNATURE_WRONG;
        if (set->pair++ < set->set->failed)
            continue;
        if (*work->checks >= SIGNATURE_CHECKS)
            return SIGNATURE_LIMIT;
        if (*work->spent >= SIGNATURE_STEP)
            return SIGNATURE_PAUSE;
        if (buffer_bytes(data).len == 0 && (result = make_signed(set, signature, data)) != SIGNATURE_VALID)
            return result;
        if (check(signature, key, buffer_bytes(data), work))
            return SIGNATURE_VALID;
        set->set->failed++;
        result = SIGNATURE_WRONG;
    }
    return result;
}

enum signature_result signature_verify(struct signed_set *set, const struct signature *signature,
                                       const struct zone_key *keys, unsigned key_count, struct signature_work *work)
{
    struct buffer data = {NULL, 0, 0, 0};
    if (!crypto_supports_algorithm(signature->algorithm))
        return SIGNATURE_UNSUPPORTED;
    enum signature_result result = try_keys(set, signature, keys, key_count, work, &data);
    buffer_free(&data);
    return result;
}
