/* SPDX-License-Identifier: MIT */
/* Invariant: after a table was published only its reference count changes. */
#include "upstream/bootstrap.h"

#include <string.h>
#include "base/mem.h"

struct bootstrap_table *bootstrap_table_new(size_t count)
{
    struct bootstrap_table *table = mem_zalloc(1, sizeof *table + count * sizeof *table->entries);
    if (!table)
        return NULL;
    atomic_init(&table->refs, 1);
    table->count = count;
    return table;
}

struct bootstrap_table *bootstrap_table_ref(struct bootstrap_table *table)
{
    if (table)
        atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void bootstrap_table_unref(struct bootstrap_table *table)
{
    if (table && atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) == 1)
        mem_free(table);
}

const struct bootstrap_entry *bootstrap_find(const struct bootstrap_table *table,
                                             const struct config_upstream *upstream)
{
    for (size_t i = 0; table && i < table->count; i++)
        if (strcmp(table->entries[i].upstream, upstream->name) == 0 &&
            strcmp(table->entries[i].host, upstream->host) == 0)
            return &table->entries[i];
    return NULL;
}

size_t bootstrap_count(const struct bootstrap_table *table, const struct config_upstream *upstream)
{
    if (!upstream->host)
        return upstream->address_count;
    const struct bootstrap_entry *entry = bootstrap_find(table, upstream);
    return entry ? entry->count : 0;
}

struct addr bootstrap_address(const struct bootstrap_table *table, const struct config_upstream *upstream, size_t i)
{
    if (!upstream->host)
        return upstream->addresses[i];
    struct addr addr = bootstrap_find(table, upstream)->addresses[i];
    addr_set_port(&addr, upstream->port);
    return addr;
}
