/* SPDX-License-Identifier: MIT */
/* Checks of the servers: a TLS handshake with each of them; and of the address families. */
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dial.h"
#include "dns/codes.h"
#include "doctor.h"
#include "net/link.h"
#include "probe.h"

enum { NAT64_MS = 3000, MTU_LEAST = 1280 };

/* --- results --- */

static const char *remedy_for(const struct handshake *dial)
{
    switch (dial->result) {
    case ERROR_TLS_NAME:
    case ERROR_TLS_UNTRUSTED:
    case ERROR_TLS_PIN:
        return "another host answers: a captive portal (log in) or a middlebox that intercepts TLS; or tls-name, pins or ca-file are wrong";
    case ERROR_TLS_NO_CA:
        return "install the package ca-certificates, or correct tls.ca-file; dotstub loads the file when it is there";
    case ERROR_TLS_NO_CERTIFICATE:
        return "name PEM files in client-certificate and client-key that belong together; dotstub loads them when they are there";
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

/* No route for one address family is not a problem if a server of the other family was reached. */
static void tell_dial(struct doctor *doctor, const struct handshake *dial, bool any_good)
{
    char address[ADDR_TEXT];
    addr_format(dial->addr, true, address);
    if (dial->result == 0)
        doctor_say(doctor, "server", NULL, "%s %s: %s, %s, certificate %s", dial->upstream->name, address,
                   dial->facts.version, dial->facts.cipher, dial->facts.certificate.name);
    else if (dial_is_unreachable(dial) && any_good)
        doctor_note(doctor, "server", NULL, "%s %s: %s; other servers are used", dial->upstream->name, address,
                    error_text(dial->result));
    else if (dial_is_unreachable(dial))
        doctor_say(doctor, "server", "there is no route: connect this machine to a network", "%s %s: %s",
                   dial->upstream->name, address, error_text(dial->result));
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
    doctor->reached = any_good;
    tell_mtu(doctor, all);
}

/* --- dialing all servers --- */

/* `found`: room for the addresses of its host. */
static void start_upstream(struct doctor *doctor, struct dials *all, const struct config_upstream *upstream,
                           struct addr found[CONFIG_HOST_ADDRESSES])
{
    const struct addr *addresses = upstream->host ? found : upstream->addresses;
    size_t count = upstream->host ? doctor_find_host(doctor, upstream, found) : upstream->address_count;
    const char *ca_file = dials_ca_file(doctor->config, upstream);
    struct tls_trust *trust = NULL;
    int status = dials_trust(&trust, doctor->config, upstream);
    if (status == ERROR_TLS_NO_CERTIFICATE)
        doctor_say(doctor, "ca",
                   "name PEM files that belong together and that dotstub's user can read, the key without a password",
                   "%s: cannot load client-certificate %s with client-key %s", upstream->name,
                   upstream->client_certificate, upstream->client_key);
    else if (status < 0)
        doctor_say(doctor, "ca", "install ca-certificates, or set tls.ca-file to a readable PEM file",
                   "%s: cannot load CAs from %s: %s", upstream->name, ca_file, error_text(status));
    else
        doctor_say(doctor, "ca", NULL, "%s: verified by %s", upstream->name, upstream->tls_name ? ca_file : "pins");
    for (size_t i = 0; i < count && status == 0; i++)
        dials_start(all, upstream, &addresses[i], trust);
    tls_trust_unref(trust);
}

static size_t count_addresses(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        count += config->upstreams[i].host ? CONFIG_HOST_ADDRESSES : config->upstreams[i].address_count;
    return count;
}

void doctor_check_servers(struct doctor *doctor)
{
    struct dials all;
    struct addr(*found)[CONFIG_HOST_ADDRESSES] = mem_zalloc(doctor->config->upstream_count, sizeof *found);
    if (!found || dials_init(&all, count_addresses(doctor->config)) < 0) {
        mem_free(found);
        return;
    }
    for (size_t i = 0; i < doctor->config->upstream_count; i++)
        start_upstream(doctor, &all, &doctor->config->upstreams[i], found[i]);
    dials_run(&all);
    tell_all(doctor, &all);
    dials_fini(&all);
    mem_free(found);
}

/* --- address families --- */

static bool has_route(const char *address)
{
    struct link_route route;
    struct addr peer;
    if (addr_parse(&peer, address, 53) < 0)
        return false;
    link_find_route(&route, &(struct link_flow){.peer = &peer});
    return route.reach == LINK_WAY;
}

/* Looks up the kernel's route to a documentation address (RFC 5737, RFC 3849) of each family; sends nothing there. */
void doctor_check_families(struct doctor *doctor)
{
    bool v4 = has_route("198.51.100.1"), v6 = has_route("2001:db8::1");
    struct probe_response response = {.records = 0};
    doctor_say(doctor, "ipv6", v4 || v6 || doctor->reached ? NULL : "connect this machine to a network",
               "route to the Internet: %s",
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
