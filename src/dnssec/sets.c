/* SPDX-License-Identifier: MIT */
/* The status of one RRset.
 *
 * Invariants: a RRset is secure only if one of its signatures was verified with a key of its signer's zone, and that key
 * is secure; it is insecure only if the zone of its owner is (zones.c). The work of a response is counted.
 */
#include <string.h>

#include "crypto.h"
#include "inside.h"
#include "wire.h"

/* Why no signature counts: the worst reason of all is not known, so the one of the signature that came closest is
 * told. */
enum { RANK_WITH_KEYS = 2 }; /* from here on the keys of the signer were known */
struct failed_check {
    int rank, ede_code;
    const char *what;
};

static void note(struct failed_check *worst, int rank, int ede_code, const char *what)
{
    if (rank > worst->rank)
        *worst = (struct failed_check){rank, ede_code, what};
}

static void note_result(struct failed_check *worst, enum signature_result result)
{
    if (result == SIGNATURE_WRONG)
        note(worst, 6, EDE_BOGUS, "wrong signature of");
    else if (result == SIGNATURE_UNSUPPORTED)
        note(worst, 2, EDE_DNSKEY_ALGORITHM, "no signature of a supported algorithm of");
    else
        note(worst, 3, EDE_DNSKEY_MISSING, "no key for the signature of");
}

/* The signature is not valid yet, and the clock may be behind. */
static enum dnssec_verdict tolerate(struct validation *validation, struct rrset *set)
{
    struct dnssec_result *result = &validation->result;
    result->unsettled = true;
    result->ede_code = EDE_SIGNATURE_NOT_YET_VALID;
    strcpy(result->ede_text, "not validated: the clock of this machine may be behind");
    set->status = RRSET_INSECURE;
    return DNSSEC_INSECURE;
}

static enum dnssec_verdict accept(struct validation *validation, struct rrset *set, const struct signature *signature)
{
    struct dnssec_result *result = &validation->result;
    if (signature_time(signature, validation->context->now_s) == TIME_NOT_YET)
        return tolerate(validation, set);
    uint32_t life = signature_life(signature, validation->context->now_s);
    life = signature->ttl < life ? signature->ttl : life;
    result->life_s = life < result->life_s ? life : result->life_s;
    set->status = RRSET_SECURE;
    set->life_s = life;
    set->apex_labels = (uint8_t)name_labels(signature->signer);
    set->from_labels = signature->labels < signature_owner_labels(set) ? signature->labels : set->labels;
    return DNSSEC_SECURE;
}

/* True if the signature may count at this time. */
static bool is_timely(const struct validation *validation, const struct signature *signature,
                      struct failed_check *worst)
{
    enum signature_time time = signature_time(signature, validation->context->now_s);
    if (time == TIME_EXPIRED)
        note(worst, 5, EDE_SIGNATURE_EXPIRED, "expired signature of");
    else if (time == TIME_NOT_YET && !validation->context->may_be_behind)
        note(worst, 4, EDE_SIGNATURE_NOT_YET_VALID, "not yet valid signature of");
    else
        return true;
    return false;
}

/* The limits end the validation; other results are noted. */
static bool is_over(struct validation *validation, enum signature_result result, enum dnssec_verdict *verdict)
{
    if (result == SIGNATURE_PAUSE) {
        *verdict = DNSSEC_PAUSE;
        return true;
    }
    if (result != SIGNATURE_LIMIT && result != SIGNATURE_MEMORY)
        return false;
    *verdict =
        validation_limit(validation, result == SIGNATURE_MEMORY ? "out of memory" : "too many signatures or keys");
    return true;
}

static enum dnssec_verdict fail(struct validation *validation, struct rrset *set, const struct failed_check *worst)
{
    set->status = RRSET_BOGUS;
    return validation_bogus(validation, worst->ede_code, worst->what, set->owner, set->type);
}

/* --- RRsets without a signature that counts --- */

