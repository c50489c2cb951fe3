/* SPDX-License-Identifier: MIT */
/* The UDP sockets of fake_net: the test is the server of all of them.
 *
 * Does:    implements net/datagrams.h. Datagrams wait until the test takes them. A server whose dial is FAKE_REFUSES
 *          answers each datagram with an ICMP error, in the same turn.
 * Owns:    sets of sockets and datagrams, until fake_end.
 */
#ifndef DOTSTUB_TESTS_FAKE_DATAGRAMS_H
#define DOTSTUB_TESTS_FAKE_DATAGRAMS_H

#include "fake_net.h"
#include "net/datagrams.h"

struct fake_datagram {
    struct list_link link;
    unsigned socket;
    uint16_t port;
    uint64_t sent_ms;
    struct fake_frame *frame; /* owned */
};

/* The sockets of one session. */
struct fake_udp {
    struct list_link link;
    struct datagrams *datagrams; /* NULL: gone */
    struct addr to;
    struct list sent; /* fake_datagram, not taken yet */
    size_t written;   /* all */
    uint16_t ports[DATAGRAMS_SOCKETS];
    unsigned ports_drawn;
    unsigned refused; /* ICMP errors to deliver, for this socket: */
    unsigned refused_socket;
};

/* The number of sockets that may be open; 0: any. */
extern unsigned fake_descriptors;

/* The n-th set (0: the first), or NULL. */
struct fake_udp *fake_udp(unsigned n);
/* The oldest datagram not taken yet, which the caller frees with fake_datagram_free; NULL: none. */
struct fake_datagram *fake_udp_take(struct fake_udp *udp);
void fake_datagram_free(struct fake_datagram *datagram);
/* Delivers a message to a socket, from memory of exactly its length. */
void fake_udp_deliver(struct fake_udp *udp, unsigned socket, const void *message, size_t len);
/* Responds to a query; `answer` NULL: FAKE_ANSWER. */
void fake_udp_reply(struct fake_udp *udp, const struct fake_datagram *query, const struct fake_answer *answer);

/* Called by fake_net. */
void fake_datagrams_begin(void);
bool fake_datagrams_step(void);
void fake_datagrams_end(void);

#endif
