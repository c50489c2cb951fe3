/* SPDX-License-Identifier: MIT */
/* The step that answers from the cache: it copies the entry into the client's room and allocates nothing. Expired
 * entries stay in the cache until they are evicted or replaced.
 *
 * Invariant: `failing` and `refreshed` are hints of fixed size. Two keys that share a slot cost an extra wait or
 * attempt, never a wrong answer.
 */
#include <errno.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "dns/ttl.h"
#include "lookup.h"
#include "refresh.h"
#include "validator.h"

/* Room for a hit: enough for most responses with their OPT. */
#define CACHE_ROOM 2304

/* --- prefetch and serve-stale (refresh.h) --- */

enum {
    STALE_TTL = 30,       /* seconds, RFC 8767 section 4 */
    FAILING_MS = 30000,   /* RFC 8767 section 5: no query waits for the key again within this time */
    REFRESHED_MS = 10000, /* a key is not refreshed again within this time */
};

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
    static struct log_repeats told = LOG_REPEATS_INIT;
    uint64_t suppressed;
    if (log_repeat_allowed(&told, 1, false, loop_now(resolver->loop), &suppressed))
        log_warning("resolve", "serving stale answers: upstream too slow%s",
                    suppressed ? " (similar messages were suppressed)" : "");
}

static void make_stale(struct resolver *resolver, struct answer *answer)
{
    if (answer->authenticated && ttl_signature_expired(answer, clock_wall_s()))
        answer->authenticated = false;
    ede_add_first(&answer->ede, answer->rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE_ANSWER);
    counter_add(resolver->counters, COUNTER_responses_stale, 1);
    tell_of_stale(resolver);
}

bool stale_find(const struct query *query, struct cache_found *found)
{
    struct resolver *resolver = query->resolver;
    uint64_t limit_ms = (uint64_t)resolver->config->cache.serve_stale * 1000;
    if (!(query->request.flags & FLAG_RD))
        return false;
    enum cache_result result = cache_get(resolver->cache, &query->key, query->hash, loop_now(resolver->loop),
                                         CACHE_STALE, STALE_TTL, resolver->big, MESSAGE_MAX, found);
    if (result != CACHE_HIT && (result != CACHE_EXPIRED || limit_ms == 0 || found->expired_ms > limit_ms))
        return false;
    if (!answer_is_conclusive(&found->answer))
        return false;
    if (result == CACHE_EXPIRED)
        make_stale(resolver, &found->answer);
    if (found->surplus)
        rewrite_without(&found->answer, found->surplus, resolver->rewrite);
    return true;
}

enum verdict stale_answer(struct query *query)
{
    struct cache_found found;
    if (!stale_find(query, &found))
        return NEXT;
    if (found_is_stale(&found))
        query->how = HOW_STALE;
    return query_answer(query, &found.answer);
}

void stale_note_failure(struct resolver *resolver, uint64_t hash)
{
    recheck_note(resolver->refresh->failing, hash, loop_now(resolver->loop) + FAILING_MS);
}

bool stale_is_failing(struct resolver *resolver, uint64_t hash)
{
    return recheck_holds(resolver->refresh->failing, hash, loop_now(resolver->loop));
}

struct failures *refresh_failures(const struct resolver *resolver)
{
    return &resolver->refresh->failures;
}

void refresh_note_success(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct refresh *refresh = resolver->refresh;
    struct recheck *failing = &refresh->failing[hash % REFRESH_SLOTS];
    if (failing->hash == hash)
        failing->until_ms = 0;
    failures_clear(&refresh->failures, key, hash);
}

static const struct failure *find_failure(const struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct key room;
    return failures_find(refresh_failures(resolver), lookup_key(resolver, key, &room), hash, loop_now(resolver->loop),
                         cache_epoch(resolver->cache));
}

bool lookup_has_failed(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    return find_failure(resolver, key, hash);
}

bool lookup_is_failing(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    return stale_is_failing(resolver, hash) || lookup_has_failed(resolver, key, hash);
}

bool refresh_is_due(struct resolver *resolver, uint64_t hash)
{
    struct recheck *refreshed = resolver->refresh->refreshed;
    uint64_t now_ms = loop_now(resolver->loop);
    if (recheck_holds(refreshed, hash, now_ms))
        return false;
    recheck_note(refreshed, hash, now_ms + REFRESHED_MS);
    return true;
}

/* --- hits --- */

/* A hit in the last tenth of the TTL refreshes the entry before it expires. */
static void prefetch(struct query *query, const struct cache_found *found)
{
    enum { PREFETCH_MIN_TTL = 10 };
    struct resolver *resolver = query->resolver;
    if (found->original_ttl < PREFETCH_MIN_TTL || !resolver->config->cache.prefetch ||
        !(query->request.flags & FLAG_RD))
        return;
    if (!refresh_is_due(resolver, query->hash))
        return;
    struct key key;
    key_copy(&key, &query->key);
    key.flags = found->flags; /* so that the new entry serves the same queries */
    lookup_refresh(resolver, &key, query->hash);
}

static void note_hit(struct query *query, const struct cache_found *found)
{
    counter_add(query->resolver->counters, COUNTER_cache_hits, 1);
    if (found->answer.ttl * 10 <= found->original_ttl)
        prefetch(query, found);
}

/* For a copy that is not in the client's room, or that has to be rewritten. */
static enum verdict answer_copy(struct query *query, struct cache_found *found)
{
    if (found->surplus)
        rewrite_without(&found->answer, found->surplus, query->resolver->rewrite);
    return query_answer(query, &found->answer);
}

