/* SPDX-License-Identifier: MIT */
/* The chain of CNAME and DNAME records that begins at the query's name, and the records of a response that belong
 * to it.
 *
 * Does:    leaves an ordinary response unchanged. Rewrites any other with: in the answer section, the records whose
 *          owners are on the chain, each CNAME or DNAME before the records of its target, signatures behind the
 *          signed RRset; in the authority section, the records of zones that contain a name of the chain; in the
 *          additional section, records that the kept records refer to, and those at or below a name of the chain.
 *          Without DO, signatures and proofs are removed unless their type was queried.
 * Owns:    nothing; a rewritten response is in the scratch.
 * Threads: any, one scratch per thread.
 * RFC:     1034 section 4.3.2, 2181 section 5, 4035 section 3.2.1, 6672 (DNAME).
 */
#ifndef DOTSTUB_DNS_CHAIN_H
#define DOTSTUB_DNS_CHAIN_H

#include "dns/rewrite.h"

/* `answer` was walked, and its Question section matches the query. 0, or ERROR_MALFORMED: the comparison of names
 * is more expensive than for any honest response, or the result would be too long. answer->wire and its offsets may
 * point into the scratch afterwards. */
int chain_tidy(struct answer *answer, uint16_t qtype, bool dnssec_ok, struct rewrite *scratch) MUST_CHECK;

#endif
