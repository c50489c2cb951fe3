/* SPDX-License-Identifier: MIT */
/* Start, run and stop of the daemon: sockets, workers, control side, privileges, signals.
 *
 * Order of the start: sockets, workers, control side, privileges, then the threads. Whatever can fail because of an
 * operator's mistake comes before the first response and has its own exit status.
 *
 * The main thread's loop handles signals and the control side until the last worker has ended.
 */
#include "daemon.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reserve.h"
#include "bootstrap.h"
#include <config.h>
#include "control/control.h"
#include "descriptors.h"
#include "drain.h"
#include "exits.h"
#include "fleet.h"
#include "forwarding.h"
#include "handover.h"
#include "identity.h"
#include "inherited.h"
#include "listening.h"
#include "net/link.h"
#include "negativefile.h"
#include "saved_state.h"
#include "manager.h"
#include "policy/blocking.h"
#include "policy/steps.h"
#include "privileges.h"
#include "reload.h"
#include "routefile.h"
#include "routing.h"
#include "sandbox.h"
#include "sockets.h"
#include "step_files.h"
#include "syscalls.h"
#include "tapping.h"
#include "takeover.h"
#include "tracker.h"
#include "trusts.h"
#include "watchdog.h"
#include "worker.h"

struct daemon {
    struct config *config;
    struct cache *cache;
    struct tls_trust **trusts;
    struct step_set *steps;        /* in force */
    struct tls_identity *identity; /* released when the workers exist; NULL: none */
    struct store_setup *store;     /* until the workers are made */
    struct routing routing;
    struct bootstrap bootstrap;
    struct tracker tracker;
    struct worker **workers;
    struct sockets sockets;
    struct loop loop;
    struct mailbox mailbox;
    struct mailbox_item *ended; /* one item for each worker */
    unsigned running;           /* workers that have not reported their end */
    bool stopping;
    struct link link;
    struct listening listening;
    struct drain drain;
    struct control *control;
    uv_signal_t on_term, on_int, on_hup;
    struct saved_state kept;
    struct watchdog watchdog;
    struct handover handover; /* to the next process */
    struct takeover takeover; /* from the previous process */
    bool takes_over;          /* false: finished, or not requested */
    struct identity_watch identities;
    bool has_identity;
    struct step_files step_files;
    struct reload reload;
    struct forwarding forwarding; /* begun when privileges are dropped */
    struct fleet fleet;
    struct sandbox sandbox;
};

/* Static, so that leak checkers still reach the memory after a failed start. */
static struct daemon self = {.handover = HANDOVER_NONE};

/* --- the workers --- */

static unsigned client_limit(const struct config *config)
{
    return descriptors_for_clients(config, self.sockets.per_worker);
}

static int make_workers(void)
{
    const struct config *config = self.config;
    unsigned limit = client_limit(config);
    self.workers = mem_zalloc(config->workers, sizeof(struct worker *));
    self.ended = mem_zalloc(config->workers, sizeof(struct mailbox_item));
    self.cache = cache_new(config->cache.size);
    int status = self.workers && self.ended && self.cache ? 0 : -ENOMEM;
    if (status == 0)
        status = routing_init(&self.routing, self.config, self.trusts);
    for (unsigned i = 0; status == 0 && i < config->workers; i++)
        status = worker_new(&self.workers[i], self.config, self.cache, self.routing.routes, self.steps, self.identity,
                            self.store, &self.sockets.list[i * self.sockets.per_worker], self.sockets.per_worker, limit,
                            i == 0);
    return status;
}

/* --- the control side --- */

static const struct counters *counters_of(void *context, unsigned worker)
{
    (void)context;
    return worker_counters(self.workers[worker]);
}

static void post_to(void *context, unsigned worker, struct mailbox_item *item)
{
    (void)context;
    worker_post(self.workers[worker], item);
}

static void cache_flushed(void *context)
{
    (void)context;
    saved_state_flushed(&self.kept);
}

static void drain_for(void *context, uint64_t ms);
static void reload_for(void *context, struct reload_wait *wait);
static void forward_for(void *context, const struct forward_request *request, struct forward_wait *wait);
static void flush_fleet_for(void *context, const uint8_t *name, size_t len, bool below, struct flush_wait *wait);

static size_t report_hosts(void *context, struct host_report *out, size_t room)
{
    (void)context;
    return bootstrap_report(&self.bootstrap, out, room);
}

