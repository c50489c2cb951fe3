/* SPDX-License-Identifier: MIT */
/* Negative trust anchors that are added at run time: dotstubctl dnssec negative.
 *
 * Does:    holds names that are not validated, nor those below them, until a time. All workers see a change with their next
 *          query; the caller then flushes the name from the cache.
 * Owns:    its table, one for the process; each worker has a copy.
 * Threads: any.
 * RFC:     7646.
 */
#ifndef DOTSTUB_RESOLVE_NEGATIVES_H
#define DOTSTUB_RESOLVE_NEGATIVES_H

#include <stddef.h>
#include <stdint.h>
#include "base/check.h"
#include "dns/name.h"

#define NEGATIVES_MAX 64

struct negative {
    uint8_t name[NAME_MAX_WIRE]; /* in lower case */
    size_t len;
    uint64_t until_ms; /* clock_ms */
};

/* Adds a name, or gives it another end; one that has passed removes it. 0; -ENOENT: there was nothing to remove; -ENOSPC: there
 * are NEGATIVES_MAX. */
int negatives_set(const uint8_t *name, size_t len, uint64_t until_ms) MUST_CHECK;
/* Copies those that have not ended. Returns their number. */
size_t negatives_list(struct negative out[NEGATIVES_MAX]);

#endif
