/* SPDX-License-Identifier: MIT */
/* Questions under way: asked once, answered to everybody who waits for them.
 *
 * Invariants:
 *   - a lookup is in the table from its birth to lookup_finish or lookup_fail, and its ask is under way in between;
 *   - it may lose its waiters (answered late with SERVFAIL, or gone) and go on: its answer still fills the cache;
 *   - lookup_finish takes it out of the table first, then answers, then stores: a waiter never joins a lookup that is over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "base/log.h"
#include "dns/codes.h"
#include "dns/ttl.h"
#include "lookup.h"
#include "refresh.h"

#define SOURCE_MOST                                                                                                    \
    32 /* octets of an upstream's name in the text of an extended error: what is wrong must fit behind it */
#define FAILURE_TTL 2 /* seconds a SERVFAIL or REFUSED is kept (RFC 9520 section 3.2: 1 s to 5 min) */

static void lookup_free(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    upstream_release(lookup->plan);
    slab_give(&resolver->lookups, lookup);
    if (resolver->lookups.in_use == 0)
        loop_rest(resolver->loop);
}

/* Out of the table, nothing under way: from here on it only has waiters. */
static void lookup_close(struct lookup *lookup)
{
    table_remove(&lookup->resolver->lookups_by_key, &lookup->by_key);
    timeout_stop(&lookup->stale_after);
    ask_cancel(&lookup->ask);
}

static struct query *lookup_next_waiter(struct lookup *lookup)
{
    struct list_link *link = list_first(&lookup->waiters);
    return link ? container_of(link, struct query, in_lookup) : NULL;
}

/* --- instead of fresh data --- */

/* As stale_answer, of one that waits. */
static bool answer_stale(struct query *query)
{
    struct cache_found found;
    if (!stale_find(query, &found))
        return false;
    if (lookup_is_worth_it(query, found.answer.rcode))
        lookup_record_answer(query, &found.answer, true);
    query->how = HOW_STALE;
    query->server = ask_server(&query->lookup->ask);
    query_answer(query, &found.answer);
    return true;
}

/* Gives expired data to those who wait; true if nobody waits any more. The key is answered so at once from now on, for a while. */
static bool lookup_answer_stale(struct lookup *lookup)
{
    struct query *query = lookup_next_waiter(lookup);
    if (query)
        stale_note_failure(lookup->resolver, lookup->by_key.hash);
    while (query && answer_stale(query))
        query = lookup_next_waiter(lookup);
    return !query;
}

/* The clients have waited long enough for fresh data; the lookup goes on. */
void lookup_stale_due(struct timeout *timeout)
{
    (void)lookup_answer_stale(container_of(timeout, struct lookup, stale_after));
}

/* --- why it failed --- */

static int ede_of(int error)
{
    switch (error) {
    case ERROR_NO_SERVER:
    case ERROR_THROTTLED:
        return EDE_NO_REACHABLE_AUTHORITY;
    case ERROR_MALFORMED:
    case ERROR_UPSTREAM_ANSWER:
    case ERROR_UPSTREAM_FORMERR:
        return EDE_INVALID_DATA;
    case -ENOMEM:
    case ERROR_LIMIT:
    case ERROR_STOPPING:
        return EDE_OTHER;
    default:
        return EDE_NETWORK_ERROR;
    }
}

static void lookup_explain(struct lookup *lookup, int *ede_code, char text[EDE_TEXT + 1])
{
    struct ask_report report;
    ask_report(&lookup->ask, 0, &report);
    int error = lookup->abandoned ? lookup->abandoned : report.error;
    const char *name = upstream_name(report.where);
    *ede_code = ede_of(error);
    snprintf(text, EDE_TEXT + 1, "%.*s%s%s", SOURCE_MOST, name, name[0] ? ": " : "", error_text(error));
    lookup_add_id(lookup, text);
}

static void fail_query(struct query *query)
{
    char text[EDE_TEXT + 1];
    struct query_outcome outcome = {.rcode = RCODE_SERVFAIL, .text = text};
    lookup_explain(query->lookup, &outcome.ede_code, text);
    outcome.text_len = strlen(text);
    lookup_record(query, &outcome);
    query->server = ask_server(&query->lookup->ask);
    struct ede_list ede = {.count = 0};
    ede_add(&ede, (uint16_t)outcome.ede_code, text, outcome.text_len);
    if (upstream_is_starting(query->lookup->group))
        ede_add(&ede, EDE_NOT_READY, NULL, 0);
    query_error_with(query, RCODE_SERVFAIL, &ede);
}

