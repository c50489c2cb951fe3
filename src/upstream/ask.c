/* SPDX-License-Identifier: MIT */
/* All attempts of one lookup: the first attempt, retries, hedges, isolation.
 *
 * Invariants:
 *   - ask_event is the only function that changes the state; the state says how many attempts are live;
 *   - each attempt that ends gets one entry in the history, except the one that brings the response; the history
 *     and the other live attempt determine what the next attempt avoids;
 *   - the budget limits hedges to 8 in a hundred lookups, except those for queries that a server dropped or that
 *     are on a silent session; and retries after a failure that another upstream did not answer better.
 */
#include <assert.h>
#include <errno.h>
#include "ask_rows.h"
#include "base/errors.h"
#include "dns/chain.h"
#include "dns/codes.h"
#include "group.h"
#include "upstream/ask.h"
#include "upstream/upstream.h"

/* --- the state table --- */

const struct ask_row ask_rows[] = {
    {ASK_IDLE, EVENT_START, ACTION_SEND, ASK_ONE},

    {ASK_ONE, OUTCOME_RESPONSE, ACTION_DELIVER, ASK_IDLE},
    {ASK_ONE, OUTCOME_FAILURE, ACTION_RETRY_PAID, ASK_ONE},
    {ASK_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE},
    {ASK_ONE, OUTCOME_UNUSABLE, ACTION_RETRY_ONCE, ASK_ONE},
    {ASK_ONE, OUTCOME_UNUSABLE, ACTION_RETRY_PAID, ASK_ONE},
    {ASK_ONE, OUTCOME_UNUSABLE, ACTION_FAIL, ASK_IDLE},
    {ASK_ONE, OUTCOME_NO_EDNS, ACTION_RETRY, ASK_ONE}, /* without EDNS (RFC 6891 section 7) */
    {ASK_ONE, OUTCOME_NO_EDNS, ACTION_FAIL, ASK_IDLE},
    {ASK_ONE, OUTCOME_FORMERR, ACTION_RETRY_ELSEWHERE, ASK_ONE},
    {ASK_ONE, OUTCOME_FORMERR, ACTION_RETRY_PAID, ASK_ONE},
    {ASK_ONE, OUTCOME_FORMERR, ACTION_FAIL, ASK_IDLE},
    {ASK_ONE, OUTCOME_LOST, ACTION_RESEND, ASK_ONE}, /* isolated after the second loss */
    {ASK_ONE, OUTCOME_LOST, ACTION_FAIL, ASK_IDLE},
    {ASK_ONE, OUTCOME_LOST_EXPLAINED, ACTION_RESEND, ASK_ONE},
    {ASK_ONE, OUTCOME_LOST_EXPLAINED, ACTION_FAIL, ASK_IDLE},
    {ASK_ONE, OUTCOME_LOST_ISOLATED, ACTION_SUSPECT, ASK_SUSPECT},
    {ASK_ONE, OUTCOME_SILENT, ACTION_RETRY, ASK_ONE},
    {ASK_ONE, OUTCOME_SILENT, ACTION_FAIL, ASK_IDLE},
    {ASK_ONE, OUTCOME_TIMEOUT, ACTION_FAIL, ASK_IDLE}, /* no time is left for a retry */
    {ASK_ONE, OUTCOME_UNSENT, ACTION_FAIL, ASK_IDLE},
    {ASK_ONE, EVENT_LOOK, ACTION_HEDGE, ASK_TWO},
    {ASK_ONE, EVENT_LOOK, ACTION_HEDGE_ANEW, ASK_TWO},
    {ASK_ONE, EVENT_LOOK, ACTION_LOOK, ASK_ONE},
    {ASK_ONE, EVENT_SILENT, ACTION_RESCUE, ASK_TWO},
    {ASK_ONE, EVENT_SILENT, ACTION_STAY, ASK_ONE},
    {ASK_ONE, EVENT_JOIN, ACTION_HEDGE_ANEW, ASK_TWO},
    {ASK_ONE, EVENT_JOIN, ACTION_AWAIT, ASK_ONE},
    {ASK_ONE, EVENT_CANCEL, ACTION_END, ASK_IDLE},

    {ASK_TWO, OUTCOME_RESPONSE, ACTION_DELIVER, ASK_IDLE},
    {ASK_TWO, OUTCOME_FAILURE, ACTION_RETRY_PAID, ASK_TWO},
    {ASK_TWO, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE},
    {ASK_TWO, OUTCOME_UNUSABLE, ACTION_RETRY_ONCE, ASK_TWO},
    {ASK_TWO, OUTCOME_UNUSABLE, ACTION_STAY, ASK_ONE},
    {ASK_TWO, OUTCOME_NO_EDNS, ACTION_RETRY, ASK_TWO},
    {ASK_TWO, OUTCOME_NO_EDNS, ACTION_STAY, ASK_ONE},
    {ASK_TWO, OUTCOME_FORMERR, ACTION_RETRY_ELSEWHERE, ASK_TWO},
    {ASK_TWO, OUTCOME_FORMERR, ACTION_STAY, ASK_ONE},
    {ASK_TWO, OUTCOME_LOST, ACTION_RESEND_BESIDE, ASK_TWO},
    {ASK_TWO, OUTCOME_LOST, ACTION_STAY, ASK_ONE},
    {ASK_TWO, OUTCOME_LOST_EXPLAINED, ACTION_RESEND, ASK_TWO},
    {ASK_TWO, OUTCOME_LOST_EXPLAINED, ACTION_STAY, ASK_ONE},
    {ASK_TWO, OUTCOME_LOST_ISOLATED, ACTION_SUSPECT, ASK_SUSPECT_ONE},
    {ASK_TWO, OUTCOME_SILENT, ACTION_RETRY_BESIDE, ASK_TWO},
    {ASK_TWO, OUTCOME_SILENT, ACTION_STAY, ASK_ONE},
    {ASK_TWO, OUTCOME_TIMEOUT, ACTION_STAY, ASK_ONE},
    {ASK_TWO, OUTCOME_UNSENT, ACTION_STAY, ASK_ONE},
    {ASK_TWO, EVENT_LOOK, ACTION_HEDGE_AGAIN, ASK_TWO},
    {ASK_TWO, EVENT_LOOK, ACTION_HEDGE_ANEW, ASK_TWO},
    {ASK_TWO, EVENT_LOOK, ACTION_LOOK, ASK_TWO},
    {ASK_TWO, EVENT_SILENT, ACTION_STAY, ASK_TWO},
    {ASK_TWO, EVENT_JOIN, ACTION_HEDGE_ANEW, ASK_TWO},
    {ASK_TWO, EVENT_JOIN, ACTION_AWAIT, ASK_TWO},
    {ASK_TWO, EVENT_CANCEL, ACTION_END, ASK_IDLE},

    {ASK_SUSPECT, EVENT_LOOK, ACTION_RESEND_CLEARED, ASK_ONE},
    {ASK_SUSPECT, EVENT_LOOK, ACTION_FAIL, ASK_IDLE}, /* the query makes the server end sessions */
    {ASK_SUSPECT, EVENT_JOIN, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT, EVENT_CANCEL, ACTION_END, ASK_IDLE},

    {ASK_SUSPECT_ONE, OUTCOME_RESPONSE, ACTION_DELIVER, ASK_IDLE},
    {ASK_SUSPECT_ONE, OUTCOME_FAILURE, ACTION_RETRY_PAID, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE},
    {ASK_SUSPECT_ONE, OUTCOME_UNUSABLE, ACTION_RETRY_ONCE, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, OUTCOME_UNUSABLE, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_NO_EDNS, ACTION_RETRY, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, OUTCOME_NO_EDNS, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_FORMERR, ACTION_RETRY_ELSEWHERE, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, OUTCOME_FORMERR, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_LOST, ACTION_RESEND, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, OUTCOME_LOST, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_LOST_EXPLAINED, ACTION_RESEND, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, OUTCOME_LOST_EXPLAINED, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_LOST_ISOLATED, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_SILENT, ACTION_RETRY, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, OUTCOME_SILENT, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_TIMEOUT, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, OUTCOME_UNSENT, ACTION_STAY, ASK_SUSPECT},
    {ASK_SUSPECT_ONE, EVENT_LOOK, ACTION_RESEND_CLEARED, ASK_TWO},
    {ASK_SUSPECT_ONE, EVENT_LOOK, ACTION_LOOK, ASK_ONE},
    {ASK_SUSPECT_ONE, EVENT_SILENT, ACTION_STAY, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, EVENT_JOIN, ACTION_STAY, ASK_SUSPECT_ONE},
    {ASK_SUSPECT_ONE, EVENT_CANCEL, ACTION_END, ASK_IDLE},
};
const unsigned ask_row_count = sizeof ask_rows / sizeof *ask_rows;

