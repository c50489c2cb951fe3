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
};

struct control {
    struct view view;
    struct config *config;
    struct routes *routes;
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

/* Fails only if the operator configured the path: the default may be impossible on this machine. */
static int explain_socket(const struct config *config, int error)
{
    const char *path = config->control_socket;
    const char *why = error_text(error);
    const char *remedy = "set control.socket to another path or to `off`";
    if (error == -EADDRINUSE)
        why = "another process listens there";
    else if (error == -EEXIST)
        why = "the file exists and is not a socket";
    else if (error == -ENOENT)
        remedy = "create its directory, or set control.socket to another path";
    if (!config->control_socket_is_default) {
        log_error("control", "cannot listen on %s: %s; %s", path, why, remedy);
        return error;
    }
    log_info("control", "no control socket at %s: %s; %s", path, why, remedy);
    return 0;
}

static int open_socket(struct control *control, const struct control_setup *setup)
{
    const struct config *config = setup->config;
    struct stat stat;
    if (!config->control_socket)
        return 0;
    int fd = listener_taken(setup->taken, setup->taken_count, config->control_socket, NULL);
    if (fd < 0)
        fd = listener_unix(config->control_socket, setup->uid, setup->gid);
    if (fd < 0)
        return explain_socket(config, fd);
    control->socket_fd = fd;
    control->group = lstat(config->control_socket, &stat) == 0 ? stat.st_gid : setup->gid;
    return http_server_open(&control->socket, setup->loop, fd, &control_http, control, CONTROL_CONNECTIONS);
}

/* --- metrics --- */

static void handle_metrics(void *context, struct http_request *request)
{
    struct control *control = context;
    api_metrics(&control->view, request);
}

static const struct http_ops metrics_http = {NULL, handle_metrics};

static int read_token(struct token *token, const char *path)
{
    int status = path ? token_read(token, path) : 0;
    if (status == -EINVAL)
        log_error("control",
                  "metrics.token-file %s: its first line must be %d to %d visible characters; generate one with "
                  "`openssl rand -hex 16`",
                  path, TOKEN_MIN, TOKEN_MAX);
    else if (status < 0)
        log_error("control", "cannot read metrics.token-file %s: %s", path, error_text(status));
    return status;
}

static int open_metrics(struct control *control, const struct control_setup *setup)
{
    const struct config *config = setup->config;
    char text[ADDR_TEXT];
    if (!config->has_metrics)
        return 0;
    int status = read_token(&control->view.token, config->metrics_token_file);
    if (status < 0)
        return status;
    int fd = listener_taken(setup->taken, setup->taken_count, NULL, &config->metrics_listen);
    if (fd < 0)
        fd = listener_tcp(&config->metrics_listen);
    control->metrics_fd = fd;
    if (fd < 0) {
        log_error("control", "cannot serve metrics on %s: %s; choose another address with metrics.listen",
                  addr_format(&config->metrics_listen, true, text), error_text(fd));
        return fd;
    }
    status = http_server_open(&control->metrics, setup->loop, fd, &metrics_http, control, config->metrics_clients);
    control->view.metrics = control->metrics;
    return status;
}

/* --- start and stop --- */

static int view_init(struct view *view, const struct control_setup *setup)
{
    *view = (struct view){
        .config = setup->config,
        .routes = setup->routes,
        .cache = setup->cache,
        .ops = setup->ops,
        .context = setup->context,
        .sandbox = setup->sandbox,
        .listening_count = setup->listening_count,
        .started_ms = clock_ms(),
        .started_wall_s = clock_wall_s(),
    };
    view->listening = mem_zalloc(setup->listening_count + 1, sizeof *view->listening);
    if (!view->listening)
        return -ENOMEM;
    memcpy(view->listening, setup->listening, setup->listening_count * sizeof *view->listening);
    int status = gather_init(&view->gather, setup);
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
    status = open_socket(control, setup);
    if (status < 0)
        goto fail_open;
    status = open_metrics(control, setup);
    if (status < 0)
        goto fail_open;
    *out = control;
    return 0;
fail_open:
    control_stopping(control);
    control_close(control);
    control_free(control);
    return status;
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
    char text[ADDR_TEXT];
    control->view.readiness = READY_YES;
    if (control->socket)
        listener_claim(control->socket_fd);
    if (control->socket)
        log_info("control", "listening on %s", control->config->control_socket);
    if (control->metrics)
        log_info("control", "metrics: listening on %s", addr_format(&control->config->metrics_listen, true, text));
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
