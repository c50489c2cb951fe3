/* SPDX-License-Identifier: MIT */
/* A group of servers and the attempts sent to it.
 *
 * Invariant: a live attempt is in exactly one list: the group's `waiting` (no session), or its session's `queued`
 * or `sent`; and its timeout runs. Only attempt_finish and attempt_cancel end it: both first take it out of its
 * list and stop its timeout.
 */
#include <assert.h>
#include <errno.h>
#include "base/errors.h"
#include "base/mem.h"
#include "group.h"
#include "upstream/upstream.h"

/* --- attempts --- */

static void attempt_detach(struct attempt *attempt)
{
    timeout_stop(&attempt->timeout);
    attempt->group->isolated -= attempt->isolated;
    if (attempt->session)
        attempt->server->transport->cancel(attempt->session, attempt);
    list_remove(&attempt->link);
    attempt->state = ATTEMPT_IDLE;
}

void attempt_finish(struct attempt *attempt, enum outcome outcome, int status, struct answer *answer)
{
    attempt_detach(attempt);
    attempt->outcome = outcome;
    attempt->done(attempt, status, answer);
}

void attempt_cancel(struct attempt *attempt)
{
    if (attempt_live(attempt))
        attempt_detach(attempt);
}

static void attempt_timed_out(struct timeout *timeout)
{
    struct attempt *attempt = container_of(timeout, struct attempt, timeout);
    if (attempt->state == ATTEMPT_SENT && !attempt->hedge && attempt->session->heard_ms <= attempt->sent_ms)
        session_retire(attempt->session); /* the session has received nothing in all that time */
    if (attempt->server) {
        counter_add(attempt->server->group->counters, COUNTER_attempts_timeout, 1);
        reasons_note(&attempt->server->notes.failures, ERROR_UNANSWERED);
    }
    attempt_finish(attempt, OUTCOME_TIMEOUT, ERROR_UNANSWERED, NULL);
}

void attempt_wait(struct group *group, struct attempt *attempt)
{
    if (list_empty(&group->waiting) && pool_place(group, attempt))
        return;
    attempt->state = ATTEMPT_WAITING;
    list_push_back(&group->waiting, &attempt->link);
    pool_connect(group);
}

void attempt_send(struct group *group, struct attempt *attempt)
{
    assert(!attempt_live(attempt));
    attempt->outcome = OUTCOME_NONE;
    attempt->session = NULL;
    attempt->sent_ms = 0;
    attempt->asked_ms = loop_now(group->loop);
    attempt->group = group;
    group->isolated += attempt->isolated;
    timeout_start(&group->attempt_timeouts, &attempt->timeout);
    attempt_wait(group, attempt);
}

void attempt_send_on(struct session *session, struct attempt *attempt)
{
    struct group *group = session->server->group;
    assert(!attempt_live(attempt));
    attempt->outcome = OUTCOME_NONE;
    attempt->sent_ms = 0;
    attempt->asked_ms = loop_now(group->loop);
    attempt->group = group;
    timeout_start(&group->attempt_timeouts, &attempt->timeout);
    session->server->transport->submit(session, attempt);
}

/* --- the state of servers, for asks --- */

uint64_t group_median_ms(const struct group *group)
{
    uint64_t lowest_ms = 0;
    for (size_t i = 0; i < group->server_count; i++) {
        const struct rtt *rtt = &group->servers[i]->rtt;
        uint64_t median_ms = rtt->median_ms ? rtt->median_ms : 1;
        if (rtt->patience_ms && (lowest_ms == 0 || median_ms < lowest_ms))
            lowest_ms = median_ms;
    }
    return lowest_ms;
}

const char *upstream_name(const struct server *server)
{
    return server ? server->entry->name : "";
}

bool upstream_has_other(const struct group *group, const struct server *server)
{
    for (size_t i = 0; i < group->server_count; i++)
        if (!server || !servers_agree(group->servers[i], server))
            return true;
    return false;
}

enum config_dnssec upstream_dnssec(const struct group_plan *plan)
{
    return plan->config->dnssec.mode;
}

void upstream_overtaken(struct attempt *attempt)
{
    struct session *session = attempt->session;
    bool sent = session && attempt->state == ATTEMPT_SENT;
    uint64_t sent_ms = attempt->sent_ms;
    if (sent) {
        uint64_t now_ms = loop_now(attempt->group->loop);
        rtt_note_overtaken(&session->server->rtt, now_ms, now_ms - sent_ms);
    }
    if (sent)
        session_suspect(session, sent_ms);
    attempt_cancel(attempt);
}

