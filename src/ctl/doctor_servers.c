/* SPDX-License-Identifier: MIT */
/* Checks of the servers: a TLS handshake with each of them, made as the daemon does, all at the same time.
 *
 * Invariant: each dial ends once, in dial_closed. The loop runs until all dials have ended; after DIAL_MS the rest are
 * closed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "doctor.h"
#include "net/link.h"
#include "net/stream.h"
#include "net/tls.h"
#include "probe.h"

enum { DIAL_MS = 5000, NAT64_MS = 3000, MTU_LEAST = 1280 };

struct verified_dial {
    struct stream stream;
    struct tls_tickets tickets;
    struct dials *all;
    const struct config_upstream *upstream;
    const struct addr *addr;
    struct tls_facts facts;
    int result; /* 0: verified */
    bool live;
    int mtu; /* path MTU known to the kernel; 0: unknown */
};

struct dials {
    struct loop loop;
    struct timeouts patience;
    struct timeout deadline;
    struct verified_dial *dial;
    size_t count, live;
};

/* --- dialing --- */

/* The kernel caches path MTUs by destination, so a new socket can read them. */
static int path_mtu(const struct addr *to)
{
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
    struct verified_dial *dial = container_of(stream, struct verified_dial, stream);
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
    struct verified_dial *dial = container_of(stream, struct verified_dial, stream);
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

static void start_dial(struct dials *all, const struct config_upstream *upstream, const struct addr *addr,
                       struct tls_trust *trust)
{
    struct verified_dial *dial = &all->dial[all->count++];
    *dial = (struct verified_dial){.all = all, .upstream = upstream, .addr = addr};
    const struct tls_client client = {.trust = trust, .tickets = &dial->tickets, .alpn = "dot"};
    const struct stream_form form = {&framing_dns, &byte_layer_tls_client, &client};
    dial->result = stream_connect(&dial->stream, &all->loop, &dial_ops, &form, addr,
                                  upstream->has_source ? &upstream->source : NULL);
    dial->live = dial->result == 0;
    all->live += dial->live;
}

/* --- results --- */

static const char *remedy_for(const struct verified_dial *dial)
{
    switch (dial->result) {
    case ERROR_TLS_NAME:
    case ERROR_TLS_UNTRUSTED:
    case ERROR_TLS_PIN:
        return "another host answers: a captive portal (log in) or a middlebox that intercepts TLS; or tls-name, pins or ca-file are wrong";
    case ERROR_TLS_EXPIRED:
    case ERROR_TLS_NOT_YET:
        return "check the clock; if it is right, tell the server's operator";
    case -ECONNRESET:
    case -ECONNREFUSED:
    case ERROR_CLOSED:
        return "a firewall or captive portal blocks the port (log in, or have it allowed), or the server does not listen there";
    case -ETIMEDOUT:
        return dial->stream.connected_ms
                   ? "TCP connects but TLS stalls: large packets are lost (path MTU), or a middlebox interferes"
                   : "a firewall drops the packets: have outgoing TCP to that port allowed";
    default:
        return "other servers are used meanwhile; look at the daemon's log";
    }
}

static bool is_unreachable(int result)
{
    return result == -ENETUNREACH || result == -EHOSTUNREACH || result == -EADDRNOTAVAIL || result == -EAFNOSUPPORT;
}

/* No route for one address family is not a problem if a server of the other family was reached. */
static void tell_dial(struct doctor *doctor, const struct verified_dial *dial, bool any_good)
{
    char address[ADDR_TEXT];
    addr_format(dial->addr, true, address);
    if (dial->result == 0)
        doctor_say(doctor, "server", NULL, "%s %s: %s, %s, certificate %s", dial->upstream->name, address,
                   dial->facts.version, dial->facts.cipher, dial->facts.certificate_name);
    else if (is_unreachable(dial->result))
        doctor_say(doctor, "server", any_good ? NULL : "there is no route: connect this machine to a network",
                   "%s %s: %s", dial->upstream->name, address, error_text(dial->result));
    else
        doctor_say(doctor, "server", remedy_for(dial), "%s %s: %s", dial->upstream->name, address,
                   error_text(dial->result));
}

static void tell_mtu(struct doctor *doctor, const struct dials *all)
{
    int least = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->dial[i].mtu > 0 && (least == 0 || all->dial[i].mtu < least))
            least = all->dial[i].mtu;
    if (least > 0)
        doctor_say(doctor, "mtu",
                   least >= MTU_LEAST ? NULL : "check tunnels and links to the server: IPv6 needs at least 1280",
                   "the smallest path MTU to a server is %d", least);
}

