/* SPDX-License-Identifier: MIT */
/* Plain DNS over TCP (RFC 7766). */
#include <sys/socket.h>
#include "clients.h"
#include "listener.h"

static int tcp_open(struct listener **out, struct listeners *listeners, int fd, const struct addr *addr)
{
    const struct stream_form form = {.framing = &framing_dns, .layer = &byte_layer_plain};
    return stream_listener_open(out, listeners, fd, &form, addr, &(struct client_kind){NULL, NULL});
}

const struct listener_kind listener_kind_tcp = {
    .name = "TCP",
    .type = SOCK_STREAM,
    .addresses = listener_addresses_plain,
    .open = tcp_open,
    .configure = stream_listener_configure,
    .stop = stream_listener_stop,
    .drain = stream_listener_drain,
    .close = stream_listener_close,
};
