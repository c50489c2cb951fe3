/* SPDX-License-Identifier: MIT */
/* The addresses of one upstream's host: which are in use, and when they are looked up next.
 *
 * State table (host_note is the only writer after the start):
 *   PENDING -> KNOWN    addresses were found
 *   PENDING -> FAILED   the first lookups found none: queries no longer wait
 *   FAILED  -> KNOWN    addresses were found
 *   KNOWN stays KNOWN: while lookups fail the latest addresses stay in use.
 *
 * Does:    keeps the addresses of a family whose lookup failed; doubles the time between failed lookups.
 * Owns:    nothing; a value.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_HOST_STATE_H
#define DOTSTUB_DAEMON_HOST_STATE_H

#include "resolve/host_lookup.h"

enum host_phase { HOST_PENDING, HOST_KNOWN, HOST_FAILED };

enum {
    HOST_TTL_MIN = 30,
    HOST_TTL_MAX = 86400, /* seconds */
    HOST_RETRY_MIN = 1000,
    HOST_RETRY_MAX = 60000, /* ms, after a failure */
};

struct host_state {
    const char *upstream, *host; /* borrowed from the configuration */
    bool plain;                  /* its bootstrap servers are not encrypted */
    enum host_phase phase;
    struct addr addresses[HOST_FAMILIES][CONFIG_HOST_EACH];
    size_t counts[HOST_FAMILIES];
    uint64_t due_ms;      /* the next lookup; one that is under way: UINT64_MAX */
    uint64_t resolved_ms; /* when addresses were last found; 0: never, or in an earlier process */
    unsigned failures;    /* in a row */
    int error;            /* of the latest lookup; 0: it succeeded, or there was none */
};

/* A lookup has ended. True: addresses or phase have changed. */
bool host_note(struct host_state *state, const struct host_lookup *lookup, uint64_t now_ms);
/* Adds an address of the saved state, before the first lookup. Ignores one that is not usable or beyond the limit. */
void host_restore(struct host_state *state, const struct addr *addr);
/* Writes the addresses in use, IPv4 before IPv6; returns their number. */
size_t host_addresses(const struct host_state *state, struct addr out[CONFIG_HOST_ADDRESSES]);

#endif
