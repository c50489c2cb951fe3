/* SPDX-License-Identifier: MIT */
/* Start and end of the state that the queries of one worker share. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "lookup.h"
#include "resolve/resolver.h"

/* limits.answer-by has passed: the client gets an error with the reason; a lookup goes on for the cache. A query
 * that waits in a step gets no expired data, because the decision of that step is not known. */
static void answer_by_expired(struct timeout *timeout)
{
    struct query *query = container_of(timeout, struct query, answer_by);
    char text[EDE_TEXT + 1];
    counter_add(query->resolver->counters, COUNTER_deadlines_hit, 1);
    if (list_linked(&query->waiter.link)) {
        lookup_give_up(query);
        return;
    }
    snprintf(text, sizeof text, "%s: no answer in time", query_step_name(query));
    query_give_up(query, -ETIMEDOUT, text);
}

static void free_memory(struct resolver *resolver)
{
    mem_free(resolver->big);
    mem_free(resolver->scratch);
    mem_free(resolver->rewrite);
    recorder_fini(&resolver->recorder);
}

/* Timeouts may run late by this; a client's deadline is set earlier to make up for it. */
enum { TIMER_GRAIN_MS = 20 };

/* --- steps --- */

/* No step wanted the query. */
static enum verdict refuse(struct query *query, void *state)
{
    (void)state;
    return query_error(query, RCODE_REFUSED, EDE_PROHIBITED, NULL);
}

static bool is_wanted(const struct step_set *set, unsigned i)
{
    return step_is_wanted(set->order[i], set->held[i]->data);
}

/* A step whose snapshot is that of `before` keeps its state. */
static void configure_steps(struct resolver *resolver, const struct step_set *set, const struct step_set *before)
{
    struct step_active *active = resolver->active;
    struct step_answering *answering = resolver->answering;
    for (unsigned i = 0; i < set->count; i++) {
        const struct step *step = set->order[i];
        if (step->configure && (!before || before->held[i] != set->held[i]))
            step->configure(resolver->step_state[i], set->held[i]->data);
        if (step->run && is_wanted(set, i))
            *active++ = (struct step_active){step->run, resolver->step_state[i], (uint8_t)i};
    }
    *active = (struct step_active){refuse, NULL, (uint8_t)set->count};
    for (unsigned i = set->count; i-- > 0;)
        if (set->order[i]->answer && is_wanted(set, i))
            *answering++ = (struct step_answering){set->order[i]->answer, resolver->step_state[i], (uint8_t)i};
    resolver->answering_count = (unsigned)(answering - resolver->answering);
}

/* Ends the first `count` steps. */
static void fini_steps(struct resolver *resolver, const struct step_set *set, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (set->order[i]->fini)
            set->order[i]->fini(resolver->step_state[i]);
        mem_free(resolver->step_state[i]);
    }
}

static int init_step(struct resolver *resolver, const struct step *step, void **out)
{
    void *state = step->state_size > 0 ? mem_zalloc(1, step->state_size) : NULL;
    if (!state && step->state_size > 0)
        return -ENOMEM;
    int status = step->init ? step->init(resolver, state) : 0;
    if (status < 0)
        mem_free(state);
    else
        *out = state;
    return status;
}

static int init_steps(struct resolver *resolver, const struct step_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        int status = init_step(resolver, set->order[i], &resolver->step_state[i]);
        if (status < 0) {
            fini_steps(resolver, set, i);
            return status;
        }
    }
    return 0;
}

/* --- start --- */

static void configure_cache(struct cache *cache, const struct config *config)
{
    static const enum cache_cut cuts[] = {
        [NXDOMAIN_CUT_NO] = CUT_NO, [NXDOMAIN_CUT_SECURE] = CUT_SECURE, [NXDOMAIN_CUT_YES] = CUT_YES};
    cache_set_rotation(cache, config->cache.rotate);
    cache_set_cut(cache, cuts[config->cache.nxdomain_cut]);
}

void resolver_configure(struct resolver *resolver, const struct config *config, struct step_set *steps)
{
    struct step_set *before = resolver->steps;
    /* Positions of waiting queries and step states are indexes into the order. */
    assert(!before || before->order == steps->order);
    resolver->steps = step_set_ref(steps);
    configure_steps(resolver, steps, before);
    step_set_unref(before);
    unsigned queries = config->limits.queries_in_flight;
    resolver->config = config;
    if (resolver->cache)
        configure_cache(resolver->cache, config);
    resolver->queries.limit = queries;
    /* A quarter is reserved for dependent lookups; the rest exceeds the number of queries, because a lookup may
     * outlive its waiters by the time of an attempt. */
    resolver->lookups.limit = 8 * (size_t)queries / 3;
    timeouts_set_length(&resolver->answer_by, config->limits.answer_by_ms - TIMER_GRAIN_MS);
    timeouts_set_length(&resolver->stale_after, config->cache.stale_answer_after_ms);
}

