/* SPDX-License-Identifier: MIT */
/* Proofs by NSEC records (RFC 4035 section 5.4, RFC 9824). */
#include <string.h>

#include "denial.h"
#include "dns/codes.h"
#include "wire.h"

bool nsec_read(const struct rrset *set, const struct rrsets *sets, const uint8_t *wire, struct denial_nsec *out)
{
    if (set->count != 1)
        return false;
    struct bytes rdata = rrset_rdata(wire, &sets->record[set->first]);
    size_t at = (size_t)(rdata.data - wire), end = canonical_name_end(wire, at) - at;
    if (rdata.len == 0 || end > rdata.len)
        return false;
    out->set = set;
    canonical_name(wire, at, out->next);
    out->types = (struct bytes){rdata.data + end, rdata.len - end};
    return true;
}

/* The statement of a record about a name that is not its owner. */
enum nsec_span {
    SPAN_OUTSIDE, /* nothing */
    SPAN_EMPTY,   /* the name exists as an empty non-terminal: a name below it exists */
    SPAN_DENIED,  /* the name does not exist */
};

/* The last record of a zone has the apex as its next name. */
static enum nsec_span span_of(const struct denial_proof *proof, const struct denial_nsec *nsec, const uint8_t *name,
                              size_t len)
{
    const uint8_t *owner = nsec->set->owner;
    size_t next_len = canonical_len(nsec->next);
    if (canonical_compare(owner, name) >= 0)
        return SPAN_OUTSIDE;
    bool last = next_len == proof->apex_len && memcmp(nsec->next, proof->apex, next_len) == 0;
    if (!last && (canonical_compare(name, nsec->next) >= 0 ||
                  !name_is_under(nsec->next, next_len, proof->apex, proof->apex_len)))
        return SPAN_OUTSIDE;
    if (name_is_under(name, len, owner, nsec->set->owner_len) && denial_ends_zone(nsec->types))
        return SPAN_OUTSIDE;
    return name_is_under(nsec->next, next_len, name, len) ? SPAN_EMPTY : SPAN_DENIED;
}

static const struct denial_nsec *match(const struct denial_proof *proof, const uint8_t *name, size_t len)
{
    for (unsigned i = 0; i < proof->nsec_count; i++) {
        const struct rrset *set = proof->nsec[i].set;
        if (set->owner_len == len && memcmp(set->owner, name, len) == 0)
            return &proof->nsec[i];
    }
    return NULL;
}

static const struct denial_nsec *cover(const struct denial_proof *proof, const uint8_t *name, size_t len,
                                       enum nsec_span *span)
{
    *span = SPAN_OUTSIDE;
    for (unsigned i = 0; i < proof->nsec_count && *span == SPAN_OUTSIDE; i++) {
        *span = span_of(proof, &proof->nsec[i], name, len);
        if (*span != SPAN_OUTSIDE)
            return &proof->nsec[i];
    }
    return NULL;
}

/* The labels of the longest ancestor of a denied name that exists. */
static unsigned encloser_of(const struct denial_nsec *nsec, const uint8_t *name)
{
    unsigned before = canonical_common(name, nsec->set->owner), after = canonical_common(name, nsec->next);
    return before > after ? before : after;
}

static enum denial proven_if(bool proven)
{
    return proven ? DENIAL_PROVEN : DENIAL_NONE;
}

/* RFC 9824 section 2: the type NXNAME says that the owner does not exist. */
static enum denial check_match(const struct denial_nsec *nsec, size_t len, uint16_t type, bool nxdomain)
{
    if (bitmap_has(nsec->types, TYPE_NXNAME))
        return proven_if(!bitmap_has(nsec->types, type) || type == TYPE_NSEC || type == TYPE_RRSIG ||
                         type == TYPE_NXNAME);
    return proven_if(!nxdomain && denial_is_nodata(nsec->types, type, len == 1));
}

/* The name itself is denied: the wildcard that could have matched must be, too. */
static enum denial check_source(const struct denial_proof *proof, const uint8_t *name, size_t len, unsigned labels,
                                uint16_t type, bool nxdomain)
{
    uint8_t wildcard[NAME_MAX_WIRE];
    enum nsec_span span;
    size_t wildcard_len = denial_wildcard(name, len, labels, wildcard);
    if (wildcard_len == 0)
        return proven_if(nxdomain);
    const struct denial_nsec *matching = match(proof, wildcard, wildcard_len);
    if (matching)
        return proven_if(!nxdomain && denial_is_nodata(matching->types, type, false));
    (void)cover(proof, wildcard, wildcard_len, &span);
    return proven_if(span == (nxdomain ? SPAN_DENIED : SPAN_EMPTY));
}

enum denial nsec_check(const struct denial_proof *proof, const uint8_t *name, size_t len, uint16_t type, bool nxdomain)
{
    const struct denial_nsec *nsec = match(proof, name, len);
    enum nsec_span span;
    if (nsec)
        return check_match(nsec, len, type, nxdomain);
    nsec = cover(proof, name, len, &span);
    if (!nsec)
        return DENIAL_NONE;
    if (span == SPAN_EMPTY)
        return proven_if(!nxdomain);
    return check_source(proof, name, len, encloser_of(nsec, name), type, nxdomain);
}

enum denial nsec_check_wildcard(const struct denial_proof *proof, const uint8_t *name, size_t len, unsigned from_labels)
{
    enum nsec_span span;
    const struct denial_nsec *nsec = cover(proof, name, len, &span);
    return proven_if(span == SPAN_DENIED && encloser_of(nsec, name) <= from_labels);
}
