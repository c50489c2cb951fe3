/* SPDX-License-Identifier: MIT */
/* The format of a dump (dump.h), shared by its writer and its reader.
 *
 * Threads: none.
 */
#ifndef DOTSTUB_CACHE_DUMP_FORMAT_H
#define DOTSTUB_CACHE_DUMP_FORMAT_H

#include "cache/dump.h"
#include "cache/inside.h"

#define DUMP_TITLE     "dotstub cache 2\n"
#define DUMP_TITLE_LEN (sizeof(DUMP_TITLE) - 1)

#define DUMP_BLOCK   ((size_t)128 << 10)
#define BLOCK_PREFIX (4 + DIGEST_LEN)
#define RECORD_FIXED 16
#define RECORD_MAX   (RECORD_FIXED + EDE_MAX * (3 + EDE_TEXT) + MESSAGE_MAX)

/* Flags of a record. */
enum { RECORD_MAIN = 0x04, RECORD_AD = 0x08, RECORD_HITS = 4 /* shift; the two lowest bits are the key's flags */ };

_Static_assert((KEY_DO | KEY_CD) < RECORD_MAIN && ENTRY_HITS_MAX < 4, "all of it fits into one byte");
_Static_assert(RECORD_MAX <= DUMP_BLOCK && 10 + DUMP_GROUPS_MAX * DIGEST_LEN <= DUMP_BLOCK, "a block takes any record");

/* A block; its digest covers the digest of the previous block and the bytes of this one, which are contiguous here. */
struct dump_chain {
    uint8_t before[DIGEST_LEN], bytes[DUMP_BLOCK];
};

/* The definition of a group in the file. The verdicts of its entries depend on the trust anchors, too. */
static inline void dump_definition(const struct dump_terms *terms, size_t i, uint8_t out[DIGEST_LEN])
{
    for (unsigned k = 0; k < DIGEST_LEN; k++)
        out[k] = terms->groups[i].definition[k] ^ terms->trust[k];
}

/* State shared by writer and reader. */
struct dump_job {
    struct cache *cache;
    const struct dump_terms *terms;
    int fd;
    uint64_t epoch;
};

static inline struct dump_job dump_job_of(struct cache *cache, const struct dump_terms *terms, int fd)
{
    return (struct dump_job){cache, terms, fd, cache_epoch(cache)};
}

static inline bool dump_given_up(const struct dump_job *job)
{
    return atomic_load_explicit(job->terms->stop, memory_order_relaxed) || cache_epoch(job->cache) != job->epoch;
}

#endif
