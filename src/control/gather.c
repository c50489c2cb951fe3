/* SPDX-License-Identifier: MIT */
/* A round: the main thread posts an item to each worker; each worker fills its part and posts a reply. After the last
 * reply the parts are summed and all waits of the round end.
 *
 * Invariants:
 *   - a part belongs to its worker while its request item is posted and not yet replied to, else to the main thread;
 *   - `items` > 0 during a round; only the last reply of a round may then start the next one;
 *   - until `done` runs, a wait is in exactly one list and its timeout runs.
 */
#include "gather.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct gather_part {
    struct mailbox_item request, reply;
    struct gather *gather;
    struct worker_report report;
};

/* --- summing --- */

/* An open session on one worker outweighs what others know; else the worker that used the server last knows best. */
static enum server_state better(const struct server_report *a, const struct server_report *b)
{
    static const int rank[] = {
        [SERVER_OPEN] = 4, [SERVER_FAILING] = 3, [SERVER_CONNECTING] = 2, [SERVER_IDLE] = 1, [SERVER_UNKNOWN] = 0};
    if (a->state == SERVER_OPEN || b->state == SERVER_OPEN)
        return SERVER_OPEN;
    if (a->known_ms != b->known_ms)
        return a->known_ms > b->known_ms ? a->state : b->state;
    return rank[a->state] >= rank[b->state] ? a->state : b->state;
}

void gather_merge(struct server_report *sum, const struct server_report *one)
{
    sum->state = better(sum, one);
    if (one->known_ms > sum->known_ms)
        sum->known_ms = one->known_ms;
    reasons_merge(&sum->failures_by_reason, &one->failures_by_reason);
    sum->avoided |= one->avoided;
    sum->reserve &= one->reserve;
    if (!sum->fallback[0])
        memcpy(sum->fallback, one->fallback, sizeof sum->fallback);
    sum->open += one->open;
    sum->dialing += one->dialing;
    sum->in_flight += one->in_flight;
    if (!sum->latency_us || (one->latency_us && one->latency_us < sum->latency_us))
        sum->latency_us = one->latency_us;
    if (one->failures > sum->failures)
        sum->failures = one->failures;
    if (one->failed_ms > sum->failed_ms) {
        sum->failed_ms = one->failed_ms;
        sum->last_error = one->last_error;
    }
    histogram_merge(&sum->connect, &one->connect);
    histogram_merge(&sum->handshake, &one->handshake);
    histogram_merge(&sum->answer, &one->answer);
    sum->opened += one->opened;
    sum->resumed += one->resumed;
    if (one->opened_ms > sum->opened_ms) {
        sum->opened_ms = one->opened_ms;
        sum->has_tls = one->has_tls;
        sum->tls = one->tls;
    }
}

static bool is_same_server(const struct server_report *a, const struct server_report *b)
{
    return addr_equal(&a->addr, &b->addr) && strcmp(a->upstream, b->upstream) == 0 && strcmp(a->group, b->group) == 0;
}

/* Adds the i-th server of a worker. All workers have the same servers in the same order, except while some of them
 * have other routes, or other addresses of a host, than the rest. */
static void add_server(struct gather_sum *sum, size_t i, const struct server_report *server, size_t room)
{
    size_t at = i;
    if (at >= sum->server_count || !is_same_server(&sum->servers[at], server))
        for (at = 0; at < sum->server_count && !is_same_server(&sum->servers[at], server);)
            at++;
    if (at < sum->server_count)
        gather_merge(&sum->servers[at], server);
    else if (at < room)
        sum->servers[sum->server_count++] = *server;
}

/* A worker may have no connection to a server that another one uses. */
static const char *store_state(const struct store_server_report *all, const struct store_server_report *one)
{
    bool one_is_ready = strcmp(one->state, "ready") == 0;
    return one_is_ready == one->serves ? all->state : one->state;
}

static void merge_store(struct store_server_report *all, const struct store_server_report *one)
{
    all->state = store_state(all, one);
    if (one->error[0])
        memcpy(all->error, one->error, sizeof all->error);
    all->hears |= one->hears;
    all->unsent += one->unsent;
    all->waiting += one->waiting;
    histogram_merge(&all->latency, &one->latency);
}

