/* SPDX-License-Identifier: MIT */
/* Saves a cache that is in use to a file, and loads it into one that is in use.
 *
 * Does:    streams entries out and in by slices of 64 KiB per lock, so that no worker waits for it and it needs little
 *          memory. A loaded entry keeps its ring and its hits; its age grows by the time between saving and loading, by the wall
 *          clock. If that time is unknown, the entry has just expired. An entry never lives longer than it would have without
 *          the restart, nor than the current limits allow. Entries that the cache already has are newer, and stay.
 * Owns:    nothing; the descriptor is the caller's.
 * Threads: any, one call per descriptor. Waits for the disk: not for a thread that answers.
 *
 * The file: a line with its name and version, then blocks of at most DUMP_BLOCK bytes: length, digest (of the digest before and
 * the block), records. The first block holds the time and the definitions of the groups, the last is empty. Its content is
 * not trusted until it was walked.
 */
#ifndef DOTSTUB_CACHE_DUMP_H
#define DOTSTUB_CACHE_DUMP_H

#include <stdatomic.h>
#include "base/hash.h"
#include "cache/cache.h"
#include "dns/ttl.h"

#define DUMP_GROUPS_MAX 1000

struct dump_terms {
    const struct key_group *groups; /* of whose answers only is written and read; at most DUMP_GROUPS_MAX */
    size_t group_count;
    struct ttl_limits limits;
    uint32_t stale;          /* seconds: entries that expired longer ago are left out */
    const atomic_bool *stop; /* true: give up soon, with -ECANCELED */
};

/* 0; -ECANCELED: stopped, or flushed meanwhile; or a negative errno. After an error the file is useless. */
int dump_write(struct cache *cache, const struct dump_terms *terms, int fd) MUST_CHECK;

struct dump_count {
    uint64_t taken;    /* answers that are in the cache now */
    uint64_t left_out; /* too old, of other groups, known meanwhile */
};

/* Checks a whole file before loading anything; of a pipe or a socket, checks each block. 0, ERROR_MALFORMED: not a dump of this
 * version, or damaged, or truncated; -ECANCELED as above; or a negative errno. Entries loaded before an error stay. */
int dump_read(struct cache *cache, const struct dump_terms *terms, int fd, struct dump_count *count) MUST_CHECK;

#endif
