/* SPDX-License-Identifier: MIT */
/* Hints about names that do not exist and about what is below names.
 *
 * Does:    says for the ancestors of a name which of them an NXDOMAIN in the cache may deny, and whether an entry below one of them shows that it
 *          exists. A hint is a time until which it holds, in a table by the hash of the ancestor, without the name: two ancestors may
 *          share one. So a denial is looked for in vain at times, and at times one is not used; nothing is denied because of a hint.
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
    unsigned bits;                     /* of an index */
    _Atomic uint32_t latest;           /* of all denials */
};

/* One for a cache of `bytes`, 4 MiB at least; it takes cut_bytes(bytes), all of it zero pages at first. 0 or -ENOMEM. */
size_t cut_bytes(size_t bytes);
int cut_init(struct cut *cut, size_t bytes) MUST_CHECK;
/* Does nothing to zeroed memory. */
void cut_fini(struct cut *cut);

/* An entry for the key lives until then: an NXDOMAIN that may serve the names below, or a response for a name that exists. */
void cut_note_denial(struct cut *cut, const struct key *key, uint64_t until_ms);
void cut_note_below(struct cut *cut, const struct key *key, uint64_t until_ms);
void cut_flush(struct cut *cut);

/* False: no denial lives at all. */
static inline bool cut_is_possible(const struct cut *cut, uint64_t now_ms)
{
    return now_ms / 1000 < atomic_load_explicit(&cut->latest, memory_order_relaxed);
}
/* Writes the offsets in the key's name of those ancestors that may be denied, from the top-level name down. Gives their number. */
unsigned cut_find(const struct cut *cut, const struct key *key, uint64_t now_ms, uint8_t offsets[CUT_DEPTH]);

#endif
