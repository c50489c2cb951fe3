/* SPDX-License-Identifier: MIT */
/* The connection for queries that UDP is not enough for: one at a time, opened when it is needed.
 *
 * Invariants: nothing here calls back before it returns, except from callbacks of the stream. A query is sent again, once,
 * if the connection ends before its response: the server may have closed an idle one.
 */
#include <errno.h>
#include "base/errors.h"
#include "udp.h"

static struct udp_session *session_of(struct stream *stream)
{
    return container_of(stream, struct udp_session, tcp.stream);
}

static struct group *group_of(const struct udp_session *udp)
{
    return udp->session.server->group;
}

/* --- writing --- */

static bool write_one(struct udp_session *udp, struct udp_query *query)
{
    struct session *session = &udp->session;
    uint8_t *message = stream_reserve(&udp->tcp.stream, EDIT_QUESTION_MAX);
    if (!message || ids_take(&session->ids, query->attempt, &query->tcp_id) < 0) {
        counter_add(group_of(udp)->counters, COUNTER_memory_failed, 1);
        return false;
    }
    size_t len = session_build(session, query->attempt, message, false);
    edit_set_id(message, query->tcp_id);
    session_tap(session, TAP_TCP, TAP_FORWARDER_QUERY, message, len);
    stream_commit(&udp->tcp.stream, len);
    list_remove(&query->in_tcp);
    list_push_back(&udp->tcp.sent, &query->in_tcp);
    query->over_tcp = true;
    query->tcp_sent_ms = udp->tcp.used_ms = loop_now(group_of(udp)->loop);
    counter_add(group_of(udp)->counters, COUNTER_plain_udp_over_tcp, 1);
    return true;
}

void udp_tcp_flush(struct udp_session *udp)
{
    struct udp_tcp *tcp = &udp->tcp;
    struct list_link *link;
    bool wrote = false;
    if (!tcp->used || tcp->closing || !stream_drained(&tcp->stream))
        return;
    while ((link = list_first(&tcp->waiting)) && write_one(udp, container_of(link, struct udp_query, in_tcp)))
        wrote = true;
    if (wrote)
        stream_flush(&tcp->stream);
}

static void on_drained(struct stream *stream)
{
    udp_wake(session_of(stream));
}

static void on_ready(struct stream *stream)
{
    udp_wake(session_of(stream));
}

/* --- reading --- */

static void on_frame(struct stream *stream, uint8_t *message, size_t len)
{
    struct udp_session *udp = session_of(stream);
    struct session *session = &udp->session;
    if (session->state == SESSION_CLOSING || udp->tcp.closing)
        return;
    if (len < MESSAGE_HEADER) {
        counter_add(group_of(udp)->counters, COUNTER_upstream_malformed, 1);
        udp->tcp.closing = true;
        stream_close(stream, ERROR_MALFORMED);
        return;
    }
    session_tap(session, TAP_TCP, TAP_FORWARDER_RESPONSE, message, len);
    uint16_t id = read_u16(message);
    struct attempt *attempt = ids_find(&session->ids, id);
    bool bare = session_is_bare_error(message, len);
    if (!attempt) {
        counter_add(group_of(udp)->counters, COUNTER_upstream_ignored_id, !ids_settle(&session->ids, id));
    } else if (!bare && !message_answers((struct bytes){message, len}, attempt->key)) {
        counter_add(group_of(udp)->counters, COUNTER_upstream_ignored_question, 1);
    } else {
        struct udp_query *query = attempt->in_transport;
        ids_give(&session->ids, id);
        list_remove(&query->in_tcp);
        stream->unanswered = 0;
        udp->tcp.used_ms = loop_now(group_of(udp)->loop);
        udp_deliver(udp, query, query->tcp_sent_ms, message, len);
    }
}

/* --- start and end --- */

static void connect_now(struct udp_session *udp);

/* Queries that were sent wait again, once; the others fail. */
static void lose(struct udp_session *udp, bool connected, int reason)
{
    struct list_link *link;
    struct list failed;
    list_init(&failed);
    while ((link = list_pop(&udp->tcp.sent))) {
        struct udp_query *query = container_of(link, struct udp_query, in_tcp);
        ids_give(&udp->session.ids, query->tcp_id);
        query->over_tcp = false;
        list_push_back(query->tcp_losses++ == 0 ? &udp->tcp.waiting : &failed, link);
    }
    while (!connected && (link = list_pop(&udp->tcp.waiting)))
        list_push_back(&failed, link);
    while ((link = list_pop(&failed)))
        udp_fail(udp, container_of(link, struct udp_query, in_tcp), reason);
}

static void on_closed(struct stream *stream, int reason)
{
    struct udp_session *udp = session_of(stream);
    udp->tcp.used = udp->tcp.closing = false;
    if (udp->session.state == SESSION_CLOSING) {
        udp_handle_gone(udp);
        return;
    }
    lose(udp, stream->connected_ms > 0, reason);
    ids_free(&udp->session.ids);
    ids_init(&udp->session.ids);
    if (udp->session.state != SESSION_CLOSING && !udp->tcp.used && !list_empty(&udp->tcp.waiting))
        connect_now(udp);
}

static const struct stream_ops tcp_ops = {
    .ready = on_ready, .frame = on_frame, .drained = on_drained, .closed = on_closed};

/* Without a connection the waiting queries fail in the next tick. */
static void connect_now(struct udp_session *udp)
{
    const struct server *server = udp->session.server;
    const struct config_upstream *entry = server->entry;
    struct loop *loop = group_of(udp)->loop;
    const struct stream_form form = {
        .framing = &framing_dns, .layer = &byte_layer_plain, .interface = entry->interface, .mark = entry->fwmark};
    int status = stream_connect(&udp->tcp.stream, loop, &tcp_ops, &form, &server->addr,
                                entry->has_source ? &entry->source : NULL);
    if (status < 0) {
        list_for_each(link, &udp->tcp.waiting)
            container_of(link, struct udp_query, in_tcp)->due_ms = loop_now(loop);
        loop_wake_by(loop, loop_now(loop));
        return;
    }
    udp->tcp.used = true;
    udp->tcp.used_ms = loop_now(loop);
    udp->tcp.stream.unanswered_max = group_of(udp)->config->tls.unanswered;
}

void udp_tcp_take(struct udp_session *udp, struct udp_query *query)
{
    udp_set_phase(udp, query, UDP_PHASE_TCP, UDP_TCP);
    list_push_back(&udp->tcp.waiting, &query->in_tcp);
    if (!udp->tcp.used)
        connect_now(udp);
    udp_wake(udp);
}

void udp_tcp_leave(struct udp_session *udp, struct udp_query *query)
{
    if (query->over_tcp)
        ids_bury(&udp->session.ids, query->tcp_id);
    list_remove(&query->in_tcp);
}

uint64_t udp_tcp_check(struct udp_session *udp, uint64_t now_ms)
{
    struct udp_tcp *tcp = &udp->tcp;
    if (!tcp->used || tcp->closing || !list_empty(&tcp->waiting) || !list_empty(&tcp->sent))
        return LOOP_NEVER;
    if (now_ms < tcp->used_ms + UDP_TCP_IDLE)
        return tcp->used_ms + UDP_TCP_IDLE;
    tcp->closing = true;
    stream_close(&tcp->stream, ERROR_IDLE);
    return LOOP_NEVER;
}
