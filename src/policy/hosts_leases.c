/* SPDX-License-Identifier: MIT */
/* Lease files of DHCP servers. The host names in them are what the clients said, so only names below the given domain
 * are taken, none of those that programs look for by themselves, and none that the operator has defined.
 *
 * dnsmasq rewrites its file: "EXPIRES MAC ADDRESS NAME ID" (IPv6: IAID in place of the MAC). Kea appends to its own
 * (memfile, CSV with a header): the last line of an address counts. Its cleanup moves FILE to FILE.1 and merges that with
 * FILE.2; while it runs, the leases are in all three, or in FILE.completed and FILE.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/lines.h"
#include "base/mem.h"
#include "hosts_read.h"

enum { COLUMNS_MAX = 64, HOST_MAX = 255, FILES = 4, FIRST_LEASES = 256 };

#define NEVER UINT32_MAX /* seconds: longer leases do not expire */

struct lease {
    struct hosts_address address; /* expires 1: the lease has ended */
    size_t order;
    size_t host; /* offset of the text; SIZE_MAX: none */
};

struct leases {
    struct hosts_reading *reading;
    const char *path;
    size_t line;
    struct lease *list;
    size_t count, cap;
    struct buffer texts;
    bool full;
};

/* Columns of the CSV; -1: there is none. */
struct columns {
    int address, expire, lifetime, hostname, state, type;
};

/* --- lines --- */

/* Seconds since 1970 as the table has them: 0 for leases that do not expire, 1 for those that have ended. */
static uint32_t expiry_of(const char *text, bool zero_is_never)
{
    char *end;
    errno = 0;
    unsigned long long seconds = strtoull(text, &end, 10);
    if (end == text || *end || *text == '-')
        return 1;
    if (errno || seconds >= NEVER || (seconds == 0 && zero_is_never))
        return 0;
    return seconds > 0 ? (uint32_t)seconds : 1;
}

/* 0 or -ENOMEM. `host` NULL: none. */
static int add_lease(struct leases *leases, const char *address, uint32_t expires, const char *host)
{
    struct lease lease = {.order = leases->count, .host = SIZE_MAX};
    if (!hosts_address_parse(&lease.address, address)) {
        hosts_reading_warn(leases->reading, leases->path, leases->line, "\"%.45s\" is not an address", address);
        return 0;
    }
    if (leases->count >= HOSTS_LEASES_MAX) {
        leases->full = true;
        return 0;
    }
    if (leases->count == leases->cap) {
        size_t cap = leases->cap ? 2 * leases->cap : FIRST_LEASES;
        struct lease *list = mem_resize(leases->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        leases->list = list;
        leases->cap = cap;
    }
    lease.address.expires = expires;
    if (host && *host && strlen(host) <= HOST_MAX) {
        lease.host = leases->texts.len;
        if (buffer_append(&leases->texts, host, strlen(host) + 1) < 0)
            return -ENOMEM;
    }
    leases->list[leases->count++] = lease;
    return 0;
}

static int read_dnsmasq_line(struct leases *leases, char *text)
{
    char *rest = NULL, *word[4];
    for (unsigned i = 0; i < 4; i++)
        word[i] = strtok_r(i ? NULL : text, " \t\r", &rest);
    if (!word[0] || strcmp(word[0], "duid") == 0)
        return 0;
    if (!word[3] || strspn(word[0], "0123456789") != strlen(word[0])) {
        hosts_reading_warn(leases->reading, leases->path, leases->line, "not a lease of dnsmasq");
        return 0;
    }
    return add_lease(leases, word[2], expiry_of(word[0], true), strcmp(word[3], "*") == 0 ? NULL : word[3]);
}

/* Fields may be empty. Returns their number. */
static int split(char *text, char *fields[COLUMNS_MAX])
{
    int count = 0;
    text[strcspn(text, "\r")] = '\0';
    while (text && count < COLUMNS_MAX)
        fields[count++] = strsep(&text, ",");
    return count;
}

static int column(char *const *fields, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(fields[i], name) == 0)
            return i;
    return -1;
}

