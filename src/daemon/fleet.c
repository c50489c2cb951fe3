/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - The cache is flushed after all workers ignore older values, so no such value is taken from the store after it.
 * - From uv_queue_work until flush_over the flush belongs to a thread of the pool.
 */
#include "fleet.h"
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"

enum { MARGIN_MS = 60000 }; /* clocks of replicas may differ */

struct fleet_flush {
    struct fleet *fleet;
    struct flush_wait *wait; /* NULL: another replica has told of it */
    struct store_flush flush;
    uv_work_t work;
    uint64_t flushed;
    unsigned told, servers;
    unsigned outstanding;
    struct worker_flush workers[]; /* one for each */
};

static void flush_end(struct fleet_flush *flush, int status)
{
    if (flush->wait)
        flush->wait->done(flush->wait, &(struct flush_result){.status = status,
                                                              .flushed = flush->flushed,
                                                              .told = flush->told,
                                                              .servers = flush->servers});
    mem_free(flush);
}

static void flush_cache(uv_work_t *work)
{
    struct fleet_flush *flush = container_of(work, struct fleet_flush, work);
    flush->flushed = cache_flush_name(flush->fleet->cache, flush->flush.name, flush->flush.len, flush->flush.below);
}

static void flush_over(uv_work_t *work, int status)
{
    struct fleet_flush *flush = container_of(work, struct fleet_flush, work);
    (void)status; /* it is never cancelled */
    flush->fleet->flushing--;
    flush->fleet->flushed();
    flush_end(flush, 0);
}

static void worker_replied(struct mailbox_item *item, void *reader)
{
    struct worker_flush *one = container_of(item, struct worker_flush, reply);
    struct fleet_flush *flush = one->telling.context;
    (void)reader;
    flush->told += one->told;
    flush->servers += one->servers;
    if (--flush->outstanding > 0)
        return;
    flush->fleet->flushing++;
    if (!flush->fleet->stopping && uv_queue_work(&flush->fleet->loop->uv, &flush->work, flush_cache, flush_over) == 0)
        return;
    flush_cache(&flush->work);
    flush_over(&flush->work, 0);
}

/* 0 or -ENOMEM. */
static int begin(struct fleet *fleet, const struct store_flush *what, uint64_t life_ms, struct flush_wait *wait)
{
    struct fleet_flush *flush = mem_zalloc(1, sizeof *flush + fleet->count * sizeof flush->workers[0]);
    if (!flush)
        return -ENOMEM;
    flush->fleet = fleet;
    flush->wait = wait;
    flush->flush = *what;
    flush->outstanding = fleet->count;
    for (unsigned i = 0; i < fleet->count; i++) {
        struct worker_flush *one = &flush->workers[i];
        one->reply.open = worker_replied;
        one->flush = *what;
        one->telling.context = flush;
        one->tell = wait && i == 0;
        one->life_ms = life_ms;
    }
    for (unsigned i = 0; i < fleet->count; i++)
        worker_flush_fleet(fleet->workers[i], &flush->workers[i]);
    return 0;
}

void fleet_flush(struct fleet *fleet, const struct config *config, const uint8_t *name, size_t len, bool below,
                 struct flush_wait *wait)
{
    struct store_flush what = {.at_ms = clock_wall_ms(), .below = below, .len = (uint8_t)len};
    uint64_t life_ms = ((uint64_t)config->cache.max_ttl + config->cache.serve_stale) * 1000 + MARGIN_MS;
    char text[NAME_MAX_TEXT];
    memcpy(what.name, name, len);
    int status = fleet->stopping                   ? ERROR_STOPPING
                 : config->store.server_count == 0 ? -ENOTSUP
                                                   : begin(fleet, &what, life_ms, wait);
    if (status < 0)
        wait->done(wait, &(struct flush_result){.status = status});
    else
        log_info("store", "flush of the fleet: %s%s", name_text(name, text), below ? " and all names below" : "");
}

void fleet_wait(struct fleet *fleet)
{
    while (fleet->flushing > 0)
        uv_run(&fleet->loop->uv, UV_RUN_ONCE);
}

void fleet_heard(struct fleet *fleet, const struct store_flush *flush)
{
    char text[NAME_MAX_TEXT];
    if (fleet->stopping)
        return;
    if (begin(fleet, flush, 0, NULL) < 0) {
        log_warning("store", "a flush by another machine is lost: out of memory");
        return;
    }
    log_info("store", "flush by another machine: %s%s", name_text(flush->name, text),
             flush->below ? " and all names below" : "");
}
