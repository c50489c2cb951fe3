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
/* Paths, sorted by name. */
struct file_list {
    const char **paths;
    size_t count;
};
/* The files of conf.d beside `path`: *read gets *.yaml, *unread the files that an operator may take for drop-ins
 * and that are not read (not README, *~ and what dpkg leaves), and the .yml beside a .yaml `path`. 0 or -ENOMEM. */
int file_dropins(struct file_list *read, struct file_list *unread, struct arena *arena, struct report *report,
                 const char *path) MUST_CHECK;

#endif