/* False: a column is missing. */
static bool read_kea_header(struct columns *columns, char *text)
{
    char *fields[COLUMNS_MAX];
    int count = split(text, fields);
    *columns = (struct columns){column(fields, count, "address"),        column(fields, count, "expire"),
                                column(fields, count, "valid_lifetime"), column(fields, count, "hostname"),
                                column(fields, count, "state"),          column(fields, count, "lease_type")};
    return columns->address >= 0 && columns->expire >= 0 && columns->lifetime >= 0 && columns->hostname >= 0;
}

static int read_kea_line(struct leases *leases, const struct columns *columns, char *text)
{
    char *fields[COLUMNS_MAX];
    int count = split(text, fields);
    if (count == 1 && !*fields[0])
        return 0;
    if (count <= columns->address || count <= columns->expire || count <= columns->lifetime ||
        count <= columns->hostname) {
        hosts_reading_warn(leases->reading, leases->path, leases->line, "not a lease of Kea");
        return 0;
    }
    bool is_prefix = columns->type >= 0 && columns->type < count && strcmp(fields[columns->type], "2") == 0;
    bool is_active = columns->state < 0 || columns->state >= count || strcmp(fields[columns->state], "0") == 0;
    bool is_infinite = expiry_of(fields[columns->lifetime], false) == 0;
    uint32_t expires = !is_active ? 1 : is_infinite ? 0 : expiry_of(fields[columns->expire], false);
    return is_prefix ? 0 : add_lease(leases, fields[columns->address], expires, fields[columns->hostname]);
}

/* 0, -ENOMEM, or negative: the file cannot be opened. */
static int read_leases(struct leases *leases, const char *path)
{
    struct columns columns = {.address = -1};
    struct lines lines;
    size_t len;
    char *text;
    bool is_kea = false;
    leases->path = path;
    int status = lines_open(&lines, path);
    if (status < 0)
        return status;
    while (status == 0 && (text = lines_next(&lines, &len))) {
        leases->line = lines.number;
        if (lines.number == 1 && strncmp(text, "address,", 8) == 0) {
            is_kea = read_kea_header(&columns, text);
            if (!is_kea)
                hosts_reading_warn(leases->reading, path, 1, "a header without the columns of Kea");
            if (!is_kea)
                break;
        } else if (lines.too_long) {
            hosts_reading_warn(leases->reading, path, lines.number, "the line is too long");
        } else {
            status = is_kea ? read_kea_line(leases, &columns, text) : read_dnsmasq_line(leases, text);
        }
    }
    if (lines.error < 0)
        hosts_reading_fail(leases->reading, path, lines.error);
    lines_close(&lines);
    return status;
}

/* --- names --- */

static bool is_host_text(const char *text)
{
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') ||
              strchr("-._", *text)))
            return false;
    return true;
}