enum {
    LOSSES_BEFORE_ISOLATION = 2,
    UNSENT_STEP = 50, /* ms between checks of an attempt that still waits for a session */
    ATTEMPTS_WHEN_LATE = 3,
    ATTEMPTS_WHEN_UNHEARD = 5, /* all sessions of a server may have been lost */
    DROPPED_AFTER = 300,       /* ms: drops cannot be recognized earlier, see server_lost */
    DROPPED_STEP = 100,
    /* ms after which an attempt is hedged regardless of the budget if later queries were answered. */
    RESCUE_AFTER = 1000,
    /* ms after the hedge, if it was dropped with others: a slow server would have responded by then */
    AGAIN_AFTER = 2500,
    AGAIN_AT_LAST = 3100, /* ms after the hedge, if later queries were answered: just in time for limits.answer-by */
    JOINED_AFTER = 1000,  /* ms after the latest attempt before a client that joined causes another one */
    HEDGE_COST = 100,     /* of one hedge, in hundredths */
    HEDGE_EARNED = 8,     /* by one lookup, in hundredths: at most 8 % more queries */
    HEDGE_BURST = 20 * HEDGE_COST,
};

/* --- the history, and which servers and sessions to avoid --- */

#define OUTCOME_BIT(outcome) (1u << (outcome))
static const unsigned useless_bits =
    OUTCOME_BIT(OUTCOME_FAILURE) | OUTCOME_BIT(OUTCOME_UNUSABLE) | OUTCOME_BIT(OUTCOME_FORMERR);
static const unsigned lost_bits =
    OUTCOME_BIT(OUTCOME_LOST) | OUTCOME_BIT(OUTCOME_LOST_EXPLAINED) | OUTCOME_BIT(OUTCOME_LOST_ISOLATED);

