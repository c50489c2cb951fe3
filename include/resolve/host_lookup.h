/* SPDX-License-Identifier: MIT */
/* The look-up of the addresses of an upstream's host, A and AAAA, in its bootstrap group.
 *
 * Does:    starts both lookups and collects the addresses that a server can have.
 * Owns:    nothing; the caller keeps the struct until `done`.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_HOST_LOOKUP_H
#define DOTSTUB_RESOLVE_HOST_LOOKUP_H

#include "config/config.h"
#include "resolve/waiter.h"

enum { HOST_V4, HOST_V6, HOST_FAMILIES };

struct host_half {
    struct waiter waiter;
    struct host_lookup *whole;
    int status;                              /* 0: there was a response, which may have no address; else why not */
    uint32_t ttl;                            /* seconds; of a response with addresses */
    struct addr addresses[CONFIG_HOST_EACH]; /* without a port */
    size_t count;
};

struct host_lookup {
    const char *host;  /* the caller's until `done` */
    const char *group; /* its name, likewise; NULL: the group that serves the host's name */
    bool plain;        /* the group's servers get the name without encryption */
    /* Both lookups have ended. Called once, maybe before host_lookup_begin returns. */
    void (*done)(struct host_lookup *lookup);
    /* Private until `done`. */
    struct host_half halves[HOST_FAMILIES];
    unsigned outstanding;
};

/* The first four members are set. */
void host_lookup_begin(struct host_lookup *lookup, struct resolver *resolver);
/* False for addresses that no server beyond this machine can have: wildcard, loopback, multicast, link-local. */
bool host_address_is_usable(const struct addr *addr);

#endif
