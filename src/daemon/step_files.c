/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - Each step has one job at a time; a change that is seen meanwhile is looked at afterwards.
 * - The previous set is released on the main thread when all workers have left it, because freeing a large list takes
 *   time.
 * - A job compares the state of the files with the one that was read last, so other files of the same directory cost
 *   only a look at these.
 */
#include "step_files.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"

enum {
    AGAIN_MS = 1000,
    PAUSE = 4 /* times as long as the last job took: a file that always changes takes at most a fifth of the time */
};

static const struct step *step_of(const struct step_reader *reader)
{
    return (*reader->owner->steps)->order[reader->index];
}

/* --- on a thread of the pool --- */

static void read_job(uv_work_t *work)
{
    struct step_reader *reader = container_of(work, struct step_reader, work);
    const struct step *step = work->data;
    size_t len;
    uint64_t state = step_files_state(step, reader->config);
    if (state == reader->seen)
        return;
    reader->seen = state;
    FILE *errors = open_memstream(&reader->mistakes, &len);
    reader->status = errors ? step_prepare(&reader->snapshot, step, reader->config, errors) : -ENOMEM;
    if (errors)
        fclose(errors);
}

/* --- the workers --- */

struct steps_change {
    struct step_files *files;
    uint64_t epoch;          /* of the cache before */
    struct step_set *before; /* a reference */
    unsigned outstanding;
    struct steps_change_item {
        struct worker_steps worker;
        struct steps_change *change;
    } items[];
};

static void worker_replied(struct mailbox_item *item, void *reader)
{
    struct steps_change *change = container_of(item, struct steps_change_item, worker.reply)->change;
    (void)reader;
    if (--change->outstanding > 0)
        return;
    change->files->switched(change->epoch != cache_epoch(change->files->cache));
    step_set_unref(change->before);
    mem_free(change);
}

/* Takes over `snapshot` on success. 0 or -ENOMEM. */
static int give_to_workers(struct step_files *files, unsigned index, struct step_snapshot *snapshot)
{
    struct step_set *set;
    struct steps_change *change = mem_zalloc(1, sizeof *change + files->worker_count * sizeof *change->items);
    int status = change ? step_set_replace(&set, *files->steps, index, snapshot) : -ENOMEM;
    if (status < 0) {
        mem_free(change);
        return status;
    }
    change->files = files;
    change->epoch = cache_epoch(files->cache);
    change->before = *files->steps;
    change->outstanding = files->worker_count;
    *files->steps = set;
    for (unsigned i = 0; i < files->worker_count; i++) {
        change->items[i] = (struct steps_change_item){.worker = {.steps = step_set_ref(set)}, .change = change};
        change->items[i].worker.reply.open = worker_replied;
        worker_change_steps(files->workers[i], &change->items[i].worker);
    }
    return 0;
}

/* --- jobs --- */

static void begin(struct step_reader *reader);

static void tell_result(const struct step_reader *reader, int status)
{
    const char *name = step_of(reader)->name, *mistakes = reader->mistakes;
    if (status == 0)
        log_debug("daemon", "%s: read the changed files again", name);
    else if (mistakes && *mistakes && status != -ENOMEM)
        log_warning("daemon", "%.*s; what was read before stays in use", (int)strcspn(mistakes, "\n"), mistakes);
    else
        log_warning("daemon", "%s: cannot read the changed files: out of memory; what was read before stays in use",
                    name);
}

/* The result is used unless it is incomplete, or a reload has made it obsolete. */
static void use_result(struct step_reader *reader)
{
    struct step_files *files = reader->owner;
    bool obsolete = files->stopped || reader->generation != files->generation;
    if (!obsolete && (reader->snapshot || reader->status != 0)) {
        int status = reader->status == STEP_AGAIN ? 0 : reader->status;
        if (status == 0)
            status = give_to_workers(files, reader->index, reader->snapshot);
        if (status == 0)
            reader->snapshot = NULL;
        tell_result(reader, status);
    }
    step_snapshot_unref(step_of(reader), reader->snapshot);
    reader->snapshot = NULL;
    free(reader->mistakes);
    reader->mistakes = NULL;
    reader->status = 0;
}

