/* SPDX-License-Identifier: MIT */
/* Trust anchors, positive and negative: where validation begins, and which names are not validated.
 *
 * Does:    holds DS and DNSKEY records of zones, and the names of negative anchors (RFC 7646); finds the anchor that is
 *          closest to a name.
 * Owns:    its memory. A set is filled by one thread, then only read; ref-counted.
 * Threads: see above.
 * RFC:     4033 section 2 (trust anchor), 7646 (negative trust anchors), 5011 section 2 (revoked keys are left out).
 */
#ifndef DOTSTUB_DNSSEC_ANCHORS_H
#define DOTSTUB_DNSSEC_ANCHORS_H

#include <stdatomic.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "dns/name.h"

#define ANCHORS_MAX        1000 /* names */
#define ANCHOR_RECORDS_MAX 16   /* of one name */

struct anchor_record {
    uint16_t type; /* DS or DNSKEY */
    struct bytes rdata;
};

struct anchor {
    uint8_t name[NAME_MAX_WIRE]; /* in lower case */
    uint8_t len;
    bool negative;
    uint64_t until_ms; /* of a negative one: clock_ms; 0: it has no end */
    unsigned count;
    struct anchor_record records[ANCHOR_RECORDS_MAX];
};

struct anchors {
    atomic_uint refs;
    size_t count, room;
    struct anchor *list;
};

/* An empty set. 0 or -ENOMEM. */
int anchors_new(struct anchors **out) MUST_CHECK;
struct anchors *anchors_ref(struct anchors *anchors);
/* NULL does nothing. */
void anchors_unref(struct anchors *anchors);

/* Adds the DS and DNSKEY records of a text in zone-file syntax; a DNSKEY that is revoked or no zone key is left out. 0;
 * -EINVAL with the reason in `why` (ANCHORS_WHY bytes): the text cannot be read, has other records, or none; -E2BIG:
 * too many; -ENOMEM. After an error the set has some of the records. */
#define ANCHORS_WHY 256
int anchors_read(struct anchors *anchors, const char *text, char why[ANCHORS_WHY]) MUST_CHECK;
/* Adds the anchors of the root that are built in, unless the set has one of the root. 0 or -ENOMEM. */
int anchors_add_root(struct anchors *anchors) MUST_CHECK;
/* Adds one record of an anchor; copies it. 0, -E2BIG or -ENOMEM. */
int anchors_add(struct anchors *anchors, const uint8_t *name, size_t len, uint16_t type, struct bytes rdata) MUST_CHECK;
/* Adds a negative anchor. 0, -E2BIG or -ENOMEM. */
int anchors_add_negative(struct anchors *anchors, const uint8_t *name, size_t len, uint64_t until_ms) MUST_CHECK;
/* Adds copies of all anchors of `from`. 0, -E2BIG or -ENOMEM. */
int anchors_copy(struct anchors *anchors, const struct anchors *from) MUST_CHECK;
/* The same without the positive anchor of the root. */
int anchors_copy_below_root(struct anchors *anchors, const struct anchors *from) MUST_CHECK;

/* A digest of the positive anchors, whatever their order; all zero for none. */
void anchors_digest(const struct anchors *anchors, uint8_t out[DIGEST_LEN]);
/* True if both have the same positive anchors. */
bool anchors_agree(const struct anchors *a, const struct anchors *b);
/* The anchor with exactly this name and sign, or NULL. */
const struct anchor *anchors_find(const struct anchors *anchors, const uint8_t *name, size_t len, bool negative);
/* The longest anchor whose name is `name` or above it; of two with one name the negative one. Negative anchors that
 * have ended are skipped. NULL: none. */
const struct anchor *anchors_closest(const struct anchors *anchors, const uint8_t *name, size_t len, uint64_t now_ms);

#endif
