/* SPDX-License-Identifier: MIT */
/* A position is the number of units (8 bytes) appended since the ring was made; it has 64 bits and only grows. A
 * link has 32 bits in three parts: the low bits of a position, enough to distinguish 4 * size positions; a tag, the
 * bits of the hash at the places above those; and the highest bit, set if the entry was the last one of its chain
 * when it was linked. A small ring has a long tag; the largest one has no tag and no highest bit. Memory accesses
 * dominate the cost: without tags each miss and each put would read the entry of another name in every second
 * bucket.
 *
 * Invariants:
 * - tail <= head <= tail + size. [tail, head) is a gapless sequence of entries and gaps. A link is live if its
 *   position is in that range, else dead: eviction unlinks nothing.
 * - Each bucket is a chain from newer to older entries, so all links after the first dead one are dead, and the
 *   memory of a dead link is never read.
 * - A link is never mistaken for a newer one: each reachable link is less than 3 * size units behind the head,
 *   because a link is live or "just dead" (tail - 1) when it is written, an entry and the link in it stay
 *   for at most `size` units, and the sweep refreshes each bucket once in `size` units (it does a bucket
 *   for at most 8 units appended, and there are at most size / 10). A dead link is thus 1 to 3 * size units
 *   behind the tail, so the difference modulo 4 * size or more is never below size.
 * - Chains only shrink from the tail: an entry that was linked as the last of its bucket stays the last.
 * - An entry is contiguous: the last one of a round may extend over the end of the ring into a slack of the size of
 *   the largest entry, and the next one begins at the start. Two rounds never share the slack: the head reaches the
 *   end only after the tail has passed the last entry of the round before.
 * - Buckets are split as entries are added (linear hashing), up to two per entry: their number never exceeds twice
 *   the number of entries by much, so a small set of names has a small index. Invariants of an entry:
 * - The stored Question section is the key's name in lower case, followed by the key's type and class: an entry is
 *   found only by the query that it answers.
 * - Time is stored modulo 2^40 ms and compared as a signed difference, so an age is correct below 2^39 ms: 17
 *   years, however long the machine has been up.
 * - entry_units(entry) equals entry_units_for(answer) of the stored answer; the size is not stored elsewhere.
 */
#include "cache/ring.h"

#include <assert.h>
#include <string.h>

#include "dns/aliases.h"
#include "dns/rewrite.h"
#include "dns/rotate.h"

/* --- entries --- */

#define ID_LEN    2
#define BORN_BITS 40
#define BORN_MASK ((UINT64_C(1) << BORN_BITS) - 1)

_Static_assert((KEY_DO | KEY_CD) == 3, "the flags of a key fit into two bits");
_Static_assert(ENTRY_EXTRA_MAX <= UINT16_MAX, "two bytes say how long the extra part is");
_Static_assert(MESSAGE_MAX_RECORDS < 1 << 13, "13 bits count the records");
_Static_assert(offsetof(struct entry, ttl_offsets) == 26, "the header has no padding before the offsets");

/* The extra part: its own length, rcode, offset of the additional section, extended errors. */
#define EXTRA_FIXED 7

static size_t extra_len(const struct answer *answer)
{
    bool derivable = answer->ede.count == 0 && answer->additional == answer->len &&
                     answer->rcode == (answer->wire[MESSAGE_FLAGS + 1] & 0x0f);
    size_t len = EXTRA_FIXED;

    if (derivable)
        return 0;
    assert(answer->ede.count <= EDE_MAX);
    for (unsigned i = 0; i < answer->ede.count; i++) {
        assert(answer->ede.item[i].len <= EDE_TEXT);
        len += 3 + (size_t)answer->ede.item[i].len;
    }
    return len;
}

static uint32_t units_of(size_t ttl_count, size_t len, size_t extra)
{
    size_t bytes = offsetof(struct entry, ttl_offsets) + ttl_count * sizeof(uint16_t) + (len - ID_LEN) + extra;
    return (uint32_t)((bytes + ENTRY_UNIT - 1) / ENTRY_UNIT);
}

uint32_t entry_units_for(const struct answer *answer)
{
    return units_of(answer->ttl_count, answer->len, extra_len(answer));
}