static void ask_note(struct ask *ask, const struct attempt *attempt, enum outcome outcome, int status)
{
    assert(ask->past_count < ASK_ATTEMPTS);
    ask->past[ask->past_count++] = (struct past_attempt){
        .server = attempt->server,
        .asked = (uint32_t)(attempt->asked_ms - ask->begun_ms),
        .sent = (uint32_t)(attempt->sent_ms - ask->begun_ms),
        .ended = (uint32_t)(loop_now(ask->group->loop) - ask->begun_ms),
        .status = (int16_t)status,
        .outcome = (uint8_t)outcome,
    };
}

/* The latest past attempt with one of these outcomes, or NULL. */
static const struct past_attempt *ask_latest(const struct ask *ask, unsigned bits)
{
    for (unsigned i = ask->past_count; i-- > 0;)
        if (bits & OUTCOME_BIT(ask->past[i].outcome))
            return &ask->past[i];
    return NULL;
}

static unsigned ask_count(const struct ask *ask, unsigned bits)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ask->past_count; i++)
        count += (bits & OUTCOME_BIT(ask->past[i].outcome)) != 0;
    return count;
}

/* The number of session losses that hit the ask's attempts. The simultaneous loss of the sessions of an attempt and
 * its hedge counts once. */
static unsigned ask_losses(const struct ask *ask)
{
    const struct past_attempt *event = NULL;
    unsigned losses = 0;
    for (unsigned i = 0; i < ask->past_count; i++) {
        const struct past_attempt *past = &ask->past[i];
        bool same_event = event && event->server == past->server && past->sent < event->ended &&
                          past->ended <= event->ended + NOTICE_SPAN;
        if (past->outcome != OUTCOME_LOST || same_event)
            continue;
        event = past;
        losses++;
    }
    return losses;
}

const struct attempt *attempt_beside(const struct attempt *attempt)
{
    const struct ask *ask = attempt->ask;
    if (!ask)
        return NULL;
    for (unsigned i = 0; i < 2; i++)
        if (&ask->attempts[i] != attempt && attempt_live(&ask->attempts[i]))
            return &ask->attempts[i];
    return NULL;
}

/* An upstream that fails or cannot parse the query does so at each of its addresses (servers_agree); other outcomes may
 * concern one server only. */
static bool past_rules_out(const struct past_attempt *past, const struct server *server, bool is_latest_loss)
{
    switch (past->outcome) {
    case OUTCOME_FAILURE:
    case OUTCOME_FORMERR:
    case OUTCOME_BOGUS:
        return past->server && servers_agree(past->server, server);
    case OUTCOME_UNUSABLE:
    case OUTCOME_GIVEN_UP:
        return past->server == server;
    case OUTCOME_LOST: /* for an isolated attempt */
        return is_latest_loss && past->server == server;
    default:
        return false;
    }
}

bool attempt_avoids_server(const struct attempt *attempt, const struct server *server)
{
    const struct ask *ask = attempt->ask;
    if (!ask)
        return false;
    const struct attempt *beside = attempt_beside(attempt);
    if (beside && beside->session && beside->server == server)
        return true;
    const struct past_attempt *loss = attempt->isolated ? ask_latest(ask, OUTCOME_BIT(OUTCOME_LOST)) : NULL;
    for (unsigned i = 0; i < ask->past_count; i++)
        if (past_rules_out(&ask->past[i], server, &ask->past[i] == loss))
            return true;
    return false;
}

bool attempt_goes_anywhere(const struct attempt *attempt)
{
    const unsigned avoiding = useless_bits | OUTCOME_BIT(OUTCOME_GIVEN_UP) | OUTCOME_BIT(OUTCOME_BOGUS);
    return !attempt->isolated && !attempt_beside(attempt) && (!attempt->ask || !ask_latest(attempt->ask, avoiding));
}

/* When the first unanswered attempt was sent. */
static uint64_t ask_unanswered_since(const struct ask *ask)
{
    uint64_t first_ms = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++)
        if (ask->attempts[i].state == ATTEMPT_SENT && ask->attempts[i].sent_ms < first_ms)
            first_ms = ask->attempts[i].sent_ms;
    for (unsigned i = 0; i < ask->past_count; i++) {
        const struct past_attempt *past = &ask->past[i];
        if (past->outcome == OUTCOME_GIVEN_UP && past->sent <= past->ended && ask->begun_ms + past->sent < first_ms)
            first_ms = ask->begun_ms + past->sent;
    }
    return first_ms;
}

/* For an attempt beside one on a silent session; or one that replaces an attempt that was given up, beside another
 * whose session has received no data since either. */
uint64_t attempt_needs_life_since(const struct attempt *attempt, uint64_t now_ms)
{
    const struct attempt *beside = attempt_beside(attempt);
    if (!beside || beside->state != ATTEMPT_SENT || session_lives_since(beside->session, beside->sent_ms))
        return 0;
    bool silent = beside->session->suspect_ms || session_is_silent(beside->session, now_ms);
    return silent || ask_latest(attempt->ask, OUTCOME_BIT(OUTCOME_GIVEN_UP)) ? ask_unanswered_since(attempt->ask) : 0;
}

uint64_t attempt_lost_ms(const struct attempt *attempt)
{
    const struct past_attempt *loss =
        attempt->ask ? ask_latest(attempt->ask, lost_bits | OUTCOME_BIT(OUTCOME_SILENT)) : NULL;
    return loss ? attempt->ask->begun_ms + loss->ended : 0;
}

