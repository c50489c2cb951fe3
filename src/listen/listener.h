/* SPDX-License-Identifier: MIT */
/* The part of a listener that all kinds share. */
#ifndef DOTSTUB_LISTEN_LISTENER_H
#define DOTSTUB_LISTEN_LISTENER_H

#include "listen/kind.h"
#include "net/tls_server.h"
#include "resolve/context.h"

struct clients;

/* Embedded in the listener of each kind. */
struct listener {
    const struct listener_kind *kind;
    struct list_link link; /* in `all` */
    struct addr addr;
};

struct listeners {
    struct resolver *resolver;
    struct clients *clients; /* places for clients on connections */
    struct tls_handshakes tls;
    struct list all;
};

extern const struct listener_kind listener_kind_udp, listener_kind_tcp, listener_kind_tls, listener_kind_https,
    listener_kind_http;

/* Calls `serve` of each listener. */
void listeners_serve(const struct listeners *listeners);

/* True if a view depends on the interface that a query came in on. */
bool listener_wants_interface(const struct config *config);

/* The addresses of `listen`, for kinds that speak plain DNS. */
struct listener_addresses listener_addresses_plain(const struct config *config);

#endif
