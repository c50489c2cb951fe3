/* SPDX-License-Identifier: MIT */
/* Plain DNS over UDP, for the zones of a route that says plain: yes.
 *
 * A session is a set of DATAGRAMS_SOCKETS connected sockets, opened when they are first drawn. It needs no handshake: it
 * is open at once, unless its server has failed, or is only to be probed: then it asks for the SOA records of the
 * route's first zone, and is open when the response has come.
 *
 * Invariants:
 *   - a server has at most one session of a worker (transport.single), and a question (name, type and class) at most
 *     one query with its two transmissions outstanding at a server: more would multiply the chances of somebody who
 *     guesses (RFC 5452 section 5). Attempts with the same question and other flags wait for its end;
 *   - a socket sends at most UDP_SOCKET_QUERIES queries; id, socket and letter case are drawn anew for each transmission;
 *   - a server fails for all its queries if the kernel reports an error, or if it has answered nothing for as long as
 *     a query has time; else only the query fails.
 */
#include "udp.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"

static struct counters *counters_of(const struct udp_session *udp)
{
    return udp->session.server->group->counters;
}

static struct loop *loop_of(const struct udp_session *udp)
{
    return udp->session.server->group->loop;
}

static uint64_t now_of(const struct udp_session *udp)
{
    return loop_now(loop_of(udp));
}

void udp_wake(struct udp_session *udp)
{
    struct group *group = udp->session.server->group;
    if (!list_linked(&udp->session.in_dirty))
        list_push_back(&group->dirty, &udp->session.in_dirty);
    loop_add_flush(group->loop, &group->flush);
}

/* --- questions --- */

static uint64_t hash_of(const struct key *key)
{
    return key_hash(key);
}

static bool is_same_question(const struct key *a, const struct key *b)
{
    return a->type == b->type && a->class == b->class && a->name_len == b->name_len &&
           memcmp(a->name, b->name, a->name_len) == 0;
}

static bool is_asked(const struct server *server, const struct key *key)
{
    const struct table *asked = &plain_of(server)->asked;
    for (struct table_link *link = table_first(asked, hash_of(key)); link; link = table_next(link))
        if (is_same_question(container_of(link, struct udp_query, in_asked)->key, key))
            return true;
    return false;
}

static struct udp_query *begin_query(struct udp_session *udp, struct attempt *attempt, const struct key *key)
{
    struct udp_query *query = mem_zalloc(1, sizeof *query);
    if (!query) {
        counter_add(counters_of(udp), COUNTER_memory_failed, 1);
        return NULL;
    }
    query->attempt = attempt;
    query->key = key;
    table_insert(&plain_of(udp->session.server)->asked, &query->in_asked, hash_of(key));
    return query;
}

static void free_query(struct udp_session *udp, struct udp_query *query)
{
    list_remove(&query->in_phase);
    table_remove(&plain_of(udp->session.server)->asked, &query->in_asked);
    if (query->attempt)
        query->attempt->in_transport = NULL;
    mem_free(query);
}

void udp_end_query(struct udp_session *udp, struct udp_query *query)
{
    struct list_link *link;
    free_query(udp, query);
    if (list_empty(&udp->held))
        return;
    while ((link = list_pop(&udp->held)))
        list_push_back(&udp->session.queued, link);
    udp_wake(udp);
}

void udp_set_phase(struct udp_session *udp, struct udp_query *query, enum udp_phase phase, uint64_t wait_ms)
{
    list_remove(&query->in_phase);
    query->phase = phase;
    query->due_ms = now_of(udp) + wait_ms;
    list_push_back(&udp->running[phase], &query->in_phase);
    loop_wake_by(loop_of(udp), query->due_ms);
}

void udp_fail(struct udp_session *udp, struct udp_query *query, int reason)
{
    struct session *session = &udp->session;
    struct attempt *attempt = query->attempt;
    reasons_note(&session->server->notes.failures, reason);
    udp_end_query(udp, query);
    session_detach(session, attempt);
    attempt_finish(attempt, OUTCOME_UNUSABLE, reason, NULL);
    session_relieved(session);
}

void udp_note_heard(struct udp_session *udp)
{
    struct server *server = udp->session.server;
    session_note_heard(&udp->session);
    udp->unheard_ms = 0;
    if (udp->unproven)
        condition_note(&server->condition, CONDITION_ANSWERED, now_of(udp));
    udp->unproven = false;
}

