/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - a specification is active from the moment its items are posted to the workers until the items that close it are;
 * - there is one change at a time: while items are outstanding nothing is compared;
 * - a socket that a worker cannot use is closed in all workers, and opened again later. */
#include "listening.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "addresses.h"
#include "base/errors.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "listen/listeners.h"

enum {
    RETRY_MS = 3000,
    WORKERS_MAX = 64, /* as the option `workers` */
};

/* One worker's part of a change. */
struct listening_item {
    struct worker_listener worker;
    struct listening *listening;
};

static void look(struct listening *listening);

/* --- the workers --- */

static void forget_spec(struct listening *listening, const struct listener_spec *spec);

static void item_reply(struct mailbox_item *item, void *reader)
{
    struct listening_item *done = container_of(item, struct listening_item, worker.reply);
    struct listening *listening = done->listening;
    char text[ADDR_TEXT];
    (void)reader;
    listening->outstanding--;
    if (done->worker.status < 0 && listening->running) {
        log_warning("daemon", "cannot listen on %s: %s; trying again every few seconds",
                    addr_format(&done->worker.spec.addr, true, text), error_text(done->worker.status));
        forget_spec(listening, &done->worker.spec);
        timeout_start(&listening->retries, &listening->retry);
    }
    mem_free(done);
    if (listening->outstanding == 0 && listening->again)
        look(listening);
}

static struct listening_item *item_new(struct listening *listening, const struct listener_spec *spec, int fd)
{
    struct listening_item *item = mem_zalloc(1, sizeof *item);
    if (!item)
        return NULL;
    *item = (struct listening_item){.worker = {.spec = *spec, .fd = fd}, .listening = listening};
    item->worker.reply.open = item_reply;
    return item;
}

/* Posts an item with its descriptor, or -1, to each worker. 0, or -ENOMEM: nothing was posted. */
static int post_to_workers(struct listening *listening, const struct listener_spec *spec, const int *fds)
{
    struct listening_item *items[WORKERS_MAX];
    unsigned count = 0;
    for (; count < listening->worker_count; count++)
        if (!(items[count] = item_new(listening, spec, fds ? fds[count] : -1)))
            break;
    if (count < listening->worker_count) {
        while (count > 0)
            mem_free(items[--count]);
        return -ENOMEM;
    }
    listening->outstanding += count;
    for (unsigned i = 0; i < count; i++)
        worker_change_listener(listening->workers[i], &items[i]->worker);
    return 0;
}

/* --- changes --- */

static struct listener_spec *find_active(const struct listening *listening, const struct listener_spec *spec)
{
    for (size_t i = 0; i < listening->active_count; i++)
        if (listening->active[i].kind == spec->kind && addr_equal(&listening->active[i].addr, &spec->addr))
            return &listening->active[i];
    return NULL;
}

/* 0, or -ENOMEM: try again later. */
static int close_spec(struct listening *listening, const struct listener_spec *wanted)
{
    const struct listener_spec spec = *wanted;
    int status = post_to_workers(listening, &spec, NULL);
    if (status < 0)
        return status;
    struct listener_spec *active = find_active(listening, &spec);
    *active = listening->active[--listening->active_count];
    sockets_drop_copies(listening->sockets, &spec);
    return 0;
}

static void forget_spec(struct listening *listening, const struct listener_spec *spec)
{
    if (find_active(listening, spec) && close_spec(listening, spec) == 0)
        listening->ops->changed(listening);
}

static int open_spec(struct listening *listening, const struct listener_spec *spec)
{
    int fds[WORKERS_MAX];
    struct listener_spec *larger = mem_resize(listening->active, (listening->active_count + 1) * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    listening->active = larger;
    int status = sockets_open_more(spec, fds, listening->worker_count);
    if (status < 0)
        return status;
    status = post_to_workers(listening, spec, fds);
    if (status < 0)
        goto fail;
    listening->active[listening->active_count++] = *spec;
    if (sockets_add_copies(listening->sockets, fds, listening->worker_count) < 0)
        log_warning("daemon", "the sockets that were opened just now will not be handed over: out of memory");
    return 0;
fail:
    for (unsigned i = 0; i < listening->worker_count; i++)
        close(fds[i]);
    return status;
}

/* --- comparing --- */

/* The result of one look. */
struct comparison {
    struct listener_spec *wanted;
    size_t count;
    bool incomplete; /* something is to be tried again */
};

static void note_missing(void *context, const struct addr *addr)
{
    struct comparison *comparison = context;
    (void)addr;
    comparison->incomplete = true;
}

static int find_wanted(struct comparison *comparison, const struct config *config)
{
    int status = 0;
    for (size_t k = 0; status == 0 && listener_kinds[k]; k++) {
        struct listener_addresses wanted = listener_kinds[k]->addresses(config);
        struct address_list addresses;
        if ((status = addresses_find(&addresses, config, &wanted, note_missing, comparison)) < 0)
            break;
        struct listener_spec *larger =
            mem_resize(comparison->wanted, (comparison->count + addresses.count + 1) * sizeof *larger);
        if (larger)
            comparison->wanted = larger;
        else
            status = -ENOMEM;
        for (size_t i = 0; larger && i < addresses.count; i++)
            larger[comparison->count++] = (struct listener_spec){listener_kinds[k], addresses.list[i]};
        mem_free(addresses.list);
    }
    return status;
}

static bool is_wanted(const struct comparison *comparison, const struct listener_spec *spec)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->wanted[i].kind == spec->kind && addr_equal(&comparison->wanted[i].addr, &spec->addr))
            return true;
    return false;
}

