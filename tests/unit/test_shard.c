/* SPDX-License-Identifier: MIT */
/* cache/shard: eviction, links near and past their wrap, memory of a shard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>
#include "cache/shard.h"
#include "tests/unit/answers.h"

static struct shard *shard;
static struct sample sample;
static uint8_t out[MESSAGE_MAX];

static int fresh_shard(void **state)
{
    (void)state;
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    shard = shard_new(SHARD_MIN, 1);
    return shard ? 0 : -1;
}

static int end_shard(void **state)
{
    (void)state;
    shard_free(shard);
    return 0;
}

static void put(unsigned number, unsigned records)
{
    sample_key(&sample, number);
    sample_answer(&sample, records, number, 300);
    shard_put(shard, &sample.key, sample.hash, &sample.answer, 0);
}

static struct entry *find(unsigned number)
{
    sample_key(&sample, number);
    return shard_find(shard, &sample.key, sample.hash);
}

/* Like a query for the name. */
static bool ask(unsigned number)
{
    struct entry *entry = find(number);
    if (entry)
        entry->hits = 1;
    return entry != NULL;
}

static bool lies_in(const struct ring *ring, const struct entry *entry)
{
    const uint8_t *at = (const uint8_t *)entry;
    return at >= ring->data && at < ring->data + ring_data_bytes(ring->size);
}

/* Names from here on are requested once. */
enum { ONCE = 1000000 };
static unsigned flood_next;

static void flood_until(bool (*over)(void))
{
    while (!over())
        put(ONCE + flood_next++, 1);
}

static uint64_t small_target;

static bool small_passed_target(void)
{
    return shard->small.tail >= small_target;
}

/* Until all current entries have left the small ring. */
static void flood_small_round(void)
{
    small_target = shard->small.head;
    flood_until(small_passed_target);
}

static bool something_was_evicted(void)
{
    return shard->evicted > 0;
}

/* From now on entries without hits find no room in the main ring. */
static void fill_main(void)
{
    flood_until(something_was_evicted);
}

static uint32_t units_behind(const struct ring *ring, uint32_t link)
{
    return ((uint32_t)ring->head - link) & ring->position_mask;
}

static bool is_live(const struct ring *ring, uint32_t link)
{
    return units_behind(ring, link) <= ring_used(ring);
}

/* Walks the index of a ring: each entry is linked once, newer before older, under the tag of its hash; no entry
 * follows one marked as the last; and no link is so old that it could be mistaken for a newer one. */
static void check_ring(const struct ring *ring)
{
    uint64_t linked = 0;

    assert_true(ring_used(ring) <= ring->size);
    assert_true(ring->bucket_count <= ring->bucket_max);
    for (uint32_t i = 0; i < ring->bucket_count; i++) {
        uint32_t link = ring->buckets[i], newer = 0;
        for (;; linked++) {
            uint32_t behind = units_behind(ring, link);
            uint32_t place = ring->head_place + ring->size - behind % ring->size;
            const struct entry *entry = (const void *)(ring->data + (size_t)(place % ring->size) * ENTRY_UNIT);
            assert_true(behind > newer && behind < 3 * ring->size);
            if (!is_live(ring, link))
                break;
            assert_false(entry->gap);
            assert_int_equal(link & ring->tag_mask, entry->hash & ring->tag_mask);
            assert_false((link & ring->last_bit) && is_live(ring, entry->next));
            newer = behind;
            link = entry->next;
        }
    }
    assert_int_equal(linked, ring->live);
}

static bool main_has_grown(void)
{
    return shard->main.bucket_count > 256;
}

/* Nothing has left the ring, so what ended a chain when it was linked or its bucket split ends it still. */
static void the_last_of_a_bucket_is_known_after_splits(void **state)
{
    const struct ring *ring = &shard->main;
    unsigned used = 0;
    (void)state;
    flood_until(main_has_grown);
    assert_int_equal(shard->evicted, 0);
    for (uint32_t i = 0; i < ring->bucket_count; i++) {
        uint32_t link = ring->buckets[i];
        while (is_live(ring, link)) {
            uint32_t place = ring->head_place + ring->size - units_behind(ring, link) % ring->size;
            const struct entry *entry = (const void *)(ring->data + (size_t)(place % ring->size) * ENTRY_UNIT);
            used++;
            assert_int_equal((link & ring->last_bit) != 0, !is_live(ring, entry->next));
            link = entry->next;
        }
    }
    assert_int_equal(used, ring->live);
}

static void a_new_name_goes_to_the_small_ring(void **state)
{
    (void)state;
    put(1, 1);
    assert_true(lies_in(&shard->small, find(1)));
    assert_int_equal(shard->small.live, 1);
    assert_int_equal(shard->main.live, 0);
}