int resolver_init(struct resolver *resolver, struct loop *loop, struct counters *counters, const struct config *config,
                  struct cache *cache, struct groups *groups, struct step_set *steps)
{
    *resolver = (struct resolver){
        .loop = loop, .counters = counters, .cache = cache, .groups = groups, .stages = lookup_stages};
    int status = -ENOMEM;
    resolver->big = mem_alloc(RESOLVER_BIG);
    resolver->scratch = mem_zalloc(1, sizeof *resolver->scratch);
    resolver->rewrite = mem_alloc(sizeof *resolver->rewrite);
    if (!resolver->big || !resolver->scratch || !resolver->rewrite || recorder_init(&resolver->recorder) < 0 ||
        table_init(&resolver->queries_by_client, 256) < 0)
        goto fail;
    if (table_init(&resolver->lookups_by_key, 256) < 0)
        goto fail_queries;
    if (shares_init(&resolver->shares) < 0)
        goto fail_lookups;
    status = init_steps(resolver, steps);
    if (status < 0)
        goto fail_shares;
    /* Not zeroed: query_park writes all members that are read. */
    slab_init(&resolver->queries, sizeof(struct query), 0, 0);
    slab_init(&resolver->lookups, sizeof(struct lookup), offsetof(struct lookup, ask) + offsetof(struct ask, past), 0);
    querylog_init(&resolver->querylog, loop, counters);
    timeouts_init(&resolver->answer_by, loop, 0, answer_by_expired);
    timeouts_init(&resolver->stale_after, loop, 0, lookup_stale_due);
    timeouts_init(&resolver->leaves, loop, 0, lookup_leave_due);
    list_init(&resolver->leaving);
    resolver_configure(resolver, config, steps);
    return 0;
fail_shares:
    shares_fini(&resolver->shares);
fail_lookups:
    table_fini(&resolver->lookups_by_key);
fail_queries:
    table_fini(&resolver->queries_by_client);
fail:
    free_memory(resolver);
    return status;
}

void resolver_stop(struct resolver *resolver)
{
    const struct table *lookups = &resolver->lookups_by_key, *queries = &resolver->queries_by_client;
    resolver->stopping = true;
    for (size_t i = 0; i <= lookups->mask; i++)
        while (lookups->buckets[i])
            lookup_fail(container_of(lookups->buckets[i], struct lookup, by_key), ERROR_STOPPING);
    lookups_leave_now(resolver);
    for (size_t i = 0; i <= queries->mask; i++) /* queries that wait in steps */
        while (queries->buckets[i])
            query_give_up(container_of(queries->buckets[i], struct query, by_client), ERROR_STOPPING,
                          error_text(ERROR_STOPPING));
}

void resolver_routes_changed(struct resolver *resolver)
{
    const struct table *queries = &resolver->queries_by_client;
    for (size_t i = 0; i <= queries->mask; i++)
        for (struct table_link *link = queries->buckets[i]; link; link = link->next)
            query_renew_view(container_of(link, struct query, by_client));
}

void resolver_drop_queries(struct resolver *resolver, const void *owner)
{
    const struct table *queries = &resolver->queries_by_client;
    for (size_t i = 0; i <= queries->mask; i++) {
        struct table_link *link = queries->buckets[i], *after;
        for (; link; link = after) {
            struct query *query = container_of(link, struct query, by_client);
            after = link->next;
            if (query->origin.owner == owner)
                query_drop(query, COUNTER_drops_client_gone);
        }
    }
}

void resolver_fini(struct resolver *resolver)
{
    fini_steps(resolver, resolver->steps, resolver->steps->count);
    step_set_unref(resolver->steps);
    querylog_fini(&resolver->querylog);
    timeouts_fini(&resolver->answer_by);
    timeouts_fini(&resolver->stale_after);
    timeouts_fini(&resolver->leaves);
    slab_fini(&resolver->queries);
    slab_fini(&resolver->lookups);
    table_fini(&resolver->queries_by_client);
    table_fini(&resolver->lookups_by_key);
    shares_fini(&resolver->shares);
    free_memory(resolver);
}
