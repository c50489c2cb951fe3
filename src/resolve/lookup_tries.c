/* SPDX-License-Identifier: MIT */
/* A question's tries: the first, those made again because one failed, and a second one beside it when an answer is late.
 *
 * Invariants:
 *   - while the lookup is in the table at least one of its two tries is live or on trial: a try that fails is sent again, or the other
 *     is waited for, or the lookup ends (lookup_finish, lookup_fail);
 *   - second questions are paid for, 8 in a hundred lookups, but those that rescue what a server or a session has lost.
 */
#include <errno.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "lookup.h"

enum {
    TRIES_MAX = 12,
    DEATHS_BEFORE_ALONE = 2,
    UNSENT_STEP = 50, /* ms between looks at a question that still waits for a session */
    TRIES_OF_THE_SLOW = 3,
    LOST_AFTER = 300, /* ms: the earliest moment at which losses show, see upstream_is_lost */
    LOST_STEP = 100,
    RESCUE_AFTER = 1000, /* ms after which a question that was passed over is asked again, whatever the budget */
    THIRD_AFTER =
        2500, /* ms after the second question, if both were lost with others: a slow server has answered by then; */
    THIRD_AT_LAST = 3200, /* and if both were passed over: just in time for a client that waits for limits.answer-by */
    HEDGE_COST = 100,     /* in hundredths: a second question */
    HEDGE_EARNED = 8,     /* by each lookup: at most 8 % more questions */
    HEDGE_BURST = 20 * HEDGE_COST,
};

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
    return attempt_live(&lookup->tries[0]) || attempt_live(&lookup->tries[1]);
}

static void lookup_send(struct lookup *lookup, struct attempt *try)
{
    lookup->sent++;
    upstream_send(lookup->group, try);
}

static bool lookup_may_try(const struct lookup *lookup)
{
    return !lookup->resolver->stopping && lookup->sent < TRIES_MAX;
}

/* Asks once more because what came back is of no use: another server if there is one. */
static bool lookup_reask(struct lookup *lookup, struct attempt *try)
{
    if (lookup->reasked || !lookup_may_try(lookup))
        return false;
    lookup->reasked = true;
    try->avoid_server = try->server;
    lookup_send(lookup, try);
    return true;
}

/* Another operator may know better; other addresses of this one say the same. */
static bool lookup_reask_other_entry(struct lookup *lookup, struct attempt *try)
{
    if (lookup->reasked || !upstream_has_other(lookup->group, try->server) || !lookup_may_try(lookup) ||
        !hedge_allowed(lookup->resolver))
        return false;
    try->avoid_entry = true;
    return lookup_reask(lookup, try);
}

/* Not a failure of the question alone. */
static bool is_end_of_session(int status)
{
    return status != -ETIMEDOUT && status != ERROR_MALFORMED && status != ERROR_UPSTREAM_ANSWER &&
           status != ERROR_UPSTREAM_FORMERR && status != ERROR_SILENT;
}

/* Whether a try that came to nothing is made again, and how. True: it is live again. */
static bool lookup_try_again(struct lookup *lookup, struct attempt *try, int status)
{
    if (try->sent_ms == 0 || !lookup_may_try(lookup))
        return false; /* it never left: no server could be asked */
    switch (status) {
    case -ETIMEDOUT:
        return false; /* it had all the time there is */
    case ERROR_MALFORMED:
    case ERROR_UPSTREAM_ANSWER:
        return lookup_reask(lookup, try);
    case ERROR_UPSTREAM_FORMERR:
        try->without_edns = !try->without_edns; /* it may know no EDNS (RFC 6891 section 7); else another server may */
        if (!try->without_edns)
            return upstream_has_other(lookup->group, try->server) && lookup_reask(lookup, try);
        break;
    case ERROR_SILENT:
        break;
    default: /* its session died */
        if (try->alone)
            return false; /* see lookup_try_failed */
        lookup->deaths += try->blamed;
        try->alone = lookup->deaths >= DEATHS_BEFORE_ALONE && upstream_may_be_alone(lookup->group);
        try->avoid_server = try->alone ? try->server : NULL;
        counter_add(lookup->resolver->counters, COUNTER_exchanges_resent, 1);
    }
    try->avoid_session = NULL;
    lookup_send(lookup, try);
    return true;
}

/* With nothing else on its session: this question is what the server cannot bear, unless it ended other sessions as well. */
static void lookup_put_on_trial(struct lookup *lookup, struct attempt *try)
{
    lookup->on_trial = try;
    timeout_stop(&lookup->again);
    again_start(lookup, UPSTREAM_COINCIDENCE);
}

static void lookup_judge(struct lookup *lookup)
{
    struct attempt *try = lookup->on_trial;
    lookup->on_trial = NULL;
    if (upstream_lost_others(try) && lookup_may_try(lookup)) {
        counter_add(lookup->resolver->counters, COUNTER_exchanges_resent, 1);
        lookup_send(lookup, try);
        again_start(lookup, upstream_patience(lookup->group, try));
    } else if (!lookup_has_live_try(lookup)) {
        lookup_fail(lookup, lookup->last_error);
    }
}