static void entries_that_main_has_room_for_are_kept(void **state)
{
    (void)state;
    put(1, 1);
    flood_small_round();
    assert_true(lies_in(&shard->main, find(1)));
    assert_int_equal(shard->evicted, 0);
}

static void a_name_with_a_hit_in_small_moves_to_a_full_main(void **state)
{
    (void)state;
    fill_main();
    put(1, 1);
    put(2, 1);
    assert_true(ask(1));
    flood_small_round();
    assert_true(lies_in(&shard->main, find(1)));
    assert_int_equal(find(1)->hits, 0); /* hits count from 0 in the main ring */
    assert_null(find(2));
}

static void a_name_that_returns_soon_goes_straight_to_main(void **state)
{
    (void)state;
    fill_main();
    put(1, 1);
    flood_small_round();
    assert_null(find(1));
    put(1, 1);
    assert_true(lies_in(&shard->main, find(1)));
    /* Its ghost is gone. */
    ring_kill(&shard->main, find(1));
    put(1, 1);
    assert_true(lies_in(&shard->small, find(1)));
}

/* Puts a name that is a ghost, so that it goes straight to main. */
static void put_into_main(unsigned number, unsigned records)
{
    put(number, 1);
    flood_small_round();
    put(number, records);
    assert_true(lies_in(&shard->main, find(number)));
}

static void a_name_with_a_hit_in_main_is_carried_on_once(void **state)
{
    (void)state;
    struct entry *entry;

    fill_main();
    put_into_main(1, 1);
    put_into_main(2, 1);
    assert_true(ask(1));
    for (unsigned n = 10; find(2); n++)
        put_into_main(n, 1000);
    entry = find(1);
    assert_true(lies_in(&shard->main, entry));
    assert_int_equal(entry->hits, 0);
    check_ring(&shard->main);
}

static void ask_all_in(struct ring *ring)
{
    for (uint64_t left = ring_used(ring), place = ring->tail_place; left > 0;) {
        struct entry *entry = (void *)(ring->data + place * ENTRY_UNIT);
        uint32_t units = entry_units(entry);
        if (!entry->gap)
            entry->hits = 1;
        if (place + units >= ring->size)
            units = (uint32_t)(ring->size - place);
        place = (place + units) % ring->size;
        left -= units;
    }
}

static void a_put_carries_on_sixteen_entries_at_most(void **state)
{
    (void)state;
    uint64_t evicted, head;
    uint32_t units;

    fill_main();
    put(1, 1);
    flood_small_round();
    ask_all_in(&shard->main);
    evicted = shard->evicted;
    head = shard->main.head;
    put(1, 1);
    units = entry_units(find(1));
    assert_true(lies_in(&shard->main, find(1)));
    assert_true(shard->evicted > evicted);
    assert_true(shard->main.head - head > units * 15);
    assert_true(shard->main.head - head <= units * 18);
}

static void names_with_hits_survive_a_flood_of_others(void **state)
{
    (void)state;
    enum { HOT = 500, FLOOD = 400000, EVERY = 20 };
    unsigned missed = 0;

    for (unsigned i = 0; i < FLOOD; i++) {
        put(ONCE + i, 1);
        if (i % EVERY == 0 && !ask(i / EVERY % HOT)) {
            missed++;
            put(i / EVERY % HOT, 1);
        }
    }
    assert_true(shard->evicted > FLOOD / 2);
    assert_true(missed <= 2 * HOT);
    check_ring(&shard->main);
    check_ring(&shard->small);
}

static void a_hot_set_in_main_outlives_a_flood_of_large_answers(void **state)
{
    (void)state;
    enum { HOT = 500 };
    unsigned missed = 0;

    for (unsigned i = 0; i < HOT; i++)
        put(i, 1);
    for (unsigned i = 0; i < HOT; i++)
        assert_true(ask(i));
    flood_small_round();
    for (unsigned i = 0; i < 2000; i++) {
        put(ONCE * 2 + i, 4000);
        missed += !ask(i % HOT);
    }
    assert_int_equal(missed, 0);
}

static void an_answer_that_fits_is_rewritten_in_its_place(void **state)
{
    (void)state;
    const struct entry *entry;
    uint64_t head;

    put(1, 4);
    put(2, 1);
    entry = find(1);
    head = shard->small.head;
    for (unsigned records = 4; records > 0; records--) {
        put(1, records);
        assert_ptr_equal(find(1), entry);
        assert_int_equal(entry->ttl_count, records);
        assert_non_null(find(2));
    }
    assert_int_equal(shard->small.head, head);
    assert_int_equal(shard->small.live, 2);
    assert_int_equal(shard->replaced, 4);
    flood_small_round(); /* the tail passes the trimmed part */
    assert_non_null(find(1));
    assert_non_null(find(2));
    check_ring(&shard->main);
}

