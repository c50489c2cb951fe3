/* SPDX-License-Identifier: MIT */
/* Lookups: their stages, their waiters, and lookups that wait for lookups. */
#include <errno.h>
#include <stdio.h>
#include "resolve/lookup.h"
#include "base/mem.h"
#include "fake_client.h"
#include "fake_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CLIENTS 64
static struct client clients[CLIENTS];

static int setup(void **state)
{
    (void)state;
    memset(clients, 0, sizeof clients);
    fake_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_end();
    assert_int_equal(resolver.dependent_lookups, 0);
    fake_end();
    return 0;
}

static struct key key_of(const char *name)
{
    struct key key = {.type = TYPE_A, .class = CLASS_IN, .group = group_id(group)};
    int len = name_from_text(key.name, name);
    assert_true(len > 0);
    key.name_len = (uint8_t)len;
    return key;
}

static struct lookup *find(const char *name)
{
    struct key key = key_of(name);
    return lookup_find(&resolver, &key, key_hash(&key));
}

/* --- stages --- */

static struct lookup_stage stages[STAGE_DONE];
static bool store_is_wanted, validate_waits;
static unsigned began[STAGE_DONE];

static bool store_wanted(const struct lookup *lookup)
{
    (void)lookup;
    return store_is_wanted;
}

static bool store_begin(struct lookup *lookup)
{
    (void)lookup;
    began[STAGE_STORE]++;
    return true;
}

static bool validate_begin(struct lookup *lookup)
{
    assert_non_null(lookup->answer);
    began[STAGE_VALIDATE]++;
    return validate_waits;
}

static void begin_staged(void)
{
    resolver_begin(1, 1);
    memcpy(stages, lookup_stages, sizeof stages);
    memset(began, 0, sizeof began);
    stages[STAGE_STORE] = (struct lookup_stage){store_wanted, store_begin};
    stages[STAGE_VALIDATE] = (struct lookup_stage){NULL, validate_begin};
    store_is_wanted = validate_waits = false;
    resolver.stages = stages;
    fake.serve = fake_serve_all;
}

static void stages_without_work_are_skipped(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[1], "b.test"); /* there is no store */
    assert_int_equal(find("b.test")->stage, STAGE_ASK);
    client_ask(&clients[0], "a.test");
    assert_int_equal(find("a.test")->stage, STAGE_ASK);
    assert_false(lookup_stages[STAGE_VALIDATE].wanted(find("a.test"))); /* in the default mode */
}

static void unwanted_stage_is_skipped(void **state)
{
    (void)state;
    begin_staged();
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(began[STAGE_STORE], 0);
    assert_int_equal(began[STAGE_VALIDATE], 1);
}

static void response_of_the_store_causes_no_upstream_query(void **state)
{
    (void)state;
    static struct answer_scratch scratch;
    static struct answer answer;
    uint8_t wire[2048], frame_room[sizeof(struct fake_frame) + 512];
    struct fake_frame *frame = (struct fake_frame *)(void *)frame_room;
    begin_staged();
    store_is_wanted = true;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(clients[0].replies + fake_dials(), 0);
    memcpy(frame->data, clients[0].asked, clients[0].asked_len);
    size_t len = fake_build(wire, frame, &FAKE_ANSWER);
    assert_int_equal(message_own_answer(wire, len, &scratch, &answer), 0);
    struct lookup *lookup = find("a.test");
    lookup->answer = &answer;
    assert_false(lookup_advance(lookup, STAGE_ASK));
    assert_int_equal(clients[0].answers, 1);
    fake_turn();
    assert_int_equal(fake_dials(), 0);
    assert_int_equal(began[STAGE_VALIDATE], 1);
}

static void response_outlives_the_buffer_that_it_came_in(void **state)
{
    (void)state;
    begin_staged();
    validate_waits = true;
    client_ask(&clients[0], "a.test");
    client_ask(&clients[1], "b.test");
    fake_pass(100); /* both messages were freed by then */
    assert_int_equal(clients[0].replies, 0);
    struct lookup *lookup = find("a.test");
    assert_int_equal(lookup->stage, STAGE_VALIDATE);
    assert_ptr_equal(lookup->answer->wire >= (uint8_t *)lookup->kept, true);
    client_ask(&clients[2], "a.test"); /* joins a lookup that has its response already */
    assert_false(lookup_advance(lookup, STAGE_DONE));
    assert_null(find("a.test"));
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(clients[2].answers, 1);
    assert_int_equal(clients[1].replies, 0);
    assert_false(lookup_advance(find("b.test"), STAGE_DONE));
    assert_int_equal(clients[1].answers, 1);
    client_ask(&clients[3], "a.test");
    assert_int_equal(clients[3].answers, 1); /* from the cache */
    assert_int_equal(fake_conn(0)->written, 2);
}

