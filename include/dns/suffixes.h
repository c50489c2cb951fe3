/* SPDX-License-Identifier: MIT */
/* A table of suffixes, to find the domain that contains a name.
 *
 * Does:    finds the longest suffix of a name, in whole labels, that is in the table, with one keyed hash for each
 *          number of labels that occurs in the table: the cost of a search depends on the labels of the name, not
 *          on the size of the table.
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

/* 0, -ENOMEM, or -EEXIST (two suffixes are equal, ignoring letter case). */
int suffix_table_new(struct suffix_table **out, const struct suffix *suffixes, size_t count) MUST_CHECK;
/* NULL does nothing. */
void suffix_table_free(struct suffix_table *table);
/* `name` is uncompressed and in lower case. True: *value is the value of its longest suffix, *suffix_len the length of
 * that. */
bool suffix_table_find(const struct suffix_table *table, const uint8_t *name, size_t len, uint32_t *value,
                       size_t *suffix_len);

#endif
