/* SPDX-License-Identifier: MIT */
/* The only file that uses libmicrohttpd.
 *
 * The library runs in "external" mode: the loop polls its epoll descriptor and calls MHD_run when that is readable or
 * when the library's own timeout ends. Only the loop's thread enters the library.
 *
 * The library's callbacks take a request through these states:
 *   BEGUN     the head is read; up to BODY_MAX bytes of a body are read and discarded
 *   HANDLED   the handler was called; the connection is suspended unless the handler replied at once
 *   REPLIED   the response exists; the library has it, or takes it after the connection is resumed
 *
 * Invariants:
 *   - `life` runs from accept to close. When it ends, the descriptor is shut down, which looks to the library as if
 *     the client had closed. A slow client therefore cannot hold a connection for longer than LIFE_MS;
 *   - above the limit, each new connection causes another one to be shut down, which is then in no share;
 *   - a suspended connection ends only after http_reply, so a handler's request stays valid until then; or by the close
 *     of the server, which answers for the handler and leaves the request to http_reply.
 */
#include "server.h"
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include "base/log.h"
#include "base/mem.h"
#include "resolve/share.h"

enum {
    HEAD_MAX = 8192, /* bytes; the library refuses a longer head */
    BODY_MAX = 1024,
    LIFE_MS = 10000,
};

_Static_assert(HTTP_OK == MHD_HTTP_OK && HTTP_BAD_REQUEST == MHD_HTTP_BAD_REQUEST &&
                   HTTP_FORBIDDEN == MHD_HTTP_FORBIDDEN && HTTP_NOT_FOUND == MHD_HTTP_NOT_FOUND &&
                   HTTP_WRONG_VERB == MHD_HTTP_METHOD_NOT_ALLOWED && HTTP_TOO_LARGE == MHD_HTTP_CONTENT_TOO_LARGE &&
                   HTTP_INTERNAL_ERROR == MHD_HTTP_INTERNAL_SERVER_ERROR &&
                   HTTP_UNAVAILABLE == MHD_HTTP_SERVICE_UNAVAILABLE,
               "libmicrohttpd's status codes");

struct http_server {
    struct MHD_Daemon *daemon;
    struct loop *loop;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned open_handles;
    struct timeouts lives;
    struct list waiting;  /* requests of suspended connections */
    struct shares shares; /* by the networks of clients; clients on the unix socket count as one network */
    unsigned limit, count;
    uint64_t evicted;
    const struct http_ops *ops;
    void *context;
};

struct connection {
    struct http_server *server;
    struct timeout life;
    struct share *share; /* NULL: it was shut down */
    struct list_link in_share;
    int fd;
};

enum request_state { REQUEST_BEGUN, REQUEST_HANDLED, REQUEST_REPLIED };

struct server_request {
    struct http_request http;
    struct MHD_Connection *connection;
    struct MHD_Response *response;
    unsigned status;
    size_t body; /* bytes of the body received */
    enum request_state state;
    struct list_link in_server; /* linked while the connection is suspended */
    bool abandoned;             /* answered by the close of the server; http_reply only frees it */
};

/* --- running the library --- */

static void server_run(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG ms;
    (void)MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &ms) == MHD_YES)
        uv_timer_start(&server->timer, server->timer.timer_cb, ms, 0);
    else
        uv_timer_stop(&server->timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    server_run(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    server_run(timer->data);
}

/* --- connections --- */

static void life_over(struct timeout *timeout)
{
    shutdown(container_of(timeout, struct connection, life)->fd, SHUT_RDWR);
}

static void connection_leave_share(struct connection *own)
{
    if (!own->share)
        return;
    share_give(&own->server->shares, own->share, SHARE_CLIENTS, &own->in_share);
    own->share = NULL;
    own->server->count--;
}

/* The oldest connection of the network with the most; if each network has one, the oldest of all. */
static struct connection *connection_to_lose(const struct http_server *server)
{
    static const struct share nobody = {.output = 0};
    struct list_link *oldest = share_to_lose(&server->shares, SHARE_CLIENTS, &nobody);
    if (oldest)
        return container_of(oldest, struct connection, in_share);
    list_for_each(link, &server->lives.running) {
        struct connection *own = container_of(link, struct connection, life);
        if (own->share)
            return own;
    }
    return NULL;
}

static void evict(struct http_server *server)
{
    struct connection *own = connection_to_lose(server);
    if (!own)
        return;
    shutdown(own->fd, SHUT_RDWR);
    connection_leave_share(own);
    server->evicted++;
}

static struct addr peer_of(struct MHD_Connection *connection)
{
    struct addr addr;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (addr_from_sockaddr(&addr, info->client_addr) < 0)
        return (struct addr){.in6 = {.sin6_family = AF_INET6}}; /* of the unix socket */
    return addr;
}

static void connection_begins(struct http_server *server, struct MHD_Connection *connection, void **context)
{
    struct addr peer = peer_of(connection);
    struct share *share = share_of(&server->shares, &peer);
    struct connection *own = share ? mem_zalloc(1, sizeof *own) : NULL;
    if (!own)
        return; /* request_begins refuses it */
    own->server = server;
    own->share = share;
    own->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    share_take(&server->shares, share, SHARE_CLIENTS, &own->in_share);
    if (++server->count > server->limit)
        evict(server);
    timeout_start(&server->lives, &own->life);
    *context = own;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **own,
                          enum MHD_ConnectionNotificationCode what)
{
    struct connection *ending = *own;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_begins(context, connection, own);
    } else if (ending) {
        timeout_stop(&ending->life);
        connection_leave_share(ending);
        mem_free(ending);
        *own = NULL;
    }
}