/* A query that joins a lookup without waiters, whose attempts are over, waits for its last stages. */
static void late_stage_is_joined_after_its_waiters_gave_up(void **state)
{
    (void)state;
    begin_staged();
    validate_waits = true;
    client_ask(&clients[0], "a.test");
    fake_pass(4100);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_false(lookup_advance(find("a.test"), STAGE_DONE));
    assert_int_equal(clients[1].answers, 1);
}

static void stage_may_fail(void **state)
{
    (void)state;
    begin_staged();
    validate_waits = true;
    client_ask(&clients[0], "a.test");
    fake_turn();
    lookup_fail(find("a.test"), ERROR_LIMIT);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_non_null(strstr(clients[0].ede_text, "limit reached"));
    validate_waits = false;
    client_ask(&clients[1], "a.test"); /* and nothing was cached */
    fake_turn();
    assert_int_equal(clients[1].answers, 1);
}

static void nothing_is_copied_where_no_stage_waits(void **state)
{
    (void)state;
    begin_staged();
    client_ask(&clients[0], "warm.test");
    fake_turn();
    unsigned long counts[2];
    for (unsigned i = 0; i < 2; i++) {
        validate_waits = i == 1;
        mem_fail_at(1000000); /* counts */
        client_ask(&clients[1 + i], i ? "b.test" : "a.test");
        fake_turn();
        counts[i] = mem_asked();
        mem_fail_at(0);
    }
    assert_int_equal(counts[1], counts[0] + 1);
    assert_false(lookup_advance(find("b.test"), STAGE_DONE));
}

static void response_that_cannot_be_copied_fails(void **state)
{
    (void)state;
    begin_staged();
    client_ask(&clients[0], "warm.test");
    fake_turn();
    validate_waits = true;
    client_ask(&clients[1], "a.test");
    mem_fail_every(1);
    fake_turn();
    mem_fail_every(0);
    assert_int_equal(clients[1].replies, 1);
    assert_int_equal(clients[1].rcode, RCODE_SERVFAIL);
    assert_int_equal(resolver.lookups.in_use, 0);
}

/* --- the order at the end --- */

static struct {
    struct waiter waiter;
    unsigned done;
    bool answered, found, cached;
} watcher;

static void watch_done(struct waiter *waiter, const struct answer *answer)
{
    struct key key = key_of("a.test");
    struct cache_found found;
    static uint8_t room[MESSAGE_MAX];
    watcher.done++;
    watcher.answered = answer != NULL;
    watcher.found = find("a.test") == waiter->lookup;
    watcher.cached =
        cache_get(cache, &key, key_hash(&key), fake_now(), CACHE_PEEK, 0, room, sizeof room, &found) != CACHE_MISS;
}

static void lookup_leaves_the_table_then_stores_then_calls(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    struct key key = key_of("a.test");
    fake.serve = fake_serve_all;
    memset(&watcher, 0, sizeof watcher);
    watcher.waiter.done = watch_done;
    assert_true(lookup_join(&resolver, group, &key, key_hash(&key), &watcher.waiter, NULL));
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(watcher.done, 1);
    assert_true(watcher.answered && !watcher.found && watcher.cached);
    client_ask(&clients[1], "a.test");
    assert_int_equal(clients[0].answers + clients[1].answers, 2);
}

/* Only waiters that accept expired data get it. */
static void waiter_for_fresh_data_stays_when_clients_take_stale(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    struct key key = key_of("a.test");
    config->cache.serve_stale = 86400;
    fake.serve = fake_serve_all;
    client_ask(&clients[0], "a.test");
    fake_turn();
    fake.serve = NULL;
    fake_pass(400000);
    memset(&watcher, 0, sizeof watcher);
    watcher.waiter.done = watch_done;
    assert_true(lookup_join(&resolver, group, &key, key_hash(&key), &watcher.waiter, NULL));
    client_ask(&clients[1], "a.test");
    fake_pass(config->cache.stale_answer_after_ms + 20);
    assert_int_equal(clients[1].ede, EDE_STALE_ANSWER);
    assert_int_equal(watcher.done, 0);
    for (unsigned i = 0; i < fake_dials(); i++)
        for (struct fake_frame *frame; (frame = fake_take(fake_conn(i))); free(frame))
            fake_reply(fake_conn(i), frame, NULL);
    assert_int_equal(watcher.done, 1);
    assert_true(watcher.answered);
}

