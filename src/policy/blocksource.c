/* SPDX-License-Identifier: MIT */
/* Invariant: a source is in `sources` exactly while a snapshot refers to it. */
#include "blocksource.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum { QUIET_S = 2, MANY_NAMES = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list sources = {{&sources.head, &sources.head}};

void block_source_path(char out[PATH_MAX], const struct config *config, const struct config_block_list *list)
{
    char name[CONFIG_BLOCK_NAME];
    if (list->file)
        snprintf(out, PATH_MAX, "%s", list->file);
    else
        snprintf(out, PATH_MAX, "%s/%s", config->block.directory, config_block_name(list, name));
}

/* --- contents --- */

static void content_unref(struct block_content *content)
{
    if (!content || atomic_fetch_sub_explicit(&content->references, 1, memory_order_acq_rel) > 1)
        return;
    block_list_free(&content->list);
    mem_free(content);
}

static struct block_content *content_ref(struct block_content *content)
{
    if (content)
        atomic_fetch_add_explicit(&content->references, 1, memory_order_relaxed);
    return content;
}

static const char *amount(char out[32], size_t count)
{
    snprintf(out, 32, "%zu name%s", count, count == 1 ? "" : "s");
    return out;
}

/* `before`: the previous content, or NULL. */
static void tell_read(const struct block_source *source, const struct block_list *list, const struct block_list *before)
{
    char names[32];
    if (before && before->names.count >= MANY_NAMES && list->names.count < before->names.count / 2)
        log_warning("config", "block list %s: only %s, and %zu before; was the file written completely?", source->name,
                    amount(names, list->names.count), before->names.count);
    log_info("config", "block list %s: %s, %zu bytes; %zu lines not supported, %zu left out", source->name,
             amount(names, list->names.count), block_list_size(list), list->unsupported, list->bad);
}

/* A list with a URL that was not fetched yet may be missing. */
static bool is_not_fetched_yet(const struct block_source *source, int status)
{
    return status == -ENOENT && source->is_fetched && !source->content;
}

/* A file without a line is one that a download that failed, or is not over yet, has truncated. A comment alone empties
 * a list. */
static int check_truncated(const struct block_source *source, struct block_content *content, char error[BLOCK_ERROR])
{
    if (content->list.lines > 0 || !source->content || source->content->list.lines == 0)
        return 0;
    snprintf(error, BLOCK_ERROR, "block list %s: the file is empty", source->name);
    block_list_free(&content->list);
    return -ENODATA;
}

static void tell_waiting(const struct block_source *source, const struct block_list *list)
{
    char names[32];
    log_info("config", "block list %s: only %s, and %zu before: waiting until the file has not changed for %d s",
             source->name, amount(names, list->names.count), source->content->list.names.count, QUIET_S);
}

/* A large list with fewer names than before is perhaps still being written. */
static bool is_being_written(const struct block_source *source, const struct block_list *list)
{
    struct stat file;
    if (!source->content || source->content->list.names.count < MANY_NAMES ||
        list->names.count >= source->content->list.names.count)
        return false;
    int64_t age_s = stat(source->path, &file) == 0 && S_ISREG(file.st_mode) ? time(NULL) - file.st_mtime : -1;
    return age_s >= 0 && age_s < QUIET_S;
}