/* Byte `offset` of the message; offset `len` is the beginning of the extra part. */
static const uint8_t *byte_at(const struct entry *entry, size_t offset)
{
    return (const uint8_t *)(entry->ttl_offsets + entry->ttl_count) + offset - ID_LEN;
}

uint32_t entry_units(const struct entry *entry)
{
    if (entry->gap)
        return (uint32_t)entry->born;
    return units_of(entry->ttl_count, entry->len, entry->extra ? read_u16(byte_at(entry, entry->len)) : 0);
}

static void write_extra(uint8_t *at, size_t len, const struct answer *answer)
{
    struct writer writer = writer_over(at, len);
    writer_u16(&writer, (uint16_t)len);
    writer_u16(&writer, answer->rcode);
    writer_u16(&writer, answer->additional);
    writer_u8(&writer, (uint8_t)answer->ede.count);
    for (unsigned i = 0; i < answer->ede.count; i++) {
        const struct ede *ede = &answer->ede.item[i];
        writer_u16(&writer, ede->code);
        writer_u8(&writer, ede->len);
        writer_bytes(&writer, ede->text, ede->len);
    }
    assert(!writer.failed);
}

static unsigned traits_of(const struct answer *answer, uint16_t qtype)
{
    unsigned traits = answer->ttl_count > 1 && rotate_is_possible(answer) ? ENTRY_ROTATES : 0;
    for (unsigned i = 0; i < answer->ttl_count; i++) {
        const uint8_t *ttl = answer->wire + answer->ttl_offsets[i];
        if (read_u32(ttl) < answer->ttl)
            traits |= ENTRY_UNEVEN;
        if (rewrite_needs_dnssec_ok(read_u16(ttl - 4), qtype))
            traits |= ENTRY_DNSSEC;
    }
    return traits;
}

void entry_write(struct entry *entry, const struct key *key, uint64_t hash, const struct answer *answer, unsigned hits,
                 uint64_t now_ms)
{
    size_t extra = extra_len(answer);
    uint8_t *message;

    entry->born = now_ms & BORN_MASK;
    entry->len = (uint16_t)answer->len;
    entry->gap = 0;
    entry->hits = hits & ENTRY_HITS_MAX;
    entry->flags = key->flags & 3u;
    entry->authenticated = answer->authenticated;
    entry->truncated = answer->truncated;
    entry->extra = extra > 0;
    entry->hash = (uint32_t)hash;
    entry->group = key->group;
    entry->ttl = answer->ttl;
    entry->ttl_count = (uint16_t)answer->ttl_count;
    if (answer->ttl_count > 0)
        memcpy(entry->ttl_offsets, answer->ttl_offsets, answer->ttl_count * sizeof(uint16_t));

    entry->traits = traits_of(answer, key->type) & 7u;

    message = (uint8_t *)(entry->ttl_offsets + entry->ttl_count);
    memcpy(message, answer->wire + ID_LEN, answer->len - ID_LEN);
    memcpy(message + MESSAGE_HEADER - ID_LEN, key->name, key->name_len);
    write_u16(message + MESSAGE_HEADER - ID_LEN + key->name_len, key->type);
    if (extra > 0)
        write_extra(message + answer->len - ID_LEN, extra, answer);
}

void entry_write_gap(struct entry *entry, uint32_t units)
{
    entry->gap = 1;
    entry->born = units;
}

void entry_trim(struct entry *entry, uint32_t units)
{
    uint32_t kept = entry_units(entry);

    assert(kept <= units);
    if (kept < units)
        entry_write_gap((struct entry *)(void *)((uint8_t *)entry + (size_t)kept * ENTRY_UNIT), units - kept);
}

bool entry_matches(const struct entry *entry, const struct key *key)
{
    const uint8_t *name = (const uint8_t *)(entry->ttl_offsets + entry->ttl_count) + MESSAGE_HEADER - ID_LEN;

    if (entry->group != key->group || (key->flags & ~entry->flags & KEY_DO) || ((key->flags ^ entry->flags) & KEY_CD) ||
        entry->len < MESSAGE_HEADER + key->name_len + 4u)
        return false;
    return memcmp(name, key->name, key->name_len) == 0 &&
           read_u32(name + key->name_len) == ((uint32_t)key->type << 16 | key->class);
}

