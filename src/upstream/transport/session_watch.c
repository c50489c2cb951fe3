/* SPDX-License-Identifier: MIT */
/* Timeouts of sessions: late, silent, stalled, spent, idle.
 *
 * Silence alone is not a failure, since a name may be slow. A silent session ends when our bytes are not even
 * acknowledged, or another session got the response to a query that it was sent; until then new queries go to other
 * sessions.
 */
#include "base/errors.h"
#include "session.h"

uint64_t session_silent_since(const struct session *session)
{
    struct list_link *oldest = list_first(&session->sent);
    uint64_t since = session->suspect_ms;
    if (oldest && (!since || container_of(oldest, struct attempt, link)->sent_ms < since))
        since = container_of(oldest, struct attempt, link)->sent_ms;
    return since && since < session->heard_ms ? session->heard_ms : since;
}

/* Counts the attempts before or after (`later`) this one in its session's list that were sent at about the same
 * time, up to LOSS_MIN. */
static unsigned count_near(const struct attempt *attempt, bool later)
{
    const struct list *sent = &attempt->session->sent;
    const struct list_link *link = &attempt->link;
    unsigned count = 0;
    while (count < LOSS_MIN && (link = later ? list_next(sent, link) : list_previous(sent, link))) {
        uint64_t other_ms = container_of(link, const struct attempt, link)->sent_ms;
        if (other_ms > attempt->sent_ms + LOSS_SPAN || other_ms + LOSS_SPAN < attempt->sent_ms)
            break;
        count++;
    }
    return count;
}

unsigned session_count_near(const struct attempt *attempt)
{
    return count_near(attempt, false) + 1 + count_near(attempt, true);
}

/* When the session counts as silent unless data arrives; UINT64_MAX: never, as far as is known. */
static uint64_t session_silent_at(const struct session *session)
{
    uint64_t overdue_ms = rtt_overdue(&session->server->rtt), since_ms, at_ms = UINT64_MAX;
    if (session->answered > 0 || session->resumed)
        at_ms = silence_due(&session->silence, overdue_ms);
    if (allowance_is_exhausted(&session->server->allowance, session->answered) &&
        (since_ms = session_silent_since(session)) && since_ms + overdue_ms < at_ms)
        at_ms = since_ms + overdue_ms;
    return at_ms;
}

bool session_is_silent(const struct session *session, uint64_t now_ms)
{
    return now_ms >= session_silent_at(session);
}

bool session_lives_since(const struct session *session, uint64_t ms)
{
    return session->heard_ms > ms || session->opened_ms > ms || session->created_ms >= ms;
}

bool session_has_outlived(const struct session *session, uint64_t now_ms)
{
    return session->used == 0 && now_ms >= session->heard_ms + ALLOWANCE_PROOF;
}

bool session_is_spent(const struct session *session, uint64_t now_ms)
{
    return allowance_is_spent(&session->server->allowance, now_ms, session->given, session->answered,
                              session_has_outlived(session, now_ms));
}

bool session_is_used_up(const struct session *session, uint64_t now_ms)
{
    return session->server->allowance.confirmed && session->used == 0 && !session->suspect_ms &&
           session_is_spent(session, now_ms);
}

static void session_note_progress(struct session *session, uint64_t now_ms)
{
    if (session_stream(session)->received == session->received_seen)
        return;
    session->received_seen = session_stream(session)->received;
    session->received_at_ms = now_ms;
    silence_note_heard(&session->silence);
}

/* Another session has given more responses than this one, the latest after this one was dialled. */
static bool another_responds_to_more(const struct session *session)
{
    list_for_each(link, &session->server->sessions[SESSION_OPEN]) {
        const struct session *other = container_of(link, struct session, in_state);
        if (other->answered > session->answered && other->heard_ms >= session->created_ms)
            return true;
    }
    return false;
}

/* The server may give only a few responses on each session. */
static void session_note_silence(const struct session *session, uint64_t sent_ms)
{
    struct server *server = session->server;
    uint64_t now_ms = loop_now(server->group->loop);
    if (!another_responds_to_more(session) &&
        allowance_note_silence(&server->allowance, now_ms, session->answered, session->created_ms, sent_ms))
        log_debug("upstream", "sessions to %s fall silent after %u responses", server->entry->name, session->answered);
}