/* --- replies --- */

/* Adds the headers that every reply must have. NULL: out of memory, close the connection. */
static struct MHD_Response *with_headers(struct MHD_Response *response, const char *type)
{
    if (!response)
        return NULL;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES &&
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static struct MHD_Response *make_response(const char *type, char *body, const char *allow)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(body);
    response = with_headers(response, type);
    if (!response)
        return NULL;
    if (allow)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    return response;
}

static struct MHD_Response *make_page(const unsigned char *page, size_t len, const char *policy)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)page, MHD_RESPMEM_PERSISTENT);
    response = with_headers(response, "text/html; charset=utf-8");
    if (!response)
        return NULL;
    if (MHD_add_response_header(response, "Content-Security-Policy", policy) == MHD_YES &&
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer") == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static void replied(struct http_request *http, unsigned status, struct MHD_Response *response)
{
    struct server_request *request = container_of(http, struct server_request, http);
    if (request->abandoned) {
        if (response)
            MHD_destroy_response(response);
        mem_free(request);
        return;
    }
    request->state = REQUEST_REPLIED;
    request->status = status;
    request->response = response;
    if (!list_linked(&request->in_server))
        return;
    list_remove(&request->in_server);
    MHD_resume_connection(request->connection);
    uv_timer_start(&http->server->timer, on_timer, 0, 0);
}

void http_reply(struct http_request *http, unsigned status, const char *type, char *body, const char *allow)
{
    if (!body) {
        status = HTTP_INTERNAL_ERROR;
        body = strdup("out of memory\n");
        type = "text/plain";
    }
    replied(http, status, body ? make_response(type, body, allow) : NULL);
}

void http_reply_page(struct http_request *http, const unsigned char *page, size_t len, const char *policy)
{
    replied(http, HTTP_OK, make_page(page, len, policy));
}

/* Closes the connection if there was no memory for a reply. */
static enum MHD_Result send_reply(struct server_request *request)
{
    return request->response ? MHD_queue_response(request->connection, request->status, request->response) : MHD_NO;
}

static enum MHD_Result refuse(struct server_request *request, unsigned status, const char *why)
{
    http_reply(&request->http, status, "text/plain", strdup(why), NULL);
    return send_reply(request);
}

/* --- requests --- */

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct http_request *http = context;
    (void)kind;
    if (http->argument_count == HTTP_ARGUMENTS) {
        http->argument_count++;
        return MHD_NO;
    }
    http->argument[http->argument_count].name = name;
    http->argument[http->argument_count++].value = value;
    return MHD_YES;
}

/* Leaves a text with "%00" as it is: a NUL would truncate it, and "/%00x" is not "/". */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static enum http_verb verb_of(const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
        return HTTP_GET;
    return strcmp(method, MHD_HTTP_METHOD_POST) == 0 ? HTTP_POST : HTTP_OTHER_VERB;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct server_request *request_new(struct http_server *server, struct MHD_Connection *connection,
                                          const char *path, const char *method)
{
    struct server_request *request = mem_zalloc(1, sizeof *request);
    if (!request)
        return NULL;
    request->connection = connection;
    request->http.server = server;
    request->http.path = path;
    request->http.verb = verb_of(method);
    request->http.host = header(connection, MHD_HTTP_HEADER_HOST);
    request->http.origin = header(connection, MHD_HTTP_HEADER_ORIGIN);
    request->http.authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION);
    return request;
}

/* The head was read: refuses what can be refused without the body. */
static enum MHD_Result request_begins(struct http_server *server, struct server_request *request)
{
    const struct connection *own =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    const char *length = header(request->connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!own)
        return MHD_NO;
    if (server->ops->admits && !server->ops->admits(server->context, own->fd))
        return refuse(request, HTTP_FORBIDDEN,
                      "permission denied: only root, the daemon's user and the socket's group have access\n");
    if (length && strtoull(length, NULL, 10) > BODY_MAX)
        return refuse(request, HTTP_TOO_LARGE, "request too large\n");
    return MHD_YES;
}

