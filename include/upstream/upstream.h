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
#include "net/tls.h"
#include "upstream/attempt.h"

struct group;
struct group_definition;

/* The servers of one definition, made ready by the main thread. */
struct group_plan;
/* What the definition holds is kept by reference. 0 or -ENOMEM. */
int group_plan_new(struct group_plan **out, const struct group_definition *definition) MUST_CHECK;
/* One that was not applied; NULL does nothing. */
void group_plan_free(struct group_plan *plan);

/* What all groups of a worker share. */
struct group_worker {
    struct loop *loop;
    struct counters *counters;
    struct answer_scratch *scratch;
    struct tap_queue *tap; /* NULL: nobody wants copies of messages */
};

/* A group with this definition that nothing is asked of yet: made ready by the main thread. 0 or -ENOMEM. */
int group_new(struct group **out, const struct group_definition *definition) MUST_CHECK;
/* From now on it is this worker's; cannot fail. */
void group_begin(struct group *group, const struct group_worker *worker);
/* Of one that was not begun: its plan, for another group; it is to be freed then. */
struct group_plan *group_take_plan(struct group *group);
/* What it was last defined as. */
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
/* Whoever has attempts holds the plan from before the first to after the last: the servers that they went to stay. */
struct group_plan *upstream_hold(struct group *group);
void upstream_release(struct group_plan *plan);
/* True if the group has been defined otherwise since this plan came into force (there and back counts as well): what is answered now
 * need not be what the plan's id stands for. */
bool upstream_was_redefined(const struct group *group, const struct group_plan *plan);

/* Makes an idle attempt live. Never calls back before it returns. */
void upstream_send(struct group *group, struct attempt *attempt);

/* The name of the upstream entry that a server belongs to, for texts; "" for NULL. */
const char *upstream_name(const struct server *server);
/* True if an upstream entry other than this server's could be asked instead. */
bool upstream_has_other(const struct group *group, const struct server *server);
/* For a question that was answered elsewhere meanwhile: ends this attempt without `done`. If its session has delivered nothing
 * since, it is under suspicion: nothing more is asked on it, and if it stays silent it ends with ERROR_SILENT. */
void upstream_overtaken(struct attempt *attempt);
/* How long, in ms, an answer to this attempt may take before it is late for its server (or for one that is open, while it waits). */
uint64_t upstream_patience(const struct group *group, const struct attempt *attempt);
/* True if its server has answered a question that was sent more than so much later: this one is slow, or lost. */
bool upstream_is_passed_over(const struct attempt *attempt, uint64_t later_ms);
/* True if it was lost together with others. */
bool upstream_is_lost(const struct attempt *attempt);
/* Its server may just have fallen silent: is a second question worth it? A few are, or any number where there is another server. */
bool upstream_may_probe(const struct attempt *attempt);
/* What failed last and where (NULL: nowhere yet), for questions that no server could even be asked. */
int upstream_last_error(const struct group *group, struct server **where);
/* In the first minute, until a server has answered. */
bool upstream_is_starting(const struct group *group);
/* The server failed to answer what another one then answered: after a few in a row it is asked only where no other can be, for a while. */
void upstream_disproved(struct server *server);
/* The server's answer was of use. */
void upstream_proved(struct server *server);
/* Since the attempt was asked (and about when it was sent, or later) the server ended a session that other questions shared, or several
 * of any kind: the end of its own need not be its fault. That is known UPSTREAM_COINCIDENCE ms after it. */
#define UPSTREAM_COINCIDENCE 150
bool upstream_lost_others(const struct attempt *attempt);
/* Is there a place in the queue of questions that must be alone? Where there are many, none of them is what ends the sessions. */
bool upstream_may_be_alone(const struct group *group);
/* The server said REFUSED: under load it is asked less. */
void upstream_refused(struct server *server);

/* The machine's network changed somewhere: sessions whose way to their server is another now end (their questions are asked again), and
 * servers that failed may be dialled at once. `slept`: the machine was suspended, every session is taken for dead. */
void group_network_changed(struct group *group, bool slept);
/* The wall clock was set: what failed for its sake may be tried at once. */
void group_clock_changed(struct group *group);

/* Closes all sessions; no attempt may be live. `closed` runs when the last handle is gone; group_free then. */
void group_stop(struct group *group, void (*closed)(void *context), void *context);
void group_free(struct group *group);

#endif