/* The snapshot of step_block that is in force. */
static const void *block_snapshot(void)
{
    const struct step_set *steps = self.steps;
    for (unsigned i = 0; i < steps->count; i++)
        if (steps->order[i] == &step_block)
            return steps->held[i]->data;
    return NULL;
}

static size_t block_lists(void *context, struct block_list_report out[BLOCK_LISTS_MAX])
{
    (void)context;
    return block_report(block_snapshot(), out);
}

static void test_blocked(void *context, const uint8_t *name, size_t len, struct block_test *out)
{
    (void)context;
    block_test(block_snapshot(), name, len, out);
}

static int unblock(void *context, const uint8_t *name, size_t len, uint64_t until_ms)
{
    (void)context;
    return block_unblock(name, len, until_ms);
}

static size_t list_unblocked(void *context, struct block_unblocked out[BLOCK_UNBLOCKED_MAX])
{
    (void)context;
    return block_unblocked(out);
}

static int change_negative(void *context, const uint8_t *name, size_t len, uint64_t until_ms, bool *saved)
{
    (void)context;
    int status = negative_change(self.config, self.cache, name, len, until_ms, saved);
    if (status == 0)
        saved_state_flushed(&self.kept);
    return status;
}

static struct anchors *configured_anchors(void *context)
{
    (void)context;
    return tracked_configured(self.steps);
}

static const struct control_ops control_ops = {
    .counters = counters_of,
    .post = post_to,
    .report = worker_report,
    .trace = worker_trace,
    .flushed = cache_flushed,
    .flush_fleet = flush_fleet_for,
    .drain = drain_for,
    .reload = reload_for,
    .forward = forward_for,
    .hosts = report_hosts,
    .block_lists = block_lists,
    .block_test = test_blocked,
    .unblock = unblock,
    .unblocked = list_unblocked,
    .anchors = configured_anchors,
    .change_negative = change_negative,
};

/* Call it after make_workers. May be the first to look up the user. 0 or an exit status. */
static int open_control(const char *user)
{
    struct control_setup setup = {.loop = &self.loop,
                                  .mailbox = &self.mailbox,
                                  .config = self.config,
                                  .routes = self.routing.routes,
                                  .cache = self.cache,
                                  .ops = &control_ops,
                                  .sandbox = &self.sandbox.report,
                                  .taken = self.takeover.control,
                                  .taken_count = self.takeover.control_count};
    struct addr *listening = mem_zalloc(self.sockets.spec_count + 1, sizeof *listening);
    int status = listening ? privileges_identity(user, &setup.uid, &setup.gid) : -ENOMEM;
    setup.listening = listening;
    if (status == 0) {
        setup.listening_count = sockets_addresses(self.sockets.specs, self.sockets.spec_count, listening);
        status = control_open(&self.control, &setup);
    }
    mem_free(listening);
    if (status == 0 && control_has_socket(self.control))
        handover_init(&self.handover, self.config, setup.uid, setup.gid);
    return status == 0 ? EXIT_OK : status == -ENOENT ? EXIT_PRIVILEGES : EXIT_OTHER;
}

/* --- the end of the workers --- */

static void worker_ended(struct mailbox_item *item, void *reader)
{
    (void)item;
    (void)reader;
    if (--self.running == 0)
        loop_stop(&self.loop);
}

/* The loop continues until the workers have ended, so that the control side still answers. */
static void stop_workers(void)
{
    if (self.stopping)
        return;
    self.stopping = true;
    watchdog_stop(&self.watchdog);
    listening_stop(&self.listening);
    step_files_stop(&self.step_files);
    handover_close(&self.handover);
    if (!handover_busy(&self.handover))
        sockets_let_go(&self.sockets);
    reload_stop(&self.reload);
    forwarding_stop(&self.forwarding);
    self.fleet.stopping = true;
    bootstrap_stop(&self.bootstrap);
    tracker_stop(&self.tracker);
    control_stopping(self.control);
    for (unsigned i = 0; i < self.running; i++)
        worker_stop(self.workers[i]);
}

/* --- the next process --- */

/* From now on the service manager watches the process `to`. */
static void handed_over(pid_t to)
{
    char assignment[32];
    snprintf(assignment, sizeof assignment, "MAINPID=%ld", (long)to);
    manager_tell(assignment);
    saved_state_hand_over(&self.kept);
    tracker_hand_over(&self.tracker);
    stop_workers();
    control_hand_over(self.control);
}

static char *added_routes_text(void);
static bool is_flushing(void);