enum outcome attempt_refused(const struct attempt *attempt, int error)
{
    const struct ask *ask = attempt->ask;
    for (unsigned i = 0; ask && i < ask->past_count; i++)
        if (ask->past[i].server == attempt->server && ask->past[i].status == error)
            return OUTCOME_UNUSABLE;
    return OUTCOME_LOST_EXPLAINED;
}

/* Whether the next attempt is sent without EDNS: the server of the latest one did not support it. */
static bool ask_without_edns(const struct ask *ask)
{
    const struct past_attempt *latest = ask_latest(ask, OUTCOME_BIT(OUTCOME_NO_EDNS) | useless_bits);
    return latest && latest->outcome == OUTCOME_NO_EDNS;
}

/* --- live attempts --- */

static unsigned ask_live(const struct ask *ask)
{
    return (unsigned)attempt_live(&ask->attempts[0]) + (unsigned)attempt_live(&ask->attempts[1]);
}

/* The live attempt that was begun first; NULL: none is live. */
static const struct attempt *ask_oldest(const struct ask *ask)
{
    const struct attempt *first = &ask->attempts[0], *second = &ask->attempts[1];
    if (!attempt_live(first))
        return attempt_live(second) ? second : NULL;
    return attempt_live(second) && second->asked_ms < first->asked_ms ? second : first;
}

static struct attempt *ask_idle_slot(struct ask *ask)
{
    return attempt_live(&ask->attempts[0]) ? &ask->attempts[1] : &ask->attempts[0];
}

static bool ask_has_attempts(const struct ask *ask)
{
    return ask->past_count + ask_live(ask) < ASK_ATTEMPTS;
}

static void ask_send(struct ask *ask)
{
    struct attempt *attempt = ask_idle_slot(ask);
    const struct attempt *beside = attempt_beside(attempt);
    attempt->isolated = ask->past_count >= LOSSES_BEFORE_ISOLATION && ask_losses(ask) >= LOSSES_BEFORE_ISOLATION &&
                        ask->group->isolated < ISOLATED_MAX;
    attempt->without_edns = ask->past_count > 0 && ask_without_edns(ask);
    attempt->hedge = beside && !upstream_is_on_silent(beside);
    ask->joined = false;
    attempt_send(ask->group, attempt);
}

static void ask_give_up(struct ask *ask, struct attempt *attempt, void (*end)(struct attempt *attempt))
{
    if (!attempt_live(attempt))
        return;
    ask_note(ask, attempt, OUTCOME_GIVEN_UP, 0);
    end(attempt);
}

/* --- the next check of an ask --- */

/* Starts the shortest timeout of at least `ms`. */
static void ask_look_after(struct ask *ask, uint64_t ms)
{
    struct timeouts *looks = ask->group->looks;
    unsigned i = 0;
    while (i < ASK_LOOKS - 1 && looks[i].length_ms < ms)
        i++;
    timeout_start(&looks[i], &ask->look);
}

/* In ms: after twice the time waited so far; more often once drops can be recognized. */
static uint64_t next_look(uint64_t waited)
{
    if (waited >= DROPPED_AFTER)
        return DROPPED_STEP;
    return 2 * waited > DROPPED_AFTER ? DROPPED_AFTER - waited : waited;
}

/* The pool dials for an attempt that waits. An attempt that was sent after the timeout had been started (it waited
 * for a session, or was sent again) gets its full time. */
static uint64_t next_look_at_one(const struct ask *ask)
{
    const struct attempt *one = ask_oldest(ask);
    uint64_t due = upstream_hedge_after(one), waited = loop_now(ask->group->loop) - one->sent_ms;
    if (one->state != ATTEMPT_SENT)
        return due > UNSENT_STEP ? due : UNSENT_STEP;
    return waited < due ? due - waited : next_look(waited);
}

/* The later of two live attempts if it may still be hedged, or NULL. */
static struct attempt *ask_hedge_of_two(struct ask *ask)
{
    struct attempt *later = ask_oldest(ask) == &ask->attempts[0] ? &ask->attempts[1] : &ask->attempts[0];
    bool early = loop_now(ask->group->loop) < ask->begun_ms + RESCUE_AFTER;
    unsigned most = early ? ATTEMPTS_WHEN_UNHEARD : ATTEMPTS_WHEN_LATE;
    return later->state == ATTEMPT_SENT && ask->past_count + ask_live(ask) < most ? later : NULL;
}

/* For how many ms the latest live attempt has been outstanding; 0: one of the live attempts has not been sent. */
static uint64_t ask_waited_for_latest(const struct ask *ask)
{
    uint64_t sent_ms = 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct attempt *attempt = &ask->attempts[i];
        if (attempt_live(attempt) && attempt->state != ATTEMPT_SENT)
            return 0;
        if (attempt_live(attempt) && attempt->sent_ms > sent_ms)
            sent_ms = attempt->sent_ms;
    }
    return sent_ms ? loop_now(ask->group->loop) - sent_ms : 0;
}

static void ask_look_again(struct ask *ask)
{
    const struct attempt *later = NULL;
    uint64_t ms = LOOP_NEVER, waited = ask_waited_for_latest(ask);
    if (ask->state == ASK_ONE)
        ms = next_look_at_one(ask);
    else if ((later = ask_hedge_of_two(ask)))
        ms = next_look(loop_now(ask->group->loop) - later->sent_ms);
    if (ask->joined && ask_has_attempts(ask) && waited < JOINED_AFTER && ms > JOINED_AFTER - waited)
        ms = JOINED_AFTER - waited;
    if (ms != LOOP_NEVER)
        ask_look_after(ask, ms);
}

