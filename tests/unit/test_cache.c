/* SPDX-License-Identifier: MIT */
/* cache/cache: a hit is the stored answer, aged; another key is not found; bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "dns/codes.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "tests/unit/answers.h"

#define MIB     ((size_t)1 << 20)
#define EXAMPLE "\7example"

static struct cache *cache;
static struct sample sample;
static uint8_t out[MESSAGE_MAX];
static struct cache_found found;

static int fresh_cache(void **state)
{
    (void)state;
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    mem_fail_at(0);
    memset(out, 0xee, sizeof(out));
    memset(&found, 0xee, sizeof(found));
    cache = cache_new(4 * MIB);
    return cache ? 0 : -1;
}

static int end_cache(void **state)
{
    (void)state;
    mem_fail_at(0);
    cache_free(cache);
    return 0;
}

static void put_sample(uint64_t now_ms)
{
    assert_int_equal(cache_put(cache, &sample.key, sample.hash, &sample.answer, now_ms, cache_epoch(cache)), 0);
}

static void put(unsigned number, unsigned records, uint32_t mark, uint32_t ttl, uint64_t now_ms)
{
    sample_key(&sample, number);
    sample_answer(&sample, records, mark, ttl);
    put_sample(now_ms);
}

static enum cache_result get_sample(uint64_t now_ms)
{
    return cache_get(cache, &sample.key, sample.hash, now_ms, CACHE_FRESH, 0, out, sizeof(out), &found);
}

static enum cache_result get(unsigned number, uint64_t now_ms)
{
    sample_key(&sample, number);
    return get_sample(now_ms);
}

static void an_empty_cache_finds_nothing(void **state)
{
    (void)state;
    assert_int_equal(get(1, 0), CACHE_MISS);
    cache_prefetch(cache, sample.hash);
    cache_prefetch_entry(cache, sample.hash);
}

static void an_answer_is_returned_byte_for_byte(void **state)
{
    (void)state;
    put(1, 3, 0x0a000001, 300, 5000);
    assert_int_equal(get(1, 5999), CACHE_HIT);
    assert_int_equal(found.answer.len, sample.answer.len);
    assert_int_equal(read_u16(out), 0); /* no client's id */
    assert_memory_equal(out + 2, sample.wire + 2, sample.answer.len - 2);
    assert_int_equal(out[sample.answer.len], 0xee);
    assert_ptr_equal(found.answer.wire, out);
    assert_int_equal(found.answer.ttl, 300);
    assert_int_equal(found.original_ttl, 300);
    assert_int_equal(found.answer.rcode, 0);
    assert_int_equal(found.answer.additional, found.answer.len);
    assert_int_equal(found.answer.ede.count, 0);
    assert_int_equal(found.answer.ttl_count, 0);
    assert_false(found.answer.authenticated);
    assert_false(found.answer.truncated);
}

static void members_not_in_the_wire_are_stored_too(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 2, 1, 30);
    sample.answer.rcode = 0xabc;
    sample.answer.additional -= SAMPLE_RECORD;
    sample.answer.authenticated = sample.answer.truncated = true;
    ede_add(&sample.answer.ede, 22, "one", 3);
    ede_add(&sample.answer.ede, 23, NULL, 0);
    ede_add(&sample.answer.ede, 24, "0123456789012345678901234567890123456789012345678901234567890123", EDE_TEXT);
    put_sample(0);
    assert_int_equal(get(1, 1000), CACHE_HIT);
    assert_int_equal(found.answer.rcode, 0xabc);
    assert_int_equal(found.answer.additional, sample.answer.additional);
    assert_true(found.answer.authenticated);
    assert_true(found.answer.truncated);
    assert_int_equal(found.answer.ede.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct ede *got = &found.answer.ede.item[i], *want = &sample.answer.ede.item[i];
        assert_int_equal(got->code, want->code);
        assert_int_equal(got->len, want->len);
        assert_memory_equal(got->text, want->text, want->len);
    }
    assert_int_equal(found.answer.len, sample.answer.len);
    assert_int_equal(sample_mark(&sample.key, out, 1), 1);
}

static void an_additional_section_is_found_again(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 2, 1, 30);
    sample.answer.additional -= SAMPLE_RECORD;
    put_sample(0);
    assert_int_equal(get_sample(0), CACHE_HIT);
    assert_int_equal(found.answer.additional, sample.answer.additional);
    assert_int_equal(found.answer.rcode, 0);
    assert_int_equal(found.answer.ede.count, 0);
}

