/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - the saved form is made before anything is verified, and the keys point into it, so a sighting that is read again is
 *     the same;
 *   - at most SIGHTING_KEYS keys and SIGHTING_SIGNATURES signatures are looked at, and SIGNATURE_CHECKS verified.
 */
#include "dnssec/sighting.h"

#include <errno.h>
#include <string.h>

#include "base/errors.h"
#include "base/mem.h"
#include "crypto.h"
#include "dns/message.h"
#include "facts.h"
#include "rrsets.h"
#include "signature.h"
#include "wire.h"

static const struct bytes root = {(const uint8_t *)"", 1};

/* --- the same key with and without the bit REVOKE --- */

bool sighting_is_same_key(struct bytes a, struct bytes b)
{
    if (a.len != b.len || a.len <= DNSKEY_KEY || memcmp(a.data + 2, b.data + 2, a.len - 2) != 0)
        return false;
    return ((read_u16(a.data) ^ read_u16(b.data)) & ~(unsigned)DNSKEY_REVOKED) == 0;
}

/* Copies the key without the bit; false: it is too long. */
static bool copy_unrevoked(struct bytes dnskey, uint8_t out[SIGHTING_KEY_MAX])
{
    if (dnskey.len <= DNSKEY_KEY || dnskey.len > SIGHTING_KEY_MAX)
        return false;
    memcpy(out, dnskey.data, dnskey.len);
    write_u16(out, read_u16(out) & (uint16_t)~DNSKEY_REVOKED);
    return true;
}

bool sighting_is_ds_of(struct bytes ds, struct bytes dnskey)
{
    uint8_t key[SIGHTING_KEY_MAX];
    return copy_unrevoked(dnskey, key) && facts_ds_matches(ds, root, (struct bytes){key, dnskey.len});
}

uint16_t sighting_tag(struct bytes dnskey)
{
    uint8_t key[SIGHTING_KEY_MAX];
    return copy_unrevoked(dnskey, key) ? dnskey_tag((struct bytes){key, dnskey.len}) : 0;
}

/* --- the saved form: a message with the RRset and its signatures, without compression --- */

/* A signature of the DNSKEY RRset by the root, whose name is then one byte. */
static bool is_of_root(struct bytes rrsig)
{
    return rrsig.len > RRSIG_SIGNER + 1 && rrsig.data[RRSIG_SIGNER] == 0;
}

static void write_record(struct writer *writer, uint16_t type, struct bytes rdata)
{
    writer_u8(writer, 0);
    writer_u16(writer, type);
    writer_u16(writer, CLASS_IN);
    writer_u32(writer, 0); /* the original TTL is in the signature */
    writer_u16(writer, (uint16_t)rdata.len);
    writer_bytes(writer, rdata.data, rdata.len);
}

static unsigned write_chain(struct writer *writer, const struct rrsets *sets, const uint8_t *wire, uint16_t first,
                            uint16_t type, unsigned most)
{
    unsigned count = 0;
    for (unsigned i = first; i != RRSET_NONE && count < most; i = sets->record[i].next) {
        struct bytes rdata = rrset_rdata(wire, &sets->record[i]);
        if (type == TYPE_DNSKEY || is_of_root(rdata)) {
            write_record(writer, type, rdata);
            count++;
        }
    }
    return count;
}