/* --- conditions of actions --- */

static bool budget_has_hedge(const struct group *group)
{
    return group->hedge_debt + HEDGE_COST <= HEDGE_BURST;
}

static void budget_pay_hedge(struct group *group)
{
    if (budget_has_hedge(group))
        group->hedge_debt += HEDGE_COST;
}

/* Retries brought an answer: only those of names that fail everywhere need a limit. */
static void budget_return_hedges(struct group *group, unsigned count)
{
    unsigned cost = count * HEDGE_COST;
    group->hedge_debt -= group->hedge_debt < cost ? group->hedge_debt : cost;
}

/* Within the budget if the server answers other queries, or to find out whether it does. Regardless of the budget
 * if the server dropped the attempt: many others were dropped with it, or queries sent much later were answered. */
static bool ask_may_hedge(struct ask *ask)
{
    const struct attempt *one = ask_oldest(ask);
    uint64_t now_ms = loop_now(ask->group->loop), waited = now_ms - one->sent_ms;
    if (one->state != ATTEMPT_SENT || waited < upstream_hedge_after(one) || !ask_has_attempts(ask) ||
        now_ms >= ask->begun_ms + ATTEMPT_TIMEOUT)
        return false;
    if (!upstream_may_probe(one) || !upstream_has_room_beside(one))
        return false;
    if (budget_has_hedge(ask->group) || upstream_is_on_silent(one) || upstream_is_lost(one) ||
        (waited >= RESCUE_AFTER && upstream_is_passed_over(one, RESCUE_AFTER / 2)))
        return true;
    counter_add(ask->group->counters, COUNTER_hedges_denied, 1);
    return false;
}

/* Attempts on a silent session: a few are sent elsewhere first, and all others once one of them was answered. */
static bool ask_may_rescue(struct ask *ask)
{
    const struct attempt *one = ask_oldest(ask);
    if (one->state != ATTEMPT_SENT || !upstream_is_on_silent(one) || !ask_has_attempts(ask) ||
        loop_now(ask->group->loop) < one->sent_ms + upstream_hedge_after(one))
        return false;
    return upstream_may_probe(one) && upstream_has_room_beside(one);
}

/* By the measure of the faster server: the other one may have answered only slow names. */
static uint64_t ask_overdue(const struct ask *ask)
{
    uint64_t overdue_ms = DROPPED_AFTER;
    for (unsigned i = 0; i < 2; i++) {
        const struct attempt *attempt = &ask->attempts[i];
        if (attempt_live(attempt) && attempt->session && rtt_overdue(&attempt->server->rtt) < overdue_ms)
            overdue_ms = rtt_overdue(&attempt->server->rtt);
    }
    return overdue_ms;
}

/* Neither session has received data since its attempt was sent: both may have been lost. If the first one had been
 * quiet before, that may have been long ago; otherwise the name is more likely to be slow. The hedge was sent alone on
 * an idle session; or the server has answered later queries on another one; or the hedge was sent beside one other
 * attempt, and the next one is one of the few that may find out whether the server works. */
static bool ask_is_unheard(const struct ask *ask, const struct attempt *later)
{
    const struct attempt *first = ask_oldest(ask);
    uint64_t overdue_ms = ask_overdue(ask), waited = loop_now(ask->group->loop) - later->sent_ms;
    if (first->state != ATTEMPT_SENT || waited < overdue_ms || session_lives_since(later->session, later->sent_ms) ||
        session_lives_since(first->session, first->sent_ms))
        return false;
    if (later->session->opened_ms > ask_unanswered_since(ask)) /* it works, so the server is slow */
        return false;
    bool was_quiet = first->sent_ms > first->session->heard_ms + overdue_ms;
    if (later->session->used == 1)
        return was_quiet || waited >= DROPPED_AFTER;
    return was_quiet && (upstream_is_passed_over(later, 0) || (later->session->used == 2 && upstream_may_probe(later)));
}

/* Both attempts are late: the server may have dropped the hedge as well, together with other queries. */
static bool ask_may_hedge_again(struct ask *ask)
{
    struct attempt *later = ask_hedge_of_two(ask);
    if (!later || !upstream_has_room_beside(later))
        return false;
    if (ask_is_unheard(ask, later))
        return true;
    if (ask->past_count + ask_live(ask) >= ATTEMPTS_WHEN_LATE)
        return false;
    uint64_t waited = loop_now(ask->group->loop) - later->sent_ms;
    if (upstream_is_lost(later))
        later->outcome = OUTCOME_DROPPED;
    return (waited >= AGAIN_AFTER && later->outcome == OUTCOME_DROPPED) ||
           (waited >= AGAIN_AT_LAST && upstream_is_passed_over(later, RESCUE_AFTER));
}

static bool ask_may_hedge_anew(const struct ask *ask)
{
    return ask->joined && ask_has_attempts(ask) && ask_waited_for_latest(ask) >= JOINED_AFTER &&
           upstream_has_room_beside(ask_oldest(ask));
}

static bool ask_is_cleared(const struct ask *ask)
{
    const struct past_attempt *loss = ask_latest(ask, OUTCOME_BIT(OUTCOME_LOST_ISOLATED));
    return upstream_lost_others(loss->server, ask->begun_ms + loss->asked, ask->begun_ms + loss->sent);
}

