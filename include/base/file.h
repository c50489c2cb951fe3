/* SPDX-License-Identifier: MIT */
/* Files of the daemon: atomic replacement, reading of files that it has written, and changes of others.
 *
 * Atomic replacement: a reader finds the old file or the new one, never a part of it.
 *
 * Does:    writes PATH.new and renames it to PATH. Removes a PATH.new that an interrupted write left. Follows no
 *          symbolic link. The file has mode 0600.
 * Owns:    the descriptor and PATH.new, from a successful file_draft_open until file_draft_keep or
 *          file_draft_drop.
 * Threads: any, one at a time. May wait for the disk.
 */
#ifndef DOTSTUB_BASE_FILE_H
#define DOTSTUB_BASE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/bytes.h"
#include "base/check.h"

struct file_draft {
    int fd; /* the caller writes to it */
    char path[PATH_MAX], new_path[PATH_MAX];
};

/* 0 or a negative errno. */
int file_draft_open(struct file_draft *draft, const char *path) MUST_CHECK;
/* Waits until the data is on the disk: without that a loss of power may leave an empty file in place of the old
 * one. */
int file_draft_sync(struct file_draft *draft) MUST_CHECK;
/* Renames the new file to PATH. 0, or a negative errno: the old file stays. */
int file_draft_keep(struct file_draft *draft) MUST_CHECK;
void file_draft_drop(struct file_draft *draft);

/* Replaces the file by `data`. The file gets exactly `mode`, whatever the umask; `sync` waits for the disk. 0, or
 * a negative errno: the old file stays. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, bool sync) MUST_CHECK;

/* Opens a file that this program has written for reading. Returns a descriptor; ERROR_NOT_PRIVATE (not a regular
 * file of our user with mode 0600 or less); or a negative errno, -ELOOP for a symbolic link. Never blocks. */
int file_open_private(const char *path) MUST_CHECK;
/* Appends such a file to `out`. 0; ERROR_MALFORMED: it has more than `most` bytes; or as file_open_private. */
int file_read_private(struct buffer *out, const char *path, size_t most) MUST_CHECK;

/* Mixes the present state of a file into `before`: the result differs after the file was written to, replaced, made or
 * removed, for a directory also when that happened to a file in it. Symbolic links are followed. */
uint64_t file_state(const char *path, uint64_t before);

#endif
