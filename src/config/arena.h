/* SPDX-License-Identifier: MIT */
/* Memory that is freed all at once: what belongs to one snapshot, or to one reading of the files, lies in one
 * arena.
 *
 * Does:    hands out zeroed, aligned blocks that never move; there is no way to give a single one back.
 * Owns:    all its blocks, until arena_free. Zeroed memory is an empty arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_ARENA_H
#define DOTSTUB_CONFIG_ARENA_H

#include <stddef.h>
#include "base/bytes.h"

struct arena {
    struct arena_block *blocks; /* the first is the one that is filled */
};

/* `size` zeroed bytes, or NULL when memory is gone. */
void *arena_take(struct arena *arena, size_t size) MUST_CHECK;
/* The first `len` bytes of `text` as a string of its own. */
char *arena_text(struct arena *arena, const char *text, size_t len) MUST_CHECK;
/* A string from a format. */
char *arena_print(struct arena *arena, const char *format, ...) MUST_CHECK __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena);

#endif
