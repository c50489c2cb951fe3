/* SPDX-License-Identifier: MIT */
/* The connection to one server of the store.
 *
 * Does:    connects, authenticates, sends commands in the order in which they were given, and passes each reply on. It
 *          connects again when it is needed, after a back-off.
 * Owns:    its stream and its requests.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_STORE_NODE_H
#define DOTSTUB_STORE_NODE_H

#include "base/slab.h"
#include "health.h"
#include "net/stream.h"
#include "net/tls.h"
#include "resp.h"
#include "setup.h"

struct node;

/* A command whose reply has not come yet. */
struct store_command {
    struct list_link link; /* node->queued or node->sent */
    struct node *node;
    /* `reply` NULL: the connection was lost, or the server refused the command. The request is freed afterwards. NULL:
     * nobody waits for the reply. */
    void (*done)(struct store_command *request, const struct resp_reply *reply);
    void *context;
    uint64_t sent_us; /* 0: not written yet */
    uint8_t which;    /* of the fleet's keys */
    uint8_t redirects;
    uint32_t kept_len;
    uint8_t *kept;   /* the command; NULL: it is not kept */
    bool get, tried; /* a GET; after HEALTH_TRY */
};

/* The purpose of a connection. */
struct node_role {
    const char *label;     /* before the server in the log; NULL: the connection is neither logged nor counted */
    const char *meanwhile; /* the consequence of a failure, for the log; NULL if `label` is */
    bool counted;
    bool subscribes; /* it receives messages, and is pinged when it is silent */
    bool sentinel;   /* it logs in to a Sentinel */
    bool keeps;      /* commands are kept until their replies, for node_redirect */
    /* Gives the last commands of the greeting with node_greet. Negative: out of memory. NULL: there are none. */
    int (*greet)(struct node *node);
    /* True: the reply is a message that nobody asked for. NULL: there are none. */
    bool (*pushed)(struct node *node, struct resp_reply *reply);
    void (*ready)(struct node *node); /* NULL: nothing */
    /* The connection was lost, or could not be made. NULL: nothing. */
    void (*lost)(struct node *node);
    /* The reply to a command is an error. True: the request was given to another node, and does not end. NULL: false. */
    bool (*refused)(struct node *node, struct store_command *request, const struct resp_reply *error);
};

enum node_state { NODE_DOWN, NODE_RESOLVING, NODE_CONNECTING, NODE_GREETING, NODE_READY, NODE_CLOSING };

/* The objects that all nodes of a store share. */
struct node_owner {
    struct loop *loop;
    struct counters *counters;
    struct loop_flush flush; /* writes what was given in this turn */
    struct list dirty;
    struct slab requests;
    size_t kept;                              /* bytes of commands that are kept */
    unsigned open;                            /* streams */
    uint64_t patience_ms;                     /* of the latest get */
    void (*closed)(struct node_owner *owner); /* a stream has closed */
    int (*look_up)(struct node_owner *owner, struct store_host *host);
};

struct node {
    struct node_owner *owner;
    const struct store_setup *setup;
    const struct store_server *server;
    const struct node_role *role;
    struct list_link in_dirty;
    enum node_state state;
    unsigned greeting;          /* commands of the greeting without a reply */
    bool was_ready;             /* when CLOSING began */
    bool leaving;               /* frees itself when its stream is closed */
    bool held;                  /* its server is not known: it does not connect */
    bool moved;                 /* its server has changed while a connection was open */
    struct node_lookup *lookup; /* in NODE_RESOLVING */
    struct stream stream;
    struct tls_tickets tickets;
    struct resp *resp;
    struct list queued, sent; /* requests */
    unsigned outstanding;
    struct store_health health;
    unsigned failures;
    uint64_t retry_ms, begun_ms, heard_ms, owed_ms; /* owed: when the oldest request was sent; 0: none */
    uint64_t later_ms;                              /* when held commands are written; 0: there are none */
    uint64_t polled_ms;                             /* when the list of flushes was last asked for */
    int error;                                      /* why it is not ready; 0: unknown, or none */
    char refusal[120];                              /* what the server replied to the greeting; "" */
    uint64_t rtt_us;                                /* smoothed, of gets and node_note_rtt; 0: unknown */
    struct histogram latency;                       /* of gets, tens of microseconds */
};

/* `server` is borrowed. NULL when out of memory. */
struct node *node_new(struct node_owner *owner, const struct store_setup *setup, const struct store_server *server,
                      const struct node_role *role) MUST_CHECK;
/* Closes and frees it, now or when its stream is closed. Its requests end without `done`. */
void node_leave(struct node *node);
/* The same; its requests end with `done`, before the return. */
void node_retire(struct node *node);
/* `node->server` is another one now: ends the connection, and the next one may begin at once. */
void node_moved(struct node *node);
/* Connects if it is due. NULL does nothing. */
void node_wake(struct node *node);
/* For how long the server has owed a reply and sent nothing, ms. */
uint64_t node_owes(const struct node *node, uint64_t now_ms);
/* True if a command would be sent at once. NULL: false. */
static inline bool node_is_ready(const struct node *node)
{
    return node && node->state == NODE_READY;
}
/* Gives a command. LATER: nobody waits for its effect, so it may wait 10 ms for others to be written with. NULL: not
 * ready (`node` may be NULL), too much is unsent, or out of memory. */
enum node_when { NODE_NOW, NODE_LATER };
struct store_command *node_command_when(struct node *node, const struct bytes *arguments, unsigned count,
                                        enum node_when when) MUST_CHECK;
static inline struct store_command *node_command(struct node *node, const struct bytes *arguments, unsigned count)
{
    return node_command_when(node, arguments, count, NODE_NOW);
}
/* Within node_role.refused: gives the request to another node, after ASKING if `asking`. False: it cannot be, and ends:
 * that node is not ready, the command was not kept, or it was redirected NODE_REDIRECTS times. */
enum { NODE_REDIRECTS = 2 };
bool node_redirect(struct store_command *request, struct node *to, bool asking) MUST_CHECK;
/* For node_role.greet: sends a command before the node is ready. The node becomes ready when the server has replied to
 * all of these commands; `done` must call node_greeted. 0 or -ENOMEM. */
int node_greet(struct node *node, const struct bytes *arguments, unsigned count,
               void (*done)(struct store_command *request, const struct resp_reply *reply), unsigned which) MUST_CHECK;
void node_greeted(struct node *node);
/* Ends the connection because of this error. */
void node_fail(struct node *node, const struct resp_reply *error);
/* The same, for a reason in words. */
void node_refuse(struct node *node, const char *why);
/* Ends connections that are silent. Returns the next deadline. */
uint64_t node_check(struct node *node, uint64_t now_ms);
/* A reply took this time. */
static inline void node_note_rtt(struct node *node, uint64_t us)
{
    node->rtt_us = node->rtt_us ? (7 * node->rtt_us + us) / 8 : us;
}
/* Writes what was given; the owner's flush hook calls it. */
void nodes_flush(struct node_owner *owner);

#endif