void udp_deliver(struct udp_session *udp, struct udp_query *query, uint64_t sent_ms, uint8_t *message, size_t len)
{
    struct session *session = &udp->session;
    struct attempt *attempt = query->attempt;
    udp_note_heard(udp);
    udp_end_query(udp, query);
    session_detach(session, attempt);
    if (session_is_bare_error(message, len))
        session_bare_error(session, attempt, message);
    else
        session_answer(session, attempt, message, len, sent_ms);
}

/* --- sockets --- */

void udp_leave_sockets(struct udp_session *udp, struct udp_query *query)
{
    for (unsigned i = 0; i < query->count; i++) {
        struct udp_sent *sent = &query->sent[i];
        struct udp_socket *socket = &udp->sockets[sent->socket];
        if (!list_linked(&sent->in_socket))
            continue;
        list_remove(&sent->in_socket);
        socket->gone[socket->gone_count++ % UDP_GONE] = sent->id;
    }
}

static int open_socket(struct udp_session *udp, unsigned number)
{
    struct udp_socket *socket = &udp->sockets[number];
    int status = datagrams_open_socket(&udp->datagrams, number);
    if (status < 0)
        return status;
    socket->used = socket->wrong = socket->gone_count = 0;
    counter_add(counters_of(udp), COUNTER_plain_udp_ports, 1);
    return 0;
}

/* A socket with a free number of transmissions, or one that can be replaced by a new one. */
static bool is_eligible(const struct udp_session *udp, unsigned number)
{
    const struct udp_socket *socket = &udp->sockets[number];
    return socket->used < UDP_SOCKET_QUERIES || list_empty(&socket->sent);
}

static bool is_fresh(const struct udp_session *udp, unsigned number)
{
    return datagrams_is_open(&udp->datagrams, number) && udp->sockets[number].used < UDP_SOCKET_QUERIES;
}

/* No descriptor is left: the next socket that is open, one with too many queries only if there is no other. */
static int open_one_after(const struct udp_session *udp, unsigned number)
{
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++) {
            unsigned other = (number + i) % DATAGRAMS_SOCKETS;
            if (pass ? datagrams_is_open(&udp->datagrams, other) : is_fresh(udp, other))
                return (int)other;
        }
    return -EMFILE;
}

/* The number of a socket for the next transmission, or negative. */
static int draw_socket(struct udp_session *udp)
{
    unsigned number = random_below(DATAGRAMS_SOCKETS);
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS && !is_eligible(udp, number); i++)
        number = (number + 1) % DATAGRAMS_SOCKETS;
    if (is_fresh(udp, number))
        return (int)number;
    if (!is_eligible(udp, number))
        return open_one_after(udp, number);
    int status = open_socket(udp, number);
    if (status == -EMFILE || status == -ENFILE || status == -ENOMEM || status == -ENOBUFS)
        return open_one_after(udp, number);
    return status < 0 ? status : (int)number;
}

static uint16_t draw_id(const struct udp_socket *socket)
{
    uint16_t id;
    bool used;
    do {
        id = (uint16_t)random_below(65536);
        used = false;
        list_for_each(link, &socket->sent)
            used |= container_of(link, struct udp_sent, in_socket)->id == id;
    } while (used);
    return id;
}

/* --- sending --- */

static uint64_t first_wait(const struct rtt *rtt)
{
    uint64_t wait_ms = rtt->patience_ms ? 4u * rtt->median_ms : UDP_FIRST_UNKNOWN;
    return wait_ms < UDP_FIRST_MIN ? UDP_FIRST_MIN : wait_ms > UDP_FIRST_MAX ? UDP_FIRST_MAX : wait_ms;
}

static void note_transmission(struct udp_session *udp, struct udp_sent *sent)
{
    struct udp_socket *socket = &udp->sockets[sent->socket];
    sent->sent_ms = udp->asked_ms = now_of(udp);
    sent->wrong = socket->wrong;
    sent->query->count++;
    socket->used++;
    list_push_back(&socket->sent, &sent->in_socket);
    if (!udp->unheard_ms)
        udp->unheard_ms = udp->asked_ms;
    counter_add(counters_of(udp), COUNTER_plain_udp_queries, 1);
}

/* Errors of the network that concern one datagram are like its loss. */
static bool is_like_loss(int status)
{
    return status == -EAGAIN || status == -ENOBUFS || status == -ENOMEM || status == -EINTR;
}

