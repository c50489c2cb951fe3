/* SPDX-License-Identifier: MIT */
/* DNS over TLS: the only file of upstream/ that knows TLS.
 *
 * Invariant: a ticket is stored with the server that issued it and with the trust it was verified under, and is
 * used once. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "net/tls.h"
#include "session.h"
#include "upstream/tickets.h"

/* Extensions offered in a ClientHello, as flags. Some servers or middleboxes end a handshake because of ALPN "dot";
 * RFC 7858 does not require it. */
enum { OFFERED_ALPN = 1, OFFERED_TICKET = 2 };

enum {
    RESUMED_PROOF = 1000,         /* ms: a resumed session without queries that is open for this long works */
    ALPN_RETEST = 10 * 60 * 1000, /* ms after which a server that refused ALPN is offered it again */
    HELLO_MIN = 42,               /* bytes: a ServerHello is longer, an alert is shorter */
};

/* The state of a server. */
struct dot {
    struct tls_trust *trust;
    /* ALPN is not offered before this time, because the server ended a handshake that offered it. */
    uint64_t plain_until_ms;
    struct tls_tickets tickets;
    bool opened; /* a session was opened; `facts` are of the latest one */
    struct tls_facts facts;
    uint64_t useful_end_ms; /* when a session that had received a response last ended; 0: never */
};

static struct dot *dot_of(const struct server *server)
{
    return server->transport_state;
}

static int dot_prepare(struct server *server, struct tls_trust *trust)
{
    struct dot *dot = mem_zalloc(1, sizeof *dot);
    if (!dot)
        return -ENOMEM;
    dot->trust = tls_trust_ref(trust);
    server->transport_state = dot;
    return 0;
}

static void dot_discard(struct server *server)
{
    struct dot *dot = dot_of(server);
    tls_tickets_clear(&dot->tickets);
    tls_trust_unref(dot->trust);
    mem_free(dot);
}

static bool dot_same(const struct server *a, const struct server *b)
{
    uint8_t trusted_a[DIGEST_LEN], trusted_b[DIGEST_LEN];
    tls_trust_identity(dot_of(a)->trust, trusted_a);
    tls_trust_identity(dot_of(b)->trust, trusted_b);
    return memcmp(trusted_a, trusted_b, DIGEST_LEN) == 0;
}

/* --- sessions --- */

static void dot_drop_tickets(struct server *server)
{
    tls_tickets_clear(&dot_of(server)->tickets);
}

/* A ClientHello with a ticket has been unanswered for so long that another dial is due. */
static bool is_hanging_ticket(const struct session *session, uint64_t now_ms)
{
    return session->offered & OFFERED_TICKET && session_stream(session)->connected_ms &&
           now_ms >= session->created_ms + DIAL_OVERLAP;
}

/* The session was resumed, has not responded to anything yet, and its first response is so late that a hedge is due. */
static bool is_mute_since_resumed(const struct session *session, uint64_t now_ms)
{
    const struct list_link *oldest = list_first(&session->sent);
    if (!session->resumed || session->answered > 0 || !oldest)
        return false;
    const struct attempt *attempt = container_of(oldest, const struct attempt, link);
    return now_ms >= attempt->sent_ms + upstream_hedge_after(attempt);
}

/* True if a session may be silent because of its ticket, so that another one is needed. */
static bool tickets_are_doubtful(const struct server *server)
{
    uint64_t now_ms = loop_now(server->group->loop);
    list_for_each(link, &server->sessions[SESSION_DIALING])
        if (is_hanging_ticket(container_of(link, struct session, in_state), now_ms))
            return true;
    for (int state = SESSION_OPEN; state <= SESSION_RETIRING; state++)
        list_for_each(link, &server->sessions[state])
            if (is_mute_since_resumed(container_of(link, struct session, in_state), now_ms))
                return true;
    return false;
}

static int dot_start(struct server *server)
{
    struct dot *dot = dot_of(server);
    unsigned offered = loop_now(server->group->loop) < dot->plain_until_ms ? 0 : OFFERED_ALPN;
    if (dot->tickets.count > 0 && tickets_are_doubtful(server))
        dot_drop_tickets(server);
    if (dot->tickets.count > 0)
        offered |= OFFERED_TICKET;
    const struct tls_client client = {
        .trust = dot->trust, .tickets = &dot->tickets, .alpn = offered & OFFERED_ALPN ? "dot" : NULL};
    return session_dial(server,
                        &(struct stream_form){.framing = &framing_dns,
                                              .layer = &byte_layer_tls_client,
                                              .layer_config = &client,
                                              .interface = server->entry->interface,
                                              .mark = server->entry->fwmark},
                        offered);
}

/* The server ended the handshake instead of sending a ServerHello. */
static bool is_hello_refused(const struct session *session, int reason)
{
    if (reason == ERROR_TLS_ALERT)
        return session_stream(session)->received < HELLO_MIN;
    return session_stream(session)->received == 0 &&
           (reason == ERROR_CLOSED || reason == -ECONNRESET || reason == -EPIPE);
}

/* Errors of a server that cannot resume a session, regardless of its certificate. */
static bool is_abrupt(int reason)
{
    return reason == ERROR_CLOSED || reason == ERROR_SILENT || reason == -ECONNRESET || reason == -EPIPE ||
           reason == -ETIMEDOUT || reason == ERROR_TLS_ALERT || reason == ERROR_TLS_PROTOCOL;
}

