/* SPDX-License-Identifier: MIT */
/* Routes: which group of upstreams serves a name. An immutable snapshot, apart from the configuration's.
 *
 * Does:    defines groups, gives each definition its id, finds the group of a name. Each worker makes servers and sessions of it
 *          (upstream/groups.h).
 * Owns:    what it holds, by reference: trusts, and the configuration snapshot that the upstreams lie in. Ref-counted.
 * Threads: made by the main thread, which has the ids; then read from any.
 *
 * A group is known by its name, under which it keeps its servers when it is defined anew, and by its id, which follows the
 * digest of its definition: what one definition has answered is found in the cache under its id alone. An id is never given to
 * another definition. A definition that comes back finds its earlier id, and with it its own answers, unless these were flushed.
 */
#ifndef DOTSTUB_UPSTREAM_ROUTES_H
#define DOTSTUB_UPSTREAM_ROUTES_H

#include <stdatomic.h>
#include "config/config.h"
#include "dns/key.h"
#include "dns/suffixes.h"
#include "net/tls.h"

/* The ids of all definitions that there ever were in this process; 0 is nobody's. Zeroed memory is an empty one. The main thread's. */
struct group_ids {
    struct key_group *known;
    size_t count, room;
};

/* 0 or -ENOMEM. */
int group_ids_find(struct group_ids *ids, const uint8_t definition[DIGEST_LEN], uint32_t *id) MUST_CHECK;
void group_ids_fini(struct group_ids *ids);

#define GROUP_ROOT "root" /* the name of the group that serves what no other does */

struct group_definition {
    const char *name;
    uint32_t id;
    struct config *config; /* for the times and limits of sessions */
    const struct config_upstream *upstreams;
    size_t upstream_count;
    struct tls_trust *const *trusts; /* one for each upstream */
};

/* `group` serves names at and below `suffix` (uncompressed). */
struct name_route {
    const uint8_t *suffix;
    size_t group; /* its place */
};

struct routes {
    atomic_uint refs;
    struct config *config;
    struct group_definition *groups; /* the first one is the root's, */
    struct key_group *ids;           /* and so is the first of these */
    size_t group_count;
    size_t server_count;           /* addresses of all groups together */
    struct tls_trust **trusts;     /* of all groups */
    struct suffix_table *suffixes; /* to places of groups; NULL: every name is the root's */
};

#define ROUTES_GROUPS_MAX 1000

/* Takes names, upstreams and trusts of `groups` (the first one is the root's; the ids are set here): all upstreams lie in `config`
 * (kept by reference), names in it or in constants. 0, -ENOMEM, -EEXIST: two suffixes or
 * two names are equal, or -E2BIG. */
int routes_new(struct routes **out, struct group_ids *ids, struct config *config, const struct group_definition *groups,
               size_t group_count, const struct name_route *routes, size_t route_count) MUST_CHECK;
/* The routes of a configuration: all its upstreams serve all names; trusts[i] belongs to config->upstreams[i]. 0 or -ENOMEM. */
int routes_of_config(struct routes **out, struct group_ids *ids, struct config *config,
                     struct tls_trust *const *trusts) MUST_CHECK;
struct routes *routes_ref(struct routes *routes);
/* NULL does nothing. */
void routes_unref(struct routes *routes);

#endif
