/* SPDX-License-Identifier: MIT */
/* DNS over TLS (RFC 7858). */
#include <errno.h>
#include "base/errors.h"
#include "secure.h"

enum {
    ALPN_RETEST = 10 * 60 * 1000, /* ms after which a server that refused ALPN is offered it again */
    HELLO_MIN = 42,               /* bytes: a ServerHello is longer, an alert is shorter */
};

static int dot_start(struct server *server)
{
    struct secure *dot = secure_of(server);
    unsigned offered = loop_now(server->group->loop) < dot->plain_until_ms ? 0 : OFFERED_ALPN;
    offered |= secure_offer(server);
    const struct tls_client client = {
        .trust = dot->trust, .tickets = &dot->tickets, .alpn = offered & OFFERED_ALPN ? "dot" : NULL};
    const struct stream_form form = {.framing = &framing_dns,
                                     .layer = &byte_layer_tls_client,
                                     .layer_config = &client,
                                     .interface = server->entry->interface,
                                     .mark = server->entry->fwmark};
    return session_dial(server, &form, offered);
}

/* The server ended the handshake instead of sending a ServerHello. */
static bool is_hello_refused(const struct session *session, int reason)
{
    if (reason == ERROR_TLS_ALERT)
        return session_stream(session)->received < HELLO_MIN;
    return session_stream(session)->received == 0 &&
           (reason == ERROR_CLOSED || reason == -ECONNRESET || reason == -EPIPE);
}

/* After a refused ClientHello the next one offers ALPN if that one did not: a server that refuses every ClientHello
 * gets both kinds in turn, the second at once only if ALPN may be the reason for the first failure. */
static bool dot_ended(struct session *session, int reason)
{
    struct server *server = session->server;
    struct secure *dot = secure_of(server);
    bool refuses_alpn = reason == ERROR_TLS_ALPN;
    if (secure_suspects_ticket(session, reason))
        return server->backoff.failures == 0;
    if (session->state != SESSION_DIALING || !session_stream(session)->connected_ms)
        return false;
    if (!refuses_alpn && !is_hello_refused(session, reason))
        return false;
    bool offered = session->offered & OFFERED_ALPN;
    dot->plain_until_ms = offered ? loop_now(server->group->loop) + ALPN_RETEST : 0;
    return offered && (refuses_alpn || server->backoff.failures == 0);
}

const struct transport transport_dot = {
    .name = "dot",
    .port = 853,
    .tap = TAP_DOT,
    .encrypted = true,
    .prepare = secure_prepare,
    .discard = secure_discard,
    .same = secure_same,
    .start = dot_start,
    .submit = session_take,
    .cancel = session_forget,
    .flush = session_flush,
    .tick = session_check,
    .stop = session_close,
    .usable = session_is_usable,
    .connected_ms = session_connected_ms,
    .local = session_local,
    .acknowledged = session_is_acknowledged,
    .opened = secure_opened,
    .ended = dot_ended,
    .moved = secure_moved,
    .facts = secure_facts,
    .each_ticket = secure_each_ticket,
    .take_ticket = secure_take_ticket,
    .drop_tickets = secure_drop_tickets,
};
