/* SPDX-License-Identifier: MIT */
/* The state of each server of a group at one moment, for status and metrics.
 *
 * Does:    copies counts and names; changes nothing.
 * Owns:    nothing.
 * Threads: group_report on the worker's; the copy belongs to the caller.
 */
#ifndef DOTSTUB_UPSTREAM_REPORT_H
#define DOTSTUB_UPSTREAM_REPORT_H

#include "base/histogram.h"
#include "base/reasons.h"
#include "net/tls.h"
#include "upstream/upstream.h"

enum server_state {
    SERVER_OPEN,       /* has a session that takes queries */
    SERVER_CONNECTING, /* no session yet, a dial is under way */
    SERVER_IDLE,       /* no session, and none is needed; the last one worked */
    SERVER_FAILING,    /* no session could be opened, or the last one ended before its first response */
    SERVER_UNKNOWN,    /* not dialled yet, or not since the network changed */
};

#define UPSTREAM_NAME 256 /* bytes, the longest name with its NUL */

struct server_report {
    char group[UPSTREAM_NAME + 8]; /* GROUP_ROOT: for names without a route */
    char upstream[UPSTREAM_NAME];  /* the name of its entry */
    struct addr addr;
    const char *transport; /* "dot", "https", "udp" or "tcp" */
    bool reserve;          /* of the transport that its upstream does not use now */
    char fallback[64];     /* https with transport: auto: why it is used; "": it is not used in place of another */
    enum server_state state;
    /* Deprioritized: failed where others succeeded, so it is used only if no other is available, for a while. */
    bool avoided;
    unsigned open, dialing;            /* sessions */
    unsigned in_flight;                /* attempts on them */
    uint32_t latency_us;               /* smoothed; 0: unknown */
    unsigned failures;                 /* in a row, since the last response */
    int last_error;                    /* why it last failed; 0: never */
    uint64_t failed_ms;                /* when it last failed */
    uint64_t known_ms;                 /* when it was last found usable or failing; 0: never */
    struct reasons failures_by_reason; /* in all: failed dials and sessions, queries without a response */
    uint64_t opened, resumed;          /* sessions, in all */
    uint64_t opened_ms;                /* when the last one was opened; 0: never */
    bool has_tls;                      /* its transport has TLS, and a session was opened */
    struct tls_facts tls;              /* of the latest session */
    /* ms: TCP and TLS of dials that succeeded; from query to response. */
    struct histogram connect, handshake, answer;
};

/* Fills one report for each address of each upstream, in the order of the configuration, at most `room`. Returns
 * their number. */
size_t group_report(const struct group *group, struct server_report *out, size_t room);

/* The address of a server; its upstream's name is upstream_name. */
const struct addr *server_address(const struct server *server);
/* The name of its transport, a constant. */
const char *server_transport(const struct server *server);

#endif
