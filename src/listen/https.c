/* SPDX-License-Identifier: MIT */
/* DNS over HTTPS (RFC 8484) for clients: listen-https over TLS, listen-http without it for reverse proxies.
 *
 * Each exchange of a connection is one query, in its origin until it ends. Errors of HTTP, in the order in which they are
 * looked for:
 *
 *   431  headers above HTTP2_HEADERS          405  a method other than GET and POST
 *   404  a path other than https-path         413  a body above HTTP2_BODY
 *   415  POST of another media type           400  no DNS message: none sent, not base64url (GET), or not a query
 *
 * A query that is dropped by policy resets its stream. DNS errors are responses with status 200. A connection that does
 * not begin with the preface of HTTP/2 gets a 505 of HTTP/1.1 and is closed.
 *
 * Invariant: exchange->user is its client until the exchange is answered or has ended. */
#include <string.h>
#include <sys/socket.h>
#include "base/errors.h"
#include "base/mem.h"
#include "clients.h"
#include "dns/ttl.h"
#include "listener.h"
#include "net/http2.h"
#include "resolve/query.h"

enum {
    STATUS_OK = 200,
    STATUS_BAD_REQUEST = 400,
    STATUS_NOT_FOUND = 404,
    STATUS_METHOD = 405,
    STATUS_BODY_SIZE = 413,
    STATUS_MEDIA_TYPE = 415,
    STATUS_HEADERS_SIZE = 431,
    OUTPUT_AT_ONCE = 64 * 1024, /* bytes handed to the stream before the kernel has taken some */
};

/* --- responses --- */

static void refuse(struct http2_exchange *exchange, unsigned status)
{
    struct client *client = exchange->user;
    exchange->user = NULL;
    counter_add(client_resolver(client)->counters, COUNTER_https_errors, 1);
    http2_respond(exchange,
                  &(struct http2_response){.status = status, .max_age_s = -1, .allow = status == STATUS_METHOD});
}

static void https_reply(struct query *query, const uint8_t *message, size_t len)
{
    struct http2_exchange *exchange = query->origin.exchange;
    if (!exchange->user)
        return;
    exchange->user = NULL;
    http2_respond(exchange, &(struct http2_response){.status = STATUS_OK,
                                                     .type = HTTP2_DNS_MESSAGE,
                                                     .body = message,
                                                     .len = len,
                                                     .max_age_s = ttl_smallest((struct bytes){message, len})});
}

/* The query ends without a response. One that ends while it is taken may be no query at all: see take_message. */
static void https_dropped(struct query *query)
{
    struct http2_exchange *exchange = query->origin.exchange;
    if (!query->parked || !exchange->user)
        return;
    exchange->user = NULL;
    http2_cancel(exchange);
}

