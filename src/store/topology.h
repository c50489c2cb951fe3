/* SPDX-License-Identifier: MIT */
/* The kinds of a store: which servers it has, and which one has an entry.
 *
 * A new kind is one file with a struct topology, and one line in the table of topology.c.
 */
#ifndef DOTSTUB_STORE_TOPOLOGY_H
#define DOTSTUB_STORE_TOPOLOGY_H

#include "inside.h"

struct topology {
    /* Adds the places that are known from the setup (topology_add). 0 or -ENOMEM. */
    int (*begin)(struct store *store, const struct store_setup *setup);
    /* The place that has the entry of this name. NULL: none is known now. */
    struct store_place *(*place_of)(struct store *store, const uint8_t name[SEAL_NAME]);
    /* The connection to read from, for a place that has an entry. NULL: its own. */
    struct node *(*reader_of)(struct store *store, struct store_place *place);
    /* Follows changes of the servers; returns the next deadline. NULL: there are none. */
    uint64_t (*check)(struct store *store, uint64_t now_ms);
    /* Reports on servers that have no entries, at most `room`; returns their number. NULL: there are none. */
    size_t (*report)(const struct store *store, struct store_server_report *out, size_t room);
    /* The places are to be dropped. NULL: nothing. */
    void (*end)(struct store *store);
    /* The set of flushes has this number of copies, each under another key: tag_of gives the number in it, and has_copy says
     * whether a place has it. 0: each place has one under the same key, and both are NULL. */
    unsigned copies;
    unsigned (*tag_of)(const struct store *store, unsigned copy);
    bool (*has_copy)(struct store *store, const struct store_place *place, unsigned copy);
    bool one_channel;   /* messages reach all servers, so one place listens for them */
    const char *serves; /* the role of a new place in reports */
};

extern const struct topology topology_plain, topology_sentinel, topology_cluster;

/* Sets store->topology for the setup, and begins it. 0 or -ENOMEM. */
int topology_begin(struct store *store, const struct store_setup *setup) MUST_CHECK;
/* Drops all places; their requests end without callbacks. */
void topology_end(struct store *store);
/* Adds a place. `server`: of the setup; NULL: place->learned, which the caller fills, and its connections are held until
 * node_moved. `channel_role` NULL: it has no channel. NULL when out of memory, or there are STORE_PLACES already. */
struct store_place *topology_add(struct store *store, const struct store_setup *setup,
                                 const struct store_server *server, const struct node_role *role,
                                 const struct node_role *channel_role) MUST_CHECK;
/* Drops the place with this index; its requests end with callbacks. The last place gets the index. */
void topology_drop(struct store *store, size_t index);
/* Ends the connections of a place, which begins none until it is released. */
void topology_hold(struct store_place *place);
void topology_release(struct store_place *place);
/* A report on one connection. */
void topology_report(struct store_server_report *out, const struct node *node, const char *role);

#endif
