/* SPDX-License-Identifier: MIT */
/* The validation of lookups: the worker's part, and that of each lookup.
 *
 * RFC:     4033, 4035 sections 3.2 and 4.
 */
#ifndef DOTSTUB_RESOLVE_VALIDATOR_H
#define DOTSTUB_RESOLVE_VALIDATOR_H

#include "dnssec/denials.h"
#include "dnssec/validation.h"
#include "lookup.h"

enum { VALIDATOR_TOLD = 64, VALIDATOR_TOLD_MS = 3600000 };
/* A zone that was logged as bogus, and is not logged again until then. */
struct validator_told {
    uint64_t hash, until_ms;
};

enum { VALIDATOR_REPORTS = 64, VALIDATOR_REPORTED_MS = 60000, VALIDATOR_REPORTS_A_SECOND = 5 };
/* Reports of bogus data (reporting.c). */
struct validator_reports {
    uint64_t second; /* that `sent` is of */
    unsigned sent;
    struct validator_told sent_to[VALIDATOR_REPORTS]; /* reports that are not sent again until then */
};

/* The state of step_validate. */
struct validator {
    struct resolver *resolver;
    uint8_t *room; /* MESSAGE_MAX bytes: copies from the cache; the resolver's room may be in use */
    struct validator_told told[VALIDATOR_TOLD];
    struct validator_reports reports;
    struct timeouts pauses;        /* of lookups whose validation continues in a later turn */
    const struct anchors *anchors; /* of the snapshot; NULL: dnssec.mode is not `validate` */
    struct denials *denials;       /* NULL: none are kept */
    struct verified *verified;     /* NULL: no signature is remembered */
    struct anchors *negatives;     /* a copy of those added at run time; NULL: none */
    unsigned negatives_version;    /* that were copied */
    size_t held;                   /* bytes that waiting validations hold, with their responses */
};

/* The validation of one lookup; in memory of its own, from the first response on. */
struct lookup_validation {
    struct validation *validation;
    struct timeout pause; /* runs while it pauses */
    struct lookup *lookup;
    struct lookup_wait wait;         /* for the lookup of what it needs */
    bool out_of_memory, over_memory; /* an allocation failed; VALIDATE_HELD is reached */
    unsigned checks;                 /* signatures checked for this lookup, and for those that it waited for */
    size_t held;                     /* its part of the validator's */
};

enum {
    VALIDATE_CHECKS = 64,             /* the most signatures checked for a lookup */
    VALIDATE_HELD = 32 * 1024 * 1024, /* the most bytes that waiting validations of a worker hold */
    VALIDATE_LARGE = 16 * 1024,       /* those that hold more may use a quarter of it: others still find room */
};

/* --- validate.c --- */
/* A validation continues. */
void validate_resume(struct timeout *pause);

/* The context of validation for data of this key. */
struct dnssec_context validate_context(const struct resolver *resolver, const struct key *key);

/* --- negatives.c --- */
/* The negative anchors that were added at run time; NULL: none. Valid until the next call. */
const struct anchors *negatives_of(struct validator *validator);

/* --- denied.c --- */
/* Keeps the proofs of a secure response for other names. */
void denied_learn(struct lookup *lookup);
/* True: cached proofs deny the key, and *out is the response, in the validator's room, with DNSSEC records if the key has
 * DO. */
bool denied_find(struct resolver *resolver, const struct key *key, struct answer *out);

/* --- reporting.c --- */
/* Reports to the agent of the response that it is bogus, if that is wanted. */
void reporting_bogus(struct lookup *lookup, unsigned ede_code);
/* The name of a report: _er.QTYPE.QNAME.CODE._er.AGENT. Its length; 0: it would be too long, or the name must not be reported. */
size_t reporting_name(uint8_t out[NAME_MAX_WIRE], struct bytes qname, uint16_t qtype, unsigned ede_code,
                      struct bytes agent);

/* --- step_validate.c --- */
struct validator *validator_of(const struct resolver *resolver);

#endif