/* False: out of memory, so that it is read again with the next snapshot. */
static bool read_content(struct block_source *source)
{
    const struct block_source_spec spec = {source->name, source->path, source->format, source->max_names};
    struct block_content *content = mem_zalloc(1, sizeof *content);
    char error[BLOCK_ERROR] = "out of memory";
    bool was_waiting = source->is_waiting;
    source->is_waiting = false;
    int status = content ? block_list_read(&content->list, &spec, error) : -ENOMEM;
    if (status == 0)
        status = check_truncated(source, content, error);
    if (status < 0) {
        mem_free(content);
        if (is_not_fetched_yet(source, status))
            log_info("config", "block list %s: not fetched yet; run dotstubctl block update", source->name);
        else
            log_warning("config", "%s; %s", error,
                        source->content ? "the previous one stays in use" : "it is not used until that is corrected");
        snprintf(source->error, sizeof source->error, "%s", error);
        return status != -ENOMEM;
    }
    source->is_waiting = is_being_written(source, &content->list);
    if (source->is_waiting && !was_waiting)
        tell_waiting(source, &content->list);
    if (source->is_waiting) {
        block_list_free(&content->list);
        mem_free(content);
        return true;
    }
    atomic_init(&content->references, 1);
    content->read_s = time(NULL);
    source->error[0] = '\0';
    tell_read(source, &content->list, source->content ? &source->content->list : NULL);
    content_unref(source->content);
    source->content = content;
    return true;
}

/* --- sources --- */

static bool is_source_of(const struct block_source *source, const char *name, const char *path,
                         const struct config *config, const struct config_block_list *list)
{
    return strcmp(source->name, name) == 0 && strcmp(source->path, path) == 0 && source->format == list->format &&
           source->max_names == config->block.max_names;
}

static struct block_source *find_or_make(const struct config *config, const struct config_block_list *list)
{
    char name[CONFIG_BLOCK_NAME], path[PATH_MAX];
    config_block_name(list, name);
    block_source_path(path, config, list);
    list_for_each(link, &sources) {
        struct block_source *source = container_of(link, struct block_source, link);
        if (is_source_of(source, name, path, config, list))
            return source;
    }
    struct block_source *source = mem_zalloc(1, sizeof *source);
    if (!source)
        return NULL;
    snprintf(source->name, sizeof source->name, "%s", name);
    snprintf(source->path, sizeof source->path, "%s", path);
    source->format = list->format;
    source->max_names = config->block.max_names;
    source->is_fetched = list->url != NULL;
    list_push_back(&sources, &source->link);
    return source;
}

int block_source_get(struct block_source **out, struct block_content **content, const struct config *config,
                     const struct config_block_list *list)
{
    pthread_mutex_lock(&lock);
    struct block_source *source = find_or_make(config, list);
    if (source) {
        uint64_t state = file_state(source->path, 1); /* before reading: a later change is noticed */
        source->references++;
        if ((state != source->state || source->is_waiting) && read_content(source))
            source->state = state;
        *out = source;
        *content = content_ref(source->content);
    }
    pthread_mutex_unlock(&lock);
    return source ? 0 : -ENOMEM;
}

bool block_source_is_waiting(const struct block_source *source)
{
    pthread_mutex_lock(&lock);
    bool is_waiting = source->is_waiting;
    pthread_mutex_unlock(&lock);
    return is_waiting;
}

void block_source_put(struct block_source *source, struct block_content *content)
{
    content_unref(content);
    if (!source)
        return;
    pthread_mutex_lock(&lock);
    bool last = --source->references == 0;
    if (last)
        list_remove(&source->link);
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    content_unref(source->content);
    mem_free(source);
}

void block_source_report(struct block_source *source, const struct block_content *content,
                         struct block_list_report *out)
{
    static const char *const formats[] = {
        [BLOCK_DOMAINS] = "domains", [BLOCK_HOSTS] = "hosts", [BLOCK_ADBLOCK] = "adblock", [BLOCK_RPZ] = "rpz"};
    *out = (struct block_list_report){.format = formats[source->format]};
    memcpy(out->name, source->name, sizeof out->name);
    snprintf(out->source, sizeof out->source, "%.500s", source->path);
    out->hits = atomic_load_explicit(&source->hits, memory_order_relaxed);
    pthread_mutex_lock(&lock);
    memcpy(out->error, source->error, sizeof out->error);
    pthread_mutex_unlock(&lock);
    if (!content)
        return;
    out->names = content->list.names.count;
    out->networks = content->list.network_count;
    out->bytes = block_list_size(&content->list);
    out->lines_unsupported = content->list.unsupported;
    out->lines_bad = content->list.bad;
    out->read_s = content->read_s;
}
