/* SPDX-License-Identifier: MIT */
/* The responses to queries for blocked names.
 *
 * Threads: the worker's.
 * RFC:     2308 (negative answers), 8914 (extended errors).
 */
#ifndef DOTSTUB_POLICY_BLOCKANSWER_H
#define DOTSTUB_POLICY_BLOCKANSWER_H

#include "blockrules.h"
#include "resolve/query.h"

/* The response for a rule that has one (not DROP or TCP), in the resolver's room for big responses. False: out of
 * memory. */
bool block_answer_build(struct answer *out, const struct query *query, const struct block_rules *rules,
                        const struct block_match *match);
/* If the rule's local data answers the query with a CNAME: its target, in lower case, and its length; else 0. */
size_t block_answer_target(uint8_t out[NAME_MAX_WIRE], const struct query *query, const struct block_rules *rules,
                           const struct block_match *match);
/* The response with the CNAME to `target` and the records that `found` (NULL: none) has for it. False: out of memory, or ldns
 * cannot read it. */
bool block_answer_chain(struct answer *out, const struct query *query, const struct ede_list *ede,
                        const uint8_t *target, uint32_t ttl, const struct answer *found);
/* The extended error with the list's name. */
struct ede_list block_answer_ede(const struct block_rules *rules, const struct block_match *match);

#endif
