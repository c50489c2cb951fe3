/* SPDX-License-Identifier: MIT */
/* Invariant: memory for reading is bounded by block.max-names: a name takes one item of the builder, a network or a
 * record counts as a name. */
#include "blocklist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/records.h"
#include "policy/blocking.h"

enum { CHUNK = 65536, FILES_MAX = 1000 };

struct list_reading {
    const struct block_source_spec *spec;
    struct block_list *list;
    struct name_set_builder names;
    size_t network_cap, record_cap;
    unsigned told;
    const char *path; /* of the file that is read */
    unsigned long line;
    struct block_lines lines;
    /* One line more than the longest, to see that it is too long. */
    size_t len; /* bytes of `text` */
    bool too_long;
    char text[BLOCK_LINE_MAX + 1];
};

/* --- entries --- */

static int grow(void **items, size_t *cap, size_t count, size_t size)
{
    size_t wanted = *cap ? *cap * 2 : 64;
    if (count < *cap)
        return 0;
    void *more = mem_resize(*items, wanted * size);
    if (!more)
        return -ENOMEM;
    *items = more;
    *cap = wanted;
    return 0;
}

static int add_record(struct list_reading *reading, const struct block_entry *entry, struct wide_hash owner)
{
    struct block_list *list = reading->list;
    size_t at = list->texts.len, len = strlen(entry->rdata) + 1;
    int type = records_type_number(entry->type);
    if (list->record_count >= reading->spec->max_names || at > UINT32_MAX - len)
        return -ENOSPC;
    if (grow((void **)&list->records, &reading->record_cap, list->record_count, sizeof *list->records) < 0 ||
        buffer_append(&list->texts, entry->rdata, len) < 0)
        return -ENOMEM;
    list->records[list->record_count++] = (struct block_record){
        .owner = owner,
        .ttl = entry->ttl,
        .rdata = (uint32_t)at,
        .type = (uint16_t)type,
        .below = entry->len > 0 && entry->below,
        .keep_labels = entry->keep_labels,
    };
    return 0;
}

static int add_network(struct list_reading *reading, const struct block_entry *entry)
{
    struct block_list *list = reading->list;
    if (list->network_count >= reading->spec->max_names)
        return -ENOSPC;
    if (grow((void **)&list->networks, &reading->network_cap, list->network_count, sizeof *list->networks) < 0)
        return -ENOMEM;
    list->networks[list->network_count++] = (struct block_network){entry->prefix, (uint8_t)entry->rule};
    return entry->rule == RULE_DATA ? add_record(reading, entry, block_network_hash(&entry->prefix)) : 0;
}

static int emit(void *context, const struct block_entry *entry)
{
    struct list_reading *reading = context;
    if (entry->len == 0)
        return add_network(reading, entry);
    uint8_t value = (uint8_t)((entry->self ? entry->rule : 0) | (entry->below ? entry->rule << 4 : 0));
    int status = name_set_add(&reading->names, entry->name, entry->len, value);
    if (status == 0 && entry->rule == RULE_DATA)
        status = add_record(reading, entry, hash_wide(entry->name, entry->len));
    return status;
}

static uint8_t merge(uint8_t a, uint8_t b)
{
    uint8_t self = (a & 15) > (b & 15) ? a & 15 : b & 15, below = (a >> 4) > (b >> 4) ? a >> 4 : b >> 4;
    return (uint8_t)(self | below << 4);
}

/* --- lines --- */

static void tell_bad(struct list_reading *reading, const char *reason)
{
    if (reading->told++ < BLOCK_TOLD)
        log_warning("config", "block list %s: %s:%lu: %s; the line is left out", reading->spec->name, reading->path,
                    reading->line, reason);
}

static int end_line(struct list_reading *reading)
{
    struct block_list *list = reading->list;
    reading->line++;
    list->lines++;
    reading->text[reading->len] = '\0';
    reading->lines.reason = "longer than 4,095 bytes";
    int result = reading->too_long ? LINE_BAD : block_lines_read(&reading->lines, reading->text, reading->len);
    reading->len = 0;
    reading->too_long = false;
    if (result < 0)
        return result;
    list->used += result == LINE_USED;
    list->unsupported += result == LINE_UNSUPPORTED;
    list->bad += result == LINE_BAD;
    if (result == LINE_BAD)
        tell_bad(reading, reading->lines.reason);
    return 0;
}