/* Sends a query of this length. 0, or a negative error of the server or the network. */
static int transmit(struct udp_session *udp, struct udp_query *query, uint8_t *message, size_t len)
{
    const struct plain *plain = plain_of(udp->session.server);
    int number = draw_socket(udp);
    if (number < 0)
        return number;
    assert(query->count < UDP_TRANSMISSIONS);
    struct udp_sent *sent = &query->sent[query->count];
    sent->query = query;
    sent->socket = (uint8_t)number;
    sent->id = draw_id(&udp->sockets[number]);
    sent->mixed = letter_case_is_mixed(&plain->letter_case, now_of(udp));
    if (sent->mixed)
        letter_case_mix(message + MESSAGE_HEADER, query->key->name_len);
    memcpy(sent->name, message + MESSAGE_HEADER, query->key->name_len);
    edit_set_id(message, sent->id);
    session_tap(&udp->session, TAP_UDP, TAP_FORWARDER_QUERY, message, len);
    int status = datagrams_send(&udp->datagrams, sent->socket, message, len);
    if (status < 0 && !is_like_loss(status))
        return status;
    note_transmission(udp, sent);
    return 0;
}

static size_t build(struct udp_session *udp, const struct udp_query *query, uint8_t message[EDIT_QUESTION_MAX])
{
    const struct edit_ask ask = {.edns = edns_is_sent(&udp->session.server->edns, now_of(udp))};
    return query->attempt ? session_build(&udp->session, query->attempt, message, false)
                          : edit_question(message, query->key, &ask);
}

/* False: no memory is left, or the session has ended. */
static bool send_attempt(struct udp_session *udp, struct attempt *attempt)
{
    struct session *session = &udp->session;
    uint8_t message[EDIT_QUESTION_MAX];
    if (is_asked(session->server, attempt->key)) {
        counter_add(counters_of(udp), COUNTER_plain_udp_held, 1);
        list_remove(&attempt->link);
        list_push_back(&udp->held, &attempt->link);
        return true;
    }
    size_t len = session_build(session, attempt, message, false);
    if (len == 0)
        return session->state != SESSION_CLOSING;
    struct udp_query *query = begin_query(udp, attempt, attempt->key);
    if (!query)
        return false;
    int status = transmit(udp, query, message, len);
    if (status < 0) {
        free_query(udp, query);
        udp_stop(session, status);
        return false;
    }
    attempt->in_transport = query;
    session_note_sent(session, attempt);
    udp_set_phase(udp, query, UDP_PHASE_FIRST, first_wait(&session->server->rtt));
    return true;
}

/* The query of a session that is being opened. */
static void send_probe(struct udp_session *udp)
{
    uint8_t message[EDIT_QUESTION_MAX];
    const struct key *key = &plain_of(udp->session.server)->apex;
    struct udp_query *query = is_asked(udp->session.server, key) ? NULL : begin_query(udp, NULL, key);
    if (!query) {
        udp_stop(&udp->session, ERROR_NO_SERVER);
        return;
    }
    int status = transmit(udp, query, message, build(udp, query, message));
    if (status < 0) {
        free_query(udp, query);
        udp_stop(&udp->session, status);
        return;
    }
    udp_set_phase(udp, query, UDP_PHASE_FIRST, first_wait(&udp->session.server->rtt));
}

/* Without a sign that the server has failed the session is open at once. */
static void udp_open(struct udp_session *udp)
{
    struct session *session = &udp->session;
    if (udp->asked)
        return;
    if (session->probe || session->server->backoff.failures > 0) {
        udp->asked = true;
        send_probe(udp);
        return;
    }
    udp->unproven = true;
    session_opened(session, false);
}

enum { SENT_A_TURN = 1024 };

static void udp_flush(struct session *session)
{
    struct udp_session *udp = udp_of(session);
    struct list_link *link;
    if (session->state == SESSION_DIALING)
        udp_open(udp);
    if (session->state == SESSION_DIALING || session->state == SESSION_CLOSING)
        return;
    for (unsigned i = 0; i < SENT_A_TURN && (link = list_first(&session->queued)) &&
                         send_attempt(udp, container_of(link, struct attempt, link));
         i++)
        ;
    if (session->state == SESSION_CLOSING)
        return;
    udp_tcp_flush(udp);
    if (!list_empty(&session->queued) || !list_empty(&udp->tcp.waiting))
        loop_wake_by(loop_of(udp), now_of(udp) + MEMORY_RETRY);
}

