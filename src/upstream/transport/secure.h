/* SPDX-License-Identifier: MIT */
/* The servers of transports over TLS: dot, https.
 *
 * Does:    keeps the trust and the tickets of a server, and drops tickets that may be the reason for a failure.
 * Owns:    server->transport_state, which begins with a struct secure.
 * Threads: as in transport.h.
 */
#ifndef DOTSTUB_UPSTREAM_SECURE_H
#define DOTSTUB_UPSTREAM_SECURE_H

#include "net/tls.h"
#include "session.h"
#include "upstream/tickets.h"

/* Extensions offered in a ClientHello, as flags. Some servers or middleboxes end a handshake because of ALPN "dot";
 * RFC 7858 does not require it. */
enum { OFFERED_ALPN = 1, OFFERED_TICKET = 2 };

struct secure {
    struct tls_trust *trust;
    /* dot: ALPN is not offered before this time, because the server ended a handshake that offered it. */
    uint64_t plain_until_ms;
    struct tls_tickets tickets;
    bool opened; /* a session was opened; `facts` are of the latest one */
    struct tls_facts facts;
    unsigned useful_ends; /* of sessions that had received a response; wraps */
};

static inline struct secure *secure_of(const struct server *server)
{
    return server->transport_state;
}

/* OFFERED_TICKET if the next session should use a ticket. */
unsigned secure_offer(struct server *server);
/* A session has ended: true if a ticket may be the reason; all were dropped then, and the next handshake is a full one. */
bool secure_suspects_ticket(struct session *session, int reason);
/* Frees what `secure` refers to. */
void secure_clear(struct secure *secure);

/* As in struct transport; prepare and discard are for a state that is a struct secure alone. */
int secure_prepare(struct server *server, struct tls_trust *trust) MUST_CHECK;
void secure_discard(struct server *server);
bool secure_same(const struct server *a, const struct server *b);
void secure_opened(struct session *session, char words[TRANSPORT_TEXT]);
void secure_moved(struct server *server);
bool secure_facts(const struct server *server, struct tls_facts *out);
void secure_each_ticket(const struct server *server, void (*each)(void *context, const struct ticket *ticket),
                        void *context);
bool secure_take_ticket(struct server *server, const struct ticket *ticket);
void secure_drop_tickets(struct server *server);

#endif
