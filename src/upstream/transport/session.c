/* SPDX-License-Identifier: MIT */
/* A session: the path to one server over which queries go and responses come back. Shared by all transports.
 *
 * State table (session_set_state is the only writer; the state is also the list that the session is in):
 *   DIALING  -> OPEN      the peer is reachable, and verified if the transport does that
 *   DIALING  -> CLOSING   the dial failed, hung, or is no longer needed
 *   OPEN     -> RETIRING  too many tombstones, no id left, suspected silent, server asked for it (RFC 7828 timeout 0)
 *   OPEN     -> CLOSING   idle, failed, stopped
 *   RETIRING -> CLOSING   no attempt is outstanding, or failed
 *   CLOSING  -> freed     when its handles are closed
 *
 * Invariants:
 *   - an attempt is on a session only in OPEN and RETIRING, and is in exactly one of its lists `queued` and `sent`;
 *   - when a session fails, all its attempts are taken off before the first callback: no callback sees a session
 *     that is half ended.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "net/tap.h"
#include "session.h"
#include "upstream/upstream.h"

void session_set_state(struct session *session, enum session_state state)
{
    struct server *server = session->server;
    server->open += (state == SESSION_OPEN) - (session->state == SESSION_OPEN);
    server->dialing += (state == SESSION_DIALING) - (session->state == SESSION_DIALING);
    list_remove(&session->in_state);
    session->state = state;
    list_push_front(&server->sessions[state], &session->in_state);
}

/* --- attempts on a session --- */

void session_take(struct session *session, struct attempt *attempt)
{
    struct group *group = session->server->group;
    attempt->opened = attempt->state == ATTEMPT_WAITING && session->opened_ms >= attempt->asked_ms;
    attempt->state = ATTEMPT_QUEUED;
    attempt->session = session;
    attempt->server = session->server;
    attempt->taken_ms = loop_now(group->loop);
    attempt->resumed = session->resumed;
    list_push_back(&session->queued, &attempt->link);
    struct server *server = session->server;
    uint64_t now_ms = attempt->taken_ms;
    if (session->given >= allowance_now(&server->allowance, now_ms) && session->used == 0)
        allowance_note_outlived(&server->allowance, now_ms, session->given);
    session->given++;
    if (server->allowance.confirmed && session->given > server->allowance.queries)
        allowance_note_probe(&server->allowance, now_ms);
    idle_note_query(&server->idle, now_ms);
    session->used++;
    session->reserved = attempt->isolated;
    session->used_ms = attempt->taken_ms;
    if (!list_linked(&session->in_dirty))
        list_push_back(&group->dirty, &session->in_dirty);
    loop_add_flush(group->loop, &group->flush);
}

/* The last attempt has ended: the session is idle from now on. */
static void session_rest(struct session *session)
{
    loop_wake_by(session->server->group->loop, session->used_ms + session->idle_ms);
}

void session_relieved(struct session *session)
{
    if (session->used > 0)
        return;
    session->reserved = false;
    if (session_is_used_up(session, loop_now(session->server->group->loop)))
        session_retire(session);
    if (session->state == SESSION_RETIRING)
        session->server->transport->stop(session, ERROR_IDLE);
    session_rest(session);
    pool_connect(session->server->group);
}

void session_detach(struct session *session, struct attempt *attempt)
{
    list_remove(&attempt->link);
    session->used--;
    attempt->session = NULL;
    attempt->state = ATTEMPT_IDLE;
}

/* Moves attempts that were not sent yet to another session; that is not counted as a failure. */
static void session_requeue(struct session *session)
{
    struct list_link *link;
    while ((link = list_pop(&session->queued))) {
        struct attempt *attempt = container_of(link, struct attempt, link);
        session->used--;
        session->given--;
        attempt->session = NULL;
        attempt->state = ATTEMPT_WAITING;
        attempt_wait(session->server->group, attempt);
    }
}

static enum outcome outcome_of_end(const struct attempt *attempt, int reason, bool explained)
{
    if (reason == ERROR_SILENT)
        return OUTCOME_SILENT;
    if (explained)
        return OUTCOME_LOST_EXPLAINED;
    return attempt->isolated ? OUTCOME_LOST_ISOLATED : OUTCOME_LOST;
}