/* --- deadlines --- */

/* When the server counts as silent: it has answered nothing for as long as a query has time, and not the latest one
 * either. LOOP_NEVER: nothing was sent since its latest response. */
static uint64_t silent_at(const struct udp_session *udp)
{
    uint64_t first_ms = udp->unheard_ms + first_wait(&udp->session.server->rtt) + UDP_SECOND;
    uint64_t last_ms = udp->asked_ms + UDP_FIRST_MIN;
    if (!udp->unheard_ms)
        return LOOP_NEVER;
    return first_ms > last_ms ? first_ms : last_ms;
}

static void send_again(struct udp_session *udp, struct udp_query *query)
{
    uint8_t message[EDIT_QUESTION_MAX];
    counter_add(counters_of(udp), COUNTER_plain_udp_repeated, 1);
    int status = transmit(udp, query, message, build(udp, query, message));
    if (status < 0)
        udp_stop(&udp->session, status);
    else
        udp_set_phase(udp, query, UDP_PHASE_SECOND, query->attempt ? UDP_SECOND : UDP_PROBE);
}

static void query_is_due(struct udp_session *udp, struct udp_query *query, uint64_t now_ms)
{
    if (query->phase == UDP_PHASE_FIRST) {
        send_again(udp, query);
        return;
    }
    counter_add(counters_of(udp), COUNTER_plain_udp_unanswered, 1);
    if (!query->attempt || now_ms >= silent_at(udp)) {
        udp_stop(&udp->session, ERROR_UNANSWERED);
        return;
    }
    if (query->phase == UDP_PHASE_TCP)
        udp_tcp_leave(udp, query);
    else
        udp_leave_sockets(udp, query);
    udp_fail(udp, query, ERROR_UNANSWERED);
}

