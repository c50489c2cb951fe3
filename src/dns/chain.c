/* SPDX-License-Identifier: MIT */
/* A quick test accepts most responses. Others take two passes: the first follows the chain through the records in
 * their order, and ends if there are no other records; the second chooses the records to keep and their order, and
 * rewrites the message.
 *
 * Invariants:
 * - A name is a pointer to a label in the message, or into `made`, which holds names synthesized from a DNAME.
 *   Names with the same address are equal; others are compared label by label, ignoring letter case.
 * - Compared labels are counted, so that CHAIN_WORK bounds the cost of a response.
 */
#include "dns/chain.h"

#include <ldns/ldns.h>
#include <string.h>

#include "base/errors.h"
#include "walk.h"

#define POINTER 0xC0

enum {
    CHAIN_NAMES = 32,    /* names of a chain, the query's included; further CNAMEs are not followed */
    CHAIN_MADE = 8,      /* names synthesized from DNAMEs without their CNAMEs */
    CHAIN_WORK = 100000, /* labels compared for one response; a long label counts as several */
    RECORDS_A_LABEL = 8  /* types of records compared in the time of one label */
};

enum chain_section { ANSWER, AUTHORITY, ADDITIONAL };

struct chain {
    struct rewrite *scratch;
    const uint8_t *wire;
    uint16_t qtype;
    bool dnssec_ok;
    unsigned count, made_count;
    size_t work;
    const uint8_t *name[CHAIN_NAMES];
    uint8_t made[CHAIN_MADE][NAME_MAX_WIRE];
};

/* --- names --- */

/* The first label of a name, after following pointers. */
static const uint8_t *label_at(const struct chain *chain, const uint8_t *name)
{
    while (*name >= POINTER)
        name = chain->wire + (read_u16(name) & (REWRITE_REACH - 1));
    return name;
}

