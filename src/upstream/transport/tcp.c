/* SPDX-License-Identifier: MIT */
/* Plain DNS over TCP, for the zones of a route that says plain: yes and tcp-only: yes. */
#include <stdio.h>
#include "plain.h"
#include "session.h"

static int tcp_start(struct server *server)
{
    const struct stream_form form = {.framing = &framing_dns,
                                     .layer = &byte_layer_plain,
                                     .interface = server->entry->interface,
                                     .mark = server->entry->fwmark};
    return session_dial(server, &form, 0);
}

static void tcp_opened(struct session *session, char words[TRANSPORT_TEXT])
{
    (void)session;
    snprintf(words, TRANSPORT_TEXT, "plain TCP");
}

const struct transport transport_tcp = {
    .name = "tcp",
    .port = 53,
    .tap = TAP_TCP,
    .prepare = plain_prepare,
    .discard = plain_discard,
    .same = plain_same,
    .carries = plain_carries,
    .start = tcp_start,
    .submit = session_take,
    .cancel = session_forget,
    .flush = session_flush,
    .tick = session_check,
    .stop = session_close,
    .usable = session_is_usable,
    .connected_ms = session_connected_ms,
    .local = session_local,
    .acknowledged = session_is_acknowledged,
    .opened = tcp_opened,
};