static void an_rcode_is_passed_on_unchanged(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 0, 1, 30);
    write_u16(sample.wire + MESSAGE_FLAGS, FLAG_QR | 3);
    for (uint16_t rcode = 3; rcode < 4096; rcode += 16) {
        sample.answer.rcode = rcode;
        put_sample(0);
        assert_int_equal(get_sample(0), CACHE_HIT);
        assert_int_equal(found.answer.rcode, rcode);
    }
}

static void authenticated_does_not_imply_truncated(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 1, 1, 30);
    sample.answer.authenticated = true;
    put_sample(0);
    assert_int_equal(get_sample(0), CACHE_HIT);
    assert_true(found.answer.authenticated);
    assert_false(found.answer.truncated);
}

static void the_stored_question_is_in_lower_case(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 1, 1, 300);
    sample.wire[MESSAGE_HEADER + 1] = 'N';
    put_sample(0);
    assert_int_equal(get(1, 0), CACHE_HIT);
    assert_memory_equal(out + MESSAGE_HEADER, sample.key.name, sample.key.name_len);
    assert_int_equal(sample.wire[MESSAGE_HEADER + 1], 'N'); /* the caller's message is unchanged */
}

/* Keys with the same hash, so that only the comparison distinguishes them. */
static void assert_other_question(void)
{
    assert_int_equal(cache_get(cache, &sample.key, 7, 0, CACHE_STALE, 0, out, sizeof(out), &found), CACHE_MISS);
    sample_key(&sample, 1);
}

static void another_question_is_not_answered(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 1, 1, 300);
    assert_int_equal(cache_put(cache, &sample.key, 7, &sample.answer, 0, cache_epoch(cache)), 0);
    sample.key.flags = KEY_DO;
    assert_other_question();
    sample.key.flags = KEY_CD;
    assert_other_question();
    sample.key.group = 1;
    assert_other_question();
    sample.key.type = 28;
    assert_other_question();
    sample.key.class = 3;
    assert_other_question();
    sample_key(&sample, 2);
    assert_other_question();
    sample.key.name[8] = 0; /* the name cut after its first label, the next bytes as type and class */
    sample.key.name_len = 9;
    assert_other_question();
    assert_int_equal(cache_get(cache, &sample.key, 7, 0, CACHE_FRESH, 0, out, sizeof(out), &found), CACHE_HIT);
}

static void a_key_longer_than_the_message_is_not_answered(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample.key.name[0] = 0;
    sample.key.name_len = 1;
    sample_answer(&sample, 0, 0, 300);
    assert_int_equal(cache_put(cache, &sample.key, 7, &sample.answer, 0, cache_epoch(cache)), 0);
    sample_key(&sample, 1);
    assert_other_question();
}

static void keys_that_differ_in_cd_or_group_live_side_by_side(void **state)
{
    (void)state;
    for (uint8_t flags = 0; flags < 4; flags += KEY_CD) {
        for (uint32_t group = 0; group < 3; group++) {
            sample_key(&sample, 1);
            sample.key.flags = flags;
            sample.key.group = group * 0x01000001;
            sample.hash = key_hash(&sample.key);
            sample_answer(&sample, 1, group * 4 + flags, 300);
            put_sample(0);
        }
    }
    for (uint8_t flags = 0; flags < 4; flags += KEY_CD) {
        for (uint32_t group = 0; group < 3; group++) {
            sample.key.flags = flags;
            sample.key.group = group * 0x01000001;
            sample.hash = key_hash(&sample.key);
            assert_int_equal(get_sample(0), CACHE_HIT);
            assert_int_equal(sample_mark(&sample.key, out, 0), group * 4 + flags);
        }
    }
}

static void entry_with_do_serves_both(void **state)
{
    (void)state;
    struct cache_stats stats;
    sample_key(&sample, 1);
    sample_answer(&sample, 1, 1, 300);
    put_sample(0);
    sample.key.flags = KEY_DO;
    assert_int_equal(get_sample(0), CACHE_MISS);
    sample_answer(&sample, 2, 2, 300);
    put_sample(0);
    for (uint8_t flags = 0; flags < 2; flags++) {
        sample.key.flags = flags;
        assert_int_equal(get_sample(0), CACHE_HIT);
        assert_int_equal(sample_mark(&sample.key, out, 0), 2);
        assert_int_equal(found.flags, KEY_DO);
        assert_int_equal(found.surplus, 0); /* nothing in it needs DO */
    }
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 1);
    sample.key.flags = 0;
    sample_answer(&sample, 1, 3, 300);
    put_sample(0);
    assert_int_equal(get_sample(0), CACHE_HIT);
    assert_int_equal(sample_mark(&sample.key, out, 0), 3);
    sample.key.flags = KEY_DO;
    assert_int_equal(get_sample(0), CACHE_MISS);
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 1);
}

