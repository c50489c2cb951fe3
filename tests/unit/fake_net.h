/* SPDX-License-Identifier: MIT */
/* A net/ without sockets: time only passes when the test advances it, and the test is the server of every connection.
 *
 * Does:    implements what upstream/ and resolve/ use of net/loop.h, net/stream.h and net/tls.h. A turn runs the
 *          flush hooks, lets connections succeed or fail depending on their address, passes written frames to the
 *          test's server, and calls `closed`, until nothing is left to do. Time advances from deadline to deadline:
 *          nothing runs without a deadline.
 * Owns:    connections and the frames written into them, until fake_end.
 * Use:     link it instead of libnet.a. One at a time.
 */
#ifndef DOTSTUB_TESTS_FAKE_NET_H
#define DOTSTUB_TESTS_FAKE_NET_H

#include "base/counters.h"
#include "config/config.h"
#include "net/stream.h"
#include "upstream/ask.h"
#include "upstream/routes.h"
#include "upstream/upstream.h"

/* A frame that was written into a connection. */
struct fake_frame {
    struct list_link link;
    size_t len;
    uint8_t data[];
};

/* The outcome of a new connection to an address, in the turn in which it is begun. */
enum fake_dial { FAKE_ACCEPTS, FAKE_HANGS, FAKE_REFUSES, FAKE_FAILS_AT_ONCE /* stream_connect fails */ };

struct fake_conn {
    struct list_link link;
    struct stream *stream; /* NULL: gone */
    struct addr to;
    uint64_t dialed_ms;
    struct list frames;    /* written, and not yet taken by the test or its server */
    size_t written;        /* frames, all of them */
    unsigned flushes;      /* writes of at least one frame */
    bool mid_frame;        /* set by the test: a partial frame was received */
    bool unacknowledged;   /* set by the test: the peer's kernel does not acknowledge */
    bool blocked;          /* set by the test: the send buffer is full */
    const char *alpn;      /* offered by TLS; NULL: none */
    unsigned acknowledged; /* calls of stream_acknowledge */
    bool was_open, closed_by_us;
    int close_reason;
};

struct fake_net {
    struct loop loop;
    struct list conns;       /* in the order in which they were begun */
    enum fake_dial dial[16]; /* by the last byte of the address */
    /* The server: called for each frame in a turn after everything was flushed; NULL: frames wait for fake_take.
     * The frame is freed after the call. */
    void (*serve)(struct fake_conn *conn, const struct fake_frame *frame);
    struct tls_trust *trusts[8];
    unsigned flushes; /* of the latest turn */
    bool early;       /* certificates are not valid yet, but accepted */
    struct counters counters;
};

extern struct fake_net fake;

static inline uint64_t fake_counted(enum counter which)
{
    return counter_read(&fake.counters, which);
}

void fake_begin(void);
/* Asserts that no connection is open, then frees everything. */
void fake_end(void);
/* Runs everything that is due at the current time. */
void fake_turn(void);
/* Runs a turn, then advances time by `ms`, with a turn at each deadline. */
void fake_pass(uint64_t ms);
uint64_t fake_now(void);

/* --- connections --- */

/* The n-th connection that was begun (0: the first), or NULL. */
struct fake_conn *fake_conn(unsigned n);
unsigned fake_dials(void);
/* Connections that are open, neither failed nor closed. */
unsigned fake_open(void);
/* Lets a hanging dial succeed, or fail. */
void fake_accept(struct fake_conn *conn);
/* The peer or the network ends the connection: -ECONNRESET, ERROR_CLOSED (clean), ... */
void fake_kill(struct fake_conn *conn, int reason);
/* The kernel accepts the blocked output. */
void fake_unblock(struct fake_conn *conn);
/* The oldest frame not taken yet, which the caller frees; NULL: none. */
struct fake_frame *fake_take(struct fake_conn *conn);
/* Delivers one message unchanged, from memory of exactly its length. */
void fake_deliver(struct fake_conn *conn, const void *message, size_t len);

/* --- answers --- */

struct fake_answer {
    uint16_t rcode; /* 12 bits */
    bool truncated;
    bool no_record;      /* else: one A record, 192.0.2.1, when the rcode is 0 */
    uint32_t ttl;        /* 0: 300 */
    int ede;             /* EDE_NONE: none */
    int keepalive_100ms; /* -1: none */
};
#define FAKE_ANSWER ((struct fake_answer){.ede = -1, .keepalive_100ms = -1})

/* Writes a response to the query in a frame; returns its length. */
size_t fake_build(uint8_t out[2048], const struct fake_frame *question, const struct fake_answer *answer);
/* Answers a query; `answer` NULL: FAKE_ANSWER. */
void fake_reply(struct fake_conn *conn, const struct fake_frame *question, const struct fake_answer *answer);
/* As fake_net.serve: answers everything at once. */
void fake_serve_all(struct fake_conn *conn, const struct fake_frame *frame);

/* --- configuration --- */

/* A configuration with `entries` upstreams of `addresses` addresses each: 192.0.2.1, .2, ... on port 853, idle 30
 * s, two sessions a server, answer-by 3.5 s. Valid until the next call; `refs` is 1. */
struct config *fake_config(unsigned entries, unsigned addresses);

/* --- groups and attempts of the test --- */

/* All upstreams of the configuration as the root's group, with id 0; trusts[i] belongs to its i-th upstream. */
struct group_definition fake_definition(struct config *config, struct tls_trust *const *trusts);
/* A group of all upstreams of the configuration, counting into fake.counters. */
struct group *fake_group(struct config *config);
/* The worker of all groups. */
extern const struct group_worker fake_worker;
/* Stops the group, asserts that `closed` runs exactly once and that no reference is left, and frees it. */
void fake_group_end(struct group *group);

struct fake_ask {
    struct attempt attempt;
    struct ask history; /* used by the attempt, see fake_avoid */
    struct key key;
    bool insists;      /* set by the test: resent after a failure, up to 20 times */
    unsigned ended;    /* how often `done` ran */
    unsigned answered; /* how often with a response */
    int status;        /* of the last call */
    uint16_t rcode;
    uint64_t ended_ms;
};
/* Call it before the attempt is sent: an earlier attempt of the same ask had this outcome at that server, and the
 * other attempt counts as live. */
void fake_avoid(struct fake_ask *ask, struct server *server, enum outcome outcome);
void fake_hedge(struct fake_ask *ask, const struct fake_ask *other);
/* Sends an attempt for the A records of `name`. */
void fake_ask(struct group *group, struct fake_ask *ask, const char *name);

#endif
