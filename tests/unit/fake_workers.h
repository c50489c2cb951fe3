/* SPDX-License-Identifier: MIT */
/* Two workers without threads: their mailbox items stay here until the test opens them. */
#ifndef DOTSTUB_TESTS_FAKE_WORKERS_H
#define DOTSTUB_TESTS_FAKE_WORKERS_H

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "config/config.h"
#include "control/ops.h"

#define WORKERS 2
#define SERVERS 3

static struct {
    struct loop loop;
    struct mailbox mailbox;
    struct config config;
    struct config_upstream upstreams[2];
    struct routes routes;
    struct group_definition groups[2];
    struct key_group ids[2];
    struct addr addrs[SERVERS];
    struct counters counters[WORKERS];
    struct worker_report report[WORKERS]; /* their next report */
    struct server_report servers[WORKERS][SERVERS];
    struct mailbox_item *item[WORKERS]; /* posted, not opened */
    unsigned posted;
} fake;

static const struct counters *fake_counters(void *context, unsigned worker)
{
    assert(context == &fake);
    return &fake.counters[worker];
}

static void fake_post(void *context, unsigned worker, struct mailbox_item *item)
{
    assert(context == &fake && !fake.item[worker]);
    fake.item[worker] = item;
    fake.posted++;
}

static void fake_report(void *reader, struct worker_report *out)
{
    const struct worker_report *report = reader;
    out->waiting = report->waiting;
    out->tally = report->tally;
    out->tcp_clients = report->tcp_clients;
    for (unsigned i = 0; i < COUNTER_COUNT; i++)
        out->counters[i] = counter_read(&fake.counters[report - fake.report], i);
    assert(out->server_count == SERVERS);
    memcpy(out->servers, report->servers, SERVERS * sizeof *out->servers);
    if (out->with_records && report->records)
        memcpy(out->records, report->records, report->record_count * sizeof *out->records);
    out->record_count = out->with_records ? report->record_count : 0;
    out->store_count = report->store_count;
    if (report->store_count > 0)
        memcpy(out->stores, report->stores, report->store_count * sizeof *out->stores);
}

static unsigned fake_flushes;

static void fake_flushed(void *context)
{
    (void)context;
    fake_flushes++;
}

static uint64_t fake_drained_ms;

static void fake_drain(void *context, uint64_t ms)
{
    (void)context;
    fake_drained_ms = ms;
}

/* The last trace; the test finishes it. */
static struct trace *fake_traced;
static unsigned fake_traces;

static void fake_trace(void *reader, struct trace *trace)
{
    (void)reader;
    fake_traced = trace;
    fake_traces++;
}

static struct reload_result fake_result;

static void fake_reload(void *context, struct reload_wait *wait)
{
    (void)context;
    wait->done(wait, &fake_result);
}

static struct forward_result fake_forwarded;
static struct forward_request fake_wanted;
static char fake_wanted_texts[4][300]; /* zones, servers, interface, duration; "": absent */

static void fake_forward(void *context, const struct forward_request *request, struct forward_wait *wait)
{
    const char *texts[] = {request->zones, request->servers, request->interface, request->duration};
    (void)context;
    fake_wanted = *request;
    for (unsigned i = 0; i < 4; i++)
        snprintf(fake_wanted_texts[i], sizeof fake_wanted_texts[i], "%s", texts[i] ? texts[i] : "");
    wait->done(wait, &fake_forwarded);
}

static size_t fake_block_lists(void *context, struct block_list_report out[BLOCK_LISTS_MAX])
{
    (void)context;
    out[0] = (struct block_list_report){
        .name = "ads", .format = "hosts", .source = "/etc/ads", .names = 7, .bytes = 80, .hits = 3, .error = "broken"};
    return 1;
}

static void fake_block_test(void *context, const uint8_t *name, size_t len, struct block_test *out)
{
    (void)context;
    (void)name;
    (void)len;
    *out = (struct block_test){.fate = BLOCK_FATE_BLOCKED, .list = "ads", .rule = "ads.example.", .action = "block"};
}

static uint64_t fake_unblocked_until_ms;

