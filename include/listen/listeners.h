/* SPDX-License-Identifier: MIT */
/* Listeners: they receive the queries of clients.
 *
 * Does:    a worker has a list of listeners, one for each of its sockets. They share its places for clients on
 *          connections.
 * Owns:    handles, buffers and clients; once opened, the descriptors.
 * Threads: the worker's; the table and what it says about configurations: any.
 */
#ifndef DOTSTUB_LISTEN_LISTENERS_H
#define DOTSTUB_LISTEN_LISTENERS_H

#include "listen/kind.h"
#include "resolve/context.h"

struct listeners;
struct tls_identity;

/* The table; ends with NULL. */
extern const struct listener_kind *const listener_kinds[];

/* An empty list of listeners for one worker. `client_limit`: the most clients on connections at a time. 0 or
 * -ENOMEM. */
int listeners_new(struct listeners **out, struct resolver *resolver, unsigned client_limit) MUST_CHECK;
/* New TLS connections use this identity, of which it takes over the reference; NULL, as at first: they are refused. */
void listeners_identify(struct listeners *listeners, struct tls_identity *identity);
/* Adds a listener, see `open` of its kind. */
int listeners_open(struct listeners *listeners, const struct listener_spec *spec, int fd) MUST_CHECK;
/* The resolver's configuration has changed; connected clients stay. */
void listeners_configure(struct listeners *listeners, unsigned client_limit);
/* Closes the listener of this specification, if there is one. Queries that came over UDP and wait are dropped;
 * connections of clients are closed. */
void listeners_close_one(struct listeners *listeners, const struct listener_spec *spec);
/* Each calls the function of the listener's kind. */
void listeners_stop(struct listeners *listeners);
void listeners_drain(struct listeners *listeners);
void listeners_close(struct listeners *listeners);
/* The number of clients on connections. */
unsigned listeners_clients(const struct listeners *listeners);
/* Call it after listeners_close, when all handles are closed. */
void listeners_free(struct listeners *listeners);

#endif
