/* SPDX-License-Identifier: MIT */
/* Two optional HTTP servers over one view of the daemon.
 *
 * Shutdown: control_stopping fails the requests that wait for workers, control_close closes the sockets, and
 * control_free runs when the last mailbox item has returned.
 */
#include "control/control.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "api.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "listener.h"
#include "peer.h"
#include "view.h"

enum {
    CONTROL_CONNECTIONS = 128,
    OTHER_DESCRIPTORS = 8, /* of both servers: listening, epoll, wake-up */
    RETRY_MS = 3000,
    QUIET_MS = 60000, /* between samples while no query comes */
};

/* Something optional: if it fails the daemon goes on without it, and it is tried again. */
struct part {
    int (*open)(struct control *control); /* 0 also if the configuration does not want it */
    void (*explain)(const struct control *control, int error);
    int error; /* of the latest attempt; 0: nothing is left to do */
    int told;  /* the error in the log; 0: none */
};

enum { PART_SOCKET, PART_METRICS, PART_TOKEN, PARTS };

struct control {
    struct view view;
    struct config *config;
    struct routes *routes;
    struct loop *loop;
    uid_t uid; /* of the socket's file */
    gid_t gid;
    int *taken; /* from the previous process; until control_open returns */
    size_t taken_count;
    struct part parts[PARTS];
    struct timeouts retries;
    struct timeout retry; /* runs while a part has failed */
    struct timeouts busy, quiet;
    struct timeout sample; /* in one of them */
    struct gather_wait sampling;
    uint64_t seen;  /* queries received when the last sample was taken */
    unsigned still; /* samples since then without a further query */
    bool started;
    struct http_server *socket, *metrics; /* NULL: not served */
    int socket_fd, metrics_fd;            /* listening descriptors, owned by the servers */
    gid_t group;                          /* of the socket's file */
    struct log_limit refusals;
};

/* --- the unix socket --- */

static bool admits(void *context, int fd)
{
    struct control *control = context;
    struct peer peer = {.uid = (uid_t)-1};
    uint64_t suppressed;
    if (peer_read(&peer, fd) == 0 && peer_may_ask(&peer, geteuid(), control->group))
        return true;
    if (log_allowed(&control->refusals, clock_ms(), &suppressed))
        log_warning("control", "access denied to a process of user %u (%llu more since the last message)",
                    (unsigned)peer.uid, (unsigned long long)suppressed);
    return false;
}

static void handle_control(void *context, struct http_request *request)
{
    struct control *control = context;
    api_control(&control->view, request);
}

static const struct http_ops control_http = {admits, handle_control};

static void explain_socket(const struct control *control, int error)
{
    const char *path = control->config->control_socket;
    const char *why = error_text(error);
    const char *remedy = "set control.socket to another path or to `off`";
    enum log_level level = control->config->control_socket_is_default ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
    if (error == -EADDRINUSE)
        why = "another process listens there";
    else if (error == -EEXIST)
        why = "the file exists and is not a socket";
    else if (error == -ENOENT)
        remedy = "create its directory, or set control.socket to another path";
    log_write(level, "control", "no control socket at %s: %s; %s; trying again every few seconds", path, why, remedy);
}

static void announce_socket(const struct control *control)
{
    if (control->socket)
        log_info("control", "listening on %s", control->config->control_socket);
}

static int open_socket(struct control *control)
{
    const char *path = control->config->control_socket;
    struct stat stat;
    if (!path || control->socket)
        return 0;
    int fd = listener_taken(control->taken, control->taken_count, path, NULL);
    if (fd < 0)
        fd = listener_unix(path, control->uid, control->gid);
    if (fd < 0)
        return fd;
    control->socket_fd = fd;
    control->group = lstat(path, &stat) == 0 ? stat.st_gid : control->gid;
    int status = http_server_open(&control->socket, control->loop, fd, &control_http, control, CONTROL_CONNECTIONS);
    if (status == 0 && control->started)
        announce_socket(control);
    return status;
}

/* --- metrics --- */

static void handle_metrics(void *context, struct http_request *request)
{
    struct control *control = context;
    api_metrics(&control->view, request);
}

static const struct http_ops metrics_http = {NULL, handle_metrics};

