/* SPDX-License-Identifier: MIT */
/* Clients on connections: what all listeners for streams have in common.
 *
 * Does:    queries of one connection are pipelined and answered in any order; idle connections close after a
 *          timeout, and the oldest ones earlier when all places are taken; no client can hold memory by not reading
 *          or not writing. A kind of listener adds the framing and the byte layer of its clients.
 * Owns:    places for clients: one set for each worker, shared by its listeners; clients; listening handles with
 *          their descriptors.
 * Threads: the worker's.
 * RFC:     7766, 7828 (keepalive), 9210.
 */
#ifndef DOTSTUB_LISTEN_CLIENTS_H
#define DOTSTUB_LISTEN_CLIENTS_H

#include "net/stream.h"
#include "resolve/context.h"

struct clients;
struct listener;
struct listeners;

/* `limit`: the most clients at a time. 0 or -ENOMEM. */
int clients_new(struct clients **out, struct resolver *resolver, unsigned limit) MUST_CHECK;
/* The resolver's configuration has changed. More than `limit` clients may exist for a while. */
void clients_configure(struct clients *clients, unsigned limit);
unsigned clients_count(const struct clients *clients);
/* Call it when all handles are closed. */
void clients_free(struct clients *clients);

/* The members of a listener_kind for streams; `open` of a kind calls stream_listener_open with its framing and byte
 * layer, and its address, to which tickets of TLS are bound. */
int stream_listener_open(struct listener **out, struct listeners *listeners, int fd, const struct stream_form *form,
                         const struct addr *addr) MUST_CHECK;
void stream_listener_configure(struct listener *listener);
void stream_listener_stop(struct listener *listener);
void stream_listener_drain(struct listener *listener);
void stream_listener_close(struct listener *listener);

#endif
