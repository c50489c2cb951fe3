/* SPDX-License-Identifier: MIT */
/* cache/dump: saved entries are loaded with their current age; damaged, truncated or foreign files are refused;
 * flushed entries do not return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/mem.h"
#include "cache/dump.h"
#include "tests/unit/answers.h"

#define MIB     ((size_t)1 << 20)
#define WALL    (BUILD_DATE_S + 1000)
#define BOOT_MS UINT64_C(5000000)

static struct cache *before, *after;
static struct sample sample;
static uint8_t out[MESSAGE_MAX];
static struct cache_found found;
static struct dump_count count;
static atomic_bool stop;
static struct key_group group;
static struct dump_terms terms;
static int file;

static void at(uint64_t ms, int64_t wall_s)
{
    clock_fake(ms * 1000, wall_s);
}

static int fresh(void **state)
{
    (void)state;
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    at(BOOT_MS, WALL);
    group = (struct key_group){0, "the first group"};
    stop = false;
    terms = (struct dump_terms){.groups = &group,
                                .group_count = 1,
                                .limits = {.min = 0, .max = 86400, .negative_max = 3600},
                                .stale = 3600,
                                .stop = &stop};
    before = cache_new(4 * MIB);
    after = cache_new(4 * MIB);
    file = memfd_create("dump", MFD_CLOEXEC);
    return before && after && file >= 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    mem_fail_at(0);
    cache_free(before);
    cache_free(after);
    close(file);
    clock_real();
    return 0;
}

static void put(unsigned number, unsigned records, uint32_t ttl)
{
    sample_key(&sample, number);
    sample_answer(&sample, records, number, ttl);
    assert_int_equal(cache_put(before, &sample.key, sample.hash, &sample.answer, clock_ms(), cache_epoch(before)), 0);
}

static enum cache_result get(struct cache *cache, unsigned number)
{
    sample_key(&sample, number);
    return cache_get(cache, &sample.key, sample.hash, clock_ms(), CACHE_STALE, 0, out, sizeof out, &found);
}

static void save(void)
{
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    assert_int_equal(dump_write(before, &terms, file), 0);
}

static void load(uint64_t taken, uint64_t left_out)
{
    assert_int_equal(dump_read(after, &terms, file, &count), 0);
    assert_int_equal(count.taken, taken);
    assert_int_equal(count.left_out, left_out);
}

/* Another process: another key for hashes, another boot-time clock. */
static void restart(int64_t wall_s)
{
    hash_init_fixed((const uint8_t *)"another key, 16o");
    at(1000, wall_s);
}

static void an_empty_cache_comes_back(void **state)
{
    (void)state;
    save();
    load(0, 0);
}

static void saved_entries_are_loaded_with_their_age(void **state)
{
    (void)state;
    put(1, 3, 300);
    at(BOOT_MS + 100 * 1000, WALL + 100);
    put(2, 1, 300);
    save();
    restart(WALL + 150);
    load(2, 0);
    assert_int_equal(get(after, 1), CACHE_HIT);
    assert_int_equal(sample_mark(&sample.key, out, 2), 1);
    assert_in_range(found.answer.ttl, 147, 150); /* a second for each time that was rounded */
    assert_int_equal(sample_ttl(&sample.key, out, 2), found.answer.ttl);
    assert_int_equal(found.original_ttl, 300);
    assert_int_equal(get(after, 2), CACHE_HIT);
    assert_in_range(found.answer.ttl, 247, 250);
}

