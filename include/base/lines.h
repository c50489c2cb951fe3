/* SPDX-License-Identifier: MIT */
/* Reads a text file line by line.
 *
 * Does:    opens regular files only, without blocking; any byte may be in a line.
 * Owns:    the descriptor and one buffer, until lines_close.
 * Threads: any, one at a time.
 */
#ifndef DOTSTUB_BASE_LINES_H
#define DOTSTUB_BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include "base/check.h"

#define LINES_LONGEST 8192 /* bytes of a line without its end */

struct lines {
    int fd, error; /* error: 0, or negative why the file ended early */
    char *buffer;
    size_t start, end; /* of what was read and not yet returned */
    size_t number;     /* of the line returned last, from 1 */
    bool at_end, too_long;
};

/* 0, -EINVAL (not a regular file), -ENOMEM, or a negative errno. */
int lines_open(struct lines *lines, const char *path) MUST_CHECK;
/* The next line without its end, followed by a NUL, valid until the next call; NULL: there is none, see `error`. Of a
 * line that is too long `too_long` is set and the beginning is returned. */
char *lines_next(struct lines *lines, size_t *len);
void lines_close(struct lines *lines);

#endif