uint64_t upstream_patience(const struct group *group, const struct attempt *attempt)
{
    const struct server *server = attempt->server;
    for (size_t i = 0; !server && i < group->server_count; i++)
        if (group->servers[i]->open)
            server = group->servers[i];
    return server ? rtt_patience(&server->rtt) : PATIENCE_UNKNOWN;
}

/* A session other than the attempt's is open. */
static bool group_has_other_session(const struct group *group, const struct attempt *attempt)
{
    unsigned open = 0;
    for (size_t i = 0; i < group->server_count; i++)
        open += group->servers[i]->open;
    return open > (attempt->session != NULL);
}

uint64_t upstream_hedge_after(const struct attempt *attempt)
{
    uint64_t patience = upstream_patience(attempt->group, attempt);
    const struct session *session = attempt->session;
    if (!session || (attempt->state != ATTEMPT_SENT && patience <= OVERDUE_MIN))
        return patience;
    uint64_t overdue = rtt_overdue(&attempt->server->rtt);
    if (overdue < patience && (attempt->state != ATTEMPT_SENT || !session_lives_since(session, attempt->sent_ms)))
        return overdue;
    if (upstream_is_on_silent(attempt) || group_has_other_session(attempt->group, attempt))
        return patience;
    return patience + attempt->server->rtt.median_ms;
}

bool upstream_has_room_beside(const struct attempt *attempt)
{
    return attempt->group->server_count > 1 || !attempt->server || !attempt->server->transport->single;
}

bool upstream_is_passed_over(const struct attempt *attempt, uint64_t later_ms)
{
    return attempt->state == ATTEMPT_SENT && attempt->server->losses.answered_sent_ms > attempt->sent_ms + later_ms;
}

bool upstream_answered_after(const struct server *server, uint64_t sent_ms)
{
    return server && server->losses.answered_sent_ms > sent_ms;
}

bool upstream_is_acknowledged(const struct attempt *attempt)
{
    return attempt->state == ATTEMPT_SENT && attempt->server->transport->acknowledged(attempt->session);
}

bool upstream_is_on_silent(const struct attempt *attempt)
{
    const struct session *session = attempt->session;
    return session && (session->suspect_ms || session_is_silent(session, loop_now(attempt->group->loop)));
}

/* An attempt without a response for too long, while later ones were answered: checks whether many were lost
 * together. */
bool upstream_is_lost(const struct attempt *attempt)
{
    if (attempt->state != ATTEMPT_SENT)
        return false;
    struct server *server = attempt->server;
    uint64_t sent_ms = attempt->sent_ms;
    if (server->losses.answered_sent_ms <= sent_ms ||
        loop_now(server->group->loop) < sent_ms + rtt_silence(&server->rtt))
        return false;
    losses_note_unanswered(&server->losses, sent_ms, session_count_near(attempt));
    return losses_cover(&server->losses, sent_ms);
}

/* Another server takes queries now. */
static bool has_other_server(const struct server *server)
{
    const struct group *group = server->group;
    for (size_t i = 0; i < group->server_count; i++)
        if (group->servers[i] != server && !fallback_is_idle(group->servers[i]))
            return true;
    return false;
}

/* Only a response to the hedge would show that the server works. */
static bool is_probed_by_hedge(const struct attempt *attempt)
{
    return !has_other_server(attempt->server) && !upstream_is_passed_over(attempt, 0) && !attempt->session->suspect_ms;
}

bool upstream_may_probe(const struct attempt *attempt)
{
    const struct server *server = attempt->server;
    return !is_probed_by_hedge(attempt) || losses_may_probe(&server->losses, loop_now(server->group->loop));
}

void upstream_note_probe(const struct attempt *attempt)
{
    struct server *server = attempt->server;
    if (is_probed_by_hedge(attempt))
        losses_note_probe(&server->losses, loop_now(server->group->loop), rtt_patience(&server->rtt));
}

/* Of several failed servers it returns the first in the order of the configuration, which should have been reached. */
int upstream_last_error(const struct group *group, const struct server **where)
{
    *where = group->last_failed;
    for (size_t i = 0; group->last_failed && group->last_error != ERROR_THROTTLED && i < group->server_count; i++) {
        const struct server *server = group->servers[i];
        if (!server->notes.failing_since_ms)
            continue;
        *where = server;
        return server->notes.last_error;
    }
    if (group->last_error)
        return group->last_error;
    return group->plan->lacks_address ? ERROR_NO_ADDRESS : ERROR_NO_SERVER;
}

