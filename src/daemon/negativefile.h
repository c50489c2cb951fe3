/* SPDX-License-Identifier: MIT */
/* The saved state of negative trust anchors that were added at run time.
 *
 * Does:    changes them, writes them as text with the wall-clock time of their end, and reads them back at the start. The file
 *          is private (base/file.h), replaced as a whole, and removed when there is none.
 * Owns:    nothing.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_NEGATIVEFILE_H
#define DOTSTUB_DAEMON_NEGATIVEFILE_H

#include "config/config.h"

/* Adds a name or, with an end that has passed, removes it; flushes the name and those below it from the cache, and saves the
 * list. *saved false: that failed, which is logged. As negatives_set. */
struct cache;
int negative_change(const struct config *config, struct cache *cache, const uint8_t *name, size_t len,
                    uint64_t until_ms, bool *saved) MUST_CHECK;
/* Call it when privileges are dropped. A file that is damaged is logged and ignored. */
void negativefile_read(const struct config *config);

#endif
