/* SPDX-License-Identifier: MIT */
/* The files of steps: prepares a step again when one of its files has changed.
 *
 * Does:    watches the files of each step that has some; after a change a thread of libuv's pool prepares that step
 *          alone, and the workers switch to a set of steps with the new snapshot. If that fails, the previous snapshot
 *          stays in use and a log line says so. A reload has priority: what was prepared for the configuration before
 *          is dropped.
 * Owns:    its handles, the jobs, the changes on their way to the workers.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_STEP_FILES_H
#define DOTSTUB_DAEMON_STEP_FILES_H

#include "config/config.h"
#include "resolve/step.h"
#include "watching.h"
#include "worker.h"

struct step_files;

/* One step. From `busy` on, until the job is over, `config`, `seen` and the results belong to the thread of the pool. */
struct step_reader {
    struct step_files *owner;
    unsigned index; /* of the step in the order */
    struct watching watching;
    uv_work_t work;
    bool busy, again;
    unsigned generation; /* of the configuration that the job began with */
    uint64_t began_ms;
    struct config *config; /* a reference */
    uint64_t seen;         /* the state of the files that were read last, or could not be */
    bool regardless;       /* the next job prepares the step although no file has changed */
    struct step_snapshot *snapshot;
    char *mistakes;
    int status;
};

struct step_files {
    struct config *config;   /* borrowed */
    struct step_set **steps; /* in force; the daemon's reference, which is exchanged */
    struct worker **workers; /* NULL: not started */
    unsigned worker_count;
    unsigned generation; /* grows with each reload */
    bool starting, stopped;
    struct cache *cache;
    void (*switched)(bool flushed); /* see step_files_start */
    struct step_reader readers[STEPS_MAX];
    unsigned count;
};

/* Call it when the workers run, with the steps prepared for `config`. `switched` runs when all workers use other snapshots;
 * flushed: the cache was flushed meanwhile. */
void step_files_start(struct step_files *files, struct loop *loop, struct config *config, struct step_set **steps,
                      struct worker **workers, struct cache *cache, void (*switched)(bool flushed));
/* Prepares a step again, because it depends on more than its files. The step has `files`. */
void step_files_read_again(struct step_files *files, const struct step *step);
/* A reload has given the workers *steps, prepared for this configuration, which is borrowed until the next call. */
void step_files_configure(struct step_files *files, struct config *config);
/* Prepares nothing from now on. Before step_files_start it does nothing. */
void step_files_stop(struct step_files *files);
/* Starts to close the handles, after step_files_stop; waits for a job that has begun. */
void step_files_close(struct step_files *files);

#endif
