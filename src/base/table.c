/* SPDX-License-Identifier: MIT */
/* Invariants: there are mask + 1 buckets, a power of two; a link is in the chain of buckets[hash & mask]. */
#include "base/table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"

enum { BUCKETS_LEAST = 16 };

int table_init(struct table *table, size_t expected)
{
    size_t buckets = BUCKETS_LEAST;
    while (buckets < expected && buckets <= SIZE_MAX / 2)
        buckets *= 2;
    struct table_link **array = mem_zalloc(buckets, sizeof(*array));
    if (!array)
        return -ENOMEM;
    *table = (struct table){.buckets = array, .mask = buckets - 1};
    return 0;
}

void table_fini(struct table *table)
{
    mem_free(table->buckets);
    *table = (struct table){0};
}

/* Without memory for more buckets the chains get longer, and the next insertion tries again. */
static void grow(struct table *table)
{
    struct table larger;
    if (table_init(&larger, (table->mask + 1) * 2) < 0)
        return;
    larger.count = table->count;
    for (size_t i = 0; i <= table->mask; ++i) {
        struct table_link *link = table->buckets[i];
        while (link) {
            struct table_link *next = link->next, **bucket = &larger.buckets[link->hash & larger.mask];
            link->next = *bucket;
            *bucket = link;
            link = next;
        }
    }
    mem_free(table->buckets);
    *table = larger;
}

void table_insert(struct table *table, struct table_link *link, uint64_t hash)
{
    struct table_link **bucket = &table->buckets[hash & table->mask];
    *link = (struct table_link){*bucket, hash};
    *bucket = link;
    if (++table->count > table->mask + 1)
        grow(table);
}

void table_remove(struct table *table, struct table_link *link)
{
    struct table_link **at = &table->buckets[link->hash & table->mask];
    while (*at != link) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = link->next;
    link->next = NULL;
    --table->count;
}

struct table_link *table_first(const struct table *table, uint64_t hash)
{
    struct table_link *link = table->buckets[hash & table->mask];
    while (link && link->hash != hash)
        link = link->next;
    return link;
}

struct table_link *table_next(const struct table_link *link)
{
    struct table_link *next = link->next;
    while (next && next->hash != link->hash)
        next = next->next;
    return next;
}
