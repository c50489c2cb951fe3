/* SPDX-License-Identifier: MIT */
/* Hints about names that do not exist, and about names with descendants.
 *
 * Does:    says which ancestors of a name an NXDOMAIN in the cache may deny, and whether an entry below an ancestor
 *          shows that it exists. A hint is an expiry time in a table, by the hash of the ancestor, without the
 *          name: two ancestors may share one. So a search for a denial may be needless, and a denial may be missed;
 *          but no name is denied because of a hint.
 * Owns:    the two tables.
 * Threads: any, without a lock.
 * RFC:     8020.
 */
#ifndef DOTSTUB_CACHE_CUT_H
#define DOTSTUB_CACHE_CUT_H

#include <stdatomic.h>
#include "dns/key.h"

/* Ancestors longer than this are not looked at: in ip6.arpa they have 26 nibbles. */
enum { CUT_LEN = 63, CUT_DEPTH = CUT_LEN / 2 };

struct cut {
    _Atomic uint32_t *denials, *below; /* seconds of the boot-time clock; 0: never */
    unsigned bits;                     /* length of an index */
    _Atomic uint32_t latest;           /* the latest of all denials */
};

/* Makes the tables for a cache of `bytes`, at least 4 MiB; they take cut_bytes(bytes), unused pages at first. 0 or
 * -ENOMEM. */
size_t cut_bytes(size_t bytes);
int cut_init(struct cut *cut, size_t bytes) MUST_CHECK;
/* Does nothing to zeroed memory. */
void cut_fini(struct cut *cut);

/* Records an entry of the key that expires at this time: an NXDOMAIN that may serve the names below, or a response
 * for a name that exists. */
void cut_note_denial(struct cut *cut, const struct key *key, uint64_t until_ms);
void cut_note_below(struct cut *cut, const struct key *key, uint64_t until_ms);
void cut_flush(struct cut *cut);

/* False: no unexpired denial exists. */
static inline bool cut_is_possible(const struct cut *cut, uint64_t now_ms)
{
    return now_ms / 1000 < atomic_load_explicit(&cut->latest, memory_order_relaxed);
}
/* Writes the offsets in the key's name of the ancestors that may be denied, from the top-level name down. Returns
 * their number. */
unsigned cut_find(const struct cut *cut, const struct key *key, uint64_t now_ms, uint8_t offsets[CUT_DEPTH]);

#endif
