/* SPDX-License-Identifier: MIT */
/* The machine's network: notices changes, and looks up routes.
 *
 * Does:    hears of changes of links, addresses, routes and routing rules from the kernel (rtnetlink),
 * gathers what comes within 100 ms and calls `changed` once; looks up the way from a local address to a peer,
 * so that after a change it can be told whose way is another now. Where there is no rtnetlink (containers,
 * system call filters) nothing is heard of and every way is LINK_UNKNOWN, which never counts as changed.
 * Owns:    a struct link its uv handle and socket; a route is a value.
 * Threads: a struct link lives on its loop's thread; the routes' functions may be called from any.
 * RFC:     3549.
 */
#ifndef DOTSTUB_NET_LINK_H
#define DOTSTUB_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/addr.h"
#include "net/loop.h"

#define LINK_SETTLE_MS 100

struct link {
    uv_poll_t poll;
    int fd; /* -1: nothing is watched */
    struct timeouts settling;
    struct timeout settle; /* runs from the first event of a burst */
    void (*changed)(struct link *link);
};

/* Starts to watch. `changed` runs LINK_SETTLE_MS after the first change of a burst, at most once in that time. Most
 * changes concern no session of ours. It may call link_close. */
void link_open(struct link *link, struct loop *loop, void (*changed)(struct link *));
/* The memory must stay until the handle has been closed (loop_drain says so). */
void link_close(struct link *link);

enum link_reach {
    LINK_UNKNOWN, /* the kernel could not be asked; zeroed memory is such a route */
    LINK_NO_WAY,  /* this machine has lost the address `local`, or has no route to the peer */
    LINK_WAY,
};

struct link_route {
    enum link_reach reach;
    unsigned interface;  /* its index */
    uint8_t gateway[18]; /* as the kernel gives it; zeros: the peer is a neighbour */
};

/* The way that packets from `local` (NULL: whichever address the kernel would choose) to `peer` would take
 * now. About 10 us; never blocks. */
void link_find_route(struct link_route *out, const struct addr *local, const struct addr *peer);
/* True if the route is known to have changed: it is gone, new, or uses another interface or gateway. Packets of a
 * session from `local` to `peer` are lost then, or leave with a wrong source address. If the kernel merely prefers
 * another source address (IPv6 prefers new ones), the route has not changed: the old address still works. */
bool link_route_changed(const struct link_route *before, const struct link_route *now);

#endif
