/* SPDX-License-Identifier: MIT */
/* The stage STORE: the second-level cache is asked before the upstream.
 *
 * A lookup waits for the store as long as its patience; then the upstream is asked as well, and the first response counts.
 * A value never replaces an entry that the local cache received later, and a flush here excludes what was sealed before
 * it. */
#include <errno.h>
#include "base/mem.h"
#include "lookup.h"
#include "resolve/host_lookup.h"
#include "resolve/resolver.h"
#include "store/store.h"

bool stored_is_wanted(const struct lookup *lookup)
{
    return lookup->resolver->store && !group_is_portal(lookup->group);
}

/* False: the group is gone. */
static bool entry_of(struct lookup *lookup, struct store_entry *out)
{
    *out = (struct store_entry){.definition = groups_definition(lookup->resolver->groups, lookup->key.group),
                                .key = &lookup->key,
                                .name = &lookup->name_in_store};
    return out->definition != NULL;
}

bool stored_begin(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    struct store_entry entry;
    if (!entry_of(lookup, &entry) || resolver->stopping)
        return false;
    lookup->get = store_get(resolver->store, &entry, group_median_ms(lookup->group), lookup->epoch, lookup);
    return lookup->get != NULL;
}

void stored_put(struct lookup *lookup, const struct answer *answer)
{
    struct resolver *resolver = lookup->resolver;
    struct store_entry entry;
    if (entry_of(lookup, &entry) && !group_is_portal(lookup->group) &&
        store_put(resolver->store, &entry, answer, resolver->config->cache.serve_stale, STORE_NOT_VALIDATED))
        lookup->leased = false;
}

void stored_unlease(struct lookup *lookup)
{
    struct store_entry entry;
    if (entry_of(lookup, &entry) && lookup->resolver->store)
        store_unlease(lookup->resolver->store, &entry);
}

/* True if the local cache received its entry later than the value was sealed, or if that entry lives longer. */
static bool local_is_newer(const struct resolver *resolver, const struct key *key, uint64_t hash,
                           const struct store_found *found)
{
    struct cache_found local;
    switch (cache_get(resolver->cache, key, hash, loop_now(resolver->loop), CACHE_PEEK, 0, resolver->big, MESSAGE_MAX,
                      &local)) {
    case CACHE_HIT:
        return local.answer.ttl >= found->answer.ttl;
    case CACHE_EXPIRED:
        return local.expired_ms + (uint64_t)local.original_ttl * 1000 < found->age_ms;
    case CACHE_TOO_BIG:
        return true;
    default:
        return false;
    }
}

/* An expired value becomes stale data (RFC 8767), as if it had been received when it was sealed. */
static void take_stale(struct lookup *lookup, struct store_found *found)
{
    struct resolver *resolver = lookup->resolver;
    uint64_t now_ms = loop_now(resolver->loop);
    found->answer.ttl = found->ttl;
    if (found->ttl > 0 && found->age_ms < now_ms &&
        cache_put(resolver->cache, &lookup->key, lookup->by_key.hash, &found->answer, now_ms - found->age_ms,
                  lookup->epoch) == 0)
        counter_add(resolver->counters, COUNTER_store_stale, 1);
}

static void take_fresh(struct lookup *lookup, struct store_found *found)
{
    counter_add(lookup->resolver->counters, COUNTER_store_hits, 1);
    lookup->stored = true;
    lookup->awaited = found->awaited;
    if (lookup->stage == STAGE_ASK)
        ask_cancel(&lookup->ask);
    lookup_respond(lookup, &found->answer, STAGE_ASK + 1);
}

static bool is_usable(void *context, struct store_found *found)
{
    struct lookup *lookup = context;
    if (lookup->stage > STAGE_ASK)
        return false;
    if (local_is_newer(lookup->resolver, &lookup->key, lookup->by_key.hash, found)) {
        counter_add(lookup->resolver->counters, COUNTER_store_older, 1);
        return false;
    }
    if (found->answer.ttl > 0)
        return true;
    take_stale(lookup, found);
    return false;
}

static void store_done(void *context, struct store_found *found, bool leased)
{
    struct lookup *lookup = context;
    lookup->get = NULL;
    lookup->leased = leased;
    if (found)
        take_fresh(lookup, found);
    else if (lookup->stage == STAGE_STORE)
        (void)lookup_advance(lookup, STAGE_ASK);
}

/* A popular value after the start: as if a lookup had got it from the store. */
static bool warmed(void *user, const struct key *key, struct store_found *found)
{
    struct resolver *resolver = user;
    uint64_t hash = key_hash(key);
    struct lookup *lookup;
    if (found->answer.ttl == 0 || local_is_newer(resolver, key, hash, found))
        return true;
    if (!lookup_new_refresh(resolver, key, hash, &lookup))
        return false;
    if (lookup) {
        lookup->stored = true;
        lookup_respond(lookup, &found->answer, STAGE_ASK + 1);
    }
    return true;
}

static void store_late(void *context)
{
    (void)lookup_advance(context, STAGE_ASK);
}

/* --- hosts of the store --- */

struct stored_host {
    struct host_lookup lookup;
    struct store_host *host;
};

static void host_found(struct host_lookup *lookup)
{
    struct stored_host *found = container_of(lookup, struct stored_host, lookup);
    struct store_host *host = found->host;
    for (int family = 0; family < HOST_FAMILIES; family++)
        for (size_t i = 0; i < lookup->halves[family].count; i++)
            host->addresses[host->count++] = lookup->halves[family].addresses[i];
    mem_free(found);
    host->done(host);
}

static int look_up(void *user, struct store_host *host)
{
    struct stored_host *found = mem_zalloc(1, sizeof *found);
    if (!found)
        return -ENOMEM;
    found->host = host;
    found->lookup = (struct host_lookup){.host = host->name, .done = host_found};
    host_lookup_begin(&found->lookup, user);
    return 0;
}

static void flush_heard(void *user, const struct store_flush *flush)
{
    struct resolver *resolver = user;
    resolver->flush_heard(resolver, flush);
}

const struct store_ops resolver_store_ops = {.look_up = look_up,
                                             .usable = is_usable,
                                             .done = store_done,
                                             .late = store_late,
                                             .heard = flush_heard,
                                             .warmed = warmed};