static void explain_token(const struct control *control, int error)
{
    const char *path = control->config->metrics_token_file;
    if (error == -EINVAL)
        log_warning("control",
                    "metrics.token-file %s: its first line must be %d to %d visible characters; generate one with "
                    "`openssl rand -hex 16`; until then the status page shows no names",
                    path, TOKEN_MIN, TOKEN_MAX);
    else
        log_warning("control", "cannot read metrics.token-file %s: %s; until then the status page shows no names", path,
                    error_text(error));
}

static int read_token(struct control *control)
{
    const char *path = control->config->metrics_token_file;
    if (!control->config->has_metrics || !path || control->view.token.set)
        return 0;
    return token_read(&control->view.token, path);
}

static void explain_metrics(const struct control *control, int error)
{
    char text[ADDR_TEXT];
    log_warning("control", "cannot serve metrics on %s: %s; trying again every few seconds",
                addr_format(&control->config->metrics_listen, true, text), error_text(error));
}

static void announce_metrics(const struct control *control)
{
    char text[ADDR_TEXT];
    if (control->metrics)
        log_info("control", "metrics: listening on %s", addr_format(&control->config->metrics_listen, true, text));
}

static int open_metrics(struct control *control)
{
    const struct addr *addr = &control->config->metrics_listen;
    if (!control->config->has_metrics || control->metrics)
        return 0;
    int fd = listener_taken(control->taken, control->taken_count, NULL, addr);
    if (fd < 0)
        fd = listener_tcp(addr);
    if (fd < 0)
        return fd;
    control->metrics_fd = fd;
    int status = http_server_open(&control->metrics, control->loop, fd, &metrics_http, control,
                                  control->config->metrics_clients);
    control->view.metrics = control->metrics;
    if (status == 0 && control->started)
        announce_metrics(control);
    return status;
}

/* --- parts --- */

static const struct part parts[PARTS] = {
    [PART_SOCKET] = {.open = open_socket, .explain = explain_socket},
    [PART_METRICS] = {.open = open_metrics, .explain = explain_metrics},
    [PART_TOKEN] = {.open = read_token, .explain = explain_token},
};

/* The log has a line for each reason, not for each attempt. */
static void part_open(struct control *control, struct part *part)
{
    part->error = part->open(control);
    if (part->error < 0 && part->error != part->told)
        part->explain(control, part->error);
    part->told = part->error;
}

static void open_parts(struct control *control)
{
    bool failed = false;
    for (unsigned i = 0; i < PARTS; i++) {
        part_open(control, &control->parts[i]);
        failed |= control->parts[i].error < 0;
    }
    if (failed)
        timeout_start(&control->retries, &control->retry);
    else
        timeout_stop(&control->retry);
}

static void retry_due(struct timeout *timeout)
{
    open_parts(container_of(timeout, struct control, retry));
}

void control_network_changed(struct control *control)
{
    if (list_linked(&control->retry.link))
        open_parts(control);
}

/* --- samples for the state --- */

/* Reports wake the workers up: none are gathered while nothing happens. Without queries the next sample is a minute
 * away: until then the last one shows where the minute began. A state that is not ok is looked at for a minute more. */
static void sample_next(struct control *control)
{
    unsigned patience = control->view.health.state == HEALTH_OK ? 1 : HEALTH_WINDOW_MS / HEALTH_STEP_MS;
    bool quiet = control->still >= patience;
    timeout_start(quiet ? &control->quiet : &control->busy, &control->sample);
}

static void sample_gathered(struct gather_wait *wait, const struct gather_sum *sum)
{
    struct control *control = container_of(wait, struct control, sampling);
    if (sum)
        health_observe(&control->view.health, sum, clock_ms());
    if (control->view.readiness != READY_STOPPING)
        sample_next(control);
}

static void sample_due(struct timeout *timeout)
{
    struct control *control = container_of(timeout, struct control, sample);
    uint64_t received = view_counter(&control->view, COUNTER_queries_received);
    control->still = received == control->seen ? control->still + 1 : 0;
    control->seen = received;
    if (control->still == 0 || control->view.health.state != HEALTH_OK) {
        gather_ask(&control->view.gather, &control->sampling);
        return;
    }
    health_rest(&control->view.health, clock_ms());
    sample_next(control);
}

/* --- start and stop --- */

static int view_set_listening(struct view *view, const struct addr *listening, size_t count)
{
    struct addr *copy = mem_zalloc(count + 1, sizeof *copy);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, listening, count * sizeof *copy);
    mem_free(view->listening);
    view->listening = copy;
    view->listening_count = count;
    return 0;
}

