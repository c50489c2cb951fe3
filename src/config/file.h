/* SPDX-License-Identifier: MIT */
/* Configuration files as texts in memory.
 *
 * Does:    reads a file that is a regular one, at most 1 MiB, clean UTF-8; lists the drop-ins beside it.
 * Owns:    nothing; what it gives lies in the caller's arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_FILE_H
#define DOTSTUB_CONFIG_FILE_H

#include "config/arena.h"
#include "config/report.h"

#define FILE_SIZE_MAX    (1024 * 1024)
#define FILE_DROPINS_MAX 256

/* Reads the file. *out is NULL afterwards if it cannot be used, which is reported, or if it is not there
 * and may be absent. 0 or -ENOMEM. */
int file_read(const struct source **out, struct arena *arena, struct report *report, const char *path,
              bool may_be_absent) MUST_CHECK;
/* True if the text is clean; reports the place of the first fault otherwise. */
bool file_is_text(struct report *report, const struct source *source);
/* The paths of conf.d/ *.yaml beside `path`, in the order of their names. 0 or -ENOMEM. */
int file_dropins(const char ***out, size_t *count, struct arena *arena, struct report *report,
                 const char *path) MUST_CHECK;

#endif
