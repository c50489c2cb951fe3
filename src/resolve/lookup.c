/* SPDX-License-Identifier: MIT */
/* Lookups: their stages, and the delivery of the response to all waiters.
 *
 * Invariants:
 *   - a lookup is in the table from lookup_new to lookup_finish or lookup_fail, and all that time one of its stages
 *     waits;
 *   - a lookup that has lost its waiters (timed out or disconnected) goes on: its response still goes into the cache;
 *   - lookup_finish takes the lookup out of the table before it stores the response and calls the waiters: no query
 *     joins a finished lookup;
 *   - nobody joins a lookup from before a flush, whose response may be outdated: a key may have several lookups, one of
 *     each epoch;
 *   - a finished lookup with more than WAITERS_A_TURN waiters stays in resolver->leaving until all were called;
 *   - the depth of a lookup is greater than that of each lookup that waits for it, so waits never form a cycle.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/edit.h"
#include "dns/rewrite.h"
#include "dns/ttl.h"
#include "lookup.h"
#include "refresh.h"
#include "store/store.h"

enum { WAITERS_A_TURN = 1000 }; /* takes about 5 ms */

static void lookup_free(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    if (lookup->leased)
        stored_unlease(lookup);
    upstream_release(lookup->plan);
    resolver->dependent_lookups -= lookup->dependent;
    if (lookup->kept)
        mem_free(lookup->kept);
    if (lookup->stripped)
        mem_free(lookup->stripped);
    if (lookup->validation)
        lookup_end_validation(lookup);
    slab_give(&resolver->lookups, lookup);
    if (resolver->lookups.in_use == 0)
        loop_rest(resolver->loop);
}

/* Takes the lookup out of the table and its share, and stops its stages; its waiters stay. */
static void lookup_close(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    struct list_link *link;
    table_remove(&resolver->lookups_by_key, &lookup->by_key);
    if (lookup->share)
        share_give(&resolver->shares, lookup->share, SHARE_LOOKUPS, &lookup->in_share);
    timeout_stop(&lookup->stale_after);
    if (lookup->get)
        store_forget(lookup->get);
    while ((link = list_first(&lookup->waits)))
        lookup_stop_waiting(container_of(link, struct lookup_wait, in_parent));
    if (lookup->validation)
        lookup_stop_validation(lookup);
    ask_cancel(&lookup->ask);
}

/* --- serving stale answers --- */

static struct waiter *next_for_stale(const struct lookup *lookup)
{
    list_for_each(link, &lookup->waiters) {
        struct waiter *waiter = container_of(link, struct waiter, link);
        if (waiter->take_stale)
            return waiter;
    }
    return NULL;
}

/* Gives expired data to the waiters that accept it; true if no waiter is left. For FAILING_MS further queries of
 * the key get it at once. */
static bool lookup_give_stale(struct lookup *lookup)
{
    struct waiter *waiter = next_for_stale(lookup);
    if (waiter)
        stale_note_failure(lookup->resolver, lookup->by_key.hash);
    while (waiter && waiter->take_stale(waiter))
        waiter = next_for_stale(lookup);
    return list_empty(&lookup->waiters);
}

/* The lookup goes on afterwards, for the cache. */
void lookup_stale_due(struct timeout *timeout)
{
    (void)lookup_give_stale(container_of(timeout, struct lookup, stale_after));
}

/* --- the end --- */

/* Does nothing after a flush or if the group was redefined: the outcome of earlier attempts may be outdated. */
static void lookup_note_failure(struct lookup *lookup, const struct answer *answer, bool doubles)
{
    struct resolver *resolver = lookup->resolver;
    if (lookup->epoch == cache_epoch(resolver->cache) && lookup_is_current(lookup))
        failures_note(refresh_failures(resolver), &lookup->key, lookup->by_key.hash, loop_now(resolver->loop),
                      lookup->epoch, answer, doubles);
}

static bool several_wait(const struct lookup *lookup)
{
    struct list_link *first = list_first(&lookup->waiters);
    return first && list_next(&lookup->waiters, first);
}

