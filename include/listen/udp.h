/* SPDX-License-Identifier: MIT */
/* Queries over UDP.
 *
 * Does:    reads a batch with one recvmmsg, walks each query, sends the answers of the batch with one sendmmsg; answers from
 *          the address asked (on wildcard sockets by IP_PKTINFO). Late answers leave in the loop's flush.
 * Owns:    its handle and buffers, and the descriptor given to it.
 * Threads: the worker's.
 * RFC:     1035 section 4.2.1.
 */
#ifndef DOTSTUB_LISTEN_UDP_H
#define DOTSTUB_LISTEN_UDP_H

#include "base/addr.h"
#include "resolve/context.h"

struct udp_listener;

/* Takes over a bound, non-blocking descriptor. 0, or negative (the descriptor is still the caller's). */
int udp_listen(struct udp_listener **out, struct resolver *resolver, int fd, const struct addr *addr) MUST_CHECK;
/* Stops reading; answers still leave. */
void udp_stop(struct udp_listener *listener);
/* Closes; the memory goes in the close callback. No query of it may wait. */
void udp_close(struct udp_listener *listener);

#endif
