/* SPDX-License-Identifier: MIT */
/* DNS over HTTPS (RFC 8484): POST over HTTP/2 and TLS, one request for each query, with id 0. The server is the one of
 * the configured URL at the configured addresses; redirects are not followed, and nothing but what a request needs is
 * sent: no cookies, no user agent.
 *
 * An attempt fails if the status is not 200, or if the body is not a DNS message that answers the query. After 429 and 503
 * the server gets no query for the time of Retry-After, or for BACKOFF_ALONE if no other server can answer. TTLs are
 * reduced by Age.
 *
 * Invariant: exchange->user is the attempt while it is in session->sent, and attempt->in_transport the exchange. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "config/https.h"
#include "dns/ttl.h"
#include "net/http2.h"
#include "secure.h"

enum {
    STATUS_OK = 200,
    STATUS_TOO_MANY = 429,
    STATUS_UNAVAILABLE = 503,
    REST = 1,                   /* seconds of rest after 429 and 503 without Retry-After */
    REST_MAX = 600,             /* the longest that Retry-After may demand */
    OUTPUT_AT_ONCE = 64 * 1024, /* bytes handed to the stream before the kernel has taken some */
};

/* The state of a server. */
struct https {
    struct secure secure; /* first */
    struct https_url url;
};

struct https_session {
    struct stream_session base; /* first */
    struct http2 *http2;        /* NULL: the handshake is not done */
};

static struct https_session *https_of(struct session *session)
{
    return container_of(container_of(session, struct stream_session, session), struct https_session, base);
}

static struct session *session_of(struct stream *stream)
{
    return &container_of(stream, struct stream_session, stream)->session;
}

/* --- servers --- */

static int https_prepare(struct server *server, struct tls_trust *trust)
{
    const struct config_upstream *entry = server->entry;
    struct https *https = mem_zalloc(1, sizeof *https);
    int status = https ? 0 : -ENOMEM;
    if (status == 0 && entry->https_pin_count > 0)
        status = tls_trust_with_pins(&https->secure.trust, trust, (const struct tls_pin *)entry->https_pins,
                                     (unsigned)entry->https_pin_count);
    else if (status == 0)
        https->secure.trust = tls_trust_ref(trust);
    if (status == 0)
        config_https_url(entry, &https->url);
    if (status < 0)
        mem_free(https);
    else
        server->transport_state = https;
    return status;
}

static void https_discard(struct server *server)
{
    if (!server->transport_state)
        return;
    secure_clear(secure_of(server));
    mem_free(server->transport_state);
}

static bool https_same(const struct server *a, const struct server *b)
{
    const struct https_url *left = &((const struct https *)a->transport_state)->url,
                           *right = &((const struct https *)b->transport_state)->url;
    return strcmp(left->authority, right->authority) == 0 && strcmp(left->path, right->path) == 0 && secure_same(a, b);
}

/* --- responses --- */

/* Takes the attempt of an exchange off its session. NULL: it was cancelled, or its session has ended. */
static struct attempt *release(struct session *session, struct http2_exchange *exchange)
{
    struct attempt *attempt = exchange->user;
    if (!attempt || session->state == SESSION_CLOSING)
        return NULL;
    exchange->user = NULL;
    attempt->in_transport = NULL;
    session_detach(session, attempt);
    return attempt;
}

/* The server wants no query for a time: the others of its upstream, or other upstreams, get them. A server that is alone
 * gets queries again soon: without it nothing is answered, and an error of a moment may come with a long Retry-After. */
static void rest(struct session *session, uint32_t retry_after_s)
{
    struct server *server = session->server;
    uint64_t s = retry_after_s ? retry_after_s : REST;
    if (s > REST_MAX)
        s = REST_MAX;
    pool_server_failed(server, ERROR_HTTP_BUSY);
    backoff_rest(&server->backoff, loop_now(server->group->loop), s * 1000);
    session_retire(session);
}

