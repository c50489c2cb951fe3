/* Questions under way: asked once, answered to everybody who waits for them.
 *
 * Invariants:
 *   - a lookup is in the table from its birth to lookup_finish, and at least one of its two tries is live or on trial in between (a
 *     try that fails is sent again, or the other is waited for, or the lookup ends);
 *   - it may lose its waiters (answered late with SERVFAIL, or gone) and go on: its answer still fills the cache;
 *   - lookup_finish takes it out of the table first, then answers: a waiter's next question can only meet the cache.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "base/log.h"
#include "dns/codes.h"
#include "dns/ttl.h"
#include "lookup.h"
#include "refresh.h"

enum {
    TRIES_MAX = 12,
    DEATHS_BEFORE_ALONE = 2,
    FAILURE_TTL = 2,          /* seconds a SERVFAIL or REFUSED is kept (RFC 9520 section 3.2: 1 s to 5 min) */
    UNSENT_STEP = 50,         /* ms between looks at a question that still waits for a session */
    TRIES_OF_THE_SLOW = 3,
    LOST_AFTER = 300,         /* ms: the earliest moment at which losses show, see server_lost */
    LOST_STEP = 100,
    RESCUE_AFTER = 1000,      /* ms after which a question that was passed over is asked again, whatever the budget */
    THIRD_AFTER = 2500,       /* ms after the second question, if both were lost with others: a slow server has answered by then; */
    THIRD_AT_LAST = 3200,     /* and if both were passed over: just in time for a client that waits for limits.answer-by */
    HEDGE_COST = 100,         /* in hundredths: a second question */
    HEDGE_EARNED = 8,         /* by each lookup: at most 8 % more questions */
    HEDGE_BURST = 20 * HEDGE_COST,
};

static void lookup_free(struct lookup *lookup)
{
    upstream_release(lookup->plan);
    slab_give(&lookup->resolver->lookups, lookup);
}

/* Out of the table, nothing live: from here on it only has waiters. */
static void lookup_close(struct lookup *lookup)
{
    table_remove(&lookup->resolver->lookups_by_key, &lookup->by_key);
    timeout_stop(&lookup->again);
    timeout_stop(&lookup->stale_after);
    exchange_cancel(&lookup->tries[0]);
    exchange_cancel(&lookup->tries[1]);
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
    query->server = lookup_last_try(query->lookup)->server;
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
        return EDE_NO_REACHABLE_AUTHORITY;
    case ERROR_MALFORMED:
    case ERROR_UPSTREAM_ANSWER:
        return EDE_INVALID_DATA;
    case ERROR_LIMIT:
    case ERROR_STOPPING:
        return EDE_OTHER;
    default:
        return EDE_NETWORK_ERROR;
    }
}

static void lookup_explain(struct lookup *lookup, int *ede_code, char text[EDE_TEXT + 1])
{
    int error = lookup->last_error;
    struct server *where = lookup->last_server;
    if (!error && lookup->tries[0].state == EXCHANGE_SENT) {
        error = -ETIMEDOUT; /* asked, and not answered in time */
        where = lookup->tries[0].server;
    } else if (!error) {
        error = upstream_last_error(lookup->resolver->group, &where);
    }
    const char *name = upstream_name(where);
    *ede_code = ede_of(error);
    snprintf(text, EDE_TEXT + 1, "%s%s%s", name, name[0] ? ": " : "", error_text(error));
    lookup_add_id(lookup, text);
}

static void fail_query(struct query *query)
{
    char text[EDE_TEXT + 1];
    struct outcome outcome = {.rcode = RCODE_SERVFAIL, .text = text};
    lookup_explain(query->lookup, &outcome.ede_code, text);
    outcome.text_len = strlen(text);
    lookup_record(query, &outcome);
    query->server = lookup_last_try(query->lookup)->server;
    query_error(query, RCODE_SERVFAIL, outcome.ede_code, text);
}

void lookup_give_up(struct query *query)
{
    if (!answer_stale(query))
        fail_query(query);
}

static void lookup_fail(struct lookup *lookup, int reason)
{
    struct query *query;
    lookup->last_error = reason;
    counter_add(lookup->resolver->counters, COUNTER_lookups_failed, 1);
    log_debug("resolve", "a question came to nothing after %u tries, %u sessions ended: %s", lookup->sent, lookup->deaths,
              error_text(reason));
    lookup_close(lookup);
    lookup_answer_stale(lookup);
    while ((query = lookup_next_waiter(lookup)))
        fail_query(query);
    lookup_free(lookup);
}

