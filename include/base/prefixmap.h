/* SPDX-License-Identifier: MIT */
/* A map from prefixes to numbers; the longest prefix that contains an address decides.
 *
 * Does:    finds the number of an address by a binary search; immutable.
 * Owns:    its memory; the prefixes are copied.
 * Threads: made by one, then read by any.
 */
#ifndef DOTSTUB_BASE_PREFIXMAP_H
#define DOTSTUB_BASE_PREFIXMAP_H

#include "base/addr.h"

struct prefix_map;

struct prefix_value {
    struct prefix prefix;
    uint32_t value; /* not PREFIX_MAP_NONE */
};

#define PREFIX_MAP_NONE UINT32_MAX

/* `list` is sorted by this call. 0, -ENOMEM, or -EEXIST: two prefixes are equal. */
int prefix_map_new(struct prefix_map **out, struct prefix_value *list, size_t count) MUST_CHECK;
/* NULL does nothing. */
void prefix_map_free(struct prefix_map *map);
/* The value of the longest prefix that contains the address (an IPv4-mapped one counts as IPv4), or PREFIX_MAP_NONE. */
uint32_t prefix_map_find(const struct prefix_map *map, const struct addr *addr);

#endif