void lookup_give_up(struct query *query)
{
    if (!answer_stale(query))
        fail_query(query);
}

static void lookup_fail(struct lookup *lookup)
{
    struct query *query;
    counter_add(lookup->resolver->counters, COUNTER_lookups_failed, 1);
    lookup_close(lookup);
    lookup_answer_stale(lookup);
    while ((query = lookup_next_waiter(lookup)))
        fail_query(query);
    lookup_free(lookup);
}

void lookup_abandon(struct lookup *lookup, int reason)
{
    lookup->abandoned = reason;
    lookup_fail(lookup);
}

/* --- an answer --- */

static void lookup_store(struct lookup *lookup, const struct answer *answer)
{
    struct resolver *resolver = lookup->resolver;
    bool wanted = answer->ttl > 0 && !upstream_was_redefined(lookup->group, lookup->plan);
    bool stored = wanted && cache_put(resolver->cache, &lookup->key, lookup->by_key.hash, answer,
                                      loop_now(resolver->loop), lookup->epoch) == 0;
    counter_add(resolver->counters, stored ? COUNTER_cache_stored : COUNTER_cache_not_stored, 1);
}

/* One of them with the server's name; the first one of a failure bears the record's id, too. */
static void add_named(struct lookup *lookup, struct ede_list *named, const struct ede *ede, const char *source,
                      bool with_id)
{
    char text[EDE_TEXT * 2];
    snprintf(text, sizeof text, "%.*s%s%.*s", SOURCE_MOST, source, ede->len ? ": " : "", ede->len, ede->text);
    if (with_id && strlen(text) <= EDE_TEXT)
        lookup_add_id(lookup, text);
    ede_add(named, ede->code, text, strlen(text));
}

/* Extended errors of the upstream bear its name. */
static void lookup_name_source(struct lookup *lookup, struct answer *answer)
{
    bool failed = rcode_is_failure(answer->rcode);
    struct ede_list named;
    if (!failed && answer->ede.count == 0)
        return;
    named.count = 0;
    if (answer->ede.count == 0) { /* it gave no reason: at least say whose word it is */
        ede_add(&answer->ede, EDE_OTHER, NULL, 0);
        answer->ede.item[0].len = (uint8_t)snprintf(answer->ede.item[0].text, EDE_TEXT, "the server answered %s",
                                                    answer->rcode == RCODE_SERVFAIL ? "SERVFAIL" : "REFUSED");
    }
    for (unsigned i = 0; i < answer->ede.count; i++)
        add_named(lookup, &named, &answer->ede.item[i], upstream_name(ask_server(&lookup->ask)), failed && i == 0);
    answer->ede = named;
}

/* What is kept rather than a failure, and not overwritten by it, be it asked for by nobody; but a failed validation is a verdict. */
static bool lookup_finish_stale(struct lookup *lookup, const struct answer *answer)
{
    if (answer_is_conclusive(answer) || answer_is_verdict(answer) || !lookup_answer_stale(lookup))
        return false;
    lookup_close(lookup);
    lookup_free(lookup);
    return true;
}

/* What else comes with a failure helps nobody, and an error is no amplifier. Its question is the key, not compressed. */
static void strip_to_question(struct answer *answer, const struct key *key)
{
    memset(answer->wire + MESSAGE_HEADER - 6, 0, 6); /* ANCOUNT, NSCOUNT, ARCOUNT */
    answer->len = MESSAGE_HEADER + key->name_len + 4u;
    answer->additional = (uint16_t)answer->len;
    answer->ttl_count = 0;
}

