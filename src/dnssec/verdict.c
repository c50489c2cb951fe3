/* SPDX-License-Identifier: MIT */
/* The verdict on a whole response: the links of its chain, then its data or the proof that there is none.
 *
 * Invariants:
 *   - the verdict is the worst of all parts: one bogus RRset or missing proof makes the response bogus, one insecure one
 *     makes it insecure;
 *   - only RRsets that were checked are `used`; all other records of answer and authority section are left out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dns/records.h"
#include "inside.h"

struct validation *validation_new(const struct key *key)
{
    struct validation *validation = mem_zalloc(1, sizeof *validation);
    if (!validation)
        return NULL;
    memcpy(validation->qname, key->name, key->name_len);
    validation->qname_len = key->name_len;
    validation->qtype = key->type;
    validation->result.ede_code = EDE_NONE;
    validation->result.life_s = validation->result.ends_s = UINT32_MAX;
    return validation;
}

void validation_free(struct validation *validation)
{
    if (!validation)
        return;
    for (struct fact *fact = validation->facts, *next; fact; fact = next) {
        next = fact->next;
        fact_free(fact);
    }
    rrsets_free(validation->sets);
    mem_free(validation);
}

const struct dnssec_result *validation_result(const struct validation *validation)
{
    return &validation->result;
}

int validation_give(struct validation *validation, const uint8_t *name, size_t len, uint16_t type,
                    enum dnssec_verdict verdict, const struct answer *answer, int ede_code, const char *text)
{
    bool usable = answer && verdict != DNSSEC_BOGUS;
    struct fact *fact =
        usable ? fact_new(name, len, type, verdict, answer) : fact_new_bogus(name, len, type, ede_code, text);
    if (!fact)
        return -ENOMEM;
    if (fact->kind == FACT_INSECURE && ede_code != EDE_NONE) {
        fact->ede_code = ede_code;
        fact->unsettled = ede_code == EDE_SIGNATURE_NOT_YET_VALID;
        snprintf(fact->ede_text, sizeof fact->ede_text, "%s", text ? text : "");
    }
    fact->next = validation->facts;
    validation->facts = fact;
    validation->result.memory += fact_bytes(fact);
    validation->fact_count++;
    return 0;
}

/* Signatures are not signed. */
static bool cannot_be_validated(const struct validation *validation)
{
    return validation->qtype == TYPE_RRSIG;
}

bool validation_keeps(const struct validation *validation, unsigned i)
{
    const struct rrsets *sets = validation->sets;
    if (cannot_be_validated(validation))
        return true;
    if (!sets || i >= sets->record_count)
        return false;
    unsigned set = sets->record[i].set;
    return set < RRSETS_MAX && sets->set[set].used;
}

/* --- reasons --- */

enum dnssec_verdict validation_bogus(struct validation *validation, int ede_code, const char *what, const uint8_t *name,
                                     uint16_t type)
{
    char text[NAME_MAX_TEXT], type_text[TYPE_TEXT];
    validation->result.ede_code = ede_code;
    snprintf(validation->result.ede_text, sizeof validation->result.ede_text, "%s %.100s %s", what,
             name_text(name, text), records_type_text(type, type_text));
    return DNSSEC_BOGUS;
}

enum dnssec_verdict validation_limit(struct validation *validation, const char *what)
{
    validation->result.limited = true;
    return validation_bogus(validation, EDE_BOGUS, what, validation->qname, validation->qtype);
}

/* --- combining verdicts --- */

/* NEED ends a step at once; the others are combined. */
static enum dnssec_verdict worse(enum dnssec_verdict a, enum dnssec_verdict b)
{
    return a > b ? a : b;
}

static enum dnssec_verdict use(struct validation *validation, struct rrset *set)
{
    set->used = true;
    return sets_check(validation, set);
}

/* --- proofs --- */

/* Checks the NSEC and NSEC3 RRsets, and with `soa` the SOA, of the authority section. NEED, BOGUS or SECURE: all have
 * been checked, and each may be secure or insecure. */
