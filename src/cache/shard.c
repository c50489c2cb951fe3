/* SPDX-License-Identifier: MIT */
/* S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023) over two rings.
 *
 *   new name          -> small ring                    name among the ghosts -> main ring
 *   small's oldest    -> main ring, if it had a hit or main has room to spare; else it becomes a ghost
 *   main's oldest     -> main ring again, if it had a hit; else evicted
 *   replaced entry    -> stays in its ring, and in its place if the new answer fits there
 *
 * Invariants:
 * - A key has at most one live entry in both rings together: a put finds the old one first.
 * - The work of a put is bounded: the small ring evicts only as much as needed; the main ring carries on at most 16
 *   entries, more for a large answer, and then evicts the next one even if it had hits.
 * - The block is mapped once and never grows. Pages that were never written use no memory; huge pages, which would
 *   change that, are enabled when the main ring has been filled.
 */
#include "cache/shard.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SMALL_SHARE   20 /* one twentieth; with a tenth, hit ratios are 0.1 to 0.4 points lower (bench/hitratio) */
#define TYPICAL_UNITS 11 /* units of an entry with one address */
#define CARRY_MAX     16 /* with 8, hit ratios are 0.05 to 0.25 points lower */
/* For each such number of units of an answer another entry may be carried on, because the answer evicts as many. */
#define CARRY_UNITS   8
#define COPY_ENTRIES  1000 /* entries copied and gaps skipped in one slice of a copy */
#define SLICE_ENTRIES 200  /* entries visited in one slice of a walk */

/* The layout of a block: struct shard, the index of both rings, ghosts, the data of both rings. */
struct layout {
    uint32_t main_size, small_size, ghost_sets;
    size_t main_index, small_index, ghosts, small_data, main_data, end; /* offsets */
};

static size_t aligned(size_t offset)
{
    return (offset + 63) & ~(size_t)63;
}

static struct layout layout_for(size_t bytes)
{
    /* The cost of one unit in 1/20 bytes: 8 bytes, the share of the index (4 / 10) and of the ghosts (2 / 11,
     * rounded up). */
    const size_t unit_cost = 20 * ENTRY_UNIT + 8 + 4;
    size_t fixed = sizeof(struct shard) + 2 * ENTRY_UNITS_MAX * ENTRY_UNIT + 6 * 64;
    uint32_t units = (uint32_t)((uint64_t)(bytes - fixed) * 20 / unit_cost);
    struct layout layout = {.small_size = units / SMALL_SHARE,
                            .main_size = units - units / SMALL_SHARE,
                            .ghost_sets = units / TYPICAL_UNITS / GHOST_WAYS};

    layout.main_index = aligned(sizeof(struct shard));
    layout.small_index = aligned(layout.main_index + ring_index_bytes(layout.main_size));
    layout.ghosts = aligned(layout.small_index + ring_index_bytes(layout.small_size));
    layout.small_data = aligned(layout.ghosts + (size_t)layout.ghost_sets * GHOST_WAYS * sizeof(uint16_t));
    layout.main_data = aligned(layout.small_data + ring_data_bytes(layout.small_size));
    layout.end = layout.main_data + ring_data_bytes(layout.main_size);
    assert(layout.end <= bytes);
    return layout;
}

struct shard *shard_new(size_t bytes, uint64_t start)
{
    struct layout layout;
    struct shard *shard;
    uint8_t *block;

    assert(bytes >= SHARD_MIN && bytes <= SHARD_MAX);
    bytes &= ~((size_t)sysconf(_SC_PAGESIZE) - 1);
    block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    (void)madvise(block, bytes, MADV_NOHUGEPAGE);

    layout = layout_for(bytes);
    shard = (struct shard *)(void *)block;
    pthread_mutex_init(&shard->lock, NULL);
    shard->bytes = bytes;
    shard->ghosts = (uint16_t(*)[GHOST_WAYS])(void *)(block + layout.ghosts);
    shard->ghost_sets = layout.ghost_sets;
    ring_init(&shard->main, block + layout.main_data, (_Atomic uint32_t *)(void *)(block + layout.main_index),
              layout.main_size, start);
    ring_init(&shard->small, block + layout.small_data, (_Atomic uint32_t *)(void *)(block + layout.small_index),
              layout.small_size, start);
    return shard;
}

