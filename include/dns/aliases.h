/* SPDX-License-Identifier: MIT */
/* The names that the answer section of a response leads to.
 *
 * Does:    gives the targets of CNAME, SVCB and HTTPS records; tells which names a response concerns.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     1034 section 3.6.2, 9460.
 */
#ifndef DOTSTUB_DNS_ALIASES_H
#define DOTSTUB_DNS_ALIASES_H

#include "dns/message.h"

/* The most names of a response that are given: as many as a chain of CNAME records may have (dns/chain). */
#define ALIASES_MAX 32

enum { ALIAS_CNAME = 5, ALIAS_DNAME = 39 };

/* False: an answer section whose first record has this type has no aliases. */
static inline bool aliases_may_follow(uint16_t type)
{
    return type == ALIAS_CNAME || type == ALIAS_DNAME || type == TYPE_SVCB || type == TYPE_HTTPS;
}

/* Calls `test` with each target, in lower case and uncompressed, until it says true; the result is then true. `answer`
 * was walked, and its answer section begins with the chain, as chain_tidy leaves it. Nearly free for answers that begin
 * with a record of another type. */
bool aliases_find(const struct answer *answer, bool (*test)(void *context, const uint8_t *name, size_t len),
                  void *context);

/* True if the response, to a query for `own`, says something of `name`, or with `below` of a name under it: it is for that
 * name, its aliases lead there, or it is an NXDOMAIN for a name above, which denies all names below (RFC 8020). The names
 * are in lower case; of `answer` only `wire` is used. */
bool answer_concerns(const struct answer *answer, struct bytes own, struct bytes name, bool below);

#endif