/* 0, or the reason for which the attempt has failed. */
static int check_response(const struct http2_exchange *exchange, const struct attempt *attempt)
{
    if (exchange->status == STATUS_TOO_MANY || exchange->status == STATUS_UNAVAILABLE)
        return ERROR_HTTP_BUSY;
    if (exchange->status != STATUS_OK)
        return ERROR_HTTP_STATUS;
    if (exchange->type != HTTP2_DNS_MESSAGE || exchange->len < MESSAGE_HEADER)
        return ERROR_HTTP_TYPE;
    if (exchange->too_large || read_u16(exchange->body) != 0)
        return ERROR_MALFORMED;
    if (!session_is_bare_error(exchange->body, exchange->len) &&
        !message_answers((struct bytes){exchange->body, exchange->len}, attempt->key))
        return ERROR_MALFORMED;
    return 0;
}

static void take_response(struct http2_exchange *exchange)
{
    struct session *session = http2_owner(exchange->http2);
    struct server *server = session->server;
    if (session->state == SESSION_CLOSING)
        return;
    session_note_heard(session);
    session_stream(session)->unanswered = 0;
    struct attempt *attempt = release(session, exchange);
    if (!attempt)
        return;
    int status = check_response(exchange, attempt);
    if (status == 0 && exchange->len > 0)
        session_tap(session, server->transport->tap, TAP_FORWARDER_RESPONSE, exchange->body, exchange->len);
    if (status < 0) {
        counter_add(server->group->counters, COUNTER_https_failed, 1);
        session->answered++;
        if (status == ERROR_HTTP_BUSY)
            rest(session, exchange->retry_after_s);
        else
            event_failed(server, "unusable HTTP response from", status);
        attempt_finish(attempt, OUTCOME_UNUSABLE, status, NULL);
        session_relieved(session);
    } else if (session_is_bare_error(exchange->body, exchange->len)) {
        session_bare_error(session, attempt, exchange->body);
    } else {
        ttl_subtract(exchange->body, exchange->len, exchange->age_s);
        session_answer(session, attempt, exchange->body, exchange->len, attempt->sent_ms);
    }
}

/* A request was refused. A session that takes no other one ends; if it has not responded at all, the server has
 * failed. */
static void note_refusal(struct session *session, const struct http2 *http2)
{
    if (session->used == 0)
        session_close(session, ERROR_HTTP_REFUSED);
    else if (http2_is_draining(http2))
        session_retire(session);
}

/* The stream ended without a response. */
static void exchange_ended(struct http2_exchange *exchange, int error)
{
    struct session *session = http2_owner(exchange->http2);
    struct attempt *attempt = release(session, exchange);
    if (!attempt)
        return;
    bool refused = error == ERROR_HTTP_REFUSED;
    if (refused)
        note_refusal(session, exchange->http2);
    attempt_finish(attempt, refused ? attempt_refused(attempt, error) : OUTCOME_UNUSABLE,
                   error < 0 ? error : ERROR_HTTP_RESET, NULL);
    session_relieved(session);
}

static const struct http2_ops exchange_ops = {.message = take_response, .ended = exchange_ended};

/* --- sessions --- */

static void flush_later(struct session *session)
{
    struct group *group = session->server->group;
    if (session->state == SESSION_CLOSING)
        return;
    if (!list_linked(&session->in_dirty))
        list_push_back(&group->dirty, &session->in_dirty);
    loop_add_flush(group->loop, &group->flush);
}

static bool https_write(struct session *session, struct attempt *attempt)
{
    const struct https *https = session->server->transport_state;
    uint8_t message[EDIT_QUESTION_MAX];
    size_t len = session_build(session, attempt, message, false);
    if (len == 0)
        return true;
    struct http2_exchange *exchange;
    const struct http2_request request = {https->url.authority, https->url.path, message, len};
    int status = http2_request(https_of(session)->http2, &exchange, &request);
    if (status < 0) {
        counter_add(session->server->group->counters, COUNTER_memory_failed, status == -ENOMEM);
        return false;
    }
    session_tap(session, session->server->transport->tap, TAP_FORWARDER_QUERY, message, len);
    exchange->user = attempt;
    attempt->in_transport = exchange;
    session_note_sent(session, attempt);
    return true;
}