void shard_free(struct shard *shard)
{
    pthread_mutex_destroy(&shard->lock);
    munmap(shard, shard->bytes);
}

struct entry *shard_find(const struct shard *shard, const struct key *key, uint64_t hash)
{
    struct entry *entry = ring_find(&shard->main, key, hash);
    return entry ? entry : ring_find(&shard->small, key, hash);
}

/* The upper bits of the 32 choose the set, the lower ones are the tag. A tag that matches by chance only puts an
 * entry into the main ring. */
static uint16_t *ghost_set(const struct shard *shard, uint32_t hash)
{
    return shard->ghosts[(uint64_t)hash * shard->ghost_sets >> 32];
}

static void ghost_add(struct shard *shard, uint32_t hash)
{
    uint16_t *set = ghost_set(shard, hash);
    memmove(set + 1, set, (GHOST_WAYS - 1) * sizeof(*set));
    set[0] = (uint16_t)hash;
}

/* Removes the hash from the ghosts; true if it was there. Only about as many ghosts count as main has entries: if
 * answers are large, more ghosts would let nearly every name return to main. */
static bool ghost_take(struct shard *shard, uint32_t hash)
{
    uint16_t *set = ghost_set(shard, hash);
    uint64_t ways = shard->main.live / shard->ghost_sets + 1;
    unsigned way = 0;

    if (ways > GHOST_WAYS)
        ways = GHOST_WAYS;
    while (way < ways && set[way] != (uint16_t)hash)
        way++;
    if (way == ways)
        return false;
    memmove(set + way, set + way + 1, (GHOST_WAYS - 1 - way) * sizeof(*set));
    set[GHOST_WAYS - 1] = 0;
    return true;
}

/* Every page of the main ring is in use now: huge pages cost no memory and save TLB misses. */
static void main_is_full(struct shard *shard)
{
    if (shard->went_round)
        return;
    shard->went_round = true;
    (void)madvise(shard, shard->bytes, MADV_HUGEPAGE);
}

static void main_make_room(struct shard *shard, uint32_t units, uint32_t *carries)
{
    while (!ring_has_room(&shard->main, units)) {
        struct entry *oldest = ring_oldest(&shard->main);
        main_is_full(shard);
        if (!oldest->gap && oldest->hits > 0 && *carries > 0) {
            --*carries;
            oldest->hits--;
            ring_carry_oldest(&shard->main);
        } else {
            shard->evicted += !oldest->gap;
            ring_drop_oldest(&shard->main);
        }
    }
}

static void move_to_main(struct shard *shard, const struct entry *entry, uint32_t *carries)
{
    uint32_t units = entry_units(entry);
    struct entry *slot;

    main_make_room(shard, units, carries);
    slot = ring_slot(&shard->main);
    memcpy(slot, entry, (size_t)units * ENTRY_UNIT);
    slot->hits = 0;
    ring_append(&shard->main);
}

/* Moves an entry that leaves the small ring to the main ring, or makes it a ghost. */
static void leave_small(struct shard *shard, const struct entry *entry, uint32_t *carries)
{
    if (entry->hits > 0 || ring_has_room(&shard->main, entry_units(entry))) {
        move_to_main(shard, entry, carries);
    } else {
        ghost_add(shard, entry->hash);
        shard->evicted++;
    }
}

static void small_make_room(struct shard *shard, uint32_t units, uint32_t *carries)
{
    while (!ring_has_room(&shard->small, units)) {
        const struct entry *oldest = ring_oldest(&shard->small);
        if (!oldest->gap)
            leave_small(shard, oldest, carries);
        ring_drop_oldest(&shard->small);
    }
    if (ring_used(&shard->small) > 0) /* it leaves next, and its bucket in main's index is probably not cached */
        ring_prefetch_bucket(&shard->main, ring_oldest(&shard->small)->hash);
}

static void make_room(struct shard *shard, const struct ring *ring, uint32_t units)
{
    uint32_t carries = CARRY_MAX + units / CARRY_UNITS;

    if (ring == &shard->main)
        main_make_room(shard, units, &carries);
    else
        small_make_room(shard, units, &carries);
}

