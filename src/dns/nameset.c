/* SPDX-License-Identifier: MIT */
/* A set is an array of entries sorted by bucket, and an index with the start of each bucket. The first bits of the
 * hash choose the bucket; an entry has the last 56 bits of the first half, 16 bits of the second half, and the value.
 *
 * Invariant: a bucket's number has at least 8 bits, so number and entry together give the first half of the hash, from
 * which filters are made.
 */
#include "dns/nameset.h"

#include <errno.h>
#include <string.h>
#include "base/mem.h"

enum { BUCKET = 16, BITS_MIN = 8, REST_BITS = 56, NAMES_PER_WORD = 8 };

#define REST_MASK ((UINT64_C(1) << REST_BITS) - 1)

struct name_set_item {
    uint64_t first;
    uint16_t second;
    uint8_t value; /* 0: merged into another item */
};

/* --- building --- */

static int make_room(struct name_set_builder *builder)
{
    size_t cap = builder->cap ? builder->cap + builder->cap / 2 : 1024;
    if (builder->count < builder->cap)
        return 0;
    struct name_set_item *items = mem_resize(builder->items, cap * sizeof *items);
    if (!items)
        return -ENOMEM;
    builder->items = items;
    builder->cap = cap;
    return 0;
}

int name_set_add(struct name_set_builder *builder, const uint8_t *name, size_t len, uint8_t value)
{
    unsigned labels = name_labels(name);
    if (builder->count >= (builder->limit ? builder->limit : NAME_SET_MAX))
        return -ENOSPC;
    int status = make_room(builder);
    if (status < 0)
        return status;
    struct wide_hash hash = hash_wide(name, len);
    builder->items[builder->count++] = (struct name_set_item){hash.first, (uint16_t)hash.second, value};
    builder->depths.bits[labels / 64] |= UINT64_C(1) << labels % 64;
    return 0;
}

void name_set_drop(struct name_set_builder *builder)
{
    mem_free(builder->items);
    *builder = (struct name_set_builder){.limit = builder->limit};
}

static unsigned choose_bits(size_t count)
{
    unsigned bits = BITS_MIN;
    while (((size_t)BUCKET << bits) < count)
        bits++;
    return bits;
}

static size_t bucket_of(const struct name_set *set, uint64_t first)
{
    return (size_t)(first >> (64 - set->bits));
}

/* An entry's first eight bytes. */
static uint64_t load_word(const uint8_t *entry)
{
    uint64_t word;
    memcpy(&word, entry, sizeof word);
    return word;
}

static uint16_t load_second(const uint8_t *entry)
{
    uint16_t second;
    memcpy(&second, entry + sizeof(uint64_t), sizeof second);
    return second;
}

static void store_entry(uint8_t *entry, uint64_t rest, uint16_t second, uint8_t value)
{
    uint64_t word = rest << 8 | value;
    memcpy(entry, &word, sizeof word);
    memcpy(entry + sizeof word, &second, sizeof second);
}

/* The entry of a bucket with this hash, or its end. */
static uint8_t *find_entry(uint8_t *entry, const uint8_t *end, uint64_t rest, uint16_t second)
{
    while (entry != end && (load_word(entry) >> 8 != rest || load_second(entry) != second))
        entry += NAME_SET_ENTRY;
    return entry;
}

/* Puts the items into their buckets, whose ends are in `ends`. Items that are already there are merged. */
static void place_items(struct name_set *set, const struct name_set_builder *builder, uint32_t *ends,
                        uint8_t (*merge)(uint8_t a, uint8_t b))
{
    for (size_t i = 0; i < builder->count; i++) {
        const struct name_set_item *item = &builder->items[i];
        size_t bucket = bucket_of(set, item->first);
        uint8_t *end = set->entries + (size_t)ends[bucket] * NAME_SET_ENTRY;
        uint8_t *entry = find_entry(set->entries + (size_t)set->starts[bucket] * NAME_SET_ENTRY, end,
                                    item->first & REST_MASK, item->second);
        uint8_t value = entry == end ? item->value : merge((uint8_t)load_word(entry), item->value);
        ends[bucket] += entry == end;
        store_entry(entry, item->first & REST_MASK, item->second, value);
    }
}

