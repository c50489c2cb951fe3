/* SPDX-License-Identifier: MIT */
/* DNS over TLS (RFC 7858). */
#include <sys/socket.h>
#include "clients.h"
#include "listener.h"

static struct listener_addresses tls_addresses(const struct config *config)
{
    return (struct listener_addresses){config->listen_tls, config->listen_tls_count, false};
}

static int tls_open(struct listener **out, struct listeners *listeners, int fd, const struct addr *addr)
{
    static const char *const alpn[] = {"dot", NULL};
    const struct stream_form form = {.framing = &framing_dns, .layer = &byte_layer_tls_server};
    return stream_listener_open(out, listeners, fd, &form, addr, &(struct client_kind){NULL, alpn});
}

const struct listener_kind listener_kind_tls = {
    .name = "TLS",
    .type = SOCK_STREAM,
    .addresses = tls_addresses,
    .open = tls_open,
    .configure = stream_listener_configure,
    .stop = stream_listener_stop,
    .drain = stream_listener_drain,
    .close = stream_listener_close,
};
