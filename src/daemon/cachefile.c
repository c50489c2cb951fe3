/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - From uv_queue_work until `is_over` the job's fields belong to the thread of the pool; the path and the cache
 *   do not change.
 * - The main thread makes new terms for each job, and holds references to what they borrow until the job is over.
 * - The main thread, which also makes all flushes, renames the new file into place, unless there was a flush since
 *   the job began.
 *
 * The last write of a process does not wait for the disk: the page cache outlives the process, and the next
 * process may be waiting. After a loss of power the file may be incomplete; it is then ignored.
 */
#include "cachefile.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"

/* --- on a thread of the pool --- */

static void job_over(struct cachefile *file, int status)
{
    uv_mutex_lock(&file->lock);
    file->status = status;
    file->is_over = true;
    uv_cond_signal(&file->over);
    uv_mutex_unlock(&file->lock);
}

static void read_job(uv_work_t *work)
{
    struct cachefile *file = container_of(work, struct cachefile, work);
    int fd = file_open_private(file->path);
    int status = fd < 0 ? fd : dump_read(file->cache, &file->terms, fd, &file->count);
    if (fd >= 0)
        close(fd);
    job_over(file, status);
}

static void write_job(uv_work_t *work)
{
    struct cachefile *file = container_of(work, struct cachefile, work);
    int status = file_draft_open(&file->draft, file->path);
    if (status == 0) {
        status = dump_write(file->cache, &file->terms, file->draft.fd);
        if (status == 0 && !file->ending)
            status = file_draft_sync(&file->draft);
        if (status < 0)
            file_draft_drop(&file->draft);
    }
    job_over(file, status);
}

/* --- jobs --- */

/* A number that grows with each insertion and each flush. */
static uint64_t cache_changes(struct cache *cache)
{
    struct cache_stats stats;
    cache_stats(cache, &stats);
    return stats.entries + stats.evicted + stats.replaced + cache_epoch(cache);
}

static void job_begin(struct cachefile *file, enum cachefile_state state, uv_work_cb run, uv_after_work_cb after)
{
    file->state = state;
    file->is_over = false;
    file->epoch = cache_epoch(file->cache);
    atomic_store(&file->stop, false);
    file->written = routes_ref(file->routes);
    file->terms = cachefile_terms(file->config, file->written, &file->stop);
    if (uv_queue_work(&file->loop->uv, &file->work, run, after) == 0)
        return;
    file->state = CACHEFILE_IDLE;
    routes_unref(file->written);
}

static void write_begin(struct cachefile *file);

static void job_ended(struct cachefile *file)
{
    file->state = CACHEFILE_IDLE;
    routes_unref(file->written);
    if (file->again)
        write_begin(file);
}

static void read_over(uv_work_t *work, int status)
{
    struct cachefile *file = container_of(work, struct cachefile, work);
    if (status == 0)
        status = file->status;
    if (status == 0)
        log_info("cache", "loaded %llu cache entries from %s, skipped %llu: too old, or of other upstreams",
                 (unsigned long long)file->count.taken, file->path, (unsigned long long)file->count.left_out);
    else if (status == ERROR_MALFORMED)
        log_warning("cache", "ignoring %s: damaged, truncated, or not a saved cache of this version", file->path);
    else if (status != -ENOENT && status != -ECANCELED)
        log_warning("cache", "ignoring %s: cannot be read: %s", file->path, error_text(status));
    file->known = status == 0 ? cache_changes(file->cache) : 0;
    job_ended(file);
}

static void write_over(uv_work_t *work, int status)
{
    struct cachefile *file = container_of(work, struct cachefile, work);
    if (status == 0)
        status = file->status;
    if (status == 0 && (file->epoch != cache_epoch(file->cache) || file->gave_up)) {
        file_draft_drop(&file->draft);
        status = -ECANCELED;
    } else if (status == 0) {
        status = file_draft_keep(&file->draft);
    }
    if (status == 0)
        file->known = file->again ? 0 : file->writing; /* again: the groups have changed since */
    else if (status != -ECANCELED && status != file->told)
        log_warning("cache", "cannot save the cache in %s: %s", file->path, error_text(status));
    if (status != -ECANCELED)
        file->told = status;
    job_ended(file);
}