static bool close_unwanted(struct listening *listening, struct comparison *comparison)
{
    char text[ADDR_TEXT];
    bool any = false;
    for (size_t i = 0; i < listening->active_count;) {
        const struct listener_spec spec = listening->active[i];
        if (is_wanted(comparison, &spec)) {
            i++;
        } else if (close_spec(listening, &spec) == 0) {
            log_info("daemon", "not listening on %s, %s, any more: the address or its interface is gone",
                     addr_format(&spec.addr, true, text), spec.kind->name);
            any = true;
        } else {
            comparison->incomplete = true;
            break;
        }
    }
    return any;
}

static void tell_failure(struct listening *listening, const struct listener_spec *spec, int error)
{
    char text[ADDR_TEXT + 32];
    uint64_t suppressed;
    addr_format(&spec->addr, true, text);
    size_t len = strlen(text);
    if (!sockets_is_missing(error) &&
        log_repeat_allowed(&listening->failures, hash_bytes(text, len) | 1, false, clock_ms(), &suppressed))
        log_warning("daemon", "cannot listen on %s: %s; trying again every few seconds", text, error_text(error));
}

/* Moves those that are opened to the beginning of `wanted`. */
static bool open_new(struct listening *listening, struct comparison *comparison)
{
    size_t count = 0;
    for (size_t i = 0; i < comparison->count; i++) {
        const struct listener_spec *spec = &comparison->wanted[i];
        if (find_active(listening, spec))
            continue;
        int status = open_spec(listening, spec);
        if (status < 0) {
            comparison->incomplete = true;
            tell_failure(listening, spec, status);
        } else {
            const struct listener_spec other = comparison->wanted[count];
            comparison->wanted[count++] = *spec;
            comparison->wanted[i] = other;
        }
    }
    sockets_announce(comparison->wanted, count);
    return count > 0;
}

static void look(struct listening *listening)
{
    struct comparison comparison = {.count = 0};
    if (!listening->running)
        return;
    listening->again = listening->outstanding > 0;
    if (listening->again)
        return;
    if (listening->ops->busy()) {
        timeout_start(&listening->retries, &listening->retry);
        return;
    }
    if (find_wanted(&comparison, listening->config) == 0) {
        bool closed = close_unwanted(listening, &comparison), opened = open_new(listening, &comparison);
        if (closed || opened)
            listening->ops->changed(listening);
    } else {
        comparison.incomplete = true;
    }
    mem_free(comparison.wanted);
    if (comparison.incomplete)
        timeout_start(&listening->retries, &listening->retry);
    else
        timeout_stop(&listening->retry);
}

static void retry_due(struct timeout *timeout)
{
    look(container_of(timeout, struct listening, retry));
}

void listening_network_changed(struct listening *listening)
{
    look(listening);
}

/* --- start and stop --- */

int listening_start(struct listening *listening, struct config *config, struct sockets *sockets,
                    struct worker **workers, struct loop *loop, const struct listening_ops *ops)
{
    size_t count = sockets->spec_count;
    *listening = (struct listening){.sockets = sockets,
                                    .workers = workers,
                                    .worker_count = config->workers,
                                    .ops = ops,
                                    .failures = LOG_REPEATS_INIT};
    if (!sockets->can_change)
        return 0;
    assert(listening->worker_count <= WORKERS_MAX);
    listening->active = mem_zalloc(count + 1, sizeof *listening->active);
    if (!listening->active)
        return -ENOMEM;
    memcpy(listening->active, sockets->specs, count * sizeof *listening->active);
    listening->active_count = count;
    listening->config = config_ref(config);
    timeouts_init(&listening->retries, loop, RETRY_MS, retry_due);
    listening->running = true;
    look(listening);
    return 0;
}

void listening_stop(struct listening *listening)
{
    if (!listening->running)
        return;
    listening->running = false;
    timeouts_fini(&listening->retries);
}

void listening_fini(struct listening *listening)
{
    mem_free(listening->active);
    config_unref(listening->config);
}