/* Programs look for these names by themselves, so a DHCP client must not claim them. */
static bool is_refused(const uint8_t *name)
{
    static const uint8_t refused[][11] = {"\4wpad", "\6isatap", "\11localhost"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (memcmp(name, refused[i], 1 + (size_t)*refused[i]) == 0)
            return true;
    return false;
}

/* The name of a lease in wire form, at or below the domain. 0: none. */
static size_t lease_name(uint8_t out[NAME_MAX_WIRE], const char *host, const char *domain)
{
    char text[2 * HOST_MAX + 2];
    uint8_t suffix[NAME_MAX_WIRE];
    size_t len = strlen(host);
    bool is_full = memchr(host, '.', len - (host[len - 1] == '.')) != NULL; /* else one label */
    if (!is_host_text(host))
        return 0;
    if (snprintf(text, sizeof text, "%.*s%s%s", (int)(len - (host[len - 1] == '.')), host, is_full ? "" : ".",
                 is_full ? "" : domain) >= (int)sizeof text)
        return 0;
    int name_bytes = name_from_text(out, text), suffix_bytes = name_from_text(suffix, domain);
    if (name_bytes <= suffix_bytes || suffix_bytes < 0 || is_refused(out) ||
        !name_is_under(out, (size_t)name_bytes, suffix, (size_t)suffix_bytes))
        return 0;
    return (size_t)name_bytes;
}

/* By address, the latest line last. */
static int compare(const void *a, const void *b)
{
    const struct lease *x = a, *y = b;
    if (x->address.len != y->address.len)
        return x->address.len < y->address.len ? -1 : 1;
    int order = memcmp(x->address.bytes, y->address.bytes, x->address.len);
    return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}

static bool is_same_address(const struct lease *a, const struct lease *b)
{
    return a->address.len == b->address.len && memcmp(a->address.bytes, b->address.bytes, a->address.len) == 0;
}

static int add_names(struct leases *leases, const char *domain, int64_t now)
{
    struct hosts_reading *reading = leases->reading;
    int status = 0;
    if (leases->count > 0)
        qsort(leases->list, leases->count, sizeof *leases->list, compare);
    for (size_t i = 0; status == 0 && i < leases->count; i++) {
        const struct lease *lease = &leases->list[i];
        uint8_t name[NAME_MAX_WIRE];
        bool is_last = i + 1 == leases->count || !is_same_address(lease, lease + 1);
        bool is_over = lease->address.expires != 0 && (int64_t)lease->address.expires <= now;
        size_t len = is_last && !is_over && lease->host != SIZE_MAX
                         ? lease_name(name, (const char *)buffer_bytes(&leases->texts).data + lease->host, domain)
                         : 0;
        uint32_t first = len > 0 ? hosts_table_find(&reading->table, name, len) : 0;
        if (len == 0 || (first != 0 && first < reading->defined))
            continue;
        status = hosts_reading_add(reading, name, len, &lease->address, true);
        if (status == -ENOSPC)
            status = 0;
    }
    return status;
}

/* --- files --- */

/* In the order in which they are read: older leases first. */
static const char *const suffixes[FILES] = {".2", ".1", ".completed", ""};

void hosts_lease_files(const char *path, void (*tell)(void *context, const char *path), void *context)
{
    for (unsigned i = 0; i < FILES; i++) {
        char file[PATH_MAX];
        if (snprintf(file, sizeof file, "%s%s", path, suffixes[i]) < (int)sizeof file)
            tell(context, file);
    }
}

/* .completed has the leases of both files before it. */
static bool is_replaced(const char *path, unsigned i)
{
    char completed[PATH_MAX];
    return i < 2 && snprintf(completed, sizeof completed, "%s%s", path, suffixes[2]) < (int)sizeof completed &&
           access(completed, F_OK) == 0;
}

int hosts_read_leases(struct hosts_reading *reading, const char *path, const char *domain, int64_t now)
{
    struct leases leases = {.reading = reading};
    int status = 0;
    if (reading->defined == 0)
        reading->defined = (uint32_t)reading->table.used;
    for (unsigned i = 0; status == 0 && i < FILES; i++) {
        char file[PATH_MAX];
        if (snprintf(file, sizeof file, "%s%s", path, suffixes[i]) >= (int)sizeof file || is_replaced(path, i))
            continue;
        status = read_leases(&leases, file);
        if (status < 0 && status != -ENOMEM) {
            hosts_reading_fail(reading, file, status);
            status = 0;
        }
    }
    if (leases.full)
        hosts_reading_warn(reading, path, HOSTS_NOWHERE, "only the first %d leases are used", HOSTS_LEASES_MAX);
    if (status == 0)
        status = add_names(&leases, domain, now);
    mem_free(leases.list);
    buffer_free(&leases.texts);
    return status;
}
