/* SPDX-License-Identifier: MIT */
/* Memory that is freed all at once: one arena per snapshot, and one per reading of the files.
 *
 * Does:    hands out zeroed, aligned blocks that never move; a single block cannot be freed.
 * Owns:    all its blocks, until arena_free. A zeroed struct is an empty arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_ARENA_H
#define DOTSTUB_CONFIG_ARENA_H

#include <stddef.h>
#include "base/bytes.h"

struct arena {
    struct arena_block *blocks; /* the first is being filled */
};

/* `size` zeroed bytes, or NULL when out of memory. */
void *arena_take(struct arena *arena, size_t size) MUST_CHECK;
/* Copies the first `len` bytes of `text` into a string. */
char *arena_text(struct arena *arena, const char *text, size_t len) MUST_CHECK;
/* Formats a string. */
char *arena_print(struct arena *arena, const char *format, ...) MUST_CHECK __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena);

#endif
