/* SPDX-License-Identifier: MIT */
/* A table of suffixes: which of many domains a name lies in.
 *
 * Does:    finds the longest suffix of a name, in whole labels, that is in the table, by one keyed hash for each depth that the
 *          table has suffixes of: what a find costs depends on the labels of the name, not on the size of the table.
 * Owns:    copies of the suffixes. Immutable once made.
 * Threads: any.
 */
#ifndef DOTSTUB_DNS_SUFFIXES_H
#define DOTSTUB_DNS_SUFFIXES_H

#include <stdbool.h>
#include "dns/name.h"

struct suffix {
    const uint8_t *name; /* uncompressed; the root is a suffix of every name */
    uint32_t value;
};

struct suffix_table;

/* 0, -ENOMEM, or -EEXIST: two suffixes are equal but for letter case. */
int suffix_table_new(struct suffix_table **out, const struct suffix *suffixes, size_t count) MUST_CHECK;
/* NULL does nothing. */
void suffix_table_free(struct suffix_table *table);
/* `name` is uncompressed and in lower case. True: *value is that of its longest suffix. */
bool suffix_table_find(const struct suffix_table *table, const uint8_t *name, size_t len, uint32_t *value);

#endif
