/* SPDX-License-Identifier: MIT */
/* Queries over TCP.
 *
 * Does:    accepts clients; queries of one connection are pipelined and answered in any order; idle connections close after a
 *          while, the oldest first when all places are taken; nobody holds memory by not reading or not writing.
 * Owns:    the listening handle with its descriptor, and all clients accepted through it.
 * Threads: the worker's.
 * RFC:     7766, 7828 (keepalive), 9210.
 */
#ifndef DOTSTUB_LISTEN_TCP_H
#define DOTSTUB_LISTEN_TCP_H

#include "resolve/context.h"

struct tcp_clients;
struct tcp_listener;

/* The places for clients of one worker, shared by its listeners. `limit`: most clients at once. 0 or -ENOMEM. */
int tcp_clients_new(struct tcp_clients **out, struct resolver *resolver, unsigned limit) MUST_CHECK;
/* The resolver's configuration is another one now, and `limit` the most clients at once (those that are there stay). */
void tcp_clients_configure(struct tcp_clients *clients, unsigned limit);
/* How many clients there are. */
unsigned tcp_clients_count(const struct tcp_clients *clients);
/* Lets each client go that waits for nothing; the others when they have been answered. */
void tcp_clients_drain(struct tcp_clients *clients);
/* Lets all go: flushes what the kernel takes at once and closes. */
void tcp_clients_close(struct tcp_clients *clients);
/* All handles must be closed. */
void tcp_clients_free(struct tcp_clients *clients);

/* Takes over a bound descriptor and listens. 0, or negative (-EADDRINUSE comes here; the descriptor is still the caller's). */
int tcp_listen(struct tcp_listener **out, struct tcp_clients *clients, int fd) MUST_CHECK;
/* Closes the listening handle; its memory goes in the close callback. */
void tcp_close(struct tcp_listener *listener);

#endif