/* The live attempt is late, so it cannot replace the one that was lost. */
static bool ask_may_resend_beside(const struct ask *ask)
{
    const struct attempt *one = ask_oldest(ask);
    return ask_has_attempts(ask) && one->state == ATTEMPT_SENT && upstream_has_room_beside(one) &&
           loop_now(ask->group->loop) >= one->sent_ms + upstream_patience(ask->group, one);
}

/* The history contains this outcome already. */
static bool ask_may_retry_once(const struct ask *ask)
{
    return ask_has_attempts(ask) && ask_count(ask, useless_bits) == 1;
}

/* Each server is asked once at most, and after the first one only servers that are up. */
static bool ask_may_retry_paid(const struct ask *ask, const struct attempt *attempt)
{
    const struct group *group = ask->group;
    unsigned useless = ask_count(ask, useless_bits);
    bool has_other = useless == 1 ? upstream_has_other(group, attempt->server)
                                  : useless < group->server_count && pool_has_other(attempt);
    return has_other && ask_has_attempts(ask) && budget_has_hedge(group);
}

static bool ask_may(struct ask *ask, enum ask_action action, const struct attempt *attempt)
{
    switch (action) {
    case ACTION_RETRY:
    case ACTION_RESEND:
        return ask_has_attempts(ask);
    case ACTION_RESEND_BESIDE:
    case ACTION_RETRY_BESIDE:
        return ask_may_resend_beside(ask);
    case ACTION_RETRY_ONCE:
        return ask_may_retry_once(ask);
    case ACTION_RETRY_ELSEWHERE:
        return ask_may_retry_once(ask) && upstream_has_other(ask->group, attempt->server);
    case ACTION_RETRY_PAID:
        return ask_may_retry_paid(ask, attempt);
    case ACTION_RESEND_CLEARED:
        return ask_has_attempts(ask) && ask_is_cleared(ask);
    case ACTION_HEDGE:
        return ask_may_hedge(ask);
    case ACTION_RESCUE:
        return ask_may_rescue(ask);
    case ACTION_HEDGE_AGAIN:
        return ask_may_hedge_again(ask);
    case ACTION_HEDGE_ANEW:
        return ask_may_hedge_anew(ask);
    default:
        return true;
    }
}

/* --- actions --- */

/* Of two live attempts, the one sent first; an attempt that has not been sent counts as the first. */
static struct attempt *ask_first_sent(struct ask *ask)
{
    struct attempt *first = &ask->attempts[0], *second = &ask->attempts[1];
    bool is_second =
        second->state != ATTEMPT_SENT || (first->state == ATTEMPT_SENT && second->sent_ms < first->sent_ms);
    return is_second ? second : first;
}

static struct attempt *ask_last_sent(struct ask *ask)
{
    return ask_first_sent(ask) == &ask->attempts[0] ? &ask->attempts[1] : &ask->attempts[0];
}

/* Sends a hedge beside the live attempt; of two live ones it takes the place of `replaced`. */
static void ask_hedge(struct ask *ask, struct attempt *replaced)
{
    if (ask_live(ask) == 2)
        ask_give_up(ask, replaced, attempt_cancel);
    counter_add(ask->group->counters, COUNTER_hedges_sent, 1);
    ask_send(ask);
    ask_look_after(ask, ask_overdue(ask));
}

/* True if it was begun while another attempt was live. */
static bool ask_was_hedge(const struct ask *ask, const struct attempt *attempt)
{
    const struct attempt *beside = attempt_beside(attempt);
    if (beside && beside->asked_ms < attempt->asked_ms)
        return true;
    uint64_t asked = attempt->asked_ms - ask->begun_ms;
    for (unsigned i = 0; i < ask->past_count; i++)
        if (ask->past[i].asked < asked && ask->past[i].ended > asked)
            return true;
    return false;
}

/* True if the attempt failed where this server succeeded: an unusable response concerns one server only, a failure all
 * that agree. */
static bool past_is_outdone(const struct past_attempt *past, const struct server *successful)
{
    if (past->outcome == OUTCOME_UNUSABLE)
        return past->server && past->server != successful;
    return (useless_bits & OUTCOME_BIT(past->outcome)) && !servers_agree(past->server, successful);
}

static void ask_deprioritize(const struct ask *ask, const struct server *successful)
{
    for (unsigned i = 0; i < ask->past_count; i++)
        if (past_is_outdone(&ask->past[i], successful))
            upstream_deprioritize(ask->past[i].server);
}

/* Evaluates the other live attempt when a hedge or retry brought the response. */
static void ask_compare(struct ask *ask, struct attempt *attempt, const struct answer *answer)
{
    struct attempt *other = attempt == &ask->attempts[0] ? &ask->attempts[1] : &ask->attempts[0];
    if (answer_is_conclusive(answer)) {
        ask_deprioritize(ask, attempt->server);
        budget_return_hedges(ask->group, ask->paid);
        ask->paid = 0;
    }
    if (ask_was_hedge(ask, attempt))
        counter_add(ask->group->counters, COUNTER_hedges_won, 1);
    /* A session that got the query later need not be silent: the name is slow. */
    if (other->sent_ms < attempt->sent_ms)
        ask_give_up(ask, other, upstream_overtaken);
    else
        ask_give_up(ask, other, attempt_cancel);
}