bool upstream_is_starting(const struct group *group)
{
    return !group->reached && loop_now(group->loop) < group->begun_ms + STARTING;
}

void upstream_deprioritize(struct server *server)
{
    priority_note_failure(&server->priority, loop_now(server->group->loop));
}

void upstream_note_useful(struct server *server)
{
    struct portal_watch *watch = server->group->watch;
    priority_note_success(&server->priority);
    if (watch && watch->open && server->transport->encrypted)
        watch->heard(watch);
}

bool upstream_lost_others(const struct server *server, uint64_t asked_ms, uint64_t sent_ms)
{
    return losses_coincide(&server->losses, asked_ms, sent_ms);
}

void upstream_refused(struct server *server)
{
    if (!budget_halve(server->budget, loop_now(server->group->loop)))
        return;
    counter_add(server->group->counters, COUNTER_upstream_throttled, 1);
    event_throttled(server);
}

/* --- plans of lookups --- */

struct group_plan *upstream_hold(struct group *group)
{
    group->plan->lookups++;
    return group->plan;
}

void upstream_release(struct group_plan *plan)
{
    struct group *group = plan->group;
    plan->lookups--;
    if (plan != group->plan)
        loop_add_flush(group->loop, &group->flush);
    if (group->leaving)
        loop_add_flush(group->loop, group->leaving);
}

bool upstream_was_redefined(const struct group *group, const struct group_plan *plan)
{
    return group->redefined != plan->redefined;
}

/* --- the group --- */

/* After a longer suspension NATs and servers may have lost the state of the sessions. */
#define SLEEP_MS 1000

void group_notice_sleep(struct group *group)
{
    uint64_t slept_ms = clock_slept_ms();
    bool slept = slept_ms > group->slept_ms + SLEEP_MS;
    group->slept_ms = slept_ms;
    if (slept)
        group_network_changed(group, true);
}

/* Added to the loop by pool_connect, session_take, a session whose output was written, the end of a session, and
 * each tick. */
static void group_flush(struct loop_flush *hook)
{
    struct group *group = container_of(hook, struct group, flush);
    if (list_first(&group->plans) != &group->plan->in_group)
        group_end_plans(group);
    /* A suspension must be noticed before queries are written: it may have ended the sessions. */
    if (!list_empty(&group->dirty))
        group_notice_sleep(group);
    pool_run(group);
    struct list later;
    struct list_link *link;
    list_init(&later);
    while ((link = list_pop(&group->dirty))) {
        struct session *session = container_of(link, struct session, in_dirty);
        session->server->transport->flush(session);
        if (!list_empty(&session->queued))
            list_push_back(&later, link);
    }
    while ((link = list_pop(&later)))
        list_push_back(&group->dirty, link);
}

/* The next deadline of the sessions of one state, LOOP_NEVER if none has one. *closed: a check closed its session,
 * and callbacks may have changed the list. */
static uint64_t server_check_once(struct server *server, enum session_state state, uint64_t now_ms, bool *closed)
{
    struct list *sessions = &server->sessions[state];
    uint64_t next = LOOP_NEVER;
    *closed = false;
    for (struct list_link *link = list_first(sessions); link; link = *closed ? NULL : list_next(sessions, link)) {
        struct session *session = container_of(link, struct session, in_state);
        uint64_t deadline = server->transport->tick(session, now_ms);
        *closed = session->state == SESSION_CLOSING;
        if (deadline < next)
            next = deadline;
    }
    return next;
}

static uint64_t server_check(struct server *server, enum session_state state, uint64_t now_ms)
{
    bool closed;
    uint64_t next;
    do {
        next = server_check_once(server, state, now_ms, &closed);
    } while (closed);
    return next;
}

/* The next deadline of all sessions of a plan. */
static uint64_t plan_check(struct group_plan *plan, uint64_t now_ms)
{
    uint64_t next = LOOP_NEVER;
    for (size_t i = 0; i < plan->server_count; i++) {
        for (int state = SESSION_DIALING; state < SESSION_CLOSING; state++) {
            uint64_t deadline = server_check(plan->servers[i], (enum session_state)state, now_ms);
            if (deadline < next)
                next = deadline;
        }
    }
    return next;
}

