/* SPDX-License-Identifier: MIT */
#include "addresses.h"
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include "base/mem.h"

static bool is_excepted(const struct config *config, const char *interface)
{
    for (size_t i = 0; i < config->listen_except_count; i++)
        if (strcmp(config->listen_except[i], interface) == 0)
            return true;
    return false;
}

int addresses_add(struct address_list *list, const struct addr *addr)
{
    for (size_t i = 0; i < list->count; i++)
        if (addr_equal(&list->list[i], addr))
            return 0;
    struct addr *larger = mem_resize(list->list, (list->count + 1) * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    list->list = larger;
    larger[list->count++] = *addr;
    return 0;
}

/* Does an address of this interface stand for the wanted one? */
static bool is_meant(const struct config *config, const struct addr *wanted, const struct ifaddrs *at)
{
    if (is_excepted(config, at->ifa_name))
        return false;
    if (addr_is_interface(wanted))
        return strcmp(addr_interface(wanted), at->ifa_name) == 0;
    return wanted->sa.sa_family == at->ifa_addr->sa_family;
}

/* Adds the addresses that `wanted`, an interface or a wildcard, stands for. *any: there were some. */
static int add_all(struct address_list *list, const struct config *config, const struct addr *wanted,
                   const struct ifaddrs *interfaces, bool *any)
{
    int status = 0;
    *any = false;
    for (const struct ifaddrs *at = interfaces; status == 0 && at; at = at->ifa_next) {
        struct addr addr;
        if (!at->ifa_addr || addr_from_sockaddr(&addr, at->ifa_addr) < 0 || !is_meant(config, wanted, at))
            continue;
        addr_set_port(&addr, addr_port(wanted));
        status = addresses_add(list, &addr);
        *any = true;
    }
    return status;
}

static bool is_expanded(const struct config *config, const struct addr *wanted)
{
    return addr_is_interface(wanted) || (addr_is_wildcard(wanted) && config->listen_except_count > 0);
}

int addresses_find(struct address_list *out, const struct config *config, const struct listener_addresses *wanted,
                   void (*missing)(void *context, const struct addr *addr), void *context)
{
    struct address_list list = {.count = 0};
    struct ifaddrs *interfaces = NULL;
    int status = 0;
    if (addresses_can_change(config, wanted) && getifaddrs(&interfaces) < 0)
        return -errno;
    for (size_t i = 0; status == 0 && i < wanted->count; i++) {
        struct addr addr;
        bool found = true;
        if (is_expanded(config, &wanted->list[i]))
            status = add_all(&list, config, &wanted->list[i], interfaces, &found);
        else if (addr_resolve(&addr, &wanted->list[i]) == 0)
            status = addresses_add(&list, &addr);
        else
            found = false;
        if (!found)
            missing(context, &wanted->list[i]);
    }
    if (interfaces)
        freeifaddrs(interfaces);
    if (status < 0)
        mem_free(list.list);
    else
        *out = list;
    return status;
}

bool addresses_can_change(const struct config *config, const struct listener_addresses *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (is_expanded(config, &wanted->list[i]) || addr_interface(&wanted->list[i]))
            return true;
    return false;
}