static enum dnssec_verdict check_authority(struct validation *validation, bool soa)
{
    struct rrsets *sets = validation->sets;
    for (unsigned i = 0; i < sets->count; i++) {
        struct rrset *set = &sets->set[i];
        bool wanted = set->type == TYPE_NSEC || set->type == TYPE_NSEC3 || (soa && set->type == TYPE_SOA);
        if (set->section != 1 || !wanted)
            continue;
        enum dnssec_verdict verdict = use(validation, set);
        if (dnssec_is_open(verdict) || verdict == DNSSEC_BOGUS)
            return verdict;
    }
    return DNSSEC_SECURE;
}

/* The apex of the lowest zone with a secure NSEC or NSEC3 RRset at or above `name`, for a DS above it. NULL: none. */
static const uint8_t *find_apex(const struct validation *validation, const uint8_t *name, size_t len, uint16_t type,
                                size_t *apex_len)
{
    const struct rrsets *sets = validation->sets;
    const uint8_t *best = NULL;
    for (unsigned i = 0; i < sets->count; i++) {
        const struct rrset *set = &sets->set[i];
        if (set->section != 1 || set->status != RRSET_SECURE || (set->type != TYPE_NSEC && set->type != TYPE_NSEC3))
            continue;
        const uint8_t *apex = canonical_ancestor(set->owner, set->apex_labels);
        size_t bytes = set->owner_len - (size_t)(apex - set->owner);
        if (!name_is_under(name, len, apex, bytes) || (type == TYPE_DS && len > 1 && bytes == len))
            continue;
        if (!best || bytes > *apex_len) {
            best = apex;
            *apex_len = bytes;
        }
    }
    return best;
}

static enum dnssec_verdict take_denial(struct validation *validation, enum denial denial, bool many_iterations)
{
    struct dnssec_result *result = &validation->result;
    switch (denial) {
    case DENIAL_PROVEN:
        return DNSSEC_SECURE;
    case DENIAL_OPT_OUT:
        return DNSSEC_INSECURE;
    case DENIAL_LIMIT:
        return validation_limit(validation, "too many hashes of NSEC3 for");
    default:
        if (!many_iterations)
            return DNSSEC_BOGUS;
        result->ede_code = EDE_NSEC3_ITERATIONS;
        snprintf(result->ede_text, sizeof result->ede_text, "too many NSEC3 iterations");
        return DNSSEC_INSECURE;
    }
}

/* Proves a negative response for the last name of the chain. */
static enum dnssec_verdict check_denial(struct validation *validation, const uint8_t *name, size_t len)
{
    size_t apex_len = 0;
    enum dnssec_verdict verdict = check_authority(validation, true);
    if (verdict != DNSSEC_SECURE)
        return verdict;
    const uint8_t *apex = find_apex(validation, name, len, validation->qtype, &apex_len);
    if (apex) {
        struct denial_proof *proof = validation->proof;
        denial_collect(proof, validation->sets, validation->wire, apex, apex_len, &validation->hashes);
        enum denial denial = denial_check(proof, name, len, validation->qtype, validation->rcode == RCODE_NXDOMAIN);
        verdict = take_denial(validation, denial, proof->many_iterations);
        if (verdict != DNSSEC_BOGUS || validation->result.limited)
            return verdict;
    }
    verdict = zones_find_insecure(validation, name, len, validation->qtype);
    if (verdict != DNSSEC_SECURE)
        return verdict;
    return validation_bogus(validation, EDE_NSEC_MISSING, "no proof that there is no", name, validation->qtype);
}

/* Proves that no name is closer to the owner than the wildcard that it was expanded from. */
static enum dnssec_verdict check_expansion(struct validation *validation, const struct rrset *set)
{
    enum dnssec_verdict verdict = check_authority(validation, false);
    if (verdict != DNSSEC_SECURE)
        return verdict;
    struct denial_proof *proof = validation->proof;
    const uint8_t *apex = canonical_ancestor(set->owner, set->apex_labels);
    denial_collect(proof, validation->sets, validation->wire, apex, set->owner_len - (size_t)(apex - set->owner),
                   &validation->hashes);
    enum denial denial = denial_check_wildcard(proof, set->owner, set->owner_len, set->from_labels);
    verdict = take_denial(validation, denial, proof->many_iterations);
    if (verdict != DNSSEC_BOGUS || validation->result.limited)
        return verdict;
    return validation_bogus(validation, EDE_NSEC_MISSING, "no proof of the wildcard of", set->owner, set->type);
}

