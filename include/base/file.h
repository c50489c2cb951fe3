/* SPDX-License-Identifier: MIT */
/* A file that is replaced as a whole: whoever reads it finds the old one or the new one, never a part.
 *
 * Does:    writes beside it, PATH.new, and puts that in its place. What a write that was cut short left there is removed;
 *          no link is followed; the file is its owner's alone (0600).
 * Owns:    its descriptor and PATH.new, from a successful file_draft_open until file_draft_keep or file_draft_drop.
 * Threads: any, one at a time. May wait for the disk.
 */
#ifndef DOTSTUB_BASE_FILE_H
#define DOTSTUB_BASE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/check.h"

struct file_draft {
    int fd; /* to be written to */
    char path[PATH_MAX], new_path[PATH_MAX];
};

/* 0 or a negative errno. */
int file_draft_open(struct file_draft *draft, const char *path) MUST_CHECK;
/* Waits until the disk has it: else a loss of power may leave an empty file in the old one's place. */
int file_draft_sync(struct file_draft *draft) MUST_CHECK;
/* Puts it in its place. 0, or a negative errno: the old one stays. */
int file_draft_keep(struct file_draft *draft) MUST_CHECK;
void file_draft_drop(struct file_draft *draft);

/* All of it at once. `mode` is as it is given, whatever the umask; `sync` as file_draft_sync. 0 or a negative errno: the old one
 * stays. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, bool sync) MUST_CHECK;

#endif