void lookup_abandon(struct lookup *lookup, int reason)
{
    lookup_fail(lookup, reason);
}

/* --- an answer --- */

static void lookup_store(struct lookup *lookup, const struct answer *answer)
{
    struct resolver *resolver = lookup->resolver;
    bool stored = answer->ttl > 0 && cache_put(resolver->cache, &lookup->key, lookup->by_key.hash, answer,
                                               loop_now(resolver->loop), lookup->epoch) == 0;
    counter_add(resolver->counters, stored ? COUNTER_cache_stored : COUNTER_cache_not_stored, 1);
}

/* One of them with the server's name; the first one of a failure bears the record's id, too. */
static void add_named(struct lookup *lookup, struct ede_list *named, const struct ede *ede, const char *source, bool with_id)
{
    char text[EDE_TEXT * 2];
    snprintf(text, sizeof text, "%.32s%s%.*s", source, ede->len ? ": " : "", ede->len, ede->text);
    if (with_id && strlen(text) <= EDE_TEXT)
        lookup_add_id(lookup, text);
    ede_add(named, ede->code, text, strlen(text));
}

/* Extended errors of the upstream bear its name. */
static void lookup_name_source(struct lookup *lookup, struct answer *answer, const struct server *server)
{
    bool failed = lookup_is_failure(answer->rcode);
    struct ede_list named = {.count = 0};
    if (failed && answer->ede.count == 0) { /* it gave no reason: at least say whose word it is */
        ede_add(&answer->ede, EDE_OTHER, NULL, 0);
        answer->ede.item[0].len = (uint8_t)snprintf(answer->ede.item[0].text, EDE_TEXT, "the server answered %s",
                                                    answer->rcode == RCODE_SERVFAIL ? "SERVFAIL" : "REFUSED");
    }
    for (unsigned i = 0; i < answer->ede.count; i++)
        add_named(lookup, &named, &answer->ede.item[i], upstream_name(server), failed && i == 0);
    answer->ede = named;
}

/* Extended errors that another server of any operator would give as well: policy and validation. */
static bool is_verdict(const struct answer *answer)
{
    for (unsigned i = 0; i < answer->ede.count; i++) {
        uint16_t code = answer->ede.item[i].code;
        if (code == 1 || code == 2 || (code >= 5 && code <= 12) || (code >= 15 && code <= 18) || code == 27)
            return true;
    }
    return false;
}

/* Only these say how things are; anything else is a failure to find out (RFC 8767 section 4). */
static bool is_refreshed(const struct answer *answer)
{
    return answer->rcode == RCODE_NOERROR || answer->rcode == RCODE_NXDOMAIN;
}

/* What is kept rather than a failure, and not overwritten by it, be it asked for by nobody; but a failed validation is a verdict. */
static bool lookup_finish_stale(struct lookup *lookup, const struct answer *answer)
{
    if (is_refreshed(answer) || is_verdict(answer) || !lookup_answer_stale(lookup))
        return false;
    lookup_close(lookup);
    lookup_free(lookup);
    return true;
}

static void lookup_finish(struct lookup *lookup, struct answer *answer)
{
    const struct config *config = lookup->resolver->config;
    struct ttl_limits limits = {config->cache.min_ttl, config->cache.max_ttl, config->cache.negative_max_ttl};
    struct query *query;
    if (lookup_finish_stale(lookup, answer))
        return;
    cache_prefetch(lookup->resolver->cache, lookup->by_key.hash);
    ttl_apply(answer, lookup->key.type, &limits);
    if (lookup_is_failure(answer->rcode))
        answer->ttl = FAILURE_TTL;
    cache_prefetch_entry(lookup->resolver->cache, lookup->by_key.hash);
    lookup_close(lookup);
    while ((query = lookup_next_waiter(lookup))) {
        if (lookup_is_worth_it(query, answer->rcode))
            lookup_record_answer(query, answer, false);
        query->server = lookup->answered->server;
        query_answer(query, answer);
    }
    lookup_store(lookup, answer); /* last: what it will read is on its way meanwhile */
    lookup_free(lookup);
}

/* --- what second questions may cost --- */

static bool hedge_allowed(struct resolver *resolver)
{
    if (resolver->hedge_debt + HEDGE_COST > HEDGE_BURST)
        return false;
    resolver->hedge_debt += HEDGE_COST;
    return true;
}

static void hedge_earn(struct resolver *resolver)
{
    resolver->hedge_debt -= resolver->hedge_debt < HEDGE_EARNED ? resolver->hedge_debt : HEDGE_EARNED;
}