static void await_next(void)
{
    handover_open(&self.handover, &(struct handover_setup){
                                      .loop = &self.loop,
                                      .mailbox = &self.mailbox,
                                      .sockets = self.sockets.copies,
                                      .socket_count = self.sockets.copy_count,
                                      .control = self.control,
                                      .cache = self.cache,
                                      .config = self.config,
                                      .routes = self.routing.routes,
                                      .workers = self.workers,
                                      .worker_count = self.config->workers,
                                      .routes_text = added_routes_text,
                                      .is_flushing = is_flushing,
                                      .given = handed_over,
                                  });
}

/* --- draining --- */

static void drain_for(void *context, uint64_t ms)
{
    (void)context;
    if (!self.stopping)
        drain_begin(&self.drain, ms, self.control, self.workers, self.running);
}

/* --- reload --- */

/* After STOPPING=1 the service manager gets no further notification. */
static void tell_of_reload(const char *assignments)
{
    if (!self.drain.begun && !self.stopping)
        manager_tell(assignments);
}

static void reload_for(void *context, struct reload_wait *wait)
{
    (void)context;
    reload_ask(&self.reload, wait);
}

/* The saved cache is of the anchors in force. */
static void note_anchors(void)
{
    uint8_t digest[DIGEST_LEN];
    tracked_digest(self.steps, digest);
    cachefile_trust(digest);
}

static void configuration_changed(struct config *config, struct routes *routes)
{
    note_anchors();
    saved_state_configure(&self.kept, config, routes);
    bootstrap_configure(&self.bootstrap, config);
    if (self.identities.workers)
        identity_configure(&self.identities, config);
    step_files_configure(&self.step_files, config);
    tracker_configure(&self.tracker, config, tracked_configured(self.steps));
    self.handover.setup.config = config;
    self.handover.setup.routes = routes;
    forwarding_reloaded(&self.forwarding);
}

static void prepare_reload(const char *file)
{
    reload_init(&self.reload, &(struct reload_setup){.file = file,
                                                     .config = &self.config,
                                                     .steps = &self.steps,
                                                     .workers = self.workers,
                                                     .count = self.config->workers,
                                                     .routing = &self.routing,
                                                     .control = self.control,
                                                     .client_limit = client_limit,
                                                     .sandbox = &self.sandbox,
                                                     .tell = tell_of_reload,
                                                     .changed = configuration_changed});
}

/* --- routes at run time --- */

static void forward_for(void *context, const struct forward_request *request, struct forward_wait *wait)
{
    (void)context;
    forwarding_ask(&self.forwarding, request, wait);
}

static bool is_handing_over(void)
{
    return handover_busy(&self.handover);
}

static void routes_changed(struct routes *routes)
{
    control_configure(self.control, self.config, routes);
    saved_state_configure(&self.kept, self.config, routes);
    self.handover.setup.routes = routes;
}

static bool is_flushing(void)
{
    return self.forwarding.flushing > 0 || self.fleet.flushing > 0;
}

static void flushed_on_pool(void)
{
    cache_flushed(NULL);
    if (!is_flushing())
        handover_resume(&self.handover);
}

/* NULL: there are none, or out of memory; then the next process reads the file. */
static char *added_routes_text(void)
{
    return self.routing.source.added_count == 0
               ? NULL
               : routes_pack(self.routing.source.added, self.routing.source.added_count);
}

static void portal_heard(void)
{
    forwarding_portal_over(&self.forwarding);
}

static void begin_forwarding(void)
{
    struct buffer packed = {NULL, 0, 0, 0};
    bool taken = self.takes_over && takeover_routes(&self.takeover, &packed);
    const struct bytes text = buffer_bytes(&packed);
    const struct forwarding_setup setup = {.loop = &self.loop,
                                           .routing = &self.routing,
                                           .cache = self.cache,
                                           .sandbox = &self.sandbox,
                                           .is_busy = is_handing_over,
                                           .changed = routes_changed,
                                           .flushed = flushed_on_pool};
    for (unsigned i = 0; i < self.config->workers; i++)
        worker_watch_portal(self.workers[i], portal_heard);
    routing_start(&self.routing, self.workers, self.config->workers);
    forwarding_begin(&self.forwarding, &setup, taken ? &text : NULL);
    buffer_free(&packed);
    control_configure(self.control, self.config, self.routing.routes);
}

/* --- flushes of the fleet --- */