static void a_larger_answer_replaces_the_old_one(void **state)
{
    (void)state;
    put(1, 1);
    put(2, 1);
    assert_true(ask(1));
    put(1, 9);
    assert_int_equal(find(1)->ttl_count, 9);
    assert_int_equal(find(1)->hits, 1); /* the name is as popular as before */
    assert_non_null(find(2));
    assert_int_equal(shard->small.live, 2);
    check_ring(&shard->small);
}

static void a_larger_answer_stays_in_main(void **state)
{
    (void)state;
    fill_main();
    put_into_main(1, 1);
    put(1, 9);
    assert_true(lies_in(&shard->main, find(1)));
    assert_int_equal(find(1)->ttl_count, 9);
    check_ring(&shard->main);
}

static void equal_hashes_do_not_confuse_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        sample_key(&sample, i);
        sample_answer(&sample, 1, i, 300);
        shard_put(shard, &sample.key, 7, &sample.answer, 0);
    }
    for (unsigned i = 0; i < 50; i++) {
        struct answer answer;
        sample_key(&sample, i);
        entry_read(shard_find(shard, &sample.key, 7), out, &answer);
        assert_int_equal(sample_mark(&sample.key, out, 0), i);
    }
    sample_key(&sample, 50);
    assert_null(shard_find(shard, &sample.key, 7));
    check_ring(&shard->small);
}

static void a_flush_makes_everything_unfindable(void **state)
{
    (void)state;
    fill_main();
    put_into_main(1, 1);
    put(2, 1);
    shard_flush(shard);
    assert_null(find(1));
    assert_null(find(2));
    assert_int_equal(shard->main.live + shard->small.live, 0);
    put(2, 1);
    assert_non_null(find(2));
    check_ring(&shard->main);
    check_ring(&shard->small);
}

/* Compares a shard with a list of the last answer for each name. */
struct model {
    uint32_t mark;
    unsigned records;
    bool known;
};
enum { MODEL_NAMES = 3000 };

static uint32_t model_random(uint32_t below)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

/* Mostly small answers, sometimes the largest possible. */
static unsigned model_records(void)
{
    switch (model_random(40)) {
    case 0:
        return 4000 + model_random(90);
    case 1:
        return 0;
    default:
        return 1 + model_random(60);
    }
}

/* Mostly few names, sometimes any. */
static unsigned model_name(void)
{
    return model_random(3) ? model_random(200) : model_random(MODEL_NAMES);
}

static void model_check(const struct model *model, const struct entry *entry)
{
    struct answer answer;

    assert_true(model->known);
    entry_read(entry, out, &answer);
    assert_int_equal(answer.len, sample.answer.len);
    assert_memory_equal(out + 2, sample.wire + 2, answer.len - 2);
}

static unsigned model_run(unsigned steps)
{
    static struct model models[MODEL_NAMES];
    unsigned hits = 0;

    memset(models, 0, sizeof(models));
    for (unsigned step = 1; step <= steps; step++) {
        unsigned name = model_name();
        struct model *model = &models[name];
        sample_key(&sample, name);
        if (model_random(2)) {
            struct entry *entry = shard_find(shard, &sample.key, sample.hash);
            if (!entry)
                continue;
            sample_answer(&sample, model->records, model->mark, 300);
            model_check(model, entry);
            entry->hits = 1;
            hits++;
        } else {
            *model = (struct model){.mark = step, .records = model_records(), .known = true};
            sample_answer(&sample, model->records, step, 300);
            shard_put(shard, &sample.key, sample.hash, &sample.answer, 0);
            assert_non_null(shard_find(shard, &sample.key, sample.hash));
        }
        if (model_random(20000) == 0) {
            shard_flush(shard);
            memset(models, 0, sizeof(models));
        }
        if (step % 1000 == 0) {
            check_ring(&shard->main);
            check_ring(&shard->small);
        }
    }
    return hits;
}

static void a_hit_is_the_last_put(void **state)
{
    (void)state;
    assert_true(model_run(60000) > 15000);
    assert_true(shard->went_round);
}

/* Full rings and a walk in slices; puts between the slices evict, carry on and replace entries not yet visited:
 * after the walk no earlier entry is left. */