bool entry_concerns(const struct entry *entry, const uint8_t *name, size_t name_bytes, bool below)
{
    struct bytes own = {byte_at(entry, MESSAGE_HEADER), entry->len - (size_t)MESSAGE_HEADER};
    struct answer answer;

    own.len = name_len(own);
    answer.wire = (uint8_t *)byte_at(entry, 0);
    return answer_concerns(&answer, own, (struct bytes){name, name_bytes}, below);
}

uint64_t entry_age(const struct entry *entry, uint64_t now_ms)
{
    uint64_t age = (now_ms - entry->born) & BORN_MASK;
    return age >> (BORN_BITS - 1) ? 0 : age;
}

static void read_extra(const uint8_t *at, struct answer *answer)
{
    struct cursor cursor = cursor_over((struct bytes){at + 2, read_u16(at) - 2u});
    answer->rcode = cursor_u16(&cursor);
    answer->additional = cursor_u16(&cursor);
    answer->ede.count = cursor_u8(&cursor);
    for (unsigned i = 0; i < answer->ede.count; i++) {
        struct ede *ede = &answer->ede.item[i];
        ede->code = cursor_u16(&cursor);
        ede->len = cursor_u8(&cursor);
        memcpy(ede->text, cursor_take(&cursor, ede->len), ede->len);
    }
    assert(!cursor.failed);
}

void entry_read(const struct entry *entry, uint8_t *out, struct answer *answer)
{
    const uint8_t *message = (const uint8_t *)(entry->ttl_offsets + entry->ttl_count);
    out[0] = out[1] = 0;
    memcpy(out + ID_LEN, message, entry->len - ID_LEN);
    answer->wire = out;
    answer->len = entry->len;
    answer->rcode = out[MESSAGE_FLAGS + 1] & 0x0f;
    answer->additional = entry->len;
    answer->authenticated = entry->authenticated;
    answer->truncated = entry->truncated;
    answer->ttl_offsets = NULL;
    answer->ttl_count = 0;
    answer->ede.count = 0;
    if (entry->extra)
        read_extra(message + entry->len - ID_LEN, answer);
}

void entry_rotate(const struct entry *entry, uint8_t *out, uint32_t turn)
{
    rotate_rrset(out, byte_at(entry, 0), entry->ttl_offsets, turn);
}

/* --- the ring --- */

#define UNITS_PER_BUCKET  10 /* a typical answer takes 80 bytes or more */
#define UNITS_PER_SWEEP   8
#define SPLITS_AHEAD      8
#define BUCKETS_PER_ENTRY 2 /* while the index has room: long chains would cost reads of other entries */

_Static_assert(UNITS_PER_SWEEP < UNITS_PER_BUCKET, "the sweep goes round faster than the head");

size_t ring_data_bytes(uint32_t size)
{
    return ((size_t)size + ENTRY_UNITS_MAX) * ENTRY_UNIT;
}

size_t ring_index_bytes(uint32_t size)
{
    return (size_t)size / UNITS_PER_BUCKET * sizeof(uint32_t);
}

/* Links are atomic only because the prefetches read them without the lock. */
#define link_get(link)     atomic_load_explicit(link, memory_order_relaxed)
#define link_set(link, to) atomic_store_explicit(link, to, memory_order_relaxed)

static uint32_t dead_link(const struct ring *ring)
{
    return ((uint32_t)ring->tail - 1) & ring->position_mask;
}

void ring_init(struct ring *ring, uint8_t *data, _Atomic uint32_t *buckets, uint32_t size, uint64_t start)
{
    assert(size > ENTRY_UNITS_MAX && size <= RING_SIZE_MAX && start > 0);
    *ring = (struct ring){.buckets = buckets,
                          .data = data,
                          .head = start,
                          .tail = start,
                          .size = size,
                          .bucket_max = size / UNITS_PER_BUCKET};
    ring->position_mask = size > RING_SIZE_MAX / 2 ? UINT32_MAX : 4 * (UINT32_MAX >> __builtin_clz(size)) + 3;
    ring->last_bit = ~ring->position_mask & UINT32_C(1) << 31;
    ring->tag_mask = ~ring->position_mask & ~ring->last_bit;
    atomic_init(&ring->bucket_count, 1);
    atomic_init(&ring->round, (uint32_t)start);
    if (dead_link(ring) != 0) /* else the zeroed memory holds it, in a page that need not exist yet */
        link_set(&buckets[0], dead_link(ring));
}

