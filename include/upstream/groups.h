/* SPDX-License-Identifier: MIT */
/* The groups of one worker: one for each group of the routes in force, and those that no route leads to any more as
 * long as a lookup uses them.
 *
 * Does:    switches from one snapshot of routes to the next; says which group serves a name.
 * Owns:    the groups with their servers and sessions; holds the routes by reference.
 * Threads: the worker's; a change is made by the main thread.
 */
#ifndef DOTSTUB_UPSTREAM_GROUPS_H
#define DOTSTUB_UPSTREAM_GROUPS_H

#include "upstream/report.h"
#include "upstream/routes.h"
#include "upstream/tickets.h"
#include "upstream/upstream.h"

/* Everything that a worker needs to switch to other routes, allocated beforehand so that the switch cannot fail. */
struct groups_change {
    struct routes *routes;
    struct group **groups; /* one for each group of the routes, not begun */
    unsigned *interfaces;  /* room for the numbers of the interfaces of views; NULL: there are no views */
};

struct groups {
    uint32_t root_id;                    /* of routes->groups[0] */
    const struct suffix_table *suffixes; /* routes->suffixes */
    const struct route_view *views;      /* routes->views; each query reads these three members */
    unsigned *interfaces; /* for each view the present number of its interface; 0: there is none of the name */
    struct group_worker worker;
    struct routes *routes;
    struct group **in_force; /* one for each of the routes */
    struct list leaving;
    struct portal_watch watch; /* the owner sets `heard`, after groups_init */
    struct list budgets;       /* of the upstreams of all groups */
    struct loop_flush flush;   /* runs when a leaving group may be idle or closed */
    unsigned open;             /* groups that have not closed their sessions */
    bool stopping;
    void (*closed)(void *context);
    void *closed_context;
};

/* 0 or -ENOMEM. */
int groups_change_new(struct groups_change *out, struct routes *routes) MUST_CHECK;
/* Frees a change that was not applied; does nothing to zeroed memory. */
void groups_change_free(struct groups_change *change);

/* 0 or -ENOMEM. */
int groups_init(struct groups *groups, struct loop *loop, struct counters *counters, struct routes *routes) MUST_CHECK;
/* Applies and owns the change; cannot fail and never calls back. A group of the same name is redefined
 * (group_apply); a group whose name is gone serves the lookups that were begun with it, and ends with the last of
 * them. */
void groups_apply(struct groups *groups, struct groups_change *change);
/* The hosts of upstreams have these addresses from now on; the table is borrowed until the return. Servers that stay
 * keep their sessions. Never calls back. 0, or -ENOMEM: some groups still have the previous addresses. */
int groups_know(struct groups *groups, const struct bootstrap_table *known) MUST_CHECK;
/* The group in force with this name, or NULL. */
struct group *groups_named(const struct groups *groups, const char *name);
/* Closes all sessions; no lookup may be live. `closed` runs when the last session is gone; then call groups_fini. */
void groups_stop(struct groups *groups, void (*closed)(void *context), void *context);
/* Does nothing to zeroed memory. */
void groups_fini(struct groups *groups);

/* The view of a client whose query came in on an interface (0: unknown); 0 is the view of clients of no other one. Call it
 * only if groups->views is set. */
uint8_t groups_view_of(const struct groups *groups, const struct addr *client, unsigned interface);
/* The name of a view, in the routes in force; NULL: the view of clients of no other one. In all functions a view of
 * earlier routes that does not exist any more is that one. */
const char *groups_view_name(const struct groups *groups, uint8_t view);
/* The id of the group that serves the view's names without a route. */
uint32_t groups_root_id(const struct groups *groups, uint8_t view);
/* The id of the group that serves the key's name. The group of the key is not used. */
uint32_t groups_route_key(const struct groups *groups, uint8_t view, const struct key *key);
static inline uint32_t groups_route(const struct groups *groups, uint8_t view, const struct key *key)
{
    return groups->suffixes || view > 0 ? groups_route_key(groups, view, key) : groups->root_id;
}
/* True if a route leads to names at or below `zone`, a suffix of the key's name; routes above it do not count. */
bool groups_has_route_within(const struct groups *groups, uint8_t view, const struct key *key, const uint8_t *zone);
/* True if a route of any view leads to the key's name. */
bool groups_is_routed(const struct groups *groups, const struct key *key);
/* True if the key's name is the zone of a route that is private. */
bool groups_is_private_zone(const struct groups *groups, uint8_t view, const struct key *key);
/* True if the key's group serves its name by a route that is private or plain, so that no anchor above the route's zone
 * counts: *zone is the zone, a suffix of the key's name. */
bool groups_is_unvouched(const struct groups *groups, const struct key *key, struct bytes *zone);
/* The group in force with this id; NULL: the routes have changed since. */
struct group *groups_find(const struct groups *groups, uint32_t id);
/* The digest of the definition of the group with this id, DIGEST_LEN bytes; NULL: as above. */
const uint8_t *groups_definition(const struct groups *groups, uint32_t id);

#ifdef ENABLE_DNSTAP
void groups_tap(struct groups *groups, struct tap_queue *tap);
#endif
void groups_network_changed(struct groups *groups);
void groups_clock_changed(struct groups *groups);
/* As group_report, for all groups in force. */
size_t groups_report(const struct groups *groups, struct server_report *out, size_t room);
/* As the functions of one group in tickets.h; if several groups have the same server the first one takes a ticket. */
void groups_each_ticket(const struct groups *groups, void (*each)(void *context, const struct ticket *ticket),
                        void *context);
void groups_drop_tickets(struct groups *groups);
bool groups_take_ticket(struct groups *groups, const struct ticket *ticket);

#endif