static void members_not_in_the_wire_are_stored_too(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample.key.flags = KEY_DO | KEY_CD;
    sample.hash = key_hash(&sample.key);
    sample_answer(&sample, 0, 1, 300);
    write_u16(sample.wire + MESSAGE_FLAGS, FLAG_QR | 3);
    sample.answer.rcode = 3;
    sample.answer.authenticated = true;
    struct writer soa = writer_over(sample.wire + sample.answer.len, 100);
    static const uint8_t rdata[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 1, 0};
    writer_u16(&soa, 0xc00c);
    writer_u32(&soa, 0x00060001);
    sample.ttl_offsets[0] = (uint16_t)(sample.answer.len + writer_len(&soa));
    writer_u32(&soa, 256);
    writer_u16(&soa, sizeof rdata);
    writer_bytes(&soa, rdata, sizeof rdata);
    write_u16(sample.wire + 8, 1);
    sample.answer.len += writer_len(&soa);
    sample.answer.additional = (uint16_t)sample.answer.len;
    sample.answer.ttl = 256;
    sample.answer.ttl_count = 1;
    ede_add(&sample.answer.ede, 22, "one", 3);
    ede_add(&sample.answer.ede, 23, NULL, 0);
    assert_int_equal(cache_put(before, &sample.key, sample.hash, &sample.answer, clock_ms(), 0), 0);
    save();
    load(1, 0);
    assert_int_equal(cache_get(after, &sample.key, sample.hash, clock_ms(), CACHE_FRESH, 0, out, sizeof out, &found),
                     CACHE_HIT);
    assert_int_equal(found.answer.rcode, 3);
    assert_true(found.answer.authenticated);
    assert_int_equal(found.answer.ede.count, 2);
    assert_memory_equal(found.answer.ede.item[0].text, "one", 3);
    assert_int_equal(found.original_ttl, 256);
    assert_int_equal(get(after, 1), CACHE_MISS); /* there was no query without DO and CD */
}

static void entries_that_expired_meanwhile_are_stale(void **state)
{
    (void)state;
    put(1, 1, 300);
    save();
    restart(WALL + 400);
    load(1, 0);
    assert_int_equal(get(after, 1), CACHE_EXPIRED);
    assert_in_range(found.expired_ms, 100 * 1000, 102 * 1000);
}

static void entries_expired_too_long_ago_are_left_out(void **state)
{
    (void)state;
    put(1, 1, 300);
    put(2, 1, 400);
    save();
    restart(WALL + 300 + 3600 + 10);
    load(1, 1);
    assert_int_equal(get(after, 1), CACHE_MISS);
    assert_int_equal(get(after, 2), CACHE_EXPIRED);
}

static void an_unknown_time_expires_all(void **state)
{
    const int64_t walls[] = {WALL - 1, BUILD_DATE_S - 5, 0};
    (void)state;
    put(1, 1, 300);
    at(BOOT_MS + 20 * 1000, WALL);
    save();
    for (unsigned i = 0; i < 3; i++) {
        cache_flush(after);
        restart(walls[i]);
        load(1, 0);
        assert_int_equal(get(after, 1), CACHE_EXPIRED);
        assert_in_range(found.expired_ms, 0, 0);
    }
}

static void a_file_of_a_time_without_a_clock_is_expired(void **state)
{
    (void)state;
    at(BOOT_MS, 100);
    put(1, 1, 300);
    save();
    restart(110);
    load(1, 0);
    assert_int_equal(get(after, 1), CACHE_EXPIRED);
}

static void limits_of_now_hold(void **state)
{
    (void)state;
    put(1, 1, 300);
    save();
    terms.limits.max = 60;
    load(1, 0);
    assert_int_equal(get(after, 1), CACHE_HIT);
    assert_in_range(found.answer.ttl, 50, 60);
    assert_int_equal(found.original_ttl, 60);
}

/* The TTL that a client sees is never longer than what is left of the entry. */
static void a_higher_least_ttl_raises_nothing(void **state)
{
    (void)state;
    put(1, 1, 30);
    save();
    terms.limits.min = 300;
    load(1, 0);
    assert_int_equal(get(after, 1), CACHE_HIT);
    assert_in_range(found.answer.ttl, 20, 30);
    assert_int_equal(sample_ttl(&sample.key, out, 0), found.answer.ttl);
}

static void answers_of_other_upstreams_are_not_loaded(void **state)
{
    (void)state;
    put(1, 1, 300);
    save();
    memcpy(group.definition, "others", 6);
    load(0, 1);
    assert_int_equal(get(after, 1), CACHE_MISS);
}

static void answers_of_other_trust_anchors_are_not_loaded(void **state)
{
    (void)state;
    memcpy(terms.trust, "these anchors...", DIGEST_LEN);
    put(1, 1, 300);
    save();
    memset(terms.trust, 0, DIGEST_LEN);
    load(0, 1);
    memcpy(terms.trust, "those anchors...", DIGEST_LEN);
    load(0, 1);
    memcpy(terms.trust, "these anchors...", DIGEST_LEN);
    load(1, 0);
}

