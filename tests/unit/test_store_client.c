/* SPDX-License-Identifier: MIT */
/* Gets, puts and leases over nodes of the test: it sees each command and gives the replies; the clock is fake. */
#include <setjmp.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "fake_nodes.h"
#include "store/lease.h"
#include "store/popular.h"

/* The reply to a poll; len 0: nil. */
static void reply_poll(struct fake_command *to, const void *value, size_t value_len, const void *lease,
                       size_t lease_len)
{
    uint8_t text[2 * FAKE_ARGUMENT];
    struct resp_item items[3] = {
        {.type = RESP_ARRAY, .after = 3, .len = 2},
        {.type = value_len ? RESP_TEXT : RESP_NIL, .after = 2, .len = value_len},
        {.type = lease_len ? RESP_TEXT : RESP_NIL, .after = 3, .at = value_len, .len = lease_len},
    };
    if (value_len)
        memcpy(text, value, value_len);
    if (lease_len)
        memcpy(text + value_len, lease, lease_len);
    fake_reply_items(to, items, 3, text);
}

/* --- the store --- */

static struct loop loop;
static struct counters counters;
static struct store *store;
static uint64_t now_us;
static int64_t wall_s;
static struct {
    unsigned done, found, leased, late;
    bool refuses;
} seen_by;

static bool usable(void *context, struct store_found *found)
{
    (void)context;
    assert_true(found->ttl > 0);
    return !seen_by.refuses;
}

static void done(void *context, struct store_found *found, bool leased)
{
    *(struct store_get **)context = NULL;
    seen_by.done++;
    seen_by.found += found != NULL;
    seen_by.leased += leased;
}

static void late(void *context)
{
    (void)context;
    seen_by.late++;
}

static const struct store_ops ops = {.usable = usable, .done = done, .late = late};
static const uint8_t definition[DIGEST_LEN] = {7};
static const struct key key = {.type = 1, .class = 1, .name_len = 8, .name = "\1a\4test"};
static struct store_name name_of_key;
static const struct store_entry entry = {.definition = definition, .key = &key, .name = &name_of_key};

static void at(uint64_t ms_later)
{
    now_us += ms_later * 1000;
    clock_fake(now_us, wall_s + (int64_t)(now_us / 1000000));
    loop.now_ms = now_us / 1000;
}

/* Time passes, and deadlines run. */
static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        at(1);
        (void)store->tick.tick(&store->tick, now_us / 1000);
    }
}

static struct store_setup *setup_new(const char *keys)
{
    struct store_setup *setup = mem_zalloc(1, sizeof *setup + sizeof setup->servers[0]);
    const char *why;
    assert_non_null(setup);
    atomic_init(&setup->refs, 1);
    assert_int_equal(seal_keys_parse(&setup->keys, (struct bytes){(const uint8_t *)keys, strlen(keys)}, &why), 0);
    setup->write_queue = 1 << 20;
    setup->server_count = 1;
    setup->digest[0] = (uint8_t)strlen(keys);
    return setup;
}

#define KEY_A "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"
#define KEY_B "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"

static int begin(void **state)
{
    (void)state;
    memset(&seen_by, 0, sizeof seen_by);
    memset(&name_of_key, 0, sizeof name_of_key);
    memset(&counters, 0, sizeof counters);
    fake_nodes_reset();
    wall_s = time(NULL);
    now_us = 5000000;
    assert_int_equal(loop_init(&loop), 0);
    at(0);
    struct store_setup *setup = setup_new(KEY_A);
    assert_int_equal(store_new(&store, &loop, &counters, setup, &ops, NULL, false), 0);
    store_setup_unref(setup);
    return 0;
}

static void closed(void *context)
{
    *(bool *)context = true;
}

static int finish(void **state)
{
    (void)state;
    bool over = false;
    store_stop(store, closed, &over);
    assert_true(over);
    store_free(store);
    clock_real();
    loop_stop(&loop);
    loop_run(&loop);
    loop_fini(&loop);
    return 0;
}

/* --- queries --- */

static struct store_get *get(struct store_get **slot)
{
    *slot = store_get(store, &entry, 20, 0, slot);
    return *slot;
}