static enum dnssec_verdict check_unsigned(struct validation *validation, struct rrset *set,
                                          const struct failed_check *worst)
{
    enum dnssec_verdict verdict = zones_find_insecure(validation, set->owner, set->owner_len, set->type);
    if (verdict == DNSSEC_INSECURE)
        set->status = RRSET_INSECURE;
    if (verdict == DNSSEC_BOGUS)
        set->status = RRSET_BOGUS;
    return verdict == DNSSEC_SECURE ? fail(validation, set, worst) : verdict;
}

/* --- the keys of a zone --- */

/* The keys in the RRset that a DS record or an anchor vouches for. */
static unsigned vouched_keys(const struct validation *validation, const struct rrset *set,
                             const struct zone_key *signers, unsigned signer_count, struct zone_key out[FACT_KEYS])
{
    const struct rrset_record *record = NULL;
    enum { DIGESTS = 64, LONGEST = 2048 };
    unsigned count = 0, digests = 0;
    for (unsigned i = set->first; i != RRSET_NONE && count < FACT_KEYS; i = record->next) {
        record = &validation->sets->record[i];
        struct bytes key = rrset_rdata(validation->wire, record);
        bool found = false;
        if (!dnskey_is_usable(key) || key.len > LONGEST)
            continue;
        for (unsigned k = 0; k < signer_count && !found && digests < DIGESTS; k++) {
            struct bytes signer = signers[k].rdata;
            if (signers[k].tag != dnskey_tag(key))
                continue;
            digests++;
            found = (signer.len == key.len && memcmp(signer.data, key.data, key.len) == 0) ||
                    facts_ds_matches(signer, (struct bytes){set->owner, set->owner_len}, key);
        }
        if (found)
            out[count++] = (struct zone_key){dnskey_tag(key), key.data[DNSKEY_ALGORITHM], key};
    }
    return count;
}

static enum dnssec_verdict check_with(struct validation *validation, struct rrset *set, const struct zone_key *keys,
                                      unsigned key_count, const uint8_t *apex, size_t apex_len, struct signed_set *form,
                                      struct failed_check *worst)
{
    const struct rrset_record *record = NULL;
    enum dnssec_verdict verdict;
    struct signature_work work = {validation->context->verified, &validation->result.checks,
                                  &validation->result.remembered, &validation->spent};
    for (unsigned i = set->first_sig; i != RRSET_NONE; i = record->next) {
        struct signature signature;
        record = &validation->sets->record[i];
        if (!signature_read(validation->wire, record, &signature) || !signature_fits(&signature, set) ||
            signature.signer_len != apex_len || memcmp(signature.signer, apex, apex_len) != 0 ||
            !is_timely(validation, &signature, worst))
            continue;
        enum signature_result result = signature_verify(form, &signature, keys, key_count, &work);
        if (result == SIGNATURE_VALID)
            return accept(validation, set, &signature);
        if (is_over(validation, result, &verdict))
            return verdict;
        note_result(worst, result);
    }
    return DNSSEC_BOGUS;
}

static enum dnssec_verdict check_keys(struct validation *validation, struct rrset *set, struct signed_set *form)
{
    struct failed_check worst = {0, EDE_RRSIGS_MISSING, "no signature of"};
    struct zone_key signers[FACT_KEYS + ANCHOR_RECORDS_MAX], keys[FACT_KEYS];
    unsigned count = 0;
    enum dnssec_verdict verdict = zones_signers(validation, set->owner, set->owner_len, signers, &count);
    if (verdict == DNSSEC_INSECURE)
        set->status = RRSET_INSECURE;
    if (verdict == DNSSEC_BOGUS && validation->result.ede_code == EDE_NONE)
        return check_unsigned(validation, set, &worst);
    if (verdict != DNSSEC_SECURE)
        return verdict;
    count = vouched_keys(validation, set, signers, count, keys);
    if (count == 0) {
        note(&worst, 1, EDE_DNSKEY_MISSING, "no key matches a DS record or trust anchor in");
        return fail(validation, set, &worst);
    }
    verdict = check_with(validation, set, keys, count, set->owner, set->owner_len, form, &worst);
    return verdict == DNSSEC_BOGUS && !validation->result.limited ? fail(validation, set, &worst) : verdict;
}

