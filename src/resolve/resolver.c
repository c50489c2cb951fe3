/* SPDX-License-Identifier: MIT */
/* Birth and end of what the queries of one worker share. */
#include <assert.h>
#include <errno.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "lookup.h"
#include "resolve/resolver.h"

/* Lengths in ms, ascending; the loop's step is 10 ms. */
static const uint64_t again_lengths[RESOLVER_AGAIN] = {10, 15, 20, 25, 30, 40, 50, 70, 100, 150, 250, 400, 700, 1000};

/* The client's time is over: it is told why; the lookup goes on for the cache. */
static void answer_by_expired(struct timeout *timeout)
{
    struct query *query = container_of(timeout, struct query, answer_by);
    counter_add(query->resolver->counters, COUNTER_deadlines_hit, 1);
    lookup_give_up(query);
}

static void free_memory(struct resolver *resolver)
{
    mem_free(resolver->big);
    mem_free(resolver->scratch);
    mem_free(resolver->failing);
    mem_free(resolver->refreshed);
    recorder_fini(&resolver->recorder);
}

enum { TIMER_GRAIN_MS = 20 }; /* so late may a deadline run; a client is answered by its own all the same */

static void set_health(struct resolver *resolver, const char *name)
{
    int len = name ? name_from_text(resolver->health, name) : 0; /* the option takes host names only */
    resolver->health_len = len > 0 ? (uint8_t)len : 0;
}

static void choose_steps(struct resolver *resolver, const struct config *config)
{
    unsigned count = 0;
    for (const struct step *const *step = resolver->all_steps; *step; step++) {
        assert(count < STEPS_MAX);
        if (!(*step)->wanted || (*step)->wanted(config))
            resolver->steps[count++] = *step;
    }
    resolver->steps[count] = NULL;
}

void resolver_configure(struct resolver *resolver, const struct config *config)
{
    unsigned queries = config->limits.queries_in_flight;
    resolver->config = config;
    resolver->queries.limit = queries;
    resolver->lookups.limit = 2 * (size_t)queries; /* they may outlive their waiters by an attempt's time */
    set_health(resolver, config->health_name);
    choose_steps(resolver, config);
    timeouts_set_length(&resolver->answer_by, config->limits.answer_by_ms - TIMER_GRAIN_MS);
    timeouts_set_length(&resolver->stale_after, config->cache.stale_answer_after_ms);
}

int resolver_init(struct resolver *resolver, struct loop *loop, struct counters *counters, const struct config *config,
                  struct cache *cache, struct group *group, const struct step *const *steps)
{
    *resolver =
        (struct resolver){.loop = loop, .counters = counters, .cache = cache, .group = group, .all_steps = steps};
    resolver->big = mem_alloc(RESOLVER_BIG);
    resolver->scratch = mem_zalloc(1, sizeof *resolver->scratch);
    resolver->failing = mem_zalloc(RESOLVER_RECHECKS, sizeof *resolver->failing);
    resolver->refreshed = mem_zalloc(RESOLVER_RECHECKS, sizeof *resolver->refreshed);
    if (!resolver->big || !resolver->scratch || !resolver->failing || !resolver->refreshed ||
        recorder_init(&resolver->recorder) < 0 || table_init(&resolver->queries_by_client, 256) < 0)
        goto fail;
    if (table_init(&resolver->lookups_by_key, 256) < 0)
        goto fail_table;
    slab_init(&resolver->queries, sizeof(struct query), 0, 0); /* query_park writes all that is read */
    slab_init(&resolver->lookups, sizeof(struct lookup), offsetof(struct lookup, key), 0);
    querylog_init(&resolver->querylog, loop, counters);
    timeouts_init(&resolver->answer_by, loop, 0, answer_by_expired);
    timeouts_init(&resolver->stale_after, loop, 0, lookup_stale_due);
    for (unsigned i = 0; i < RESOLVER_AGAIN; i++)
        timeouts_init(&resolver->again[i], loop, again_lengths[i], lookup_ask_again);
    resolver_configure(resolver, config);
    return 0;
fail_table:
    table_fini(&resolver->queries_by_client);
fail:
    free_memory(resolver);
    return -ENOMEM;
}

static struct lookup *any_lookup(const struct resolver *resolver)
{
    for (size_t i = 0; i <= resolver->lookups_by_key.mask; i++)
        if (resolver->lookups_by_key.buckets[i])
            return container_of(resolver->lookups_by_key.buckets[i], struct lookup, by_key);
    return NULL;
}

void resolver_stop(struct resolver *resolver)
{
    struct lookup *lookup;
    resolver->stopping = true;
    while ((lookup = any_lookup(resolver)))
        lookup_abandon(lookup, ERROR_STOPPING);
}

void resolver_fini(struct resolver *resolver)
{
    querylog_fini(&resolver->querylog);
    timeouts_fini(&resolver->answer_by);
    timeouts_fini(&resolver->stale_after);
    for (unsigned i = 0; i < RESOLVER_AGAIN; i++)
        timeouts_fini(&resolver->again[i]);
    slab_fini(&resolver->queries);
    slab_fini(&resolver->lookups);
    table_fini(&resolver->queries_by_client);
    table_fini(&resolver->lookups_by_key);
    free_memory(resolver);
}