static enum cache_result get_type(uint16_t type, uint64_t now_ms, enum cache_want want)
{
    sample.key.type = type;
    sample.hash = key_hash(&sample.key);
    return cache_get(cache, &sample.key, sample.hash, now_ms, want, 30, out, sizeof(out), &found);
}

static void put_type(uint16_t type, uint16_t rcode, unsigned records, uint64_t now_ms)
{
    sample_key(&sample, 1);
    sample.key.type = type;
    sample.hash = key_hash(&sample.key);
    sample_answer(&sample, records, rcode, 300);
    sample.answer.rcode = rcode;
    sample.answer.wire[3] = (uint8_t)((sample.answer.wire[3] & 0xf0) | rcode);
    put_sample(now_ms);
}

static void name_that_does_not_exist_has_no_type(void **state)
{
    (void)state;
    put_type(TYPE_AAAA, RCODE_NOERROR, 1, 0);
    put_type(TYPE_A, RCODE_NOERROR, 1, 1000);
    put_type(TYPE_A, RCODE_NXDOMAIN, 0, 2000);
    assert_int_equal(get_type(TYPE_A, 2000, CACHE_FRESH), CACHE_HIT); /* the positive entry is gone */
    assert_int_equal(found.answer.rcode, RCODE_NXDOMAIN);
    assert_int_equal(get_type(TYPE_TXT, 2000, CACHE_FRESH), CACHE_HIT);
    assert_int_equal(found.answer.rcode, RCODE_NXDOMAIN);
    assert_int_equal(get_type(TYPE_AAAA, 2000, CACHE_FRESH), CACHE_HIT); /* still fresh */
    assert_int_equal(found.answer.rcode, RCODE_NOERROR);
    sample.key.flags = KEY_DO;
    assert_int_equal(get_type(TYPE_TXT, 2000, CACHE_FRESH), CACHE_MISS);
    sample.key.flags = KEY_CD;
    assert_int_equal(get_type(TYPE_TXT, 2000, CACHE_FRESH), CACHE_MISS);
    sample_key(&sample, 2);
    assert_int_equal(get_type(TYPE_TXT, 2000, CACHE_FRESH), CACHE_MISS);
}

static void newer_of_two_expired_entries_is_given(void **state)
{
    (void)state;
    enum { LATER = 10 * 300 * 1000 };
    put_type(TYPE_AAAA, RCODE_NOERROR, 1, 0);
    put_type(TYPE_A, RCODE_NXDOMAIN, 0, 1000);
    assert_int_equal(get_type(TYPE_AAAA, LATER, CACHE_STALE), CACHE_EXPIRED);
    assert_int_equal(found.answer.rcode, RCODE_NXDOMAIN);
    put_type(TYPE_AAAA, RCODE_NOERROR, 1, 2000);
    assert_int_equal(get_type(TYPE_AAAA, LATER, CACHE_STALE), CACHE_EXPIRED);
    assert_int_equal(found.answer.rcode, RCODE_NOERROR);
    assert_int_equal(get_type(TYPE_TXT, LATER, CACHE_STALE), CACHE_EXPIRED);
    assert_int_equal(found.answer.rcode, RCODE_NXDOMAIN);
    assert_int_equal(get_type(TYPE_TXT, LATER, CACHE_FRESH), CACHE_MISS);
}

static void denial_older_than_an_expired_entry_is_not_given(void **state)
{
    (void)state;
    put_type(TYPE_TXT, RCODE_NXDOMAIN, 0, 0);
    put_type(TYPE_A, RCODE_NOERROR, 1, 50000);
    sample_answer(&sample, 1, 7, 100);
    put_sample(50000);
    assert_int_equal(get_type(TYPE_A, 200000, CACHE_FRESH), CACHE_MISS);
    assert_int_equal(get_type(TYPE_A, 200000, CACHE_STALE), CACHE_EXPIRED);
    assert_int_equal(found.answer.rcode, RCODE_NOERROR);
    put_type(TYPE_TXT, RCODE_NXDOMAIN, 0, 210000); /* the name is gone again */
    assert_int_equal(get_type(TYPE_A, 220000, CACHE_FRESH), CACHE_HIT);
    assert_int_equal(found.answer.rcode, RCODE_NXDOMAIN);
}