static bool put(uint32_t ttl)
{
    static uint8_t wire[] = "\0\0\201\200\0\1\0\1\0\0\0\0\1a\4test\0\0\1\0\1\300\14\0\1\0\1\0\0\1\54\0\4\1\2\3\4";
    uint16_t offsets[] = {30};
    struct answer answer = {.wire = wire,
                            .len = sizeof wire - 1,
                            .ttl = ttl,
                            .ttl_offsets = offsets,
                            .ttl_count = 1,
                            .additional = sizeof wire - 1};
    return store_put(store, &entry, &answer, 0, STORE_NOT_VALIDATED);
}

static uint64_t counted(enum counter which)
{
    return counter_read(&counters, which);
}

/* A sealed value of 300 s, and its length. */
static size_t a_value(uint8_t out[FAKE_ARGUMENT])
{
    assert_true(put(300));
    struct fake_command *set = fake_next("SET");
    memcpy(out, set->argument[2], set->len[2]);
    return set->len[2];
}

/* Another replica's lease. */
static size_t a_lease(uint8_t out[FAKE_ARGUMENT])
{
    struct store_get *slot;
    assert_non_null(get(&slot));
    fake_reply_type(fake_next("GET"), RESP_NIL);
    struct fake_command *set = fake_next("SET");
    memcpy(out, set->argument[2], set->len[2]);
    fake_reply_type(set, RESP_STATUS);
    memset(&seen_by, 0, sizeof seen_by);
    return set->len[2];
}

static void a_value_ends_a_get(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t value[FAKE_ARGUMENT];
    size_t len = a_value(value);
    assert_non_null(get(&slot));
    fake_reply_text(fake_next("GET"), value, len);
    assert_int_equal(seen_by.found, 1);
    assert_null(slot);
    assert_true(fake_nothing_more());
}

static void a_miss_takes_the_lease(void **state)
{
    (void)state;
    struct store_get *slot;
    assert_non_null(get(&slot));
    struct fake_command *asked = fake_next("GET");
    fake_reply_type(asked, RESP_NIL);
    assert_int_equal(seen_by.done, 0);
    struct fake_command *set = fake_next("SET");
    assert_int_equal(set->count, 6);
    assert_memory_equal(set->argument[3], "NX", 2);
    assert_memory_equal(set->argument[4], "PX", 2);
    /* In the slot of its entry. */
    assert_memory_equal(set->argument[1], "dotstub:{", 9);
    assert_memory_equal(set->argument[1] + 9, asked->argument[1], SEAL_TEXT);
    fake_reply_type(set, RESP_STATUS);
    assert_int_equal(seen_by.done, 1);
    assert_int_equal(seen_by.leased, 1);
    assert_int_equal(counted(COUNTER_store_leases_won), 1);
    store_unlease(store, &entry);
    set = fake_next("SET");
    assert_memory_equal(set->argument[3], "XX", 2);
}

static void an_error_takes_no_lease(void **state)
{
    (void)state;
    struct store_get *slot;
    for (unsigned i = 0; i < 2; i++) {
        assert_non_null(get(&slot));
        if (i == 0)
            fake_reply_type(fake_next("GET"), RESP_ERROR);
        else
            fake_reply_items(fake_next("GET"), NULL, 0, NULL); /* the connection is lost */
        assert_int_equal(seen_by.done, i + 1);
    }
    assert_true(fake_nothing_more());
    assert_int_equal(counted(COUNTER_store_failed), 2);
}

static void a_refused_lease_is_not_waited_for(void **state)
{
    (void)state;
    struct store_get *slot;
    assert_non_null(get(&slot));
    fake_reply_type(fake_next("GET"), RESP_NIL);
    fake_reply_type(fake_next("SET"), RESP_ERROR);
    assert_non_null(get(&slot));
    fake_reply_type(fake_next("GET"), RESP_NIL);
    fake_reply_items(fake_next("SET"), NULL, 0, NULL);
    assert_non_null(get(&slot));
    struct fake_command *asked = fake_next("GET");
    fake_nodes_full = true; /* the lease cannot be sent */
    fake_reply_type(asked, RESP_NIL);
    assert_int_equal(seen_by.done, 3);
    assert_int_equal(seen_by.leased + seen_by.found, 0);
    assert_int_equal(counted(COUNTER_store_leases_refused), 2);
}

