/* SPDX-License-Identifier: MIT */
/* Which zones are signed, and with which keys.
 *
 * Invariant: a fact is used only as far as it says something of the zone itself. A response that an alias led to another
 * zone says nothing (facts.c), so that an attacker cannot make a name insecure by the zone of an alias.
 */
#include <string.h>

#include "inside.h"
#include "wire.h"

/* --- facts --- */

/* The fact; NULL, with the verdict to return: NEED or BOGUS. */
static const struct fact *need(struct validation *validation, const uint8_t *name, size_t len, uint16_t type,
                               enum dnssec_verdict *verdict)
{
    struct dnssec_result *result = &validation->result;
    for (const struct fact *fact = validation->facts; fact; fact = fact->next)
        if (fact->type == type && fact->len == len && memcmp(fact->name, name, len) == 0)
            return fact;
    if (validation->fact_count >= DNSSEC_FACTS) {
        *verdict = validation_limit(validation, "too many zones");
        return NULL;
    }
    if (type == validation->qtype && len == validation->qname_len && memcmp(name, validation->qname, len) == 0) {
        *verdict =
            validation_bogus(validation, EDE_BOGUS, "the response itself would be needed to validate", name, type);
        return NULL;
    }
    memcpy(result->need, name, len);
    result->need_len = (uint8_t)len;
    result->need_type = type;
    *verdict = DNSSEC_NEED;
    return NULL;
}

static enum dnssec_verdict take_reason(struct validation *validation, const struct fact *fact)
{
    validation->result.unsettled |= fact->unsettled;
    validation->result.ede_code = fact->ede_code;
    memcpy(validation->result.ede_text, fact->ede_text, sizeof fact->ede_text);
    return fact->kind == FACT_BOGUS ? DNSSEC_BOGUS : DNSSEC_INSECURE;
}

/* --- anchors --- */

/* The DS of a zone is in its parent zone. */
static size_t owner_skip(const uint8_t *owner, size_t len, uint16_t type)
{
    return type == TYPE_DS && len > 1 ? 1 + (size_t)*owner : 0;
}

/* The closest anchor, positive or negative. NULL: none. */
static const struct anchor *closest(const struct dnssec_context *context, const uint8_t *name, size_t len)
{
    const struct anchor *anchor = anchors_closest(context->anchors, name, len, context->now_ms);
    const struct anchor *more = context->more ? anchors_closest(context->more, name, len, context->now_ms) : NULL;
    return more && (!anchor || more->len >= anchor->len) ? more : anchor;
}

static bool is_positive(const struct dnssec_context *context, const struct anchor *anchor)
{
    return anchor && !anchor->negative &&
           (context->within.len == 0 ||
            name_is_under(anchor->name, anchor->len, context->within.data, context->within.len));
}

const struct anchor *context_anchor(const struct dnssec_context *context, const uint8_t *owner, size_t len,
                                    uint16_t type)
{
    size_t skip = owner_skip(owner, len, type);
    const struct anchor *anchor = closest(context, owner + skip, len - skip);
    return is_positive(context, anchor) ? anchor : NULL;
}

/* A verdict that a negative anchor decides holds until its end. */
static void note_end(struct validation *validation, const struct anchor *negative)
{
    uint64_t left_s = (negative->until_ms - validation->context->now_ms + 999) / 1000;
    if (left_s < validation->result.ends_s)
        validation->result.ends_s = (uint32_t)left_s;
}

const struct anchor *zones_anchor(struct validation *validation, const uint8_t *owner, size_t len, uint16_t type)
{
    const struct dnssec_context *context = validation->context;
    size_t skip = owner_skip(owner, len, type);
    const struct anchor *anchor = closest(context, owner + skip, len - skip);
    if (anchor && anchor->negative && anchor->until_ms)
        note_end(validation, anchor);
    return is_positive(context, anchor) ? anchor : NULL;
}

/* --- keys --- */

enum dnssec_verdict zones_keys(struct validation *validation, const uint8_t *apex, size_t len, const struct fact **out)
{
    enum dnssec_verdict verdict = DNSSEC_SECURE;
    const struct fact *fact = need(validation, apex, len, TYPE_DNSKEY, &verdict);
    *out = NULL;
    if (!fact)
        return verdict;
    switch (fact->kind) {
    case FACT_DATA:
        *out = fact;
        return DNSSEC_SECURE;
    case FACT_NO_CUT:
    case FACT_NO_NAME:
        *out = fact;
        return DNSSEC_BOGUS;
    default:
        return take_reason(validation, fact);
    }
}

