/* SPDX-License-Identifier: MIT */
/* The cache on the disk (cache.save, cache.save-file).
 *
 * Does:    reads the file at the start, writes it now and then and at the end, on a thread of libuv's pool, one job at a time;
 *          says in one line what came of it. What is flushed does not come back: the file goes, a job under way begins anew.
 * Owns:    its job, the file and what replaces it. With cache.save off it does nothing.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_CACHEFILE_H
#define DOTSTUB_DAEMON_CACHEFILE_H

#include "base/file.h"
#include "cache/dump.h"
#include "config/config.h"
#include "net/loop.h"
#include "upstream/routes.h"

enum cachefile_state { CACHEFILE_IDLE, CACHEFILE_READING, CACHEFILE_WRITING };

struct cachefile {
    struct loop *loop;
    const char *path;            /* NULL: not to be saved */
    const struct config *config; /* in force */
    struct cache *cache;
    struct routes *routes; /* in force */
    struct dump_terms terms;
    struct routes *written; /* held while a job goes by `terms` */
    uv_work_t work;
    enum cachefile_state state;
    atomic_bool stop; /* the job is to give up */
    bool again;       /* write once more when it has */
    bool gave_up;
    atomic_bool ending; /* no need to wait for the disk */
    uint64_t epoch;     /* of the cache, when the job began */
    uint64_t known;     /* what cache_changes was when the file was read or written last */
    uint64_t writing;   /* as `known`, of what is being written */
    /* The job's, until it is over. */
    struct file_draft draft;
    struct dump_count count;
    int status;
    uv_mutex_t lock;
    uv_cond_t over;
    bool is_over;
};

/* 0 or negative (libuv's numbers). */
int cachefile_init(struct cachefile *file, struct loop *loop) MUST_CHECK;
/* What is written and read with this configuration and these routes, whose groups they borrow, as `stop`. */
struct dump_terms cachefile_terms(const struct config *config, const struct routes *routes, const atomic_bool *stop);
/* Reads the file, if `read` is set; what takes longer than CACHEFILE_PATIENCE_MS goes on while questions are answered. */
#define CACHEFILE_PATIENCE_MS 300
void cachefile_open(struct cachefile *file, const struct config *config, struct routes *routes, struct cache *cache,
                    bool read);
/* The answers to save are those of these groups from now on; the configuration is borrowed until the next one, or the end, the routes
 * are kept by reference. */
void cachefile_configure(struct cachefile *file, const struct config *config, struct routes *routes);
/* Begins to write, if anything has changed. */
void cachefile_save(struct cachefile *file);
/* Something in the cache was flushed. */
void cachefile_flushed(struct cachefile *file);
/* Begins nothing any more; a job under way leaves no file. */
void cachefile_give_up(struct cachefile *file);
/* Returns when no job is under way; the loop runs meanwhile. */
void cachefile_wait(struct cachefile *file);
/* Writes for the last time, and returns when that is done. */
void cachefile_end(struct cachefile *file);
void cachefile_close(struct cachefile *file);

#endif
