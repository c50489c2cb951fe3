/* SPDX-License-Identifier: MIT */
/* Invariant: a ticket is stored with the server that issued it and with the trust it was verified under, and is
 * used once. */
#include "secure.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"

enum { RESUMED_PROOF = 1000 /* ms: a resumed session without queries that is open for this long works */ };

int secure_prepare(struct server *server, struct tls_trust *trust)
{
    struct secure *secure = mem_zalloc(1, sizeof *secure);
    if (!secure)
        return -ENOMEM;
    secure->trust = tls_trust_ref(trust);
    server->transport_state = secure;
    return 0;
}

void secure_clear(struct secure *secure)
{
    tls_tickets_clear(&secure->tickets);
    tls_trust_unref(secure->trust);
}

void secure_discard(struct server *server)
{
    secure_clear(secure_of(server));
    mem_free(server->transport_state);
}

bool secure_same(const struct server *a, const struct server *b)
{
    uint8_t trusted_a[DIGEST_LEN], trusted_b[DIGEST_LEN];
    tls_trust_identity(secure_of(a)->trust, trusted_a);
    tls_trust_identity(secure_of(b)->trust, trusted_b);
    return memcmp(trusted_a, trusted_b, DIGEST_LEN) == 0;
}

/* --- sessions --- */

void secure_drop_tickets(struct server *server)
{
    tls_tickets_clear(&secure_of(server)->tickets);
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

unsigned secure_offer(struct server *server)
{
    if (secure_of(server)->tickets.count > 0 && tickets_are_doubtful(server))
        secure_drop_tickets(server);
    return secure_of(server)->tickets.count > 0 ? OFFERED_TICKET : 0;
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
    if (secure_of(server)->useful_ends != session->useful_ends)
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

bool secure_suspects_ticket(struct session *session, int reason)
{
    bool is_suspect = is_ticket_refused(session, reason);
    if (session->answered > 0)
        secure_of(session->server)->useful_ends++;
    if (is_suspect)
        secure_drop_tickets(session->server);
    return is_suspect;
}

void secure_opened(struct session *session, char words[TRANSPORT_TEXT])
{
    struct secure *secure = secure_of(session->server);
    struct tls_facts *facts = &secure->facts;
    secure->opened = stream_facts(session_stream(session), facts);
    session->resumed = facts->resumed;
    session->useful_ends = secure->useful_ends;
    session->early = facts->early;
    if (facts->early)
        secure_drop_tickets(session->server);
    snprintf(words, TRANSPORT_TEXT, "%s, %s, certificate %s%s%s%s%s", facts->version, facts->cipher,
             facts->certificate.name, facts->early ? " (not valid yet by this clock, which may be behind)" : "",
             facts->resumed ? ", resumed" : "", facts->alpn[0] ? ", ALPN " : "", facts->alpn);
}

bool secure_facts(const struct server *server, struct tls_facts *out)
{
    *out = secure_of(server)->facts;
    return secure_of(server)->opened;
}

/* --- tickets --- */

/* Identifies the server of a ticket: address, port and trust. */
static void identify(const struct server *server, uint8_t out[DIGEST_LEN])
{
    char all[ADDR_TEXT + DIGEST_LEN] = "";
    addr_format(&server->addr, true, all);
    tls_trust_identity(secure_of(server)->trust, (uint8_t *)all + ADDR_TEXT);
    digest_bytes(out, all, sizeof all);
}

void secure_each_ticket(const struct server *server, void (*each)(void *context, const struct ticket *ticket),
                        void *context)
{
    const struct tls_tickets *tickets = &secure_of(server)->tickets;
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

bool secure_take_ticket(struct server *server, const struct ticket *ticket)
{
    uint8_t identity[DIGEST_LEN];
    identify(server, identity);
    if (memcmp(identity, ticket->server, DIGEST_LEN) != 0)
        return false;
    tls_tickets_put(&secure_of(server)->tickets, ticket->data.data, ticket->data.len, ticket->expires_ms, true);
    return true;
}

/* Tickets of TLS 1.2 can be recognized by an observer of both networks (RFC 8446 appendix C.4). A middlebox of the
 * old network may have refused ALPN. */
void secure_moved(struct server *server)
{
    secure_of(server)->plain_until_ms = 0;
    tls_tickets_drop_linkable(&secure_of(server)->tickets);
}