static int take_chunk(struct list_reading *reading, const char *chunk, size_t len)
{
    int status = 0;
    for (size_t at = 0; status == 0 && at < len;) {
        const char *newline = memchr(chunk + at, '\n', len - at);
        size_t part = (newline ? (size_t)(newline - chunk) : len) - at, room = BLOCK_LINE_MAX - reading->len;
        size_t taken = part < room ? part : room;
        memcpy(reading->text + reading->len, chunk + at, taken);
        reading->len += taken;
        reading->too_long = reading->too_long || taken < part;
        at += part + (newline != NULL);
        if (newline)
            status = end_line(reading);
    }
    return status;
}

/* --- files --- */

static int read_open(struct list_reading *reading, int fd)
{
    char *chunk = mem_alloc(CHUNK);
    int status = chunk ? 0 : -ENOMEM;
    while (status == 0) {
        ssize_t got = read(fd, chunk, CHUNK);
        if (got <= 0) {
            status = got == 0 ? 0 : -errno;
            break;
        }
        status = take_chunk(reading, chunk, (size_t)got);
    }
    mem_free(chunk);
    if (status == 0 && (reading->len > 0 || reading->too_long))
        status = end_line(reading);
    return status;
}

static int read_file(struct list_reading *reading, const char *path)
{
    struct stat stat_of;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int status = fstat(fd, &stat_of) < 0 ? -errno : S_ISREG(stat_of.st_mode) ? 0 : -EINVAL;
    reading->path = path;
    reading->line = 0;
    reading->len = 0;
    reading->too_long = false;
    block_lines_next_file(&reading->lines);
    if (status == 0)
        status = read_open(reading, fd);
    close(fd);
    return status;
}

/* The regular files, in any order. */
static int read_directory(struct list_reading *reading, const char *directory)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;
    struct stat stat_of;
    unsigned count = 0;
    int status = entries ? 0 : -errno;
    while (status == 0 && (entry = readdir(entries))) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        bool fits = entry->d_name[0] != '.' && len < (int)sizeof path;
        if (fits && stat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode))
            status = ++count > FILES_MAX ? -E2BIG : read_file(reading, path);
    }
    if (entries)
        closedir(entries);
    return status;
}

static int read_all(struct list_reading *reading)
{
    struct stat stat_of;
    const char *path = reading->spec->path;
    if (stat(path, &stat_of) < 0)
        return -errno;
    return S_ISDIR(stat_of.st_mode) ? read_directory(reading, path) : read_file(reading, path);
}

/* --- the list --- */

static int compare_networks(const void *a, const void *b)
{
    const struct block_network *left = a, *right = b;
    if (left->prefix.bits != right->prefix.bits)
        return left->prefix.bits < right->prefix.bits ? -1 : 1;
    int order = memcmp(left->prefix.bytes, right->prefix.bytes, sizeof left->prefix.bytes);
    return order ? order : (right->rule > left->rule) - (right->rule < left->rule);
}

static int compare_owners(struct wide_hash a, struct wide_hash b)
{
    if (a.first != b.first)
        return a.first < b.first ? -1 : 1;
    return (a.second > b.second) - (a.second < b.second);
}

static int compare_records(const void *a, const void *b)
{
    const struct block_record *left = a, *right = b;
    int order = compare_owners(left->owner, right->owner);
    if (order == 0)
        order = left->below - right->below;
    return order ? order : (left->rdata > right->rdata) - (left->rdata < right->rdata);
}

static void sort_tables(struct block_list *list)
{
    if (list->network_count > 0)
        qsort(list->networks, list->network_count, sizeof *list->networks, compare_networks);
    if (list->record_count > 0)
        qsort(list->records, list->record_count, sizeof *list->records, compare_records);
    for (size_t i = 0; i < list->network_count; i++)
        list->lengths[list->networks[i].prefix.bits / 64] |= UINT64_C(1) << list->networks[i].prefix.bits % 64;
}

/* True, with a sentence, if too little of the list can be used. */
static bool is_unusable(const struct list_reading *reading, char error[BLOCK_ERROR])
{
    const struct block_list *list = reading->list;
    const char *name = reading->spec->name;
    if (list->bad > list->used)
        snprintf(error, BLOCK_ERROR, "block list %s: %zu of %zu lines cannot be used; check its format", name,
                 list->bad, list->bad + list->used);
    else if (list->used == 0 && list->unsupported > 0)
        snprintf(error, BLOCK_ERROR, "block list %s: none of its %zu rules is supported; check its format", name,
                 list->unsupported);
    else
        return false;
    return true;
}

