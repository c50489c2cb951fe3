/* SPDX-License-Identifier: MIT */
/* Start, run and end of a worker.
 *
 * The end, all on the worker's thread: the stop item stops the listeners. A tick then waits until no query waits,
 * at most WAIT_MS. resolver_stop answers the remaining queries, one more flush sends these responses, and
 * everything is closed. When the last session is closed the loop stops.
 */
#include "worker.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"
#include "listen/listeners.h"
#include "net/link.h"
#include "net/mailbox.h"
#include "net/tap.h"
#include "net/tls_server.h"
#include "net/wallclock.h"
#include "policy/steps.h"
#include "resolve/resolver.h"
#include "upstream/upstream.h"

enum {
    WAIT_MS = 1000, /* how long queries may still wait at the end */
    WAIT_STEP_MS = 20,
    CLOSE_MS = 300, /* for close callbacks after the loop has stopped */
};

enum worker_state { WORKER_RUNNING, WORKER_STOPPING, WORKER_CLOSING };

struct worker {
    pthread_t thread;
    struct loop loop;
    struct mailbox mailbox;
    struct link link;
    struct wallclock wallclock;
    struct mailbox *reply_to;   /* gets `ended` */
    struct mailbox_item *ended; /* posted when the thread ends */
    struct mailbox_item drain, stop, heartbeat;
    struct mailbox_item heard; /* for the main thread: an encrypted server has responded */
    atomic_bool heard_posted;
    void (*portal_heard)(void); /* NULL: not watched */
    atomic_bool asked;          /* a heartbeat was requested and has not come yet */
    struct counters counters;
    struct config *config;
    struct resolver resolver;
    struct groups groups;
    struct store *store; /* NULL: there was never one */
    bool leads;
    void (*flush_heard)(const struct store_flush *flush); /* NULL: not watched */
    struct listeners *listeners;
    struct loop_tick stopping;
    uint64_t wait_until_ms;
    enum worker_state state;
    bool drained; /* every handle is closed: the worker may be freed */
};

/* --- the end --- */

static void sessions_closed(void *context)
{
    struct worker *worker = context;
    listeners_close(worker->listeners);
    link_close(&worker->link);
    wallclock_close(&worker->wallclock);
    mailbox_close(&worker->mailbox);
    loop_stop(&worker->loop);
}

static void store_closed(void *context)
{
    struct worker *worker = context;
    groups_stop(&worker->groups, sessions_closed, worker);
}

static void worker_close(struct worker *worker)
{
    worker->state = WORKER_CLOSING;
    resolver_stop(&worker->resolver);
    if (worker->store)
        store_stop(worker->store, store_closed, worker);
    else
        store_closed(worker);
}

static uint64_t stop_tick(struct loop_tick *hook, uint64_t now_ms)
{
    struct worker *worker = container_of(hook, struct worker, stopping);
    if (worker->state != WORKER_STOPPING)
        return LOOP_NEVER;
    if (resolver_waiting(&worker->resolver) > 0 && now_ms < worker->wait_until_ms)
        return now_ms + WAIT_STEP_MS;
    worker_close(worker);
    return LOOP_NEVER;
}

static void stop_item(struct mailbox_item *item, void *reader)
{
    struct worker *worker = reader;
    (void)item;
    if (worker->state != WORKER_RUNNING)
        return;
    worker->state = WORKER_STOPPING;
    worker->wait_until_ms = loop_now(&worker->loop) + WAIT_MS;
    listeners_stop(worker->listeners);
    listeners_drain(worker->listeners);
    loop_wake_by(&worker->loop, loop_now(&worker->loop));
}

static void drain_item(struct mailbox_item *item, void *reader)
{
    struct worker *worker = reader;
    (void)item;
    health_drain(&worker->resolver);
}

void worker_drain(struct worker *worker)
{
    mailbox_post(&worker->mailbox, &worker->drain);
}

void worker_stop(struct worker *worker)
{
    mailbox_post(&worker->mailbox, &worker->stop);
}

/* --- configuration --- */

/* Without memory for a store the worker goes on without one. */
static void use_store(struct worker *worker, struct store_setup *setup)
{
    if (worker->store)
        store_configure(worker->store, setup);
    else if (setup && store_new(&worker->store, &worker->loop, &worker->counters, setup, &resolver_store_ops,
                                &worker->resolver, worker->leads) < 0)
        log_warning("store", "cannot be used: out of memory");
    worker->resolver.store = setup ? worker->store : NULL;
    store_setup_unref(setup);
}

/* Once, after the start. */
static void warm(struct worker *worker)
{
    const struct routes *routes = worker->groups.routes;
    for (size_t i = 0; worker->leads && worker->resolver.store && i < routes->group_count; i++)
        store_warm(worker->store, routes->ids[i].definition, routes->ids[i].id);
}

