/* SPDX-License-Identifier: MIT */
/* The cache on disk (cache.save, cache.save-file).
 *
 * Does:    reads the file at the start, writes it periodically and at the end, on a thread of libuv's pool, one
 *          job at a time; logs the result. Flushed entries do not come back: a flush removes the file, and a write
 *          under way starts again.
 * Owns:    its job, the file and the draft of the next one. With cache.save off it does nothing.
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
    const char *path;            /* NULL: the cache is not saved */
    const struct config *config; /* in force */
    struct cache *cache;
    struct routes *routes; /* in force */
    struct dump_terms terms;
    struct routes *written; /* held while a job uses `terms` */
    uv_work_t work;
    enum cachefile_state state;
    atomic_bool stop; /* tells the job to give up */
    bool again;       /* write again after this job */
    bool gave_up;
    int told;           /* the error in the log; 0: the last write succeeded */
    atomic_bool ending; /* do not wait for the disk */
    uint64_t epoch;     /* the cache's epoch when the job began */
    uint64_t known;     /* cache_changes when the file was last read or written */
    uint64_t writing;   /* cache_changes when the write under way began */
    /* These belong to the job until it is over. */
    struct file_draft draft;
    struct dump_count count;
    int status;
    uv_mutex_t lock;
    uv_cond_t over;
    bool is_over;
};

/* 0 or negative (libuv's numbers). */
int cachefile_init(struct cachefile *file, struct loop *loop) MUST_CHECK;
/* From now on dumps are of the trust anchors with this digest; at first of none. Main thread only. */
void cachefile_trust(const uint8_t digest[DIGEST_LEN]);
/* The terms of a dump with this configuration and these routes; they borrow the groups and `stop`. */
struct dump_terms cachefile_terms(const struct config *config, const struct routes *routes, const atomic_bool *stop);
/* Reads the file if `read` is set. A read that takes longer than CACHEFILE_PATIENCE_MS continues while queries are
 * answered. */
#define CACHEFILE_PATIENCE_MS 300
void cachefile_open(struct cachefile *file, const struct config *config, struct routes *routes, struct cache *cache,
                    bool read);
/* From now on saves the entries of the groups in these routes. Borrows the configuration until the next call or
 * the end; holds a reference to the routes. */
void cachefile_configure(struct cachefile *file, const struct config *config, struct routes *routes);
/* Starts to write if the cache has changed. */
void cachefile_save(struct cachefile *file);
/* To be called after each flush of the cache. */
void cachefile_flushed(struct cachefile *file);
/* Starts no further job; a job under way leaves no file. */
void cachefile_give_up(struct cachefile *file);
/* Runs the loop until no job is under way. */
void cachefile_wait(struct cachefile *file);
/* Writes the file a last time and waits until it is written. */
void cachefile_end(struct cachefile *file);
void cachefile_close(struct cachefile *file);

#endif