static void alias_to_a_name_that_does_not_exist_is_of_one_type(void **state)
{
    (void)state;
    put_type(TYPE_A, RCODE_NXDOMAIN, 1, 0);
    assert_int_equal(get_type(TYPE_A, 0, CACHE_FRESH), CACHE_HIT);
    assert_int_equal(get_type(TYPE_TXT, 0, CACHE_FRESH), CACHE_MISS);
}

static void ttls_go_down_by_whole_seconds(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 3, 1, 300);
    write_u32(sample.wire + sample.ttl_offsets[1], 301);
    write_u32(sample.wire + sample.ttl_offsets[2], 5); /* as an additional record may have */
    put_sample(1234567);
    assert_int_equal(get(1, 1234567 + 10999), CACHE_HIT);
    assert_int_equal(found.answer.ttl, 290);
    assert_int_equal(found.original_ttl, 300);
    assert_int_equal(sample_ttl(&sample.key, out, 0), 290);
    assert_int_equal(sample_ttl(&sample.key, out, 1), 291);
    assert_int_equal(sample_ttl(&sample.key, out, 2), 0);
    assert_int_equal(get(1, 1234567 + 11000), CACHE_HIT);
    assert_int_equal(sample_ttl(&sample.key, out, 0), 289);
    assert_int_equal(get(1, 1234567 + 999), CACHE_HIT); /* what is stored did not change */
    assert_int_equal(sample_ttl(&sample.key, out, 0), 300);
}

static void an_answer_lives_for_its_ttl_to_the_millisecond(void **state)
{
    (void)state;
    put(1, 1, 1, 60, 1001);
    assert_int_equal(get(1, 1001 + 59999), CACHE_HIT);
    assert_int_equal(found.answer.ttl, 1);
    assert_int_equal(sample_ttl(&sample.key, out, 0), 1);
    assert_int_equal(get(1, 1001 + 60000), CACHE_MISS);
}

static void an_expired_answer_is_returned_only_as_stale(void **state)
{
    (void)state;
    put(1, 2, 7, 60, 1000);
    assert_int_equal(get(1, 61000), CACHE_MISS);
    assert_int_equal(
        cache_get(cache, &sample.key, sample.hash, 61000 + 12345, CACHE_STALE, 30, out, sizeof(out), &found),
        CACHE_EXPIRED);
    assert_int_equal(found.expired_ms, 12345);
    assert_int_equal(found.answer.ttl, 0);
    assert_int_equal(found.original_ttl, 60);
    assert_int_equal(sample_ttl(&sample.key, out, 0), 30);
    assert_int_equal(sample_ttl(&sample.key, out, 1), 30);
    assert_int_equal(sample_mark(&sample.key, out, 1), 7);
    assert_int_equal(cache_get(cache, &sample.key, sample.hash, 60999, CACHE_STALE, 30, out, sizeof(out), &found),
                     CACHE_HIT);
    assert_int_equal(sample_ttl(&sample.key, out, 0), 1);
    assert_int_equal(found.expired_ms, 0);
}

static void a_clock_read_earlier_by_another_thread_does_not_age(void **state)
{
    (void)state;
    put(1, 1, 1, 60, 1000);
    assert_int_equal(get(1, 990), CACHE_HIT);
    assert_int_equal(found.answer.ttl, 60);
    assert_int_equal(sample_ttl(&sample.key, out, 0), 60);
}

static void age_is_right_where_the_stored_time_wraps(void **state)
{
    (void)state;
    const uint64_t wrap = UINT64_C(1) << 40;
    put(1, 1, 1, 60, wrap - 5000);
    assert_int_equal(get(1, wrap + 5000), CACHE_HIT);
    assert_int_equal(found.answer.ttl, 50);
    assert_int_equal(get(1, wrap + 54999), CACHE_HIT);
    assert_int_equal(get(1, wrap + 55000), CACHE_MISS);
}

static void the_longest_ttl_is_kept_for_years(void **state)
{
    (void)state;
    const uint64_t year_s = 365 * 86400;
    put(1, 1, 1, INT32_MAX, 1000);
    assert_int_equal(get(1, 1000 + 15 * year_s * 1000), CACHE_HIT);
    assert_int_equal(found.answer.ttl, INT32_MAX - 15 * year_s);
}

static void answers_larger_than_the_room_are_not_copied(void **state)
{
    (void)state;
    put(1, 10, 1, 60, 0);
    assert_int_equal(cache_get(cache, &sample.key, sample.hash, 0, CACHE_FRESH, 0, out, sample.answer.len - 1, &found),
                     CACHE_TOO_BIG);
    assert_int_equal(found.answer.len, sample.answer.len);
    assert_int_equal(out[0], 0xee);
    assert_int_equal(cache_get(cache, &sample.key, sample.hash, 0, CACHE_FRESH, 0, out, sample.answer.len, &found),
                     CACHE_HIT);
}

