/* SPDX-License-Identifier: MIT */
/* The state of each server of a group, for people: a copy at one moment.
 *
 * Does:    counts and names; changes nothing.
 * Owns:    nothing.
 * Threads: group_report on the worker's; the copy is anybody's.
 */
#ifndef DOTSTUB_UPSTREAM_REPORT_H
#define DOTSTUB_UPSTREAM_REPORT_H

#include "base/histogram.h"
#include "net/tls.h"
#include "upstream/upstream.h"

enum server_state {
    SERVER_OPEN,       /* has a session that takes questions */
    SERVER_CONNECTING, /* none yet */
    SERVER_IDLE,       /* none, and none is needed */
    SERVER_FAILING,    /* none could be opened, or the last one ended before it answered anything */
};

#define UPSTREAM_NAME 256 /* bytes, the longest with its NUL */

struct server_report {
    char upstream[UPSTREAM_NAME]; /* the name of its entry */
    struct addr addr;
    enum server_state state;
    bool avoided;             /* failed to answer what others could: asked only where no other can be, for a while */
    unsigned open, dialing;   /* sessions */
    unsigned in_flight;       /* questions on them */
    uint32_t latency_us;      /* smoothed; 0: unknown */
    unsigned failures;        /* in a row, since the last answer */
    int last_error;           /* why it last failed; 0: never */
    uint64_t failed_ms;       /* and when */
    uint64_t opened, resumed; /* sessions in all */
    uint64_t opened_ms;       /* when the last one was opened; 0: never */
    bool has_tls;             /* its transport has TLS, and a session was opened: */
    struct tls_facts tls;     /* of the last one */
    struct histogram connect, handshake, answer; /* ms: TCP and TLS of dials that succeeded; from question to answer */
};

/* Fills one for each address of each upstream entry, in the order of the configuration, `room` at most. Gives their number. */
size_t group_report(const struct group *group, struct server_report *out, size_t room);

/* The address of a server; its upstream's name is upstream_name. */
const struct addr *server_address(const struct server *server);

#endif