void lookup_note_no_response(struct lookup *lookup, bool is_over)
{
    struct answer failure = {.rcode = RCODE_SERVFAIL};
    char text[EDE_TEXT + 1];
    int ede_code;
    enum ask_failure reason = lookup->error ? ASK_UNREACHED : ask_failure(&lookup->ask);
    if (reason == ASK_UNREACHED || (reason == ASK_UNANSWERED && !is_over && several_wait(lookup)))
        return;
    (void)lookup_explain(lookup, !list_empty(&lookup->waiters), &ede_code, text);
    ede_add(&failure.ede, (uint16_t)ede_code, text, strlen(text));
    lookup_note_failure(lookup, &failure, reason == ASK_REJECTED);
}

static void lookup_call_waiters(struct lookup *lookup, const struct answer *answer, unsigned most)
{
    struct list_link *link;
    while (most-- > 0 && (link = list_pop(&lookup->waiters))) {
        struct waiter *waiter = container_of(link, struct waiter, link);
        waiter->done(waiter, answer);
    }
}

/* Calling thousands of waiters in one turn would delay all other queries: the remaining ones are called in later turns. */
static void lookup_leave(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    if (!list_empty(&lookup->waiters) && lookup->answer && !lookup->kept && !lookup_keep(lookup))
        lookup_call_waiters(lookup, lookup->answer, UINT_MAX);
    if (list_empty(&lookup->waiters)) {
        lookup_free(lookup);
        return;
    }
    list_push_back(&resolver->leaving, &lookup->in_leaving);
    if (!list_linked(&resolver->leave.link))
        timeout_start(&resolver->leaves, &resolver->leave);
}

static void lookups_call_waiters(struct resolver *resolver, unsigned most)
{
    struct list leaving;
    struct list_link *link;
    list_init(&leaving);
    list_move_all(&resolver->leaving, &leaving);
    while ((link = list_pop(&leaving))) {
        struct lookup *lookup = container_of(link, struct lookup, in_leaving);
        lookup_call_waiters(lookup, lookup->answer, most);
        lookup_leave(lookup);
    }
}

void lookup_leave_due(struct timeout *timeout)
{
    lookups_call_waiters(container_of(timeout, struct resolver, leave), WAITERS_A_TURN);
}

void lookups_leave_now(struct resolver *resolver)
{
    lookups_call_waiters(resolver, UINT_MAX);
    timeout_stop(&resolver->leave);
}

void lookup_fail(struct lookup *lookup, int reason)
{
    lookup->error = reason;
    lookup->answer = NULL;
    counter_add(lookup->resolver->counters, COUNTER_lookups_failed, 1);
    lookup_close(lookup);
    lookup_give_stale(lookup);
    lookup_note_no_response(lookup, true);
    lookup_call_waiters(lookup, NULL, WAITERS_A_TURN);
    lookup_leave(lookup);
}

/* A validation may wait for keys and DS for seconds. */
static uint64_t received_ms(const struct lookup *lookup)
{
    return lookup->validating_ms ? lookup->validating_ms : loop_now(lookup->resolver->loop);
}

/* The TTLs of a response that was validated count from when it was received. */
static void age_since_receipt(const struct lookup *lookup, struct answer *answer)
{
    uint64_t age_s = (loop_now(lookup->resolver->loop) - lookup->validating_ms) / 1000;
    if (age_s == 0)
        return;
    edit_age(answer->wire, answer->ttl_offsets, answer->ttl_count, (uint32_t)age_s);
    answer->ttl -= answer->ttl < age_s ? answer->ttl : (uint32_t)age_s;
}

/* A response that cannot be stored is still newer than the entry of the key, which must no longer be served, not
 * even as stale data. */
static bool lookup_store(struct lookup *lookup, const struct answer *answer)
{
    struct resolver *resolver = lookup->resolver;
    bool current = lookup_is_current(lookup);
    bool stored =
        answer->ttl > 0 && current &&
        cache_put(resolver->cache, &lookup->key, lookup->by_key.hash, answer, received_ms(lookup), lookup->epoch) == 0;
    counter_add(resolver->counters, stored ? COUNTER_cache_stored : COUNTER_cache_not_stored, 1);
    if (!stored && current && lookup->epoch == cache_epoch(resolver->cache))
        cache_remove(resolver->cache, &lookup->key, lookup->by_key.hash);
    return stored;
}