/* The key without DO. */
static struct key without_do(const struct key *key)
{
    struct key any;
    key_copy(&any, key);
    any.flags &= ~KEY_DO;
    return any;
}

void shard_put(struct shard *shard, const struct key *key, uint64_t hash, const struct answer *answer, uint64_t now_ms)
{
    uint32_t units = entry_units_for(answer), old_units;
    struct ring *ring = &shard->main;
    struct key any = without_do(key);
    struct entry *entry = ring_find(ring, &any, hash);
    unsigned hits = 0;

    if (!entry) {
        ring = &shard->small;
        entry = ring_find(ring, &any, hash);
    }
    if (entry) {
        shard->replaced++;
        hits = entry->hits;
        old_units = entry_units(entry);
        if (units <= old_units) {
            entry_write(entry, key, hash, answer, hits, now_ms);
            entry_trim(entry, old_units);
            return;
        }
        ring_kill(ring, entry);
    } else if (ghost_take(shard, (uint32_t)hash)) {
        ring = &shard->main;
    }
    make_room(shard, ring, units);
    entry_write(ring_slot(ring), key, hash, answer, hits, now_ms);
    ring_append(ring);
}

void shard_remove(struct shard *shard, const struct key *key, uint64_t hash)
{
    struct key any = without_do(key);
    struct ring *ring = &shard->main;
    struct entry *entry = ring_find(ring, &any, hash);

    if (!entry) {
        ring = &shard->small;
        entry = ring_find(ring, &any, hash);
    }
    if (entry)
        ring_kill(ring, entry);
}

bool shard_restore(struct shard *shard, const struct key *key, uint64_t hash, const struct answer *answer, bool in_main,
                   unsigned hits, uint64_t born_ms)
{
    struct ring *ring = in_main ? &shard->main : &shard->small;

    struct key any = without_do(key);

    if (shard_find(shard, &any, hash))
        return false;
    make_room(shard, ring, entry_units_for(answer));
    entry_write(ring_slot(ring), key, hash, answer, hits, born_ms);
    ring_append(ring);
    return true;
}

void shard_flush(struct shard *shard)
{
    ring_clear(&shard->main);
    ring_clear(&shard->small);
}

/* True if entries are left. Visits at most SLICE_ENTRIES entries and gaps. */
static bool flush_ring_slice(struct ring *ring, uint64_t *position, uint64_t *removed, const uint8_t *name,
                             size_t name_bytes, bool below)
{
    struct entry *entry = NULL;

    for (unsigned i = 0; i < SLICE_ENTRIES && (entry = ring_next(ring, position)); i++) {
        if (!entry->gap && entry_concerns(entry, name, name_bytes, below)) {
            ring_kill(ring, entry);
            ++*removed;
        }
    }
    return entry != NULL;
}

/* The small ring first: entries that leave it meanwhile are appended to the main ring, which is walked later. */
bool shard_flush_slice(struct shard *shard, struct shard_walk *walk, const uint8_t *name, size_t name_bytes, bool below)
{
    if (flush_ring_slice(&shard->small, &walk->small, &walk->removed, name, name_bytes, below))
        return true;
    return flush_ring_slice(&shard->main, &walk->main, &walk->removed, name, name_bytes, below);
}

bool shard_copy_slice(const struct shard *shard, bool from_main, uint64_t *position, uint8_t *out, size_t *len)
{
    const struct ring *ring = from_main ? &shard->main : &shard->small;

    *len = 0;
    for (unsigned i = 0; i < COPY_ENTRIES; i++) {
        uint64_t next = *position;
        const struct entry *entry = ring_next(ring, &next);
        size_t bytes = entry ? (size_t)entry_units(entry) * ENTRY_UNIT : 0;
        if (!entry)
            return false;
        if (!entry->gap && *len > 0 && *len + bytes > SHARD_COPY)
            return true;
        *position = next;
        if (!entry->gap) {
            memcpy(out + *len, entry, bytes);
            *len += bytes;
        }
    }
    return true;
}
