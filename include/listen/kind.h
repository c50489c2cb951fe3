/* SPDX-License-Identifier: MIT */
/* The kinds of listeners: one line of a table each (listen/listeners.h).
 *
 * Does:    says where the configuration wants listeners of a kind, and what such a listener can be told.
 * Owns:    nothing.
 * Threads: names, types and addresses: any; listeners: their worker's.
 */
#ifndef DOTSTUB_LISTEN_KIND_H
#define DOTSTUB_LISTEN_KIND_H

#include "base/addr.h"
#include "config/config.h"

struct listener;
struct listeners;

struct listener_addresses {
    const struct addr *list;
    size_t count;
    bool is_default; /* the operator named none */
};

/* One line of the table. */
struct listener_kind {
    const char *name; /* in the log */
    int type; /* of its sockets: SOCK_DGRAM or SOCK_STREAM; with the address it says what a kept socket is for */
    /* Where the configuration wants listeners of this kind. No two kinds want one address for sockets of one type. */
    struct listener_addresses (*addresses)(const struct config *config);
    /* Takes over a bound, non-blocking descriptor. 0, or negative (-EADDRINUSE may come here; the descriptor is still the
     * caller's). */
    int (*open)(struct listener **out, struct listeners *listeners, int fd, const struct addr *addr);
    /* The resolver has another configuration. NULL: nothing in it concerns open listeners of this kind. */
    void (*configure)(struct listener *listener);
    /* Takes in nothing new: no datagram, no client. Responses still leave. */
    void (*stop)(struct listener *listener);
    /* Lets each client go once it has been answered. NULL: there are no connections. */
    void (*drain)(struct listener *listener);
    /* Sends what the kernel takes at once and lets all go; the memory goes in the close callbacks. No query of it may wait. */
    void (*close)(struct listener *listener);
};

/* The purpose of a socket. */
struct listener_spec {
    const struct listener_kind *kind;
    struct addr addr;
};

#endif