static void lookup_try_failed(struct lookup *lookup, struct attempt *try, int status)
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
static bool lookup_answer_reasked(struct lookup *lookup, struct attempt *try, const struct answer *answer)
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
    return lookup_is_failure(answer->rcode) && !lookup_is_verdict(answer) && lookup_reask_other_entry(lookup, try);
}

/* What an answer says about the server that gave it, and about one that had failed to. */
static void lookup_judge_servers(const struct attempt *try, const struct answer *answer)
{
    if (!lookup_is_news(answer))
        return;
    upstream_proved(try->server);
    if (try->avoid_entry && try->avoid_server && try->avoid_server != try->server)
        upstream_disproved(try->avoid_server);
}

static void lookup_done(struct lookup *lookup, struct attempt *try, int status, struct answer *answer)
{
    struct attempt *other = try == &lookup->tries[0] ? &lookup->tries[1] : &lookup->tries[0];
    if (status < 0) {
        lookup_try_failed(lookup, try, status);
        return;
    }
    if (lookup_answer_reasked(lookup, try, answer))
        return;
    lookup_judge_servers(try, answer);
    lookup->answered = try;
    if (try == &lookup->tries[1])
        counter_add(lookup->resolver->counters, COUNTER_hedges_won, 1);
    if (other->sent_ms < try->sent_ms) /* asked later it need not be silent: the name is slow */
        upstream_overtaken(other);
    lookup_finish(lookup, answer);
}

static void lookup_first_done(struct attempt *try, int status, struct answer *answer)
{
    lookup_done(container_of(try, struct lookup, tries[0]), try, status, answer);
}

static void lookup_second_done(struct attempt *try, int status, struct answer *answer)
{
    lookup_done(container_of(try, struct lookup, tries[1]), try, status, answer);
}

/* --- a second question --- */

static void hedge_send(struct lookup *lookup)
{
    struct attempt *first = &lookup->tries[0], *second = &lookup->tries[1];
    second->without_edns = first->without_edns;
    second->alone = first->alone && upstream_may_be_alone(lookup->group);
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
    struct attempt *first = &lookup->tries[0], *second = &lookup->tries[1];
    uint64_t waited = loop_now(lookup->resolver->loop) - second->sent_ms;
    if (second->state != ATTEMPT_SENT || lookup->sent >= TRIES_OF_THE_SLOW || !lookup_may_try(lookup))
        return;
    lookup->second_lost |= upstream_is_lost(second);
    if ((waited < THIRD_AFTER || !lookup->second_lost) &&
        (waited < THIRD_AT_LAST || !upstream_is_passed_over(second, RESCUE_AFTER))) {
        again_later(lookup, waited);
        return;
    }
    attempt_cancel(first);
    first->avoid_session = second->session;
    lookup_send(lookup, first);
}

/* May a late question be asked a second time? Out of the budget, if the server answers others, or to find out whether it does. Whatever the
 * budget, if it was lost: it is one of many, or was passed over for long. */
static bool lookup_may_hedge(struct lookup *lookup, uint64_t waited)
{
    struct resolver *resolver = lookup->resolver;
    const struct attempt *first = &lookup->tries[0];
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
    struct attempt *first = &lookup->tries[0];
    uint64_t patience = upstream_patience(lookup->group, first);
    if (lookup->on_trial) {
        lookup_judge(lookup);
        return;
    }
    if (attempt_live(&lookup->tries[1])) {
        lookup_ask_third(lookup);
        return;
    }
    if (first->state != ATTEMPT_SENT) {
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

/* --- the beginning --- */

void lookup_init_tries(struct lookup *lookup)
{
    lookup->tries[0].key = lookup->tries[1].key = &lookup->key;
    lookup->tries[0].done = lookup_first_done;
    lookup->tries[1].done = lookup_second_done;
}

void lookup_ask(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    hedge_earn(resolver);
    lookup_send(lookup, &lookup->tries[0]);
    again_start(lookup, upstream_patience(lookup->group, &lookup->tries[0]));
}

void lookup_ask_anew(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    const struct attempt *first = &lookup->tries[0], *second = &lookup->tries[1];
    uint64_t sent_ms = attempt_live(second) && second->sent_ms > first->sent_ms ? second->sent_ms : first->sent_ms;
    if (!list_empty(&lookup->waiters) || first->state != ATTEMPT_SENT || !lookup_may_try(lookup) ||
        loop_now(resolver->loop) < sent_ms + resolver->config->limits.answer_by_ms)
        return;
    attempt_cancel(&lookup->tries[1]);
    timeout_stop(&lookup->again);
    hedge_send(lookup);
    again_start(lookup, LOST_AFTER);
}
