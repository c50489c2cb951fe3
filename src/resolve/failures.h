/* SPDX-License-Identifier: MIT */
/* Failed lookups, remembered for a short time per key.
 *
 * Does:    remembers that servers failed to answer a key, so that its next queries get that failure at once,
 *          without an upstream query: for 1 s, doubling to 8 s while the key keeps failing; always for 1 s if the
 *          server may be the cause.
 * Owns:    at most FAILURES_MAX failures; a new one replaces the oldest.
 * Threads: the worker's.
 * RFC:     9520.
 */
#ifndef DOTSTUB_RESOLVE_FAILURES_H
#define DOTSTUB_RESOLVE_FAILURES_H

#include "base/list.h"
#include "base/slab.h"
#include "base/table.h"
#include "dns/key.h"
#include "dns/message.h"

#define FAILURES_MAX 1024

enum {
    FAILURE_FIRST_MS = 1000, /* RFC 9520 section 3.2: at least 1 s */
    FAILURE_LONGEST_MS = 8000,
    /* A failure within this time after the end of the previous one is the next in the same row. */
    FAILURE_RECENT_MS = 8000,
};

struct failure {
    struct table_link by_key;
    struct list_link in_order;
    uint64_t until_ms; /* the failure is in force until then */
    uint64_t epoch;    /* the epoch of the cache when the lookup began: a flush ends the failure */
    uint32_t length_ms;
    uint16_t rcode;
    bool unanswered; /* no server responded; else one responded with a failure */
    bool verdict;    /* the failure is due to a policy or to validation: stale data must not replace it */
    struct ede_list ede;
    struct key key;
};

struct failures {
    struct slab slab;
    struct table by_key;
    struct list order; /* from the oldest failure to the newest */
};

/* 0 or -ENOMEM. */
int failures_init(struct failures *failures) MUST_CHECK;
void failures_fini(struct failures *failures);
/* Remembers that a lookup of the key, begun in this epoch of the cache, ended with `answer`: an error response, or
 * one without a message, made because no usable response came. `doubles`: the key is the cause. Does nothing when out
 * of memory. */
void failures_note(struct failures *failures, const struct key *key, uint64_t hash, uint64_t now_ms, uint64_t epoch,
                   const struct answer *answer, bool doubles);
/* A usable response came for the key. */
void failures_clear(struct failures *failures, const struct key *key, uint64_t hash);
/* The failure that is in force for the key, or NULL. Valid until the next call. */
const struct failure *failures_find(const struct failures *failures, const struct key *key, uint64_t hash,
                                    uint64_t now_ms, uint64_t epoch);

#endif