static void an_expired_answer_that_does_not_fit_is_a_miss(void **state)
{
    (void)state;
    put(1, 10, 1, 60, 0);
    assert_int_equal(cache_get(cache, &sample.key, sample.hash, 60000, CACHE_FRESH, 0, out, 12, &found), CACHE_MISS);
}

static void store_the_largest_answers(size_t bytes)
{
    cache_free(cache);
    cache = cache_new(bytes);
    assert_non_null(cache);
    for (unsigned n = 0; n < 200; n++) {
        put(n, 4093, n, 60, 0);
        assert_true(sample.answer.len > MESSAGE_MAX - SAMPLE_RECORD);
        assert_int_equal(get(n, 1000), CACHE_HIT);
        assert_int_equal(found.answer.len, sample.answer.len);
        assert_int_equal(sample_mark(&sample.key, out, 4092), n);
        assert_int_equal(sample_ttl(&sample.key, out, 4092), 59);
    }
}

static void the_largest_answers_fit_a_default_and_the_smallest_cache(void **state)
{
    (void)state;
    store_the_largest_answers(64 * MIB);
    store_the_largest_answers(0);
}

static void non_messages_are_refused(void **state)
{
    (void)state;
    sample_key(&sample, 1);
    sample_answer(&sample, 1, 1, 60);
    sample.answer.len = MESSAGE_MAX + 1;
    assert_int_equal(cache_put(cache, &sample.key, sample.hash, &sample.answer, 0, cache_epoch(cache)), -ENOSPC);
    sample_answer(&sample, 1, 1, 60);
    sample.answer.ttl_count = MESSAGE_MAX_RECORDS + 1;
    assert_int_equal(cache_put(cache, &sample.key, sample.hash, &sample.answer, 0, cache_epoch(cache)), -ENOSPC);
    assert_int_equal(get(1, 0), CACHE_MISS);
}

static void the_last_put_wins(void **state)
{
    (void)state;
    const unsigned records[] = {3, 3, 1, 2, 40, 1, 4000, 1};
    for (unsigned i = 0; i < sizeof(records) / sizeof(*records); i++) {
        put(1, records[i], i, 60 + i, i * 1000);
        assert_int_equal(get(1, i * 1000 + 1000), CACHE_HIT);
        assert_int_equal(found.answer.len, sample.answer.len);
        assert_int_equal(found.answer.ttl, 59 + i);
        assert_int_equal(sample_mark(&sample.key, out, records[i] - 1), i);
    }
}

static void a_flush_forgets_everything(void **state)
{
    (void)state;
    cache_free(cache);
    cache = cache_new(64 * MIB);
    assert_non_null(cache);
    for (unsigned n = 0; n < 100; n++)
        put(n, 1, n, 60, 0);
    cache_flush(cache);
    for (unsigned n = 0; n < 100; n++)
        assert_int_equal(get(n, 0), CACHE_MISS);
    put(1, 1, 1, 60, 0);
    assert_int_equal(get(1, 0), CACHE_HIT);
}

static void responses_to_queries_before_a_flush_are_not_stored(void **state)
{
    (void)state;
    uint64_t asked = cache_epoch(cache);
    sample_key(&sample, 1);
    sample_answer(&sample, 1, 1, 60);
    cache_flush(cache);
    assert_int_equal(cache_put(cache, &sample.key, sample.hash, &sample.answer, 0, asked), -ECANCELED);
    assert_int_equal(get(1, 0), CACHE_MISS);
    asked = cache_epoch(cache);
    assert_int_equal(cache_flush_name(cache, (const uint8_t *)EXAMPLE, sizeof(EXAMPLE), true), 0);
    assert_int_equal(cache_put(cache, &sample.key, sample.hash, &sample.answer, 0, asked), -ECANCELED);
    put_sample(0);
    assert_int_equal(get(1, 0), CACHE_HIT);
}

/* Of each of 3000 names an A and an AAAA record, over all shards; one more entry is not below "example". */
static void fill_names(void)
{
    cache_free(cache);
    cache = cache_new(64 * MIB);
    assert_non_null(cache);
    for (unsigned n = 0; n < 6000; n++) {
        sample_key(&sample, n / 2);
        sample.key.type = n % 2 ? 28 : 1;
        sample.hash = key_hash(&sample.key);
        sample_answer(&sample, 1, n, 60);
        put_sample(0);
    }
    sample_key(&sample, 9999);
    sample.key.name[sample.key.name_len - 2] = 'f'; /* "examplf" */
    sample.hash = key_hash(&sample.key);
    sample_answer(&sample, 1, 1, 60);
    put_sample(0);
}