/* Takes all attempts off and finishes those that were sent. `explained`: no query need have caused the end. */
static void session_fail_all(struct session *session, int reason, bool explained)
{
    struct list failed;
    struct list_link *link;
    list_init(&failed);
    session_requeue(session);
    while ((link = list_pop(&session->sent))) {
        struct attempt *attempt = container_of(link, struct attempt, link);
        attempt->session = NULL;
        /* Live, in a list, on no session: attempt_cancel works as for a waiting one. */
        attempt->state = ATTEMPT_WAITING;
        list_push_back(&failed, link);
    }
    session->used = 0;
    while ((link = list_pop(&failed))) {
        struct attempt *attempt = container_of(link, struct attempt, link);
        attempt_finish(attempt, outcome_of_end(attempt, reason, explained), reason, NULL);
    }
}

#ifdef ENABLE_DNSTAP
void session_tap(const struct session *session, enum tap_transport transport, enum tap_kind kind,
                 const uint8_t *message, size_t len)
{
    const struct tap_event event = {
        .kind = kind, .transport = transport, .answerer = &session->server->addr, .message = {message, len}};
    tap_message(session->server->group->tap, &event);
}
#endif

/* --- writing --- */

/* A query that this server must not get: no group that it is in should have been chosen. */
static void session_refuse(struct session *session, struct attempt *attempt)
{
    counter_add(session->server->group->counters, COUNTER_plain_refused, 1);
    list_remove(&attempt->link);
    session->used--;
    attempt->session = NULL;
    attempt->state = ATTEMPT_WAITING;
    attempt_finish(attempt, OUTCOME_UNUSABLE, ERROR_UPSTREAM_ANSWER, NULL);
}

size_t session_build(struct session *session, struct attempt *attempt, uint8_t message[EDIT_QUESTION_MAX],
                     bool keepalive)
{
    const struct transport *transport = session->server->transport;
    if (transport->carries && !transport->carries(session->server, attempt->key)) {
        session_refuse(session, attempt);
        return 0;
    }
    attempt->without_edns |= !edns_is_sent(&session->server->edns, loop_now(session->server->group->loop));
    const struct edit_ask ask = {
        .unchecked = attempt->unchecked,
        .edns = !attempt->without_edns,
        .keepalive = keepalive,
        .subnet_none = session->server->entry->ecs == ECS_OFF,
        .pad = transport->encrypted,
    };
    return edit_question(message, attempt->key, &ask);
}

void session_note_sent(struct session *session, struct attempt *attempt)
{
    struct group *group = session->server->group;
    list_remove(&attempt->link);
    list_push_back(&session->sent, &attempt->link);
    attempt->state = ATTEMPT_SENT;
    attempt->sent_ms = loop_now(group->loop);
    if (!attempt->hedge)
        silence_note_query(&session->silence, attempt->sent_ms);
    counter_add(group->counters, COUNTER_attempts_sent, 1);
    counter_add(group->counters, COUNTER_attempts_reused, !attempt->opened);
    if (group->plan->portal)
        event_portal(session->server, attempt->key);
}

/* --- reading --- */

void session_note_heard(struct session *session)
{
    struct group *group = session->server->group;
    session->used_ms = session->heard_ms = loop_now(group->loop);
    if (session->suspect_ms)
        allowance_forget_silence(&session->server->allowance);
    session->suspect_ms = 0;
    session->rescued = 0;
    silence_note_heard(&session->silence);
    if (!list_empty(&group->waiting)) /* the session may have been doubtful until now */
        pool_connect(group);
}

static void session_note_transport(struct session *session, const struct answer_transport *transport)
{
    if (!transport->keepalive)
        return;
    if (transport->keepalive_ms == 0) { /* RFC 7828 section 3.4: the server wants the connection closed */
        session_retire(session);
        return;
    }
    session->idle_ms =
        idle_lifetime(&session->server->idle, session->server->group->config->tls.idle_ms, transport->keepalive_ms);
}

static enum outcome outcome_of_message(const struct attempt *attempt, int status)
{
    if (status == ERROR_UPSTREAM_FORMERR)
        return attempt->without_edns ? OUTCOME_FORMERR : OUTCOME_NO_EDNS;
    return status < 0 ? OUTCOME_UNUSABLE : OUTCOME_RESPONSE;
}

/* 0, or ERROR_UPSTREAM_FORMERR: the server cannot parse the query, or may not have understood its OPT. `explained`:
 * the response has an extended error. A lookup that is to be validated has no use for data without signatures, which
 * come with an OPT only, so a failure stays one. */
static int session_check_rcode(struct session *session, const struct attempt *attempt, uint16_t rcode, bool explained)
{
    struct edns *edns = &session->server->edns;
    if (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN)
        edns_note_usable(edns, loop_now(session->server->group->loop), !attempt->without_edns);
    else if (attempt->without_edns ? rcode == RCODE_FORMERR
                                   : edns_note_error(edns, rcode, explained || attempt->unchecked))
        return ERROR_UPSTREAM_FORMERR;
    return 0;
}

