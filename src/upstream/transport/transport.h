/* SPDX-License-Identifier: MIT */
/* A transport: how queries get to a server and responses come back.
 *
 * Does:    carries attempts on sessions of its own making. The pool chooses the server and the session, and does not know how
 *          sessions work.
 * Owns:    server->transport_state (trust, tickets and the like); its sessions.
 * Threads: prepare and discard on the main thread or the worker's, while the server is nobody else's; the rest on the worker's.
 * RFC:     7858 (dot), 7766 (tcp).
 *
 * A transport is one file and one table. The common part of transports over connections is in session.c.
 */
#ifndef DOTSTUB_UPSTREAM_TRANSPORT_H
#define DOTSTUB_UPSTREAM_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"
#include "net/tap.h"

struct attempt;
struct server;
struct session;
struct ticket;
struct tls_facts;
struct tls_trust;

#define TRANSPORT_TEXT 512

struct transport {
    const char *name;
    uint16_t port; /* of an address that names none (0) */
    enum tap_transport tap;
    bool encrypted; /* else padding hides nothing */

    /* The state of a server. `trust` is kept by reference; NULL where nothing is verified. 0 or -ENOMEM. */
    int (*prepare)(struct server *server, struct tls_trust *trust) MUST_CHECK;
    void (*discard)(struct server *server);
    /* Do both trust the same? Then sessions of one do for the other, if their addresses are the same, too. NULL: always. */
    bool (*same)(const struct server *a, const struct server *b);

    /* Begins to open a session; 0 or negative (nothing was begun). */
    int (*start)(struct server *server) MUST_CHECK;
    /* Puts an attempt on an open session that has room. Nothing leaves before flush. */
    void (*submit)(struct session *session, struct attempt *attempt);
    /* Takes it off again, sent or not. */
    void (*cancel)(struct session *session, struct attempt *attempt);
    /* Writes what was submitted. */
    void (*flush)(struct session *session);
    /* Idle, stalled or hanging: closes it. Gives the session's next deadline. */
    uint64_t (*tick)(struct session *session, uint64_t now_ms);
    /* Ends the session; its attempts are told, or go to another one. */
    void (*stop)(struct session *session, int reason);

    /* A session is open: notes what was agreed on, sets session->resumed, and says it in words, for the log. */
    void (*opened)(struct session *session, char words[TRANSPORT_TEXT]);
    /* A session ended, not of our will, maybe while it was being opened. True: the next one will be opened in another way, and may be
     * dialled at once. NULL: there is one way only. */
    bool (*ended)(struct session *session, int reason);
    /* A session was ended because its network is gone: forgets what would link this machine's networks to each other. NULL: nothing. */
    void (*moved)(struct server *server);
    /* True with what was agreed on when a session was last opened, for people. NULL: nothing ever is. */
    bool (*facts)(const struct server *server, struct tls_facts *out);

    /* Tickets, see upstream/tickets.h; NULL, all three: there are none. */
    void (*each_ticket)(const struct server *server, void (*each)(void *context, const struct ticket *ticket),
                        void *context);
    bool (*take_ticket)(struct server *server, const struct ticket *ticket);
    void (*drop_tickets)(struct server *server);
};

extern const struct transport transport_dot;
/* Plain DNS. No configuration leads to it: only unit tests name it, and the daemon is linked without it. */
extern const struct transport transport_tcp;

#endif