/* True if sessions that had received responses end in the same event: one of them ended while this session was
 * open, or one is still open. */
static bool is_one_of_several(const struct session *session)
{
    const struct server *server = session->server;
    if (dot_of(server)->useful_end_ms >= session->opened_ms)
        return true;
    list_for_each(link, &server->sessions[SESSION_OPEN])
        if (container_of(link, struct session, in_state)->answered > 0)
            return true;
    return false;
}

/* True if a ticket may be the reason: the session ended in a handshake that used a ticket, or after it without a
 * single response. */
static bool is_ticket_refused(const struct session *session, int reason)
{
    uint64_t now_ms = loop_now(session->server->group->loop);
    if (!is_abrupt(reason))
        return false;
    if (session->state == SESSION_DIALING)
        return session->offered & OFFERED_TICKET && session_stream(session)->connected_ms;
    return session->resumed && session->answered == 0 && !is_one_of_several(session) &&
           (session->given > 0 || now_ms < session->opened_ms + RESUMED_PROOF);
}

/* After a refused ClientHello the next one offers ALPN if that one did not: a server that refuses every ClientHello
 * gets both kinds in turn, the second at once only if ALPN may be the reason for the first failure. */
static bool dot_ended(struct session *session, int reason)
{
    struct server *server = session->server;
    struct dot *dot = dot_of(server);
    bool refuses_alpn = reason == ERROR_TLS_ALPN;
    if (session->answered > 0)
        dot->useful_end_ms = loop_now(server->group->loop);
    if (is_ticket_refused(session, reason)) { /* the next handshake is a full one */
        dot_drop_tickets(server);
        return server->backoff.failures == 0;
    }
    if (session->state != SESSION_DIALING || !session_stream(session)->connected_ms)
        return false;
    if (!refuses_alpn && !is_hello_refused(session, reason))
        return false;
    bool offered = session->offered & OFFERED_ALPN;
    dot->plain_until_ms = offered ? loop_now(server->group->loop) + ALPN_RETEST : 0;
    return offered && (refuses_alpn || server->backoff.failures == 0);
}

static void dot_opened(struct session *session, char words[TRANSPORT_TEXT])
{
    struct dot *dot = dot_of(session->server);
    struct tls_facts *facts = &dot->facts;
    dot->opened = stream_facts(session_stream(session), facts);
    session->resumed = facts->resumed;
    session->early = facts->early;
    if (facts->early)
        dot_drop_tickets(session->server);
    snprintf(words, TRANSPORT_TEXT, "%s, %s, certificate %s%s%s%s%s", facts->version, facts->cipher,
             facts->certificate.name, facts->early ? " (not valid yet by this clock, which may be behind)" : "",
             facts->resumed ? ", resumed" : "", facts->alpn[0] ? ", ALPN " : "", facts->alpn);
}

static bool dot_facts(const struct server *server, struct tls_facts *out)
{
    *out = dot_of(server)->facts;
    return dot_of(server)->opened;
}

/* --- tickets --- */

/* Identifies the server of a ticket: address, port and trust. */
static void identify(const struct server *server, uint8_t out[DIGEST_LEN])
{
    char all[ADDR_TEXT + DIGEST_LEN] = "";
    addr_format(&server->addr, true, all);
    tls_trust_identity(dot_of(server)->trust, (uint8_t *)all + ADDR_TEXT);
    digest_bytes(out, all, sizeof all);
}

static void dot_each_ticket(const struct server *server, void (*each)(void *context, const struct ticket *ticket),
                            void *context)
{
    const struct tls_tickets *tickets = &dot_of(server)->tickets;
    struct ticket ticket;
    identify(server, ticket.server);
    for (unsigned i = 0; i < tickets->count; i++) {
        if (!tickets->item[i].tls13)
            continue;
        ticket.data = (struct bytes){tickets->item[i].data, tickets->item[i].len};
        ticket.expires_ms = tickets->item[i].expires_ms;
        each(context, &ticket);
    }
}

static bool dot_take_ticket(struct server *server, const struct ticket *ticket)
{
    uint8_t identity[DIGEST_LEN];
    identify(server, identity);
    if (memcmp(identity, ticket->server, DIGEST_LEN) != 0)
        return false;
    tls_tickets_put(&dot_of(server)->tickets, ticket->data.data, ticket->data.len, ticket->expires_ms, true);
    return true;
}

/* Tickets of TLS 1.2 can be recognized by an observer of both networks (RFC 8446 appendix C.4). A middlebox of the
 * old network may have refused ALPN. */
static void dot_moved(struct server *server)
{
    dot_of(server)->plain_until_ms = 0;
    tls_tickets_drop_linkable(&dot_of(server)->tickets);
}

const struct transport transport_dot = {
    .name = "dot",
    .port = 853,
    .tap = TAP_DOT,
    .encrypted = true,
    .prepare = dot_prepare,
    .discard = dot_discard,
    .same = dot_same,
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
    .opened = dot_opened,
    .ended = dot_ended,
    .moved = dot_moved,
    .facts = dot_facts,
    .each_ticket = dot_each_ticket,
    .take_ticket = dot_take_ticket,
    .drop_tickets = dot_drop_tickets,
};