void session_note_response(struct session *session, uint64_t sent_ms)
{
    struct server *server = session->server;
    uint64_t now_ms = loop_now(server->group->loop);
    rtt_note(&server->rtt, now_ms, now_ms - sent_ms);
    fallback_note_response(server, sent_ms);
    losses_note_response(&server->losses, sent_ms);
    server->backoff.failures = 0;
    histogram_add(&server->notes.answer, now_ms - sent_ms, 1);
    if (server->notes.failing_since_ms)
        event_answers(server);
}

void session_answer(struct session *session, struct attempt *attempt, uint8_t *message, size_t len, uint64_t sent_ms)
{
    struct server *server = session->server;
    struct group *group = server->group;
    struct answer answer;
    struct answer_transport transport;
    int status = message_walk_answer(message, len, group->scratch, &answer, &transport);
    session_note_response(session, sent_ms);
    session->answered++;
    if (server->allowance.confirmed && session->answered > server->allowance.queries)
        allowance_forget_silence(&server->allowance);
    if (status < 0)
        counter_add(group->counters, COUNTER_upstream_malformed, 1);
    else if (!server->transport->single)
        session_note_transport(session, &transport);
    if (status == 0)
        status = session_check_rcode(session, attempt, answer.rcode, answer.ede.count > 0);
    group->reached = true;
    pool_note_success(group);
    attempt_finish(attempt, outcome_of_message(attempt, status), status, status < 0 ? NULL : &answer);
    session_relieved(session);
}

bool session_is_bare_error(const uint8_t *message, size_t len)
{
    return len >= MESSAGE_HEADER && read_u16(message + 4) == 0 && (message[2] & 0x80) && (message[3] & 0x0f) != 0;
}

void session_bare_error(struct session *session, struct attempt *attempt, const uint8_t *message)
{
    uint16_t rcode = message[3] & 0x0f;
    int status = session_check_rcode(session, attempt, rcode, false);
    if (status == 0)
        status = rcode == RCODE_NOTIMP ? ERROR_UPSTREAM_FORMERR : ERROR_UPSTREAM_ANSWER;
    attempt_finish(attempt, outcome_of_message(attempt, status), status, NULL);
    session_relieved(session);
}

/* --- start and end --- */

static void session_tell_opened(struct session *session)
{
    struct server *server = session->server;
    char words[TRANSPORT_TEXT];
    server->transport->opened(session, words);
    event_opened(server, words);
    notes_add_opened(&server->notes, session->opened_ms, session->resumed);
    counter_add(server->group->counters, COUNTER_sessions_resumed, session->resumed);
}

void session_opened(struct session *session, bool proven)
{
    struct group *group = session->server->group;
    session_set_state(session, SESSION_OPEN);
    session->opened_ms = session->used_ms = loop_now(group->loop);
    report_note_dial(session);
    session_rest(session);
    counter_add(group->counters, COUNTER_sessions_opened, 1);
    session_tell_opened(session);
    loop_wake_by(group->loop, session->opened_ms); /* for session_note_way, after the waiting queries have left */
    if (proven)
        condition_note(&session->server->condition, session->probe ? CONDITION_PROBED : CONDITION_OPENED,
                       session->opened_ms);
    pool_dial_succeeded(session->server);
    if (probe_ends_here(session))
        session_set_state(session, SESSION_RETIRING);
    pool_connect(group);
}

static void session_count_end(struct session *session, int reason)
{
    struct counters *counters = session->server->group->counters;
    bool by_us = reason == ERROR_IDLE || reason == ERROR_STOPPING;
    counter_add(counters, COUNTER_sessions_flooded, reason == ERROR_FLOOD);
    counter_add(counters, COUNTER_sessions_untrusted, error_is_distrust(reason));
    if (session->state == SESSION_DIALING)
        counter_add(counters, COUNTER_sessions_failed, !by_us);
    else if (by_us)
        counter_add(counters, COUNTER_sessions_closed_idle, 1);
    else if (reason == ERROR_CLOSED)
        counter_add(counters, COUNTER_sessions_closed_by_server, 1);
    else
        counter_add(counters, COUNTER_sessions_reset, 1);
}

/* Learns the server's idle timeout from the end of an idle session (not from a reset). True if a new session should
 * be opened ahead of the next query. */
