/* SPDX-License-Identifier: MIT */
/* The state of a store, for the files of its parts. */
#ifndef DOTSTUB_STORE_INSIDE_H
#define DOTSTUB_STORE_INSIDE_H

#include "flushes.h"
#include "node.h"
#include "store/store.h"
#include "value.h"

/* The bytes whose hash names an entry: everything that makes a response differ. */
enum { STORE_MATERIAL = 1 + DIGEST_LEN + 2 + 2 + 1 + NAME_MAX_WIRE };

struct store_get {
    struct list_link in_all, in_waiting;
    struct store *store;
    void *context;
    const struct key *key;
    uint8_t definition[DIGEST_LEN];
    struct store_command *request[SEAL_FLEET_KEYS];
    uint8_t name[SEAL_FLEET_KEYS][SEAL_NAME];
    unsigned outstanding;
    uint64_t late_ms;
    bool postponed; /* late_ms was moved because of our own delay */
    bool unfit;     /* a value was rejected, or a reply was an error: no lease is taken */
    int64_t not_before_ms;
    uint64_t median_ms;           /* of the upstream's response times; 0: unknown */
    uint64_t poll_ms, give_up_ms; /* while another replica has the lease */
};

/* Gets that wait for another replica, by the time between two polls: 4, 8, 16, 32 and 64 ms. */
enum { STORE_POLLS = 5, STORE_POLL_MS = 4 };

/* The names of an object of the whole fleet, with each of the fleet's keys. */
struct store_common {
    uint8_t name[SEAL_FLEET_KEYS][SEAL_NAME];
    char text[SEAL_FLEET_KEYS][SEAL_TEXT + 1];
};

/* The set of popular names that was voted in last. */
struct store_set {
    bool known;
    int64_t era;
    uint8_t definition[DIGEST_LEN], name[SEAL_NAME];
    char text[SEAL_TEXT + 1];
};

/* A server with its connections. */
struct store_place {
    const struct store_server *server;
    struct store_server *learned; /* `server`, if it is not one of the setup */
    struct node *node;
    struct node *channel; /* NULL: the store does not lead */
    const char *role;     /* in reports */
    bool serves;          /* it has entries */
    bool named;           /* by the latest map of a cluster */
    struct node *master;  /* of a replica, else NULL */
    struct node *reader;  /* of a master whose entries are read from a replica, else NULL */
};

enum { STORE_PLACES = 64 };

struct topology;
struct sentinel;
struct cluster;

/* See nearest.h. */
struct nearest {
    uint64_t probed_ms;
    unsigned probes; /* without a reply */
    bool due;        /* a value was asked for after the latest probe */
};

struct store {
    struct node_owner owner;
    const struct store_ops *ops;
    void *user;
    struct store_setup *setup; /* NULL: off */
    uint64_t setup_number;     /* of the setups so far; see store_name */
    bool leads;
    const struct topology *topology;
    struct sentinel *sentinel; /* of topology_sentinel */
    struct cluster *cluster;   /* of topology_cluster */
    struct nearest nearest;
    struct store_place *places; /* STORE_PLACES of them */
    size_t place_count;
    struct slab gets;
    struct list all, waiting, polls[STORE_POLLS], polled;
    struct loop_tick tick;
    uint64_t epoch;        /* of the cache, at the latest get */
    unsigned spared;       /* epochs to come that flushes of the fleet begin */
    bool has_epoch;        /* there was a get */
    int64_t not_before_ms; /* values that were sealed before are not used */
    uint64_t clock_checked_ms;
    bool clock_fine;
    bool dial_due; /* all nodes are to connect */
    bool stopping;
    void (*closed)(void *context);
    void *closed_context;
    struct store_common flush_list, flush_channel;
    struct list tellings, warmings;
    unsigned votes;
    struct store_set voted;
    struct flushes flushes;
    struct value_room room;
    uint8_t content[VALUE_MAX], sealed[VALUE_MAX + 8192];
};

static inline void store_count(struct store *store, enum counter which)
{
    counter_add(store->owner.counters, which, 1);
}

static inline struct bytes store_bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline struct store *store_of(struct node *node)
{
    return container_of(node->owner, struct store, owner);
}

#endif
