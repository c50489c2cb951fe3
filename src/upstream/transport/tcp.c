/* SPDX-License-Identifier: MIT */
/* Plain DNS over TCP. A server has no state. */
#include <stdio.h>
#include "transport.h"
#include "upstream/group.h"

static int tcp_prepare(struct server *server, struct tls_trust *trust)
{
    (void)server;
    (void)trust;
    return 0;
}

static void tcp_discard(struct server *server)
{
    (void)server;
}

static int tcp_start(struct server *server)
{
    return session_dial(server, &(struct stream_form){.framing = &framing_dns, .layer = &byte_layer_plain}, 0);
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
    .prepare = tcp_prepare,
    .discard = tcp_discard,
    .start = tcp_start,
    .submit = session_take,
    .cancel = session_forget,
    .flush = session_flush,
    .tick = session_check,
    .stop = session_close,
    .opened = tcp_opened,
};