static enum MHD_Result request_complete(struct http_server *server, struct server_request *request)
{
    request->state = REQUEST_HANDLED;
    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, take_argument, &request->http);
    server->ops->handle(server->context, &request->http);
    if (request->state == REQUEST_REPLIED)
        return send_reply(request);
    list_push_back(&server->waiting, &request->in_server);
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

/* The library calls this after the head, for each part of the body, at the end of the body, and after a resume. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body, size_t *body_len,
                                  void **own)
{
    struct server_request *request = *own;
    (void)version;
    (void)body;
    if (!request) {
        request = *own = request_new(context, connection, path, method);
        return request ? request_begins(context, request) : MHD_NO;
    }
    if (*body_len > 0) {
        request->body += *body_len;
        *body_len = 0;
        return request->body <= BODY_MAX ? MHD_YES : MHD_NO;
    }
    return request->state == REQUEST_REPLIED ? send_reply(request) : request_complete(context, request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **own,
                         enum MHD_RequestTerminationCode how)
{
    struct server_request *request = *own;
    (void)context;
    (void)connection;
    (void)how;
    if (request && request->response)
        MHD_destroy_response(request->response);
    if (request && !request->abandoned)
        mem_free(request);
    *own = NULL;
}

static void __attribute__((format(printf, 2, 0))) on_message(void *context, const char *format, va_list arguments)
{
    char text[256];
    (void)context;
    int len = vsnprintf(text, sizeof text, format, arguments);
    if (len > 0 && (size_t)len < sizeof text && text[len - 1] == '\n')
        text[len - 1] = '\0';
    log_debug("control", "%s", text);
}

/* --- start and stop --- */

static struct MHD_Daemon *start(struct http_server *server, int fd, unsigned connections)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
                            server, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
                            MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)HEAD_MAX, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_UNESCAPE_CALLBACK, unescape,
                            NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    if (--server->open_handles == 0)
        mem_free(server);
}

static void close_handles(struct http_server *server)
{
    timeouts_fini(&server->lives);
    shares_fini(&server->shares);
    uv_close((uv_handle_t *)&server->timer, on_closed);
    uv_close((uv_handle_t *)&server->poll, on_closed);
}

int http_server_open(struct http_server **out, struct loop *loop, int fd, const struct http_ops *ops, void *context,
                     unsigned connections)
{
    struct http_server *server = mem_zalloc(1, sizeof *server);
    if (!server) {
        close(fd);
        return -ENOMEM;
    }
    *server = (struct http_server){.loop = loop, .ops = ops, .context = context, .open_handles = 2};
    timeouts_init(&server->lives, loop, LIFE_MS, life_over);
    server->limit = connections;
    list_init(&server->waiting);
    if (shares_init(&server->shares) < 0)
        goto fail;
    server->daemon = start(server, fd, connections + HTTP_SPARE);
    if (!server->daemon)
        goto fail_shares;
    int status =
        uv_poll_init(&loop->uv, &server->poll, MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    if (status < 0)
        goto fail_poll;
    uv_timer_init(&loop->uv, &server->timer); /* cannot fail, nor can starting a new poll handle */
    server->timer.data = server->poll.data = server;
    uv_timer_start(&server->timer, on_timer, 0, 0);
    uv_poll_start(&server->poll, UV_READABLE, on_readable);
    *out = server;
    return 0;
fail_poll:
    MHD_stop_daemon(server->daemon); /* also closes fd */
    fd = -1;
fail_shares:
    shares_fini(&server->shares);
fail:
    if (fd >= 0)
        close(fd);
    timeouts_fini(&server->lives);
    mem_free(server);
    return -ENOMEM;
}

uint64_t http_server_evicted(const struct http_server *server)
{
    return server->evicted;
}

/* The library ends the process if a connection is still suspended when it stops. */
static void abandon_waiting(struct http_server *server)
{
    struct list_link *link;
    while ((link = list_first(&server->waiting))) {
        struct server_request *request = container_of(link, struct server_request, in_server);
        http_reply(&request->http, HTTP_UNAVAILABLE, "text/plain", strdup("stopping\n"), NULL);
        request->abandoned = true;
    }
}

void http_server_close(struct http_server *server)
{
    abandon_waiting(server);
    (void)MHD_run(server->daemon); /* processes resumed connections, sends what does not block */
    uv_poll_stop(&server->poll);
    MHD_stop_daemon(server->daemon);
    close_handles(server);
}
