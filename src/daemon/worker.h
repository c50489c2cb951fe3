/* SPDX-License-Identifier: MIT */
/* One worker: a thread with its own loop, sockets, resolver and sessions.
 *
 * Threads: made and freed on the main thread. From worker_start until worker_join returns everything in it belongs
 *          to its own thread. The main thread may call worker_configure, worker_route, worker_know, worker_look_up, worker_look_up_keys, worker_drain, worker_stop,
 *          worker_post and worker_counters.
 */
#ifndef DOTSTUB_DAEMON_WORKER_H
#define DOTSTUB_DAEMON_WORKER_H

#include "cache/cache.h"
#include "config/config.h"
#include "control/control.h"
#include "resolve/host_lookup.h"
#include "resolve/key_lookup.h"
#include "sockets.h"
#include "store/store.h"
#include "upstream/groups.h"

struct worker;
struct step_set;
struct tls_identity;

/* A switch to another configuration, prepared by the main thread so that it cannot fail on the worker. */
struct worker_change {
    struct mailbox_item request, reply; /* the reply is posted when it is done */
    struct config *config;              /* a reference for the worker */
    struct step_set *steps;             /* likewise */
    struct tls_identity *identity;      /* likewise; NULL: none */
    struct store_setup *store;          /* likewise; NULL: none */
    unsigned client_limit;              /* maximum number of clients on connections */
};

/* A switch to other routes, likewise. */
struct worker_routes {
    struct mailbox_item request, reply;
    struct groups_change change; /* taken over */
};

/* A switch to other certificates, likewise. */
struct worker_identity {
    struct mailbox_item request, reply;
    struct tls_identity *identity; /* a reference for the worker */
};

/* A switch to other snapshots of steps, likewise. */
struct worker_steps {
    struct mailbox_item request, reply;
    struct step_set *steps; /* a reference for the worker */
};

/* The addresses of hosts, likewise. */
struct worker_known {
    struct mailbox_item request, reply;
    struct bootstrap_table *known; /* borrowed until the reply */
    int status;                    /* in the reply: 0 or -ENOMEM */
};

/* A look-up of the addresses of a host. */
struct worker_host {
    struct mailbox_item request, reply; /* the reply is posted when it has ended */
    struct host_lookup lookup;
    struct worker *worker; /* set by worker_look_up */
};

/* A look-up of the root's keys. */
struct worker_keys {
    struct mailbox_item request, reply; /* the reply is posted when it has ended */
    struct key_lookup lookup;
    struct worker *worker; /* set by worker_look_up_keys */
};

/* A flush of the fleet: first all workers ignore older values of the store. */
struct worker_flush {
    struct mailbox_item request, reply;
    struct store_flush flush;
    bool tell;              /* tell the other replicas, too */
    uint64_t life_ms;       /* with `tell`: as of store_tell_flush */
    unsigned told, servers; /* in the reply, likewise */
    struct store_telling telling;
    struct worker *worker; /* set by worker_flush_fleet */
};

/* A listener more or less, likewise. */
struct worker_listener {
    struct mailbox_item request, reply;
    struct listener_spec spec;
    int fd;     /* taken over; -1: the listener of `spec` is closed */
    int status; /* in the reply: 0 or negative */
};

/* Takes over the descriptors of its `count` sockets one by one (each one taken is set to -1). `client_limit`: as
 * above. `leads`: this worker listens for flushes of the fleet. 0 or negative: then the process must end; *out holds the unfinished worker, which cannot be freed. */
int worker_new(struct worker **out, struct config *config, struct cache *cache, struct routes *routes,
               struct step_set *steps, struct tls_identity *identity, struct store_setup *store,
               struct listening_socket *sockets, size_t count, unsigned client_limit, bool leads) MUST_CHECK;
/* Posts `ended` to `reply_to` at the end of the thread. 0 or a negative errno: the thread was not created. */
int worker_start(struct worker *worker, struct mailbox *reply_to, struct mailbox_item *ended) MUST_CHECK;
/* True if the worker's loop has turned since the last call; requests the next heartbeat. Not after worker_stop. */
bool worker_lives(struct worker *worker);
/* The limits and timeouts of the new configuration hold also for queries that already wait. */
void worker_configure(struct worker *worker, struct worker_change *change);
/* New queries use these routes; servers that are also in the previous routes keep their sessions. */
void worker_route(struct worker *worker, struct worker_routes *routes);
/* The same before worker_start, at once. */
void worker_route_early(struct worker *worker, struct worker_routes *routes);
/* New queries go to these addresses of hosts. */
void worker_know(struct worker *worker, struct worker_known *known);
void worker_look_up(struct worker *worker, struct worker_host *host);
void worker_look_up_keys(struct worker *worker, struct worker_keys *keys);
/* Calls `heard` on the main thread after the first usable response of an encrypted server while the portal window is
 * open. Before worker_start. */
void worker_watch_portal(struct worker *worker, void (*heard)(void));
/* Calls `heard` on the main thread after a flush by another replica of the fleet. Before worker_start. */
void worker_hear_flushes(struct worker *worker, void (*heard)(const struct store_flush *flush));
void worker_flush_fleet(struct worker *worker, struct worker_flush *flush);
/* New TLS connections of clients use this identity. */
void worker_identify(struct worker *worker, struct worker_identity *change);
/* Steps whose snapshot is the same as before keep their state. */
void worker_change_steps(struct worker *worker, struct worker_steps *change);
/* The same before worker_start, at once; borrows the set. */
void worker_change_steps_early(struct worker *worker, struct step_set *steps);
#ifdef ENABLE_DNSTAP
struct tap;
/* Call it before worker_start: copies of its messages go to this queue of the tap. */
void worker_tap(struct worker *worker, struct tap *tap, unsigned queue);
#endif
/* Opens or closes a listener. Responses to queries that wait there are dropped. */
void worker_change_listener(struct worker *worker, struct worker_listener *change);
/* From now on health checks over DNS fail; other queries are answered. Call it once. */
void worker_drain(struct worker *worker);
/* Ends the worker: waiting queries get a response within a second, or SERVFAIL. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
/* For the control side: the counters; the mailbox, until worker_stop; reports, on the worker's thread. */
const struct counters *worker_counters(const struct worker *worker);
void worker_post(struct worker *worker, struct mailbox_item *item);
void worker_report(void *reader, struct worker_report *out);
void worker_trace(void *reader, struct trace *trace);
/* Tickets for the next process, or from the previous one. Call these on the worker's thread (`worker` is what its
 * mailbox passes to items), before worker_start, or after worker_join. */
void worker_each_ticket(const struct worker *worker, void (*each)(void *context, const struct ticket *ticket),
                        void *context);
void worker_drop_tickets(struct worker *worker);
bool worker_take_ticket(struct worker *worker, const struct ticket *ticket);
/* Call it after worker_join. A worker that was never started, or whose connections did not close, stays until the
 * process ends. */
void worker_free(struct worker *worker);

#endif