static enum verdict answer_big(struct query *query, uint64_t now_ms)
{
    struct resolver *resolver = query->resolver;
    struct cache_found found;
    if (cache_get(resolver->cache, &query->key, query->hash, now_ms, CACHE_FRESH, 0, resolver->big, MESSAGE_MAX,
                  &found) != CACHE_HIT)
        return NEXT; /* another worker evicted the entry meanwhile */
    note_hit(query, &found);
    return answer_copy(query, &found);
}

/* If a key could not be refreshed a moment ago, its queries do not wait: they get stale data at once, and one
 * refresh runs in the background. A refresh in progress makes another attempt, as it would for a client that joins
 * it. */
static enum verdict answer_stale(struct query *query)
{
    struct resolver *resolver = query->resolver;
    if (!stale_is_failing(resolver, query->hash))
        return NEXT;
    struct key key = query->key;
    uint64_t hash = query->hash;
    enum verdict verdict = stale_answer(query);
    if (verdict != NEXT && !lookup_hurry(resolver, &key, hash) && refresh_is_due(resolver, hash))
        lookup_refresh(resolver, &key, hash);
    return verdict;
}

/* While the failure is in force no upstream query is sent (RFC 9520); the response says so (RFC 8914 section 4.14). */
static enum verdict answer_failure(struct query *query, const struct failure *failure)
{
    struct ede_list ede = failure->ede;
    uint16_t rcode = failure->rcode;
    enum verdict verdict = failure->verdict ? NEXT : stale_answer(query);
    if (verdict != NEXT)
        return verdict;
    ede_add_first(&ede, EDE_CACHED_ERROR);
    counter_add(query->resolver->counters, COUNTER_cache_hits, 1);
    if (failure->unanswered)
        query_note_failure(query, ERROR_UNANSWERED);
    struct answer response = query_error_response(query, rcode, &ede);
    return query_answer(query, &response);
}

/* Answers NXDOMAIN because a name above this one does not exist (RFC 8020). */
static enum verdict answer_from_above(struct query *query, uint64_t now_ms)
{
    struct resolver *resolver = query->resolver;
    struct cache_found found;
    if (cache_get_above(resolver->cache, &query->key, now_ms, resolver->big, MESSAGE_MAX, &found) != CACHE_HIT ||
        rewrite_denial(&found.answer, &query->key, found.surplus, resolver->rewrite) < 0)
        return NEXT;
    counter_add(resolver->counters, COUNTER_cache_hits, 1);
    counter_add(resolver->counters, COUNTER_cache_nxdomain_cuts, 1);
    return query_answer(query, &found.answer);
}

/* Answers that the name or type does not exist because proofs in the cache say so (RFC 8198). */
static enum verdict answer_denied(struct query *query)
{
    struct resolver *resolver = query->resolver;
    struct answer answer;
    if (!denied_find(resolver, &query->key, &answer))
        return NEXT;
    counter_add(resolver->counters, COUNTER_cache_hits, 1);
    counter_add(resolver->counters, COUNTER_dnssec_denied, 1);
    ede_add_first(&answer.ede, EDE_SYNTHESIZED);
    return query_answer(query, &answer);
}

/* A query with RD=0 gets neither failures nor expired data: it would reveal the queries of other clients. */
static enum verdict answer_miss(struct query *query, uint64_t now_ms)
{
    struct resolver *resolver = query->resolver;
    const struct failure *failure = NULL;
    enum verdict verdict = answer_from_above(query, now_ms);
    if (verdict != NEXT)
        return verdict;
    verdict = answer_denied(query);
    if (verdict != NEXT)
        return verdict;
    if (query->request.flags & FLAG_RD)
        failure = find_failure(resolver, &query->key, query->hash);
    if (failure)
        return answer_failure(query, failure);
    counter_add(resolver->counters, COUNTER_cache_misses, 1);
    return answer_stale(query);
}

static int init(struct resolver *resolver, void *state)
{
    struct refresh *refresh = resolver->refresh = state;
    return failures_init(&refresh->failures);
}

static void fini(void *state)
{
    struct refresh *refresh = state;
    failures_fini(&refresh->failures);
}

static enum verdict run(struct query *query, void *state)
{
    (void)state;
    struct resolver *resolver = query->resolver;
    uint64_t now_ms = loop_now(resolver->loop);
    struct cache_found found;
    if (query->origin.ops->look) {
        query->origin.ops->look(query);
        return NEXT;
    }
    /* The cache would reveal other clients' queries (cache snooping). */
    if (!(query->request.flags & FLAG_RD) && !addr_is_loopback(&query->origin.client))
        return query_error(query, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL);
    size_t cap = CACHE_ROOM + (query->origin.encrypted ? EDIT_PAD_MAX : 0);
    uint8_t *room = query->origin.ops->room(query, cap);
    if (!room)
        return query_drop(query, COUNTER_drops_no_room);
    switch (cache_get(resolver->cache, &query->key, query->hash, now_ms, CACHE_FRESH, 0, room,
                      CACHE_ROOM - EDIT_OPT_MAX, &found)) {
    case CACHE_HIT:
        note_hit(query, &found);
        if (found.surplus)
            return answer_copy(query, &found);
        return query_finish(query, room, cap, &found.answer);
    case CACHE_TOO_BIG:
        return answer_big(query, now_ms);
    default:
        return answer_miss(query, now_ms);
    }
}

const struct step step_cache = {
    .name = "cache", .state_size = sizeof(struct refresh), .init = init, .run = run, .fini = fini};