static bool session_note_rest(struct session *session, int reason)
{
    uint64_t rested_ms = loop_now(session->server->group->loop) - session->used_ms;
    if (session->state != SESSION_OPEN || session->used > 0)
        return false;
    if (reason == ERROR_CLOSED && session->clean_end)
        idle_note_close(&session->server->idle, rested_ms);
    else if (reason == ERROR_IDLE)
        idle_note_end(&session->server->idle);
    else
        return false;
    return session->given > 0 && idle_wanted_again(&session->server->idle, rested_ms);
}

/* True if the server or the network caused the end, not dotstub. */
static bool is_servers_doing(int reason)
{
    return reason != ERROR_STOPPING && reason != ERROR_IDLE && reason != ERROR_NETWORK_CHANGED &&
           reason != ERROR_SILENT;
}

/* True if the transport opens the next session in another way: neither the server nor the queries need have caused
 * this end. */
static bool session_ends_differently(struct session *session, int reason)
{
    const struct transport *transport = session->server->transport;
    return (is_servers_doing(reason) || reason == ERROR_SILENT) && transport->ended &&
           transport->ended(session, reason);
}

/* Evaluates a session end that the server caused: its known limits, and the queries on the session. True: no query
 * need have caused it. */
static bool session_note_end(struct session *session, int reason)
{
    struct server *server = session->server;
    uint64_t now_ms = loop_now(server->group->loop);
    losses_note_end(&server->losses, now_ms);
    if (session->state == SESSION_DIALING) {
        pool_dial_failed(server, session->created_ms, reason);
        return false;
    }
    if (!session->reserved)
        losses_note_shared_end(&server->losses, now_ms);
    if (session->given > 0 && session->answered == 0)
        pool_session_failed(server, session->created_ms, reason);
    return !session_has_outlived(session, now_ms) && !session->reserved &&
           allowance_note_end(&server->allowance, now_ms, session->given, session->answered,
                              server->backoff.failures > 1);
}

void session_end(struct session *session, int reason)
{
    struct server *server = session->server;
    if (session->state == SESSION_CLOSING)
        return;
    session_count_end(session, reason);
    if (session->state == SESSION_DIALING)
        report_note_dial(session);
    bool wanted_again = session_note_rest(session, reason);
    log_debug("upstream", "session to %s ends: %s", server->entry->name, error_text(reason));
    bool by_server = is_servers_doing(reason);
    bool explained = session_ends_differently(session, reason) || (by_server && session_note_end(session, reason));
    if (by_server && !explained && !session->reserved && !list_empty(&session->sent))
        losses_note_lost(&server->losses, loop_now(server->group->loop));
    if (session->state != SESSION_DIALING && (by_server || reason == ERROR_SILENT))
        fallback_note_end(server, !list_empty(&session->sent), session->clean_end, reason);
    session_set_state(session, SESSION_CLOSING);
    list_remove(&session->in_dirty);
    session_fail_all(session, reason, explained);
    pool_connect(server->group);
    if (wanted_again)
        pool_open_ahead(server);
}

void session_retire(struct session *session)
{
    if (session->state != SESSION_OPEN)
        return;
    counter_add(session->server->group->counters, COUNTER_sessions_retired, 1);
    session_set_state(session, SESSION_RETIRING);
    session_requeue(session);
    loop_wake_by(session->server->group->loop, loop_now(session->server->group->loop));
}

void session_init(struct session *session, struct server *server, unsigned offered)
{
    struct group *group = server->group;
    session->server = server;
    session->offered = offered;
    session->state = SESSION_CLOSING; /* in no list yet */
    ids_init(&session->ids);
    session->capacity = IDS_MAX;
    session->created_ms = session->used_ms = session->received_at_ms = loop_now(group->loop);
    session->idle_ms = idle_lifetime(&server->idle, group->config->tls.idle_ms, 0);
    list_init(&session->queued);
    list_init(&session->sent);
}

void session_begin(struct session *session)
{
    const struct server *server = session->server;
    struct group *group = server->group;
    server_look_up(server, NULL, &session->route);
    group->sessions++;
    session_set_state(session, SESSION_DIALING);
    loop_wake_by(group->loop, session->created_ms + DIAL_TIMEOUT);
    counter_add(group->counters, COUNTER_sessions_dialed, 1);
}

void session_leave(struct session *session)
{
    list_remove(&session->in_state);
    ids_free(&session->ids);
}

void session_gone(struct group *group)
{
    loop_add_flush(group->loop, &group->flush); /* the plan may be freed if this was its last session */
    group->sessions--;
    if (group->stopping && group->sessions == 0)
        group->closed(group->closed_context);
}
