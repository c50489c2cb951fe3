/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "canonical.h"
#include "crypto.h"
#include "denial.h"
#include "wire.h"

static struct fact *make(const uint8_t *name, size_t len, uint16_t type, size_t room)
{
    struct fact *fact = mem_alloc(sizeof *fact + room);
    if (!fact)
        return NULL;
    fact->next = NULL;
    memcpy(fact->name, name, len);
    fact->len = (uint8_t)len;
    fact->type = type;
    fact->kind = FACT_BOGUS;
    fact->unsettled = false;
    fact->ede_code = EDE_NONE;
    fact->ede_text[0] = 0;
    fact->count = 0;
    fact->room = (uint16_t)room;
    return fact;
}

void fact_free(struct fact *fact)
{
    mem_free(fact);
}

struct fact *fact_new_bogus(const uint8_t *name, size_t len, uint16_t type, int ede_code, const char *text)
{
    struct fact *fact = make(name, len, type, 0);
    if (!fact)
        return NULL;
    fact->ede_code = ede_code;
    snprintf(fact->ede_text, sizeof fact->ede_text, "%s", text ? text : "");
    return fact;
}

/* --- the records that count --- */

static bool ds_is_supported(struct bytes ds)
{
    return ds.len > DS_DIGEST && crypto_supports_algorithm(ds.data[DS_ALGORITHM]) &&
           crypto_supports_digest(ds.data[DS_TYPE]);
}

unsigned facts_choose_ds(struct zone_key *list, unsigned count, int *ede_code)
{
    bool stronger = false;
    unsigned kept = 0;
    *ede_code = EDE_DNSKEY_ALGORITHM;
    for (unsigned i = 0; i < count; i++) {
        struct bytes ds = list[i].rdata;
        stronger |= ds_is_supported(ds) && ds.data[DS_TYPE] != DIGEST_SHA1;
        if (ds.len > DS_DIGEST && crypto_supports_algorithm(ds.data[DS_ALGORITHM]))
            *ede_code = EDE_DS_DIGEST;
    }
    for (unsigned i = 0; i < count; i++)
        if (ds_is_supported(list[i].rdata) && !(stronger && list[i].rdata.data[DS_TYPE] == DIGEST_SHA1))
            list[kept++] = list[i];
    return kept;
}

bool facts_ds_matches(struct bytes ds, struct bytes owner, struct bytes dnskey)
{
    uint8_t digest[CRYPTO_DIGEST_MAX];
    if (ds.len <= DS_DIGEST || read_u16(ds.data) != dnskey_tag(dnskey) ||
        ds.data[DS_ALGORITHM] != dnskey.data[DNSKEY_ALGORITHM])
        return false;
    size_t len = crypto_digest(ds.data[DS_TYPE], owner, dnskey, digest);
    return len > 0 && ds.len - DS_DIGEST == len && memcmp(ds.data + DS_DIGEST, digest, len) == 0;
}

static bool key_is_supported(struct bytes rdata)
{
    return dnskey_is_usable(rdata) && crypto_supports_algorithm(rdata.data[DNSKEY_ALGORITHM]);
}

/* The bytes of `keys`. */
static size_t keys_room(const struct rrset *set)
{
    unsigned count = set ? set->count : 0;
    return (count < FACT_KEYS ? count : FACT_KEYS) * sizeof(struct zone_key);
}

/* The bytes that its records need. */
static size_t records_room(const struct rrsets *sets, const struct rrset *set, const uint8_t *wire)
{
    size_t room = 0;
    for (unsigned i = set ? set->first : RRSET_NONE; i != RRSET_NONE; i = sets->record[i].next)
        room += rrset_rdata(wire, &sets->record[i]).len;
    return room < FACT_BYTES ? room : FACT_BYTES;
}

/* Copies the records of the RRset that fit. */
static void copy_records(struct fact *fact, const struct rrsets *sets, const struct rrset *set, const uint8_t *wire)
{
    const struct rrset_record *record = NULL;
    uint8_t *at = (uint8_t *)fact->keys + keys_room(set), *end = (uint8_t *)fact->keys + fact->room;
    for (unsigned i = set->first; i != RRSET_NONE && fact->count < FACT_KEYS; i = record->next) {
        record = &sets->record[i];
        struct bytes rdata = rrset_rdata(wire, record);
        bool is_key = fact->type == TYPE_DNSKEY;
        if (rdata.len > (size_t)(end - at))
            break;
        if (is_key ? !key_is_supported(rdata) : rdata.len <= DS_DIGEST)
            continue;
        memcpy(at, rdata.data, rdata.len);
        rdata.data = at;
        at += rdata.len;
        fact->keys[fact->count++] = (struct zone_key){is_key ? dnskey_tag(rdata) : read_u16(rdata.data),
                                                      rdata.data[is_key ? DNSKEY_ALGORITHM : DS_ALGORITHM], rdata};
    }
}

