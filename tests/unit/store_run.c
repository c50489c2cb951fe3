/* SPDX-License-Identifier: MIT */
#include "store_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/mem.h"

struct loop run_loop;
struct counters run_counters;
struct store *run_store;
static uint64_t now_us;
static int64_t wall_s;

static void done(void *context, struct store_found *found, bool leased)
{
    (void)context, (void)found, (void)leased;
}

static void late(void *context)
{
    (void)context;
}

static const struct store_ops ops = {.done = done, .late = late};

static void at(uint64_t ms_later)
{
    now_us += ms_later * 1000;
    clock_fake(now_us, wall_s + (int64_t)(now_us / 1000000));
    run_loop.now_ms = now_us / 1000;
}

void run_pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        at(1);
        (void)run_store->tick.tick(&run_store->tick, now_us / 1000);
    }
}

struct store_setup *run_setup(enum store_kind kind, unsigned count, unsigned first_port)
{
    struct store_setup *setup = mem_zalloc(1, sizeof *setup + count * sizeof setup->servers[0]);
    static const char key[] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
    const char *why;
    assert_non_null(setup);
    atomic_init(&setup->refs, 1);
    assert_int_equal(seal_keys_parse(&setup->keys, (struct bytes){(const uint8_t *)key, strlen(key)}, &why), 0);
    setup->write_queue = 1 << 20;
    setup->kind = kind;
    snprintf(setup->sentinel, sizeof setup->sentinel, "cache");
    setup->ports[0].low = 7000;
    setup->ports[0].high = 7009;
    setup->port_ranges = 1;
    const struct tls_trust_options options = {
        .ca_file = "/nonexistent", .tls_name = "localhost", .min_version = 12, .ca_may_be_missing = true};
    assert_int_equal(tls_trust_new(&setup->authorities, &options), 0);
    for (unsigned i = 0; i < count; i++) {
        struct store_server *server = &setup->servers[setup->server_count++];
        snprintf(server->text, sizeof server->text, "127.0.0.1@%u", first_port + i);
        server->id = i + 1;
        assert_int_equal(config_store_server(&server->where, server->text), 0);
    }
    return setup;
}

void run_start(enum store_kind kind, unsigned count, unsigned first_port)
{
    run_start_with(run_setup(kind, count, first_port));
}

void run_start_with(struct store_setup *setup)
{
    assert_int_equal(store_new(&run_store, &run_loop, &run_counters, setup, &ops, NULL, true), 0);
    store_setup_unref(setup);
    run_pass(2);
}

int run_begin(void **state)
{
    (void)state;
    memset(&run_counters, 0, sizeof run_counters);
    fake_nodes_reset();
    fake_nodes_manual = true;
    now_us = 5000000;
    wall_s = time(NULL);
    assert_int_equal(loop_init(&run_loop), 0);
    at(0);
    return 0;
}

static void closed(void *context)
{
    *(bool *)context = true;
}

int run_end(void **state)
{
    (void)state;
    bool over = false;
    store_stop(run_store, closed, &over);
    assert_true(over);
    store_free(run_store);
    assert_null(fake_node(0));
    fake_nodes_reset();
    clock_real();
    loop_stop(&run_loop);
    loop_run(&run_loop);
    loop_fini(&run_loop);
    return 0;
}

uint64_t run_counted(enum counter which)
{
    return counter_read(&run_counters, which);
}