static uint64_t entries(void)
{
    struct cache_stats stats;
    cache_stats(cache, &stats);
    return stats.entries;
}

static void a_name_is_flushed_with_all_its_types(void **state)
{
    (void)state;
    fill_names();
    sample_key(&sample, 1234);
    assert_int_equal(cache_flush_name(cache, sample.key.name, sample.key.name_len, false), 2);
    assert_int_equal(entries(), 5999);
    assert_int_equal(get(1234, 0), CACHE_MISS);
    assert_int_equal(get(1233, 0), CACHE_HIT);
    assert_int_equal(cache_flush_name(cache, (const uint8_t *)EXAMPLE, sizeof(EXAMPLE), false), 0);
    assert_int_equal(entries(), 5999);
}

static void names_below_a_suffix_are_flushed(void **state)
{
    (void)state;
    fill_names();
    sample_key(&sample, 1234);
    assert_int_equal(cache_flush_name(cache, sample.key.name, sample.key.name_len, true), 2);
    assert_int_equal(cache_flush_name(cache, (const uint8_t *)EXAMPLE, sizeof(EXAMPLE), true), 5998);
    assert_int_equal(entries(), 1);
    assert_int_equal(cache_flush_name(cache, (const uint8_t *)"", 1, true), 1);
    assert_int_equal(entries(), 0);
    put(1, 1, 1, 60, 0);
    assert_int_equal(get(1, 0), CACHE_HIT);
}

static void a_peek_finds_expired_entries_and_is_not_a_hit(void **state)
{
    (void)state;
    assert_int_equal(cache_get(cache, &sample.key, sample.hash, 0, CACHE_PEEK, 0, out, MESSAGE_MAX, &found),
                     CACHE_MISS);
    put(1, 2, 7, 60, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(cache_get(cache, &sample.key, sample.hash, 1500, CACHE_PEEK, 0, out, MESSAGE_MAX, &found),
                         CACHE_HIT);
    assert_int_equal(found.answer.ttl, 59);
    assert_int_equal(found.original_ttl, 60);
    assert_int_equal(sample_mark(&sample.key, out, 1), 7);
    assert_int_equal(cache_get(cache, &sample.key, sample.hash, 61000, CACHE_PEEK, 0, out, MESSAGE_MAX, &found),
                     CACHE_EXPIRED);
    assert_int_equal(found.expired_ms, 1000);
    for (unsigned n = 2; n < 100000; n++)
        put(n, 1, n, 60, 0);
    assert_int_equal(get(1, 0), CACHE_MISS); /* with a hit it would have stayed */
}

static void the_memory_bound_is_kept_and_reported(void **state)
{
    (void)state;
    const size_t asked[] = {4 * MIB, 5 * MIB, 64 * MIB, 100 * MIB, 1000 * MIB};
    struct cache_stats stats;

    for (unsigned i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
        cache_free(cache);
        cache = cache_new(asked[i]);
        assert_non_null(cache);
        cache_stats(cache, &stats);
        assert_true(stats.bytes <= asked[i]);
        assert_true(stats.bytes > asked[i] - asked[i] / 50);
        assert_int_equal(stats.used, 0);
    }
    cache_free(cache);
    cache = cache_new(0);
    assert_non_null(cache);
    cache_stats(cache, &stats);
    assert_int_equal(stats.bytes, 4 * MIB);
}

/* Including index, ghosts, and the unused space at the ends of the rings. */
static void a_full_cache_holds_an_a_record_in_110_bytes(void **state)
{
    (void)state;
    struct cache_stats stats;

    for (unsigned n = 0; n < 100000; n++)
        put(n, 1, n, 60, 0);
    cache_stats(cache, &stats);
    assert_int_equal(sample.answer.len, 12 + 18 + 4 + 16);
    assert_true(stats.bytes / stats.entries <= 100);
    assert_true(stats.used <= stats.bytes);
    assert_int_equal(stats.entries + stats.evicted, 100000);
}

static void stats_count(void **state)
{
    (void)state;
    struct cache_stats stats;

    put(1, 1, 1, 60, 0);
    put(2, 1, 1, 60, 0);
    put(2, 2, 1, 60, 0);
    put(2, 1, 1, 60, 0);
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 2);
    assert_int_equal(stats.replaced, 2);
    assert_int_equal(stats.evicted, 0);
    assert_true(stats.used >= 2 * sample.answer.len);
    cache_flush(cache);
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.used, 0);
}