static void change_item(struct mailbox_item *item, void *reader)
{
    struct worker_change *change = container_of(item, struct worker_change, request);
    struct worker *worker = reader;
    struct config *before = worker->config;
    worker->config = change->config;
    resolver_configure(&worker->resolver, worker->config, change->steps);
    listeners_configure(worker->listeners, change->client_limit);
    listeners_identify(worker->listeners, change->identity);
    if (worker->state == WORKER_CLOSING)
        store_setup_unref(change->store);
    else
        use_store(worker, change->store);
    step_set_unref(change->steps);
    config_unref(before);
    mailbox_post(worker->reply_to, &change->reply);
}

void worker_configure(struct worker *worker, struct worker_change *change)
{
    change->request.open = change_item;
    mailbox_post(&worker->mailbox, &change->request);
}

static void identity_item(struct mailbox_item *item, void *reader)
{
    struct worker_identity *change = container_of(item, struct worker_identity, request);
    struct worker *worker = reader;
    listeners_identify(worker->listeners, change->identity);
    mailbox_post(worker->reply_to, &change->reply);
}

void worker_identify(struct worker *worker, struct worker_identity *change)
{
    change->request.open = identity_item;
    mailbox_post(&worker->mailbox, &change->request);
}

static void steps_item(struct mailbox_item *item, void *reader)
{
    struct worker_steps *change = container_of(item, struct worker_steps, request);
    struct worker *worker = reader;
    resolver_configure(&worker->resolver, worker->config, change->steps);
    step_set_unref(change->steps);
    mailbox_post(worker->reply_to, &change->reply);
}

void worker_change_steps(struct worker *worker, struct worker_steps *change)
{
    change->request.open = steps_item;
    mailbox_post(&worker->mailbox, &change->request);
}

void worker_change_steps_early(struct worker *worker, struct step_set *steps)
{
    resolver_configure(&worker->resolver, worker->config, steps);
}

/* --- routes --- */

static void routes_item(struct mailbox_item *item, void *reader)
{
    struct worker_routes *routes = container_of(item, struct worker_routes, request);
    struct worker *worker = reader;
    groups_apply(&worker->groups, &routes->change);
    resolver_routes_changed(&worker->resolver);
    mailbox_post(worker->reply_to, &routes->reply);
}

void worker_route(struct worker *worker, struct worker_routes *routes)
{
    routes->request.open = routes_item;
    mailbox_post(&worker->mailbox, &routes->request);
}

void worker_route_early(struct worker *worker, struct worker_routes *routes)
{
    groups_apply(&worker->groups, &routes->change);
}

/* --- the portal window --- */

/* Runs on the main thread. */
static void heard_item(struct mailbox_item *item, void *reader)
{
    struct worker *worker = container_of(item, struct worker, heard);
    (void)reader;
    atomic_store(&worker->heard_posted, false);
    worker->portal_heard();
}

static void portal_heard(struct portal_watch *watch)
{
    struct worker *worker = container_of(watch, struct worker, groups.watch);
    if (worker->state == WORKER_CLOSING || atomic_exchange(&worker->heard_posted, true))
        return;
    mailbox_post(worker->reply_to, &worker->heard);
}

void worker_watch_portal(struct worker *worker, void (*heard)(void))
{
    worker->portal_heard = heard;
    worker->heard.open = heard_item;
    worker->groups.watch.heard = portal_heard;
}

/* --- flushes of the fleet --- */

/* From the worker to the main thread. */
struct heard_flush {
    struct mailbox_item item;
    struct worker *worker;
    struct store_flush flush;
};

static void heard_flush_item(struct mailbox_item *item, void *reader)
{
    struct heard_flush *heard = container_of(item, struct heard_flush, item);
    (void)reader;
    heard->worker->flush_heard(&heard->flush);
    mem_free(heard);
}

static void flush_heard(struct resolver *resolver, const struct store_flush *flush)
{
    struct worker *worker = container_of(resolver, struct worker, resolver);
    struct heard_flush *heard =
        worker->state == WORKER_RUNNING && worker->flush_heard ? mem_alloc(sizeof *heard) : NULL;
    if (!heard)
        return;
    *heard = (struct heard_flush){.item.open = heard_flush_item, .worker = worker, .flush = *flush};
    mailbox_post(worker->reply_to, &heard->item);
}

void worker_hear_flushes(struct worker *worker, void (*heard)(const struct store_flush *flush))
{
    worker->flush_heard = heard;
}

static void flush_told(struct store_telling *telling)
{
    struct worker_flush *flush = container_of(telling, struct worker_flush, telling);
    flush->told = telling->told;
    flush->servers = telling->servers;
    mailbox_post(flush->worker->reply_to, &flush->reply);
}