static void waits_for_the_holder(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t value[FAKE_ARGUMENT], lease[FAKE_ARGUMENT];
    size_t value_len = a_value(value), lease_len = a_lease(lease);
    assert_non_null(get(&slot));
    fake_reply_type(fake_next("GET"), RESP_NIL);
    fake_reply_type(fake_next("SET"), RESP_NIL);
    for (unsigned i = 0; i < 3; i++) {
        reply_poll(fake_next("MGET"), NULL, 0, lease, lease_len);
        assert_int_equal(seen_by.done, 0);
        assert_true(fake_nothing_more());
        pass(STORE_POLL_MS);
    }
    reply_poll(fake_next("MGET"), value, value_len, lease, lease_len);
    assert_int_equal(seen_by.found, 1);
    assert_int_equal(counted(COUNTER_store_leases_lost), 1);
    assert_int_equal(counted(COUNTER_store_leases_filled), 1);
    pass(100);
    assert_true(fake_nothing_more());
}

static void waits_no_longer_than_a_hedge(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t lease[FAKE_ARGUMENT];
    size_t len = a_lease(lease);
    assert_non_null(get(&slot));
    fake_reply_type(fake_next("GET"), RESP_NIL);
    fake_reply_type(fake_next("SET"), RESP_NIL);
    unsigned waited = 0;
    for (; seen_by.done == 0 && waited < 100; waited++) {
        if (!fake_nothing_more())
            reply_poll(fake_next("MGET"), NULL, 0, lease, len);
        pass(1);
    }
    assert_in_range(waited, 20 * 5 / 4, 20 * 5 / 4 + 2 * STORE_POLL_MS + 2);
    assert_int_equal(seen_by.done, 1);
    assert_int_equal(seen_by.found + seen_by.leased + seen_by.late, 0);
}

/* No lease, one that is damaged, one past its life, one whose holder has nothing. */
static void a_lease_that_is_none(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t lease[FAKE_ARGUMENT], over[FAKE_ARGUMENT];
    size_t len = a_lease(lease);
    store_unlease(store, &entry);
    memcpy(over, fake_next("SET")->argument[2], len);
    for (unsigned i = 0; i < 4; i++) {
        if (i == 3)
            at(3000);
        assert_non_null(get(&slot));
        fake_reply_type(fake_next("GET"), RESP_NIL);
        fake_reply_type(fake_next("SET"), RESP_NIL);
        lease[len - 1] ^= i == 1;
        reply_poll(fake_next("MGET"), NULL, 0, i == 2 ? over : lease, i == 0 ? 0 : len);
        lease[len - 1] ^= i == 1;
        assert_int_equal(seen_by.done, i + 1);
    }
    assert_int_equal(seen_by.found + seen_by.leased, 0);
    assert_int_equal(counted(COUNTER_store_leases_refused), 2);
    assert_true(fake_nothing_more());
}

static void late_replies_are_used_and_take_no_lease(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t value[FAKE_ARGUMENT];
    size_t len = a_value(value);
    assert_non_null(get(&slot));
    struct fake_command *asked = fake_next("GET");
    pass(6); /* a quarter of 20 ms */
    assert_int_equal(seen_by.late, 1);
    fake_reply_type(asked, RESP_NIL);
    assert_int_equal(seen_by.done, 1);
    assert_int_equal(seen_by.leased, 0);
    assert_true(fake_nothing_more());
    pass(1000);
    struct node *node = store->places[0].node;
    node->health = (struct store_health){0};
    assert_non_null(get(&slot));
    asked = fake_next("GET");
    pass(6);
    fake_reply_text(asked, value, len);
    assert_int_equal(seen_by.found, 1);
    node->health = (struct store_health){0};
    assert_non_null(get(&slot));
    fake_reply_type(fake_next("GET"), RESP_NIL);
    asked = fake_next("SET");
    pass(6); /* the lease is late: the upstream is asked */
    assert_int_equal(seen_by.late, 3);
    fake_reply_type(asked, RESP_STATUS);
    assert_int_equal(seen_by.done, 3);
    assert_int_equal(seen_by.leased, 0);
}

static void a_late_poll(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t value[FAKE_ARGUMENT];
    size_t len = a_value(value);
    assert_non_null(get(&slot));
    fake_reply_type(fake_next("GET"), RESP_NIL);
    fake_reply_type(fake_next("SET"), RESP_NIL);
    struct fake_command *asked = fake_next("MGET");
    pass(7);
    assert_int_equal(seen_by.late, 1);
    reply_poll(asked, value, len, NULL, 0);
    assert_int_equal(seen_by.found, 1);
}

