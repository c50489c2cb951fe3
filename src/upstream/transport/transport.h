/* SPDX-License-Identifier: MIT */
/* A transport: carries queries to a server and responses back.
 *
 * Does:    carries attempts on sessions that it opens. The pool chooses the server and the session, and does
 *          not know how sessions work.
 * Owns:    server->transport_state (trust, tickets and the like); its sessions.
 * Threads: prepare and discard on the main thread or the worker's, while no other thread has the server; the rest
 * on the worker's.
 * RFC:     7858 (dot), 8484 (https), 7766 (tcp), 5452 (udp).
 *
 * A transport is one file and one table. The common part of all is in session.c, that of transports over connections
 * in stream_session.c and session_watch.c.
 */
#ifndef DOTSTUB_UPSTREAM_TRANSPORT_H
#define DOTSTUB_UPSTREAM_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"
#include "net/tap.h"

struct attempt;
struct key;
struct server;
struct session;
struct ticket;
struct tls_facts;
struct tls_trust;

#define TRANSPORT_TEXT 512

struct transport {
    const char *name;
    uint16_t port; /* default for addresses without a port (0) */
    enum tap_transport tap;
    bool encrypted; /* queries are padded only then */
    /* A server has one session at most, and an attempt is never sent beside another of the same lookup: there is no
     * connection that could have failed. */
    bool single;

    /* The state of a server. `trust` is kept by reference; NULL where nothing is verified. 0 or -ENOMEM. */
    int (*prepare)(struct server *server, struct tls_trust *trust) MUST_CHECK;
    void (*discard)(struct server *server);
    /* True if both have the same trust, so that sessions of one serve the other if their addresses are the same,
     * too. NULL: always. */
    bool (*same)(const struct server *a, const struct server *b);

    /* True if a query with this key may be sent to the server. NULL: any may. */
    bool (*carries)(const struct server *server, const struct key *key);

    /* Begins to open a session; 0, or negative if it was not begun. */
    int (*start)(struct server *server) MUST_CHECK;
    /* Puts an attempt on an open session that has room. Nothing leaves before flush. */
    void (*submit)(struct session *session, struct attempt *attempt);
    /* Takes an attempt off its session, sent or not. */
    void (*cancel)(struct session *session, struct attempt *attempt);
    /* Writes what was submitted. */
    void (*flush)(struct session *session);
    /* Closes a session that is idle, stalled or hanging. Returns the session's next deadline. */
    uint64_t (*tick)(struct session *session, uint64_t now_ms);
    /* Ends the session; its attempts are finished, or move to another session. */
    void (*stop)(struct session *session, int reason);

    /* False: the connection of an open session has failed, and session_end was not called yet. */
    bool (*usable)(const struct session *session);
    /* When a session, maybe one that is being opened, reached the server; 0: not yet. */
    uint64_t (*connected_ms)(const struct session *session);
    /* The own address of a session. 0 or negative: unknown. */
    int (*local)(const struct session *session, struct addr *out) MUST_CHECK;
    /* The server's machine has acknowledged all data of a session, as far as is known. */
    bool (*acknowledged)(const struct session *session);

    /* A session is open: records the negotiated parameters, sets session->resumed, and writes the parameters as
     * text for the log. */
    void (*opened)(struct session *session, char words[TRANSPORT_TEXT]);
    /* The server or the network ended a session, maybe while it was being opened. True: the next one will be opened
     * in another way, and may be dialled at once; or the transport has noted the failure, which no query need have
     * caused. NULL: there is only one way, and session.c notes failures. */
    bool (*ended)(struct session *session, int reason);
    /* A session was ended because its network is gone: forgets state by which an observer could link this machine's
     * networks. NULL: no such state. */
    void (*moved)(struct server *server);
    /* True with the negotiated parameters of the latest session, for reports. NULL: none exist. */
    bool (*facts)(const struct server *server, struct tls_facts *out);

    /* Tickets, see upstream/tickets.h; all three are NULL if the transport has none. */
    void (*each_ticket)(const struct server *server, void (*each)(void *context, const struct ticket *ticket),
                        void *context);
    bool (*take_ticket)(struct server *server, const struct ticket *ticket);
    void (*drop_tickets)(struct server *server);
};

extern const struct transport transport_dot, transport_https;
/* Plain DNS, for routes with plain: yes, and with tcp-only: yes. They carry names in the zones of the route only. */
extern const struct transport transport_udp, transport_tcp;

#endif
