/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing; at least half of the slots are free, so each probe ends.
 *
 * Invariant: a bit of `depths` is set if and only if the table has a suffix with that number of labels.
 */
#include "dns/suffixes.h"

#include <errno.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"

#define LABELS_MAX 127 /* of a name of NAME_MAX_WIRE bytes, without the root */

struct suffix_slot {
    uint64_t hash;
    const uint8_t *name; /* in `names`; NULL: the slot is free */
    uint32_t value;
    uint8_t len;
};

struct suffix_table {
    uint64_t depths[(LABELS_MAX + 64) / 64];
    size_t mask; /* number of slots - 1 */
    struct suffix_slot *slots;
    uint8_t *names;
};

static bool has_depth(const struct suffix_table *table, unsigned labels)
{
    return table->depths[labels / 64] >> labels % 64 & 1;
}

/* The slot of this suffix, or the free slot for it. */
static struct suffix_slot *slot_of(const struct suffix_table *table, const uint8_t *name, size_t len, uint64_t hash)
{
    size_t at = hash & table->mask;
    for (;; at = (at + 1) & table->mask) {
        struct suffix_slot *slot = &table->slots[at];
        if (!slot->name || (slot->hash == hash && slot->len == len && memcmp(slot->name, name, len) == 0))
            return slot;
    }
}

static int add(struct suffix_table *table, const uint8_t *name, size_t len, uint32_t value)
{
    uint64_t hash = hash_bytes(name, len);
    unsigned labels = name_labels(name);
    struct suffix_slot *slot = slot_of(table, name, len, hash);
    if (slot->name)
        return -EEXIST;
    *slot = (struct suffix_slot){hash, name, value, (uint8_t)len};
    table->depths[labels / 64] |= UINT64_C(1) << labels % 64;
    return 0;
}

static size_t suffix_len(const struct suffix *suffix)
{
    return name_len((struct bytes){suffix->name, NAME_MAX_WIRE});
}

static int fill(struct suffix_table *table, const struct suffix *suffixes, size_t count)
{
    uint8_t *at = table->names;
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        size_t len = suffix_len(&suffixes[i]);
        name_lower(at, suffixes[i].name, len);
        status = add(table, at, len, suffixes[i].value);
        at += len;
    }
    return status;
}

int suffix_table_new(struct suffix_table **out, const struct suffix *suffixes, size_t count)
{
    struct suffix_table *table = mem_zalloc(1, sizeof *table);
    size_t slots = 4, bytes = 0;
    int status = -ENOMEM;
    if (!table)
        return -ENOMEM;
    while (slots < 2 * count)
        slots *= 2;
    for (size_t i = 0; i < count; i++)
        bytes += suffix_len(&suffixes[i]);
    table->mask = slots - 1;
    table->slots = mem_zalloc(slots, sizeof *table->slots);
    table->names = mem_alloc(bytes + 1);
    if (!table->slots || !table->names)
        goto fail;
    status = fill(table, suffixes, count);
    if (status < 0)
        goto fail;
    *out = table;
    return 0;
fail:
    suffix_table_free(table);
    return status;
}

void suffix_table_free(struct suffix_table *table)
{
    if (!table)
        return;
    mem_free(table->slots);
    mem_free(table->names);
    mem_free(table);
}

bool suffix_table_find(const struct suffix_table *table, const uint8_t *name, size_t len, uint32_t *value,
                       size_t *suffix_len)
{
    unsigned labels = name_labels(name);
    for (;; labels--) {
        if (has_depth(table, labels)) {
            const struct suffix_slot *slot = slot_of(table, name, len, hash_bytes(name, len));
            if (slot->name) {
                *value = slot->value;
                *suffix_len = len;
                return true;
            }
        }
        if (labels == 0)
            return false;
        len -= 1 + (size_t)*name;
        name += 1 + (size_t)*name;
    }
}