static const uint8_t *parent(const struct chain *chain, const uint8_t *label)
{
    return label_at(chain, label + 1 + *label);
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* True once the response has cost too much: nothing is compared any more, and loops over its records end. */
static bool is_spent(const struct chain *chain)
{
    return chain->work > CHAIN_WORK;
}

static bool same_name(struct chain *chain, const uint8_t *a, const uint8_t *b)
{
    chain->work++;
    for (a = label_at(chain, a), b = label_at(chain, b); a != b; a = parent(chain, a), b = parent(chain, b)) {
        chain->work += 1 + (size_t)*a / 16;
        if (*a != *b || is_spent(chain))
            return false;
        if (*a == 0)
            return true;
        for (unsigned i = 1; i <= *a; i++)
            if (lower(a[i]) != lower(b[i]))
                return false;
    }
    return true;
}

static unsigned count_labels(const struct chain *chain, const uint8_t *name)
{
    unsigned labels = 0;
    for (name = label_at(chain, name); *name; name = parent(chain, name))
        labels++;
    return labels;
}

/* True if `name` is `suffix` or lies below it; *below is the number of labels between them. */
static bool is_under(struct chain *chain, const uint8_t *name, const uint8_t *suffix, unsigned *below)
{
    if (is_spent(chain))
        return false;
    unsigned labels = count_labels(chain, name), suffix_labels = count_labels(chain, suffix);
    chain->work += labels + suffix_labels;
    if (labels < suffix_labels)
        return false;
    *below = labels - suffix_labels;
    name = label_at(chain, name);
    for (unsigned i = 0; i < *below; i++)
        name = parent(chain, name);
    return same_name(chain, name, suffix);
}

static const uint8_t *owner_of(const struct chain *chain, unsigned i)
{
    return chain->wire + chain->scratch->record[i].owner;
}

static const uint8_t *data_of(const struct chain *chain, unsigned i)
{
    return chain->wire + chain->scratch->record[i].fixed + RECORD_RDATA;
}

static uint16_t type_of(const struct chain *chain, unsigned i)
{
    return chain->scratch->record[i].type;
}

/* The type that an RRSIG signs (RFC 4034 section 3.1.1). */
static uint16_t type_signed(const struct chain *chain, unsigned i)
{
    return read_u16(data_of(chain, i));
}

#define RRSIG_SIGNER 18 /* offset in its data */

/* A record that only clients with DO, or with a query for its type, get. */
static bool is_unwanted(const struct chain *chain, unsigned i)
{
    return !chain->dnssec_ok && rewrite_needs_dnssec_ok(type_of(chain, i), chain->qtype);
}

/* --- following the chain --- */

static const uint8_t *current(const struct chain *chain)
{
    return chain->name[chain->count - 1];
}

/* Continues the chain at `target`. False: the chain is too long, or has a loop. */
static bool go_on(struct chain *chain, const uint8_t *target)
{
    for (unsigned i = 0; i < chain->count; i++)
        if (same_name(chain, chain->name[i], target))
            return false;
    if (chain->count == CHAIN_NAMES)
        return false;
    chain->name[chain->count++] = target;
    return true;
}

static bool leads_on(const struct chain *chain, unsigned i)
{
    return type_of(chain, i) == LDNS_RR_TYPE_CNAME && chain->qtype != LDNS_RR_TYPE_CNAME &&
           chain->qtype != LDNS_RR_TYPE_ANY;
}

/* True if the record is a DNAME above the current name of the chain. */
static bool is_dname_above(struct chain *chain, unsigned i, unsigned *below)
{
    return type_of(chain, i) == LDNS_RR_TYPE_DNAME && is_under(chain, current(chain), owner_of(chain, i), below) &&
           *below > 0;
}

/* --- the other sections --- */

static bool is_above_chain(struct chain *chain, const uint8_t *name)
{
    unsigned below;
    for (unsigned i = chain->count; i > 0; i--)
        if (is_under(chain, chain->name[i - 1], name, &below))
            return true;
    return false;
}

static bool is_at_or_below_chain(struct chain *chain, const uint8_t *name)
{
    unsigned below;
    for (unsigned i = 0; i < chain->count; i++)
        if (is_under(chain, name, chain->name[i], &below))
            return true;
    return false;
}

/* The apex of a zone according to an authority record: the owner of a SOA, or the signer of a signature. NULL: the
 * record gives none, or is left out itself. */
static const uint8_t *apex_told(struct chain *chain, unsigned i)
{
    unsigned below;
    if (is_unwanted(chain, i))
        return NULL;
    if (type_of(chain, i) == LDNS_RR_TYPE_SOA)
        return owner_of(chain, i);
    if (type_of(chain, i) != LDNS_RR_TYPE_RRSIG)
        return NULL;
    const uint8_t *signer = data_of(chain, i) + RRSIG_SIGNER;
    return is_under(chain, owner_of(chain, i), signer, &below) ? signer : NULL;
}

/* True if a zone known from the authority section contains `name` and a name of the chain. */
static bool is_in_zone_of_chain(struct chain *chain, const uint8_t *name)
{
    unsigned below;
    unsigned i = chain->scratch->section_start[AUTHORITY], end = chain->scratch->section_start[ADDITIONAL];
    for (; i < end && !is_spent(chain); i++) {
        const uint8_t *apex = apex_told(chain, i);
        chain->work++;
        if (apex && is_under(chain, name, apex, &below) && is_above_chain(chain, apex))
            return true;
    }
    return false;
}

/* A denial of existence or a signature may have any owner in the zone. */
static bool authority_stays(struct chain *chain, unsigned i)
{
    const uint8_t *owner = owner_of(chain, i);
    return is_above_chain(chain, owner) || (type_is_dnssec(type_of(chain, i)) && is_in_zone_of_chain(chain, owner));
}

/* The name in the data of a record whose addresses belong into the additional section; NULL: none. */
static const uint8_t *name_referred_to(const struct chain *chain, unsigned i)
{
    const uint8_t *data = data_of(chain, i);
    switch (type_of(chain, i)) {
    case LDNS_RR_TYPE_NS:
    case LDNS_RR_TYPE_PTR:
        return data;
    case LDNS_RR_TYPE_MX:
    case LDNS_RR_TYPE_KX:
    case LDNS_RR_TYPE_AFSDB:
    case LDNS_RR_TYPE_RT:
    case LDNS_RR_TYPE_SVCB:
    case LDNS_RR_TYPE_HTTPS:
    case LDNS_RR_TYPE_LP:
        return data + 2;
    case LDNS_RR_TYPE_SRV:
        return data + 6;
    case LDNS_RR_TYPE_NAPTR: /* order, preference, three strings, name */
        data += 4;
        for (int strings = 0; strings < 3; strings++)
            data += 1 + *data;
        return data;
    default:
        return NULL;
    }
}

/* True if one of `records` refers to the name. */
static bool is_referred_to(struct chain *chain, const uint8_t *name, const uint16_t *records, unsigned count)
{
    for (unsigned k = 0; k < count && !is_spent(chain); k++) {
        const uint8_t *target = name_referred_to(chain, records[k]);
        chain->work++;
        if (target && same_name(chain, target, name))
            return true;
    }
    return false;
}

/* --- first pass --- */

/* True if the record signs the record before it, or has the same owner. */
static bool is_beside(struct chain *chain, unsigned i)
{
    return i > 0 && type_of(chain, i) == LDNS_RR_TYPE_RRSIG &&
           same_name(chain, owner_of(chain, i), owner_of(chain, i - 1));
}

static bool answers_are_tidy(struct chain *chain)
{
    unsigned below;
    for (unsigned i = 0; i < chain->scratch->section_start[AUTHORITY]; i++) {
        if (is_unwanted(chain, i))
            return false;
        if (same_name(chain, owner_of(chain, i), current(chain))) {
            if (leads_on(chain, i) && !go_on(chain, data_of(chain, i)))
                return false;
        } else if (!is_beside(chain, i) && !is_dname_above(chain, i, &below)) {
            return false;
        }
    }
    return true;
}

static bool others_are_tidy(struct chain *chain)
{
    struct rewrite *scratch = chain->scratch;
    for (unsigned i = scratch->section_start[AUTHORITY]; i < scratch->section_start[ADDITIONAL]; i++)
        if (is_unwanted(chain, i) || !authority_stays(chain, i))
            return false;
    if (scratch->section_start[ADDITIONAL] == scratch->section_start[3])
        return true;
    for (unsigned i = 0; i < scratch->section_start[3]; i++)
        scratch->chosen[i] = (uint16_t)i;
    for (unsigned i = scratch->section_start[ADDITIONAL]; i < scratch->section_start[3]; i++)
        if (is_unwanted(chain, i) || (!is_referred_to(chain, owner_of(chain, i), scratch->chosen, i) &&
                                      !is_at_or_below_chain(chain, owner_of(chain, i))))
            return false;
    return true;
}

/* --- second pass --- */

static void choose(struct chain *chain, enum chain_section section, unsigned i)
{
    rewrite_choose(chain->scratch, section, i);
}

/* True if the record was not chosen yet and has this owner. */
static bool is_left_of(struct chain *chain, unsigned i, const uint8_t *name)
{
    return !chain->scratch->record[i].chosen && !is_unwanted(chain, i) && same_name(chain, owner_of(chain, i), name);
}

/* Chooses the RRset of a name and type, and its signatures. */
static void choose_rrset(struct chain *chain, const uint8_t *name, uint16_t type)
{
    unsigned end = chain->scratch->section_start[AUTHORITY];
    chain->work += end / RECORDS_A_LABEL;
    for (unsigned i = 0; i < end; i++)
        if (type_of(chain, i) == type && is_left_of(chain, i, name))
            choose(chain, ANSWER, i);
    for (unsigned i = 0; i < end; i++)
        if (type_of(chain, i) == LDNS_RR_TYPE_RRSIG && type_signed(chain, i) == type && is_left_of(chain, i, name))
            choose(chain, ANSWER, i);
}

/* Chooses the remaining answer records of one name. Signatures of missing RRsets come last. */
static void choose_name(struct chain *chain, const uint8_t *name)
{
    for (unsigned i = 0; i < chain->scratch->section_start[AUTHORITY] && !is_spent(chain); i++)
        if (type_of(chain, i) != LDNS_RR_TYPE_RRSIG && is_left_of(chain, i, name))
            choose_rrset(chain, name, type_of(chain, i));
    choose_rrset(chain, name, LDNS_RR_TYPE_RRSIG);
}

/* The name that a DNAME synthesizes from the current one: its first labels, followed by the DNAME's target (RFC
 * 6672 section 2.2). NULL: too long. */
static const uint8_t *make_name(struct chain *chain, unsigned dname, unsigned labels)
{
    const uint8_t *label = label_at(chain, current(chain));
    if (chain->made_count == CHAIN_MADE)
        return NULL;
    uint8_t *made = chain->made[chain->made_count];
    struct writer writer = writer_over(made, NAME_MAX_WIRE);
    for (; labels > 0; labels--, label = parent(chain, label))
        writer_bytes(&writer, label, 1 + (size_t)*label);
    for (label = label_at(chain, data_of(chain, dname)); *label; label = parent(chain, label))
        writer_bytes(&writer, label, 1 + (size_t)*label);
    writer_u8(&writer, 0);
    if (writer.failed)
        return NULL;
    chain->made_count++;
    return made;
}

/* The closest DNAME above the current name, with the number of labels between them; if there is none, the number of
 * answer records. */
static unsigned find_dname(struct chain *chain, unsigned *labels)
{
    unsigned end = chain->scratch->section_start[AUTHORITY], found = end, below;
    for (unsigned i = 0; i < end; i++) {
        if (is_dname_above(chain, i, &below) && (found == end || below < *labels)) {
            found = i;
            *labels = below;
        }
    }
    return found;
}

static unsigned find_cname(struct chain *chain)
{
    unsigned end = chain->scratch->section_start[AUTHORITY], i = 0;
    while (i < end && !(leads_on(chain, i) && same_name(chain, owner_of(chain, i), current(chain))))
        i++;
    return i;
}

/* Chooses the CNAME or DNAME of the current name, and returns its target; NULL: the chain ends here. */
static const uint8_t *choose_link(struct chain *chain)
{
    unsigned end = chain->scratch->section_start[AUTHORITY], labels = 0;
    unsigned dname = find_dname(chain, &labels), cname = find_cname(chain);
    if (dname < end)
        choose_rrset(chain, owner_of(chain, dname), LDNS_RR_TYPE_DNAME);
    if (cname < end) {
        choose_rrset(chain, current(chain), LDNS_RR_TYPE_CNAME);
        return data_of(chain, cname);
    }
    return dname < end ? make_name(chain, dname, labels) : NULL;
}

static void choose_answers(struct chain *chain)
{
    const uint8_t *next, *here;
    do {
        here = current(chain);
        next = choose_link(chain);
        choose_name(chain, here);
    } while (next && go_on(chain, next));
}

static void choose_others(struct chain *chain)
{
    struct rewrite *scratch = chain->scratch;
    unsigned end = scratch->section_start[ADDITIONAL];
    for (unsigned i = scratch->section_start[AUTHORITY]; i < end && !is_spent(chain); i++)
        if (!is_unwanted(chain, i) && authority_stays(chain, i))
            choose(chain, AUTHORITY, i);
}

static void choose_additional(struct chain *chain)
{
    struct rewrite *scratch = chain->scratch;
    for (unsigned i = scratch->section_start[ADDITIONAL]; i < scratch->section_start[3]; i++) {
        unsigned chosen =
            scratch->chosen_count[ANSWER] + scratch->chosen_count[AUTHORITY] + scratch->chosen_count[ADDITIONAL];
        if (!is_unwanted(chain, i) && (is_referred_to(chain, owner_of(chain, i), scratch->chosen, chosen) ||
                                       is_at_or_below_chain(chain, owner_of(chain, i))))
            choose(chain, ADDITIONAL, i);
    }
}

static void chain_begin(struct chain *chain)
{
    chain->count = 1;
    chain->name[0] = chain->wire + MESSAGE_HEADER;
    chain->made_count = 0;
    chain->work = 0;
}

/* True if there are only answer records of the queried type, each with a pointer to the name in the Question
 * section as its owner, as in most responses. */
static bool is_plain(const struct answer *answer, uint16_t qtype)
{
    const uint8_t *wire = answer->wire;
    size_t at = message_question_end(answer);
    if (read_u16(wire + LDNS_ANCOUNT_OFF) != answer->ttl_count)
        return false;
    for (unsigned i = 0; i < answer->ttl_count; i++) {
        if (answer->ttl_offsets[i] != at + 2 + RECORD_TTL ||
            read_u32(wire + at) != ((uint32_t)(POINTER << 8 | MESSAGE_HEADER) << 16 | qtype))
            return false;
        at += 2 + RECORD_FIXED;
        at += read_u16(wire + at - 2);
    }
    return true;
}

int chain_tidy(struct answer *answer, uint16_t qtype, bool dnssec_ok, struct rewrite *scratch)
{
    struct chain chain;
    if (answer->ttl_count == 0 || is_plain(answer, qtype))
        return 0;
    chain.scratch = scratch;
    chain.wire = answer->wire;
    chain.qtype = qtype;
    chain.dnssec_ok = dnssec_ok;
    chain_begin(&chain);
    rewrite_list(scratch, answer);
    if (answers_are_tidy(&chain) && others_are_tidy(&chain) && !is_spent(&chain))
        return 0;
    chain_begin(&chain);
    choose_answers(&chain);
    choose_others(&chain);
    if (is_spent(&chain))
        return ERROR_MALFORMED;
    choose_additional(&chain); /* leaves out records that it cannot compare within CHAIN_WORK */
    return rewrite_chosen(scratch, answer);
}
