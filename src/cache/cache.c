/* SPDX-License-Identifier: MIT */
/* Invariants: the high bits of a hash are used only to choose the shard, so the low half is evenly distributed
 * within each shard; a shard is accessed only with its lock held, and an answer is copied to the caller under that
 * lock, so a copy is always one answer as it was put. A flush first increments the epoch and then takes each lock;
 * a put compares the epoch under the lock. So an answer to a query from before the flush is either in its shard
 * when the flush comes to it, or is refused. */
#include "cache/cache.h"

#include <assert.h>
#include <errno.h>
#include "base/mem.h"
#include "cache/inside.h"
#include "dns/codes.h"
#include "dns/edit.h"
#include "dns/rewrite.h"
#include "dns/ttl.h"

static unsigned shards_for(size_t bytes)
{
    unsigned count = 1;
    while (count < SHARDS_MAX && bytes / (2 * count) >= CACHE_MIN)
        count *= 2;
    return count;
}

struct cache *cache_new(size_t bytes)
{
    unsigned count = shards_for(bytes);
    size_t whole = bytes < CACHE_MIN ? CACHE_MIN : bytes, each = (whole - cut_bytes(whole)) / count;
    struct cache *cache = mem_zalloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    if (cut_init(&cache->cut, whole) < 0)
        goto fail;
    cache->cut_bytes = cut_bytes(whole);
    each = each < SHARD_MIN ? SHARD_MIN : each > SHARD_MAX ? SHARD_MAX : each;
    for (; cache->count < count; cache->count++) {
        cache->shard[cache->count] = shard_new(each, 1);
        if (!cache->shard[cache->count])
            goto fail;
    }
    return cache;
fail:
    cache_free(cache);
    return NULL;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < cache->count; i++)
        shard_free(cache->shard[i]);
    cut_fini(&cache->cut);
    mem_free(cache);
}

/* The golden ratio of 2^32: even if an RRset gets only, for example, every second hit of the shard, its turns are
 * evenly distributed. */
#define TURN UINT32_C(0x9E3779B9)

static bool has_ttl_0(const uint8_t *wire, const uint16_t *ttl_offsets, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (read_u32(wire + ttl_offsets[i]) == 0)
            return true;
    return false;
}

/* For a copy that differs from the entry in more than its age; the lock is held. */
static __attribute__((noinline)) void adapt_copy(const struct cache *cache, struct shard *shard,
                                                 const struct entry *entry, const struct key *key, bool expired,
                                                 struct cache_found *found)
{
    uint8_t *out = found->answer.wire;
    if ((entry->traits & ENTRY_DNSSEC) && !(key->flags & KEY_DO))
        found->surplus |= SURPLUS_DNSSEC;
    if ((entry->traits & ENTRY_UNEVEN) && !expired && has_ttl_0(out, entry->ttl_offsets, entry->ttl_count))
        found->surplus |= SURPLUS_EXPIRED;
    if ((entry->traits & ENTRY_ROTATES) && atomic_load_explicit(&cache->rotate, memory_order_relaxed))
        entry_rotate(entry, out, shard->turn += TURN);
}

static inline __attribute__((always_inline)) enum cache_result
get_one(struct cache *cache, const struct key *key, uint64_t hash, uint64_t now_ms, enum cache_want want,
        uint32_t stale_ttl, uint8_t *out, size_t cap, struct cache_found *found)
{
    struct shard *shard = shard_of(cache, hash);
    enum cache_result result = CACHE_MISS;

    pthread_mutex_lock(&shard->lock);
    struct entry *entry = ring_find(&shard->main, key, hash);
    if (!entry)
        entry = ring_find(&shard->small, key, hash);
    if (!entry)
        goto out;
    uint64_t age = entry_age(entry, now_ms), life = (uint64_t)entry->ttl * 1000;
    bool expired = age >= life;
    if (expired && want == CACHE_FRESH)
        goto out;
    if (entry->hits < ENTRY_HITS_MAX && want != CACHE_PEEK) /* an entry with the maximum is not written to */
        entry->hits++;
    found->answer.len = entry->len;
    result = CACHE_TOO_BIG;
    if (entry->len > cap)
        goto out;
    result = expired ? CACHE_EXPIRED : CACHE_HIT;
    found->original_ttl = entry->ttl;
    found->expired_ms = expired ? age - life : 0;
    found->flags = entry->flags;
    found->surplus = 0;
    entry_read(entry, out, &found->answer);
    found->answer.ttl = expired ? 0 : entry->ttl - (uint32_t)(age / 1000);
    if (expired) {
        if (ttl_set_stale(out, entry->ttl_offsets, entry->ttl_count, entry->ttl, (uint32_t)(age / 1000), stale_ttl))
            found->surplus = SURPLUS_EXPIRED;
    } else if (age >= 1000) {
        edit_age(out, entry->ttl_offsets, entry->ttl_count, (uint32_t)(age / 1000));
    }
    if (entry->traits)
        adapt_copy(cache, shard, entry, key, expired, found);
out:
    pthread_mutex_unlock(&shard->lock);
    return result;
}

