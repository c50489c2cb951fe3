/* SPDX-License-Identifier: MIT */
/* The file: a line with its name and version; a line for each route; a line with a digest of everything before. A line:
 * the wall-clock time of the route's end in seconds, the seconds that were left when it was written (both 0: it has no
 * end), the salt, "plain" or "-", the interface or "-", the zones, the servers. The words are separated by one blank,
 * zones and servers by commas. */
#include "routefile.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/log.h"
#include "saved_state.h"

#define TITLE     "dotstub routes 1\n"
#define TITLE_LEN (sizeof(TITLE) - 1)
#define END       "digest "

enum {
    FILE_MAX = 4 << 20,
    END_LEN = sizeof(END) - 1 + 2 * DIGEST_LEN + 1,
    WORDS = 7,
};

/* --- writing --- */

static void put_hex(FILE *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%02x", bytes[i]);
}

static void put_texts(FILE *out, char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%s", i ? "," : "", texts[i]);
}

static void put_servers(FILE *out, const struct config_route *route)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < route->to_count; i++)
        fprintf(out, "%s%s", i ? "," : "", addr_format(&route->to[i], true, text));
    put_texts(out, route->upstreams, route->upstream_count);
    if (route->group)
        fputs(route->group, out);
}

static void put_route(FILE *out, const struct config_route *route, uint64_t now_ms, int64_t wall_s)
{
    uint64_t left_s = route->until_ms > now_ms ? (route->until_ms - now_ms + 999) / 1000 : route->until_ms ? 1 : 0;
    fprintf(out, "%" PRId64 " %" PRIu64 " ", left_s ? wall_s + (int64_t)left_s : 0, left_s);
    put_hex(out, route->salt, ROUTE_SALT);
    fprintf(out, " %s %s ", route->plain ? "plain" : "-", route->interface ? route->interface : "-");
    put_texts(out, route->zones, route->zone_count);
    fputc(' ', out);
    put_servers(out, route);
    fputc('\n', out);
}