static void flush_fleet_for(void *context, const uint8_t *name, size_t len, bool below, struct flush_wait *wait)
{
    (void)context;
    fleet_flush(&self.fleet, self.config, name, len, below, wait);
}

static void flush_heard(const struct store_flush *flush)
{
    fleet_heard(&self.fleet, flush);
}

static void begin_fleet(void)
{
    self.fleet = (struct fleet){.loop = &self.loop,
                                .workers = self.workers,
                                .count = self.config->workers,
                                .cache = self.cache,
                                .flushed = flushed_on_pool};
    worker_hear_flushes(self.workers[0], flush_heard);
}

/* --- trust anchors --- */

static void steps_switched(bool flushed)
{
    note_anchors();
    if (flushed)
        saved_state_flushed(&self.kept);
    tracker_configure(&self.tracker, self.config, tracked_configured(self.steps));
}

static void anchors_changed(void)
{
    step_files_read_again(&self.step_files, &step_validate);
}

/* The set of steps with the anchors of the saved state, before the workers run. 0 or negative. */
static int use_saved_anchors(void)
{
    struct step_snapshot *snapshot = NULL;
    struct step_set *set;
    unsigned index = 0;
    while (self.steps->order[index] != &step_validate)
        index++;
    char *mistakes = NULL;
    size_t len;
    FILE *errors = open_memstream(&mistakes, &len);
    int status = errors ? step_prepare(&snapshot, &step_validate, self.config, errors) : -ENOMEM;
    if (errors)
        fclose(errors);
    free(mistakes);
    if (status == 0)
        status = step_set_replace(&set, self.steps, index, snapshot);
    if (status < 0) {
        step_snapshot_unref(&step_validate, snapshot);
        return status;
    }
    for (unsigned i = 0; i < self.config->workers; i++)
        worker_change_steps_early(self.workers[i], set);
    step_set_unref(self.steps);
    self.steps = set;
    return 0;
}

static void begin_tracking(void)
{
    if (!tracker_begin(&self.tracker, self.config, tracked_configured(self.steps)))
        return;
    int status = use_saved_anchors();
    if (status < 0)
        log_warning("resolve", "the saved trust anchors cannot be used before a reload: %s", error_text(status));
}

/* --- signals --- */

/* SIGINT, or a second SIGTERM, stops without draining. */
static void stop_asked(uv_signal_t *signal, int number)
{
    (void)signal;
    if (number == SIGTERM && self.config->drain_ms > 0 && !self.drain.begun) {
        drain_for(NULL, self.config->drain_ms);
        return;
    }
    log_info("daemon", "stopping on signal %d", number);
    manager_tell("STOPPING=1");
    stop_workers();
}

static void reload_asked(uv_signal_t *signal, int number)
{
    (void)signal;
    (void)number;
    reload_for(NULL, NULL);
}

/* --- the network --- */

static void network_changed(struct link *link)
{
    (void)link;
    control_network_changed(self.control);
    listening_network_changed(&self.listening);
    forwarding_network_changed(&self.forwarding);
    bootstrap_network_changed(&self.bootstrap);
    tracker_network_changed(&self.tracker);
}

static void listeners_changed(const struct listening *listening)
{
    struct addr *addresses = mem_zalloc(listening->active_count + 1, sizeof *addresses);
    if (addresses)
        control_listening(self.control, addresses,
                          sockets_addresses(listening->active, listening->active_count, addresses));
    mem_free(addresses);
    sockets_keep(&self.sockets);
    self.handover.setup.sockets = self.sockets.copies;
    self.handover.setup.socket_count = self.sockets.copy_count;
}

static const struct listening_ops listening_ops = {listeners_changed, is_handing_over};

static int watch_signals(void)
{
    int status = loop_init(&self.loop);
    if (status == 0)
        status = mailbox_init(&self.mailbox, &self.loop, NULL);
    if (status == 0)
        status = uv_signal_init(&self.loop.uv, &self.on_term);
    if (status == 0)
        status = uv_signal_init(&self.loop.uv, &self.on_int);
    if (status == 0)
        status = uv_signal_init(&self.loop.uv, &self.on_hup);
    if (status == 0)
        status = uv_signal_start(&self.on_term, stop_asked, SIGTERM);
    if (status == 0)
        status = uv_signal_start(&self.on_int, stop_asked, SIGINT);
    if (status == 0)
        status = uv_signal_start(&self.on_hup, reload_asked, SIGHUP);
    if (status == 0)
        status = drain_init(&self.drain, &self.loop, stop_workers);
    if (status == 0)
        status = saved_state_init(&self.kept, &self.loop);
    if (status == 0)
        status = bootstrap_init(&self.bootstrap, &self.loop);
    if (status == 0)
        status = tracker_init(&self.tracker, &self.loop);
    if (status == 0)
        status = watchdog_init(&self.watchdog, &self.loop);
    return status;
}

