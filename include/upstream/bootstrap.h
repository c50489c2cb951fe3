/* SPDX-License-Identifier: MIT */
/* The present addresses of upstreams that are configured by a host name. An immutable snapshot.
 *
 * Does:    says which addresses an upstream has, or whether they are still being looked up.
 * Owns:    its entries. Ref-counted.
 * Threads: made by the main thread; then read by any.
 */
#ifndef DOTSTUB_UPSTREAM_BOOTSTRAP_H
#define DOTSTUB_UPSTREAM_BOOTSTRAP_H

#include <stdatomic.h>
#include "config/config.h"

#define BOOTSTRAP_NAME 254 /* bytes, the longest name with its NUL */

struct bootstrap_entry {
    char upstream[BOOTSTRAP_NAME], host[BOOTSTRAP_NAME];
    struct addr addresses[CONFIG_HOST_ADDRESSES]; /* without a port */
    size_t count;
    bool pending; /* it has no address, and the first lookups have not failed yet: queries wait */
};

struct bootstrap_table {
    atomic_uint refs;
    size_t count;
    struct bootstrap_entry entries[];
};

/* A table of `count` zeroed entries, with one reference. NULL: out of memory. */
struct bootstrap_table *bootstrap_table_new(size_t count);
/* NULL stays NULL. */
struct bootstrap_table *bootstrap_table_ref(struct bootstrap_table *table);
/* NULL does nothing. */
void bootstrap_table_unref(struct bootstrap_table *table);

/* The entry of an upstream with a host; NULL: none, so its addresses are still being looked up. `table` may be NULL. */
const struct bootstrap_entry *bootstrap_find(const struct bootstrap_table *table,
                                             const struct config_upstream *upstream);
/* Of an upstream with a host or with addresses: the number of its addresses, and one of them with its port. */
size_t bootstrap_count(const struct bootstrap_table *table, const struct config_upstream *upstream);
struct addr bootstrap_address(const struct bootstrap_table *table, const struct config_upstream *upstream, size_t i);

#endif
