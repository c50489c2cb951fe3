/* SPDX-License-Identifier: MIT */
/* The verification of the signatures of one RRset.
 *
 * RFC:     4034 section 3, 4035 section 5.3, 6840.
 */
#ifndef DOTSTUB_DNSSEC_SIGNATURE_H
#define DOTSTUB_DNSSEC_SIGNATURE_H

#include "dnssec/verified.h"
#include "rrsets.h"

enum {
    SIGNATURE_CHECKS = 16,    /* for one response (CVE-2023-50387) */
    SIGNATURE_COLLISIONS = 4, /* keys of one tag and algorithm that are tried for a signature */
    SIGNATURE_STEP = 24,      /* the cost of one step, about a millisecond */
    SIGNED_MAX = 256 * 1024,  /* bytes of a RRset in canonical form */
    SKEW_LEAST = 60,
    SKEW_MOST = 86400, /* seconds */
};

/* A RRSIG record. */
struct signature {
    uint8_t algorithm, labels;
    uint32_t ttl, expiration, inception;
    uint16_t tag;
    uint8_t signer[NAME_MAX_WIRE]; /* in lower case */
    uint8_t signer_len;
    struct bytes rdata, raw; /* the whole data; the signature itself */
};
/* False: the record is too short. */
bool signature_read(const uint8_t *wire, const struct rrset_record *record, struct signature *out) MUST_CHECK;

enum signature_time { TIME_VALID, TIME_EXPIRED, TIME_NOT_YET };
/* With a tolerance of a tenth of the validity, within SKEW_LEAST and SKEW_MOST. */
enum signature_time signature_time(const struct signature *signature, int64_t now_s);
/* The seconds for which data with this signature may be kept; more than 0 while signature_time says TIME_VALID. */
uint32_t signature_life(const struct signature *signature, int64_t now_s);
/* True if its labels and signer fit the RRset: the signer is at or above the owner, for a DS above it, for a DNSKEY the
 * owner; types that belong to one name are not expanded from a wildcard. */
bool signature_fits(const struct signature *signature, const struct rrset *set);
/* The labels of an owner that a signature counts: without a first label "*" (RFC 4034 section 3.1.3). */
unsigned signature_owner_labels(const struct rrset *set);

/* A key of a zone. */
struct zone_key {
    uint16_t tag;
    uint8_t algorithm;
    struct bytes rdata;
};

enum signature_result {
    SIGNATURE_VALID,
    SIGNATURE_WRONG,
    SIGNATURE_NO_KEY,
    SIGNATURE_UNSUPPORTED, /* the algorithm */
    SIGNATURE_LIMIT,       /* too much work */
    SIGNATURE_PAUSE,       /* SIGNATURE_STEP was reached */
    SIGNATURE_MEMORY,
};

/* A RRset in canonical form, made at its first use. */
struct signed_set {
    const uint8_t *wire;
    const struct rrsets *sets;
    struct rrset *set;
    unsigned pair;       /* signatures with a key that were looked at, in their order */
    struct buffer rdata; /* the data of all records, one after the other */
    struct signed_record *order;
    unsigned count;
};
/* Frees it; one whose members behind `set` are zeroed may be freed, too. */
void signed_set_free(struct signed_set *set);
/* The work of a response. */
struct signature_work {
    struct verified *verified; /* signatures that were verified before cost nothing; NULL: none are remembered */
    unsigned *checks, *remembered, *spent;
};
/* Verifies with the keys that have its tag and algorithm. Each attempt adds 1 to *checks, and its cost to *spent. After
 * SIGNATURE_PAUSE call it again for the same signatures in the same order, with a new signed_set. */
enum signature_result signature_verify(struct signed_set *set, const struct signature *signature,
                                       const struct zone_key *keys, unsigned key_count, struct signature_work *work);

#endif
