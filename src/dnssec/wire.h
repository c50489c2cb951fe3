/* SPDX-License-Identifier: MIT */
/* The fields of DNSSEC records.
 *
 * RFC:     4034 sections 2 to 5, 5155 section 3.
 */
#ifndef DOTSTUB_DNSSEC_WIRE_H
#define DOTSTUB_DNSSEC_WIRE_H

#include "base/bytes.h"

/* DNSKEY: flags, protocol, algorithm, public key. */
enum { DNSKEY_FLAGS = 0, DNSKEY_PROTOCOL = 2, DNSKEY_ALGORITHM = 3, DNSKEY_KEY = 4 };
enum { DNSKEY_ZONE = 0x0100, DNSKEY_REVOKED = 0x0080, DNSKEY_SEP = 0x0001, DNSKEY_PROTOCOL_VALUE = 3 };
/* DS: key tag, algorithm, digest type, digest. */
enum { DS_TAG = 0, DS_ALGORITHM = 2, DS_TYPE = 3, DS_DIGEST = 4 };
/* RRSIG. */
enum {
    RRSIG_COVERED = 0,
    RRSIG_ALGORITHM = 2,
    RRSIG_LABELS = 3,
    RRSIG_TTL = 4,
    RRSIG_EXPIRATION = 8,
    RRSIG_INCEPTION = 12,
    RRSIG_TAG = 16,
    RRSIG_SIGNER = 18,
};
/* NSEC3: hash algorithm, flags, iterations, salt, next hashed owner, types. */
enum { NSEC3_ALGORITHM = 0, NSEC3_FLAGS = 1, NSEC3_ITERATIONS = 2, NSEC3_SALT = 4 };
enum { NSEC3_OPT_OUT = 1, NSEC3_SHA1 = 1 };

/* True for a key that may sign a zone's data: a zone key, not revoked, of the only protocol. */
static inline bool dnskey_is_usable(struct bytes rdata)
{
    if (rdata.len <= DNSKEY_KEY || rdata.data[DNSKEY_PROTOCOL] != DNSKEY_PROTOCOL_VALUE)
        return false;
    uint16_t flags = read_u16(rdata.data);
    return (flags & DNSKEY_ZONE) && !(flags & DNSKEY_REVOKED);
}

/* RFC 4034 appendix B; algorithm 1 is not supported. */
static inline uint16_t dnskey_tag(struct bytes rdata)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < rdata.len; i++)
        sum += i & 1 ? rdata.data[i] : (uint32_t)rdata.data[i] << 8;
    return (uint16_t)(sum + (sum >> 16));
}

/* True if the type is in a bitmap of a NSEC or NSEC3 record (RFC 4034 section 4.1.2). */
static inline bool bitmap_has(struct bytes bitmap, uint16_t type)
{
    size_t at = 0;
    while (bitmap.len - at >= 2) {
        unsigned window = bitmap.data[at], len = bitmap.data[at + 1];
        if (bitmap.len - at - 2 < len)
            return false;
        if (window == type >> 8)
            return (type & 0xFFu) / 8 < len && (bitmap.data[at + 2 + (type & 0xFFu) / 8] & 0x80 >> (type & 7));
        at += 2 + (size_t)len;
    }
    return false;
}

#endif
