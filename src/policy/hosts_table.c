/* SPDX-License-Identifier: MIT */
/* In the block, numbers in network byte order:
 *   a name:      offset of its first address (4), the name
 *   an address:  offset of the next one or 0 (4), its length and EXPIRES (1), [the time (4)], its bytes
 *   a reverse:   offset of a name in the block (4), then as an address
 *
 * Invariant: an index is at most two thirds full, so each search ends.
 */
#include "hosts_table.h"
#include <errno.h>
#include "base/hash.h"
#include "base/mem.h"

enum { EXPIRES = 0x80, FIRST_SLOTS = 64, FIRST_BLOCK = 4096, FILTER_BITS = 16 /* for each name */ };

#define BLOCK_MAX UINT32_C(0x7fffffff)

/* --- the block --- */

/* Room for `len` bytes. NULL: out of memory. */
static uint8_t *take(struct hosts_table *table, size_t len)
{
    if (table->cap - table->used < len) {
        size_t cap = table->cap + table->cap / 2 + len;
        uint8_t *block = cap <= BLOCK_MAX ? mem_resize(table->block, cap) : NULL;
        if (!block)
            return NULL;
        table->block = block;
        table->cap = cap;
    }
    table->used += len;
    return table->block + table->used - len;
}

static size_t stored_name_len(const uint8_t *name)
{
    return name_len((struct bytes){name, NAME_MAX_WIRE});
}

static size_t address_room(const struct hosts_address *address)
{
    return 1 + (address->expires ? 4 : 0) + (size_t)address->len;
}

static void put_address(uint8_t *at, const struct hosts_address *address)
{
    *at++ = address->len | (address->expires ? EXPIRES : 0);
    if (address->expires) {
        write_u32(at, address->expires);
        at += 4;
    }
    memcpy(at, address->bytes, address->len);
}

static void get_address(const uint8_t *at, struct hosts_address *out)
{
    *out = (struct hosts_address){.len = *at & ~EXPIRES};
    if (*at++ & EXPIRES) {
        out->expires = read_u32(at);
        at += 4;
    }
    memcpy(out->bytes, at, out->len);
}