static uint64_t group_tick(struct loop_tick *hook, uint64_t now_ms)
{
    struct group *group = container_of(hook, struct group, tick);
    uint64_t next = LOOP_NEVER;
    list_for_each(link, &group->plans) {
        uint64_t deadline = plan_check(container_of(link, struct group_plan, in_group), now_ms);
        if (deadline < next)
            next = deadline;
    }
    uint64_t fallback_ms = fallback_look(group, now_ms);
    if (fallback_ms < next)
        next = fallback_ms;
    uint64_t probe_ms = probe_look(group, now_ms);
    pool_connect(group);
    loop_add_flush(group->loop, &group->flush);
    return probe_ms < next ? probe_ms : next;
}

#ifdef ENABLE_DNSTAP
void group_tap(struct group *group, struct tap_queue *tap)
{
    group->tap = tap;
}
#endif

int group_new(struct group **out, const struct group_definition *definition)
{
    struct group_plan *plan = NULL;
    struct group *group = mem_zalloc(1, sizeof *group);
    if (!group)
        return -ENOMEM;
    list_init(&group->waiting);
    list_init(&group->dirty);
    list_init(&group->plans);
    if (group_plan_new(&plan, definition) < 0) {
        mem_free(group);
        return -ENOMEM;
    }
    list_push_back(&group->plans, &plan->in_group);
    *out = group;
    return 0;
}

struct group_plan *group_take_plan(struct group *group)
{
    assert(!group->plan);
    return container_of(list_pop(&group->plans), struct group_plan, in_group);
}

/* In ms, ascending; the loop's step is 10 ms. */
static const uint64_t look_lengths[ASK_LOOKS] = {10, 15, 20, 25, 30, 40, 50, 70, 100, 150, 250, 400, 700, 1000};

void group_begin(struct group *group, const struct group_worker *worker)
{
    struct group_plan *plan = group_take_plan(group);
    group->loop = worker->loop;
    group->counters = worker->counters;
    group->budgets = worker->budgets;
    group->watch = worker->watch;
    group->scratch = worker->scratch;
    group->rewrite = worker->rewrite;
    group->tap = worker->tap;
    group->slept_ms = clock_slept_ms();
    group->begun_ms = loop_now(group->loop);
    timeouts_init(&group->attempt_timeouts, group->loop, ATTEMPT_TIMEOUT, attempt_timed_out);
    for (unsigned i = 0; i < ASK_LOOKS; i++)
        timeouts_init(&group->looks[i], group->loop, look_lengths[i], ask_look_due);
    group->flush.flush = group_flush;
    group->tick.tick = group_tick;
    loop_add_tick(group->loop, &group->tick);
    group_apply(group, plan);
}

const char *group_name(const struct group *group)
{
    return group->plan->name;
}

bool group_is_portal(const struct group *group)
{
    return group->plan->portal;
}

uint32_t group_id(const struct group *group)
{
    return group->plan->id;
}

bool group_is_idle(const struct group *group)
{
    list_for_each(link, &group->plans)
        if (container_of(link, struct group_plan, in_group)->lookups > 0)
            return false;
    return true;
}

static void server_close_sessions(struct server *server)
{
    struct list_link *link;
    for (int state = SESSION_DIALING; state < SESSION_CLOSING; state++)
        while ((link = list_first(&server->sessions[state])))
            server->transport->stop(container_of(link, struct session, in_state), ERROR_STOPPING);
}

void group_stop(struct group *group, void (*closed)(void *context), void *context)
{
    list_for_each(link, &group->plans)
        fallback_forget(container_of(link, struct group_plan, in_group));
    group->stopping = true;
    group->closed = closed;
    group->closed_context = context;
    list_for_each(link, &group->plans) {
        const struct group_plan *plan = container_of(link, struct group_plan, in_group);
        for (size_t i = 0; i < plan->server_count; i++)
            server_close_sessions(plan->servers[i]);
    }
    if (group->sessions == 0)
        closed(context);
}

void group_free(struct group *group)
{
    struct list_link *link;
    if (!group)
        return;
    if (group->loop) {
        loop_remove_flush(&group->flush);
        loop_remove_tick(&group->tick);
        timeouts_fini(&group->attempt_timeouts);
        for (unsigned i = 0; i < ASK_LOOKS; i++)
            timeouts_fini(&group->looks[i]);
    }
    while ((link = list_pop(&group->plans)))
        group_plan_free(container_of(link, struct group_plan, in_group));
    mem_free(group);
}