/* The RRset of the message. 0 or negative. */
static int save(struct writer *writer, struct rrsets *sets, const uint8_t *wire)
{
    const struct rrset *set = rrsets_find(sets, 0, root.data, root.len, TYPE_DNSKEY);
    if (!set)
        return ERROR_MALFORMED;
    if (set->count > SIGHTING_KEYS)
        return -E2BIG;
    uint8_t *start = writer->at;
    writer_bytes(writer, (uint8_t[]){0, 0, FLAG_QR >> 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, MESSAGE_HEADER + 1);
    writer_u16(writer, TYPE_DNSKEY);
    writer_u16(writer, CLASS_IN);
    unsigned count = write_chain(writer, sets, wire, set->first, TYPE_DNSKEY, SIGHTING_KEYS);
    count += write_chain(writer, sets, wire, set->first_sig, TYPE_RRSIG, SIGHTING_SIGNATURES);
    if (writer->failed)
        return -E2BIG;
    write_u16(start + MESSAGE_ANCOUNT, (uint16_t)count);
    return 0;
}

/* --- keys and signatures --- */

static void take_keys(struct sighting *sighting, const struct rrsets *sets, const struct rrset *set)
{
    for (unsigned i = set->first; i != RRSET_NONE; i = sets->record[i].next) {
        struct bytes rdata = rrset_rdata(sighting->saved.data, &sets->record[i]);
        bool repeated = false;
        if (rdata.len <= DNSKEY_KEY || rdata.len > SIGHTING_KEY_MAX ||
            rdata.data[DNSKEY_PROTOCOL] != DNSKEY_PROTOCOL_VALUE)
            continue;
        for (unsigned k = 0; k < sighting->count; k++)
            repeated |= sighting->keys[k].rdata.len == rdata.len &&
                        memcmp(sighting->keys[k].rdata.data, rdata.data, rdata.len) == 0;
        if (repeated)
            continue;
        uint16_t flags = read_u16(rdata.data);
        sighting->keys[sighting->count++] =
            (struct sighting_key){.rdata = rdata,
                                  .tag = dnskey_tag(rdata),
                                  .revoked = flags & DNSKEY_REVOKED,
                                  .may_be_anchor = dnskey_is_usable(rdata) && (flags & DNSKEY_SEP) &&
                                                   crypto_supports_algorithm(rdata.data[DNSKEY_ALGORITHM])};
    }
}

/* Without the tolerance that other data gets: changes of anchors can wait. */
static bool is_timely(const struct signature *signature, int64_t at_s)
{
    uint32_t at = (uint32_t)at_s;
    return (int32_t)(at - signature->inception) >= 0 && (int32_t)(signature->expiration - at) >= 0;
}

static void note_signature(struct sighting *sighting, struct sighting_key *key, const struct signature *signature)
{
    int64_t ends_s = sighting->at_s + (int64_t)(signature->expiration - (uint32_t)sighting->at_s);
    if (!key->has_signed || ends_s > key->ends_s)
        key->ends_s = ends_s;
    key->has_signed = true;
    sighting->ttl_s = signature->ttl;
}

/* All signatures of one key. 0, -E2BIG or -ENOMEM. */
static int check_key(struct sighting *sighting, struct signed_set *form, struct sighting_key *key, unsigned *checks)
{
    struct zone_key signer = {key->tag, key->rdata.data[DNSKEY_ALGORITHM], key->rdata};
    const struct rrset *set = form->set;
    unsigned remembered = 0;
    for (unsigned i = set->first_sig; i != RRSET_NONE; i = form->sets->record[i].next) {
        struct signature signature;
        unsigned spent = 0;
        struct signature_work work = {NULL, checks, &remembered, &spent};
        if (!signature_read(form->wire, &form->sets->record[i], &signature) || !signature_fits(&signature, set) ||
            signature.tag != signer.tag || !is_timely(&signature, sighting->at_s))
            continue;
        switch (signature_verify(form, &signature, &signer, 1, &work)) {
        case SIGNATURE_VALID:
            note_signature(sighting, key, &signature);
            break;
        case SIGNATURE_LIMIT:
            return -E2BIG;
        case SIGNATURE_MEMORY:
            return -ENOMEM;
        default:
            break;
        }
    }
    return 0;
}

static int check_all(struct sighting *sighting, struct rrsets *sets)
{
    struct rrset *set = rrsets_find(sets, 0, root.data, root.len, TYPE_DNSKEY);
    struct signed_set form = {.wire = sighting->saved.data, .sets = sets, .set = set};
    unsigned checks = 0;
    int status = 0;
    take_keys(sighting, sets, set);
    for (unsigned i = 0; status == 0 && i < sighting->count; i++)
        status = check_key(sighting, &form, &sighting->keys[i], &checks);
    signed_set_free(&form);
    return status;
}

/* --- reading --- */

static int group(struct rrsets **out, uint8_t *wire, size_t len, struct answer_scratch *scratch)
{
    struct answer answer;
    int status = message_own_answer(wire, len, scratch, &answer);
    return status < 0 ? status : rrsets_new(out, &answer);
}

/* The sighting with its saved form; nothing is verified yet. */
static int copy(struct sighting **out, uint8_t *wire, size_t len, struct answer_scratch *scratch)
{
    struct rrsets *sets = NULL;
    int status = group(&sets, wire, len, scratch);
    if (status < 0)
        return status;
    struct sighting *sighting = mem_alloc(sizeof *sighting + SIGHTING_BYTES);
    status = sighting ? 0 : -ENOMEM;
    if (status == 0) {
        uint8_t *room = (uint8_t *)(sighting + 1);
        struct writer writer = writer_over(room, SIGHTING_BYTES);
        memset(sighting, 0, sizeof *sighting);
        status = save(&writer, sets, wire);
        sighting->saved = (struct bytes){room, writer_len(&writer)};
    }
    rrsets_free(sets);
    if (status < 0)
        mem_free(sighting);
    else
        *out = sighting;
    return status;
}

static int read_all(struct sighting **out, uint8_t *wire, size_t len, int64_t at_s, struct answer_scratch *scratch)
{
    struct rrsets *sets = NULL;
    struct sighting *sighting = NULL;
    int status = copy(&sighting, wire, len, scratch);
    if (status == 0)
        status = group(&sets, (uint8_t *)sighting->saved.data, sighting->saved.len, scratch);
    if (status == 0) {
        sighting->at_s = at_s;
        status = check_all(sighting, sets);
    }
    rrsets_free(sets);
    if (status < 0)
        sighting_free(sighting);
    else
        *out = sighting;
    return status;
}

int sighting_new(struct sighting **out, struct bytes message, int64_t at_s)
{
    if (message.len < MESSAGE_HEADER)
        return ERROR_MALFORMED;
    if (message.len > MESSAGE_MAX)
        return -E2BIG;
    struct answer_scratch *scratch = mem_alloc(sizeof *scratch);
    uint8_t *wire = mem_alloc(message.len); /* the walk needs a writable message */
    int status = scratch && wire ? 0 : -ENOMEM;
    if (status == 0) {
        memcpy(wire, message.data, message.len);
        status = read_all(out, wire, message.len, at_s, scratch);
    }
    mem_free(wire);
    mem_free(scratch);
    return status;
}

void sighting_free(struct sighting *sighting)
{
    mem_free(sighting);
}
