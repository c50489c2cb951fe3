/* SPDX-License-Identifier: MIT */
/* The step that answers from the cache: copied straight into the client's room, nothing allocated. */
#include <errno.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "lookup.h"
#include "refresh.h"

/* What a hit is built in first: most answers and their OPT fit. */
#define CACHE_ROOM 2048

/* In the last tenth of its life: a name that is asked for still is renewed before it ends. */
static void prefetch(struct query *query, const struct cache_found *found)
{
    enum { PREFETCH_MIN_TTL = 10 };
    struct resolver *resolver = query->resolver;
    if (found->original_ttl < PREFETCH_MIN_TTL || !resolver->config->cache.prefetch ||
        !(query->request.flags & FLAG_RD) || found->answer.rcode == RCODE_SERVFAIL)
        return;
    if (refresh_is_due(resolver, query->hash))
        lookup_refresh(resolver, &query->key, query->hash);
}

static void note_hit(struct query *query, struct cache_found *found)
{
    uint16_t rcode = found->answer.rcode;
    counter_add(query->resolver->counters, COUNTER_cache_hits, 1);
    if (found->answer.ttl * 10 <= found->original_ttl)
        prefetch(query, found);
    if (rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED) /* kept (RFC 9520), which is said (RFC 8914 section 4.14) */
        ede_add_first(&found->answer.ede, EDE_CACHED_ERROR);
}

static enum verdict answer_big(struct query *query, uint64_t now_ms)
{
    struct resolver *resolver = query->resolver;
    struct cache_found found;
    if (cache_get(resolver->cache, &query->key, query->hash, now_ms, false, 0, resolver->big, MESSAGE_MAX, &found) !=
        CACHE_HIT)
        return NEXT; /* evicted in between by another worker */
    note_hit(query, &found);
    return query_answer(query, &found.answer);
}

/* A name that could not be renewed a moment ago is not waited for again: expired data at once, one try in the background. */
static enum verdict answer_stale(struct query *query)
{
    struct resolver *resolver = query->resolver;
    if (!stale_is_failing(resolver, query->hash))
        return NEXT;
    struct key key = query->key;
    uint64_t hash = query->hash;
    enum verdict verdict = stale_answer(query);
    if (verdict != NEXT && refresh_is_due(resolver, hash))
        lookup_refresh(resolver, &key, hash);
    return verdict;
}

static int init(struct resolver *resolver, void **state)
{
    (void)resolver;
    *state = mem_zalloc(1, sizeof(struct refresh));
    return *state ? 0 : -ENOMEM;
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
    uint8_t *room = query->origin.ops->room(query, CACHE_ROOM);
    if (!room)
        return query_drop(query, COUNTER_drops_no_room);
    switch (cache_get(resolver->cache, &query->key, query->hash, now_ms, false, 0, room, CACHE_ROOM - EDIT_OPT_MAX,
                      &found)) {
    case CACHE_HIT:
        note_hit(query, &found);
        return query_finish(query, room, CACHE_ROOM, &found.answer);
    case CACHE_TOO_BIG:
        return answer_big(query, now_ms);
    default:
        counter_add(resolver->counters, COUNTER_cache_misses, 1);
        return answer_stale(query);
    }
}

const struct step step_cache = {.name = "cache", .init = init, .run = run, .fini = mem_free};
