/* SPDX-License-Identifier: MIT */
/* The kinds of listeners: one line of a table each (listen/listeners.h).
 *
 * Does:    says which addresses the configuration gives to listeners of a kind, and has the functions of such a
 *          listener.
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
    bool is_default; /* the addresses are the built-in default */
};

/* One line of the table. */
struct listener_kind {
    const char *name; /* in the log */
    /* Of its sockets: SOCK_DGRAM or SOCK_STREAM; type and address identify a socket that another process passed on. */
    int type;
    /* The configured addresses of this kind. No two kinds share an address with the same socket type. */
    struct listener_addresses (*addresses)(const struct config *config);
    /* Opens a listener and owns the bound, non-blocking descriptor. 0, or negative (for example -EADDRINUSE), and
     * the caller still owns the descriptor. */
    int (*open)(struct listener **out, struct listeners *listeners, int fd, const struct addr *addr);
    /* The resolver's configuration has changed. NULL: open listeners of this kind do not depend on it. */
    void (*configure)(struct listener *listener);
    /* Receives and answers datagrams that have arrived. The listeners of connections call it between messages, so that
     * many messages do not delay datagrams. NULL: the kind has connections. */
    void (*serve)(struct listener *listener);
    /* Stops receiving datagrams and accepting clients. Responses are still sent. */
    void (*stop)(struct listener *listener);
    /* Closes each connection after its outstanding responses. NULL: the kind has no connections. */
    void (*drain)(struct listener *listener);
    /* Sends as much as the kernel accepts at once and closes all handles; the close callbacks free the memory. No
     * query of the listener may be waiting. */
    void (*close)(struct listener *listener);
};

/* The purpose of a socket. */
struct listener_spec {
    const struct listener_kind *kind;
    struct addr addr;
};

#endif
