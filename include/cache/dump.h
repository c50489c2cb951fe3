/* SPDX-License-Identifier: MIT */
/* The cache in a file: written from one that is in use, read into one that is.
 *
 * Does:    streams entries out and in by slices of 64 KiB a lock, so that no worker waits for it and hardly any memory is
 *          needed. What is read is as old as it was plus the time since by the wall clock, is in the ring it was in and as
 *          popular; where that time cannot be told it has just expired. It never lives longer than it would have, nor than
 *          the limits of now allow. An answer that is there already is newer and stays.
 * Owns:    nothing; the descriptor is the caller's.
 * Threads: any, one call per descriptor. Waits for the disk: not for a thread that answers.
 *
 * The file: a line with its name and version, then blocks of at most DUMP_BLOCK octets: length, digest (of the digest before and
 * the block), records. The first block holds the time and the definitions of the groups, the last is empty. Everything in it is a
 * stranger's until it was walked.
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
    uint32_t stale;          /* seconds: what expired longer ago is left out */
    const atomic_bool *stop; /* true: give up soon, with -ECANCELED */
};

/* 0, or -ECANCELED: stopped, or flushed meanwhile, or a negative errno: what was written is of no use then. */
int dump_write(struct cache *cache, const struct dump_terms *terms, int fd) MUST_CHECK;

struct dump_count {
    uint64_t taken;    /* answers that are in the cache now */
    uint64_t left_out; /* too old, of other groups, known meanwhile */
};

/* A file is looked through before anything is taken from it; of a pipe or socket each block is. 0, ERROR_MALFORMED: not a dump of
 * this version, or damaged, or cut; -ECANCELED as above; or a negative errno. What was taken before an error stays. */
int dump_read(struct cache *cache, const struct dump_terms *terms, int fd, struct dump_count *count) MUST_CHECK;

#endif