/* --- requests --- */

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Decodes base64url without padding (RFC 4648 section 5) in place. The length, or 0: it is invalid or empty. */
static size_t decode(char *text, size_t len)
{
    uint8_t *out = (uint8_t *)text;
    size_t made = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    while (len > 0 && text[len - 1] == '=')
        len--;
    if (len % 4 == 1)
        return 0;
    for (size_t i = 0; i < len; i++) {
        int value = base64url_value(text[i]);
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[made++] = (uint8_t)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return made;
}

/* The message of the parameter dns in the query part of a path. Empty: there is none. */
static struct bytes message_of_path(char *parameters)
{
    while (parameters) {
        char *value = parameters, *next = strchr(parameters, '&');
        size_t len = next ? (size_t)(next - value) : strlen(value);
        parameters = next ? next + 1 : NULL;
        if (len >= 4 && memcmp(value, "dns=", 4) == 0)
            return (struct bytes){(uint8_t *)value + 4, decode(value + 4, len - 4)};
    }
    return (struct bytes){NULL, 0};
}

static bool has_path(const struct http2_exchange *exchange, const char *path)
{
    size_t len = strcspn(exchange->path, "?");
    return len == strlen(path) && memcmp(exchange->path, path, len) == 0;
}

static unsigned status_of(const struct http2_exchange *exchange, const struct config *config)
{
    if (exchange->headers_too_large)
        return STATUS_HEADERS_SIZE;
    if (exchange->method == HTTP2_OTHER_METHOD)
        return STATUS_METHOD;
    if (!has_path(exchange, config->https_path))
        return STATUS_NOT_FOUND;
    if (exchange->too_large)
        return STATUS_BODY_SIZE;
    return exchange->method == HTTP2_POST && exchange->type != HTTP2_DNS_MESSAGE ? STATUS_MEDIA_TYPE : STATUS_OK;
}

static void take_message(struct http2_exchange *exchange)
{
    struct client *client = http2_owner(exchange->http2);
    exchange->user = client;
    unsigned status = status_of(exchange, client_resolver(client)->config);
    if (status != STATUS_OK) {
        refuse(exchange, status);
        return;
    }
    struct bytes message = {exchange->body, exchange->len};
    if (exchange->method == HTTP2_GET) {
        char *parameters = strchr(exchange->path, '?');
        message = message_of_path(parameters ? parameters + 1 : NULL);
    }
    if (message.len > 0 && client_take(client, message, exchange))
        return;
    bool is_query = message.len >= MESSAGE_HEADER && !(read_u16(message.data + MESSAGE_FLAGS) & FLAG_QR);
    if (!exchange->user)
        return;
    if (!is_query) {
        refuse(exchange, STATUS_BAD_REQUEST);
    } else { /* dropped by policy */
        exchange->user = NULL;
        http2_cancel(exchange);
    }
}

static void exchange_ended(struct http2_exchange *exchange, int error)
{
    struct client *client = exchange->user;
    (void)error;
    exchange->user = NULL;
    if (client)
        client_forget(client, exchange);
}

/* --- connections --- */

static const struct http2_ops exchange_ops = {.message = take_message, .ended = exchange_ended};

static struct http2 *http2_of(const struct client *client)
{
    return *client_protocol_state((struct client *)client);
}

static void send_text(struct client *client, const char *text)
{
    size_t len = strlen(text);
    uint8_t *room = stream_reserve(client_stream(client), len);
    if (!room)
        return;
    memcpy(room, text, len);
    stream_commit(client_stream(client), len);
}

static int https_send(struct client *client)
{
    struct http2 *http2 = http2_of(client);
    const struct resolver *resolver = client_resolver(client);
    if (!http2)
        return 0;
    counter_add(resolver->counters, COUNTER_https_stuck, http2_reset_stuck(http2, loop_now(resolver->loop)));
    return http2_send(http2, client_stream(client), OUTPUT_AT_ONCE);
}

static int https_receive(struct client *client, const uint8_t *data, size_t len)
{
    struct http2 **http2 = (struct http2 **)client_protocol_state(client);
    if (!*http2 && http2_new(http2, HTTP2_SERVER, &exchange_ops, client) < 0)
        return -ENOMEM;
    int status = http2_receive(*http2, data, len, loop_now(client_resolver(client)->loop));
    if (status == ERROR_HTTP_VERSION)
        send_text(client, http2_version_response);
    else if (status < 0)
        (void)https_send(client); /* the reason */
    counter_add(client_resolver(client)->counters, COUNTER_https_floods, status == ERROR_HTTP_FLOOD);
    return status;
}

static void https_drain(struct client *client)
{
    if (http2_of(client))
        http2_drain(http2_of(client));
}

static void https_end(struct client *client)
{
    http2_free(http2_of(client));
}

static struct client_load https_load(const struct client *client)
{
    const struct http2 *http2 = http2_of(client);
    if (!http2)
        return (struct client_load){.unsent = 0};
    return (struct client_load){.unsent = http2_unsent(http2),
                                .held = http2_held(http2),
                                .progress = http2_progress(http2),
                                .incomplete = http2_incomplete(http2) > 0};
}

static bool accepts_all(const struct config *config, const struct addr *peer)
{
    (void)config;
    (void)peer;
    return true;
}

static bool accepts_proxies(const struct config *config, const struct addr *peer)
{
    return prefixes_hold(config->http_proxies, config->http_proxy_count, peer);
}

#define HTTPS_PROTOCOL(who)                                                                                            \
    {                                                                                                                  \
        .accepts = who, .receive = https_receive, .send = https_send, .reply = https_reply, .dropped = https_dropped,  \
        .drain = https_drain, .end = https_end, .load = https_load,                                                    \
    }

static const struct client_protocol https_protocol = HTTPS_PROTOCOL(accepts_all);
static const struct client_protocol http_protocol = HTTPS_PROTOCOL(accepts_proxies);

/* --- the kinds --- */

static struct listener_addresses https_addresses(const struct config *config)
{
    return (struct listener_addresses){config->listen_https, config->listen_https_count, false};
}

/* A client that offers only http/1.1 learns from a 505 why it gets no answer. */
static int https_open(struct listener **out, struct listeners *listeners, int fd, const struct addr *addr)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    const struct stream_form form = {.framing = &framing_bytes, .layer = &byte_layer_tls_server};
    return stream_listener_open(out, listeners, fd, &form, addr, &(struct client_kind){&https_protocol, alpn});
}

static struct listener_addresses http_addresses(const struct config *config)
{
    return (struct listener_addresses){config->listen_http, config->listen_http_count, false};
}

static int http_open(struct listener **out, struct listeners *listeners, int fd, const struct addr *addr)
{
    const struct stream_form form = {.framing = &framing_bytes, .layer = &byte_layer_plain};
    return stream_listener_open(out, listeners, fd, &form, addr, &(struct client_kind){&http_protocol, NULL});
}

const struct listener_kind listener_kind_https = {
    .name = "HTTPS",
    .type = SOCK_STREAM,
    .addresses = https_addresses,
    .open = https_open,
    .configure = stream_listener_configure,
    .stop = stream_listener_stop,
    .drain = stream_listener_drain,
    .close = stream_listener_close,
};

const struct listener_kind listener_kind_http = {
    .name = "HTTP",
    .type = SOCK_STREAM,
    .addresses = http_addresses,
    .open = http_open,
    .configure = stream_listener_configure,
    .stop = stream_listener_stop,
    .drain = stream_listener_drain,
    .close = stream_listener_close,
};