/* --- names that do not exist --- */

/* The key of the NXDOMAIN entry of the key's name, which serves all types (RFC 2308 section 5). Returns its hash. */
static uint64_t denial_key(const struct key *key, uint64_t hash, struct key *out)
{
    key_copy(out, key);
    out->type = TYPE_NONE;
    return key_hash_without_type(key, hash);
}

/* In whole seconds if the entry is fresh. */
static uint64_t age_of(const struct cache_found *found, enum cache_result result)
{
    uint64_t life_s = found->original_ttl;
    return result == CACHE_HIT ? (life_s - found->answer.ttl) * 1000 : life_s * 1000 + found->expired_ms;
}

/* UINT64_MAX: there is no entry. */
static uint64_t age_of_entry(struct cache *cache, const struct key *key, uint64_t hash, uint64_t now_ms)
{
    struct shard *shard = shard_of(cache, hash);
    pthread_mutex_lock(&shard->lock);
    const struct entry *entry = shard_find(shard, key, hash);
    uint64_t age = entry ? entry_age(entry, now_ms) : UINT64_MAX;
    pthread_mutex_unlock(&shard->lock);
    return age;
}

/* `result`: CACHE_MISS, or CACHE_EXPIRED with `found` set. An expired entry of the type counts if it is newer than the
 * denial: the name existed then. */
static __attribute__((noinline)) enum cache_result get_denial(struct cache *cache, const struct key *key, uint64_t hash,
                                                              uint64_t now_ms, enum cache_want want, uint32_t stale_ttl,
                                                              uint8_t *out, size_t cap, struct cache_found *found,
                                                              enum cache_result result)
{
    struct key denied;
    uint64_t denied_hash = denial_key(key, hash, &denied);
    enum cache_result denial = get_one(cache, &denied, denied_hash, now_ms, want, stale_ttl, out, cap, found);
    if (denial == CACHE_MISS)
        return result;
    if (denial == CACHE_TOO_BIG ||
        (found->answer.rcode == RCODE_NXDOMAIN && age_of(found, denial) <= age_of_entry(cache, key, hash, now_ms)))
        return denial;
    return result == CACHE_EXPIRED ? get_one(cache, key, hash, now_ms, want, stale_ttl, out, cap, found) : CACHE_MISS;
}

enum cache_result cache_get(struct cache *cache, const struct key *key, uint64_t hash, uint64_t now_ms,
                            enum cache_want want, uint32_t stale_ttl, uint8_t *out, size_t cap,
                            struct cache_found *found)
{
    enum cache_result result = get_one(cache, key, hash, now_ms, want, stale_ttl, out, cap, found);
    if (result == CACHE_HIT || result == CACHE_TOO_BIG)
        return result;
    return get_denial(cache, key, hash, now_ms, want, stale_ttl, out, cap, found, result);
}

/* --- names below a name that does not exist --- */

/* EDE 15 to 17: a policy of the upstream denied the name, not the zone. */
static bool is_filtered(const struct answer *answer)
{
    for (unsigned i = 0; i < answer->ede.count; i++)
        if (answer->ede.item[i].code >= EDE_BLOCKED && answer->ede.item[i].code <= EDE_FILTERED)
            return true;
    return false;
}

static __attribute__((noinline)) enum cache_result get_above(struct cache *cache, enum cache_cut cut,
                                                             const struct key *key, uint64_t now_ms, uint8_t *out,
                                                             size_t cap, struct cache_found *found)
{
    uint8_t offsets[CUT_DEPTH];
    struct key above;
    unsigned count = cut_find(&cache->cut, key, now_ms, offsets);

    for (unsigned i = 0; i < count; i++) {
        key_copy_ancestor(&above, key, offsets[i]);
        above.type = TYPE_NONE;
        if (get_one(cache, &above, key_hash(&above), now_ms, CACHE_FRESH, 0, out, cap, found) == CACHE_HIT &&
            is_denial(&found->answer) && (found->answer.authenticated || cut == CUT_YES) &&
            !is_filtered(&found->answer))
            return CACHE_HIT;
    }
    return CACHE_MISS;
}

enum cache_result cache_get_above(struct cache *cache, const struct key *key, uint64_t now_ms, uint8_t *out, size_t cap,
                                  struct cache_found *found)
{
    enum cache_cut cut = atomic_load_explicit(&cache->nxdomain_cut, memory_order_relaxed);
    if (cut == CUT_NO || !cut_is_possible(&cache->cut, now_ms))
        return CACHE_MISS;
    return get_above(cache, cut, key, now_ms, out, cap, found);
}