static bool same_address(const struct hosts_address *a, const struct hosts_address *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* --- the indexes --- */

static int index_init(struct hosts_index *index)
{
    *index = (struct hosts_index){mem_zalloc(FIRST_SLOTS, sizeof *index->slots), FIRST_SLOTS - 1, 0};
    return index->slots ? 0 : -ENOMEM;
}

static int index_grow(struct hosts_index *index)
{
    struct hosts_index larger = {NULL, 2 * index->mask + 1, index->count};
    if (3 * (index->count + 1) <= 2 * (index->mask + 1))
        return 0;
    larger.slots = mem_zalloc(larger.mask + 1, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i <= index->mask; i++) {
        size_t slot = index->slots[i].hash & larger.mask;
        while (index->slots[i].at && larger.slots[slot].at)
            slot = (slot + 1) & larger.mask;
        if (index->slots[i].at)
            larger.slots[slot] = index->slots[i];
    }
    mem_free(index->slots);
    *index = larger;
    return 0;
}

/* The slot of this name, or the free one for it. */
static struct hosts_slot *slot_of_name(const struct hosts_table *table, const uint8_t *name, size_t len, uint32_t hash)
{
    const struct hosts_index *index = &table->names;
    for (size_t i = hash & index->mask;; i = (i + 1) & index->mask) {
        struct hosts_slot *slot = &index->slots[i];
        const uint8_t *stored = table->block + slot->at + 4;
        if (!slot->at || (slot->hash == hash && stored_name_len(stored) == len && memcmp(stored, name, len) == 0))
            return slot;
    }
}

static struct hosts_slot *slot_of_reverse(const struct hosts_table *table, const struct hosts_address *address,
                                          uint32_t hash)
{
    const struct hosts_index *index = &table->reverses;
    for (size_t i = hash & index->mask;; i = (i + 1) & index->mask) {
        struct hosts_slot *slot = &index->slots[i];
        struct hosts_address stored;
        if (!slot->at)
            return slot;
        if (slot->hash != hash)
            continue;
        get_address(table->block + slot->at + 4, &stored);
        if (same_address(&stored, address))
            return slot;
    }
}

/* --- filling --- */

int hosts_table_init(struct hosts_table *table)
{
    *table =
        (struct hosts_table){.block = mem_alloc(FIRST_BLOCK), .used = 1, .cap = FIRST_BLOCK}; /* 0 is not an offset */
    if (table->block && index_init(&table->names) == 0 && index_init(&table->reverses) == 0)
        return 0;
    hosts_table_fini(table);
    return -ENOMEM;
}

void hosts_table_fini(struct hosts_table *table)
{
    mem_free(table->block);
    mem_free(table->names.slots);
    mem_free(table->reverses.slots);
    mem_free(table->filter);
    *table = (struct hosts_table){.block = NULL};
}

/* The offset of the name; 0: out of memory. */
static uint32_t add_name(struct hosts_table *table, struct hosts_slot *slot, uint32_t hash, const uint8_t *name,
                         size_t len)
{
    uint8_t *at = take(table, 4 + len);
    if (!at)
        return 0;
    write_u32(at, 0);
    memcpy(at + 4, name, len);
    *slot = (struct hosts_slot){(uint32_t)(at - table->block), hash};
    table->names.count++;
    return slot->at;
}

/* Appends to the name at this offset. */
static int append_address(struct hosts_table *table, uint32_t name, const struct hosts_address *address)
{
    unsigned count = 0;
    uint32_t link = name;
    for (uint32_t at; (at = read_u32(table->block + link)); link = at, count++) {
        struct hosts_address other;
        get_address(table->block + at + 4, &other);
        if (same_address(&other, address))
            return 0;
    }
    if (count >= HOSTS_ADDRESSES_MAX)
        return -ENOSPC;
    uint8_t *at = take(table, 4 + address_room(address));
    if (!at)
        return -ENOMEM;
    write_u32(at, 0);
    put_address(at + 4, address);
    write_u32(table->block + link, (uint32_t)(at - table->block));
    return 0;
}

int hosts_table_add(struct hosts_table *table, const uint8_t *name, size_t len, const struct hosts_address *address,
                    uint32_t *at)
{
    uint32_t hash = (uint32_t)hash_bytes(name, len);
    if (index_grow(&table->names) < 0)
        return -ENOMEM;
    struct hosts_slot *slot = slot_of_name(table, name, len, hash);
    if (!slot->at && table->names.count >= HOSTS_NAMES_MAX)
        return -ENOSPC;
    *at = slot->at ? slot->at : add_name(table, slot, hash, name, len);
    return *at ? append_address(table, *at, address) : -ENOMEM;
}

int hosts_table_add_reverse(struct hosts_table *table, uint32_t name, const struct hosts_address *address)
{
    uint32_t hash = (uint32_t)hash_bytes(address->bytes, address->len);
    if (index_grow(&table->reverses) < 0)
        return -ENOMEM;
    struct hosts_slot *slot = slot_of_reverse(table, address, hash);
    if (slot->at)
        return 0;
    uint8_t *at = take(table, 4 + address_room(address));
    if (!at)
        return -ENOMEM;
    write_u32(at, name);
    put_address(at + 4, address);
    *slot = (struct hosts_slot){(uint32_t)(at - table->block), hash};
    table->reverses.count++;
    return 0;
}

/* --- the filter --- */

static void set_bit(struct hosts_table *table, const uint8_t *name, size_t len)
{
    uint8_t padded[16] = {0};
    memcpy(padded, name, len < sizeof padded ? len : sizeof padded);
    uint64_t bit = hosts_filter_bit(table, padded, len);
    table->filter[bit / 64] |= UINT64_C(1) << bit % 64;
    table->shapes |= UINT64_C(1) << hosts_shape(name, len);
}

int hosts_table_finish(struct hosts_table *table)
{
    unsigned bits = 9;
    while ((UINT64_C(1) << bits) / FILTER_BITS < table->names.count + table->reverses.count)
        bits++;
    table->filter = mem_zalloc((size_t)1 << (bits - 6), sizeof *table->filter);
    if (!table->filter)
        return -ENOMEM;
    table->filter_shift = 64 - bits;
    for (size_t i = 0; i <= table->names.mask; i++) {
        const uint8_t *name = table->block + table->names.slots[i].at + 4;
        if (table->names.slots[i].at)
            set_bit(table, name, stored_name_len(name));
    }
    for (size_t i = 0; i <= table->reverses.mask; i++) {
        struct hosts_address address;
        uint8_t name[NAME_MAX_WIRE];
        if (!table->reverses.slots[i].at)
            continue;
        get_address(table->block + table->reverses.slots[i].at + 4, &address);
        set_bit(table, name, hosts_reverse_name(name, &address));
    }
    return 0;
}

/* --- searches --- */

uint32_t hosts_table_find(const struct hosts_table *table, const uint8_t *name, size_t len)
{
    uint32_t at = slot_of_name(table, name, len, (uint32_t)hash_bytes(name, len))->at;
    return at ? read_u32(table->block + at) : 0;
}

uint32_t hosts_table_next(const struct hosts_table *table, uint32_t at, struct hosts_address *out)
{
    get_address(table->block + at + 4, out);
    return read_u32(table->block + at);
}

const uint8_t *hosts_table_name(const struct hosts_table *table, struct hosts_address *address)
{
    uint32_t at = slot_of_reverse(table, address, (uint32_t)hash_bytes(address->bytes, address->len))->at;
    if (!at)
        return NULL;
    get_address(table->block + at + 4, address);
    return table->block + read_u32(table->block + at) + 4;
}

/* --- reverse names --- */

static const uint8_t in_addr[] = "\7in-addr\4arpa", ip6[] = "\3ip6\4arpa"; /* with the root's NUL */
static const char digits[] = "0123456789abcdef";

enum { V4_LABELS = 4, V6_LABELS = 32 };

/* A label; returns its length with the length byte. */
static size_t put_decimal(uint8_t *at, uint8_t number)
{
    size_t len = number >= 100 ? 3 : number >= 10 ? 2 : 1;
    at[0] = (uint8_t)len;
    for (size_t i = len; i > 0; i--, number /= 10)
        at[i] = (uint8_t)('0' + number % 10);
    return 1 + len;
}

size_t hosts_reverse_name(uint8_t out[NAME_MAX_WIRE], const struct hosts_address *address)
{
    uint8_t *at = out;
    for (unsigned i = address->len; i-- > 0;) {
        uint8_t byte = address->bytes[i];
        if (address->len == 4) {
            at += put_decimal(at, byte);
        } else {
            const uint8_t labels[] = {1, (uint8_t)digits[byte & 15], 1, (uint8_t)digits[byte >> 4]};
            memcpy(at, labels, sizeof labels);
            at += sizeof labels;
        }
    }
    const uint8_t *suffix = address->len == 4 ? in_addr : ip6;
    size_t len = address->len == 4 ? sizeof in_addr : sizeof ip6;
    memcpy(at, suffix, len);
    return (size_t)(at - out) + len;
}

/* The value of a label of digits, without leading zeros; 256: not one. */
static unsigned number_of(const uint8_t *label, bool decimal)
{
    unsigned number = 0;
    if (*label > (decimal ? 3 : 1) || (*label > 1 && label[1] == '0'))
        return 256;
    for (unsigned i = 1; i <= *label; i++) {
        const char *digit = memchr(digits, label[i], decimal ? 10 : 16);
        if (!digit)
            return 256;
        number = number * 10 + (unsigned)(digit - digits);
    }
    return number;
}

bool hosts_reverse_address(struct hosts_address *out, const uint8_t *name, size_t len)
{
    bool v4 = name_is_under(name, len, in_addr, sizeof in_addr);
    if (name_labels(name) != 2 + (v4 ? V4_LABELS : V6_LABELS) || (!v4 && !name_is_under(name, len, ip6, sizeof ip6)))
        return false;
    *out = (struct hosts_address){.len = v4 ? 4 : 16};
    for (unsigned i = 0; i < (v4 ? V4_LABELS : V6_LABELS); i++, name += 1 + (size_t)*name) {
        unsigned number = number_of(name, v4);
        if (number > 255)
            return false;
        if (v4)
            out->bytes[3 - i] = (uint8_t)number;
        else
            out->bytes[15 - i / 2] |= (uint8_t)(i % 2 ? number << 4 : number);
    }
    return true;
}