/* Adds an extended error with the name of the upstream; the first one of a failure also contains the id of the
 * record. */
static void add_named(struct lookup *lookup, struct ede_list *named, const struct ede *ede, const char *source,
                      bool with_id)
{
    char text[EDE_TEXT * 2];
    if (lookup->ede_is_ours)
        snprintf(text, sizeof text, "%.*s", ede->len, ede->text);
    else
        snprintf(text, sizeof text, "%.*s%s%.*s", LOOKUP_SOURCE, source, ede->len ? ": " : "", ede->len, ede->text);
    if (with_id && strlen(text) <= EDE_TEXT)
        lookup_add_id(lookup, text);
    ede_add(named, ede->code, text, strlen(text));
}

/* Prefixes the texts of extended errors, but for our own, with the name of the upstream that sent them. */
static void lookup_name_source(struct lookup *lookup, struct answer *answer)
{
    bool failed = rcode_is_failure(answer->rcode), somebody_waits = !list_empty(&lookup->waiters);
    struct ede_list named;
    if (!failed && answer->ede.count == 0)
        return;
    named.count = 0;
    if (answer->ede.count == 0) { /* the upstream gave no reason: name at least the upstream */
        ede_add(&answer->ede, EDE_OTHER, NULL, 0);
        answer->ede.item[0].len = (uint8_t)snprintf(answer->ede.item[0].text, EDE_TEXT, "the server answered %s",
                                                    answer->rcode == RCODE_SERVFAIL ? "SERVFAIL" : "REFUSED");
    }
    for (unsigned i = 0; i < answer->ede.count; i++)
        add_named(lookup, &named, &answer->ede.item[i], upstream_name(ask_server(&lookup->ask)),
                  failed && somebody_waits && i == 0);
    answer->ede = named;
}

/* Clients do not use the records of a failure, and an error must not be larger than its query. The Question section
 * is built from the key, uncompressed. */
static void strip_to_question(struct answer *answer, const struct key *key)
{
    memset(answer->wire + MESSAGE_HEADER - 6, 0, 6); /* ANCOUNT, NSCOUNT, ARCOUNT */
    answer->len = MESSAGE_HEADER + key->name_len + 4u;
    answer->additional = (uint16_t)answer->len;
    answer->ttl_count = 0;
}

/* Waiters get stale data rather than a failure, unless the failure is due to policy or validation. Failures are
 * never stored: an entry stays until a usable response replaces it. */
static void lookup_finish_failed(struct lookup *lookup, struct answer *answer)
{
    if (!answer_is_verdict(answer))
        lookup_give_stale(lookup);
    lookup_name_source(lookup, answer);
    strip_to_question(answer, &lookup->key);
    lookup_note_failure(lookup, answer, true);
    lookup_close(lookup);
    lookup_call_waiters(lookup, answer, WAITERS_A_TURN);
    lookup_leave(lookup);
}

static struct ttl_limits limits_within(struct ttl_limits limits, uint32_t life_s)
{
    return (struct ttl_limits){
        limits.min < life_s ? limits.min : life_s,
        limits.max < life_s ? limits.max : life_s,
        limits.negative_max < life_s ? limits.negative_max : life_s,
    };
}