/* Handles all queries that are due, and returns when the next one is. */
static uint64_t check_queries(struct udp_session *udp, uint64_t now_ms)
{
    uint64_t next_ms = LOOP_NEVER;
    for (int phase = 0; phase < UDP_PHASES; phase++) {
        struct list_link *link;
        while (udp->session.state != SESSION_CLOSING && (link = list_first(&udp->running[phase]))) {
            struct udp_query *query = container_of(link, struct udp_query, in_phase);
            if (query->due_ms > now_ms) {
                next_ms = query->due_ms < next_ms ? query->due_ms : next_ms;
                break;
            }
            query_is_due(udp, query, now_ms);
        }
    }
    return next_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t udp_tick(struct session *session, uint64_t now_ms)
{
    struct udp_session *udp = udp_of(session);
    uint64_t next_ms = check_queries(udp, now_ms);
    if (session->state == SESSION_CLOSING)
        return LOOP_NEVER;
    if (session->state == SESSION_DIALING)
        return earlier(next_ms, session->created_ms + DIAL_TIMEOUT);
    if (now_ms >= silent_at(udp)) { /* its queries may have been given up for responses of other servers */
        udp_stop(session, ERROR_UNANSWERED);
        return LOOP_NEVER;
    }
    next_ms = earlier(next_ms, silent_at(udp));
    uint64_t idle_ms = session->state == SESSION_RETIRING ? 0 : session->used_ms + UDP_IDLE;
    if (session->used == 0 && now_ms >= idle_ms) {
        udp_stop(session, ERROR_IDLE);
        return LOOP_NEVER;
    }
    if (session->used == 0)
        next_ms = earlier(next_ms, idle_ms);
    return earlier(next_ms, udp_tcp_check(udp, now_ms));
}

/* --- attempts --- */

static void udp_cancel(struct session *session, struct attempt *attempt)
{
    struct udp_session *udp = udp_of(session);
    struct udp_query *query = attempt->in_transport;
    if (query && query->phase == UDP_PHASE_TCP)
        udp_tcp_leave(udp, query);
    else if (query)
        udp_leave_sockets(udp, query);
    if (query)
        udp_end_query(udp, query);
    session_detach(session, attempt);
    session_relieved(session);
}

/* --- start and end --- */

static void free_queries(struct udp_session *udp)
{
    struct list_link *link;
    for (int phase = 0; phase < UDP_PHASES; phase++)
        while ((link = list_first(&udp->running[phase]))) {
            struct udp_query *query = container_of(link, struct udp_query, in_phase);
            list_remove(&query->in_tcp);
            udp_leave_sockets(udp, query);
            free_query(udp, query);
        }
    while ((link = list_pop(&udp->held)))
        list_push_back(&udp->session.queued, link);
}

void udp_stop(struct session *session, int reason)
{
    struct udp_session *udp = udp_of(session);
    if (session->state == SESSION_CLOSING)
        return;
    free_queries(udp);
    if (reason == ERROR_IDLE && session->state == SESSION_OPEN) /* nothing is to be learned from it */
        session_set_state(session, SESSION_RETIRING);
    session_end(session, reason);
    datagrams_close(&udp->datagrams);
    if (udp->tcp.used)
        stream_close(&udp->tcp.stream, reason);
}

/* No query need have caused the end: all of them may be sent to another server. */
static bool udp_ended(struct session *session, int reason)
{
    struct server *server = session->server;
    if (session->state == SESSION_DIALING)
        pool_dial_failed(server, session->created_ms, reason);
    else
        pool_server_failed(server, reason);
    return true;
}

static void on_failed(struct datagrams *datagrams, unsigned number, int reason)
{
    (void)number;
    udp_stop(&container_of(datagrams, struct udp_session, datagrams)->session, reason);
}

void udp_handle_gone(struct udp_session *udp)
{
    struct group *group = udp->session.server->group;
    if (!udp->datagrams_gone || udp->tcp.used)
        return;
    session_leave(&udp->session);
    mem_free(udp);
    session_gone(group);
}

static void on_closed(struct datagrams *datagrams)
{
    struct udp_session *udp = container_of(datagrams, struct udp_session, datagrams);
    udp->datagrams_gone = true;
    udp_handle_gone(udp);
}

static const struct datagrams_ops udp_ops = {.received = udp_received, .failed = on_failed, .closed = on_closed};

static int udp_start(struct server *server)
{
    const struct config_upstream *entry = server->entry;
    struct udp_session *udp = mem_zalloc(1, sizeof *udp);
    if (!udp)
        return -ENOMEM;
    int status = datagrams_open(&udp->datagrams, server->group->loop, &udp_ops, &server->addr,
                                entry->has_source ? &entry->source : NULL, entry->interface, entry->fwmark);
    if (status < 0) {
        mem_free(udp);
        return status;
    }
    session_init(&udp->session, server, 0);
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        list_init(&udp->sockets[i].sent);
    for (int phase = 0; phase < UDP_PHASES; phase++)
        list_init(&udp->running[phase]);
    list_init(&udp->held);
    list_init(&udp->tcp.waiting);
    list_init(&udp->tcp.sent);
    counter_add(counters_of(udp), COUNTER_plain_udp_ports, 1);
    session_begin(&udp->session);
    udp_wake(udp);
    return 0;
}

static void udp_opened(struct session *session, char words[TRANSPORT_TEXT])
{
    (void)session;
    snprintf(words, TRANSPORT_TEXT, "plain UDP");
}

static bool udp_is_usable(const struct session *session)
{
    (void)session; /* it ends at once when it fails */
    return true;
}

static uint64_t udp_connected_ms(const struct session *session)
{
    return session->created_ms;
}

static int udp_local(const struct session *session, struct addr *out)
{
    const struct udp_session *udp = container_of((struct session *)session, struct udp_session, session);
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        if (datagrams_is_open(&udp->datagrams, i))
            return datagrams_local(&udp->datagrams, i, out);
    return -ENOTCONN;
}

static bool udp_is_acknowledged(const struct session *session)
{
    return session->heard_ms > 0;
}

const struct transport transport_udp = {
    .name = "udp",
    .port = 53,
    .tap = TAP_UDP,
    .single = true,
    .prepare = plain_prepare,
    .discard = plain_discard,
    .same = plain_same,
    .carries = plain_carries,
    .start = udp_start,
    .submit = session_take,
    .cancel = udp_cancel,
    .flush = udp_flush,
    .tick = udp_tick,
    .stop = udp_stop,
    .usable = udp_is_usable,
    .connected_ms = udp_connected_ms,
    .local = udp_local,
    .acknowledged = udp_is_acknowledged,
    .opened = udp_opened,
    .ended = udp_ended,
};
