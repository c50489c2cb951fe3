/* SPDX-License-Identifier: MIT */
/* The machine's network: notices changes, and looks up routes.
 *
 * Does:    receives changes of links, addresses, routes and routing rules from the kernel (rtnetlink), combines
 *          those within 100 ms and calls `changed` once; looks up the route from a local address to a peer, to find
 *          out after a change which routes differ. Without rtnetlink (containers, system call filters) no change is
 *          reported and each route is LINK_UNKNOWN, which never counts as changed.
 * Owns:    a struct link owns its uv handle and socket; a route is a value.
 * Threads: a struct link belongs to its loop's thread; the functions for routes may be called from any.
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
    int fd; /* -1: changes are not monitored */
    struct timeouts settling;
    struct timeout settle; /* runs from the first event of a burst */
    void (*changed)(struct link *link);
};

/* Starts to monitor changes. `changed` runs LINK_SETTLE_MS after the first change of a burst, at most once in that
 * time. Most changes concern none of our sessions. `changed` may call link_close. */
void link_open(struct link *link, struct loop *loop, void (*changed)(struct link *));
/* The struct must exist until the handle has been closed (see loop_drain). */
void link_close(struct link *link);

enum link_reach {
    LINK_UNKNOWN, /* the kernel could not look it up; zeroed memory is such a route */
    LINK_NO_WAY,  /* the machine has lost the address `local`, or has no route to the peer */
    LINK_WAY,
};

struct link_route {
    enum link_reach reach;
    unsigned interface;  /* its index */
    uint8_t gateway[18]; /* in the kernel's format; zeros: the peer is a neighbour */
};

/* The kernel chooses the route of a session's packets by these. */
struct link_flow {
    const struct addr *local; /* NULL: the address that the kernel would choose */
    const struct addr *peer;
    const char *interface; /* the one that its sockets are bound to, which may be a VRF; NULL: none */
    uint32_t mark;         /* SO_MARK of its sockets */
};

/* The route that these packets would take now. About 10 us; never blocks. */
void link_find_route(struct link_route *out, const struct link_flow *flow);
/* True if the route is known to have changed: it disappeared, is new, or uses another interface or gateway. Packets
 * of a session from `local` to `peer` are lost then, or leave with a wrong source address. If the kernel merely
 * prefers another source address (IPv6 prefers new ones), the route has not changed: the old address still works. */
bool link_route_changed(const struct link_route *before, const struct link_route *now);

#endif
