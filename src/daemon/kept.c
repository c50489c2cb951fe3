#include "kept.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "net/verifytime.h"

enum {
    FIRST_WRITE_MS = 10 * 60 * 1000,
    WRITE_EVERY_MS = 60 * 60 * 1000,
};

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

static void write_due(uv_timer_t *timer)
{
    kept_write(container_of(timer, struct kept, timer));
}

int kept_init(struct kept *kept, struct loop *loop)
{
    return uv_timer_init(&loop->uv, &kept->timer);
}

void kept_read(struct kept *kept, const struct config *config)
{
    find_verified_file(kept, config);
    if (!kept->verified_file[0])
        return;
    verifytime_load(kept->verified_file);
    uv_timer_start(&kept->timer, write_due, FIRST_WRITE_MS, WRITE_EVERY_MS);
}

void kept_write(struct kept *kept)
{
    if (kept->verified_file[0])
        verifytime_save(kept->verified_file);
}

void kept_close(struct kept *kept)
{
    uv_close((uv_handle_t *)&kept->timer, NULL);
}