static void ask_deliver(struct ask *ask, struct attempt *attempt, struct answer *answer)
{
    ask->answered = attempt;
    if (answer_is_conclusive(answer))
        upstream_note_useful(attempt->server);
    if (ask->past_count > 0 || ask_live(ask) > 0)
        ask_compare(ask, attempt, answer);
    timeout_stop(&ask->look);
    ask->done(ask, 0, answer);
}

static void ask_stop(struct ask *ask)
{
    timeout_stop(&ask->look);
    ask_give_up(ask, &ask->attempts[0], attempt_cancel);
    ask_give_up(ask, &ask->attempts[1], attempt_cancel);
}

/* Actions that end the ask come last: `done` may free it. */
static void ask_act(struct ask *ask, enum ask_action action, struct attempt *attempt, struct answer *answer)
{
    switch (action) {
    case ACTION_RESEND_CLEARED:
    case ACTION_SEND:
        counter_add(ask->group->counters, COUNTER_attempts_resent, action == ACTION_RESEND_CLEARED);
        ask_send(ask);
        ask_look_after(ask, upstream_hedge_after(ask_oldest(ask)));
        break;
    case ACTION_RESEND:
    case ACTION_RESEND_BESIDE:
        counter_add(ask->group->counters, COUNTER_attempts_resent, 1);
        ask_send(ask);
        break;
    case ACTION_RETRY_PAID:
        budget_pay_hedge(ask->group);
        ask->paid++;
        ask_send(ask);
        break;
    case ACTION_RETRY:
    case ACTION_RETRY_BESIDE:
    case ACTION_RETRY_ONCE:
    case ACTION_RETRY_ELSEWHERE:
        ask_send(ask);
        break;
    case ACTION_SUSPECT:
        ask_look_after(ask, COINCIDENCE);
        break;
    case ACTION_HEDGE:
        budget_pay_hedge(ask->group);
        upstream_note_probe(ask_oldest(ask));
        ask_hedge(ask, NULL);
        break;
    case ACTION_RESCUE:
        upstream_note_probe(ask_oldest(ask));
        ask_hedge(ask, NULL);
        break;
    case ACTION_HEDGE_AGAIN:
        upstream_note_probe(ask_last_sent(ask));
        ask_hedge(ask, ask_first_sent(ask));
        break;
    case ACTION_HEDGE_ANEW: /* the oldest attempt stays: the server may be slow */
        ask_hedge(ask, ask_last_sent(ask));
        break;
    case ACTION_AWAIT:
        if (!list_linked(&ask->look.link))
            ask_look_again(ask);
        break;
    case ACTION_LOOK:
        ask_look_again(ask);
        break;
    case ACTION_STAY:
        break;
    case ACTION_END:
        ask_stop(ask);
        break;
    case ACTION_FAIL:
        ask_stop(ask);
        ask->done(ask, ask->past[ask->past_count - 1].status, NULL);
        break;
    case ACTION_DELIVER:
        ask_deliver(ask, attempt, answer);
        break;
    }
}

static void ask_event(struct ask *ask, unsigned event, struct attempt *attempt, struct answer *answer)
{
    const struct ask_row *row = ask_rows;
    while (row->state != ask->state || row->event != event ||
           (row->action < ACTIONS_THAT_MAY && !ask_may(ask, row->action, attempt)))
        row++;
    assert(row < ask_rows + ask_row_count);
    ask->state = row->next;
    ask->row = (uint8_t)(row - ask_rows);
    ask_act(ask, row->action, attempt, answer);
}

/* --- responses --- */

/* Rcodes that are meaningful to a client; all others concern our own query (RFC 1035 section 4.1.1, RFC 6891). */
static bool is_for_clients(uint16_t rcode)
{
    return rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_YXDOMAIN || rcode == RCODE_NOTIMP ||
           rcode_is_failure(rcode);
}

/* A response that has to be rewritten is stored in group->rewrite. */
static enum outcome outcome_of(const struct attempt *attempt, struct answer *answer, int *status)
{
    if (answer->truncated) { /* TC over a stream: the server is broken; clients never get this response */
        *status = ERROR_MALFORMED;
        return OUTCOME_UNUSABLE;
    }
    if (answer_is_referral(answer)) { /* clients would take it for NODATA */
        *status = ERROR_UPSTREAM_REFERRAL;
        return OUTCOME_UNUSABLE;
    }
    if (answer->rcode == RCODE_REFUSED)
        upstream_refused(attempt->server);
    if (!is_for_clients(answer->rcode)) {
        *status = ERROR_UPSTREAM_ANSWER;
        return OUTCOME_UNUSABLE;
    }
    if (rcode_is_failure(answer->rcode) || answer->rcode == RCODE_NOTIMP)
        return answer_is_verdict(answer) ? OUTCOME_RESPONSE : OUTCOME_FAILURE;
    *status = chain_tidy(answer, attempt->key->type, attempt->key->flags & KEY_DO, attempt->ask->group->rewrite);
    return *status < 0 ? OUTCOME_UNUSABLE : OUTCOME_RESPONSE;
}

static void ask_attempt_done(struct attempt *attempt, int status, struct answer *answer)
{
    struct ask *ask = attempt->ask;
    enum outcome outcome = answer ? outcome_of(attempt, answer, &status) : attempt->outcome;
    if (attempt->sent_ms == 0)
        outcome = OUTCOME_UNSENT;
    if (outcome != OUTCOME_RESPONSE) /* OUTCOME_RESPONSE ends the ask */
        ask_note(ask, attempt, outcome, status);
    ask_event(ask, outcome, attempt, answer);
}

