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

struct client;
struct clients;
struct http2_exchange;
struct listener;
struct listeners;

/* The load of a client beyond its stream: bytes of responses that are not in the stream yet, bytes of incomplete
 * messages, whether there are such messages, and a number that grows with each byte of a message in either direction. */
struct client_load {
    size_t unsent, held;
    uint64_t progress;
    bool incomplete;
};

/* The protocol of clients, if it is not one DNS message in each frame. */
struct client_protocol {
    /* False: a connection of this peer is reset. */
    bool (*accepts)(const struct config *config, const struct addr *peer);
    /* Takes bytes, and calls client_take for each query. 0, or the reason to close the connection. */
    int (*receive)(struct client *client, const uint8_t *data, size_t len);
    /* Before the stream is flushed: appends what is to be sent. 0, or the reason to close the connection. */
    int (*send)(struct client *client);
    /* The response to a query, or none. */
    void (*reply)(struct query *query, const uint8_t *message, size_t len);
    void (*dropped)(struct query *query);
    /* No further queries are taken. */
    void (*drain)(struct client *client);
    /* The connection is gone: frees the state. */
    void (*end)(struct client *client);
    struct client_load (*load)(const struct client *client);
};

struct client_kind {
    const struct client_protocol *protocol; /* NULL: a DNS message in each frame */
    const char *const *alpn;                /* of TLS: ends with NULL */
};

/* For a protocol: */

/* Runs a query; its origin has the exchange. True: it waits now. */
bool client_take(struct client *client, struct bytes wire, struct http2_exchange *exchange);
/* Drops the query of an exchange that has ended, if it waits. */
void client_forget(struct client *client, const struct http2_exchange *exchange);
struct stream *client_stream(struct client *client);
/* The protocol's own; NULL at first. */
void **client_protocol_state(struct client *client);
struct resolver *client_resolver(const struct client *client);

/* `limit`: the most clients at a time. 0 or -ENOMEM. */
int clients_new(struct clients **out, const struct listeners *listeners, unsigned limit) MUST_CHECK;
/* The resolver's configuration has changed. More than `limit` clients may exist for a while. */
void clients_configure(struct clients *clients, unsigned limit);
unsigned clients_count(const struct clients *clients);
/* Call it when all handles are closed. */
void clients_free(struct clients *clients);

/* The members of a listener_kind for streams; `open` of a kind calls stream_listener_open with its framing and byte
 * layer, its address, to which tickets of TLS are bound, and what its clients speak. */
int stream_listener_open(struct listener **out, struct listeners *listeners, int fd, const struct stream_form *form,
                         const struct addr *addr, const struct client_kind *kind) MUST_CHECK;
void stream_listener_configure(struct listener *listener);
void stream_listener_stop(struct listener *listener);
void stream_listener_drain(struct listener *listener);
void stream_listener_close(struct listener *listener);

#endif