/* --- lookups that wait for lookups --- */

struct test_wait {
    struct lookup_wait wait;
    unsigned done, answered;
};
static struct test_wait waits[64];

static void note_wait(struct lookup_wait *wait, const struct answer *answer)
{
    struct test_wait *one = container_of(wait, struct test_wait, wait);
    one->done++;
    one->answered += answer != NULL;
}

static void advance_parent(struct lookup_wait *wait, const struct answer *answer)
{
    note_wait(wait, answer);
    (void)lookup_advance(wait->parent, STAGE_DONE);
}

static int await(struct lookup *parent, unsigned n, const char *name)
{
    struct key key = key_of(name);
    if (n >= sizeof waits / sizeof *waits)
        fail();
    waits[n] = (struct test_wait){.wait.done = note_wait};
    return lookup_await(parent, &waits[n].wait, &key);
}

static void parent_goes_on_when_its_child_has_a_response(void **state)
{
    (void)state;
    begin_staged();
    validate_waits = true;
    client_ask(&clients[0], "parent.test");
    fake_turn();
    fake.serve = NULL;
    struct lookup *parent = find("parent.test");
    assert_int_equal(await(parent, 0, "child.test"), 0);
    waits[0].wait.done = advance_parent;
    assert_int_equal(find("child.test")->depth, 1);
    client_ask(&clients[1], "child.test"); /* a client joins it */
    fake_turn();
    assert_int_equal(waits[0].done, 0);
    validate_waits = false;
    struct fake_frame *frame = fake_take(fake_conn(0));
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    assert_int_equal(waits[0].answered, 1);
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(clients[1].answers, 1);
    assert_int_equal(resolver.lookups.in_use, 0);
}

static void parent_is_notified_that_its_child_failed(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "parent.test");
    assert_int_equal(await(find("parent.test"), 0, "child.test"), 0);
    lookup_fail(find("child.test"), ERROR_LIMIT);
    assert_int_equal(waits[0].done, 1);
    assert_int_equal(waits[0].answered, 0);
    assert_true(list_empty(&find("parent.test")->waits));
}

static void parent_that_ends_leaves_its_child(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = fake_serve_all;
    client_ask(&clients[0], "parent.test");
    assert_int_equal(await(find("parent.test"), 0, "child.test"), 0);
    assert_int_equal(await(find("parent.test"), 1, "other.test"), 0);
    lookup_stop_waiting(&waits[1].wait);
    assert_true(list_empty(&find("other.test")->waiters));
    lookup_fail(find("parent.test"), ERROR_LIMIT);
    assert_true(list_empty(&find("child.test")->waiters));
    fake_turn(); /* the child goes on, for the cache */
    assert_int_equal(waits[0].done + waits[1].done, 0);
    client_ask(&clients[1], "child.test");
    assert_int_equal(clients[1].answers, 1);
}

static void name_at(char out[32], unsigned n)
{
    snprintf(out, 32, "depth%u.test", n);
}

static void chain(unsigned length)
{
    char above[32], below[32];
    client_ask(&clients[0], "depth0.test");
    for (unsigned i = 0; i < length; i++) {
        name_at(above, i);
        name_at(below, i + 1);
        assert_int_equal(await(find(above), i, below), 0);
    }
}

static void chain_is_sixteen_deep_at_most(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    chain(LOOKUP_DEPTH);
    assert_int_equal(find("depth16.test")->depth, LOOKUP_DEPTH);
    assert_int_equal(await(find("depth16.test"), 20, "depth17.test"), ERROR_LIMIT);
    assert_null(find("depth17.test"));
    client_ask(&clients[1], "above.test"); /* nor from above */
    assert_int_equal(await(find("above.test"), 20, "depth1.test"), 0);
    assert_int_equal(await(find("above.test"), 21, "depth0.test"), ERROR_LIMIT);
    assert_int_equal(find("depth0.test")->depth, 0);
}