void session_suspect(struct session *session, uint64_t sent_ms)
{
    if (session->state != SESSION_OPEN || session->heard_ms > sent_ms || session->suspect_ms ||
        session->server->transport->single)
        return;
    session->suspect_ms = sent_ms;
    session_note_silence(session, sent_ms);
    loop_wake_by(session->server->group->loop, loop_now(session->server->group->loop)); /* for session_rescue */
}

/* Hedges the attempts of a silent session before it ends. First a few are sent elsewhere, within the limit for
 * servers that answer nothing; the others as soon as one of those was answered. */
static void session_rescue(struct session *session, uint64_t now_ms)
{
    bool silent = session_is_silent(session, now_ms);
    uint8_t rescue = session->suspect_ms ? 2 : silent ? 1 : 0;
    if (silent)
        losses_note_silence(&session->server->losses, session->silence.first_ms);
    if (rescue <= session->rescued)
        return;
    session->rescued = rescue;
    list_for_each(link, &session->sent)
        ask_session_silent(container_of(link, struct attempt, link));
}

/* Silence is a failure when our bytes are not even acknowledged, or another session got the response to a query of
 * this one. */
static uint64_t session_check_silence(struct session *session, uint64_t now_ms)
{
    uint64_t since = session_silent_since(session);
    uint64_t limit = rtt_silence(&session->server->rtt);
    if (!since)
        return LOOP_NEVER;
    if (now_ms < since + limit)
        return since + limit;
    if (!session->suspect_ms && !stream_unacknowledged(session_stream(session)))
        return now_ms + limit;
    counter_add(session->server->group->counters, COUNTER_sessions_retired, 1);
    session_close(session, ERROR_SILENT);
    return LOOP_NEVER;
}

/* Another session of the server fell silent, this one has received nothing since, and a third one answers again. */
static bool session_is_left_behind(const struct session *session)
{
    const struct losses *losses = &session->server->losses;
    return losses->silent_ms && losses->answered_sent_ms > losses->silent_ms &&
           !session_lives_since(session, losses->silent_ms);
}

/* When a session without an error ends because it makes no progress or is idle. */
static uint64_t session_deadline(const struct session *session, uint64_t now_ms, int *reason)
{
    if (session->state == SESSION_DIALING) {
        *reason = -ETIMEDOUT;
        return session->created_ms + DIAL_TIMEOUT;
    }
    if (stream_mid_frame(session_stream(session))) {
        *reason = ERROR_SLOW_WRITER;
        return session->received_at_ms + STALL_TIMEOUT;
    }
    *reason = ERROR_IDLE;
    if (session->used > 0 || session->suspect_ms)
        return LOOP_NEVER;
    if (session_is_left_behind(session) || session_is_used_up(session, now_ms))
        return now_ms;
    if (session->state == SESSION_RETIRING)
        return session->probe ? session->opened_ms + PROBE_LINGER : now_ms;
    return session->used_ms + session->idle_ms;
}

/* From now on the session watches the route from its own address. */
static void session_note_way(struct session *session)
{
    struct addr local;
    if (session->server->transport->local(session, &local) == 0)
        server_look_up(session->server, &local, &session->route);
    session->way_noted = true;
}

uint64_t session_check(struct session *session, uint64_t now_ms)
{
    int reason;
    session_note_progress(session, now_ms);
    uint64_t deadline = session_deadline(session, now_ms, &reason);
    if (deadline <= now_ms) {
        session_close(session, reason);
        return LOOP_NEVER;
    }
    if (session->state == SESSION_DIALING)
        return deadline;
    if (!session->way_noted)
        session_note_way(session);
    session_rescue(session, now_ms);
    uint64_t due = session_silent_at(session);
    uint64_t silence = session_check_silence(session, now_ms);
    if (due > now_ms && due < deadline)
        deadline = due;
    return silence < deadline ? silence : deadline;
}
