/* SPDX-License-Identifier: MIT */
/* Clients on connections: what all listeners for streams have in common.
 *
 * Does:    queries of one connection are pipelined and answered in any order; idle connections close after a while, the oldest
 *          first when all places are taken; nobody holds memory by not reading or not writing. A kind of listener adds the
 *          framing and the byte layer of its clients.
 * Owns:    places for clients: one set for each worker, shared by its listeners; clients; listening handles with their descriptors.
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

/* `limit`: most clients at once. 0 or -ENOMEM. */
int clients_new(struct clients **out, struct resolver *resolver, unsigned limit) MUST_CHECK;
/* The resolver's configuration is another one now. More than `limit` clients may be there still. */
void clients_configure(struct clients *clients, unsigned limit);
unsigned clients_count(const struct clients *clients);
/* All handles are closed. */
void clients_free(struct clients *clients);

/* A listener for streams: a kind's open, but for the framing and byte layer of its clients; and the rest of a line of the table. */
int stream_listener_open(struct listener **out, struct listeners *listeners, int fd,
                         const struct stream_form *form) MUST_CHECK;
void stream_listener_configure(struct listener *listener);
void stream_listener_stop(struct listener *listener);
void stream_listener_drain(struct listener *listener);
void stream_listener_close(struct listener *listener);

#endif
