/* SPDX-License-Identifier: MIT */
/* Builds responses of our own from the records of another response: under another name, or with other addresses.
 *
 * Does:    writes a Question section, records of ours and copies of records, without those of DNSSEC, whose signatures
 *          would not be valid; an owner that is the question's name, or that of the record before, is compressed.
 * Owns:    nothing; the message is in the caller's memory.
 * Threads: any, one `rewrite` per thread.
 * RFC:     1035, 2308, 6052 (addresses that embed IPv4), 6147 (DNS64).
 */
#ifndef DOTSTUB_DNS_SYNTHESIS_H
#define DOTSTUB_DNS_SYNTHESIS_H

#include "base/addr.h"
#include "dns/rewrite.h"

/* A prefix of RFC 6052: 32, 40, 48, 56, 64 or 96 bits; bits 64 to 71 of an address are zero. */
bool nat64_prefix_is_valid(const struct prefix *prefix);
/* Writes the IPv6 address that embeds the IPv4 address. */
void nat64_embed(const struct prefix *prefix, const uint8_t ipv4[4], uint8_t ipv6[16]);
/* True if the address is one of the prefix, with *ipv4 set. */
bool nat64_extract(const struct prefix *prefix, const uint8_t ipv6[16], uint8_t ipv4[4]);
/* Finds the prefix of an address that embeds 192.0.0.170 or 192.0.0.171 (RFC 7050 section 3). False: it has none, or at
 * two places. */
bool nat64_discover(const uint8_t ipv6[16], struct prefix *out);

struct synthesis {
    struct writer writer;
    const struct key *key;
    unsigned count[2];                 /* records written to the answer and to the authority section */
    size_t owner_at;                   /* of the latest record; 0: none */
    const struct prefix *prefix;       /* A records become AAAA records with it; NULL: they are copied */
    bool (*excluded)(const uint8_t *); /* IPv4 addresses that are left out with a prefix */
    uint32_t ttl_max;                  /* of the records that are copied */
};

/* Begins a response to `key` in `out`. */
void synthesis_begin(struct synthesis *synthesis, uint8_t *out, size_t cap, const struct key *key, uint16_t rcode);
/* Adds a CNAME record from the question's name. `target` is uncompressed, of `len` bytes. */
void synthesis_alias(struct synthesis *synthesis, const uint8_t *target, size_t len, uint32_t ttl);
/* Copies the answer section of a message that was walked. Returns the number of address records in it. */
unsigned synthesis_copy_answer(struct synthesis *synthesis, const struct answer *from, struct rewrite *rewrite);
/* Copies the SOA record of the authority section, if there is one. */
void synthesis_copy_soa(struct synthesis *synthesis, const struct answer *from, struct rewrite *rewrite);
/* The length of the message; 0: it did not fit. */
size_t synthesis_end(struct synthesis *synthesis);

/* The seconds for which a response says that something does not exist: the lower of its SOA record's TTL and minimum
 * (RFC 2308 section 5); `other` without a SOA. */
uint32_t synthesis_negative_ttl(const struct answer *answer, struct rewrite *rewrite, uint32_t other);

#endif
