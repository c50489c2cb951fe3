#include "kept.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "net/verifytime.h"

enum { WRITE_EVERY_MS = 5 * 60 * 1000 };

static void find_verified_file(struct kept *kept, const struct config *config)
{
    const char *cache_file = config->cache.save_file;
    const char *slash = cache_file ? strrchr(cache_file, '/') : NULL;
    if (!slash || slash - cache_file > (long)sizeof kept->verified_file - 16)
        return;
    int folder = (int)(slash - cache_file);
    snprintf(kept->verified_file, sizeof kept->verified_file, "%.*s/", folder, cache_file);
    if (access(kept->verified_file, W_OK | X_OK) < 0)
        kept->verified_file[0] = '\0';
    else
        snprintf(kept->verified_file, sizeof kept->verified_file, "%.*s/last-verified", folder, cache_file);
}

static void write_verified(struct kept *kept)
{
    if (kept->verified_file[0])
        verifytime_save(kept->verified_file);
}

static void write_due(uv_timer_t *timer)
{
    struct kept *kept = container_of(timer, struct kept, timer);
    write_verified(kept);
    cachefile_save(&kept->cachefile);
}

int kept_init(struct kept *kept, struct loop *loop)
{
    int status = cachefile_init(&kept->cachefile, loop);
    return status < 0 ? status : uv_timer_init(&loop->uv, &kept->timer);
}

void kept_read(struct kept *kept, struct config *config, struct cache *cache)
{
    find_verified_file(kept, config);
    if (kept->verified_file[0])
        verifytime_load(kept->verified_file);
    cachefile_open(&kept->cachefile, config, cache);
    uv_timer_start(&kept->timer, write_due, WRITE_EVERY_MS, WRITE_EVERY_MS);
}

void kept_flushed(struct kept *kept)
{
    cachefile_flushed(&kept->cachefile);
}

void kept_stopping(struct kept *kept)
{
    cachefile_end(&kept->cachefile);
}

void kept_write(struct kept *kept)
{
    write_verified(kept);
    cachefile_wait(&kept->cachefile);
}

void kept_close(struct kept *kept)
{
    cachefile_close(&kept->cachefile);
    uv_close((uv_handle_t *)&kept->timer, NULL);
}