static void flush_item(struct mailbox_item *item, void *reader)
{
    struct worker_flush *flush = container_of(item, struct worker_flush, request);
    struct worker *worker = flush->worker = reader;
    struct store *store = worker->state == WORKER_CLOSING ? NULL : worker->resolver.store;
    if (store)
        store_take_flush(store, &flush->flush, cache_epoch(worker->resolver.cache));
    if (store && flush->tell) {
        flush->telling.done = flush_told;
        store_tell_flush(store, &flush->flush, flush->life_ms, &flush->telling);
    } else {
        mailbox_post(worker->reply_to, &flush->reply);
    }
}

void worker_flush_fleet(struct worker *worker, struct worker_flush *flush)
{
    flush->request.open = flush_item;
    mailbox_post(&worker->mailbox, &flush->request);
}

/* --- hosts of upstreams --- */

static void known_item(struct mailbox_item *item, void *reader)
{
    struct worker_known *known = container_of(item, struct worker_known, request);
    struct worker *worker = reader;
    known->status = worker->state == WORKER_CLOSING ? 0 : groups_know(&worker->groups, known->known);
    mailbox_post(worker->reply_to, &known->reply);
}

void worker_know(struct worker *worker, struct worker_known *known)
{
    known->request.open = known_item;
    mailbox_post(&worker->mailbox, &known->request);
}

static void host_done(struct host_lookup *lookup)
{
    struct worker_host *host = container_of(lookup, struct worker_host, lookup);
    mailbox_post(host->worker->reply_to, &host->reply);
}

static void host_item(struct mailbox_item *item, void *reader)
{
    struct worker_host *host = container_of(item, struct worker_host, request);
    host->worker = reader;
    host->lookup.done = host_done;
    host_lookup_begin(&host->lookup, &host->worker->resolver);
}

void worker_look_up(struct worker *worker, struct worker_host *host)
{
    host->request.open = host_item;
    mailbox_post(&worker->mailbox, &host->request);
}

/* --- the root's keys --- */

static void keys_done(struct key_lookup *lookup)
{
    struct worker_keys *keys = container_of(lookup, struct worker_keys, lookup);
    mailbox_post(keys->worker->reply_to, &keys->reply);
}

static void keys_item(struct mailbox_item *item, void *reader)
{
    struct worker_keys *keys = container_of(item, struct worker_keys, request);
    keys->worker = reader;
    keys->lookup.done = keys_done;
    key_lookup_begin(&keys->lookup, &keys->worker->resolver);
}

void worker_look_up_keys(struct worker *worker, struct worker_keys *keys)
{
    keys->request.open = keys_item;
    mailbox_post(&worker->mailbox, &keys->request);
}

/* --- listeners --- */

static void listener_item(struct mailbox_item *item, void *reader)
{
    struct worker_listener *change = container_of(item, struct worker_listener, request);
    struct worker *worker = reader;
    if (change->fd < 0)
        listeners_close_one(worker->listeners, &change->spec);
    else if (worker->state == WORKER_RUNNING)
        change->status = listeners_open(worker->listeners, &change->spec, change->fd);
    else
        change->status = ERROR_STOPPING;
    if (change->status < 0 && change->fd >= 0)
        close(change->fd);
    mailbox_post(worker->reply_to, &change->reply);
}

void worker_change_listener(struct worker *worker, struct worker_listener *change)
{
    change->request.open = listener_item;
    mailbox_post(&worker->mailbox, &change->request);
}

#ifdef ENABLE_DNSTAP
void worker_tap(struct worker *worker, struct tap *tap, unsigned queue)
{
    worker->resolver.tap = tap_queue(tap, queue, &worker->counters);
    groups_tap(&worker->groups, worker->resolver.tap);
}
#endif

/* --- heartbeat --- */

static void heartbeat_item(struct mailbox_item *item, void *reader)
{
    struct worker *worker = reader;
    (void)item;
    atomic_store(&worker->asked, false);
}

/* `asked` false: the worker has returned the item. */
bool worker_lives(struct worker *worker)
{
    if (atomic_load(&worker->asked))
        return false;
    atomic_store(&worker->asked, true);
    mailbox_post(&worker->mailbox, &worker->heartbeat);
    return true;
}

/* --- events --- */

static void network_changed(struct link *link)
{
    groups_network_changed(&container_of(link, struct worker, link)->groups);
}

static void wallclock_set(struct wallclock *wallclock)
{
    groups_clock_changed(&container_of(wallclock, struct worker, wallclock)->groups);
}

/* --- reports --- */

const struct counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

void worker_post(struct worker *worker, struct mailbox_item *item)
{
    mailbox_post(&worker->mailbox, item);
}

