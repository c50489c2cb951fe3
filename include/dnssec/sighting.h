/* SPDX-License-Identifier: MIT */
/* A sighting: the root's DNSKEY RRset as it was received once, with the signatures that its own keys made of it.
 *
 * Does:    reads a response, or a saved sighting, which is a message in wire form with only that RRset. Each key signature is
 *          verified, so a sighting that was saved says no more than the root has signed. Whether a key that has signed is trusted is
 *          for the caller to judge.
 * Owns:    its memory. Immutable.
 * Threads: any.
 * RFC:     4034 sections 2 and 3, 5011 section 2.1 (a revoked key signs its own revocation).
 */
#ifndef DOTSTUB_DNSSEC_SIGHTING_H
#define DOTSTUB_DNSSEC_SIGHTING_H

#include <stdint.h>
#include "base/bytes.h"
#include "base/check.h"

enum {
    SIGHTING_KEYS = 16,       /* an RRset with more keys is refused */
    SIGHTING_SIGNATURES = 16, /* further ones are left out */
    SIGHTING_KEY_MAX = 1032,  /* bytes of a key's data: RSA of 8,192 bits; longer ones are left out */
    SIGHTING_BYTES = 16384,   /* of a saved sighting; a larger RRset is refused */
};

struct sighting_key {
    struct bytes rdata; /* as it was received */
    uint16_t tag;
    bool revoked;       /* has the bit REVOKE */
    bool may_be_anchor; /* a zone key with the bit SEP, of a supported algorithm, not revoked */
    bool has_signed;    /* signed the RRset, with a signature that was valid at the time of the sighting */
    int64_t ends_s;     /* has_signed: the end of that signature, wall clock */
};

struct sighting {
    int64_t at_s;   /* wall clock */
    uint32_t ttl_s; /* the original TTL, which is signed; 0: no key has signed */
    unsigned count;
    struct sighting_key keys[SIGHTING_KEYS];
    struct bytes saved; /* for sighting_new */
};

/* Reads a message that was received at this time. 0; ERROR_MALFORMED: it cannot be read, or is not about the root's keys; -E2BIG:
 * too many keys, too large, or too many signatures to check; or -ENOMEM. */
int sighting_new(struct sighting **out, struct bytes message, int64_t at_s) MUST_CHECK;
/* NULL does nothing. */
void sighting_free(struct sighting *sighting);

/* True if both are the same key; the bit REVOKE does not count. */
bool sighting_is_same_key(struct bytes a, struct bytes b);
/* True if the DS record is of this key of the root; the bit REVOKE does not count. */
bool sighting_is_ds_of(struct bytes ds, struct bytes dnskey);
/* The key tag of the key without the bit REVOKE. */
uint16_t sighting_tag(struct bytes dnskey);

#endif
