/* SPDX-License-Identifier: MIT */
#include "config/validate_private.h"

#include "config/config.h"

/* The options whose addresses are listeners; only those of the first are for UDP, too. */
static const char *const listener_keys[] = {"listen", "listen-tls", "listen-https", "listen-http"};
enum { LISTENER_KEYS = sizeof listener_keys / sizeof *listener_keys };

bool config_proxy_means(const struct addr *wanted, const struct addr *listener)
{
    struct addr same = *listener;
    if (addr_is_interface(listener) || wanted->sa.sa_family != listener->sa.sa_family)
        return false;
    if (addr_port(wanted) == 0)
        addr_set_port(&same, 0);
    return addr_equal(wanted, &same) || (addr_is_wildcard(wanted) && addr_port(wanted) == addr_port(&same));
}

bool config_proxy_requires(const struct config *config, const struct addr *listener)
{
    bool found = config->proxy_protocol.listen_count == 0;
    for (size_t i = 0; i < config->proxy_protocol.listen_count && !found; i++)
        found = config_proxy_means(&config->proxy_protocol.listen[i], listener);
    return found && config->proxy_protocol.from_count > 0;
}

bool config_proxy_is_private(const struct config *config, const struct addr *listener)
{
    return !addr_is_wildcard(listener) &&
           (addr_is_loopback(listener) ||
            prefixes_hold(config->proxy_protocol.private, config->proxy_protocol.private_count, listener));
}

static bool is_private(const struct setting *private, const struct addr *listener)
{
    if (addr_is_interface(listener) || addr_is_wildcard(listener))
        return false;
    const struct value *value = private->first;
    while (value && !prefix_holds(&value->prefix, listener))
        value = value->next;
    return value || addr_is_loopback(listener);
}

/* Without a list, all listeners require the header. */
static bool requires_header(const struct setting *wanted, const struct addr *listener)
{
    const struct value *value = wanted->first;
    while (value && !config_proxy_means(&value->addr, listener))
        value = value->next;
    return value || wanted->count == 0;
}

static void check_udp(struct draft *draft, const struct setting *wanted)
{
    const struct setting *listen = draft_setting(draft, "listen"),
                         *private = draft_setting(draft, "proxy-protocol.private");
    char text[ADDR_TEXT];
    if (listen->broken || private->broken)
        return;
    for (const struct value *value = listen->first; value; value = value->next)
        if (requires_header(wanted, &value->addr) && !is_private(private, &value->addr))
            report_at(
                draft->report, value->mark,
                "listen: over UDP anybody could forge the PROXY headers that %s requires; name one address of a "
                "network that only your machines can send to, and that network in proxy-protocol.private, or list "
                "other listeners in proxy-protocol.listen",
                addr_format(&value->addr, true, text));
}

static bool is_listener(const struct draft *draft, const struct addr *wanted)
{
    for (unsigned i = 0; i < LISTENER_KEYS; i++)
        for (const struct value *value = draft_setting(draft, listener_keys[i])->first; value; value = value->next)
            if (config_proxy_means(wanted, &value->addr))
                return true;
    return false;
}

static void check_listen(struct draft *draft, const struct setting *wanted)
{
    char text[ADDR_TEXT];
    validate_duplicates(draft, wanted, "proxy-protocol.listen");
    for (const struct value *value = wanted->first; value; value = value->next)
        if (!is_listener(draft, &value->addr))
            report_at(
                draft->report, value->mark,
                "proxy-protocol.listen: no listener is at %s; name an address of listen, listen-tls or listen-https",
                addr_format(&value->addr, addr_port(&value->addr) != 0, text));
}

/* Clients behind a balancer are seldom on this machine. */
static int notice_access(struct draft *draft)
{
    return draft_setting(draft, "access.allow")->named
               ? 0
               : draft_notice(draft, "proxy-protocol: only clients on loopback are answered; list the clients of the "
                                     "balancers in access.allow");
}

int validate_proxy(struct draft *draft)
{
    const struct setting *from = draft_setting(draft, "proxy-protocol.from"),
                         *wanted = draft_setting(draft, "proxy-protocol.listen"),
                         *private = draft_setting(draft, "proxy-protocol.private");
    if (from->broken || wanted->broken)
        return 0;
    if (from->count == 0) {
        const struct setting *useless = wanted->count > 0 ? wanted : private;
        if (useless->count > 0)
            report_at(draft->report, useless->mark,
                      "%s: no balancer may send a header; list the balancers in proxy-protocol.from",
                      useless == wanted ? "proxy-protocol.listen" : "proxy-protocol.private");
        return 0;
    }
    check_listen(draft, wanted);
    check_udp(draft, wanted);
    return notice_access(draft);
}