char *routes_pack(struct added_route *const *added, size_t count)
{
    uint8_t digest[DIGEST_LEN];
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fputs(TITLE, out);
    for (size_t i = 0; i < count; i++)
        if (!added[i]->route.portal) /* a restart closes the portal window */
            put_route(out, &added[i]->route, clock_ms(), clock_wall_s());
    if (fflush(out) == 0) {
        digest_bytes(digest, text, len);
        fputs(END, out);
        put_hex(out, digest, DIGEST_LEN);
        fputc('\n', out);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

bool routefile_write(const struct config *config, struct added_route *const *added, size_t count)
{
    char path[PATH_MAX];
    if (!saved_state_path(path, config, "routes"))
        return false;
    char *text = count > 0 ? routes_pack(added, count) : NULL;
    int status = count > 0 && !text ? -ENOMEM : 0;
    if (text)
        status = file_replace(path, text, strlen(text), 0600, false);
    else if (status == 0 && unlink(path) < 0 && errno != ENOENT)
        status = -errno;
    if (status < 0)
        log_warning("daemon", "cannot save the added routes in %s: %s", path, error_text(status));
    free(text);
    return status == 0;
}

/* --- reading --- */

/* Splits a line, whose end is replaced by a NUL. False: it has not WORDS words. */
static bool split(char *line, char *words[WORDS])
{
    unsigned count = 0;
    char *at = line;
    for (; at && count < WORDS; count++) {
        words[count] = at;
        at = strchr(at, ' ');
        if (at)
            *at++ = '\0';
    }
    return count == WORDS && !at;
}

static bool read_hex(uint8_t *out, size_t len, const char *text)
{
    unsigned byte;
    if (strlen(text) != 2 * len || strspn(text, "0123456789abcdef") != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        (void)sscanf(text + 2 * i, "%2x", &byte);
        out[i] = (uint8_t)byte;
    }
    return true;
}

/* How many seconds are left. A clock that was set back since does not make them more. 0: none. */
static uint64_t seconds_left(uint64_t until_s, uint64_t left_s)
{
    int64_t now_s = clock_wall_s();
    if (now_s < 0 || until_s <= (uint64_t)now_s)
        return 0;
    uint64_t left = until_s - (uint64_t)now_s;
    return left < left_s ? left : left_s;
}

static bool read_number(uint64_t *out, const char *text)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && strlen(text) <= 12;
}

/* Reads a line. 0 with *out NULL if the route has ended; ERROR_CONFIG after a log line; ERROR_MALFORMED; -ENOMEM. */
static int read_route(struct added_route **out, char *line, const struct config *config)
{
    char *words[WORDS], *said = NULL;
    uint8_t salt[ROUTE_SALT];
    uint64_t until_s, left_s;
    size_t len;
    if (!split(line, words) || !read_number(&until_s, words[0]) || !read_number(&left_s, words[1]) ||
        !read_hex(salt, sizeof salt, words[2]))
        return ERROR_MALFORMED;
    bool ends = left_s > 0;
    left_s = seconds_left(until_s, left_s);
    *out = NULL;
    if (ends && left_s == 0) {
        log_info("daemon", "forward: removed the route of %s: its time is over", words[5]);
        return 0;
    }
    const struct added_texts texts = {.zones = words[5],
                                      .servers = words[6],
                                      .interface = strcmp(words[4], "-") == 0 ? NULL : words[4],
                                      .plain = strcmp(words[3], "plain") == 0};
    FILE *errors = open_memstream(&said, &len);
    int status = errors ? added_new(out, config, &texts, salt, ends ? clock_ms() + left_s * 1000 : 0, errors) : -ENOMEM;
    if (errors)
        fclose(errors);
    if (status < 0)
        log_warning("daemon", "forward: removed the route of %s: %s", words[5],
                    status == ERROR_CONFIG && said ? strtok(said, "\n") : error_text(status));
    free(said);
    return status;
}

/* Checks title and digest. */
static bool is_whole(struct bytes packed)
{
    uint8_t digest[DIGEST_LEN], written[DIGEST_LEN];
    char hex[2 * DIGEST_LEN + 1];
    if (packed.len < TITLE_LEN + END_LEN || memcmp(packed.data, TITLE, TITLE_LEN) != 0)
        return false;
    const char *end = (const char *)packed.data + packed.len - END_LEN;
    digest_bytes(digest, packed.data, packed.len - END_LEN);
    snprintf(hex, sizeof hex, "%.*s", 2 * DIGEST_LEN, end + sizeof(END) - 1);
    return memcmp(end, END, sizeof(END) - 1) == 0 && end[END_LEN - 1] == '\n' &&
           read_hex(written, sizeof written, hex) && memcmp(digest, written, DIGEST_LEN) == 0 &&
           !memchr(packed.data, '\0', packed.len);
}

int routes_unpack(struct bytes packed, const struct config *config,
                  void (*take)(void *context, struct added_route *added), void *context)
{
    if (!is_whole(packed))
        return ERROR_MALFORMED;
    char *text = strndup((const char *)packed.data + TITLE_LEN, packed.len - TITLE_LEN - END_LEN), *next = NULL;
    int status = text ? 0 : -ENOMEM;
    for (char *line = status == 0 ? strtok_r(text, "\n", &next) : NULL; line && status != ERROR_MALFORMED;
         line = strtok_r(NULL, "\n", &next)) {
        struct added_route *added = NULL;
        status = read_route(&added, line, config);
        if (added)
            take(context, added);
    }
    free(text);
    return status == ERROR_CONFIG ? 0 : status;
}

void routefile_read(const struct config *config, void (*take)(void *context, struct added_route *added), void *context)
{
    char path[PATH_MAX];
    struct buffer all = {NULL, 0, 0, 0};
    if (!saved_state_path(path, config, "routes"))
        return;
    int status = file_read_private(&all, path, FILE_MAX);
    if (status == 0)
        status = routes_unpack(buffer_bytes(&all), config, take, context);
    if (status == ERROR_MALFORMED)
        log_warning("daemon", "ignoring %s: damaged", path);
    else if (status < 0 && status != -ENOENT)
        log_warning("daemon", "ignoring %s: cannot be read: %s", path, error_text(status));
    buffer_free(&all);
}
