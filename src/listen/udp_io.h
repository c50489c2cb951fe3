/* SPDX-License-Identifier: MIT */
/* The system calls of a UDP listener: the interface between the walk of a batch (udp.c) and the system calls.
 *
 * Does:    receives a batch of datagrams and sends a batch of responses, each from the address that the query was
 *          sent to. udp_mmsg.c implements it with recvmmsg and sendmmsg; another back end implements the same
 *          functions.
 * Owns:    its buffers. The caller owns the descriptor and polls it for readiness.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_LISTEN_UDP_IO_H
#define DOTSTUB_LISTEN_UDP_IO_H

#include "base/counters.h"
#include "resolve/query.h"

enum {
    UDP_BATCH = 64,
    UDP_QUERY_MAX = 4096,    /* a longer datagram is not a query */
    UDP_RESPONSE_MAX = 4352, /* the largest limits.udp-size and an OPT */
};

/* Embedded in each back end. */
struct udp_io {
    uint8_t *room; /* UDP_RESPONSE_MAX bytes for the next response; NULL: UDP_BATCH responses are unsent */
};

/* Opens a back end over a non-blocking descriptor that is bound to `addr`. 0 or -ENOMEM. */
int udp_io_open(struct udp_io **out, int fd, const struct addr *addr, struct counters *counters) MUST_CHECK;
/* Unsent responses are lost. */
void udp_io_free(struct udp_io *io);

/* From now on udp_io_query tells the interface, on other addresses than wildcards as well. */
void udp_io_want_interface(struct udp_io *io);
/* Returns the number of datagrams received, at most UDP_BATCH. They are valid until the next call. */
unsigned udp_io_receive(struct udp_io *io);
/* The datagram at `slot`; sets the origin's client, peer, local and interface. A datagram that is too long is cut
 * to its header, so that it is refused as malformed. */
struct bytes udp_io_query(struct udp_io *io, unsigned slot, struct origin *origin);

/* Queues the response of `len` bytes in `room` for the origin's peer. */
void udp_io_put(struct udp_io *io, const struct origin *origin, size_t len);
/* Sends the queued responses; a bad destination loses only its own response. False: the socket is blocked, call
 * again when it is writable. */
bool udp_io_send(struct udp_io *io) MUST_CHECK;
/* Reads pending errors, which would keep the socket ready. */
void udp_io_clear_errors(struct udp_io *io);

#endif
