/* SPDX-License-Identifier: MIT */
/* Private to udp.c, udp_receive.c and udp_tcp.c: a session over UDP, and its outstanding queries.
 *
 * A query is sent at most twice. Socket, id and letter case are chosen at random for each transmission. The response to
 * either transmission is used, since the server may only be slow. It goes on over TCP if its response is
 * truncated or in another letter case, or if many forged responses came to its socket.
 */
#ifndef DOTSTUB_UPSTREAM_UDP_H
#define DOTSTUB_UPSTREAM_UDP_H

#include "net/datagrams.h"
#include "plain.h"
#include "session.h"

enum {
    UDP_FIRST_UNKNOWN = 600, /* ms before the second transmission, if the response times are unknown; else 4 medians, */
    UDP_FIRST_MIN = 300,     /* within these limits */
    UDP_FIRST_MAX = 1000,
    UDP_SECOND = 3200,        /* ms before a query has failed: with the first part, as long as most clients wait */
    UDP_PROBE = 2000,         /* the same for the query with which a session is opened */
    UDP_TCP = 4000,           /* the same for TCP: connection and response */
    UDP_TCP_IDLE = 2000,      /* ms after which the connection is closed */
    UDP_IDLE = 10000,         /* ms after which all sockets are closed */
    UDP_SOCKET_QUERIES = 100, /* transmissions of one socket */
    UDP_WRONG = 8,            /* wrong responses to a socket after which its queries go over TCP */
    UDP_GONE = 8,             /* ids of each socket that were given up last: their responses are late, not forged */
};

enum udp_phase { UDP_PHASE_FIRST, UDP_PHASE_SECOND, UDP_PHASE_TCP, UDP_PHASES };

enum { UDP_TRANSMISSIONS = 2 };

/* One transmission of a query. */
struct udp_sent {
    struct list_link in_socket; /* socket->sent; linked while its response counts */
    struct udp_query *query;
    uint64_t sent_ms;
    unsigned wrong; /* socket->wrong when it was sent */
    uint16_t id;
    uint8_t socket;
    bool mixed;                  /* its letter case is random */
    uint8_t name[NAME_MAX_WIRE]; /* as sent */
};

struct udp_query {
    struct list_link in_phase; /* session->running[phase] */
    struct list_link in_tcp;   /* tcp.waiting or tcp.sent */
    struct table_link in_asked;
    struct attempt *attempt; /* NULL: the query of a session that is being opened */
    const struct key *key;
    enum udp_phase phase;
    uint64_t due_ms, tcp_sent_ms;
    unsigned tcp_losses; /* connections that ended while it was outstanding there */
    uint16_t tcp_id;
    bool over_tcp; /* it has an id of the connection */
    unsigned count;
    struct udp_sent sent[UDP_TRANSMISSIONS]; /* the first `count` */
};

struct udp_socket {
    struct list sent; /* transmissions whose response counts */
    unsigned used;    /* transmissions, in all */
    unsigned wrong;   /* responses, in all */
    unsigned gone_count;
    uint16_t gone[UDP_GONE];
};

struct udp_tcp {
    struct stream stream;
    bool used, closing;        /* the stream exists; it is about to end */
    struct list waiting, sent; /* queries */
    uint64_t used_ms;          /* last query or response */
};

struct udp_session {
    struct session session;
    struct datagrams datagrams;
    bool datagrams_gone;
    struct udp_socket sockets[DATAGRAMS_SOCKETS];
    struct list running[UDP_PHASES]; /* queries, in the order of due_ms */
    struct list held;                /* attempts whose question is outstanding already */
    struct udp_tcp tcp;
    bool unproven;                 /* opened without a response */
    bool asked;                    /* the query of a session that is being opened was sent */
    uint64_t unheard_ms, asked_ms; /* the first transmission since the latest response, 0: none; the latest one */
};

static inline struct udp_session *udp_of(struct session *session)
{
    return container_of(session, struct udp_session, session);
}

/* --- udp.c --- */

void udp_stop(struct session *session, int reason);
/* The session's flush runs before the loop sleeps. */
void udp_wake(struct udp_session *udp);
void udp_set_phase(struct udp_session *udp, struct udp_query *query, enum udp_phase phase, uint64_t wait_ms);
/* Takes a query off its sockets. */
void udp_leave_sockets(struct udp_session *udp, struct udp_query *query);
/* Ends a query, which is in no place any more, and frees it. Its attempt stays as it is. */
void udp_end_query(struct udp_session *udp, struct udp_query *query);
/* Ends a query and its attempt without a response. */
void udp_fail(struct udp_session *udp, struct udp_query *query, int reason);
/* A response came, by UDP or TCP. */
void udp_note_heard(struct udp_session *udp);
/* Ends a query with the response to its transmission of that time. */
void udp_deliver(struct udp_session *udp, struct udp_query *query, uint64_t sent_ms, uint8_t *message, size_t len);
/* Frees the session if its last handle is gone. */
void udp_handle_gone(struct udp_session *udp);

/* --- udp_receive.c --- */

void udp_received(struct datagrams *datagrams, unsigned socket, uint8_t *message, size_t len);

/* --- udp_tcp.c --- */

/* The query, which is in no place, goes on over TCP. */
void udp_tcp_take(struct udp_session *udp, struct udp_query *query);
void udp_tcp_flush(struct udp_session *udp);
/* Takes a query off the connection; a response to it may still come. */
void udp_tcp_leave(struct udp_session *udp, struct udp_query *query);
/* Closes a connection that is idle. The next deadline. */
uint64_t udp_tcp_check(struct udp_session *udp, uint64_t now_ms);

#endif
