/* SPDX-License-Identifier: MIT */
#include "interfaces.h"
#include <net/if.h>
#include <stddef.h>
#include <string.h>

struct ifaddrs *interfaces_read(void)
{
    struct ifaddrs *interfaces;
    return getifaddrs(&interfaces) == 0 ? interfaces : NULL;
}

void interfaces_free(struct ifaddrs *interfaces)
{
    if (interfaces)
        freeifaddrs(interfaces);
}

bool interface_is_up(const struct ifaddrs *interfaces, const char *name)
{
    for (; interfaces; interfaces = interfaces->ifa_next)
        if (strcmp(interfaces->ifa_name, name) == 0 && interfaces->ifa_flags & IFF_UP)
            return true;
    return false;
}
