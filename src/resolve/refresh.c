/* SPDX-License-Identifier: MIT */
/* Expired answers are still in the cache until something overwrites them, so serve-stale is a comparison.
 *
 * Invariant: `failing` and `refreshed` are hints of fixed size; a slot that another key took over costs one wait or one question
 * more, never a wrong answer.
 */
#include <assert.h>
#include "dns/codes.h"
#include "refresh.h"

enum {
    STALE_TTL = 30,       /* seconds, RFC 8767 section 4 */
    FAILING_MS = 30000,   /* RFC 8767 section 5: no second wait for a name within this */
    REFRESHED_MS = 10000, /* a refresh that failed is not begun again within this */
};

static struct refresh *refresh_of(const struct resolver *resolver)
{
    struct refresh *refresh = resolver_step_state(resolver, &step_cache);
    assert(refresh); /* who asks upstream looks into the cache before */
    return refresh;
}

static bool recheck_holds(const struct recheck *slots, uint64_t hash, uint64_t now_ms)
{
    const struct recheck *slot = &slots[hash % REFRESH_SLOTS];
    return slot->hash == hash && now_ms < slot->until_ms;
}

static void recheck_note(struct recheck *slots, uint64_t hash, uint64_t until_ms)
{
    slots[hash % REFRESH_SLOTS] = (struct recheck){hash, until_ms};
}

static void tell_of_stale(struct resolver *resolver)
{
    uint64_t suppressed;
    if (log_allowed(&refresh_of(resolver)->stale_limit, loop_now(resolver->loop), &suppressed))
        log_warning("resolve", "expired answers are given, because fresh ones are not had in time%s",
                    suppressed ? " (and more of the same)" : "");
}

bool stale_find(const struct query *query, struct cache_found *found)
{
    struct resolver *resolver = query->resolver;
    uint64_t limit_ms = (uint64_t)resolver->config->cache.serve_stale * 1000;
    if (limit_ms == 0 || !(query->request.flags & FLAG_RD))
        return false;
    if (cache_get(resolver->cache, &query->key, query->hash, loop_now(resolver->loop), true, STALE_TTL, resolver->big,
                  MESSAGE_MAX, found) != CACHE_EXPIRED ||
        found->expired_ms > limit_ms)
        return false;
    if (found->answer.rcode != RCODE_NOERROR && found->answer.rcode != RCODE_NXDOMAIN)
        return false;
    found->answer.authenticated = false; /* its signatures may be past their time as well */
    ede_add_first(&found->answer.ede, found->answer.rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE_ANSWER);
    counter_add(resolver->counters, COUNTER_stale_answers, 1);
    tell_of_stale(resolver);
    return true;
}

enum verdict stale_answer(struct query *query)
{
    struct cache_found found;
    if (!stale_find(query, &found))
        return NEXT;
    query->how = HOW_STALE;
    return query_answer(query, &found.answer);
}

void stale_note_failure(struct resolver *resolver, uint64_t hash)
{
    recheck_note(refresh_of(resolver)->failing, hash, loop_now(resolver->loop) + FAILING_MS);
}

bool stale_is_failing(struct resolver *resolver, uint64_t hash)
{
    return recheck_holds(refresh_of(resolver)->failing, hash, loop_now(resolver->loop));
}

bool refresh_is_due(struct resolver *resolver, uint64_t hash)
{
    struct recheck *refreshed = refresh_of(resolver)->refreshed;
    uint64_t now_ms = loop_now(resolver->loop);
    if (recheck_holds(refreshed, hash, now_ms))
        return false;
    recheck_note(refreshed, hash, now_ms + REFRESHED_MS);
    return true;
}