/* Starts the timeout whose length is the shortest that is not below `ms`. */
static void again_start(struct lookup *lookup, uint64_t ms)
{
    struct resolver *resolver = lookup->resolver;
    unsigned i = 0;
    while (i < RESOLVER_AGAIN - 1 && resolver->again[i].length_ms < ms)
        i++;
    timeout_start(&resolver->again[i], &lookup->again);
}

/* --- tries --- */

static bool lookup_has_live_try(const struct lookup *lookup)
{
    return exchange_live(&lookup->tries[0]) || exchange_live(&lookup->tries[1]);
}

static void lookup_send(struct lookup *lookup, struct exchange *try)
{
    lookup->sent++;
    upstream_send(lookup->resolver->group, try);
}

static bool lookup_may_try(const struct lookup *lookup)
{
    return !lookup->resolver->stopping && lookup->sent < TRIES_MAX;
}

/* Asks once more because what came back is of no use: another server if there is one. */
static bool lookup_reask(struct lookup *lookup, struct exchange *try)
{
    if (lookup->reasked || !lookup_may_try(lookup))
        return false;
    lookup->reasked = true;
    try->avoid_server = try->server;
    lookup_send(lookup, try);
    return true;
}

/* Another operator may know better; other addresses of this one say the same. */
static bool lookup_reask_other_entry(struct lookup *lookup, struct exchange *try)
{
    if (lookup->reasked || !upstream_has_other(lookup->resolver->group, try->server) || !lookup_may_try(lookup) ||
        !hedge_allowed(lookup->resolver))
        return false;
    try->avoid_entry = true;
    return lookup_reask(lookup, try);
}

/* Not a failure of the question alone. */
static bool is_end_of_session(int status)
{
    return status != -ETIMEDOUT && status != ERROR_MALFORMED && status != ERROR_UPSTREAM_ANSWER && status != ERROR_SILENT;
}

/* Whether a try that came to nothing is made again, and how. True: it is live again. */
static bool lookup_try_again(struct lookup *lookup, struct exchange *try, int status)
{
    if (try->sent_ms == 0 || !lookup_may_try(lookup))
        return false; /* it never left: no server could be asked */
    switch (status) {
    case -ETIMEDOUT:
        return false; /* it had all the time there is */
    case ERROR_MALFORMED:
        return lookup_reask(lookup, try);
    case ERROR_UPSTREAM_ANSWER:
        if (try->without_edns)
            return lookup_reask(lookup, try);
        try->without_edns = true; /* a server that knows no EDNS (RFC 6891 section 7) */
        break;
    case ERROR_SILENT:
        break;
    default: /* its session died */
        if (try->alone)
            return false; /* see lookup_try_failed */
        lookup->deaths += try->blamed;
        try->alone = lookup->deaths >= DEATHS_BEFORE_ALONE && upstream_may_be_alone(lookup->resolver->group);
        try->avoid_server = try->alone ? try->server : NULL;
        counter_add(lookup->resolver->counters, COUNTER_exchanges_resent, 1);
    }
    try->avoid_session = NULL;
    lookup_send(lookup, try);
    return true;
}

/* With nothing else on its session: this question is what the server cannot bear, unless it ended other sessions as well. */
static void lookup_put_on_trial(struct lookup *lookup, struct exchange *try)
{
    lookup->on_trial = try;
    timeout_stop(&lookup->again);
    again_start(lookup, UPSTREAM_COINCIDENCE);
}

static void lookup_judge(struct lookup *lookup)
{
    struct exchange *try = lookup->on_trial;
    lookup->on_trial = NULL;
    if (upstream_lost_others(try) && lookup_may_try(lookup)) {
        counter_add(lookup->resolver->counters, COUNTER_exchanges_resent, 1);
        lookup_send(lookup, try);
        again_start(lookup, upstream_patience(lookup->resolver->group, try));
    } else if (!lookup_has_live_try(lookup)) {
        lookup_fail(lookup, lookup->last_error);
    }
}

static void lookup_try_failed(struct lookup *lookup, struct exchange *try, int status)
{
    lookup->last_error = status;
    lookup->last_server = try->server;
    if (lookup_try_again(lookup, try, status))
        return;
    if (try->alone && try->sent_ms && !lookup->on_trial && is_end_of_session(status))
        lookup_put_on_trial(lookup, try);
    else if (!lookup_has_live_try(lookup) && !lookup->on_trial)
        lookup_fail(lookup, status);
}

/* Of these a client can make something; any other is about what we made of its question (RFC 1035 section 4.1.1, RFC 6891). */
static bool is_for_clients(uint16_t rcode)
{
    return rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_YXDOMAIN || rcode == RCODE_NOTIMP ||
           lookup_is_failure(rcode);
}