static void say_why(const struct list_reading *reading, int status, char error[BLOCK_ERROR])
{
    const struct block_source_spec *spec = reading->spec;
    if (status == -ENOSPC)
        snprintf(error, BLOCK_ERROR, "block list %s: it has more than %zu names (block.max-names)", spec->name,
                 spec->max_names);
    else if (status == -E2BIG)
        snprintf(error, BLOCK_ERROR, "block list %s: its directory has more than %d files", spec->name, FILES_MAX);
    else
        snprintf(error, BLOCK_ERROR, "block list %s: cannot read %.100s: %s", spec->name, spec->path,
                 error_text(status));
}

int block_list_read(struct block_list *out, const struct block_source_spec *spec, char error[BLOCK_ERROR])
{
    struct block_list list = {.used = 0};
    struct list_reading *reading = mem_zalloc(1, sizeof *reading);
    int status = -ENOMEM;
    snprintf(error, BLOCK_ERROR, "block list %s: out of memory", spec->name);
    if (!reading)
        return status;
    *reading = (struct list_reading){.spec = spec, .list = &list, .names.limit = spec->max_names};
    block_lines_start(&reading->lines, spec->format, emit, reading);
    status = read_all(reading);
    if (status < 0 && status != -ENOMEM)
        say_why(reading, status, error);
    else if (status == 0 && is_unusable(reading, error))
        status = ERROR_CONFIG;
    if (status == 0)
        status = name_set_build(&list.names, &reading->names, merge);
    name_set_drop(&reading->names);
    if (reading->told > BLOCK_TOLD)
        log_warning("config", "block list %s: %u more lines cannot be used", spec->name, reading->told - BLOCK_TOLD);
    mem_free(reading);
    if (status < 0) {
        block_list_free(&list);
        return status;
    }
    sort_tables(&list);
    *out = list;
    return 0;
}

void block_list_free(struct block_list *list)
{
    name_set_free(&list->names);
    mem_free(list->networks);
    mem_free(list->records);
    buffer_free(&list->texts);
    *list = (struct block_list){.used = 0};
}

size_t block_list_size(const struct block_list *list)
{
    return (list->names.starts ? name_set_size(&list->names) : 0) + list->network_count * sizeof *list->networks +
           list->record_count * sizeof *list->records + list->texts.cap;
}

int block_count_names(const char *name, const char *path, enum config_block_format format, size_t max_names,
                      size_t *names, char *error, size_t cap)
{
    const struct block_source_spec spec = {name, path, format, max_names};
    struct block_list list;
    char why[BLOCK_ERROR];
    int status = block_list_read(&list, &spec, why);
    if (status < 0) {
        snprintf(error, cap, "%s", why);
        return status;
    }
    *names = list.names.count + list.network_count;
    block_list_free(&list);
    return 0;
}

/* --- looking up --- */

static void cut_address(uint8_t out[16], const uint8_t address[16], unsigned bits)
{
    memset(out, 0, 16);
    memcpy(out, address, bits / 8);
    if (bits % 8)
        out[bits / 8] = (uint8_t)(address[bits / 8] & 0xFF << (8 - bits % 8));
}

static const struct block_network *find_network(const struct block_list *list, const uint8_t address[16], unsigned bits)
{
    struct block_network wanted = {.prefix.bits = (uint8_t)bits, .rule = UINT8_MAX};
    size_t low = 0, high = list->network_count;
    cut_address(wanted.prefix.bytes, address, bits);
    while (low < high) { /* the first one that is not before the wanted one; of equal ones the greatest rule is first */
        size_t middle = low + (high - low) / 2;
        if (compare_networks(&list->networks[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct block_network *found = &list->networks[low];
    bool same = low < list->network_count && found->prefix.bits == bits &&
                memcmp(found->prefix.bytes, wanted.prefix.bytes, sizeof wanted.prefix.bytes) == 0;
    return same ? found : NULL;
}

const struct block_network *block_list_network(const struct block_list *list, const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    const struct block_network *found = NULL;
    int least = memcmp(address, mapped, sizeof mapped) == 0 ? ADDR_MAPPED_BITS : 0; /* ::/0 holds no IPv4 address */
    for (int bits = list->network_count > 0 ? 128 : -1; !found && bits >= least; bits--)
        if (list->lengths[bits / 64] >> bits % 64 & 1)
            found = find_network(list, address, (unsigned)bits);
    return found;
}

size_t block_list_records(const struct block_list *list, struct wide_hash owner, bool below,
                          const struct block_record **first)
{
    size_t low = 0, high = list->record_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_owners(list->records[middle].owner, owner);
        if (order < 0 || (order == 0 && list->records[middle].below < below))
            low = middle + 1;
        else
            high = middle;
    }
    *first = &list->records[low];
    for (high = low; high < list->record_count && compare_owners(list->records[high].owner, owner) == 0 &&
                     list->records[high].below == below;)
        high++;
    return high - low;
}