static int fake_unblock(void *context, const uint8_t *name, size_t len, uint64_t until_ms)
{
    (void)context;
    (void)name;
    (void)len;
    fake_unblocked_until_ms = until_ms;
    return 0;
}

static size_t fake_unblocked(void *context, struct block_unblocked out[BLOCK_UNBLOCKED_MAX])
{
    (void)context;
    (void)out;
    return 0;
}

static const struct control_ops fake_ops = {
    .counters = fake_counters,
    .post = fake_post,
    .report = fake_report,
    .trace = fake_trace,
    .flushed = fake_flushed,
    .drain = fake_drain,
    .reload = fake_reload,
    .forward = fake_forward,
    .block_lists = fake_block_lists,
    .block_test = fake_block_test,
    .unblock = fake_unblock,
    .unblocked = fake_unblocked,
};

static inline void fake_turn(void)
{
    uv_run(&fake.loop.uv, UV_RUN_NOWAIT);
    fake.loop.now_ms = 0;
}

/* A worker opens its item; the reply arrives in the next turn of the loop. */
static inline void fake_open(unsigned worker)
{
    struct mailbox_item *item = fake.item[worker];
    assert(item);
    fake.item[worker] = NULL;
    item->open(item, &fake.report[worker]);
    fake_turn();
}

static inline void fake_name_servers(void)
{
    static char names[2][8] = {"first", "second"};
    for (unsigned i = 0; i < SERVERS; i++) {
        char text[32];
        snprintf(text, sizeof text, "192.0.2.%u@853", i + 1);
        int status = addr_parse(&fake.addrs[i], text, 0);
        assert(status == 0);
        for (unsigned w = 0; w < WORKERS; w++) {
            strcpy(fake.servers[w][i].upstream, names[i / 2]);
            fake.servers[w][i].addr = fake.addrs[i];
            fake.servers[w][i].state = SERVER_IDLE;
        }
    }
    for (unsigned i = 0; i < 2; i++)
        fake.upstreams[i] = (struct config_upstream){
            .name = names[i], .addresses = &fake.addrs[2 * i], .address_count = i == 0 ? 2 : 1};
}

static inline struct control_setup fake_begin(void)
{
    memset(&fake, 0, sizeof fake);
    fake_traced = NULL;
    fake_traces = 0;
    clock_fake(1000000000, 1700000000);
    fake_name_servers();
    fake.config = (struct config){.refs = 1, .workers = WORKERS, .upstreams = fake.upstreams, .upstream_count = 2};
    fake.ids[1].id = 7;
    fake.groups[0].name = GROUP_ROOT;
    fake.groups[1].name = "forward:corp.example";
    fake.routes = (struct routes){.refs = 1,
                                  .config = &fake.config,
                                  .groups = fake.groups,
                                  .ids = fake.ids,
                                  .group_count = 2,
                                  .server_count = SERVERS};
    for (unsigned w = 0; w < WORKERS; w++)
        fake.report[w].servers = fake.servers[w];
    int status = loop_init(&fake.loop);
    assert(status == 0);
    status = mailbox_init(&fake.mailbox, &fake.loop, NULL);
    assert(status == 0);
    return (struct control_setup){.loop = &fake.loop,
                                  .mailbox = &fake.mailbox,
                                  .config = &fake.config,
                                  .routes = &fake.routes,
                                  .ops = &fake_ops,
                                  .context = &fake};
}

static inline void fake_end(void)
{
    clock_real();
    mailbox_close(&fake.mailbox);
    bool drained = loop_drain(&fake.loop, 10000);
    assert(drained);
    loop_fini(&fake.loop);
}

/* Advances the clock and runs expired deadlines. */
static inline void fake_pass(uint64_t ms)
{
    static uint64_t now_us;
    now_us = clock_us() + ms * 1000;
    clock_fake(now_us, 1700000000);
    uv_timer_start(&fake.loop.timer, fake.loop.timer.timer_cb, 0, 0);
    fake.loop.now_ms = 0;
    for (int i = 0; i < 4; i++)
        fake_turn();
}

#endif