static struct entry *entry_at(const struct ring *ring, uint32_t place)
{
    return (struct entry *)(void *)(ring->data + (size_t)place * ENTRY_UNIT);
}

/* The entry of a link, or NULL if the link is dead. */
static struct entry *follow(const struct ring *ring, uint32_t link)
{
    uint32_t behind_tail = (link - (uint32_t)ring->tail) & ring->position_mask;
    uint32_t place = ring->tail_place + behind_tail;

    if (behind_tail >= ring->head - ring->tail)
        return NULL;
    place = place < ring->size ? place : place - ring->size;
    return (struct entry *)(void *)(ring->data + (size_t)place * ENTRY_UNIT);
}

/* Buckets from bucket_count up to the next power of two do not exist yet. */
static _Atomic uint32_t *bucket_of(const struct ring *ring, uint32_t hash)
{
    uint32_t count = atomic_load_explicit(&ring->bucket_count, memory_order_relaxed);
    uint32_t mask = UINT32_MAX >> __builtin_clz(count), bucket = hash & mask;
    return &ring->buckets[bucket < count ? bucket : hash & (mask >> 1)];
}

/* Splits one bucket: its entries with the next bit of the hash set move to a new bucket at the end. The end of each chain is linked as its
 * last, as far as the chain is live. */
static void index_split(struct ring *ring, uint32_t fresh, uint32_t dead)
{
    uint32_t mask = UINT32_MAX >> __builtin_clz(fresh);
    _Atomic uint32_t *end[2] = {&ring->buckets[fresh & (mask >> 1)], &ring->buckets[fresh]}, *last[2] = {NULL, NULL};
    uint32_t link = link_get(end[0]);
    struct entry *entry;

    for (; (entry = follow(ring, link)); link = link_get(&entry->next)) {
        bool moves = (entry->hash & mask) == fresh;
        link_set(end[moves], link);
        last[moves] = end[moves];
        end[moves] = &entry->next;
    }
    for (unsigned i = 0; i < 2; i++)
        if (last[i])
            link_set(last[i], link_get(last[i]) | ring->last_bit);
    link_set(end[0], dead);
    link_set(end[1], dead);
    atomic_store_explicit(&ring->bucket_count, fresh + 1, memory_order_relaxed);
    /* The order of the splits is known, so the memory of a later one can be prefetched. */
    fresh += 1 + SPLITS_AHEAD;
    mask = UINT32_MAX >> __builtin_clz(fresh);
    entry = follow(ring, link_get(&ring->buckets[fresh & (mask >> 1)]));
    if (entry)
        __builtin_prefetch(entry);
}

/* Called before an entry of `units` units is appended: splits one or two buckets, and refreshes some in turn. */
static void index_prepare(struct ring *ring, uint32_t units)
{
    uint32_t count = atomic_load_explicit(&ring->bucket_count, memory_order_relaxed), dead = dead_link(ring);

    for (unsigned i = 0; i < BUCKETS_PER_ENTRY && count < ring->bucket_max && count <= BUCKETS_PER_ENTRY * ring->live;
         i++)
        index_split(ring, count++, dead);
    for (uint32_t left = units / UNITS_PER_SWEEP + 1; left > 0; left--) {
        if (++ring->swept >= count)
            ring->swept = 0;
        if (!follow(ring, link_get(&ring->buckets[ring->swept])))
            link_set(&ring->buckets[ring->swept], dead);
    }
}

struct entry *ring_find(const struct ring *ring, const struct key *key, uint64_t hash)
{
    const _Atomic uint32_t *next = bucket_of(ring, (uint32_t)hash);

    for (;;) {
        uint32_t link = link_get(next);
        struct entry *entry = follow(ring, link);
        if (!entry)
            return NULL;
        if (((link ^ (uint32_t)hash) & ring->tag_mask) == 0 && entry->hash == (uint32_t)hash &&
            entry_matches(entry, key))
            return entry;
        if (link & ring->last_bit)
            return NULL;
        next = &entry->next;
    }
}

void ring_prefetch_bucket(const struct ring *ring, uint64_t hash)
{
    __builtin_prefetch(bucket_of(ring, (uint32_t)hash));
}