static void lookup_finish(struct lookup *lookup, struct answer *answer)
{
    const struct config *config = lookup->resolver->config;
    struct ttl_limits limits = {config->cache.min_ttl, config->cache.max_ttl, config->cache.negative_max_ttl};
    if (rcode_is_failure(answer->rcode) || answer->rcode == RCODE_NOTIMP) {
        lookup_finish_failed(lookup, answer);
        return;
    }
    if (group_is_portal(lookup->group) || lookup->is_unsettled)
        limits = (struct ttl_limits){0, 0, 0}; /* nobody caches it */
    if (lookup->life_s > 0)
        limits = limits_within(limits, lookup->life_s);
    if (lookup->stored)
        limits.min = 0; /* what remains of a TTL is not raised again */
    else
        lookup_name_source(lookup, answer);
    refresh_note_success(lookup->resolver, &lookup->key, lookup->by_key.hash);
    cache_prefetch(lookup->resolver->cache, lookup->by_key.hash);
    ttl_apply(answer, lookup->key.type, &limits);
    cache_prefetch_entry(lookup->resolver->cache, lookup->by_key.hash);
    lookup_close(lookup);
    bool stored = lookup_store(lookup, answer); /* first, so that who has seen the response finds it in the cache */
    if (lookup->validating_ms)
        age_since_receipt(lookup, answer);
    lookup_call_waiters(lookup, answer, WAITERS_A_TURN);
    if (stored && answer->ttl > 0 && lookup->resolver->store && !lookup->stored)
        stored_put(lookup, answer);
    lookup_leave(lookup);
}

/* --- stages --- */

static bool ask_is_wanted(const struct lookup *lookup)
{
    return !lookup->answer;
}

/* As the plan's mode of validation wants it, however the group is defined when an attempt is sent. */
static void start_to_ask(struct lookup *lookup)
{
    lookup->ask.unchecked = upstream_dnssec(lookup->plan) == DNSSEC_MODE_VALIDATE;
    ask_start(&lookup->ask, lookup->group, &lookup->key);
}

static bool ask_begin(struct lookup *lookup)
{
    start_to_ask(lookup);
    if (lookup->resolver->config->dnssec.mode == DNSSEC_MODE_VALIDATE)
        lookup_ask_ahead(lookup);
    return true;
}

const struct lookup_stage lookup_stages[STAGE_DONE] = {
    [STAGE_STORE] = {stored_is_wanted, stored_begin},
    [STAGE_ASK] = {ask_is_wanted, ask_begin},
    [STAGE_VALIDATE] = {lookup_is_validated, lookup_validate},
};

/* Few servers do not compress names. Out of memory: the response stays as it is. */
static void lookup_compress(struct lookup *lookup)
{
    struct answer *original = lookup->answer, shorter;
    if (!original->uncompressed)
        return;
    answer_assign(&shorter, original);
    lookup->answer = &shorter;
    if (!rewrite_compress(&shorter, lookup->resolver->rewrite) || !lookup_keep(lookup))
        lookup->answer = original;
}

bool lookup_advance(struct lookup *lookup, enum stage stage)
{
    for (; stage < STAGE_DONE; stage++) {
        const struct lookup_stage *next = &lookup->resolver->stages[stage];
        lookup->stage = stage;
        if (next->begin && (!next->wanted || next->wanted(lookup)) && next->begin(lookup))
            return true;
    }
    lookup->stage = STAGE_DONE;
    lookup_compress(lookup);
    lookup_finish(lookup, lookup->answer);
    return false;
}

/* A copy of a response that outlives the session's buffer. */
struct kept_response {
    struct answer answer;
    uint16_t ttl_offsets[]; /* then the message */
};

static struct kept_response *copy_response(const struct answer *answer)
{
    size_t offsets = answer->ttl_count * sizeof *answer->ttl_offsets;
    struct kept_response *kept = mem_alloc(sizeof *kept + offsets + answer->len + answer->agent.len);
    if (!kept)
        return NULL;
    kept->answer = *answer;
    kept->answer.wire = (uint8_t *)kept->ttl_offsets + offsets;
    kept->answer.ttl_offsets = kept->ttl_offsets;
    memcpy(kept->ttl_offsets, answer->ttl_offsets, offsets);
    memcpy(kept->answer.wire, answer->wire, answer->len);
    if (answer->agent.len > 0) {
        kept->answer.agent.data = kept->answer.wire + answer->len;
        memcpy(kept->answer.wire + answer->len, answer->agent.data, answer->agent.len);
    }
    return kept;
}

bool lookup_keep(struct lookup *lookup)
{
    struct kept_response *kept = copy_response(lookup->answer);
    if (!kept)
        return false;
    mem_free(lookup->kept);
    lookup->kept = kept;
    lookup->answer = &kept->answer;
    return true;
}