static void forgotten_in_each_phase(void **state)
{
    (void)state;
    uint8_t lease[FAKE_ARGUMENT];
    size_t len = a_lease(lease);
    for (unsigned phase = 0; phase < 4; phase++) {
        struct store_get *slot;
        assert_non_null(get(&slot));
        struct fake_command *last = fake_next("GET");
        if (phase > 0) {
            fake_reply_type(last, RESP_NIL);
            last = fake_next("SET");
        }
        if (phase > 1) {
            fake_reply_type(last, RESP_NIL);
            last = fake_next("MGET");
        }
        if (phase > 2)
            reply_poll(last, NULL, 0, lease, len);
        store_forget(slot);
        fake_reply_type(last, RESP_NIL);
        pass(100);
        assert_true(fake_nothing_more());
    }
    assert_int_equal(seen_by.done + seen_by.late, 0);
    assert_int_equal(store->gets.in_use, 0);
}

static void another_setup_ends_gets_in_each_phase(void **state)
{
    (void)state;
    uint8_t lease[FAKE_ARGUMENT];
    size_t len = a_lease(lease);
    struct store_get *slot[4];
    for (unsigned phase = 0; phase < 4; phase++) {
        assert_non_null(get(&slot[phase]));
        struct fake_command *last = fake_next("GET");
        if (phase > 0) {
            fake_reply_type(last, RESP_NIL);
            last = fake_next("SET");
        }
        if (phase > 1) {
            fake_reply_type(last, RESP_NIL);
            last = fake_next("MGET");
        }
        if (phase > 2)
            reply_poll(last, NULL, 0, lease, len);
    }
    struct store_setup *setup = setup_new(KEY_B KEY_A);
    store_configure(store, setup);
    store_setup_unref(setup);
    assert_int_equal(seen_by.done, 4);
    assert_int_equal(seen_by.found + seen_by.leased, 0);
    assert_int_equal(store->gets.in_use, 0);
}

static void two_keys_are_both_asked_and_one_is_leased(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t value[FAKE_ARGUMENT];
    size_t len = a_value(value);
    struct store_setup *setup = setup_new(KEY_B KEY_A);
    store_configure(store, setup);
    store_setup_unref(setup);
    assert_non_null(get(&slot));
    struct fake_command *first = fake_next("GET"), *second = fake_next("GET");
    fake_reply_type(first, RESP_NIL);
    assert_int_equal(seen_by.done, 0);
    fake_reply_text(second, value, len);
    assert_int_equal(seen_by.found, 1);
    assert_non_null(get(&slot));
    first = fake_next("GET");
    second = fake_next("GET");
    fake_reply_type(second, RESP_NIL);
    fake_reply_type(first, RESP_NIL);
    struct fake_command *set = fake_next("SET");
    assert_memory_equal(set->argument[1] + 9, first->argument[1], SEAL_TEXT);
    fake_reply_type(set, RESP_STATUS);
    assert_int_equal(seen_by.leased, 1);
}

static void flushes_exclude_values(void **state)
{
    (void)state;
    struct store_get *slot;
    uint8_t value[FAKE_ARGUMENT];
    size_t len = a_value(value);
    struct store_flush flush = {.at_ms = clock_wall_ms(), .below = true, .len = 6, .name = "\4test"};
    store_take_flush(store, &flush, 0);
    slot = store_get(store, &entry, 20, 1, &slot); /* the epoch that the flush began */
    assert_non_null(slot);
    fake_reply_text(fake_next("GET"), value, len);
    assert_int_equal(seen_by.found, 0);
    assert_int_equal(counted(COUNTER_store_flushed), 1);
    assert_true(fake_nothing_more());          /* a lease would be that of the older value */
    assert_int_equal(store->not_before_ms, 0); /* other names are not concerned */
    slot = store_get(store, &entry, 20, 2, &slot);
    assert_true(store->not_before_ms > 0); /* a flush of this machine alone */
    store_forget(slot);
}