void cache_set_cut(struct cache *cache, enum cache_cut cut)
{
    atomic_store_explicit(&cache->nxdomain_cut, cut, memory_order_relaxed);
}

void cache_set_rotation(struct cache *cache, bool on)
{
    atomic_store_explicit(&cache->rotate, on, memory_order_relaxed);
}

void cache_prefetch(const struct cache *cache, uint64_t hash)
{
    const struct shard *shard = shard_of(cache, hash);

    ring_prefetch_bucket(&shard->main, hash);
    ring_prefetch_bucket(&shard->small, hash);
}

void cache_prefetch_entry(const struct cache *cache, uint64_t hash)
{
    const struct shard *shard = shard_of(cache, hash);

    ring_prefetch_entry(&shard->main, hash);
    ring_prefetch_entry(&shard->small, hash);
}

uint64_t cache_epoch(const struct cache *cache)
{
    return atomic_load_explicit(&cache->epoch, memory_order_relaxed);
}

/* Removes the entry of the key: a newer response contradicts it. */
static void forget_one(struct cache *cache, const struct key *key, uint64_t hash)
{
    struct shard *shard = shard_of(cache, hash);

    pthread_mutex_lock(&shard->lock);
    shard_remove(shard, key, hash);
    pthread_mutex_unlock(&shard->lock);
}

static int put_one(struct cache *cache, const struct key *key, uint64_t hash, const struct answer *answer,
                   uint64_t now_ms, uint64_t epoch)
{
    struct shard *shard = shard_of(cache, hash);
    int status = -ECANCELED;

    pthread_mutex_lock(&shard->lock);
    if (epoch == cache_epoch(cache)) {
        shard_put(shard, key, hash, answer, now_ms);
        status = 0;
    }
    pthread_mutex_unlock(&shard->lock);
    return status;
}

int cache_put(struct cache *cache, const struct key *key, uint64_t hash, const struct answer *answer, uint64_t now_ms,
              uint64_t epoch)
{
    struct key denied;

    assert(answer->ttl > 0);
    if (answer->len > MESSAGE_MAX || answer->ttl_count > MESSAGE_MAX_RECORDS)
        return -ENOSPC;
    /* First, because other threads may find the entry at once. */
    note_entry(cache, key, answer, now_ms + (uint64_t)answer->ttl * 1000);
    if (!is_denial(answer))
        return put_one(cache, key, hash, answer, now_ms, epoch);
    uint64_t denied_hash = denial_key(key, hash, &denied);
    int status = put_one(cache, &denied, denied_hash, answer, now_ms, epoch);
    if (status == 0 && key->type != TYPE_NONE)
        forget_one(cache, key, hash);
    return status;
}

void cache_remove(struct cache *cache, const struct key *key, uint64_t hash)
{
    struct key denied;
    uint64_t denied_hash = denial_key(key, hash, &denied);

    forget_one(cache, key, hash);
    forget_one(cache, &denied, denied_hash);
}

static void next_epoch(struct cache *cache)
{
    atomic_fetch_add_explicit(&cache->epoch, 1, memory_order_relaxed);
}

void cache_flush(struct cache *cache)
{
    next_epoch(cache);
    cut_flush(&cache->cut);
    for (unsigned i = 0; i < cache->count; i++) {
        pthread_mutex_lock(&cache->shard[i]->lock);
        shard_flush(cache->shard[i]);
        pthread_mutex_unlock(&cache->shard[i]->lock);
    }
}

/* Handles a slice of each shard in turn, so that a lock is not taken again right after its release: threads that
 * wait for it come first. */
uint64_t cache_flush_name(struct cache *cache, const uint8_t *name, size_t name_bytes, bool below)
{
    struct shard_walk walks[SHARDS_MAX] = {{0}};
    uint64_t removed = 0;
    bool left = true;

    next_epoch(cache);
    while (left) {
        left = false;
        for (unsigned i = 0; i < cache->count; i++) {
            pthread_mutex_lock(&cache->shard[i]->lock);
            left |= shard_flush_slice(cache->shard[i], &walks[i], name, name_bytes, below);
            pthread_mutex_unlock(&cache->shard[i]->lock);
        }
    }
    for (unsigned i = 0; i < cache->count; i++)
        removed += walks[i].removed;
    return removed;
}

void cache_stats(struct cache *cache, struct cache_stats *out)
{
    struct cache_stats sum = {.bytes = cache->cut_bytes};

    for (unsigned i = 0; i < cache->count; i++) {
        struct shard *shard = cache->shard[i];
        pthread_mutex_lock(&shard->lock);
        sum.bytes += shard->bytes;
        sum.used += (ring_used(&shard->main) + ring_used(&shard->small)) * ENTRY_UNIT;
        sum.entries += shard->main.live + shard->small.live;
        sum.evicted += shard->evicted;
        sum.replaced += shard->replaced;
        pthread_mutex_unlock(&shard->lock);
    }
    *out = sum;
}
