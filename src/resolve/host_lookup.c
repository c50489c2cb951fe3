/* SPDX-License-Identifier: MIT */
/* Invariant: each half ends once, by half_end; the last one to end calls `done`. */
#include "resolve/host_lookup.h"

#include <string.h>
#include "base/errors.h"
#include "dns/addresses.h"
#include "lookup.h"
#include "resolve/resolver.h"

bool host_address_is_usable(const struct addr *addr)
{
    if (addr_is_loopback(addr) || addr_is_wildcard(addr))
        return false;
    if (addr->sa.sa_family == AF_INET) {
        uint32_t host = ntohl(addr->in.sin_addr.s_addr);
        return host >> 24 != 0 && host >> 16 != 0xa9fe && host >> 28 < 0xe; /* "this" network, 169.254/16, 224/4 on */
    }
    const struct in6_addr *in6 = &addr->in6.sin6_addr;
    return !IN6_IS_ADDR_LINKLOCAL(in6) && !IN6_IS_ADDR_MULTICAST(in6) && !IN6_IS_ADDR_V4MAPPED(in6) &&
           !IN6_IS_ADDR_V4COMPAT(in6);
}

static void half_end(struct host_half *half, int status)
{
    struct host_lookup *whole = half->whole;
    half->status = status;
    if (--whole->outstanding == 0)
        whole->done(whole);
}

/* Keeps the usable ones. */
static void half_take(struct host_half *half, const struct answer *answer)
{
    size_t found = addresses_list(answer, half == &half->whole->halves[HOST_V4] ? TYPE_A : TYPE_AAAA, half->addresses,
                                  CONFIG_HOST_EACH);
    for (size_t i = 0; i < found; i++)
        if (host_address_is_usable(&half->addresses[i]))
            half->addresses[half->count++] = half->addresses[i];
    half->ttl = answer->ttl;
}

static void half_done(struct waiter *waiter, const struct answer *answer)
{
    struct host_half *half = container_of(waiter, struct host_half, waiter);
    char text[EDE_TEXT + 1];
    int code;
    if (!answer) {
        half_end(half, lookup_explain(waiter->lookup, false, &code, text));
        return;
    }
    if (!answer_is_conclusive(answer)) {
        half_end(half, ERROR_UPSTREAM_ANSWER);
        return;
    }
    half_take(half, answer);
    half_end(half, 0);
}

static int half_begin(struct host_half *half, struct resolver *resolver, uint16_t type)
{
    const struct groups *groups = resolver->groups;
    struct key key = {.type = type, .class = CLASS_IN};
    int len = name_from_text(key.name, half->whole->host);
    if (len < 0 || resolver->stopping)
        return ERROR_NO_SERVER;
    key.name_len = (uint8_t)len;
    struct group *group = half->whole->group ? groups_named(groups, half->whole->group)
                                             : groups_find(groups, groups_route(groups, 0, &key));
    if (!group)
        return ERROR_NO_SERVER;
    key.group = group_id(group);
    counter_add(resolver->counters, COUNTER_bootstrap_lookups, half->whole->group != NULL);
    counter_add(resolver->counters, COUNTER_bootstrap_plain, half->whole->plain);
    half->waiter.done = half_done;
    return lookup_join(resolver, group, &key, key_hash(&key), &half->waiter, NULL) ? 0 : ERROR_LIMIT;
}

void host_lookup_begin(struct host_lookup *lookup, struct resolver *resolver)
{
    static const uint16_t types[] = {[HOST_V4] = TYPE_A, [HOST_V6] = TYPE_AAAA};
    lookup->outstanding = HOST_FAMILIES;
    for (int i = 0; i < HOST_FAMILIES; i++)
        lookup->halves[i] = (struct host_half){.whole = lookup};
    for (int i = 0; i < HOST_FAMILIES; i++) {
        int status = half_begin(&lookup->halves[i], resolver, types[i]);
        if (status < 0)
            half_end(&lookup->halves[i], status);
    }
}