static enum dnssec_verdict check_data(struct validation *validation, struct rrset *set)
{
    enum dnssec_verdict verdict = use(validation, set);
    if (verdict == DNSSEC_SECURE && set->from_labels < set->labels && signature_owner_labels(set) > set->from_labels)
        verdict = check_expansion(validation, set);
    return verdict;
}

/* --- the chain --- */

struct chain_link {
    uint8_t name[NAME_MAX_WIRE];
    size_t len;
};

static size_t target_of(const struct validation *validation, const struct rrset *set, uint8_t out[NAME_MAX_WIRE])
{
    const struct rrset_record *record = &validation->sets->record[set->first];
    return canonical_name(validation->wire, (size_t)record->fixed + 10, out);
}

/* The lowest DNAME above the name. */
static struct rrset *find_dname(struct validation *validation, const struct chain_link *link)
{
    struct rrset *best = NULL;
    for (unsigned i = 0; i < validation->sets->count; i++) {
        struct rrset *set = &validation->sets->set[i];
        if (set->section == 0 && set->type == TYPE_DNAME && set->owner_len < link->len &&
            name_is_under(link->name, link->len, set->owner, set->owner_len) &&
            (!best || set->owner_len > best->owner_len))
            best = set;
    }
    return best;
}

/* RFC 6672 section 2.2. False: the new name is too long. */
static bool substitute(const struct validation *validation, const struct rrset *dname, const struct chain_link *from,
                       struct chain_link *to)
{
    uint8_t target[NAME_MAX_WIRE];
    size_t prefix = from->len - dname->owner_len, len = target_of(validation, dname, target);
    if (prefix + len > NAME_MAX_WIRE)
        return false;
    uint8_t name[NAME_MAX_WIRE];
    memcpy(name, from->name, prefix);
    memcpy(name + prefix, target, len);
    memcpy(to->name, name, prefix + len);
    to->len = prefix + len;
    return true;
}

enum chain_step { STEP_ON, STEP_END, STEP_OVERFLOW };

/* Follows a DNAME; the CNAME that a server made of it needs no signature. */
static enum dnssec_verdict follow_dname(struct validation *validation, struct rrset *dname, struct chain_link *link,
                                        enum chain_step *step)
{
    struct chain_link to = {.len = 0};
    struct rrset *cname = rrsets_find(validation->sets, 0, link->name, link->len, TYPE_CNAME);
    enum dnssec_verdict verdict = check_data(validation, dname);
    if (dnssec_is_open(verdict) || verdict == DNSSEC_BOGUS)
        return verdict;
    if (dname->count != 1)
        return validation_bogus(validation, EDE_BOGUS, "several records of", dname->owner, dname->type);
    if (!substitute(validation, dname, link, &to)) {
        *step = STEP_OVERFLOW;
        return verdict;
    }
    if (cname) {
        uint8_t target[NAME_MAX_WIRE];
        size_t len = target_of(validation, cname, target);
        cname->used = true;
        if (cname->count != 1 || len != to.len || memcmp(target, to.name, len) != 0)
            return validation_bogus(validation, EDE_BOGUS, "not made of the DNAME above it:", cname->owner,
                                    cname->type);
    }
    *link = to;
    return verdict;
}

/* Goes from one name of the chain to the next. */
static enum dnssec_verdict follow(struct validation *validation, struct chain_link *link, enum chain_step *step)
{
    struct rrset *dname = find_dname(validation, link);
    *step = STEP_ON;
    if (dname)
        return follow_dname(validation, dname, link, step);
    struct rrset *cname = rrsets_find(validation->sets, 0, link->name, link->len, TYPE_CNAME);
    if (!cname || validation->qtype == TYPE_CNAME || validation->qtype == TYPE_ANY) {
        *step = STEP_END;
        return DNSSEC_SECURE;
    }
    enum dnssec_verdict verdict = check_data(validation, cname);
    if (dnssec_is_open(verdict) || verdict == DNSSEC_BOGUS)
        return verdict;
    if (cname->count != 1)
        return validation_bogus(validation, EDE_BOGUS, "several records of", cname->owner, cname->type);
    link->len = target_of(validation, cname, link->name);
    return verdict;
}

/* RFC 4035 section 3.2.3: of ANY all RRsets are checked; which are missing cannot be known. NEED, or the worst; *found:
 * there is one. */