static enum dnssec_verdict anchor_signers(const struct anchor *anchor, struct zone_key list[FACT_KEYS], unsigned *count)
{
    unsigned ds = 0, others = 0;
    struct zone_key keys[ANCHOR_RECORDS_MAX];
    int ede_code;
    for (unsigned i = 0; i < anchor->count; i++) {
        struct bytes rdata = anchor->records[i].rdata;
        if (anchor->records[i].type == TYPE_DS)
            list[ds++] = (struct zone_key){read_u16(rdata.data), rdata.data[DS_ALGORITHM], rdata};
        else
            keys[others++] = (struct zone_key){dnskey_tag(rdata), rdata.data[DNSKEY_ALGORITHM], rdata};
    }
    ds = facts_choose_ds(list, ds, &ede_code);
    memcpy(list + ds, keys, others * sizeof *keys);
    *count = ds + others;
    return *count > 0 ? DNSSEC_SECURE : DNSSEC_INSECURE;
}

enum dnssec_verdict zones_signers(struct validation *validation, const uint8_t *apex, size_t len,
                                  struct zone_key list[FACT_KEYS], unsigned *count)
{
    const struct anchor *anchor = zones_anchor(validation, apex, len, TYPE_DNSKEY);
    enum dnssec_verdict verdict = DNSSEC_SECURE;
    *count = 0;
    if (!anchor)
        return DNSSEC_INSECURE;
    if (anchor->len == len)
        return anchor_signers(anchor, list, count);
    const struct fact *fact = need(validation, apex, len, TYPE_DS, &verdict);
    if (!fact)
        return verdict;
    if (fact->kind == FACT_INSECURE || fact->kind == FACT_BOGUS)
        return take_reason(validation, fact);
    if (fact->kind != FACT_DATA)
        return DNSSEC_BOGUS;
    memcpy(list, fact->keys, fact->count * sizeof *list);
    *count = fact->count;
    return DNSSEC_SECURE;
}

/* --- insecure zones --- */

/* Looks at the DS of this name. SECURE: it does not make the names below insecure; *ends: nor does any name
 * below it. */
static enum dnssec_verdict look_at_cut(struct validation *validation, const uint8_t *name, size_t len, bool *ends)
{
    enum dnssec_verdict verdict = DNSSEC_SECURE;
    const struct fact *fact = need(validation, name, len, TYPE_DS, &verdict);
    *ends = false;
    if (!fact)
        return verdict;
    if (fact->kind == FACT_INSECURE || fact->kind == FACT_BOGUS)
        return take_reason(validation, fact);
    *ends = fact->kind == FACT_NO_NAME;
    return DNSSEC_SECURE;
}

/* The owner of a SOA in the authority section is probably the apex of the zone: one query may be enough. It must lie at
 * or above `name` and below the anchor. */
static const struct rrset *guess_apex(const struct validation *validation, const uint8_t *name, size_t len,
                                      const struct anchor *anchor)
{
    const struct rrsets *sets = validation->sets;
    for (unsigned i = 0; i < sets->count; i++) {
        const struct rrset *set = &sets->set[i];
        if (set->section == 1 && set->type == TYPE_SOA && set->owner_len > anchor->len &&
            name_is_under(name, len, set->owner, set->owner_len) &&
            name_is_under(set->owner, set->owner_len, anchor->name, anchor->len))
            return set;
    }
    return NULL;
}

/* From the anchor down. A name with many labels mostly belongs to a zone far above: the response for its own DS then says
 * which. */
static enum dnssec_verdict walk_down(struct validation *validation, const uint8_t *name, size_t len,
                                     const struct anchor *anchor)
{
    enum { DEEP = 5 };
    unsigned labels = name_labels(name), from = name_labels(anchor->name);
    enum dnssec_verdict verdict = DNSSEC_SECURE;
    bool ends = false;
    if (labels > from + DEEP)
        verdict = look_at_cut(validation, name, len, &ends);
    for (unsigned i = from + 1; verdict == DNSSEC_SECURE && !ends && i <= labels; i++) {
        const uint8_t *ancestor = canonical_ancestor(name, i);
        verdict = look_at_cut(validation, ancestor, len - (size_t)(ancestor - name), &ends);
    }
    return verdict;
}

enum dnssec_verdict zones_find_insecure(struct validation *validation, const uint8_t *owner, size_t len, uint16_t type)
{
    const struct anchor *anchor = zones_anchor(validation, owner, len, type);
    size_t skip = owner_skip(owner, len, type);
    bool ends;
    if (!anchor)
        return DNSSEC_INSECURE;
    owner += skip;
    len -= skip;
    const struct rrset *guess = guess_apex(validation, owner, len, anchor);
    if (guess) {
        enum dnssec_verdict verdict = look_at_cut(validation, guess->owner, guess->owner_len, &ends);
        if (verdict != DNSSEC_SECURE)
            return verdict;
    }
    return walk_down(validation, owner, len, anchor);
}
