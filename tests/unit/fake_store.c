/* SPDX-License-Identifier: MIT */
#include "fake_store.h"

#include <string.h>

struct store {
    int unused;
};

static struct store the_store;
static struct store_get the_get;
struct store_get *fake_store_get;
unsigned fake_store_gets, fake_store_puts, fake_store_unleases;
bool fake_store_refuses, fake_store_keeps_nothing;
uint32_t fake_store_ttl, fake_store_stale_s;

struct store *fake_store(void)
{
    return &the_store;
}

void fake_store_reset(void)
{
    memset(&the_get, 0, sizeof the_get);
    fake_store_get = NULL;
    fake_store_gets = fake_store_puts = fake_store_unleases = 0;
    fake_store_refuses = fake_store_keeps_nothing = false;
}

struct store_get *store_get(struct store *store, const struct store_entry *entry, uint64_t median_ms, uint64_t epoch,
                            void *context)
{
    (void)store;
    fake_store_gets++;
    the_get = (struct store_get){.context = context, .key = entry->key, .median_ms = median_ms, .epoch = epoch};
    return fake_store_get = fake_store_refuses ? NULL : &the_get;
}

void store_forget(struct store_get *get)
{
    get->forgotten = true;
}

bool store_put(struct store *store, const struct store_entry *entry, const struct answer *answer, uint32_t stale_s,
               enum store_verdict verdict)
{
    (void)store;
    (void)entry;
    (void)verdict;
    fake_store_puts++;
    fake_store_ttl = answer->ttl;
    fake_store_stale_s = stale_s;
    return !fake_store_keeps_nothing;
}

void store_unlease(struct store *store, const struct store_entry *entry)
{
    (void)store;
    (void)entry;
    fake_store_unleases++;
}
