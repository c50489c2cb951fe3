/* SPDX-License-Identifier: MIT */
/* Invariant: `range` is sorted by its first address; a range ends where the next one begins. Prefixes contain each other or have
 * no address in common, so the ranges follow from one pass over the sorted prefixes with a stack of those that are open.
 */
#include "base/prefixmap.h"

#include <errno.h>
#include <stdlib.h>
#include "base/mem.h"

/* An address of 128 bits in the processor's byte order. */
struct wide {
    uint64_t high, low;
};

struct prefix_range {
    struct wide first;
    uint32_t value;
};

struct prefix_map {
    size_t count;
    struct prefix_range range[];
};

static int compare_wide(struct wide a, struct wide b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

static struct wide wide_of(const uint8_t bytes[16])
{
    uint64_t halves[2];
    memcpy(halves, bytes, sizeof halves);
    return (struct wide){be64toh(halves[0]), be64toh(halves[1])};
}

static uint64_t host_bits(unsigned prefix_bits)
{
    return prefix_bits >= 64 ? 0 : UINT64_MAX >> prefix_bits;
}

static struct wide last_of(const struct prefix *prefix)
{
    struct wide last = wide_of(prefix->bytes);
    last.high |= host_bits(prefix->bits);
    last.low |= host_bits(prefix->bits > 64 ? prefix->bits - 64u : 0);
    return last;
}

/* A prefix comes after those that contain it. */
static int compare_prefixes(const void *a, const void *b)
{
    const struct prefix_value *left = a, *right = b;
    int order = memcmp(left->prefix.bytes, right->prefix.bytes, sizeof left->prefix.bytes);
    return order ? order : (int)left->prefix.bits - (int)right->prefix.bits;
}

static bool are_different(const struct prefix_value *sorted, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (compare_prefixes(&sorted[i - 1], &sorted[i]) == 0)
            return false;
    return true;
}

/* --- making --- */

struct prefix_making {
    struct prefix_map *map;
    const struct prefix_value **open; /* the prefixes that contain the current address, the longest one last */
    size_t depth;
};

/* The range of an earlier call that would be empty is replaced. */
static void begin_range(struct prefix_map *map, struct wide first, uint32_t value)
{
    if (map->count > 0 && compare_wide(map->range[map->count - 1].first, first) == 0)
        map->count--;
    map->range[map->count++] = (struct prefix_range){first, value};
}

static uint32_t open_value(const struct prefix_making *making)
{
    return making->depth > 0 ? making->open[making->depth - 1]->value : PREFIX_MAP_NONE;
}

static void close_last(struct prefix_making *making)
{
    struct wide next = last_of(&making->open[--making->depth]->prefix);
    if (++next.low == 0 && ++next.high == 0)
        return; /* there is no address behind it */
    begin_range(making->map, next, open_value(making));
}

static void add(struct prefix_making *making, const struct prefix_value *item)
{
    struct wide first = wide_of(item->prefix.bytes);
    while (making->depth > 0 && compare_wide(last_of(&making->open[making->depth - 1]->prefix), first) < 0)
        close_last(making);
    begin_range(making->map, first, item->value);
    making->open[making->depth++] = item;
}

/* A prefix shorter than ::ffff:0:0/96 contains no IPv4 address, as in prefix_holds: this one is always there. */
static const struct prefix_value mapped = {{.bytes = {[10] = 0xff, [11] = 0xff}, .bits = ADDR_MAPPED_BITS},
                                           PREFIX_MAP_NONE};

static void make(struct prefix_making *making, const struct prefix_value *list, size_t count)
{
    bool has_mapped = false;
    for (size_t i = 0; i < count; i++) {
        int order = compare_prefixes(&list[i], &mapped);
        if (order > 0 && !has_mapped)
            add(making, &mapped);
        has_mapped |= order >= 0;
        add(making, &list[i]);
    }
    if (!has_mapped)
        add(making, &mapped);
    while (making->depth > 0)
        close_last(making);
}

int prefix_map_new(struct prefix_map **out, struct prefix_value *list, size_t count)
{
    struct prefix_making making = {
        .map = mem_zalloc(1, sizeof *making.map + 2 * (count + 1) * sizeof(struct prefix_range)),
        .open = mem_zalloc(count + 1, sizeof(struct prefix_value *))};
    int status = making.map && making.open ? 0 : -ENOMEM;
    if (status == 0 && count > 0)
        qsort(list, count, sizeof *list, compare_prefixes);
    if (status == 0 && !are_different(list, count))
        status = -EEXIST;
    if (status == 0)
        make(&making, list, count);
    mem_free(making.open);
    if (status < 0)
        mem_free(making.map);
    else
        *out = making.map;
    return status;
}

void prefix_map_free(struct prefix_map *map)
{
    mem_free(map);
}

/* --- searching --- */

uint32_t prefix_map_find(const struct prefix_map *map, const struct addr *addr)
{
    struct wide wanted = {0, ADDR_MAPPED};
    if (addr->sa.sa_family == AF_INET)
        wanted.low |= ntohl(addr->in.sin_addr.s_addr);
    else
        wanted = wide_of(addr->in6.sin6_addr.s6_addr);
    size_t begin = 0, end = map->count; /* the number of ranges that begin at or before `wanted` */
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (compare_wide(map->range[middle].first, wanted) <= 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin > 0 ? map->range[begin - 1].value : PREFIX_MAP_NONE;
}
