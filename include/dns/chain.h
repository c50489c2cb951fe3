/* SPDX-License-Identifier: MIT */
/* The chain of CNAME and DNAME records that begins at the query's name, and the records of a response that belong to it.
 *
 * Does:    leaves an ordinary response unchanged. Rewrites any other: in the answer section the records whose owners are on the chain, each
 *          CNAME or DNAME before what it leads to, signatures behind what they sign; in the authority section the records
 *          of zones that a name of the chain lies in; in the additional section what a record that stays refers to, and what
 *          lies at or below a name of the chain. Without DO, signatures and proofs that were not asked for by their type go as well.
 * Owns:    nothing; a rewritten response lies in the scratch.
 * Threads: any, one scratch per thread.
 * RFC:     1034 section 4.3.2, 2181 section 5, 4035 section 3.2.1, 6672 (DNAME).
 */
#ifndef DOTSTUB_DNS_CHAIN_H
#define DOTSTUB_DNS_CHAIN_H

#include "dns/rewrite.h"

/* `answer` was walked, its question is the query's. 0, or ERROR_MALFORMED: names are compared at a cost that no honest response has, or
 * the result would be too long. answer->wire and its offsets may be the scratch's afterwards. */
int chain_tidy(struct answer *answer, uint16_t qtype, bool dnssec_ok, struct rewrite *scratch) MUST_CHECK;

#endif
