/* SPDX-License-Identifier: MIT */
/* Invariant: each dial ends once, in dial_closed. The loop runs until all dials have ended; after DIALS_MS the rest are closed. */
#include "dial.h"
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"

/* The kernel caches path MTUs by destination, so a new socket can read them. */
static int path_mtu(const struct addr *server)
{
    struct addr peer;
    const struct addr *to = addr_resolve(&peer, server) == 0 ? &peer : server;
    bool v6 = to->sa.sa_family == AF_INET6;
    int mtu = 0, fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof mtu;
    if (fd < 0)
        return 0;
    if (connect(fd, &to->sa, addr_len(to)) < 0 ||
        getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &len) < 0)
        mtu = 0;
    close(fd);
    return mtu;
}

static void dial_ready(struct stream *stream)
{
    struct handshake *dial = container_of(stream, struct handshake, stream);
    (void)stream_facts(stream, &dial->facts);
    dial->mtu = path_mtu(dial->addr);
    dial->result = 0;
    stream_close(stream, ERROR_STOPPING);
}

static void dial_frame(struct stream *stream, uint8_t *message, size_t len)
{
    (void)stream;
    (void)message;
    (void)len;
}

static void dial_closed(struct stream *stream, int reason)
{
    struct handshake *dial = container_of(stream, struct handshake, stream);
    if (!dial->facts.version[0])
        dial->result = reason;
    dial->live = false;
    if (--dial->all->live == 0)
        loop_stop(&dial->all->loop);
}

static const struct stream_ops dial_ops = {.ready = dial_ready, .frame = dial_frame, .closed = dial_closed};

static void out_of_time(struct timeout *timeout)
{
    struct dials *all = container_of(timeout, struct dials, deadline);
    for (size_t i = 0; i < all->count; i++)
        if (all->dial[i].live)
            stream_close(&all->dial[i].stream, -ETIMEDOUT);
}

void dials_start(struct dials *all, const struct config_upstream *upstream, const struct addr *addr,
                 struct tls_trust *trust)
{
    struct handshake *dial = &all->dial[all->count++];
    *dial = (struct handshake){.all = all, .upstream = upstream, .addr = addr};
    const struct tls_client client = {.trust = trust, .tickets = &dial->tickets, .alpn = "dot"};
    const struct stream_form form = {.framing = &framing_dns,
                                     .layer = &byte_layer_tls_client,
                                     .layer_config = &client,
                                     .interface = upstream->interface,
                                     .mark = upstream->fwmark};
    dial->result = stream_connect(&dial->stream, &all->loop, &dial_ops, &form, addr,
                                  upstream->has_source ? &upstream->source : NULL);
    dial->live = dial->result == 0;
    all->live += dial->live;
}

void dials_run(struct dials *all)
{
    timeouts_init(&all->patience, &all->loop, DIALS_MS, out_of_time);
    timeout_start(&all->patience, &all->deadline);
    if (all->live > 0)
        loop_run(&all->loop);
    timeouts_fini(&all->patience);
}

int dials_init(struct dials *all, size_t most)
{
    *all = (struct dials){.count = 0};
    all->dial = mem_zalloc(most + 1, sizeof *all->dial);
    int status = all->dial ? loop_init(&all->loop) : -ENOMEM;
    if (status < 0)
        mem_free(all->dial);
    return status;
}

void dials_fini(struct dials *all)
{
    for (size_t i = 0; i < all->count; i++)
        tls_tickets_clear(&all->dial[i].tickets);
    loop_fini(&all->loop);
    mem_free(all->dial);
}

const char *dials_ca_file(const struct config *config, const struct config_upstream *upstream)
{
    return upstream->ca_file ? upstream->ca_file : config->tls.ca_file;
}

int dials_trust(struct tls_trust **out, const struct config *config, const struct config_upstream *upstream)
{
    const struct tls_trust_options options = {
        .ca_file = dials_ca_file(config, upstream),
        .tls_name = upstream->tls_name,
        .pins = (const struct tls_pin *)upstream->pins,
        .pin_count = (unsigned)upstream->pin_count,
        .min_version = upstream->min_version ? upstream->min_version : config->tls.min_version,
        .certificate = upstream->client_certificate,
        .key = upstream->client_key,
    };
    return tls_trust_new(out, &options);
}

bool dial_is_unreachable(const struct handshake *dial)
{
    return dial->result == -ENETUNREACH || dial->result == -EHOSTUNREACH || dial->result == -EADDRNOTAVAIL ||
           dial->result == -EAFNOSUPPORT;
}
