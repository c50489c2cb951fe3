/* SPDX-License-Identifier: MIT */
/* Sessions over a stream: one persistent connection to one server. Shared by the transports that have connections.
 *
 * Invariant: a response is delivered to an attempt only if its id is that of a live slot and its Question section
 * matches the attempt's query.
 */
#include "base/errors.h"
#include "base/mem.h"
#include "session.h"

static struct session *session_of(struct stream *stream)
{
    return &container_of(stream, struct stream_session, stream)->session;
}

/* --- attempts on a session --- */

void session_forget(struct session *session, struct attempt *attempt)
{
    if (attempt->state == ATTEMPT_SENT) {
        ids_bury(&session->ids, attempt->id);
        if (session->ids.tombstones > SESSION_TOMBSTONES)
            session_retire(session);
    }
    session_detach(session, attempt);
    session_relieved(session);
}

/* Takes off a sent attempt whose response has come: its id is free again. */
static void session_release(struct session *session, struct attempt *attempt)
{
    session_stream(session)->unanswered = 0;
    ids_give(&session->ids, attempt->id);
    session_detach(session, attempt);
}

/* --- writing --- */

static bool session_write(struct session *session, struct attempt *attempt)
{
    struct group *group = session->server->group;
    struct stream *stream = session_stream(session);
    uint8_t *message = stream_reserve(stream, EDIT_QUESTION_MAX);
    size_t len = message ? session_build(session, attempt, message, true) : 0;
    if (message && len == 0)
        return true;
    int status = message ? ids_take(&session->ids, attempt, &attempt->id) : -ENOMEM;
    if (status < 0) {
        counter_add(group->counters, COUNTER_memory_failed, status == -ENOMEM);
        return false;
    }
    edit_set_id(message, attempt->id);
    session_tap(session, session->server->transport->tap, TAP_FORWARDER_QUERY, message, len);
    stream_commit(stream, len);
    session_note_sent(session, attempt);
    return true;
}

/* Encrypts only when the last ciphertext has been written, so that queries not yet sent can still move to another
 * session. */
void session_flush(struct session *session)
{
    struct stream *stream = session_stream(session);
    bool wrote = false;
    struct list_link *link;
    if (!stream_drained(stream))
        return;
    for (unsigned i = 0; i < WRITTEN_A_TURN && (link = list_first(&session->queued)) &&
                         session_write(session, container_of(link, struct attempt, link));
         i++)
        wrote = true;
    if (wrote)
        stream_flush(stream);
    session_wake_after_flush(session);
}

void session_wake_after_flush(struct session *session)
{
    struct loop *loop = session->server->group->loop;
    uint64_t now_ms = loop_now(loop), next_ms = now_ms + rtt_silence(&session->server->rtt);
    if (!list_empty(&session->queued)) /* the rest is written soon; there may be memory for it then */
        next_ms = now_ms + MEMORY_RETRY;
    else if (silence_is_possible(&session->silence) && !session_is_silent(session, now_ms))
        next_ms = now_ms + rtt_overdue(&session->server->rtt);
    loop_wake_by(loop, next_ms);
}

/* Writes the queries that waited until the last ciphertext was sent. */
void session_drained(struct stream *stream)
{
    struct group *group = session_of(stream)->server->group;
    loop_add_flush(group->loop, &group->flush);
}

/* --- reading --- */

enum { ACK_STEP = 4, ACK_BURST = 32 * ACK_STEP }; /* ms */

/* More responses are outstanding and no query is about to carry an acknowledgement: a server that uses Nagle's
 * algorithm would withhold the next response for 40 ms. After a burst at most one is sent per ACK_STEP: at higher
 * rates queries carry the acknowledgements. */
static void session_acknowledge(struct session *session)
{
    uint64_t now_ms = loop_now(session->server->group->loop);
    if (list_empty(&session->sent) || !list_empty(&session->queued) || session->ack_ms > now_ms + ACK_BURST)
        return;
    session->ack_ms = (session->ack_ms > now_ms ? session->ack_ms : now_ms) + ACK_STEP;
    stream_acknowledge(session_stream(session));
}

static void session_frame(struct stream *stream, uint8_t *message, size_t len)
{
    struct session *session = session_of(stream);
    struct group *group = session->server->group;
    if (session->state == SESSION_CLOSING)
        return;
    session_note_heard(session);
    if (len < MESSAGE_HEADER) { /* shorter than a DNS header: the framing is lost */
        counter_add(group->counters, COUNTER_upstream_malformed, 1);
        session_close(session, ERROR_MALFORMED);
        return;
    }
    session_tap(session, session->server->transport->tap, TAP_FORWARDER_RESPONSE, message, len);
    uint16_t id = read_u16(message);
    struct attempt *attempt = ids_find(&session->ids, id);
    if (!attempt) { /* a late response to a tombstone, or one that we did not ask for */
        if (ids_settle(&session->ids, id)) {
            session->answered++;
            stream->unanswered = 0;
        } else {
            counter_add(group->counters, COUNTER_upstream_ignored_id, 1);
        }
    } else if (session_is_bare_error(message, len)) {
        session_release(session, attempt);
        session_bare_error(session, attempt, message);
    } else if (!message_answers((struct bytes){message, len}, attempt->key)) {
        counter_add(group->counters, COUNTER_upstream_ignored_question, 1);
    } else {
        session_release(session, attempt);
        session_answer(session, attempt, message, len, attempt->sent_ms);
    }
    session_acknowledge(session);
}

/* --- start and end --- */

static void session_ready(struct stream *stream)
{
    struct session *session = session_of(stream);
    if (session->state == SESSION_DIALING)
        session_opened(session, true);
}

void session_closed(struct stream *stream, int reason)
{
    struct session *session = session_of(stream);
    struct group *group = session->server->group;
    session->clean_end = stream->clean_end;
    session_end(session, reason);
    session_leave(session);
    mem_free(container_of(session, struct stream_session, session));
    session_gone(group);
}

static const struct stream_ops session_stream_ops = {
    .ready = session_ready,
    .frame = session_frame,
    .drained = session_drained,
    .closed = session_closed,
};

int session_dial(struct server *server, const struct stream_form *form, unsigned offered)
{
    return session_dial_as(server, form, offered, &session_stream_ops, sizeof(struct stream_session));
}

int session_dial_as(struct server *server, const struct stream_form *form, unsigned offered,
                    const struct stream_ops *ops, size_t size)
{
    struct group *group = server->group;
    struct stream_session *dialed = mem_zalloc(1, size);
    if (!dialed)
        return -ENOMEM;
    session_init(&dialed->session, server, offered);
    const struct addr *source = server->entry->has_source ? &server->entry->source : NULL;
    int status = stream_connect(&dialed->stream, group->loop, ops, form, &server->addr, source);
    if (status < 0) {
        mem_free(dialed);
        return status;
    }
    dialed->stream.unanswered_max = group->config->tls.unanswered;
    session_begin(&dialed->session);
    return 0;
}

void session_close(struct session *session, int reason)
{
    if (session->state == SESSION_CLOSING)
        return;
    session_end(session, reason);
    stream_close(session_stream(session), reason);
}

/* --- facts --- */

bool session_is_usable(const struct session *session)
{
    return session_stream(session)->state == STREAM_OPEN;
}

uint64_t session_connected_ms(const struct session *session)
{
    return session_stream(session)->connected_ms;
}

int session_local(const struct session *session, struct addr *out)
{
    return stream_peer(session_stream(session), out, true);
}

bool session_is_acknowledged(const struct session *session)
{
    return !stream_unacknowledged(session_stream(session));
}