/* Places follow positions, so the place of a link's entry follows from the position at which the round began. */
void ring_prefetch_entry(const struct ring *ring, uint64_t hash)
{
    uint32_t link = link_get(bucket_of(ring, (uint32_t)hash));
    uint32_t place = (link - atomic_load_explicit(&ring->round, memory_order_relaxed)) & ring->position_mask;

    if ((link & ring->last_bit) && ((link ^ (uint32_t)hash) & ring->tag_mask) != 0)
        return;
    if (place >= ring->size)
        place = (place + ring->size) & ring->position_mask; /* an entry of the previous round */
    if (place >= ring->size)
        return; /* the link is dead */
    const uint8_t *entry = ring->data + (size_t)place * ENTRY_UNIT;
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + 64); /* a typical answer extends to here */
}

/* At the end of the round the position moves to the start of the next one. */
static void advance(const struct ring *ring, uint64_t *position, uint32_t *place, uint32_t units)
{
    uint32_t left = ring->size - *place;
    *position += units < left ? units : left;
    *place = units < left ? *place + units : 0;
}

bool ring_has_room(const struct ring *ring, uint32_t units)
{
    uint32_t left = ring->size - ring->head_place;
    return ring->head - ring->tail + (units < left ? units : left) <= ring->size;
}

struct entry *ring_slot(const struct ring *ring)
{
    return entry_at(ring, ring->head_place);
}

void ring_append(struct ring *ring)
{
    struct entry *entry = ring_slot(ring);
    uint32_t units = entry_units(entry), next, link;
    _Atomic uint32_t *bucket;

    assert(ring_has_room(ring, units));
    index_prepare(ring, units);
    bucket = bucket_of(ring, entry->hash);
    next = link_get(bucket);
    link = ((uint32_t)ring->head & ring->position_mask) | (entry->hash & ring->tag_mask);
    if (!follow(ring, next)) {
        next = dead_link(ring);
        link |= ring->last_bit;
    }
    link_set(&entry->next, next);
    link_set(bucket, link);
    advance(ring, &ring->head, &ring->head_place, units);
    link_set(&ring->round, (uint32_t)ring->head - ring->head_place);
    ring->live++;
}

struct entry *ring_oldest(const struct ring *ring)
{
    assert(ring_used(ring) > 0);
    return entry_at(ring, ring->tail_place);
}

void ring_drop_oldest(struct ring *ring)
{
    const struct entry *entry = ring_oldest(ring);

    if (!entry->gap)
        ring->live--;
    advance(ring, &ring->tail, &ring->tail_place, entry_units(entry));
}

/* The free space between head and tail and the memory of the oldest entry together hold the moved entry, even if
 * its old and new memory overlap, or one of them extends over the end of the ring. */
void ring_carry_oldest(struct ring *ring)
{
    const struct entry *entry = ring_oldest(ring);
    size_t bytes = (size_t)entry_units(entry) * ENTRY_UNIT;

    ring_drop_oldest(ring);
    memmove(ring_slot(ring), entry, bytes);
    ring_append(ring);
}

/* An entry that is rewritten in place keeps its beginning, so a position always is the beginning of an entry or
 * gap. */
struct entry *ring_next(const struct ring *ring, uint64_t *position)
{
    struct entry *entry;
    uint32_t place;

    if (*position < ring->tail)
        *position = ring->tail;
    entry = follow(ring, (uint32_t)*position);
    if (!entry)
        return NULL;
    place = (uint32_t)(((uint8_t *)entry - ring->data) / ENTRY_UNIT);
    advance(ring, position, &place, entry_units(entry));
    return entry;
}

void ring_kill(struct ring *ring, struct entry *entry)
{
    _Atomic uint32_t *link = bucket_of(ring, entry->hash);

    for (struct entry *at; (at = follow(ring, link_get(link))) != entry; link = &at->next)
        assert(at);
    uint32_t next = link_get(&entry->next);
    link_set(link, follow(ring, next) ? next : dead_link(ring));
    entry_write_gap(entry, entry_units(entry));
    ring->live--;
}

void ring_clear(struct ring *ring)
{
    ring->tail = ring->head;
    ring->tail_place = ring->head_place;
    ring->live = 0;
}
