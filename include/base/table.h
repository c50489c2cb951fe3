/* SPDX-License-Identifier: MIT */
/* Intrusive hash table with chaining; the caller compares keys.
 *
 * Does:    finds objects by a 64-bit hash that the caller computed with a keyed hash.
 * Owns:    its bucket array only; the caller owns the objects.
 * Threads: none.
 */
#ifndef DOTSTUB_BASE_TABLE_H
#define DOTSTUB_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include "base/check.h"

struct table_link {
    struct table_link *next;
    uint64_t hash;
};

struct table {
    struct table_link **buckets;
    size_t mask, count;
};

/* Makes room for about `expected` objects. The table grows by doubling; if that fails for lack of memory it only
 * gets slower. 0 or -ENOMEM. */
int table_init(struct table *table, size_t expected) MUST_CHECK;
/* Frees the bucket array, not the objects. */
void table_fini(struct table *table);
void table_insert(struct table *table, struct table_link *link, uint64_t hash);
/* The link must be in the table. */
void table_remove(struct table *table, struct table_link *link);
/* The first link with exactly this hash, or NULL; table_next returns further links with the same hash. */
struct table_link *table_first(const struct table *table, uint64_t hash);
struct table_link *table_next(const struct table_link *link);

#endif
