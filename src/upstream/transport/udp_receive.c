/* SPDX-License-Identifier: MIT */
/* Which datagrams are responses. The kernel delivers only those from the server's address and port to the port of the
 * socket; a response has the id and the Question section, in the same letter case, of a query sent from this socket.
 *
 * Invariant: a datagram that does not answer an outstanding query changes nothing but counts, until UDP_WRONG of them
 * send the queries of the socket over TCP.
 */
#include "udp.h"

static struct counters *counters_of(const struct udp_session *udp)
{
    return udp->session.server->group->counters;
}

static struct udp_sent *find(const struct udp_socket *socket, uint16_t id)
{
    list_for_each(link, &socket->sent) {
        struct udp_sent *sent = container_of(link, struct udp_sent, in_socket);
        if (sent->id == id)
            return sent;
    }
    return NULL;
}

static bool is_late(const struct udp_socket *socket, uint16_t id)
{
    for (unsigned i = 0; i < socket->gone_count && i < UDP_GONE; i++)
        if (socket->gone[i] == id)
            return true;
    return false;
}

static void over_tcp(struct udp_session *udp, struct udp_query *query)
{
    udp_leave_sockets(udp, query);
    udp_tcp_take(udp, query);
}

/* The first transmission of the socket that has had UDP_WRONG wrong responses; NULL: there is none. */
static struct udp_sent *find_attacked(const struct udp_socket *socket)
{
    list_for_each(link, &socket->sent) {
        struct udp_sent *sent = container_of(link, struct udp_sent, in_socket);
        if (socket->wrong - sent->wrong >= UDP_WRONG && sent->query->attempt)
            return sent;
    }
    return NULL;
}

/* Somebody guesses: queries that have had many wrong responses go over TCP. The port is used no more. */
static void note_wrong(struct udp_session *udp, struct udp_socket *socket)
{
    struct udp_sent *attacked;
    socket->wrong++;
    while ((attacked = find_attacked(socket))) {
        socket->used = UDP_SOCKET_QUERIES;
        counter_add(counters_of(udp), COUNTER_plain_udp_attacked, 1);
        over_tcp(udp, attacked->query);
    }
}

/* A response to the query with which the session is opened. */
static void proven(struct udp_session *udp, const struct udp_sent *sent)
{
    struct session *session = &udp->session;
    uint64_t sent_ms = sent->sent_ms;
    udp_note_heard(udp);
    udp_leave_sockets(udp, sent->query);
    udp_end_query(udp, sent->query);
    session_note_response(session, sent_ms);
    if (session->state == SESSION_DIALING)
        session_opened(session, true);
}

/* Letters count only if they were drawn: a server may answer in lower case what was sent in lower case. */
static bool has_other_case(struct udp_session *udp, const struct udp_sent *sent, const uint8_t *message)
{
    struct server *server = udp->session.server;
    bool same = memcmp(message + MESSAGE_HEADER, sent->name, sent->query->key->name_len) == 0;
    if (!sent->mixed)
        return false;
    if (letter_case_note(&plain_of(server)->letter_case, same, loop_now(server->group->loop))) {
        counter_add(counters_of(udp), COUNTER_plain_udp_unmixed, 1);
        log_debug("upstream", "%s does not preserve the letter case of names", server->entry->name);
    }
    counter_add(counters_of(udp), COUNTER_plain_udp_case, !same);
    return !same;
}

static void take(struct udp_session *udp, const struct udp_sent *sent, uint8_t *message, size_t len)
{
    struct udp_query *query = sent->query;
    bool bare = session_is_bare_error(message, len);
    bool other = !bare && has_other_case(udp, sent, message);
    if (!query->attempt) {
        proven(udp, sent);
    } else if (other) {
        over_tcp(udp, query);
    } else if (!bare && read_u16(message + MESSAGE_FLAGS) & FLAG_TC) {
        counter_add(counters_of(udp), COUNTER_plain_udp_truncated, 1);
        udp_note_heard(udp);
        over_tcp(udp, query);
    } else {
        uint64_t sent_ms = sent->sent_ms;
        udp_leave_sockets(udp, query);
        udp_deliver(udp, query, sent_ms, message, len);
    }
}

void udp_received(struct datagrams *datagrams, unsigned number, uint8_t *message, size_t len)
{
    struct udp_session *udp = container_of(datagrams, struct udp_session, datagrams);
    struct udp_socket *socket = &udp->sockets[number];
    if (udp->session.state == SESSION_CLOSING)
        return;
    if (len < MESSAGE_HEADER || !(read_u16(message + MESSAGE_FLAGS) & FLAG_QR)) {
        counter_add(counters_of(udp), COUNTER_upstream_malformed, 1);
        note_wrong(udp, socket);
        return;
    }
    session_tap(&udp->session, TAP_UDP, TAP_FORWARDER_RESPONSE, message, len);
    uint16_t id = read_u16(message);
    struct udp_sent *sent = find(socket, id);
    if (sent &&
        (session_is_bare_error(message, len) || message_answers((struct bytes){message, len}, sent->query->key))) {
        take(udp, sent, message, len);
    } else if (!sent && is_late(socket, id)) {
        counter_add(counters_of(udp), COUNTER_plain_udp_late, 1);
        udp_note_heard(udp);
    } else {
        counter_add(counters_of(udp), sent ? COUNTER_plain_udp_wrong_question : COUNTER_plain_udp_wrong_id, 1);
        note_wrong(udp, socket);
    }
}