static size_t mapped_bytes(void)
{
    unsigned long pages;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Lowers the address space to what is in use and `more`. */
static struct rlimit limit_memory(size_t more)
{
    struct rlimit before, now;

    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    now = before;
    now.rlim_cur = mapped_bytes() + more;
    assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
    return before;
}

static void out_of_memory_gives_no_cache(void **state)
{
    (void)state;
    struct cache *none;
    struct rlimit before;
    size_t mapped = mapped_bytes();

    mem_fail_at(1);
    assert_null(cache_new(4 * MIB));
    mem_fail_at(0);
    for (size_t more = 0; more <= 6 * MIB; more += 6 * MIB) { /* the first, then the second shard */
        before = limit_memory(more);
        none = cache_new(8 * MIB);
        setrlimit(RLIMIT_AS, &before);
        assert_null(none);
        assert_true(mapped_bytes() <= mapped + MIB); /* the first shard was given back */
    }
    cache_free(NULL);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 11;
}

/* Compares hits with a model: each is the last answer put, with the correct age, and never expired. */
static void a_hit_is_the_last_put_rightly_aged(void **state)
{
    (void)state;
    enum { NAMES = 2000, STEPS = 100000 };
    static struct {
        uint64_t born;
        uint32_t mark, ttl;
        unsigned records;
    } last[NAMES];
    uint64_t now_ms = (UINT64_C(1) << 40) - 3000000, random = 1;
    unsigned hits = 0;

    memset(last, 0, sizeof(last));
    for (uint32_t step = 1; step <= STEPS; step++) {
        unsigned name = (unsigned)(next_random(&random) % NAMES);
        uint64_t age_ms;
        now_ms += next_random(&random) % 100;
        if (next_random(&random) % 2) {
            last[name].born = now_ms;
            last[name].mark = step;
            last[name].ttl = (uint32_t)(1 + next_random(&random) % 2000);
            last[name].records = (unsigned)(1 + next_random(&random) % 100);
            put(name, last[name].records, step, last[name].ttl, now_ms);
        } else if (get(name, now_ms) == CACHE_HIT) {
            unsigned record = last[name].records - 1;
            age_ms = now_ms - last[name].born;
            assert_true(age_ms < last[name].ttl * UINT64_C(1000));
            assert_int_equal(sample_mark(&sample.key, out, record), last[name].mark);
            assert_int_equal(sample_ttl(&sample.key, out, record), last[name].ttl - age_ms / 1000);
            assert_int_equal(found.answer.ttl, last[name].ttl - age_ms / 1000);
            hits++;
        }
    }
    assert_true(hits > STEPS / 8);
    assert_true(now_ms > UINT64_C(1) << 40);
}

/* Zipf 0.8, room for 10 % of the names: CLOCK hits 48 %, SIEVE 55 %, S3-FIFO 55.5 % in simulation. */
static void popular_names_stay(void **state)
{
    (void)state;
    enum { NAMES = 64000, ASKED = 600000, RECORDS = 30 };
    static double share[NAMES];
    double sum = 0;
    uint64_t random = 1;
    unsigned hits = 0;
    struct cache_stats stats;

    for (unsigned n = 0; n < NAMES; n++)
        share[n] = sum += pow(n + 1, -0.8);
    for (unsigned i = 0; i < ASKED; i++) {
        double at = (double)(next_random(&random) % (1u << 30)) / (1u << 30) * sum;
        unsigned low = 0, high = NAMES - 1;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (share[middle] < at)
                low = middle + 1;
            else
                high = middle;
        }
        if (get(low, 0) != CACHE_HIT)
            put(low, RECORDS, low, 60, 0);
        else if (i >= ASKED / 2)
            hits++;
    }
    cache_stats(cache, &stats);
    assert_true(stats.entries < NAMES / 10 + NAMES / 100 && stats.entries > NAMES / 10 - NAMES / 100);
    assert_true(hits > ASKED / 2 * 0.535);
}

enum { THREADS = 4, THREAD_STEPS = 15000, THREAD_NAMES = 3000 };

struct visitor {
    pthread_t thread;
    uint64_t random;
    unsigned hits;
    bool flushes;
};