static void a_group_is_known_by_its_definition(void **state)
{
    (void)state;
    put(1, 1, 300);
    save();
    group.id = 7;
    load(1, 0);
    assert_int_equal(get(after, 1), CACHE_MISS);
    sample.key.group = 7;
    assert_int_equal(
        cache_get(after, &sample.key, key_hash(&sample.key), clock_ms(), CACHE_FRESH, 0, out, sizeof out, &found),
        CACHE_HIT);
    cache_flush(before);
    assert_int_equal(ftruncate(file, 0), 0);
    put(1, 1, 300);
    save(); /* its answers are of group 0, which is no longer in force */
    cache_flush(after);
    load(0, 0);
}

static void existing_entries_are_newer(void **state)
{
    (void)state;
    put(1, 1, 300);
    save();
    sample_answer(&sample, 1, 99, 200);
    assert_int_equal(cache_put(after, &sample.key, sample.hash, &sample.answer, clock_ms(), 0), 0);
    load(0, 1);
    assert_int_equal(get(after, 1), CACHE_HIT);
    assert_int_equal(sample_mark(&sample.key, out, 0), 99);
}

static void flushed_entries_are_not_saved(void **state)
{
    (void)state;
    put(1, 1, 300);
    put(2, 1, 300);
    sample_key(&sample, 1);
    assert_int_equal(cache_flush_name(before, sample.key.name, sample.key.name_len, false), 1);
    save();
    load(1, 0);
    assert_int_equal(get(after, 1), CACHE_MISS);
    assert_int_equal(get(after, 2), CACHE_HIT);
}

static void it_stops_on_request(void **state)
{
    (void)state;
    put(1, 1, 300);
    save();
    stop = true;
    assert_int_equal(dump_read(after, &terms, file, &count), -ECANCELED);
    assert_int_equal(dump_write(before, &terms, file), -ECANCELED);
    assert_int_equal(get(after, 1), CACHE_MISS);
}

static void a_pipe_will_do(void **state)
{
    int ends[2];
    (void)state;
    put(1, 1, 300);
    put(2, 20, 300);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dump_write(before, &terms, ends[1]), 0);
    assert_int_equal(dump_read(after, &terms, ends[0], &count), 0);
    assert_int_equal(count.taken, 2);
    close(ends[0]);
    close(ends[1]);
}

static size_t file_bytes(uint8_t **bytes)
{
    off_t len = lseek(file, 0, SEEK_END);
    *bytes = malloc((size_t)len);
    assert_non_null(*bytes);
    assert_int_equal(pread(file, *bytes, (size_t)len, 0), len);
    return (size_t)len;
}

static void nothing_of_a_damaged_file_is_taken(void **state)
{
    uint8_t *bytes;
    (void)state;
    for (unsigned i = 1; i <= 3000; i++)
        put(i, 2, 300); /* two blocks and more */
    save();
    size_t len = file_bytes(&bytes);
    for (size_t place = 0; place < len; place += place < 100 ? 1 : 997) {
        uint8_t wrong = bytes[place] ^ 0x10;
        assert_int_equal(pwrite(file, &wrong, 1, (off_t)place), 1);
        assert_int_equal(dump_read(after, &terms, file, &count), ERROR_MALFORMED);
        assert_int_equal(count.taken, 0);
        assert_int_equal(pwrite(file, &bytes[place], 1, (off_t)place), 1);
    }
    load(3000, 0);
    free(bytes);
}

static void nothing_of_a_cut_file_is_taken(void **state)
{
    uint8_t *bytes;
    (void)state;
    for (unsigned i = 1; i <= 3000; i++)
        put(i, 2, 300);
    save();
    size_t len = file_bytes(&bytes);
    for (size_t left = len - 1; left > 0; left -= left > 1000 ? 991 : 1) {
        assert_int_equal(ftruncate(file, (off_t)left), 0);
        assert_int_equal(dump_read(after, &terms, file, &count), ERROR_MALFORMED);
        assert_int_equal(count.taken, 0);
    }
    free(bytes);
}