static void a_wait_increases_depths_below(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    chain(3);
    client_ask(&clients[1], "a.test");
    assert_int_equal(await(find("a.test"), 10, "b.test"), 0);
    assert_int_equal(await(find("depth3.test"), 11, "a.test"), 0);
    assert_int_equal(find("a.test")->depth, 4);
    assert_int_equal(find("b.test")->depth, 5);
    assert_int_equal(await(find("depth1.test"), 12, "b.test"), 0); /* reached on two paths */
    assert_int_equal(find("b.test")->depth, 5);
}

static void wait_that_closes_a_cycle_fails_at_once(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    chain(5);
    assert_int_equal(await(find("depth5.test"), 20, "depth0.test"), ERROR_LIMIT);
    assert_int_equal(await(find("depth5.test"), 20, "depth4.test"), ERROR_LIMIT);
    assert_int_equal(await(find("depth5.test"), 20, "depth5.test"), ERROR_LIMIT);
    for (unsigned i = 0; i <= 5; i++) {
        char name[32];
        name_at(name, i);
        assert_int_equal(find(name)->depth, i); /* nothing was changed */
    }
    assert_int_equal(await(find("depth5.test"), 20, "other.test"), 0);
}

static void places_are_reserved_for_dependent_lookups(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    resolver.lookups.limit = 40;
    for (unsigned i = 0; i < 32; i++) {
        char name[32];
        snprintf(name, sizeof name, "name%u.test", i);
        clients[i].id = (uint16_t)i;
        client_ask(&clients[i], name);
        assert_int_equal(clients[i].replies, i >= 30);
    }
    assert_int_equal(clients[31].rcode, RCODE_SERVFAIL);
    for (unsigned i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "dependent%u.test", i);
        assert_int_equal(await(find("name0.test"), i, name), i < 10 ? 0 : ERROR_LIMIT);
    }
    assert_int_equal(resolver.dependent_lookups, 10);
}

static void no_lookup_is_awaited_while_stopping(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "parent.test");
    resolver.stopping = true;
    assert_int_equal(await(find("parent.test"), 0, "child.test"), ERROR_LIMIT);
}

/* --- anything in any order --- */

static uint64_t random_state = 1;

static unsigned below(unsigned bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % bound;
}

static void check_depths(void)
{
    for (size_t i = 0; i <= resolver.lookups_by_key.mask; i++)
        for (struct table_link *link = resolver.lookups_by_key.buckets[i]; link; link = link->next) {
            const struct lookup *lookup = container_of(link, struct lookup, by_key);
            assert_true(lookup->depth <= LOOKUP_DEPTH);
            list_for_each(wait, &lookup->waits)
                assert_true(container_of(wait, struct lookup_wait, in_parent)->waiter.lookup->depth > lookup->depth);
        }
}

static void waits_in_any_order_form_no_cycle(void **state)
{
    (void)state;
    unsigned refused = 0;
    begin_staged();
    fake.serve = NULL;
    validate_waits = true;
    for (unsigned i = 0; i < 20000; i++) {
        char name[32], other[32];
        name_at(name, below(24));
        name_at(other, below(24));
        struct lookup *lookup = find(name);
        struct test_wait *wait = &waits[below(64)];
        if (!lookup) {
            struct client *client = &clients[below(CLIENTS)];
            if (!client->waiting || client->replies) {
                memset(client, 0, sizeof *client);
                client->id = (uint16_t)i;
                client_ask(client, name);
            }
        } else if (below(20) == 0) {
            lookup_fail(lookup, ERROR_LIMIT);
        } else if (list_linked(&wait->wait.in_parent)) {
            lookup_stop_waiting(&wait->wait);
        } else {
            refused += await(lookup, (unsigned)(wait - waits), other) < 0;
        }
        check_depths();
        if (i % 100 == 0)
            fake_pass(500);
    }
    assert_true(refused > 100);
}

/* --- the store --- */

static void begin_stored(void)
{
    resolver_begin(1, 1);
    fake_store_reset();
    resolver.store = fake_store();
    fake.serve = fake_serve_all;
}

