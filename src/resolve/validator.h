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

/* The state of step_validate. */
struct validator {
    struct resolver *resolver;
    uint8_t *room; /* MESSAGE_MAX bytes: copies from the cache; the resolver's room may be in use */
    struct validator_told told[VALIDATOR_TOLD];
    struct timeouts pauses;        /* of lookups whose validation continues in a later turn */
    const struct anchors *anchors; /* of the snapshot; NULL: dnssec.mode is not `validate` */
    struct denials *denials;       /* NULL: none are kept */
    struct verified *verified;     /* NULL: no signature is remembered */
    struct anchors *negatives;     /* a copy of those added at run time; NULL: none */
    unsigned negatives_version;    /* that were copied */
};

/* The validation of one lookup; in memory of its own, from the first response on. */
struct lookup_validation {
    struct validation *validation;
    struct timeout pause; /* runs while it pauses */
    struct lookup *lookup;
    struct lookup_wait wait; /* for the lookup of what it needs */
    bool out_of_memory;
    unsigned checks; /* signatures checked for this lookup, and for those that it waited for */
};

enum { VALIDATE_CHECKS = 64 }; /* the most signatures checked for a lookup */

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

/* --- step_validate.c --- */
struct validator *validator_of(const struct resolver *resolver);

#endif