static void write_begin(struct cachefile *file)
{
    file->again = false;
    file->writing = cache_changes(file->cache);
    if (file->writing != file->known)
        job_begin(file, CACHEFILE_WRITING, write_job, write_over);
}

/* --- interface --- */

int cachefile_init(struct cachefile *file, struct loop *loop)
{
    *file = (struct cachefile){.loop = loop};
    int status = uv_mutex_init(&file->lock);
    return status < 0 ? status : uv_cond_init(&file->over);
}

static void wait_some(struct cachefile *file)
{
    uint64_t until_ms = clock_ms() + CACHEFILE_PATIENCE_MS;
    uv_mutex_lock(&file->lock);
    for (uint64_t now_ms; file->state == CACHEFILE_READING && !file->is_over && (now_ms = clock_ms()) < until_ms;)
        (void)uv_cond_timedwait(&file->over, &file->lock, (until_ms - now_ms) * 1000000);
    uv_mutex_unlock(&file->lock);
}

static uint8_t trust[DIGEST_LEN];

void cachefile_trust(const uint8_t digest[DIGEST_LEN])
{
    memcpy(trust, digest, DIGEST_LEN);
}

struct dump_terms cachefile_terms(const struct config *config, const struct routes *routes, const atomic_bool *stop)
{
    _Static_assert(ROUTES_GROUPS_MAX <= DUMP_GROUPS_MAX, "a dump can hold all groups");
    struct dump_terms terms = {
        .groups = routes->ids,
        .group_count = routes->group_count,
        .limits = {config->cache.min_ttl, config->cache.max_ttl, config->cache.negative_max_ttl},
        .stale = config->cache.serve_stale,
        .stop = stop,
    };
    memcpy(terms.trust, trust, DIGEST_LEN);
    return terms;
}

void cachefile_open(struct cachefile *file, const struct config *config, struct routes *routes, struct cache *cache,
                    bool read)
{
    if (!config->cache.save)
        return;
    file->config = config;
    file->routes = routes_ref(routes);
    file->path = config->cache.save_file;
    file->cache = cache;
    if (!read)
        return;
    job_begin(file, CACHEFILE_READING, read_job, read_over);
    wait_some(file);
}

void cachefile_configure(struct cachefile *file, const struct config *config, struct routes *routes)
{
    struct routes *before = file->routes;
    if (!before)
        return;
    file->config = config;
    file->routes = routes_ref(routes);
    routes_unref(before);
    file->known = 0; /* the file may hold entries of other groups */
    file->again |= file->state == CACHEFILE_WRITING;
}

void cachefile_save(struct cachefile *file)
{
    if (file->path && file->state == CACHEFILE_IDLE && !file->gave_up)
        write_begin(file);
}

/* Until the next save there is no file: a crash loses the other entries, but never brings flushed ones back. */
void cachefile_flushed(struct cachefile *file)
{
    if (!file->path || file->gave_up)
        return;
    int status = unlink(file->path) < 0 ? -errno : 0;
    if (status < 0 && access(file->path, F_OK) == 0) /* a file system that is read-only refuses before it looks */
        log_warning("cache", "cannot remove %s, which still holds flushed entries: %s", file->path, error_text(status));
    file->known = 0;
    if (file->state == CACHEFILE_WRITING)
        file->again = true; /* the job itself notices the flush */
}

void cachefile_give_up(struct cachefile *file)
{
    atomic_store(&file->stop, true);
    file->again = false;
    file->gave_up = true;
}

void cachefile_wait(struct cachefile *file)
{
    while (file->state != CACHEFILE_IDLE)
        uv_run(&file->loop->uv, UV_RUN_ONCE);
}

/* A job that is still reading has the better file, which therefore stays. */
void cachefile_end(struct cachefile *file)
{
    if (!file->path)
        return;
    atomic_store(&file->stop, file->state != CACHEFILE_IDLE);
    file->again = file->state == CACHEFILE_WRITING;
    file->ending = true;
    cachefile_save(file);
    cachefile_wait(file);
}

void cachefile_close(struct cachefile *file)
{
    routes_unref(file->routes);
    file->routes = NULL;
    uv_cond_destroy(&file->over);
    uv_mutex_destroy(&file->lock);
}