static void unheard(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
}

/* A further signal must not change the exit status. libuv restores the default action when the last handle of a signal
 * is closed, so these stay until the process ends, in a loop that is never run. */
static void ignore_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    static uv_signal_t handles[sizeof numbers / sizeof *numbers];
    static uv_loop_t loop;
    int status = uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (status == 0 && (status = uv_signal_init(&loop, &handles[i])) == 0)
            status = uv_signal_start(&handles[i], unheard, numbers[i]);
        signal(numbers[i], SIG_IGN);
    }
}

static void unwatch_signals(void)
{
    mailbox_close(&self.mailbox);
    ignore_signals();
    uv_close((uv_handle_t *)&self.on_term, NULL);
    uv_close((uv_handle_t *)&self.on_int, NULL);
    uv_close((uv_handle_t *)&self.on_hup, NULL);
    drain_close(&self.drain);
    identity_watch_close(&self.identities);
    step_files_close(&self.step_files);
    saved_state_close(&self.kept);
    bootstrap_close(&self.bootstrap);
    tracker_close(&self.tracker);
    watchdog_close(&self.watchdog);
    forwarding_fini(&self.forwarding);
    loop_drain(&self.loop, 100);
    loop_fini(&self.loop);
}

/* --- running --- */

static void announce(void)
{
    sockets_announce(self.sockets.specs, self.sockets.spec_count);
    log_info("daemon", "ready: version %s, %u worker%s, %zu upstream%s", PACKAGE_VERSION, self.config->workers,
             self.config->workers == 1 ? "" : "s", self.config->upstream_count,
             self.config->upstream_count == 1 ? "" : "s");
}

static int run_workers(void)
{
    int status = 0;
    while (status == 0 && self.running < self.config->workers) {
        struct mailbox_item *ended = &self.ended[self.running];
        ended->open = worker_ended;
        if ((status = worker_start(self.workers[self.running], &self.mailbox, ended)) == 0)
            self.running++;
    }
    unsigned started = self.running;
    if (status == 0)
        status = sandbox_complete(&self.sandbox, self.config);
    if (status == 0 && self.takes_over && (status = takeover_finish(&self.takeover)) == 0) {
        self.takes_over = false;
        takeover_end(&self.takeover);
        sockets_keep(&self.sockets);
    }
    if (status == 0) {
        reserve_begin();
        control_started(self.control);
        await_next();
        announce();
        manager_tell("READY=1");
        watchdog_start(&self.watchdog, self.workers, started);
        mem_end_start();
    } else {
        stop_workers();
    }
    if (started > 0) {
        link_open(&self.link, &self.loop, network_changed);
        if (listening_start(&self.listening, self.config, &self.sockets, self.workers, &self.loop, &listening_ops) < 0)
            log_warning("daemon", "listeners do not follow interfaces: out of memory");
        if (identity_watch_start(&self.identities, &self.loop, self.config, self.workers, self.has_identity) < 0)
            log_warning("daemon", "changed certificates are not loaded before a reload: out of memory");
        step_files_start(&self.step_files, &self.loop, self.config, &self.steps, self.workers, self.cache,
                         steps_switched);
        tracker_start(&self.tracker, self.workers[0], anchors_changed);
        loop_run(&self.loop);
        link_close(&self.link);
    }
    for (unsigned i = 0; i < started; i++)
        worker_join(self.workers[i]);
    return status;
}

static void clean_up(void)
{
    for (unsigned i = 0; i < self.config->workers; i++)
        worker_free(self.workers[i]);
    mem_free(self.workers);
    mem_free(self.ended);
    control_free(self.control);
    listening_fini(&self.listening);
    identity_watch_fini(&self.identities);
    cache_free(self.cache);
    sockets_close(&self.sockets);
    reload_fini(&self.reload);
    bootstrap_fini(&self.bootstrap);
    tracker_fini(&self.tracker);
    routing_fini(&self.routing);
    sandbox_fini(&self.sandbox);
    step_set_unref(self.steps);
    config_unref(self.config);
}