/* True if the answer is not the last word: the question was asked again, or has failed. */
static bool lookup_answer_reasked(struct lookup *lookup, struct exchange *try, const struct answer *answer)
{
    if (answer->truncated) { /* over TCP: the server is broken; never given to a client */
        lookup_try_failed(lookup, try, ERROR_MALFORMED);
        return true;
    }
    if (answer->rcode == RCODE_REFUSED)
        upstream_refused(try->server);
    if (!is_for_clients(answer->rcode)) {
        lookup_try_failed(lookup, try, ERROR_UPSTREAM_ANSWER);
        return true;
    }
    return lookup_is_failure(answer->rcode) && !is_verdict(answer) && lookup_reask_other_entry(lookup, try);
}

/* What an answer says about the server that gave it, and about one that had failed to. */
static void lookup_judge_servers(const struct exchange *try, const struct answer *answer)
{
    if (!is_refreshed(answer))
        return;
    upstream_proved(try->server);
    if (try->avoid_entry && try->avoid_server && try->avoid_server != try->server)
        upstream_disproved(try->avoid_server);
}

static void lookup_done(struct lookup *lookup, struct exchange *try, int status, struct answer *answer)
{
    struct exchange *other = try == &lookup->tries[0] ? &lookup->tries[1] : &lookup->tries[0];
    if (status < 0) {
        lookup_try_failed(lookup, try, status);
        return;
    }
    if (lookup_answer_reasked(lookup, try, answer))
        return;
    lookup_judge_servers(try, answer);
    lookup->answered = try;
    lookup_name_source(lookup, answer, try->server);
    if (try == &lookup->tries[1])
        counter_add(lookup->resolver->counters, COUNTER_hedges_won, 1);
    if (other->sent_ms < try->sent_ms) /* asked later it need not be silent: the name is slow */
        upstream_overtaken(other);
    lookup_finish(lookup, answer);
}

static void lookup_first_done(struct exchange *try, int status, struct answer *answer)
{
    lookup_done(container_of(try, struct lookup, tries[0]), try, status, answer);
}

static void lookup_second_done(struct exchange *try, int status, struct answer *answer)
{
    lookup_done(container_of(try, struct lookup, tries[1]), try, status, answer);
}

/* --- a second question --- */

static void hedge_send(struct lookup *lookup)
{
    struct exchange *first = &lookup->tries[0], *second = &lookup->tries[1];
    second->without_edns = first->without_edns;
    second->alone = first->alone && upstream_may_be_alone(lookup->resolver->group);
    second->avoid_server = first->server;
    second->avoid_session = first->session;
    counter_add(lookup->resolver->counters, COUNTER_hedges_sent, 1);
    lookup_send(lookup, second);
}

/* Looks again when it has waited twice as long, and, when losses show, more often. */
static void again_later(struct lookup *lookup, uint64_t waited)
{
    if (waited >= LOST_AFTER)
        again_start(lookup, LOST_STEP);
    else
        again_start(lookup, 2 * waited > LOST_AFTER ? LOST_AFTER - waited : waited);
}

/* Both were asked: one may be of those that the server lost, with the other. The first place is taken for a third question. */
static void lookup_ask_third(struct lookup *lookup)
{
    struct exchange *first = &lookup->tries[0], *second = &lookup->tries[1];
    uint64_t waited = loop_now(lookup->resolver->loop) - second->sent_ms;
    if (second->state != EXCHANGE_SENT || lookup->sent >= TRIES_OF_THE_SLOW || !lookup_may_try(lookup))
        return;
    lookup->second_lost |= upstream_is_lost(second);
    if ((waited < THIRD_AFTER || !lookup->second_lost) &&
        (waited < THIRD_AT_LAST || !upstream_is_passed_over(second, RESCUE_AFTER))) {
        again_later(lookup, waited);
        return;
    }
    exchange_cancel(first);
    first->avoid_session = second->session;
    lookup_send(lookup, first);
}

/* May a late question be asked a second time? Out of the budget, if the server answers others, or to find out whether it does. Whatever the
 * budget, if it was lost: it is one of many, or was passed over for long. */
static bool lookup_may_hedge(struct lookup *lookup, uint64_t waited)
{
    struct resolver *resolver = lookup->resolver;
    const struct exchange *first = &lookup->tries[0];
    bool passed_over = upstream_is_passed_over(first, 0);
    if (!passed_over && !upstream_may_probe(first))
        return false;
    if (hedge_allowed(resolver) || upstream_is_lost(first) ||
        (waited >= RESCUE_AFTER && upstream_is_passed_over(first, RESCUE_AFTER / 2)))
        return true;
    counter_add(resolver->counters, COUNTER_hedges_denied, 1);
    return false;
}

