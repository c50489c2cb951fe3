/* SPDX-License-Identifier: MIT */
/* A compact table of host names and their addresses.
 *
 * Does:    finds the addresses of a name, and the name of an address. Names and addresses are in one block of memory;
 *          a name costs its length in wire form, 13 bytes for an IPv4 address (17 if it expires), and 12 to 24 bytes of
 *          index; the reverse entry of an address costs about as much again.
 * Owns:    copies of all it was given.
 * Threads: filled by one; then immutable, any.
 */
#ifndef DOTSTUB_POLICY_HOSTS_TABLE_H
#define DOTSTUB_POLICY_HOSTS_TABLE_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/bytes.h"
#include "base/check.h"
#include "dns/name.h"

#define HOSTS_NAMES_MAX     5000000 /* in a table */
#define HOSTS_ADDRESSES_MAX 64      /* of a name */

/* An index into the block: open addressing. Half of the hash saves most looks into the block. */
struct hosts_slot {
    uint32_t at, hash; /* at 0: free */
};
struct hosts_index {
    struct hosts_slot *slots;
    size_t mask, count;
};

struct hosts_table {
    uint8_t *block;
    size_t used, cap;
    struct hosts_index names, reverses;
    uint64_t *filter; /* set by hosts_table_finish */
    unsigned filter_shift;
    uint64_t shapes; /* a bit for each hosts_shape of its names */
};

struct hosts_address {
    uint8_t len; /* 4 or 16 */
    uint8_t bytes[16];
    uint32_t expires; /* seconds since 1970; 0: never */
};

int hosts_table_init(struct hosts_table *table) MUST_CHECK;
void hosts_table_fini(struct hosts_table *table);
/* `name` is in lower case. 0 with the offset of the name in *at, also if the name has the address already; -ENOSPC (too
 * many names, or addresses of the name); or -ENOMEM. */
int hosts_table_add(struct hosts_table *table, const uint8_t *name, size_t len, const struct hosts_address *address,
                    uint32_t *at) MUST_CHECK;
/* The name at this offset is that of the address, unless the address has one. 0 or -ENOMEM. */
int hosts_table_add_reverse(struct hosts_table *table, uint32_t name, const struct hosts_address *address) MUST_CHECK;
/* Makes the filter. 0 or -ENOMEM. */
int hosts_table_finish(struct hosts_table *table) MUST_CHECK;

/* The offset of the name's first address, for hosts_table_next; 0: there is no such name. */
uint32_t hosts_table_find(const struct hosts_table *table, const uint8_t *name, size_t len);
/* Reads an address, and returns the offset of the next one; 0: it was the last one. */
uint32_t hosts_table_next(const struct hosts_table *table, uint32_t at, struct hosts_address *out);
/* The name of an address, of which `len` and `bytes` count; `expires` is set. NULL: it has none. */
const uint8_t *hosts_table_name(const struct hosts_table *table, struct hosts_address *address);

/* A first filter that hardly costs anything: from the lengths of the name and of its first label. */
static inline unsigned hosts_shape(const uint8_t *name, size_t len)
{
    return (unsigned)(len + 8 * (size_t)*name) & 63;
}

/* Up to 8 bytes of a name of `left` bytes; 16 bytes are readable at the start of each name. */
static inline uint64_t hosts_load(const uint8_t *at, size_t left)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    value = le64toh(value);
    return left >= 8 ? value : value & ((UINT64_C(1) << 8 * left) - 1);
}

static inline uint64_t hosts_filter_bit(const struct hosts_table *table, const uint8_t *name, size_t len)
{
    uint64_t mixed = hosts_load(name, len) * UINT64_C(0x9E3779B97F4A7C15);
    if (len > 8)
        mixed ^= hosts_load(name + 8, len - 8) * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (mixed ^ len * UINT64_C(0x165667B19E3779F9)) >> table->filter_shift;
}

/* False: neither a name nor the reverse name of an address. At least 16 bytes must be readable at `name`. */
static inline bool hosts_table_may_hold(const struct hosts_table *table, const uint8_t *name, size_t len)
{
    uint64_t bit = hosts_filter_bit(table, name, len);
    return table->filter[bit / 64] >> bit % 64 & 1;
}

/* The name below in-addr.arpa or ip6.arpa; returns its length. */
size_t hosts_reverse_name(uint8_t out[NAME_MAX_WIRE], const struct hosts_address *address);
/* The address of such a name in lower case. False: it is not the name of a whole address. */
bool hosts_reverse_address(struct hosts_address *out, const uint8_t *name, size_t len);

#endif