static enum dnssec_verdict check_any(struct validation *validation, const struct chain_link *link, bool *found)
{
    enum dnssec_verdict verdict = DNSSEC_SECURE;
    *found = false;
    for (unsigned i = 0; i < validation->sets->count; i++) {
        struct rrset *set = &validation->sets->set[i];
        if (set->section != 0 || set->owner_len != link->len || memcmp(set->owner, link->name, link->len) != 0)
            continue;
        enum dnssec_verdict one = check_data(validation, set);
        if (dnssec_is_open(one))
            return one;
        *found = true;
        verdict = worse(verdict, one);
    }
    return verdict;
}

/* The end of the chain. An RCODE is of its last name (RFC 6604 section 3). */
static enum dnssec_verdict check_end(struct validation *validation, const struct chain_link *link, enum chain_step step)
{
    struct rrset *set = rrsets_find(validation->sets, 0, link->name, link->len, validation->qtype);
    enum dnssec_verdict verdict = DNSSEC_SECURE;
    bool any = false;
    if (validation->qtype == TYPE_ANY && dnssec_is_open(verdict = check_any(validation, link, &any)))
        return verdict;
    if (step == STEP_OVERFLOW)
        return validation->rcode == RCODE_YXDOMAIN
                   ? DNSSEC_SECURE
                   : validation_bogus(validation, EDE_BOGUS, "too long after a DNAME:", link->name, validation->qtype);
    if (!set && !any && validation->rcode != RCODE_YXDOMAIN)
        return check_denial(validation, link->name, link->len);
    if (set)
        verdict = check_data(validation, set);
    else if (!any)
        verdict = zones_find_insecure(validation, link->name, link->len, validation->qtype);
    if (verdict == DNSSEC_SECURE && validation->rcode != RCODE_NOERROR)
        return validation_bogus(validation, EDE_BOGUS, "an RCODE that contradicts", link->name, validation->qtype);
    return verdict;
}

static enum dnssec_verdict check_chain(struct validation *validation)
{
    struct chain_link link = {.len = validation->qname_len};
    enum dnssec_verdict verdict = DNSSEC_SECURE;
    enum chain_step step = STEP_ON;
    memcpy(link.name, validation->qname, link.len);
    for (unsigned links = 0; step == STEP_ON; links++) {
        if (links == DNSSEC_LINKS)
            return validation_limit(validation, "too many aliases from");
        bool found = rrsets_find(validation->sets, 0, link.name, link.len, validation->qtype);
        bool made = found && validation->qtype == TYPE_CNAME && find_dname(validation, &link);
        if (found && !made)
            break;
        enum dnssec_verdict one = follow(validation, &link, &step);
        if (made && !dnssec_is_open(one) && step == STEP_ON)
            return validation->rcode == RCODE_NOERROR ? worse(verdict, one) : DNSSEC_BOGUS;
        if (dnssec_is_open(one))
            return one;
        verdict = worse(verdict, one);
        if (verdict == DNSSEC_BOGUS)
            return verdict;
    }
    enum dnssec_verdict end = check_end(validation, &link, step);
    return dnssec_is_open(end) ? end : worse(verdict, end);
}

/* Records of an insecure zone beside a proof are no part of it, and a secure response must not have any. */
static void leave_insecure_out(struct validation *validation)
{
    for (unsigned i = 0; i < validation->sets->count; i++)
        if (validation->sets->set[i].status == RRSET_INSECURE)
            validation->sets->set[i].used = false;
}

enum dnssec_verdict validation_run(struct validation *validation, const struct answer *answer,
                                   const struct dnssec_context *context)
{
    struct denial_proof proof;
    validation->wire = answer->wire;
    validation->rcode = answer->rcode;
    validation->context = context;
    validation->proof = &proof;
    validation->result.ede_code = EDE_NONE;
    validation->result.ede_text[0] = 0;
    validation->spent = 0;
    if (!validation->sets) {
        if (rrsets_new(&validation->sets, answer) < 0)
            return validation_limit(validation, "too many RRsets in the response for");
        validation->result.memory += rrsets_bytes(validation->sets);
    }
    if (cannot_be_validated(validation))
        return DNSSEC_INSECURE;
    enum dnssec_verdict verdict = check_chain(validation);
    if (verdict == DNSSEC_BOGUS)
        validation->result.life_s = UINT32_MAX;
    if (verdict == DNSSEC_SECURE)
        leave_insecure_out(validation);
    return verdict;
}
