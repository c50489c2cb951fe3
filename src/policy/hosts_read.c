/* SPDX-License-Identifier: MIT */
/* Parsing is lenient, as other programs do it: what is wrong with one name or one line leaves the others usable. */
#include "hosts_read.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/errors.h"
#include "base/lines.h"
#include "base/mem.h"

enum { SHOWN = 60 /* bytes of a bad word in a warning */, WARNING_TEXT = 900 };

#define SPACES " \t\r\f\v"

/* --- the reading --- */

int hosts_reading_init(struct hosts_reading *reading)
{
    *reading = (struct hosts_reading){.bad = 0};
    return hosts_table_init(&reading->table);
}

void hosts_reading_fini(struct hosts_reading *reading)
{
    hosts_table_fini(&reading->table);
    for (unsigned i = 0; i < HOSTS_WARNINGS; i++)
        mem_free(reading->warning[i]);
}

void hosts_reading_warn(struct hosts_reading *reading, const char *path, size_t line, const char *format, ...)
{
    char why[256], place[32] = "", text[WARNING_TEXT];
    va_list args;
    if (reading->bad++ >= HOSTS_WARNINGS)
        return;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (line != HOSTS_NOWHERE)
        snprintf(place, sizeof place, ":%zu", line);
    snprintf(text, sizeof text, "%s%s: %s%s", path, place, why, *place ? "; the rest of the file is used" : "");
    reading->warning[reading->bad - 1] = mem_strdup(text); /* NULL: out of memory */
}

void hosts_reading_fail(struct hosts_reading *reading, const char *path, int status)
{
    if (status == -ENOENT || status == -ENOTDIR)
        return;
    reading->incomplete = true;
    hosts_reading_warn(reading, path, HOSTS_NOWHERE, "cannot be read: %s",
                       status == -EINVAL ? "neither a regular file nor a directory" : error_text(status));
}

/* --- addresses --- */

bool hosts_address_parse(struct hosts_address *out, const char *text)
{
    *out = (struct hosts_address){.len = strchr(text, ':') ? 16 : 4};
    return inet_pton(out->len == 4 ? AF_INET : AF_INET6, text, out->bytes) == 1;
}

/* The reverse names of these addresses are special-use names of their own. */
static bool has_own_reverse(const struct hosts_address *address)
{
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1}, none[16] = {0};
    return memcmp(address->bytes, address->len == 4 ? v4 : v6, address->len) == 0 ||
           memcmp(address->bytes, none, address->len) == 0;
}

int hosts_reading_add(struct hosts_reading *reading, const uint8_t *name, size_t len,
                      const struct hosts_address *address, bool reverse)
{
    uint32_t at;
    int status = hosts_table_add(&reading->table, name, len, address, &at);
    if (status == 0 && reverse && !has_own_reverse(address))
        status = hosts_table_add_reverse(&reading->table, at, address);
    return status;
}

/* --- hosts files --- */

/* localhost and the names below it mean this machine, whatever a file says (RFC 6761 section 6.3). */
static bool is_localhost(const uint8_t *name, size_t len)
{
    static const uint8_t localhost[] = "\11localhost";
    return name_is_under(name, len, localhost, sizeof localhost);
}

/* *reverse: the name may be that of the address; false afterwards if it is. */
static int read_name(struct hosts_reading *reading, const char *path, size_t line, const char *text,
                     const struct hosts_address *address, bool *reverse)
{
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text);
    bool is_wildcard = len > 1 && name[0] == 1 && name[1] == '*';
    if (is_wildcard)
        hosts_reading_warn(reading, path, line, "%.*s: hosts files have no wildcards; write a record in `records`",
                           SHOWN, text);
    else if (len <= 1)
        hosts_reading_warn(reading, path, line, "\"%.*s\" is not a host name", SHOWN, text);
    if (len <= 1 || is_wildcard || is_localhost(name, (size_t)len))
        return 0;
    int status = hosts_reading_add(reading, name, (size_t)len, address, *reverse);
    *reverse = false;
    if (status != -ENOSPC)
        return status;
    hosts_reading_warn(reading, path, line, "too many names, or too many addresses of %.*s", SHOWN, text);
    return 0;
}

static int read_hosts_line(struct hosts_reading *reading, const char *path, size_t line, char *text)
{
    struct hosts_address address;
    char *rest = NULL, *word;
    int status = 0;
    bool reverse = true;
    text[strcspn(text, "#")] = '\0';
    if (!(word = strtok_r(text, SPACES, &rest)))
        return 0;
    if (strchr(word, '%')) /* a link-local address with its interface, which DNS cannot express */
        return 0;
    if (!hosts_address_parse(&address, word)) {
        hosts_reading_warn(reading, path, line, "\"%.*s\" is not an address", SHOWN, word);
        return 0;
    }
    word = strtok_r(NULL, SPACES, &rest);
    if (!word)
        hosts_reading_warn(reading, path, line, "an address without a name");
    for (; word && status == 0; word = strtok_r(NULL, SPACES, &rest))
        status = read_name(reading, path, line, word, &address, &reverse);
    return status;
}

/* 0, -ENOMEM, or negative: the file cannot be opened. */
static int read_hosts_file(struct hosts_reading *reading, const char *path)
{
    struct lines lines;
    size_t len;
    char *text;
    int status = lines_open(&lines, path);
    if (status < 0)
        return status;
    while (status == 0 && (text = lines_next(&lines, &len))) {
        bool has_nul = strlen(text) < len, has_mark = lines.number == 1 && strncmp(text, "\xEF\xBB\xBF", 3) == 0;
        if (lines.too_long || has_nul)
            hosts_reading_warn(reading, path, lines.number, lines.too_long ? "the line is too long" : "a NUL byte");
        else
            status = read_hosts_line(reading, path, lines.number, text + (has_mark ? 3 : 0));
    }
    if (lines.error < 0)
        hosts_reading_fail(reading, path, lines.error);
    lines_close(&lines);
    return status;
}

/* As dnsmasq: no hidden files, and no copies of editors. */
static int is_hosts_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return *entry->d_name != '.' && *entry->d_name != '#' && entry->d_name[len - 1] != '~';
}

static int read_directory(struct hosts_reading *reading, const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_hosts_file, alphasort), status = count < 0 ? -errno : 0;
    if (count < 0)
        hosts_reading_fail(reading, path, status);
    if (count > HOSTS_DIR_MAX)
        hosts_reading_warn(reading, path, HOSTS_NOWHERE, "only the first %d files are read", HOSTS_DIR_MAX);
    status = 0;
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];
        struct stat stat_of;
        bool fits = snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name) < (int)sizeof file;
        bool is_file = fits && stat(file, &stat_of) == 0 && S_ISREG(stat_of.st_mode);
        if (status == 0 && is_file && i < HOSTS_DIR_MAX)
            status = read_hosts_file(reading, file);
        if (status < 0 && status != -ENOMEM) {
            hosts_reading_fail(reading, file, status);
            status = 0;
        }
        mem_free(entries[i]); /* of scandir */
    }
    mem_free(entries);
    return status;
}

int hosts_read_path(struct hosts_reading *reading, const char *path)
{
    struct stat stat_of;
    if (stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode))
        return read_directory(reading, path);
    int status = read_hosts_file(reading, path);
    if (status == 0 || status == -ENOMEM)
        return status;
    hosts_reading_fail(reading, path, status);
    return 0;
}