/* The workers have the same servers, except for a moment while they change. */
static void add_stores(struct gather_sum *sum, const struct worker_report *report)
{
    for (size_t i = 0; i < report->store_count; i++) {
        const struct store_server_report *one = &report->stores[i];
        size_t at = 0;
        while (at < sum->store_count &&
               (strcmp(sum->stores[at].name, one->name) != 0 || strcmp(sum->stores[at].role, one->role) != 0))
            at++;
        if (at < sum->store_count)
            merge_store(&sum->stores[at], one);
        else if (at < STORE_SERVERS_MAX)
            sum->stores[sum->store_count++] = *one;
    }
}

static int newest_first(const void *a, const void *b)
{
    uint64_t one = (*(const struct record *const *)a)->ended_ms, other = (*(const struct record *const *)b)->ended_ms;
    return (one < other) - (one > other);
}

static void gather_add_up(struct gather *gather)
{
    struct gather_sum *sum = &gather->sum;
    sum->waiting = sum->record_count = sum->server_count = 0;
    sum->tcp_clients = 0;
    sum->store_count = 0;
    sum->tally = (struct tally){.other_rcode = 0};
    memset(sum->counters, 0, sizeof sum->counters);
    for (unsigned w = 0; w < gather->workers; w++) {
        const struct worker_report *report = &gather->parts[w].report;
        for (unsigned i = 0; i < report->record_count; i++)
            sum->records[sum->record_count++] = &report->records[i];
        sum->waiting += report->waiting;
        sum->tcp_clients += report->tcp_clients;
        tally_merge(&sum->tally, &report->tally);
        add_stores(sum, report);
        for (unsigned i = 0; i < COUNTER_COUNT; i++)
            sum->counters[i] += report->counters[i];
        for (size_t i = 0; i < report->server_count; i++)
            add_server(sum, i, &report->servers[i], gather->room);
    }
    qsort(sum->records, sum->record_count, sizeof(struct record *), newest_first);
}

/* --- a round --- */

static void wait_end(struct gather_wait *wait, const struct gather_sum *sum)
{
    timeout_stop(&wait->patience);
    list_remove(&wait->link);
    wait->done(wait, sum);
}

static void end_all(struct list *waiting, const struct gather_sum *sum)
{
    struct list_link *link;
    while ((link = list_first(waiting)))
        wait_end(container_of(link, struct gather_wait, link), sum);
}

static bool any_wants_records(const struct gather *gather)
{
    bool any = false;
    list_for_each(link, &gather->waiting)
        any |= container_of(link, struct gather_wait, link)->with_records;
    return any;
}

