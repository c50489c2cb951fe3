/* SPDX-License-Identifier: MIT */
#include "config/own.h"

#include <ifaddrs.h>
#include <string.h>

bool own_takes(const struct addr *listening, const struct addr *addr, const struct ifaddrs *interfaces)
{
    bool is_wildcard = !addr_is_interface(listening) && addr_is_wildcard(listening);
    if (addr_equal(listening, addr))
        return true;
    if (addr_port(listening) != addr_port(addr) || !(is_wildcard || addr_is_interface(listening)))
        return false;
    if (is_wildcard && listening->sa.sa_family != addr->sa.sa_family)
        return false;
    if (is_wildcard && addr_is_loopback(addr)) /* all of 127.0.0.0/8 */
        return true;
    struct addr local, wanted;
    if (addr_resolve(&wanted, addr) < 0)
        return false;
    for (const struct ifaddrs *at = interfaces; at; at = at->ifa_next) {
        if (!at->ifa_addr || addr_from_sockaddr(&local, at->ifa_addr) < 0 ||
            (addr_is_interface(listening) && strcmp(addr_interface(listening), at->ifa_name) != 0))
            continue;
        addr_set_port(&local, addr_port(addr));
        if (addr_equal(&local, &wanted))
            return true;
    }
    return false;
}

/* Wildcards and interfaces do not listen there (listen-except). */
static void except(struct ifaddrs *interfaces, const char *name, size_t len)
{
    for (struct ifaddrs *at = interfaces; at; at = at->ifa_next)
        if (strlen(at->ifa_name) == len && memcmp(at->ifa_name, name, len) == 0)
            at->ifa_addr = NULL;
}

bool config_is_own(const struct config *config, const struct addr *addr)
{
    struct ifaddrs *interfaces = NULL;
    bool found = false;
    if (getifaddrs(&interfaces) < 0)
        interfaces = NULL;
    for (size_t i = 0; i < config->listen_except_count; i++)
        except(interfaces, config->listen_except[i], strlen(config->listen_except[i]));
    for (size_t i = 0; i < config->listen_count && !found; i++)
        found = own_takes(&config->listen[i], addr, interfaces);
    for (size_t i = 0; i < config->listen_tls_count && !found; i++)
        found = own_takes(&config->listen_tls[i], addr, interfaces);
    for (size_t i = 0; i < config->listen_https_count && !found; i++)
        found = own_takes(&config->listen_https[i], addr, interfaces);
    if (interfaces)
        freeifaddrs(interfaces);
    return found;
}

/* --- the draft --- */

/* The listeners, and the addresses of this machine. */
struct own {
    struct draft *draft;
    const struct setting *listen[3]; /* in the order of `own_lists` */
    struct ifaddrs *interfaces;
};

static const char *const own_lists[] = {"listen", "listen-tls", "listen-https"};
enum { OWN_LISTS = sizeof own_lists / sizeof *own_lists };

static bool takes_any(const struct own *own, const struct setting *listen, const struct addr *addr)
{
    for (const struct value *value = listen->first; value; value = value->next)
        if (own_takes(&value->addr, addr, own->interfaces))
            return true;
    return false;
}

static void check(const struct own *own, const char *key, const struct value *value, const struct addr *addr)
{
    char text[ADDR_TEXT];
    bool found = false;
    for (size_t i = 0; i < OWN_LISTS && !found; i++)
        found = takes_any(own, own->listen[i], addr);
    if (found)
        report_at(own->draft->report, value->mark,
                  "%s: %s is an address of dotstub itself, so queries would come back; name another server", key,
                  addr_format(addr, true, text));
}

static void check_addresses(const struct own *own, const struct draft_item *item, const char *key)
{
    for (const struct value *value = draft_item_setting(item, key)->first; value; value = value->next)
        check(own, key, value, &value->addr);
}

static void check_routes(const struct own *own, const struct setting *routes)
{
    for (const struct draft_item *route = routes->items; route; route = route->next)
        check_addresses(own, route, "to");
}

static void check_bootstrap(const struct own *own, const struct draft_item *upstream)
{
    enum { PORT_DNS = 53 };
    for (const struct value *value = draft_item_setting(upstream, "bootstrap")->first; value; value = value->next) {
        char text[ADDR_TEXT];
        struct addr addr;
        snprintf(text, sizeof text, "%.*s", (int)value->text.len, (const char *)value->text.data);
        if (value->text.len < sizeof text && addr_parse(&addr, text, PORT_DNS) == 0)
            check(own, "bootstrap", value, &addr);
    }
}

/* Does a listener stand for more than the addresses that it names? */
static bool needs_interfaces(const struct setting *listen)
{
    for (const struct value *value = listen->first; value; value = value->next)
        if (addr_is_interface(&value->addr) || addr_is_wildcard(&value->addr))
            return true;
    return false;
}

void own_check(struct draft *draft)
{
    struct own own = {.draft = draft};
    bool needed = false;
    for (size_t i = 0; i < OWN_LISTS; i++) {
        own.listen[i] = draft_setting(draft, own_lists[i]);
        needed |= needs_interfaces(own.listen[i]);
    }
    if (needed && getifaddrs(&own.interfaces) < 0)
        own.interfaces = NULL;
    for (const struct value *value = draft_setting(draft, "listen-except")->first; value; value = value->next)
        except(own.interfaces, (const char *)value->text.data, value->text.len);
    for (struct draft_item *item = draft_setting(draft, "upstreams")->items; item; item = item->next) {
        check_addresses(&own, item, "addresses");
        check_bootstrap(&own, item);
    }
    check_routes(&own, draft_setting(draft, "forward"));
    for (struct draft_item *view = draft_setting(draft, "views")->items; view; view = view->next)
        check_routes(&own, draft_item_setting(view, "forward"));
    if (own.interfaces)
        freeifaddrs(own.interfaces);
}
