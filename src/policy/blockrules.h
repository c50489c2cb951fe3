/* SPDX-License-Identifier: MIT */
/* The snapshot of step_block: all lists together, and what decides about a name.
 *
 * Threads: immutable; any.
 */
#ifndef DOTSTUB_POLICY_BLOCKRULES_H
#define DOTSTUB_POLICY_BLOCKRULES_H

#include <stdio.h>
#include "blocksource.h"
#include "dns/suffixes.h"
#include "policy/blocking.h"

enum block_answer_kind { ANSWER_NXDOMAIN, ANSWER_NODATA, ANSWER_ADDRESSES };

/* The response to clients for a blocked name. */
struct block_answer {
    enum block_answer_kind kind;
    unsigned v4_count, v6_count;
    uint8_t v4[16][4], v6[16][16];
};

struct block_rules_list {
    struct block_source *source;
    struct block_content *content; /* NULL: nothing is blocked */
    struct block_answer answer;
    uint16_t ede;
};

struct block_rules {
    unsigned count;
    uint64_t with_names, with_networks;      /* masks of lists */
    uint64_t for_view[CONFIG_VIEWS_MAX + 1]; /* the lists of each view; the first one is that of all other clients */
    uint64_t with_exceptions;                /* those that may have RULE_ALLOW */
    struct name_filter filter;
    struct suffix_table *exceptions; /* NULL: none */
    uint32_t ttl;
    struct block_rules_list lists[BLOCK_LISTS_MAX];
};

/* NULL in *out: no list is configured. 0 or -ENOMEM. */
int block_rules_new(struct block_rules **out, const struct config *config) MUST_CHECK;
/* True if a list is perhaps being written: make the rules again soon. */
bool block_rules_wait(const struct block_rules *rules);
void block_rules_free(struct block_rules *rules);

/* The rule that decides. */
struct block_match {
    unsigned list;
    enum block_rule rule;
    unsigned offset; /* of the rule's name in the name */
    bool self;       /* the rule is for the name itself, not for names below it */
    struct wide_hash owner;
};

/* Finds the fate of a name (in lower case) by the lists of `mask`. `out` is set unless the result is BLOCK_FATE_NONE; its
 * list is BLOCK_LISTS_MAX if block.exceptions decides, or the name is unblocked. */
enum block_fate block_rules_find(const struct block_rules *rules, uint64_t mask, const uint8_t *name, size_t len,
                                 struct block_match *out);
/* Likewise for an address of 4 or 16 bytes; BLOCK_FATE_ALLOWED: PASSTHRU. */
enum block_fate block_rules_find_address(const struct block_rules *rules, uint64_t mask, const uint8_t *address,
                                         size_t len, struct block_match *out);
/* True if block.exceptions or the operator exempt the name. */
bool block_rules_except(const struct block_rules *rules, const uint8_t *name, size_t len);

#endif
