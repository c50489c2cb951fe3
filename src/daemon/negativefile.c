/* SPDX-License-Identifier: MIT */
/* The file: a line with its name and version; a line for each anchor: the wall-clock time of its end in seconds, the seconds
 * that were left when it was written, the name. The file belongs to the service user, so it is not trusted: its length,
 * numbers and names are checked. */
#include "negativefile.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/log.h"
#include "cache/cache.h"
#include "resolve/negatives.h"
#include "saved_state.h"

#define TITLE "dotstub negative-anchors 1"
enum { FILE_MAX = 128 * 1024 };

static void write_all(FILE *out, const struct negative *list, size_t count)
{
    char name[NAME_MAX_TEXT];
    uint64_t now_ms = clock_ms();
    fputs(TITLE "\n", out);
    for (size_t i = 0; i < count; i++) {
        uint64_t left_s = list[i].until_ms > now_ms ? (list[i].until_ms - now_ms + 999) / 1000 : 1;
        fprintf(out, "%" PRId64 " %" PRIu64 " %s\n", clock_wall_s() + (int64_t)left_s, left_s,
                name_text(list[i].name, name));
    }
}

static bool save(const struct config *config)
{
    struct negative list[NEGATIVES_MAX];
    size_t count = negatives_list(list), len = 0;
    char path[PATH_MAX], *text = NULL;
    if (!saved_state_path(path, config, "negative-anchors"))
        return false;
    FILE *out = count > 0 ? open_memstream(&text, &len) : NULL;
    int status = count > 0 && !out ? -ENOMEM : 0;
    if (out) {
        write_all(out, list, count);
        status = fclose(out) == 0 ? file_replace(path, text, len, 0600, false) : -ENOMEM;
    } else if (status == 0 && unlink(path) < 0 && errno != ENOENT) {
        status = -errno;
    }
    if (status < 0)
        log_warning("daemon", "cannot save the negative trust anchors in %s: %s", path, error_text(status));
    free(text);
    return status == 0;
}

int negative_change(const struct config *config, struct cache *cache, const uint8_t *name, size_t len,
                    uint64_t until_ms, bool *saved)
{
    int status = negatives_set(name, len, until_ms);
    if (status < 0)
        return status;
    (void)cache_flush_name(cache, name, len, true);
    *saved = save(config);
    return 0;
}

/* A clock that was set back since does not make the time longer. */
static bool take_line(const char *line)
{
    uint64_t until_s, left_s;
    uint8_t name[NAME_MAX_WIRE];
    int at = 0;
    if (sscanf(line, "%11" SCNu64 " %11" SCNu64 " %n", &until_s, &left_s, &at) != 2 || at == 0)
        return false;
    int len = name_from_text(name, line + at);
    int64_t now_s = clock_wall_s();
    if (len < 0)
        return false;
    if (now_s < 0 || until_s <= (uint64_t)now_s)
        return true; /* it has ended */
    left_s = until_s - (uint64_t)now_s < left_s ? until_s - (uint64_t)now_s : left_s;
    return negatives_set(name, (size_t)len, clock_ms() + left_s * 1000) != -ENOSPC;
}

static bool take_lines(char *text, size_t len)
{
    char *next = NULL, *line = strlen(text) == len ? strtok_r(text, "\n", &next) : NULL;
    if (!line || strcmp(line, TITLE) != 0)
        return false;
    while ((line = strtok_r(NULL, "\n", &next)))
        if (!take_line(line))
            return false;
    return true;
}

void negativefile_read(const struct config *config)
{
    char path[PATH_MAX];
    struct buffer all = {NULL, 0, 0, 0};
    if (!saved_state_path(path, config, "negative-anchors"))
        return;
    int status = file_read_private(&all, path, FILE_MAX);
    if (status == 0)
        status = buffer_append(&all, "", 1);
    if (status == ERROR_MALFORMED || (status == 0 && !take_lines((char *)all.data, all.len - 1)))
        log_warning("daemon", "ignoring the rest of %s: damaged", path);
    else if (status < 0 && status != -ENOENT)
        log_warning("daemon", "ignoring %s: cannot be read: %s", path, error_text(status));
    buffer_free(&all);
}