void worker_report(void *reader, struct worker_report *out)
{
    const struct worker *worker = reader;
    out->waiting = resolver_waiting(&worker->resolver);
    for (unsigned i = 0; i < COUNTER_COUNT; i++)
        out->counters[i] = counter_read(&worker->counters, i);
    out->tally = worker->resolver.tally;
    out->tcp_clients = listeners_clients(worker->listeners);
    out->server_count = groups_report(&worker->groups, out->servers, out->server_count);
    out->store_count = worker->resolver.store ? store_report(worker->store, out->stores, out->store_room) : 0;
    if (out->with_records)
        out->record_count = recorder_copy(&worker->resolver.recorder, out->records);
}

void worker_each_ticket(const struct worker *worker, void (*each)(void *context, const struct ticket *ticket),
                        void *context)
{
    groups_each_ticket(&worker->groups, each, context);
}

void worker_drop_tickets(struct worker *worker)
{
    groups_drop_tickets(&worker->groups);
}

bool worker_take_ticket(struct worker *worker, const struct ticket *ticket)
{
    return groups_take_ticket(&worker->groups, ticket);
}

void worker_trace(void *reader, struct trace *trace)
{
    struct worker *worker = reader;
    trace_begin(trace, &worker->resolver);
}

/* --- the thread --- */

static void *worker_main(void *context)
{
    struct worker *worker = context;
    loop_run(&worker->loop);
    worker->drained = loop_drain(&worker->loop, CLOSE_MS);
    if (!worker->drained)
        log_warning("worker", "some connections did not close in time");
    mailbox_post(worker->reply_to, worker->ended);
    return NULL;
}

int worker_start(struct worker *worker, struct mailbox *reply_to, struct mailbox_item *ended)
{
    worker->reply_to = reply_to;
    worker->ended = ended;
    sigset_t all, before;
    sigfillset(&all); /* the main thread handles signals */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -status;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

/* --- start --- */

static int worker_listen(struct worker *worker, struct listening_socket *sockets, size_t count)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < count; i++) {
        const struct listener_spec *spec = &sockets[i].spec;
        if (sockets[i].fd < 0)
            continue; /* no spare socket */
        int status = listeners_open(worker->listeners, spec, sockets[i].fd);
        if (status < 0) {
            log_error("daemon", "cannot listen on %s: %s", addr_format(&spec->addr, true, text), error_text(status));
            return status;
        }
        sockets[i].fd = -1;
    }
    return 0;
}

static int worker_build(struct worker *worker, struct config *config, struct cache *cache, struct routes *routes,
                        struct step_set *steps, struct tls_identity *identity, struct store_setup *store,
                        struct listening_socket *sockets, size_t count, unsigned client_limit)
{
    worker->config = config_ref(config);
    int status = groups_init(&worker->groups, &worker->loop, &worker->counters, routes);
    if (status < 0)
        return status;
    link_open(&worker->link, &worker->loop, network_changed);
    wallclock_open(&worker->wallclock, &worker->loop, wallclock_set);
    status = resolver_init(&worker->resolver, &worker->loop, &worker->counters, config, cache, &worker->groups, steps);
    if (status < 0)
        return status;
    status = listeners_new(&worker->listeners, &worker->resolver, client_limit);
    if (status < 0)
        return status;
    listeners_identify(worker->listeners, tls_identity_ref(identity));
    worker->resolver.flush_heard = flush_heard;
    use_store(worker, store_setup_ref(store));
    warm(worker);
    return worker_listen(worker, sockets, count);
}

int worker_new(struct worker **out, struct config *config, struct cache *cache, struct routes *routes,
               struct step_set *steps, struct tls_identity *identity, struct store_setup *store,
               struct listening_socket *sockets, size_t count, unsigned client_limit, bool leads)
{
    struct worker *worker = mem_zalloc(1, sizeof *worker);
    if (!worker)
        return -ENOMEM;
    int status = loop_init(&worker->loop);
    if (status < 0)
        goto fail;
    status = mailbox_init(&worker->mailbox, &worker->loop, worker);
    if (status < 0)
        goto fail_loop;
    worker->leads = leads;
    worker->drain.open = drain_item;
    worker->stop.open = stop_item;
    worker->heartbeat.open = heartbeat_item;
    worker->stopping.tick = stop_tick;
    loop_add_tick(&worker->loop, &worker->stopping);
    *out = worker;
    return worker_build(worker, config, cache, routes, steps, identity, store, sockets, count, client_limit);
fail_loop:
    loop_fini(&worker->loop);
fail:
    mem_free(worker);
    return status;
}

void worker_free(struct worker *worker)
{
    if (!worker || !worker->drained)
        return; /* handles are still open and end with the process */
    listeners_free(worker->listeners);
    resolver_fini(&worker->resolver);
    groups_fini(&worker->groups);
    store_free(worker->store);
    loop_remove_tick(&worker->stopping);
    loop_fini(&worker->loop);
    config_unref(worker->config);
    mem_free(worker);
}