/* Is the answer late? Then the question is asked once more, elsewhere. One that has not left yet is the pool's matter, and one that
 * left later than this timeout was started (it waited, or was sent again) gets its full time. */
void lookup_ask_again(struct timeout *timeout)
{
    struct lookup *lookup = container_of(timeout, struct lookup, again);
    struct resolver *resolver = lookup->resolver;
    struct exchange *first = &lookup->tries[0];
    uint64_t patience = upstream_patience(resolver->group, first);
    if (lookup->on_trial) {
        lookup_judge(lookup);
        return;
    }
    if (exchange_live(&lookup->tries[1])) {
        lookup_ask_third(lookup);
        return;
    }
    if (first->state != EXCHANGE_SENT) {
        again_start(lookup, patience > UNSENT_STEP ? patience : UNSENT_STEP);
        return;
    }
    uint64_t waited = loop_now(resolver->loop) - first->sent_ms;
    if (waited < patience) {
        again_start(lookup, patience - waited);
    } else if (lookup_may_try(lookup) && lookup_may_hedge(lookup, waited)) {
        hedge_send(lookup);
        again_start(lookup, LOST_AFTER);
    } else {
        again_later(lookup, waited);
    }
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

static struct lookup *lookup_new(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct lookup *lookup = slab_take(&resolver->lookups);
    if (!lookup)
        return NULL;
    lookup->resolver = resolver;
    lookup->plan = upstream_hold(resolver->group);
    lookup->key = *key;
    lookup->epoch = cache_epoch(resolver->cache);
    lookup->begun_ms = loop_now(resolver->loop);
    list_init(&lookup->waiters);
    lookup->tries[0].key = lookup->tries[1].key = &lookup->key;
    lookup->tries[0].done = lookup_first_done;
    lookup->tries[1].done = lookup_second_done;
    table_insert(&resolver->lookups_by_key, &lookup->by_key, hash);
    return lookup;
}

static void lookup_start(struct lookup *lookup, enum counter why)
{
    struct resolver *resolver = lookup->resolver;
    hedge_earn(resolver);
    counter_add(resolver->counters, why, 1);
    lookup_send(lookup, &lookup->tries[0]);
    again_start(lookup, upstream_patience(resolver->group, &lookup->tries[0]));
}

/* Everybody who waited has given up: who comes now is not left to the questions that were in vain. Their answers still count. */
static void lookup_revive(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    const struct exchange *first = &lookup->tries[0], *second = &lookup->tries[1];
    uint64_t sent_ms = exchange_live(second) && second->sent_ms > first->sent_ms ? second->sent_ms : first->sent_ms;
    if (!list_empty(&lookup->waiters) || first->state != EXCHANGE_SENT || !lookup_may_try(lookup) ||
        loop_now(resolver->loop) < sent_ms + resolver->config->limits.answer_by_ms)
        return;
    exchange_cancel(&lookup->tries[1]);
    timeout_stop(&lookup->again);
    hedge_send(lookup);
    again_start(lookup, LOST_AFTER);
}

bool lookup_join(struct query *query)
{
    struct resolver *resolver = query->resolver;
    struct query *parked = query_park(query);
    if (!parked)
        return false;
    struct lookup *lookup = lookup_find(resolver, &parked->key, parked->hash);
    bool joined = lookup != NULL;
    if (!joined)
        lookup = lookup_new(resolver, &parked->key, parked->hash);
    if (!lookup) {
        query_error(parked, RCODE_SERVFAIL, EDE_OTHER, error_text(ERROR_LIMIT));
        return false;
    }
    if (joined)
        lookup_revive(lookup);
    parked->lookup = lookup;
    list_push_back(&lookup->waiters, &parked->in_lookup);
    if (joined)
        counter_add(resolver->counters, COUNTER_lookups_joined, 1);
    else
        lookup_start(lookup, COUNTER_lookups_started);
    if (!list_linked(&lookup->stale_after.link))
        timeout_start(&resolver->stale_after, &lookup->stale_after);
    return true;
}

void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    /* Refreshes never crowd out clients: they get the first half of the places. */
    if (lookup_find(resolver, key, hash) || resolver->stopping ||
        resolver->lookups.in_use >= resolver->lookups.limit / 2)
        return;
    struct lookup *lookup = lookup_new(resolver, key, hash);
    if (lookup)
        lookup_start(lookup, COUNTER_refreshes);
}
