/* SPDX-License-Identifier: MIT */
/* Times to live: how long a response may be cached, and which TTLs clients see.
 *
 * RFC:     1035, 2181 section 8 (range), 2308 (negative), 8767 section 4 (high bit), 9520 (failures have TTL 0 here).
 * Threads: any.
 */
#ifndef DOTSTUB_DNS_TTL_H
#define DOTSTUB_DNS_TTL_H

#include "dns/message.h"

struct ttl_limits {
    uint32_t min, max, negative_max; /* seconds */
};

/* Sets answer->ttl and rewrites the TTLs in its wire:
 * - a TTL with the high bit set counts as large; every TTL is limited to `max`; in a positive answer a TTL above 0
 *   is raised to `min` (negative ones are not raised);
 * - positive (a record of the queried type, or any answer record for CNAME and ANY, at the end of the chain): the
 *   lowest TTL of the answer section and of proofs in the authority section (NSEC, NSEC3, RRSIG); other records may
 *   expire before the response does;
 * - negative (NXDOMAIN, or NOERROR without a record of the queried type): the lowest of the SOA's TTL, its MINIMUM,
 *   the TTLs of the chain's CNAMEs and of proofs, and `negative_max`; the SOA's TTL is set to it. Without SOA: 0;
 * - any other rcode, and TC: 0. */
void ttl_apply(struct answer *answer, uint16_t qtype, const struct ttl_limits *limits);

/* Sets the TTLs of a stale response (RFC 8767 section 4) to `seconds`, but to 0 for authority and additional
 * records that expired before the response. True if there are such records. `life`: the response's original TTL;
 * `age`: seconds since it was received. */
bool ttl_set_stale(uint8_t *wire, const uint16_t *ttl_offsets, unsigned count, uint32_t life, uint32_t age,
                   uint32_t seconds);
/* The lowest TTL of the answer and authority sections of a response to a client: how long an HTTP cache may keep it (RFC
 * 8484 section 5.1; the SOA of a negative response has the negative TTL). 0 for other rcodes, TC, and without records. */
uint32_t ttl_smallest(struct bytes message);
/* Lowers the TTLs of a message of a server, not walked yet, by the time that an HTTP cache kept it. */
void ttl_subtract(uint8_t *message, size_t len, uint32_t age);
/* Reads "300", "5m" or "1h30m" as zone files have it: seconds, which may be more than a TTL can be. False: something else. */
bool ttl_from_text(const char *text, uint64_t *out);
/* True if a signature in a message that was walked has expired at this time (seconds since 1970; RFC 4034 section
 * 3.1.5). */
bool ttl_signature_expired(const struct answer *answer, int64_t wall_s);

#endif