static bool has_surplus(const struct answer *answer, uint16_t qtype)
{
    for (unsigned i = 0; i < answer->ttl_count; i++)
        if (rewrite_needs_dnssec_ok(read_u16(answer->wire + answer->ttl_offsets[i] - 4), qtype))
            return true;
    return false;
}

/* Strips the response once for all waiters if there are several: a large response takes 0.3 ms, and thousands may wait. */
const struct answer *lookup_without_dnssec(struct lookup *lookup, const struct answer *answer, struct answer *room)
{
    if (lookup->stripped)
        return &lookup->stripped->answer;
    if (!has_surplus(answer, lookup->key.type))
        return answer;
    answer_assign(room, answer);
    rewrite_without(room, SURPLUS_DNSSEC, lookup->resolver->rewrite);
    if (!list_empty(&lookup->waiters))
        lookup->stripped = copy_response(room);
    return lookup->stripped ? &lookup->stripped->answer : room;
}

/* Copies the response only if a later stage waits. */
void lookup_respond(struct lookup *lookup, struct answer *answer, enum stage stage)
{
    lookup->answer = answer;
    if (lookup_advance(lookup, stage) && lookup->answer && !lookup_keep(lookup))
        lookup_fail(lookup, -ENOMEM);
}

static void lookup_asked(struct ask *ask, int status, struct answer *answer)
{
    struct lookup *lookup = container_of(ask, struct lookup, ask);
    lookup->stored = false;
    if (status < 0)
        lookup_fail(lookup, 0);
    else
        lookup_respond(lookup, answer, STAGE_ASK + 1);
}

void lookup_ask_afresh(struct lookup *lookup)
{
    lookup->stored = false;
    memset(&lookup->ask, 0, offsetof(struct ask, past));
    lookup->ask.done = lookup_asked;
    start_to_ask(lookup);
}

bool lookup_ask_redefined(struct lookup *lookup)
{
    if (!upstream_was_redefined(lookup->group, lookup->plan))
        return false;
    upstream_release(lookup->plan);
    lookup->plan = upstream_hold(lookup->group);
    lookup_ask_afresh(lookup);
    return true;
}

void lookup_reject(struct lookup *lookup)
{
    mem_free(lookup->kept);
    lookup->kept = NULL;
    lookup->answer = NULL;
    lookup->validating_ms = 0;
    lookup->stage = STAGE_ASK;
}

/* --- starting --- */

/* The key to look up: a response that is to be validated has signatures, and serves clients without DO, too. The hash
 * does not depend on the flags. */
const struct key *lookup_key(const struct resolver *resolver, const struct key *key, struct key *room)
{
    if (resolver->config->dnssec.mode != DNSSEC_MODE_VALIDATE || (key->flags & (KEY_DO | KEY_CD)))
        return key;
    key_copy(room, key);
    room->flags |= KEY_DO;
    return room;
}

struct lookup *lookup_find(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    uint64_t epoch = cache_epoch(resolver->cache);
    struct table_link *link = table_first(&resolver->lookups_by_key, hash);
    for (; link; link = table_next(link)) {
        struct lookup *lookup = container_of(link, struct lookup, by_key);
        if (lookup->epoch == epoch && key_equal(&lookup->key, key))
            return lookup;
    }
    return NULL;
}

/* A quarter of the slab is reserved for dependent lookups. */
static size_t places_for_clients(const struct resolver *resolver)
{
    return resolver->lookups.limit - resolver->lookups.limit / 4;
}

struct lookup *lookup_new(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                          unsigned depth)
{
    bool full = resolver->lookups.in_use - resolver->dependent_lookups >= places_for_clients(resolver);
    struct lookup *lookup = depth == 0 && full ? NULL : slab_take(&resolver->lookups);
    if (!lookup)
        return NULL;
    lookup->resolver = resolver;
    lookup->group = group;
    lookup->plan = upstream_hold(group);
    lookup->depth = (uint8_t)depth;
    lookup->dependent = depth > 0;
    resolver->dependent_lookups += lookup->dependent;
    key_copy(&lookup->key, key);
    lookup->epoch = cache_epoch(resolver->cache);
    lookup->begun_ms = loop_now(resolver->loop);
    list_init(&lookup->waiters);
    list_init(&lookup->waits);
    lookup->ask.done = lookup_asked;
    table_insert(&resolver->lookups_by_key, &lookup->by_key, hash);
    return lookup;
}