/* All records of a name's answer have the same mark, which determines the number of records. */
static bool is_whole(const struct sample *asked, const uint8_t *wire, const struct cache_found *got)
{
    uint32_t mark = sample_mark(&asked->key, wire, 0);
    unsigned records = mark % 90 + 1;

    if (got->answer.len != MESSAGE_HEADER + asked->key.name_len + 4u + records * SAMPLE_RECORD)
        return false;
    for (unsigned i = 1; i < records; i++) {
        if (sample_mark(&asked->key, wire, i) != mark)
            return false;
    }
    return true;
}

static void *visit(void *arg)
{
    struct visitor *self = arg;
    struct sample *mine = calloc(1, sizeof(*mine));
    uint8_t *wire = malloc(MESSAGE_MAX);
    struct cache_found got;

    for (unsigned i = 0; i < THREAD_STEPS && mine && wire; i++) {
        sample_key(mine, (unsigned)(next_random(&self->random) % THREAD_NAMES));
        cache_prefetch(cache, mine->hash);
        cache_prefetch_entry(cache, mine->hash);
        if (cache_get(cache, &mine->key, mine->hash, 1000, CACHE_FRESH, 0, wire, MESSAGE_MAX, &got) == CACHE_HIT) {
            self->hits++;
            if (!is_whole(mine, wire, &got))
                abort();
        }
        if (next_random(&self->random) % 2) {
            uint32_t mark = (uint32_t)next_random(&self->random);
            sample_answer(mine, mark % 90 + 1, mark, 60);
            int status = cache_put(cache, &mine->key, mine->hash, &mine->answer, 1000, cache_epoch(cache));
            if (status != 0 && status != -ECANCELED)
                abort();
        }
        if (self->flushes && i % 5000 == 0)
            cache_flush(cache);
        if (self->flushes && i % 5000 == 2500)
            cache_flush_name(cache, (const uint8_t *)EXAMPLE, sizeof(EXAMPLE), true);
    }
    free(mine);
    free(wire);
    return NULL;
}

static void threads_get_whole_answers(void **state)
{
    (void)state;
    struct visitor visitors[THREADS];
    struct cache_stats stats;

    for (unsigned i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){.random = i + 1, .flushes = i == 0};
        assert_int_equal(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
    }
    cache_stats(cache, &stats);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(visitors[i].thread, NULL);
        assert_true(visitors[i].hits > THREAD_STEPS / 10);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_cache, end_cache)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_cache_finds_nothing),
        TEST(an_answer_is_returned_byte_for_byte),
        TEST(members_not_in_the_wire_are_stored_too),
        TEST(an_additional_section_is_found_again),
        TEST(an_rcode_is_passed_on_unchanged),
        TEST(authenticated_does_not_imply_truncated),
        TEST(the_stored_question_is_in_lower_case),
        TEST(another_question_is_not_answered),
        TEST(a_key_longer_than_the_message_is_not_answered),
        TEST(keys_that_differ_in_cd_or_group_live_side_by_side),
        TEST(entry_with_do_serves_both),
        TEST(name_that_does_not_exist_has_no_type),
        TEST(newer_of_two_expired_entries_is_given),
        TEST(denial_older_than_an_expired_entry_is_not_given),
        TEST(alias_to_a_name_that_does_not_exist_is_of_one_type),
        TEST(ttls_go_down_by_whole_seconds),
        TEST(an_answer_lives_for_its_ttl_to_the_millisecond),
        TEST(an_expired_answer_is_returned_only_as_stale),
        TEST(a_clock_read_earlier_by_another_thread_does_not_age),
        TEST(age_is_right_where_the_stored_time_wraps),
        TEST(the_longest_ttl_is_kept_for_years),
        TEST(answers_larger_than_the_room_are_not_copied),
        TEST(an_expired_answer_that_does_not_fit_is_a_miss),
        TEST(the_largest_answers_fit_a_default_and_the_smallest_cache),
        TEST(non_messages_are_refused),
        TEST(the_last_put_wins),
        TEST(a_flush_forgets_everything),
        TEST(responses_to_queries_before_a_flush_are_not_stored),
        TEST(a_name_is_flushed_with_all_its_types),
        TEST(names_below_a_suffix_are_flushed),
        TEST(a_peek_finds_expired_entries_and_is_not_a_hit),
        TEST(the_memory_bound_is_kept_and_reported),
        TEST(a_full_cache_holds_an_a_record_in_110_bytes),
        TEST(stats_count),
        TEST(out_of_memory_gives_no_cache),
        TEST(a_hit_is_the_last_put_rightly_aged),
        TEST(popular_names_stay),
        TEST(threads_get_whole_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