/* --- other RRsets --- */

/* For each signer in turn, in the order of the first signature by it. *decided: the verdict is final. */
static enum dnssec_verdict check_signers(struct validation *validation, struct rrset *set, const struct anchor *anchor,
                                         struct signed_set *form, struct failed_check *worst, bool *decided)
{
    enum { SIGNERS = 4 };
    uint8_t seen[SIGNERS][NAME_MAX_WIRE];
    size_t seen_len[SIGNERS];
    unsigned count = 0;
    const struct rrset_record *record = NULL;
    *decided = true;
    for (unsigned i = set->first_sig; i != RRSET_NONE; i = record->next) {
        struct signature signature;
        const struct fact *keys;
        bool repeated = false;
        record = &validation->sets->record[i];
        if (!signature_read(validation->wire, record, &signature) || !signature_fits(&signature, set) ||
            !name_is_under(signature.signer, signature.signer_len, anchor->name, anchor->len))
            continue;
        for (unsigned k = 0; k < count && !repeated; k++)
            repeated = seen_len[k] == signature.signer_len && memcmp(seen[k], signature.signer, seen_len[k]) == 0;
        if (repeated)
            continue;
        if (count == SIGNERS)
            return validation_limit(validation, "too many signers");
        seen_len[count] = signature.signer_len;
        memcpy(seen[count++], signature.signer, signature.signer_len);
        enum dnssec_verdict verdict = zones_keys(validation, signature.signer, signature.signer_len, &keys);
        if (keys && verdict == DNSSEC_BOGUS) { /* there is no zone of this name */
            note(worst, 1, EDE_NO_ZONE_KEY, "no keys of the signer of");
            continue;
        }
        if (verdict == DNSSEC_SECURE)
            verdict = check_with(validation, set, keys->keys, keys->count, signature.signer, signature.signer_len, form,
                                 worst);
        if (verdict != DNSSEC_BOGUS || validation->result.limited || !keys) {
            if (verdict == DNSSEC_INSECURE)
                set->status = RRSET_INSECURE;
            if (verdict == DNSSEC_BOGUS)
                set->status = RRSET_BOGUS;
            return verdict;
        }
    }
    /* With the keys of a signer at hand, a signature that does not count makes the RRset bogus. */
    *decided = worst->rank >= RANK_WITH_KEYS;
    return *decided ? fail(validation, set, worst) : DNSSEC_BOGUS;
}

enum dnssec_verdict sets_check(struct validation *validation, struct rrset *set)
{
    static const enum dnssec_verdict verdicts[] = {
        [RRSET_SECURE] = DNSSEC_SECURE, [RRSET_INSECURE] = DNSSEC_INSECURE, [RRSET_BOGUS] = DNSSEC_BOGUS};
    struct failed_check worst = {0, EDE_RRSIGS_MISSING, "no signature of"};
    struct signed_set form = {.wire = validation->wire, .sets = validation->sets, .set = set};
    if (set->status != RRSET_UNCHECKED)
        return verdicts[set->status];
    const struct anchor *anchor = zones_anchor(validation, set->owner, set->owner_len, set->type);
    if (!anchor) {
        set->status = RRSET_INSECURE;
        return DNSSEC_INSECURE;
    }
    bool decided = true;
    enum dnssec_verdict verdict = set->type == TYPE_DNSKEY
                                      ? check_keys(validation, set, &form)
                                      : check_signers(validation, set, anchor, &form, &worst, &decided);
    signed_set_free(&form);
    return decided ? verdict : check_unsigned(validation, set, &worst);
}