/* A response to what clients[0] asked, as the store would give it. */
static struct store_found *value_of(uint32_t ttl, uint32_t at_first, uint64_t age_ms)
{
    static struct answer_scratch scratch;
    static struct store_found found;
    static uint8_t wire[2048], frame_room[sizeof(struct fake_frame) + 512];
    struct fake_frame *frame = (struct fake_frame *)(void *)frame_room;
    memcpy(frame->data, clients[0].asked, clients[0].asked_len);
    size_t len = fake_build(wire, frame, &FAKE_ANSWER);
    memset(&found, 0, sizeof found);
    assert_int_equal(message_own_answer(wire, len, &scratch, &found.answer), 0);
    for (unsigned i = 0; i < found.answer.ttl_count; i++)
        write_u32(wire + found.answer.ttl_offsets[i], ttl ? ttl : at_first);
    found.answer.ttl = ttl;
    found.ttl = at_first;
    found.age_ms = age_ms;
    return &found;
}

static void store_gives(struct store_found *found)
{
    struct store_get *get = fake_store_get;
    assert_non_null(get);
    fake_store_get = NULL;
    bool usable = found && resolver_store_ops.usable(get->context, found);
    resolver_store_ops.done(get->context, usable ? found : NULL, false);
}

static void the_store_answers(void **state)
{
    (void)state;
    begin_stored();
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(fake_dials() + clients[0].replies, 0);
    store_gives(value_of(100, 300, 200000));
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(fake_counted(COUNTER_store_hits), 1);
    client_ask(&clients[0], "a.test"); /* from the cache */
    assert_int_equal(clients[0].replies, 2);
    assert_int_equal(fake_store_gets, 1);
    fake_turn();
    assert_int_equal(fake_dials() + fake_store_puts, 0); /* what came from the store does not go there again */
}

static void a_miss_asks_the_upstream_and_fills_the_store(void **state)
{
    (void)state;
    begin_stored();
    client_ask(&clients[0], "a.test");
    fake_turn();
    store_gives(NULL);
    fake_turn();
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(fake_store_puts, 1);
    assert_true(fake_store_ttl > 0);
    assert_int_equal(fake_store_stale_s, config->cache.serve_stale);
}

/* The lookup has the lease: other replicas wait for its response. */
static void a_lease_ends_with_the_lookup(void **state)
{
    (void)state;
    begin_stored();
    client_ask(&clients[0], "a.test");
    fake_turn();
    resolver_store_ops.done(fake_store_get->context, NULL, true);
    fake_turn();
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(fake_store_puts, 1);
    assert_int_equal(fake_store_unleases, 0); /* the value ends it */
    fake_store_keeps_nothing = true;
    client_ask(&clients[0], "b.test");
    fake_turn();
    resolver_store_ops.done(fake_store_get->context, NULL, true);
    fake_turn();
    assert_int_equal(clients[0].replies, 2);
    assert_int_equal(fake_store_puts, 2);
    assert_int_equal(fake_store_unleases, 1);
    fake.serve = NULL;
    client_ask(&clients[0], "c.test");
    fake_turn();
    resolver_store_ops.done(fake_store_get->context, NULL, true);
    fake_turn();
    resolver_stop(&resolver);
    assert_int_equal(fake_store_unleases, 2);
    assert_int_equal(fake_store_puts, 2);
}

static void a_popular_value_goes_into_the_cache(void **state)
{
    (void)state;
    begin_stored();
    struct key key = key_of("a.test");
    client_write(&clients[0], "a.test");
    assert_true(resolver_store_ops.warmed(&resolver, &key, value_of(100, 300, 200000)));
    assert_null(find("a.test"));
    assert_true(resolver_store_ops.warmed(&resolver, &key, value_of(0, 300, 400000))); /* expired */
    client_ask(&clients[0], "a.test");
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(fake_store_gets + fake_store_puts, 0);
    fake_turn();
    assert_int_equal(fake_dials(), 0);
    key.group++; /* the routes have changed */
    assert_false(resolver_store_ops.warmed(&resolver, &key, value_of(100, 300, 200000)));
}

static void a_refused_get_costs_nothing(void **state)
{
    (void)state;
    begin_stored();
    fake_store_refuses = true;
    client_ask(&clients[0], "a.test");
    assert_int_equal(find("a.test")->stage, STAGE_ASK);
    fake_turn();
    assert_int_equal(clients[0].answers, 1);
}

