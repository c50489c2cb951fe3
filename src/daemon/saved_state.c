/* SPDX-License-Identifier: MIT */
#include "saved_state.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "net/verifytime.h"
#include "ticketfile.h"

enum { WRITE_EVERY_MS = 5 * 60 * 1000 };

bool saved_state_path(char out[PATH_MAX], const struct config *config, const char *name)
{
    const char *cache_file = config->cache.save_file;
    const char *slash = cache_file ? strrchr(cache_file, '/') : NULL;
    if (!slash || slash - cache_file > (long)(PATH_MAX - 16))
        return false;
    int folder = (int)(slash - cache_file);
    snprintf(out, PATH_MAX, "%.*s/", folder, cache_file);
    if (access(out, W_OK | X_OK) < 0)
        return false;
    snprintf(out, PATH_MAX, "%.*s/%s", folder, cache_file, name);
    return true;
}

static void write_verified(const struct saved_state *kept)
{
    char path[PATH_MAX];
    if (saved_state_path(path, kept->config, "last-verified"))
        verifytime_save(path);
}

static void write_due(uv_timer_t *timer)
{
    struct saved_state *kept = container_of(timer, struct saved_state, timer);
    write_verified(kept);
    cachefile_save(&kept->cachefile);
}

int saved_state_init(struct saved_state *kept, struct loop *loop)
{
    int status = cachefile_init(&kept->cachefile, loop);
    return status < 0 ? status : uv_timer_init(&loop->uv, &kept->timer);
}

static void begin(struct saved_state *kept, const struct config *config, struct routes *routes, struct cache *cache,
                  struct worker **workers, bool read)
{
    char path[PATH_MAX];
    kept->workers = workers;
    kept->worker_count = config->workers;
    kept->config = config;
    bool writable = saved_state_path(path, config, "last-verified");
    if (writable)
        verifytime_load(path);
    if (config->cache.save && !writable)
        log_warning("cache",
                    "cannot save the cache in %s: the directory is not writable; trying again every few minutes",
                    config->cache.save_file);
    if (config->cache.save && read && saved_state_path(path, config, "tickets"))
        ticketfile_read(path, workers, config->workers);
    cachefile_open(&kept->cachefile, config, routes, cache, read);
    uv_timer_start(&kept->timer, write_due, WRITE_EVERY_MS, WRITE_EVERY_MS);
}

void saved_state_read(struct saved_state *kept, const struct config *config, struct routes *routes, struct cache *cache,
                      struct worker **workers)
{
    begin(kept, config, routes, cache, workers, true);
}

void saved_state_begin(struct saved_state *kept, const struct config *config, struct routes *routes,
                       struct cache *cache, struct worker **workers)
{
    begin(kept, config, routes, cache, workers, false);
}

void saved_state_hand_over(struct saved_state *kept)
{
    kept->handed_over = true;
    uv_timer_stop(&kept->timer);
    cachefile_give_up(&kept->cachefile);
}

void saved_state_configure(struct saved_state *kept, const struct config *config, struct routes *routes)
{
    cachefile_configure(&kept->cachefile, config, routes);
}

void saved_state_flushed(struct saved_state *kept)
{
    cachefile_flushed(&kept->cachefile);
}

void saved_state_write(struct saved_state *kept)
{
    if (kept->handed_over) {
        cachefile_wait(&kept->cachefile);
        return;
    }
    char path[PATH_MAX];
    write_verified(kept);
    if (kept->config->cache.save && saved_state_path(path, kept->config, "tickets"))
        ticketfile_write(path, kept->workers, kept->worker_count);
    cachefile_end(&kept->cachefile);
}

void saved_state_close(struct saved_state *kept)
{
    cachefile_close(&kept->cachefile);
    uv_close((uv_handle_t *)&kept->timer, NULL);
}