static void a_walk_in_slices_misses_nothing(void **state)
{
    (void)state;
    struct shard_walk walk = {0};
    unsigned fresh = 0;
    fill_main();
    const unsigned before = flood_next;
    for (unsigned n = 0; n < before; n += 3)
        ask(ONCE + n);
    while (shard_flush_slice(shard, &walk, (const uint8_t *)"\7example", 9, true)) {
        fresh++;
        put(fresh % 2 ? ONCE + before - fresh : fresh, fresh % 9);
    }
    assert_true(walk.removed > 10000 && fresh > 100);
    for (unsigned n = 0; n + fresh + 2 < before; n++)
        assert_null(find(ONCE + n));
    check_ring(&shard->main);
    check_ring(&shard->small);
}

/* From positions just below 2^32: links wrap in both rings, and old ones must not become live. */
static void links_may_wrap(void **state)
{
    (void)state;
    shard_free(shard);
    shard = shard_new(SHARD_MIN, (UINT64_C(1) << 32) - 100000);
    assert_true(model_run(60000) > 15000);
    assert_true(shard->main.tail > UINT64_C(1) << 32);
    assert_true(shard->small.tail > UINT64_C(1) << 32);
}

static void take_tags_away(struct ring *ring)
{
    ring->position_mask = UINT32_MAX;
    ring->tag_mask = ring->last_bit = 0;
}

/* Like the largest rings. */
static void a_ring_may_have_no_tags(void **state)
{
    (void)state;
    shard_free(shard);
    shard = shard_new(SHARD_MIN, (UINT64_C(1) << 32) - 100000);
    take_tags_away(&shard->main);
    take_tags_away(&shard->small);
    assert_true(model_run(60000) > 15000);
    assert_true(shard->small.tail > UINT64_C(1) << 32);
}

static void the_parts_of_a_link_follow_from_the_size(void **state)
{
    (void)state;
    static const struct {
        uint32_t size, position_mask, last_bit;
    } cases[] = {{1 << 19, (1u << 22) - 1, 1u << 31},
                 {(1 << 19) - 1, (1u << 21) - 1, 1u << 31},
                 {(1 << 29) - 1, UINT32_MAX >> 1, 1u << 31},
                 {1 << 29, UINT32_MAX, 0},
                 {RING_SIZE_MAX, UINT32_MAX, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        _Atomic uint32_t bucket = 0;
        struct ring ring;
        ring_init(&ring, NULL, &bucket, cases[i].size, 1);
        assert_int_equal(ring.position_mask, cases[i].position_mask);
        assert_true((uint64_t)ring.position_mask + 1 >= 4 * (uint64_t)ring.size);
        assert_int_equal(ring.last_bit, cases[i].last_bit);
        assert_int_equal(ring.position_mask ^ ring.tag_mask ^ ring.last_bit, UINT32_MAX);
    }
}

/* Without the refresh a bucket unused for so long would lead to unrelated data. */
static void old_links_are_refreshed_in_time(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4000; i++)
        put(i, 1);
    for (unsigned i = 0; i < 300; i++) {
        put(ONCE + i % 3, 4000 + i);
        check_ring(&shard->small);
        check_ring(&shard->main);
    }
    assert_true(shard->small.head > 5 * (uint64_t)shard->small.size);
}

static size_t resident_bytes(void)
{
    unsigned long total, resident;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void pages_not_used_cost_nothing(void **state)
{
    (void)state;
    size_t before = resident_bytes();
    struct shard *large = shard_new(SHARD_MAX, 1);

    assert_non_null(large);
    assert_true(large->bytes <= SHARD_MAX && large->bytes > SHARD_MAX - 8192);
    assert_true(resident_bytes() - before < 256 * 1024);
    shard_free(large);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_shard, end_shard)
    const struct CMUnitTest tests[] = {
        TEST(the_last_of_a_bucket_is_known_after_splits),
        TEST(a_new_name_goes_to_the_small_ring),
        TEST(entries_that_main_has_room_for_are_kept),
        TEST(a_name_with_a_hit_in_small_moves_to_a_full_main),
        TEST(a_name_that_returns_soon_goes_straight_to_main),
        TEST(a_name_with_a_hit_in_main_is_carried_on_once),
        TEST(a_put_carries_on_sixteen_entries_at_most),
        TEST(names_with_hits_survive_a_flood_of_others),
        TEST(a_hot_set_in_main_outlives_a_flood_of_large_answers),
        TEST(an_answer_that_fits_is_rewritten_in_its_place),
        TEST(a_larger_answer_replaces_the_old_one),
        TEST(a_larger_answer_stays_in_main),
        TEST(equal_hashes_do_not_confuse_names),
        TEST(a_flush_makes_everything_unfindable),
        TEST(a_walk_in_slices_misses_nothing),
        TEST(a_hit_is_the_last_put),
        TEST(links_may_wrap),
        TEST(a_ring_may_have_no_tags),
        TEST(the_parts_of_a_link_follow_from_the_size),
        TEST(old_links_are_refreshed_in_time),
        TEST(pages_not_used_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
