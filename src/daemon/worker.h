/* SPDX-License-Identifier: MIT */
/* One worker: a thread with its own loop, sockets, resolver and sessions.
 *
 * Threads: born and freed on the main thread; worker_start hands everything in it to its own thread, which gives it back when
 *          worker_join returns. worker_configure, worker_route, worker_drain, worker_stop, worker_post and worker_counters may be called from the
 *          main thread.
 */
#ifndef DOTSTUB_DAEMON_WORKER_H
#define DOTSTUB_DAEMON_WORKER_H

#include "cache/cache.h"
#include "config/config.h"
#include "control/control.h"
#include "sockets.h"
#include "upstream/groups.h"

struct worker;
struct step_set;

/* Going over to another configuration: made by the main thread, so that nothing can fail. */
struct worker_change {
    struct mailbox_item request, reply; /* the latter comes home when it is done */
    struct config *config;              /* a reference for the worker */
    struct step_set *steps;             /* likewise taken over */
    unsigned client_limit;              /* most clients on connections */
};

/* Going over to other routes, likewise. */
struct worker_routes {
    struct mailbox_item request, reply;
    struct groups_change change; /* taken over */
};

/* Takes over the descriptors of its `count` sockets as it goes (each taken one is set to -1). `client_limit`: as above. 0 or
 * negative: then the process must end, what was built so far is in *out and cannot be torn down. */
int worker_new(struct worker **out, struct config *config, struct cache *cache, struct routes *routes,
               struct step_set *steps, struct listening_socket *sockets, size_t count,
               unsigned client_limit) MUST_CHECK;
/* At the end of the thread `ended` is posted to `home`. 0 or a negative errno: the thread could not be made. */
int worker_start(struct worker *worker, struct mailbox *reply_to, struct mailbox_item *ended) MUST_CHECK;
/* True if the worker's loop has turned since the last call; asks it for the next time. Not after worker_stop. */
bool worker_lives(struct worker *worker);
/* Limits and times of queries that wait and of those that come are the new configuration's. */
void worker_configure(struct worker *worker, struct worker_change *change);
/* Queries that come are routed so; servers that the routes before have in common with these keep their sessions. */
void worker_route(struct worker *worker, struct worker_routes *routes);
#ifdef ENABLE_DNSTAP
struct tap;
/* Before worker_start: copies of its messages go to this queue of the tap. */
void worker_tap(struct worker *worker, struct tap *tap, unsigned queue);
#endif
/* From now on health checks over DNS fail; all else is answered. Once. */
void worker_drain(struct worker *worker);
/* Asks it to end: waiting queries get their answer within a second, or SERVFAIL. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
/* For the control side: its counters; its mailbox, until worker_stop; what it tells on its own thread. */
const struct counters *worker_counters(const struct worker *worker);
void worker_post(struct worker *worker, struct mailbox_item *item);
void worker_report(void *reader, struct worker_report *out);
void worker_trace(void *reader, struct trace *trace);
/* Tickets to take to the next process, or from the last: on its thread (`worker` is what its mailbox gives to items), or before
 * worker_start and after worker_join. */
void worker_each_ticket(const struct worker *worker, void (*each)(void *context, const struct ticket *ticket),
                        void *context);
void worker_drop_tickets(struct worker *worker);
bool worker_take_ticket(struct worker *worker, const struct ticket *ticket);
/* After worker_join; one that was never started, or whose connections did not close, is left to the end of the process. */
void worker_free(struct worker *worker);

#endif