static void tell_all(struct doctor *doctor, const struct dials *all)
{
    bool any_good = false;
    for (size_t i = 0; i < all->count; i++)
        any_good = any_good || all->dial[i].result == 0;
    for (size_t i = 0; i < all->count; i++)
        tell_dial(doctor, &all->dial[i], any_good);
    tell_mtu(doctor, all);
}

/* --- dialing all servers --- */

static void start_upstream(struct doctor *doctor, struct dials *all, const struct config_upstream *upstream)
{
    struct tls_trust_options options = {
        .ca_file = upstream->ca_file ? upstream->ca_file : doctor->config->tls.ca_file,
        .tls_name = upstream->tls_name,
        .pins = (const struct tls_pin *)upstream->pins,
        .pin_count = (unsigned)upstream->pin_count,
        .min_version = upstream->min_version ? upstream->min_version : doctor->config->tls.min_version,
    };
    struct tls_trust *trust = NULL;
    int status = tls_trust_new(&trust, &options);
    if (status < 0)
        doctor_say(doctor, "ca", "install ca-certificates, or set tls.ca-file to a readable PEM file",
                   "%s: cannot load CAs from %s: %s", upstream->name, options.ca_file, error_text(status));
    else
        doctor_say(doctor, "ca", NULL, "%s: verified by %s", upstream->name,
                   upstream->tls_name ? options.ca_file : "pins");
    for (size_t i = 0; i < upstream->address_count && status == 0; i++)
        start_dial(all, upstream, &upstream->addresses[i], trust);
    tls_trust_unref(trust);
}

static size_t count_addresses(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        count += config->upstreams[i].address_count;
    return count;
}

static void dial_all(struct doctor *doctor, struct dials *all)
{
    for (size_t i = 0; i < doctor->config->upstream_count; i++)
        start_upstream(doctor, all, &doctor->config->upstreams[i]);
    timeouts_init(&all->patience, &all->loop, DIAL_MS, out_of_time);
    timeout_start(&all->patience, &all->deadline);
    if (all->live > 0)
        loop_run(&all->loop);
    timeouts_fini(&all->patience);
    tell_all(doctor, all);
    for (size_t i = 0; i < all->count; i++)
        tls_tickets_clear(&all->dial[i].tickets);
}

void doctor_check_servers(struct doctor *doctor)
{
    struct dials all = {.count = 0};
    all.dial = mem_zalloc(count_addresses(doctor->config), sizeof *all.dial);
    if (all.dial && loop_init(&all.loop) == 0) {
        dial_all(doctor, &all);
        loop_fini(&all.loop);
    }
    mem_free(all.dial);
}

/* --- address families --- */

static bool has_route(const char *address)
{
    struct link_route route;
    struct addr peer;
    if (addr_parse(&peer, address, 53) < 0)
        return false;
    link_find_route(&route, NULL, &peer);
    return route.reach == LINK_WAY;
}

/* Looks up the kernel's route to a documentation address (RFC 5737, RFC 3849) of each family; sends nothing there. */
void doctor_check_families(struct doctor *doctor)
{
    bool v4 = has_route("198.51.100.1"), v6 = has_route("2001:db8::1");
    struct probe_response response = {.records = 0};
    doctor_say(doctor, "ipv6", NULL, "route to the Internet: %s",
               v4 && v6 ? "IPv4 and IPv6"
               : v4     ? "IPv4 only"
               : v6     ? "IPv6 only"
                        : "neither family");
    if (v4 || !v6)
        return;
    int status = probe_send(&response, &doctor->server, "ipv4only.arpa", TYPE_AAAA, false, NAT64_MS);
    if (status == 0 && response.records > 0)
        doctor_say(doctor, "nat64", NULL, "the upstream synthesizes IPv6 addresses (DNS64)");
    else
        doctor_say(doctor, "nat64", "use an upstream with DNS64, such as dns64.dns.google at 2001:4860:4860::6464",
                   "this network has no IPv4, and the upstream does not synthesize IPv6 addresses (DNS64)");
}