/* As session_flush: what was not sent yet can still move to another session. */
static void https_flush(struct session *session)
{
    struct stream *stream = session_stream(session);
    struct http2 *http2 = https_of(session)->http2;
    struct list_link *link;
    if (session->state == SESSION_CLOSING || !http2 || !stream_drained(stream))
        return;
    for (unsigned i = 0; i < WRITTEN_A_TURN && (link = list_first(&session->queued)) &&
                         https_write(session, container_of(link, struct attempt, link));
         i++)
        ;
    int status = http2_send(http2, stream, OUTPUT_AT_ONCE);
    if (session->state == SESSION_CLOSING)
        return;
    if (status < 0) {
        session_close(session, status);
        return;
    }
    stream_flush(stream);
    session_wake_after_flush(session);
}

static void https_cancel(struct session *session, struct attempt *attempt)
{
    struct http2_exchange *exchange = attempt->in_transport;
    if (attempt->state == ATTEMPT_SENT && exchange) {
        exchange->user = NULL;
        attempt->in_transport = NULL;
        http2_cancel(exchange);
        flush_later(session);
    }
    session_detach(session, attempt);
    session_relieved(session);
}

static void https_ready(struct stream *stream)
{
    struct session *session = session_of(stream);
    struct https_session *https = https_of(session);
    struct tls_facts facts;
    if (session->state != SESSION_DIALING)
        return;
    if (!stream_facts(stream, &facts) || strcmp(facts.alpn, "h2") != 0) {
        session_close(session, ERROR_HTTP_ALPN);
        return;
    }
    int status = http2_new(&https->http2, HTTP2_CLIENT, &exchange_ops, session);
    if (status < 0) {
        session_close(session, status);
        return;
    }
    session->capacity = http2_peer_streams(https->http2);
    session_opened(session, true);
    flush_later(session); /* the preface */
}

static void https_frame(struct stream *stream, uint8_t *data, size_t len)
{
    struct session *session = session_of(stream);
    struct http2 *http2 = https_of(session)->http2;
    if (session->state == SESSION_CLOSING || !http2)
        return;
    int status = http2_receive(http2, data, len, loop_now(session->server->group->loop));
    if (session->state == SESSION_CLOSING)
        return;
    if (status < 0) {
        session_close(session, status);
        return;
    }
    session->capacity = http2_peer_streams(http2);
    if (http2_is_draining(http2))
        session_retire(session);
    flush_later(session);
}

static void https_closed(struct stream *stream, int reason)
{
    struct session *session = session_of(stream);
    session->clean_end = stream->clean_end;
    session_end(session, reason); /* its attempts refer to exchanges */
    http2_free(https_of(session)->http2);
    session_closed(stream, reason);
}

static const struct stream_ops https_ops = {
    .ready = https_ready,
    .frame = https_frame,
    .drained = session_drained,
    .closed = https_closed,
};

static int https_start(struct server *server)
{
    struct secure *secure = secure_of(server);
    unsigned offered = secure_offer(server);
    const struct tls_client client = {.trust = secure->trust, .tickets = &secure->tickets, .alpn = "h2"};
    const struct stream_form form = {.framing = &framing_bytes,
                                     .layer = &byte_layer_tls_client,
                                     .layer_config = &client,
                                     .interface = server->entry->interface,
                                     .mark = server->entry->fwmark};
    return session_dial_as(server, &form, offered, &https_ops, sizeof(struct https_session));
}

static bool https_ended(struct session *session, int reason)
{
    return secure_suspects_ticket(session, reason) && session->server->backoff.failures == 0;
}

const struct transport transport_https = {
    .name = "https",
    .port = 443,
    .tap = TAP_DOH,
    .encrypted = true,
    .prepare = https_prepare,
    .discard = https_discard,
    .same = https_same,
    .start = https_start,
    .submit = session_take,
    .cancel = https_cancel,
    .flush = https_flush,
    .tick = session_check,
    .stop = session_close,
    .usable = session_is_usable,
    .connected_ms = session_connected_ms,
    .local = session_local,
    .acknowledged = session_is_acknowledged,
    .opened = secure_opened,
    .ended = https_ended,
    .moved = secure_moved,
    .facts = secure_facts,
    .each_ticket = secure_each_ticket,
    .take_ticket = secure_take_ticket,
    .drop_tickets = secure_drop_tickets,
};