void ask_look_due(struct timeout *timeout)
{
    ask_event(container_of(timeout, struct ask, look), EVENT_LOOK, NULL, NULL);
}

void ask_session_silent(struct attempt *attempt)
{
    if (attempt->ask && attempt->ask->state != ASK_IDLE)
        ask_event(attempt->ask, EVENT_SILENT, NULL, NULL);
}

/* --- interface of the owner --- */

void ask_start(struct ask *ask, struct group *group, const struct key *key)
{
    ask->group = group;
    ask->begun_ms = loop_now(group->loop);
    for (unsigned i = 0; i < 2; i++) {
        ask->attempts[i].ask = ask;
        ask->attempts[i].key = key;
        ask->attempts[i].unchecked = ask->unchecked;
        ask->attempts[i].done = ask_attempt_done;
    }
    group->hedge_debt -= group->hedge_debt < HEDGE_EARNED ? group->hedge_debt : HEDGE_EARNED;
    ask_event(ask, EVENT_START, NULL, NULL);
}

bool ask_elsewhere(struct ask *ask)
{
    const struct attempt *answered = ask->answered;
    if (ask->state != ASK_IDLE || !answered || !ask_has_attempts(ask) || ask_latest(ask, OUTCOME_BIT(OUTCOME_BOGUS)) ||
        !upstream_has_other(ask->group, answered->server))
        return false;
    ask_note(ask, answered, OUTCOME_BOGUS, ERROR_BOGUS);
    ask->answered = NULL;
    ask_event(ask, EVENT_START, NULL, NULL);
    return true;
}

void ask_join(struct ask *ask)
{
    ask->joined = true;
    ask_event(ask, EVENT_JOIN, NULL, NULL);
}

void ask_cancel(struct ask *ask)
{
    if (ask->state != ASK_IDLE)
        ask_event(ask, EVENT_CANCEL, NULL, NULL);
}

/* --- reports --- */

/* The attempt that brought the response, else the one that has been live for the longest, else the latest. */
static const struct attempt *ask_attempt(const struct ask *ask)
{
    const struct attempt *oldest = ask->answered ? ask->answered : ask_oldest(ask);
    if (oldest)
        return oldest;
    return ask->attempts[1].asked_ms > ask->attempts[0].asked_ms ? &ask->attempts[1] : &ask->attempts[0];
}

const struct server *ask_server(const struct ask *ask)
{
    return ask_attempt(ask)->server;
}

static enum ask_session session_of(const struct attempt *attempt)
{
    if (!attempt->sent_ms)
        return ASK_NO_SESSION;
    if (!attempt->opened)
        return ASK_REUSED;
    return attempt->resumed ? ASK_RESUMED : ASK_OPENED;
}

static enum ask_failure failure_of_past(const struct ask *ask, const struct past_attempt *past)
{
    unsigned bit = OUTCOME_BIT(past->outcome);
    if (bit & (useless_bits | OUTCOME_BIT(OUTCOME_NO_EDNS)))
        return ASK_REJECTED;
    if (past->outcome != OUTCOME_TIMEOUT)
        return ASK_UNREACHED;
    return upstream_answered_after(past->server, ask->begun_ms + past->sent) ? ASK_REJECTED : ASK_UNANSWERED;
}

static enum ask_failure failure_of_live(const struct attempt *attempt)
{
    if (upstream_is_passed_over(attempt, 0))
        return ASK_REJECTED;
    return upstream_is_acknowledged(attempt) ? ASK_UNANSWERED : ASK_UNREACHED;
}

enum ask_failure ask_failure(const struct ask *ask)
{
    enum ask_failure worst = ASK_UNREACHED;
    for (unsigned i = 0; i < ask->past_count; i++) {
        enum ask_failure failure = failure_of_past(ask, &ask->past[i]);
        worst = failure > worst ? failure : worst;
    }
    for (unsigned i = 0; i < 2; i++) {
        enum ask_failure failure = failure_of_live(&ask->attempts[i]);
        worst = failure > worst ? failure : worst;
    }
    return worst;
}

/* The latest failure; else the failure of a late attempt; else the reason why attempts are not sent. */
static int ask_error(const struct ask *ask, const struct server **where)
{
    for (unsigned i = ask->past_count; i-- > 0;) {
        if (ask->past[i].status == 0)
            continue;
        *where = ask->past[i].server;
        return ask->past[i].status;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (ask->attempts[i].state != ATTEMPT_SENT)
            continue;
        *where = ask->attempts[i].server;
        return ERROR_UNANSWERED;
    }
    return upstream_last_error(ask->group, where);
}

void ask_report(const struct ask *ask, uint64_t from_ms, struct ask_report *out)
{
    if (!ask->group) { /* not begun */
        *out = (struct ask_report){.session = ASK_NO_SESSION, .error = -ETIMEDOUT};
        return;
    }
    const struct attempt *attempt = ask_attempt(ask);
    *out = (struct ask_report){
        .attempts = ask->past_count + ask_live(ask) + (ask->answered && ask->answered->outcome == OUTCOME_RESPONSE),
        .session_losses = ask_count(ask, OUTCOME_BIT(OUTCOME_LOST) | OUTCOME_BIT(OUTCOME_LOST_ISOLATED)),
        .session = session_of(attempt),
        .begun_ms = attempt->asked_ms,
    };
    attempt_report(attempt, from_ms, &out->times);
    out->error = ask_error(ask, &out->where);
}