static void lookup_finish(struct lookup *lookup, struct answer *answer)
{
    const struct config *config = lookup->resolver->config;
    struct ttl_limits limits = {config->cache.min_ttl, config->cache.max_ttl, config->cache.negative_max_ttl};
    struct query *query;
    if (lookup_finish_stale(lookup, answer))
        return;
    lookup_name_source(lookup, answer);
    if (rcode_is_failure(answer->rcode) || answer->rcode == RCODE_NOTIMP)
        strip_to_question(answer, &lookup->key);
    cache_prefetch(lookup->resolver->cache, lookup->by_key.hash);
    ttl_apply(answer, lookup->key.type, &limits);
    if (rcode_is_failure(answer->rcode))
        answer->ttl = FAILURE_TTL;
    cache_prefetch_entry(lookup->resolver->cache, lookup->by_key.hash);
    lookup_close(lookup);
    while ((query = lookup_next_waiter(lookup))) {
        if (lookup_is_worth_it(query, answer->rcode))
            lookup_record_answer(query, answer, false);
        query->server = ask_server(&lookup->ask);
        query_answer(query, answer);
    }
    lookup_store(lookup, answer); /* last: what it will read is on its way meanwhile */
    lookup_free(lookup);
}

static void lookup_done(struct ask *ask, int status, struct answer *answer)
{
    struct lookup *lookup = container_of(ask, struct lookup, ask);
    if (status < 0)
        lookup_fail(lookup);
    else
        lookup_finish(lookup, answer);
}

/* --- birth --- */

static struct lookup *lookup_find(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct table_link *link = table_first(&resolver->lookups_by_key, hash);
    for (; link; link = table_next(link)) {
        struct lookup *lookup = container_of(link, struct lookup, by_key);
        if (key_equal(&lookup->key, key))
            return lookup;
    }
    return NULL;
}

static struct lookup *lookup_new(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash)
{
    struct lookup *lookup = slab_take(&resolver->lookups);
    if (!lookup)
        return NULL;
    lookup->resolver = resolver;
    lookup->group = group;
    lookup->plan = upstream_hold(group);
    key_copy(&lookup->key, key);
    lookup->epoch = cache_epoch(resolver->cache);
    lookup->begun_ms = loop_now(resolver->loop);
    list_init(&lookup->waiters);
    lookup->ask.done = lookup_done;
    table_insert(&resolver->lookups_by_key, &lookup->by_key, hash);
    return lookup;
}

static void lookup_start(struct lookup *lookup, enum counter why)
{
    counter_add(lookup->resolver->counters, why, 1);
    ask_start(&lookup->ask, lookup->group, &lookup->key);
}

/* The group that serves the query. The routes may have changed since it came: then it is for whoever serves its name now. */
static struct group *find_group(struct query *query)
{
    const struct groups *groups = query->resolver->groups;
    struct group *group = groups_find(groups, query->key.group);
    if (group)
        return group;
    query_route(query);
    return groups_find(groups, query->key.group);
}

enum verdict lookup_join(struct query *query)
{
    struct resolver *resolver = query->resolver;
    struct group *group = find_group(query);
    struct query *parked = query_park(query);
    if (!parked)
        return DROPPED;
    parked->how = HOW_MISS;
    struct lookup *lookup = lookup_find(resolver, &parked->key, parked->hash);
    bool joined = lookup != NULL;
    if (!joined)
        lookup = lookup_new(resolver, group, &parked->key, parked->hash);
    if (!lookup)
        return query_give_up(parked, error_text(ERROR_LIMIT));
    if (joined && list_empty(&lookup->waiters))
        ask_join(&lookup->ask);
    parked->lookup = lookup;
    list_push_back(&lookup->waiters, &parked->in_lookup);
    if (joined)
        counter_add(resolver->counters, COUNTER_lookups_joined, 1);
    else
        lookup_start(lookup, COUNTER_lookups_started);
    if (!list_linked(&lookup->stale_after.link))
        timeout_start(&resolver->stale_after, &lookup->stale_after);
    return WAITING;
}

void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    /* Refreshes never crowd out clients: they get the first half of the places. */
    if (lookup_find(resolver, key, hash) || resolver->stopping ||
        resolver->lookups.in_use >= resolver->lookups.limit / 2)
        return;
    struct group *group = groups_find(resolver->groups, key->group);
    struct lookup *lookup = group ? lookup_new(resolver, group, key, hash) : NULL;
    if (lookup)
        lookup_start(lookup, COUNTER_refreshes);
}
