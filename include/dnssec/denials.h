/* SPDX-License-Identifier: MIT */
/* The denial cache: NSEC and NSEC3 records of validated responses, and negative responses made of them.
 *
 * Does:    keeps the records of each zone in canonical order, with the zone's SOA; finds those that deny a name or a type,
 *          as a server of the zone would send them. NSEC3 records with opt-out are not kept. Records of RFC 9824 deny
 *          their own name only.
 * Owns:    copies of the records, within a limit: the records that were used least recently are dropped.
 * Threads: one at a time.
 * RFC:     8198, 9077 (life), 6840 section 4.1 (delegations, DNAME), 5155, 9276, 9824.
 */
#ifndef DOTSTUB_DNSSEC_DENIALS_H
#define DOTSTUB_DNSSEC_DENIALS_H

#include "dnssec/validation.h"

struct denials;

/* A cache of at most `bytes`. 0 or -ENOMEM. */
int denials_new(struct denials **out, size_t bytes) MUST_CHECK;
/* NULL does nothing. */
void denials_free(struct denials *denials);
/* Drops all records. */
void denials_clear(struct denials *denials);

/* Decides about a record besides the record itself. */
struct denials_context {
    uint32_t group;  /* of the key: groups are independent */
    uint64_t epoch;  /* cache_epoch: records of an earlier one are dropped */
    uint64_t now_ms; /* clock_ms */
    uint32_t most_s; /* the longest life of a record, seconds */
};

/* Keeps the secure NSEC and NSEC3 records of a response that the validation has judged SECURE, as far as the response has
 * the secure SOA of their zone. Without memory it keeps less. Returns the number of records that were added or renewed. */
unsigned denials_learn(struct denials *denials, const struct validation *validation, const struct answer *answer,
                       const struct denials_context *context);

/* Makes the response that denies the key, if the records prove it and an anchor of `trust` is at or above their zone: the
 * header (QR, RA, RCODE), the Question section, SOA, and with DO in the key the records and signatures, at most
 * MESSAGE_MAX bytes. Returns its length; 0: nothing denies the key, or the key has CD. */
size_t denials_answer(struct denials *denials, const struct key *key, const struct dnssec_context *trust,
                      const struct denials_context *context, uint8_t out[MESSAGE_MAX]);

struct denials_stats {
    size_t bytes, most; /* in use; the limit */
    uint64_t zones, records, evicted;
};
/* The evicted ones are those dropped for lack of room. */
struct denials_stats denials_stats(const struct denials *denials);

#endif