static int enlarge(struct server_report **servers, size_t count)
{
    struct server_report *larger = mem_resize(*servers, count * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    *servers = larger;
    return 0;
}

static int make_room_for_servers(struct gather *gather)
{
    if (gather->room >= gather->servers)
        return 0;
    int status = enlarge(&gather->sum.servers, gather->servers);
    for (unsigned w = 0; status == 0 && w < gather->workers; w++)
        status = enlarge(&gather->parts[w].report.servers, gather->servers);
    if (status == 0)
        gather->room = gather->servers;
    return status;
}

/* A store may have more servers than the configuration names. */
static int make_room_for_stores(struct gather *gather)
{
    if (!gather->has_store || gather->sum.stores)
        return 0;
    struct store_server_report *all = mem_zalloc((gather->workers + (size_t)1) * STORE_SERVERS_MAX, sizeof *all);
    if (!all)
        return -ENOMEM;
    gather->sum.stores = all;
    for (unsigned w = 0; w < gather->workers; w++) {
        gather->parts[w].report.stores = all + (w + (size_t)1) * STORE_SERVERS_MAX;
        gather->parts[w].report.store_room = STORE_SERVERS_MAX;
    }
    return 0;
}

/* Call it between rounds only: during a round workers write to these arrays. */
static int gather_make_room(struct gather *gather)
{
    int status = make_room_for_servers(gather);
    return status < 0 ? status : make_room_for_stores(gather);
}

static void gather_begin_round(struct gather *gather)
{
    list_move_all(&gather->next, &gather->waiting);
    if (gather_make_room(gather) < 0) {
        end_all(&gather->waiting, NULL);
        return;
    }
    for (unsigned w = 0; w < gather->workers; w++)
        gather->parts[w].report.server_count = gather->servers;
    gather->items = gather->workers;
    bool with_records = any_wants_records(gather);
    for (unsigned w = 0; w < gather->workers; w++) {
        gather->parts[w].report.with_records = with_records;
        gather->parts[w].report.record_count = 0;
        gather->ops->post(gather->context, w, &gather->parts[w].request);
    }
}

/* Runs on the worker's thread. */
static void open_request(struct mailbox_item *item, void *reader)
{
    struct gather_part *part = container_of(item, struct gather_part, request);
    part->gather->ops->report(reader, &part->report);
    mailbox_post(part->gather->reply_to, &part->reply);
}

static void open_reply(struct mailbox_item *item, void *reader)
{
    struct gather *gather = container_of(item, struct gather_part, reply)->gather;
    (void)reader;
    if (--gather->items > 0)
        return;
    gather_add_up(gather);
    end_all(&gather->waiting, &gather->sum);
    if (!list_empty(&gather->next))
        gather_begin_round(gather);
}

static void patience_over(struct timeout *timeout)
{
    wait_end(container_of(timeout, struct gather_wait, patience), NULL);
}

void gather_ask(struct gather *gather, struct gather_wait *wait)
{
    if (gather->closed) {
        wait->done(wait, NULL);
        return;
    }
    list_push_back(&gather->next, &wait->link);
    timeout_start(&gather->patience, &wait->patience);
    if (gather->items == 0)
        gather_begin_round(gather);
}

/* --- start and stop --- */

static int part_init(struct gather_part *part, struct gather *gather)
{
    part->gather = gather;
    part->request.open = open_request;
    part->reply.open = open_reply;
    part->report.records = mem_zalloc(RECORDER_ALL, sizeof *part->report.records);
    return part->report.records ? 0 : -ENOMEM;
}

void gather_configure(struct gather *gather, const struct routes *routes)
{
    gather->servers = routes->server_count;
    gather->has_store = routes->config->store.server_count > 0;
}

static void free_memory(struct gather *gather)
{
    for (unsigned w = 0; gather->parts && w < gather->workers; w++) {
        mem_free(gather->parts[w].report.servers);
        mem_free(gather->parts[w].report.records);
    }
    mem_free(gather->sum.stores);
    mem_free(gather->parts);
    mem_free(gather->sum.servers);
    mem_free(gather->sum.records);
}

int gather_init(struct gather *gather, const struct control_setup *setup)
{
    *gather = (struct gather){
        .reply_to = setup->mailbox, .ops = setup->ops, .context = setup->context, .workers = setup->config->workers};
    gather_configure(gather, setup->routes);
    list_init(&gather->waiting);
    list_init(&gather->next);
    gather->parts = mem_zalloc(gather->workers, sizeof *gather->parts);
    gather->sum.records = mem_zalloc((size_t)gather->workers * RECORDER_ALL, sizeof(struct record *));
    int status = gather->parts && gather->sum.records ? gather_make_room(gather) : -ENOMEM;
    for (unsigned w = 0; status == 0 && w < gather->workers; w++)
        status = part_init(&gather->parts[w], gather);
    if (status < 0)
        free_memory(gather);
    else
        timeouts_init(&gather->patience, setup->loop, GATHER_PATIENCE_MS, patience_over);
    return status;
}

void gather_close(struct gather *gather)
{
    gather->closed = true;
    end_all(&gather->waiting, NULL);
    end_all(&gather->next, NULL);
}

void gather_fini(struct gather *gather)
{
    assert(gather->items == 0 && list_empty(&gather->waiting) && list_empty(&gather->next));
    timeouts_fini(&gather->patience);
    free_memory(gather);
}