static int view_init(struct view *view, const struct control_setup *setup)
{
    *view = (struct view){
        .config = setup->config,
        .routes = setup->routes,
        .cache = setup->cache,
        .ops = setup->ops,
        .context = setup->context,
        .sandbox = setup->sandbox,
        .started_ms = clock_ms(),
        .started_wall_s = clock_wall_s(),
    };
    int status = view_set_listening(view, setup->listening, setup->listening_count);
    if (status < 0)
        return status;
    status = gather_init(&view->gather, setup);
    if (status < 0)
        mem_free(view->listening);
    else
        tracer_init(&view->tracer, setup);
    return status;
}

int control_open(struct control **out, const struct control_setup *setup)
{
    struct control *control = mem_zalloc(1, sizeof *control);
    if (!control)
        return -ENOMEM;
    int status = view_init(&control->view, setup);
    if (status < 0)
        goto fail;
    control->config = config_ref(setup->config);
    control->routes = routes_ref(setup->routes);
    control->loop = setup->loop;
    control->uid = setup->uid;
    control->gid = setup->gid;
    control->taken = setup->taken;
    control->taken_count = setup->taken_count;
    memcpy(control->parts, parts, sizeof parts);
    timeouts_init(&control->retries, setup->loop, RETRY_MS, retry_due);
    timeouts_init(&control->busy, setup->loop, HEALTH_STEP_MS, sample_due);
    timeouts_init(&control->quiet, setup->loop, QUIET_MS, sample_due);
    control->sampling.done = sample_gathered;
    open_parts(control);
    control->taken_count = 0;
    *out = control;
    return 0;
fail:
    mem_free(control);
    return status;
}

size_t control_sockets(const struct control *control, int out[CONTROL_SOCKETS])
{
    size_t count = 0;
    if (control->socket)
        out[count++] = control->socket_fd;
    if (control->metrics)
        out[count++] = control->metrics_fd;
    return count;
}

bool control_has_socket(const struct control *control)
{
    return control->socket != NULL;
}

unsigned control_descriptors(const struct config *config)
{
    unsigned count = OTHER_DESCRIPTORS;
    if (config->control_socket)
        count += CONTROL_CONNECTIONS + HTTP_SPARE;
    if (config->has_metrics)
        count += config->metrics_clients + HTTP_SPARE;
    return count;
}

void control_started(struct control *control)
{
    control->view.readiness = READY_YES;
    control->started = true;
    if (control->socket)
        listener_claim(control->socket_fd);
    health_begin(&control->view.health, clock_ms());
    control->still = 1;
    sample_next(control);
    announce_socket(control);
    announce_metrics(control);
}

void control_configure(struct control *control, struct config *config, struct routes *routes)
{
    struct config *before = control->config;
    struct routes *routes_before = control->routes;
    control->config = config_ref(config);
    control->routes = routes_ref(routes);
    control->view.config = config;
    control->view.routes = routes;
    gather_configure(&control->view.gather, routes);
    config_unref(before);
    routes_unref(routes_before);
}

void control_listening(struct control *control, const struct addr *listening, size_t count)
{
    (void)view_set_listening(&control->view, listening, count); /* out of memory: the status shows the old ones */
}

void control_reloaded(struct control *control, const struct reload_result *result)
{
    reloads_note(&control->view.reloads, result);
}

void control_draining(struct control *control)
{
    control->view.readiness = READY_DRAINING;
}

void control_stopping(struct control *control)
{
    control->view.readiness = READY_STOPPING;
    timeouts_fini(&control->retries);
    timeouts_fini(&control->busy);
    timeouts_fini(&control->quiet);
    gather_close(&control->view.gather);
    tracer_close(&control->view.tracer);
}

void control_hand_over(struct control *control)
{
    if (control->socket)
        http_server_close(control->socket);
    if (control->metrics)
        http_server_close(control->metrics);
    control->socket = control->metrics = NULL;
}

void control_close(struct control *control)
{
    if (control->socket)
        (void)unlink(control->config->control_socket); /* fails in root's directory; the next start replaces the file */
    control_hand_over(control);
}

void control_free(struct control *control)
{
    if (!control)
        return;
    gather_fini(&control->view.gather);
    tracer_fini(&control->view.tracer);
    reloads_fini(&control->view.reloads);
    mem_free(control->view.listening);
    config_unref(control->config);
    routes_unref(control->routes);
    mem_free(control);
}