static void a_foreign_file_is_not_read(void **state)
{
    (void)state;
    assert_int_equal(write(file, "dotstub cache 2\n and so on", 26), 26);
    assert_int_equal(dump_read(after, &terms, file, &count), ERROR_MALFORMED);
}

static void a_full_disk_is_logged(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    (void)state;
    assert_true(full >= 0);
    assert_int_equal(dump_write(before, &terms, full), -ENOSPC);
    close(full);
}

static void without_memory_nothing_happens(void **state)
{
    (void)state;
    mem_fail_at(1);
    assert_int_equal(dump_write(before, &terms, file), -ENOMEM);
    mem_fail_at(1);
    assert_int_equal(dump_read(after, &terms, file, &count), -ENOMEM);
}

/* --- popular entries stay popular --- */

enum { NAMES = 200000, WARM = 300000, ASKED = 40000 };

/* Draws names by Zipf's law. */
static unsigned zipf(void)
{
    double u = (double)(random_below(1u << 30) + 1) / (1u << 30);
    return (unsigned)(pow((pow(NAMES, 0.2) - 1) * u + 1, 5.0));
}

/* The hit ratio of queries; misses are stored. */
static double ratio(struct cache *cache, unsigned asked)
{
    unsigned hits = 0;
    for (unsigned i = 0; i < asked; i++) {
        unsigned number = zipf();
        if (get(cache, number) == CACHE_HIT) {
            hits++;
            continue;
        }
        sample_answer(&sample, 1, number, 86400);
        assert_int_equal(cache_put(cache, &sample.key, sample.hash, &sample.answer, clock_ms(), cache_epoch(cache)), 0);
    }
    return (double)hits / asked;
}

/* 4 MiB are full long before the warm-up ends. */
static void the_hit_ratio_stays(void **state)
{
    (void)state;
    (void)ratio(before, WARM);
    save();
    double without = ratio(before, ASKED);
    restart(WALL + 1);
    assert_int_equal(dump_read(after, &terms, file, &count), 0);
    double with = ratio(after, ASKED);
    print_message("hit ratio without a restart %.4f, after it %.4f, of %llu answers\n", without, with,
                  (unsigned long long)count.taken);
    assert_true(without > 0.3 && without < 0.9);
    assert_true(fabs(with - without) < 0.01);
}

/* Entries that do not fit evict older ones, as when they were put first; the bound of memory holds. */
static void a_smaller_cache_takes_what_fits(void **state)
{
    struct cache_stats stats;
    (void)state;
    cache_free(before);
    before = cache_new(32 * MIB);
    assert_non_null(before);
    for (unsigned i = 1; i <= 250000; i++)
        put(i, 1, 300);
    save();
    assert_int_equal(dump_read(after, &terms, file, &count), 0);
    cache_stats(after, &stats);
    assert_true(stats.bytes <= 4 * MIB);
    assert_true(stats.used > 3 * MIB);
    assert_int_equal(count.taken, 250000);
    assert_int_equal(stats.entries + stats.evicted, 250000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_cache_comes_back),
        TEST(saved_entries_are_loaded_with_their_age),
        TEST(members_not_in_the_wire_are_stored_too),
        TEST(entries_that_expired_meanwhile_are_stale),
        TEST(entries_expired_too_long_ago_are_left_out),
        TEST(an_unknown_time_expires_all),
        TEST(a_file_of_a_time_without_a_clock_is_expired),
        TEST(limits_of_now_hold),
        TEST(a_higher_least_ttl_raises_nothing),
        TEST(answers_of_other_upstreams_are_not_loaded),
        TEST(answers_of_other_trust_anchors_are_not_loaded),
        TEST(a_group_is_known_by_its_definition),
        TEST(existing_entries_are_newer),
        TEST(flushed_entries_are_not_saved),
        TEST(it_stops_on_request),
        TEST(a_pipe_will_do),
        TEST(nothing_of_a_damaged_file_is_taken),
        TEST(nothing_of_a_cut_file_is_taken),
        TEST(a_foreign_file_is_not_read),
        TEST(a_full_disk_is_logged),
        TEST(without_memory_nothing_happens),
        TEST(the_hit_ratio_stays),
        TEST(a_smaller_cache_takes_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
