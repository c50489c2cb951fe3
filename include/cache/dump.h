/* SPDX-License-Identifier: MIT */
/* Saves a cache to a file and loads it, while the cache is in use.
 *
 * Does:    writes and reads entries in slices of 64 KiB, so that workers wait for a lock only briefly and little
 *          memory is needed. A loaded entry keeps its ring and its hits; its age grows by the time between saving
 *          and loading, by the wall clock. If that time is unknown, the entry counts as just expired. An entry
 *          never stays valid longer than it would have without the restart, nor than the current limits allow.
 *          Entries that the cache already has are newer and are not replaced.
 * Owns:    nothing; the caller owns the descriptor.
 * Threads: any, one call per descriptor. Waits for the disk, so workers must not call it.
 *
 * The file: a line with its name and version, then blocks of at most DUMP_BLOCK bytes: length, digest (of the
 * digest before and the block), records. The first block holds the time and the definitions of the groups, the last
 * one is empty. The contents are untrusted until they were walked.
 */
#ifndef DOTSTUB_CACHE_DUMP_H
#define DOTSTUB_CACHE_DUMP_H

#include <stdatomic.h>
#include "base/hash.h"
#include "cache/cache.h"
#include "dns/ttl.h"

#define DUMP_GROUPS_MAX 1000

struct dump_terms {
    const struct key_group *groups; /* only answers of these groups are written and read; at most DUMP_GROUPS_MAX */
    size_t group_count;
    uint8_t trust[DIGEST_LEN]; /* of the trust anchors: entries of others are not read. All zero: there are none */
    struct ttl_limits limits;
    uint32_t stale;          /* seconds: entries that expired longer ago are left out */
    const atomic_bool *stop; /* true: the call ends soon, with -ECANCELED */
};

/* 0, -ECANCELED (stopped, or flushed meanwhile), or a negative errno. After an error the file is unusable. */
int dump_write(struct cache *cache, const struct dump_terms *terms, int fd) MUST_CHECK;

struct dump_count {
    uint64_t taken;    /* answers that were stored in the cache */
    uint64_t left_out; /* too old, of other groups, or already in the cache */
};

/* Checks a whole file before it loads anything; from a pipe or a socket it checks each block. 0, ERROR_MALFORMED
 * (not a dump of this version, damaged, or truncated), -ECANCELED as above, or a negative errno. Entries loaded
 * before an error stay. */
int dump_read(struct cache *cache, const struct dump_terms *terms, int fd, struct dump_count *count) MUST_CHECK;

#endif
