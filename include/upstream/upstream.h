/* SPDX-License-Identifier: MIT */
/* Groups of upstream servers, the destinations of routes.
 *
 * Does:    chooses a server and a session for each attempt, opens sessions when they are needed, tries the next
 *          server when one fails, and reports the reason when none is left.
 * Owns:    its servers, their sessions and tickets; trust objects are ref-counted.
 * Threads: the worker's; `trusts` are made by the main thread.
 * RFC:     7858, 8310 (strict), 8305 (staggered start).
 */
#ifndef DOTSTUB_UPSTREAM_UPSTREAM_H
#define DOTSTUB_UPSTREAM_UPSTREAM_H

#include "base/counters.h"
#include "config/config.h"
#include "net/loop.h"

struct group;
struct group_definition;
struct server;

/* The servers of one definition, prepared by the main thread. */
struct group_plan;
/* The definition is stored by reference. 0 or -ENOMEM. */
int group_plan_new(struct group_plan **out, const struct group_definition *definition) MUST_CHECK;
/* Frees a plan that was not applied; NULL does nothing. */
void group_plan_free(struct group_plan *plan);

/* While the portal window is open: the first usable response of an encrypted server ends it. */
struct portal_watch {
    bool open;
    /* Called for each usable response of an encrypted server while `open`. */
    void (*heard)(struct portal_watch *watch);
};

/* The objects that all groups of a worker share. */
struct group_worker {
    struct loop *loop;
    struct counters *counters;
    struct answer_scratch *scratch;
    struct rewrite *rewrite;
    struct portal_watch *watch; /* NULL: none */
    struct list *budgets;       /* initialized; empty again when the groups are gone */
    struct tap_queue *tap;      /* NULL: dnstap is off */
};

/* A group with this definition, prepared by the main thread and not yet in use. 0 or -ENOMEM. */
int group_new(struct group **out, const struct group_definition *definition) MUST_CHECK;
/* From now on the group belongs to this worker; cannot fail. */
void group_begin(struct group *group, const struct group_worker *worker);
/* Takes the plan of a group that was not begun, for another group; free the group then. */
struct group_plan *group_take_plan(struct group *group);
/* The name in its latest definition. */
const char *group_name(const struct group *group);
uint32_t group_id(const struct group *group);
/* The lowest median of the response times of its servers, at least 1 ms; 0: none is known yet. */
uint64_t group_median_ms(const struct group *group);
/* True for the group of the portal window: its answers are not cached. */
bool group_is_portal(const struct group *group);
/* True if no lookup uses the group. */
bool group_is_idle(const struct group *group);

#ifdef ENABLE_DNSTAP
struct tap_queue;
/* Sets the queue for copies of its messages; NULL: none. */
void group_tap(struct group *group, struct tap_queue *tap);
#endif
/* Redefines the group: from now on queries go to the servers of `plan`, which the group owns; cannot fail. Servers
 * that the group had before, with the same address, source and trust, keep their sessions, tickets and learned
 * state; the others finish their outstanding queries and are freed. Waiting attempts go to the new servers. Never
 * calls back. */
void group_apply(struct group *group, struct group_plan *plan);
/* An ask holds the plan from before its first attempt to after its last, so that the servers of its attempts stay. */
struct group_plan *upstream_hold(struct group *group);
void upstream_release(struct group_plan *plan);
/* The DNSSEC mode of the configuration that the plan is of. */
enum config_dnssec upstream_dnssec(const struct group_plan *plan);
/* True if the group has been redefined since this plan came into force, even if it has the same definition again
 * now: a response may have come from servers that do not belong to the id of the plan. */
bool upstream_was_redefined(const struct group *group, const struct group_plan *plan);

/* The name of the upstream entry that a server belongs to, for texts; "" for NULL. */
const char *upstream_name(const struct server *server);
/* True in the first minute until a server has answered. */
bool upstream_is_starting(const struct group *group);

/* The network of the machine changed: sessions whose route to their server has changed end (their queries are
 * retried), and servers that failed may be dialled at once. `slept`: the machine was suspended, so all sessions
 * end. */
void group_network_changed(struct group *group, bool slept);
/* The wall clock was set: servers that failed because of it may be dialled at once. */
void group_clock_changed(struct group *group);

/* Closes all sessions; no attempt may be live. `closed` runs when the last handle is gone; then call group_free. */
void group_stop(struct group *group, void (*closed)(void *context), void *context);
void group_free(struct group *group);

#endif
