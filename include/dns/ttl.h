/* SPDX-License-Identifier: MIT */
/* Times to live: how long an answer may be kept, what the client is shown.
 *
 * RFC:     1035, 2181 section 8 (range), 2308 (negative), 8767 section 4 (high bit), 9520 (failures are not kept here).
 * Threads: any.
 */
#ifndef DOTSTUB_DNS_TTL_H
#define DOTSTUB_DNS_TTL_H

#include "dns/message.h"

struct ttl_limits {
    uint32_t min, max, negative_max; /* seconds */
};

/* Sets answer->ttl and rewrites the TTLs in its wire:
 * - a TTL with the high bit set is large and capped; every TTL is lowered to `max`; in a positive answer one above 0 is raised
 *   to `min` (a negative one ends when its zone says so);
 * - positive (a record of the type asked, or any answer record for CNAME and ANY, at the end of the chain): the lowest
 *   TTL of the answer and authority sections (additional records are only capped);
 * - negative (NXDOMAIN, or NOERROR without a record of the type asked): the lowest of the SOA's TTL, its MINIMUM, the
 *   TTLs of the chain's CNAMEs and `negative_max`; the SOA shown then carries it. Without SOA: 0;
 * - any other rcode, and TC: 0. */
void ttl_apply(struct answer *answer, uint16_t qtype, const struct ttl_limits *limits);

#endif