static void job_over(uv_work_t *work, int status)
{
    struct step_reader *reader = container_of(work, struct step_reader, work);
    struct step_files *files = reader->owner;
    (void)status; /* never cancelled */
    use_result(reader);
    config_unref(reader->config);
    reader->config = NULL;
    reader->busy = false;
    if (files->stopped)
        return;
    uint64_t pause_ms = PAUSE * (loop_now(reader->watching.timer.loop->data) - reader->began_ms);
    if (reader->generation != files->generation) {
        begin(reader);
    } else if ((*files->steps)->held[reader->index]->again) {
        reader->regardless = true;
        watching_again(&reader->watching, AGAIN_MS + pause_ms);
    } else if (reader->again) {
        watching_again(&reader->watching, WATCHING_WAIT_MS + pause_ms);
    }
}

static void watch_file(void *context, const char *path)
{
    watching_add(context, path);
}

/* The first look of a process, at files that the main thread has just read, needs no threads of the pool. */
static bool is_as_read(const struct step_reader *reader)
{
    const struct step_files *files = reader->owner;
    const bool again = (*files->steps)->held[reader->index]->again;
    return files->starting && !again && step_files_state(step_of(reader), files->config) == reader->seen;
}

/* Watches first and looks then, so that no change is missed. */
static void begin(struct step_reader *reader)
{
    struct step_files *files = reader->owner;
    reader->again = reader->busy;
    if (reader->busy)
        return;
    watching_begin(&reader->watching);
    step_of(reader)->files(files->config, watch_file, &reader->watching);
    if (reader->generation != files->generation)
        reader->seen = (*files->steps)->held[reader->index]->files;
    reader->generation = files->generation;
    reader->seen += reader->regardless; /* another state than any that was read */
    reader->regardless = false;
    if (is_as_read(reader))
        return;
    reader->began_ms = loop_now(reader->watching.timer.loop->data);
    reader->config = config_ref(files->config);
    reader->work.data = (void *)step_of(reader);
    reader->busy = uv_queue_work(reader->watching.timer.loop, &reader->work, read_job, job_over) == 0;
    if (!reader->busy)
        config_unref(reader->config);
}

static void files_changed(struct watching *watching)
{
    begin(container_of(watching, struct step_reader, watching));
}

/* --- interface --- */

void step_files_start(struct step_files *files, struct loop *loop, struct config *config, struct step_set **steps,
                      struct worker **workers, struct cache *cache, void (*switched)(bool flushed))
{
    *files = (struct step_files){
        .steps = steps, .workers = workers, .worker_count = config->workers, .cache = cache, .switched = switched};
    for (unsigned i = 0; i < (*steps)->count; i++) {
        if (!(*steps)->order[i]->files)
            continue;
        struct step_reader *reader = &files->readers[files->count++];
        reader->owner = files;
        reader->index = i;
        watching_init(&reader->watching, loop, (*steps)->order[i]->name, files_changed);
    }
    files->starting = true;
    step_files_configure(files, config);
    files->starting = false;
}

void step_files_configure(struct step_files *files, struct config *config)
{
    if (!files->workers || files->stopped)
        return;
    files->config = config;
    files->generation++;
    for (unsigned i = 0; i < files->count; i++)
        begin(&files->readers[i]);
}

void step_files_read_again(struct step_files *files, const struct step *step)
{
    for (unsigned i = 0; !files->stopped && i < files->count; i++) {
        struct step_reader *reader = &files->readers[i];
        if (step_of(reader) != step)
            continue;
        reader->regardless = true;
        begin(reader);
    }
}

void step_files_stop(struct step_files *files)
{
    files->stopped = true;
    for (unsigned i = 0; files->workers && i < files->count; i++)
        watching_begin(&files->readers[i].watching);
}

void step_files_close(struct step_files *files)
{
    for (unsigned i = 0; files->workers && i < files->count; i++) {
        while (files->readers[i].busy)
            uv_run(files->readers[i].watching.timer.loop, UV_RUN_ONCE);
        watching_close(&files->readers[i].watching);
    }
}
