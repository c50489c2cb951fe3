/* SPDX-License-Identifier: MIT */
/* Groups of upstream servers: what a question is routed to.
 *
 * Does:    chooses a server and a session for each attempt, opens sessions when they are needed, goes on to the next server when
 *          one fails, and says why when none is left.
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

/* The servers of one definition, made ready by the main thread. */
struct group_plan;
/* The definition is stored by reference. 0 or -ENOMEM. */
int group_plan_new(struct group_plan **out, const struct group_definition *definition) MUST_CHECK;
/* One that was not applied; NULL does nothing. */
void group_plan_free(struct group_plan *plan);

/* The objects that all groups of a worker share. */
struct group_worker {
    struct loop *loop;
    struct counters *counters;
    struct answer_scratch *scratch;
    struct rewrite *rewrite;
    struct tap_queue *tap; /* NULL: nobody wants copies of messages */
};

/* A group with this definition that nothing is asked of yet: made ready by the main thread. 0 or -ENOMEM. */
int group_new(struct group **out, const struct group_definition *definition) MUST_CHECK;
/* From now on it is this worker's; cannot fail. */
void group_begin(struct group *group, const struct group_worker *worker);
/* Of one that was not begun: its plan, for another group; it is to be freed then. */
struct group_plan *group_take_plan(struct group *group);
/* Its latest definition. */
const char *group_name(const struct group *group);
uint32_t group_id(const struct group *group);
/* No lookup that was begun with it lives. */
bool group_is_idle(const struct group *group);

#ifdef ENABLE_DNSTAP
struct tap_queue;
/* Copies of its messages go there. */
void group_tap(struct group *group, struct tap_queue *tap);
#endif
/* Defined anew: from now on these servers are asked; takes the plan over and cannot fail. Servers that were there before, with the same address, source and
 * trust, keep their sessions, tickets and all that is known of them; the others answer what they were asked, and go. Waiting attempts
 * go to the new ones. Calls nobody back. */
void group_apply(struct group *group, struct group_plan *plan);
/* An ask holds the plan from before its first attempt to after its last, so that the servers of its attempts stay. */
struct group_plan *upstream_hold(struct group *group);
void upstream_release(struct group_plan *plan);
/* True if the group has been defined otherwise since this plan came into force (there and back counts as well): what is answered now
 * need not be what the plan's id stands for. */
bool upstream_was_redefined(const struct group *group, const struct group_plan *plan);

/* The name of the upstream entry that a server belongs to, for texts; "" for NULL. */
const char *upstream_name(const struct server *server);
/* In the first minute, until a server has answered. */
bool upstream_is_starting(const struct group *group);

/* The network of the machine changed: sessions whose route to their server has changed end (their queries are retried), and servers that
 * failed may be dialled at once. `slept`: the machine was suspended, and all sessions end. */
void group_network_changed(struct group *group, bool slept);
/* The wall clock was set: what failed for its sake may be tried at once. */
void group_clock_changed(struct group *group);

/* Closes all sessions; no attempt may be live. `closed` runs when the last handle is gone; group_free then. */
void group_stop(struct group *group, void (*closed)(void *context), void *context);
void group_free(struct group *group);

#endif