static void a_late_store_is_hedged_and_the_first_response_counts(void **state)
{
    (void)state;
    begin_stored();
    fake.serve = NULL;
    client_ask(&clients[0], "a.test");
    fake_turn();
    resolver_store_ops.late(fake_store_get->context);
    fake_turn();
    assert_int_equal(fake_dials(), 1);
    assert_int_equal(find("a.test")->stage, STAGE_ASK);
    store_gives(value_of(100, 300, 200000)); /* before the upstream */
    assert_int_equal(clients[0].answers, 1);
    assert_null(find("a.test"));
    client_ask(&clients[1], "b.test");
    struct store_get *get = fake_store_get;
    resolver_store_ops.late(get->context);
    fake.serve = fake_serve_all; /* the upstream before the store */
    fake_pass(10);
    assert_int_equal(clients[1].answers, 1);
    assert_true(get->forgotten);
}

static void an_expired_value_is_stale_data(void **state)
{
    (void)state;
    begin_stored();
    config->cache.serve_stale = 86400;
    fake.dial[1] = FAKE_REFUSES;
    fake_pass(3600000); /* the clock must have run for as long */
    client_ask(&clients[0], "a.test");
    store_gives(value_of(0, 300, 400000));
    fake_pass(5000);
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(clients[0].ede, EDE_STALE_ANSWER);
    assert_int_equal(fake_counted(COUNTER_store_stale), 1);
}

static void an_older_value_never_replaces_a_newer_entry(void **state)
{
    (void)state;
    begin_stored();
    fake_pass(3600000);
    client_ask(&clients[0], "a.test");
    store_gives(NULL);
    fake_pass(1000); /* in the cache now */
    struct key key = key_of("a.test");
    key.flags = 0;
    lookup_refresh(&resolver, &key, key_hash(&key));
    assert_int_equal(fake_store_gets, 2);
    store_gives(value_of(10, 300, 290000)); /* would expire before the entry */
    assert_int_equal(fake_counted(COUNTER_store_older), 1);
    assert_int_equal(find("a.test")->stage, STAGE_ASK);
    fake_pass(1000);
    assert_int_equal(fake_store_puts, 2);
}

/* limits.answer-by may be shorter than the patience. */
static void a_client_may_give_up_before_the_store_answers(void **state)
{
    (void)state;
    begin_stored();
    client_ask(&clients[0], "a.test");
    fake_pass(4000);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_non_null(find("a.test"));
    store_gives(NULL);
    fake_pass(1000);
    client_ask(&clients[0], "a.test");
    assert_int_equal(clients[0].answers, 1);
}

static void the_end_forgets_gets(void **state)
{
    (void)state;
    begin_stored();
    client_ask(&clients[0], "a.test");
    struct store_get *get = fake_store_get;
    resolver_stop(&resolver);
    assert_true(get->forgotten);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(stages_without_work_are_skipped),
        TEST(unwanted_stage_is_skipped),
        TEST(response_of_the_store_causes_no_upstream_query),
        TEST(response_outlives_the_buffer_that_it_came_in),
        TEST(late_stage_is_joined_after_its_waiters_gave_up),
        TEST(stage_may_fail),
        TEST(nothing_is_copied_where_no_stage_waits),
        TEST(response_that_cannot_be_copied_fails),
        TEST(lookup_leaves_the_table_then_stores_then_calls),
        TEST(waiter_for_fresh_data_stays_when_clients_take_stale),
        TEST(parent_goes_on_when_its_child_has_a_response),
        TEST(parent_is_notified_that_its_child_failed),
        TEST(parent_that_ends_leaves_its_child),
        TEST(chain_is_sixteen_deep_at_most),
        TEST(a_wait_increases_depths_below),
        TEST(wait_that_closes_a_cycle_fails_at_once),
        TEST(places_are_reserved_for_dependent_lookups),
        TEST(no_lookup_is_awaited_while_stopping),
        TEST(waits_in_any_order_form_no_cycle),
        TEST(the_store_answers),
        TEST(a_miss_asks_the_upstream_and_fills_the_store),
        TEST(a_refused_get_costs_nothing),
        TEST(a_lease_ends_with_the_lookup),
        TEST(a_popular_value_goes_into_the_cache),
        TEST(a_late_store_is_hedged_and_the_first_response_counts),
        TEST(an_expired_value_is_stale_data),
        TEST(an_older_value_never_replaces_a_newer_entry),
        TEST(a_client_may_give_up_before_the_store_answers),
        TEST(the_end_forgets_gets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