/* Earlier attempts may be lost: a client that joins should not depend on them alone. */
static void lookup_renew(struct lookup *lookup)
{
    if (lookup->stage == STAGE_ASK)
        ask_join(&lookup->ask);
}

/* Charges the lookup to the client with the fewest lookups, so that it does not become the next one to be ended
 * because a client with many joins it. */
static void lookup_charge(struct lookup *lookup, struct share *share)
{
    struct shares *shares = &lookup->resolver->shares;
    if (lookup->share) {
        if (lookup->share->part[SHARE_LOOKUPS].count <= share->part[SHARE_LOOKUPS].count + 1)
            return;
        share_give(shares, lookup->share, SHARE_LOOKUPS, &lookup->in_share);
    }
    lookup->share = share;
    share_take(shares, share, SHARE_LOOKUPS, &lookup->in_share);
}

/* At the limit the client network with the most lookups loses the oldest one. */
static bool lookup_make_room(struct resolver *resolver, const struct share *share)
{
    struct list_link *oldest = share_to_lose(&resolver->shares, SHARE_LOOKUPS, share);
    if (!oldest)
        return false;
    counter_add(resolver->counters, COUNTER_lookups_over_share, 1);
    lookup_fail(container_of(oldest, struct lookup, in_share), ERROR_LIMIT);
    return true;
}

static struct lookup *lookup_begin(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                                   const struct share *share)
{
    struct lookup *lookup = lookup_new(resolver, group, key, hash, 0);
    if (!lookup && share && lookup_make_room(resolver, share))
        lookup = lookup_new(resolver, group, key, hash, 0);
    return lookup;
}

bool lookup_join(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                 struct waiter *waiter, struct share *share)
{
    struct key room;
    key = lookup_key(resolver, key, &room);
    struct lookup *lookup = lookup_find(resolver, key, hash);
    bool joined = lookup != NULL;
    if (joined)
        lookup_renew(lookup);
    else
        lookup = lookup_begin(resolver, group, key, hash, share);
    if (!lookup)
        return false;
    if (share)
        lookup_charge(lookup, share);
    waiter->lookup = lookup;
    list_push_back(&lookup->waiters, &waiter->link);
    counter_add(resolver->counters, joined ? COUNTER_lookups_joined : COUNTER_lookups_started, 1);
    if (!list_linked(&lookup->stale_after.link))
        timeout_start(&resolver->stale_after, &lookup->stale_after);
    if (!joined)
        (void)lookup_advance(lookup, STAGE_STORE);
    return true;
}

bool lookup_hurry(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct key room;
    struct lookup *lookup = lookup_find(resolver, lookup_key(resolver, key, &room), hash);
    if (lookup)
        lookup_renew(lookup);
    return lookup != NULL;
}

void waiter_hurry(const struct waiter *waiter)
{
    if (!list_linked(&waiter->lookup->in_leaving))
        lookup_renew(waiter->lookup);
}

bool lookup_new_refresh(struct resolver *resolver, const struct key *key, uint64_t hash, struct lookup **out)
{
    struct group *group = groups_find(resolver->groups, key->group);
    *out = NULL;
    if (resolver->stopping || !group ||
        resolver->lookups.in_use - resolver->dependent_lookups >= places_for_clients(resolver) / 2)
        return false;
    if (!lookup_find(resolver, key, hash))
        *out = lookup_new(resolver, group, key, hash, 0);
    return true;
}

void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct key room;
    struct lookup *lookup;
    (void)lookup_new_refresh(resolver, lookup_key(resolver, key, &room), hash, &lookup);
    if (!lookup)
        return;
    counter_add(resolver->counters, COUNTER_refreshes, 1);
    (void)lookup_advance(lookup, STAGE_STORE);
}