static void nothing_is_asked_in_vain(void **state)
{
    (void)state;
    struct store_get *slot;
    assert_false(put(1));
    fake_nodes_down = true;
    assert_null(get(&slot));
    assert_false(put(300));
    assert_int_equal(counted(COUNTER_store_left_alone), 1);
    assert_int_equal(counted(COUNTER_store_puts_dropped), 1);
    assert_true(fake_nothing_more());
}

/* --- popular names --- */

static unsigned sent_with(const char *verb)
{
    unsigned found = 0;
    for (unsigned i = 0; i < fake_sent_count; i++)
        found += fake_sent[i].len[0] == strlen(verb) && memcmp(fake_sent[i].argument[0], verb, strlen(verb)) == 0;
    return found;
}

/* Replies to ZREVRANGE with this number of names, and to the set of the era before with none. */
static void reply_names(unsigned count)
{
    enum { MOST = 60 };
    struct resp_item items[1 + MOST] = {{.type = RESP_ARRAY, .after = 1 + count, .len = count}};
    static uint8_t text[MOST * SEAL_NAME];
    assert_in_range(count, 1, MOST);
    for (unsigned i = 0; i < count; i++) {
        memset(text + i * SEAL_NAME, (int)i, SEAL_NAME);
        items[1 + i] = (struct resp_item){.type = RESP_TEXT, .after = 2 + i, .at = i * SEAL_NAME, .len = SEAL_NAME};
    }
    for (unsigned i = 0; i < fake_sent_count; i++)
        if (fake_sent[i].len[0] == strlen("ZREVRANGE") && fake_sent[i].command->done) {
            fake_reply_items(&fake_sent[i], items, count > 0 ? 1 + count : 1, text);
            count = 0;
            items[0] = (struct resp_item){.type = RESP_ARRAY, .after = 1};
        }
}

/* Each request of a batch has its place until its reply, also when the time for all of them is over. */
/* The same votes an hour later weigh twice as much, to the end of an era. */
static void votes_double_each_hour(void **state)
{
    (void)state;
    double before = 0;
    for (int64_t era_s = 0; era_s < 256 * 3600; era_s += 450) {
        char text[POPULAR_WEIGHT + 1];
        struct bytes weight = popular_weight(text, 2, era_s);
        assert_in_range(weight.len, 3, POPULAR_WEIGHT);
        text[weight.len] = '\0';
        double now = strtod(text, NULL),
               expected = ldexp(8000 * (1 + (double)(era_s % 3600) / 3600), (int)(era_s / 3600));
        assert_true(fabs(now / expected - 1) < 0.0002);
        assert_true(now > before);
        before = now;
        weight = popular_weight(text, 20, era_s);
        text[weight.len] = '\0';
        assert_true(fabs(strtod(text, NULL) / now / 10 - 1) < 0.0002);
        weight = popular_weight(text, UINT32_MAX, era_s);
        text[weight.len] = '\0';
        assert_true(fabs(strtod(text, NULL) / now / 1800 - 1) < 0.0002);
    }
}

static void popular_names_of_a_store_that_stalls(void **state)
{
    (void)state;
    store->setup->warm_names = 60;
    store_warm(store, definition, 3);
    pass(25);
    assert_int_equal(sent_with("ZREVRANGE"), 2);
    reply_names(60);
    pass(25);
    assert_int_equal(sent_with("GET"), 20);
    at(40000);
    pass(100);
    assert_int_equal(sent_with("GET"), 20);
    assert_true(list_empty(&store->warmings));
    for (unsigned i = 0; i < fake_sent_count; i++)
        fake_reply_type(&fake_sent[i], RESP_NIL); /* nobody waits */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_ends_a_get),
        TEST(a_miss_takes_the_lease),
        TEST(an_error_takes_no_lease),
        TEST(a_refused_lease_is_not_waited_for),
        TEST(waits_for_the_holder),
        TEST(waits_no_longer_than_a_hedge),
        TEST(a_lease_that_is_none),
        TEST(late_replies_are_used_and_take_no_lease),
        TEST(a_late_poll),
        TEST(forgotten_in_each_phase),
        TEST(another_setup_ends_gets_in_each_phase),
        TEST(two_keys_are_both_asked_and_one_is_leased),
        TEST(flushes_exclude_values),
        TEST(nothing_is_asked_in_vain),
        TEST(votes_double_each_hour),
        TEST(popular_names_of_a_store_that_stalls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
