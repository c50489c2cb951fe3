/* SPDX-License-Identifier: MIT */
/* Routes: which group of upstreams serves a name. An immutable snapshot, independent of the configuration snapshot.
 *
 * Does:    defines groups, gives each definition its id, finds the group of a name. Each worker creates its own
 *          servers and sessions from it (upstream/groups.h).
 * Owns:    references to the trusts and to the configuration snapshot that holds the upstreams. Ref-counted.
 * Threads: made by the main thread, which owns the ids; then read by any.
 *
 * A group has a name, by which it keeps its servers when it is redefined, and an id, which depends on the digest of
 * its definition and is part of the cache key: responses that were obtained with one definition are found only
 * under its id. An id is never given to another definition. A definition that is used again gets its earlier id,
 * and so finds its earlier cache entries.
 */
#ifndef DOTSTUB_UPSTREAM_ROUTES_H
#define DOTSTUB_UPSTREAM_ROUTES_H

#include <stdatomic.h>
#include "base/prefixmap.h"
#include "config/config.h"
#include "dns/key.h"
#include "dns/suffixes.h"
#include "net/tls.h"
#include "upstream/bootstrap.h"

/* The ids of all definitions since the process started; 0 is never used. Zeroed memory is an empty table. Main
 * thread only. */
struct group_ids {
    struct key_group *known;
    size_t count, room;
};

/* 0 or -ENOMEM. */
int group_ids_find(struct group_ids *ids, const uint8_t definition[DIGEST_LEN], uint32_t *id) MUST_CHECK;
void group_ids_fini(struct group_ids *ids);

#define GROUP_ROOT "root" /* the name of the group for all names that no other group serves */

struct group_definition {
    const char *name;
    uint32_t id;
    struct config *config; /* for the times and limits of sessions */
    const struct config_upstream *upstreams;
    size_t upstream_count;
    enum config_policy policy;
    struct tls_trust *const *trusts; /* one for each upstream */
    /* ROUTE_SALT bytes of a route that was added at run time; NULL: none. A definition with a salt has an id of its own. */
    const uint8_t *salt;
    const struct bootstrap_table *known; /* the addresses of hosts; NULL: none is known. Used by group_plan_new only */
};

/* `group` serves names at and below `suffix` (uncompressed). */
struct name_route {
    const uint8_t *suffix;
    size_t group; /* index into the groups */
    bool is_private;
};

/* The values of a table of suffixes: the index of a group, and this bit if the zone is private. */
#define ROUTE_PRIVATE UINT32_C(0x80000000)

/* The routes of some clients. */
struct route_view {
    const char *label;             /* "view:NAME"; NULL: the first one */
    size_t root;                   /* index of the group that serves names without a route */
    struct suffix_table *suffixes; /* NULL: none */
    const char *interface;         /* NULL: its clients are in `clients` of the routes */
};

struct routes {
    atomic_uint refs;
    struct config *config;
    struct group_definition *groups; /* the first one is the root group */
    struct key_group *ids;           /* in the order of `groups` */
    size_t group_count;
    size_t server_count;       /* total number of addresses, at most */
    struct tls_trust **trusts; /* of all groups; NULL for plain servers */
    size_t trust_count;
    struct bootstrap_table *known; /* a reference, for `groups` */
    struct suffix_table *suffixes; /* maps to indexes of groups; NULL: the root group serves every name */
    /* NULL: all clients have these routes. Else the first view is that of clients of no other view; it has these
     * routes. The others are in the order of the configuration. */
    struct route_view *views;
    size_t view_count;
    struct prefix_map *clients; /* maps to indexes of views */
};

#define ROUTES_GROUPS_MAX 1000

/* Takes names, upstreams and trusts of `groups` (the first one is the root group; the ids are set here). All
 * upstreams are in `config` (kept by reference), names in it or in constants. 0, -ENOMEM, -EEXIST (two suffixes or
 * two names are equal), or -E2BIG. */
int routes_new(struct routes **out, struct group_ids *ids, struct config *config, const struct group_definition *groups,
               size_t group_count, const struct name_route *routes, size_t route_count) MUST_CHECK;
/* The routes of a configuration; trusts[i] belongs to config->upstreams[i]. 0 or -ENOMEM. */
int routes_of_config(struct routes **out, struct group_ids *ids, struct config *config,
                     struct tls_trust *const *trusts) MUST_CHECK;
/* Sets the known addresses of hosts (NULL: none), which groups that are made from these routes begin with. Before the
 * routes are published only. */
void routes_know(struct routes *routes, struct bootstrap_table *known);
struct routes *routes_ref(struct routes *routes);
/* NULL does nothing. */
void routes_unref(struct routes *routes);

#endif