/* --- start and run --- */

/* Opens the sockets: taken from the previous process or the service manager, or bound. 0 or an exit status. */
static int open_sockets(const struct daemon_setup *setup)
{
    struct inherited taken;
    uid_t uid;
    gid_t gid;
    if (setup->take_over > 0) {
        if (privileges_identity(setup->user, &uid, &gid) < 0 ||
            takeover_begin(&self.takeover, self.config, setup->take_over, uid) < 0)
            return EXIT_OTHER;
        self.takes_over = true;
        size_t count = self.takeover.listening_count;
        self.takeover.listening_count = 0;
        if (inherited_from(&taken, self.takeover.listening, count) < 0)
            return EXIT_OTHER;
    }
    int status = sockets_open(&self.sockets, self.config, self.takes_over ? &taken : NULL);
    if (status < 0)
        return status == -EACCES || status == -EPERM ? EXIT_PRIVILEGES : EXIT_PORT;
    if (!self.takes_over)
        sockets_keep(&self.sockets);
    return EXIT_OK;
}

/* While the take-over is not finished the file of the unix socket belongs to the previous process and stays. */
static void close_control(void)
{
    if (self.takes_over)
        control_hand_over(self.control);
    else
        control_close(self.control);
}

/* Loads the state of the previous run or process. 0, or negative after a log line. */
static int fill(void)
{
    begin_forwarding();
    negativefile_read(self.config);
    begin_tracking();
    note_anchors();
    if (!self.takes_over) {
        saved_state_read(&self.kept, self.config, self.routing.routes, self.cache, self.workers);
        return 0;
    }
    saved_state_begin(&self.kept, self.config, self.routing.routes, self.cache, self.workers);
    return takeover_fill(&self.takeover, self.config, self.routing.routes, self.cache, self.workers);
}

/* From here on the process needs no privileges. 0, or negative after a log line. */
static int confine(const struct daemon_setup *setup)
{
    bool bind = self.sockets.can_change && sockets_need_privileges(self.config);
    int status =
        privileges_drop(setup->user, (bind ? KEEP_BIND : 0) | (privileges_need_mark(self.config) ? KEEP_MARK : 0));
    if (status < 0)
        return status;
    handover_bind(&self.handover);
    return sandbox_enter(
        &self.sandbox, self.config,
        &(struct sandbox_setup){.file = setup->file,
                                .handover = self.handover.directory,
                                .new_socket = self.config->control_socket && !control_has_socket(self.control)});
}

int daemon_serve(const struct daemon_setup *setup)
{
    self.config = setup->config;
    self.trusts = setup->trusts;
    self.steps = setup->steps;
    self.identity = setup->identity;
    self.store = setup->store;
    int status = open_sockets(setup);
    if (status != EXIT_OK)
        return status;
    if (self.config->sandbox != SANDBOX_OFF && syscalls_can_restrict() && (status = syscalls_refuse_io_uring()) < 0)
        log_warning("daemon", "sandbox: io_uring cannot be refused: %s", error_text(status));
    if (watch_signals() < 0)
        return EXIT_OTHER;
    status = make_workers();
    trusts_free(self.trusts, self.config->upstream_count);
    self.has_identity = self.identity != NULL;
    tls_identity_unref(self.identity);
    store_setup_unref(self.store);
    if (status < 0) {
        log_error("daemon", "cannot start: %s", error_text(status));
        return status == -EADDRINUSE ? EXIT_PORT : EXIT_OTHER;
    }
    status = open_control(setup->user);
    if (status != EXIT_OK)
        return status;
    if (confine(setup) < 0 || fill() < 0) {
        handover_close(&self.handover);
        control_stopping(self.control);
        close_control(); /* removes the file of its socket */
        return self.takes_over ? EXIT_OTHER : EXIT_PRIVILEGES;
    }
    tapping_open(self.config, self.workers);
    prepare_reload(setup->file);
    begin_fleet();
    bootstrap_start(&self.bootstrap, self.config, &self.routing, self.workers, self.config->workers);
    status = run_workers();
    tapping_close();
    if (self.takes_over)
        saved_state_hand_over(&self.kept);
    saved_state_write(&self.kept);
    handover_wait(&self.handover);
    forwarding_wait(&self.forwarding);
    fleet_wait(&self.fleet);
    close_control();
    unwatch_signals();
    clean_up();
    return status == 0 ? EXIT_OK : EXIT_OTHER;
}
