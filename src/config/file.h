/* SPDX-License-Identifier: MIT */
/* Configuration files as texts in memory.
 *
 * Does:    reads a regular file of at most 1 MiB of UTF-8 without control characters; lists the drop-ins beside it.
 * Owns:    nothing; the results are in the caller's arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_FILE_H
#define DOTSTUB_CONFIG_FILE_H

#include "config/arena.h"
#include "config/report.h"

#define FILE_SIZE_MAX    (1024 * 1024)
#define FILE_DROPINS_MAX 256

/* Reads the file. *out is NULL if the file cannot be used (reported), or if it does not exist and may be absent. 0
 * or -ENOMEM. */
int file_read(const struct source **out, struct arena *arena, struct report *report, const char *path,
              bool may_be_absent) MUST_CHECK;
/* True if the text is UTF-8 without control characters; otherwise reports the first fault. */
bool file_is_text(struct report *report, const struct source *source);
/* The paths of conf.d/ *.yaml beside `path`, sorted by name. 0 or -ENOMEM. */
int file_dropins(const char ***out, size_t *count, struct arena *arena, struct report *report,
                 const char *path) MUST_CHECK;

#endif