static void take_data(struct fact *fact, const struct rrsets *sets, const struct rrset *set, const uint8_t *wire)
{
    copy_records(fact, sets, set, wire);
    fact->kind = FACT_DATA;
    if (fact->type == TYPE_DNSKEY)
        return;
    fact->count = facts_choose_ds(fact->keys, fact->count, &fact->ede_code);
    if (fact->count > 0)
        fact->ede_code = EDE_NONE;
    else
        fact->kind = FACT_INSECURE;
}

/* --- responses without data --- */

/* True if the owner of a NSEC3 record is in a zone above the name: only such a zone can have a delegation there. */
static bool is_in_zone_above(const struct rrset *nsec3, const struct fact *fact)
{
    size_t label = 1 + (size_t)nsec3->owner[0];
    return nsec3->labels > 0 && nsec3->owner_len - label < fact->len &&
           name_is_under(fact->name, fact->len, nsec3->owner + label, nsec3->owner_len - label);
}

/* True if a NSEC or NSEC3 record of the response shows a delegation at the name. The response is secure, and a proof
 * needs few NSEC3 records. */
static bool shows_delegation(const struct fact *fact, const struct rrsets *sets, const uint8_t *wire)
{
    enum { HASHED = 8 };
    unsigned hashes = 0;
    for (unsigned i = 0; i < sets->count; i++) {
        struct rrset set = sets->set[i];
        struct denial_nsec nsec;
        struct denial_nsec3 nsec3;
        struct bytes salt;
        unsigned iterations;
        uint8_t hash[CRYPTO_HASH];
        if (set.section != 1)
            continue;
        if (set.type == TYPE_NSEC && set.owner_len == fact->len && memcmp(set.owner, fact->name, fact->len) == 0 &&
            nsec_read(&set, sets, wire, &nsec))
            return denial_is_delegation(nsec.types);
        set.apex_labels = (uint8_t)(set.labels - 1);
        if (set.type == TYPE_NSEC3 && is_in_zone_above(&set, fact) &&
            nsec3_read(&set, sets, wire, &nsec3, &salt, &iterations) && iterations <= DENIAL_ITERATIONS &&
            hashes++ < HASHED && crypto_hash((struct bytes){fact->name, fact->len}, salt, iterations, hash) &&
            memcmp(hash, nsec3.hash, sizeof hash) == 0)
            return denial_is_delegation(nsec3.types);
    }
    return false;
}

/* An alias belongs to the name's own zone, which therefore has no cut there; whatever its target is. */
static bool has_alias(const struct rrsets *sets)
{
    for (unsigned i = 0; i < sets->count; i++)
        if (sets->set[i].section == 0 && (sets->set[i].type == TYPE_CNAME || sets->set[i].type == TYPE_DNAME))
            return true;
    return false;
}

static void read_response(struct fact *fact, struct rrsets *sets, enum dnssec_verdict verdict,
                          const struct answer *answer)
{
    const struct rrset *set = rrsets_find(sets, 0, fact->name, fact->len, fact->type);
    if (has_alias(sets))
        fact->kind = FACT_NO_CUT;
    else if (verdict == DNSSEC_INSECURE)
        fact->kind = FACT_INSECURE;
    else if (set)
        take_data(fact, sets, set, answer->wire);
    else if (answer->rcode == RCODE_NXDOMAIN)
        fact->kind = FACT_NO_NAME;
    else if (fact->type == TYPE_DS && shows_delegation(fact, sets, answer->wire))
        fact->kind = FACT_INSECURE;
    else
        fact->kind = FACT_NO_CUT;
}

struct fact *fact_new(const uint8_t *name, size_t len, uint16_t type, enum dnssec_verdict verdict,
                      const struct answer *answer)
{
    struct rrsets *sets = NULL;
    if (verdict == DNSSEC_BOGUS || rrsets_new(&sets, answer) < 0)
        return make(name, len, type, 0);
    const struct rrset *set = rrsets_find(sets, 0, name, len, type);
    size_t room = keys_room(set) + records_room(sets, set, answer->wire);
    struct fact *fact = make(name, len, type, room);
    if (fact)
        read_response(fact, sets, verdict, answer);
    rrsets_free(sets);
    return fact;
}