/* Closes the gaps that merged items have left. */
static void close_gaps(struct name_set *set, const uint32_t *ends)
{
    size_t buckets = (size_t)1 << set->bits, at = 0;
    for (size_t i = 0; i < buckets; i++) {
        size_t start = set->starts[i], count = ends[i] - start;
        if (start != at)
            memmove(set->entries + at * NAME_SET_ENTRY, set->entries + start * NAME_SET_ENTRY, count * NAME_SET_ENTRY);
        set->starts[i] = (uint32_t)at;
        at += count;
    }
    set->starts[buckets] = (uint32_t)at;
    set->count = at;
}

static void count_items(struct name_set *set, const struct name_set_builder *builder)
{
    size_t buckets = (size_t)1 << set->bits;
    for (size_t i = 0; i < builder->count; i++)
        set->starts[bucket_of(set, builder->items[i].first) + 1]++;
    for (size_t i = 0; i < buckets; i++)
        set->starts[i + 1] += set->starts[i];
}

int name_set_build(struct name_set *out, struct name_set_builder *builder, uint8_t (*merge)(uint8_t a, uint8_t b))
{
    struct name_set set = {.depths = builder->depths, .bits = choose_bits(builder->count)};
    size_t buckets = (size_t)1 << set.bits;
    uint32_t *ends = mem_alloc((buckets + 1) * sizeof *ends);
    int status = -ENOMEM;
    set.starts = mem_zalloc(buckets + 1, sizeof *set.starts);
    set.entries = mem_alloc(builder->count * NAME_SET_ENTRY + 1);
    if (!ends || !set.starts || !set.entries)
        goto end;
    count_items(&set, builder);
    memcpy(ends, set.starts, (buckets + 1) * sizeof *ends);
    place_items(&set, builder, ends, merge);
    close_gaps(&set, ends);
    if (set.count < builder->count) {
        uint8_t *less = mem_resize(set.entries, set.count * NAME_SET_ENTRY + 1);
        set.entries = less ? less : set.entries;
    }
    *out = set;
    status = 0;
end:
    name_set_drop(builder);
    mem_free(ends);
    if (status < 0)
        name_set_free(&set);
    return status;
}

void name_set_free(struct name_set *set)
{
    mem_free(set->starts);
    mem_free(set->entries);
    *set = (struct name_set){.count = 0};
}

size_t name_set_size(const struct name_set *set)
{
    return (((size_t)1 << set->bits) + 1) * sizeof *set->starts + set->count * NAME_SET_ENTRY + 1;
}

/* --- looking up --- */

uint8_t name_set_find(const struct name_set *set, struct wide_hash hash)
{
    if (set->count == 0)
        return 0;
    size_t bucket = bucket_of(set, hash.first);
    const uint8_t *end = set->entries + (size_t)set->starts[bucket + 1] * NAME_SET_ENTRY;
    const uint8_t *entry = find_entry(set->entries + (size_t)set->starts[bucket] * NAME_SET_ENTRY, end,
                                      hash.first & REST_MASK, (uint16_t)hash.second);
    return entry == end ? 0 : (uint8_t)load_word(entry);
}

/* --- filters --- */

static void fill_filter(struct name_filter *filter, const struct name_set *set)
{
    for (size_t bucket = 0; bucket < (size_t)1 << set->bits; bucket++)
        for (size_t i = set->starts[bucket]; i < set->starts[bucket + 1]; i++) {
            uint64_t rest = load_word(set->entries + i * NAME_SET_ENTRY) >> 8;
            uint64_t first = (uint64_t)bucket << (64 - set->bits) | rest;
            filter->words[name_filter_place(first, filter->count)] |= name_filter_bits(first);
        }
}

int name_filter_new(struct name_filter *out, const struct name_set *const *sets, size_t count)
{
    struct name_filter filter = {.words = NULL};
    size_t names = 0;
    for (size_t i = 0; i < count; i++)
        names += sets[i]->count;
    *out = filter;
    if (names == 0)
        return 0;
    filter.count = (uint32_t)(names / NAMES_PER_WORD + 1);
    filter.words = mem_zalloc(filter.count, sizeof *filter.words);
    if (!filter.words)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (sets[i]->count == 0)
            continue;
        fill_filter(&filter, sets[i]);
        filter.depths.bits[0] |= sets[i]->depths.bits[0];
        filter.depths.bits[1] |= sets[i]->depths.bits[1];
    }
    *out = filter;
    return 0;
}

void name_filter_free(struct name_filter *filter)
{
    mem_free(filter->words);
    *filter = (struct name_filter){.words = NULL};
}

size_t name_filter_size(const struct name_filter *filter)
{
    return filter->count * sizeof *filter->words;
}
