/* SPDX-License-Identifier: MIT */
/* Private to the files of a validation. */
#ifndef DOTSTUB_DNSSEC_INSIDE_H
#define DOTSTUB_DNSSEC_INSIDE_H

#include "denial.h"
#include "facts.h"

struct validation {
    struct dnssec_result result;
    uint8_t qname[NAME_MAX_WIRE];
    uint8_t qname_len;
    uint16_t qtype;
    struct fact *facts;
    unsigned fact_count;
    struct rrsets *sets; /* NULL before the first step */
    unsigned hashes;
    unsigned spent; /* in this step, see signature.h */
    /* Valid during a step: */
    const uint8_t *wire;
    uint16_t rcode;
    const struct dnssec_context *context;
    struct denial_proof *proof; /* room */
};

/* Notes the reason and returns BOGUS; `format` gets the texts of name and type. */
enum dnssec_verdict validation_bogus(struct validation *validation, int ede_code, const char *what, const uint8_t *name,
                                     uint16_t type);
enum dnssec_verdict validation_limit(struct validation *validation, const char *what);

/* --- zones.c --- */

/* As zones_anchor, without a validation. */
const struct anchor *context_anchor(const struct dnssec_context *context, const uint8_t *owner, size_t len,
                                    uint16_t type);
/* The anchor that decides about data of this owner and type; NULL: none does, so the data is insecure. */
const struct anchor *zones_anchor(struct validation *validation, const uint8_t *owner, size_t len, uint16_t type);
/* SECURE: *out has the keys of the zone. INSECURE: the zone is. BOGUS: the keys are bogus, and the reason is noted; or
 * there is no zone of this name, and *out is set to a fact without keys. */
enum dnssec_verdict zones_keys(struct validation *validation, const uint8_t *apex, size_t len, const struct fact **out);
/* Whether the zone that would hold data of this owner and type is insecure: INSECURE, NEED, BOGUS with a reason noted,
 * or SECURE: it is proven that the data must be signed. */
enum dnssec_verdict zones_find_insecure(struct validation *validation, const uint8_t *owner, size_t len, uint16_t type);
/* Supplies the DS records (from the parent, or an anchor) that sign the keys of a zone. As zones_keys. */
enum dnssec_verdict zones_signers(struct validation *validation, const uint8_t *apex, size_t len,
                                  struct zone_key list[FACT_KEYS], unsigned *count);

/* --- sets.c --- */

/* Checks one RRset, unless that was done. */
enum dnssec_verdict sets_check(struct validation *validation, struct rrset *set);

#endif
