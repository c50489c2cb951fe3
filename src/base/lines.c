/* SPDX-License-Identifier: MIT */
/* Invariant: a line that does not fit the buffer is returned once, cut; its rest is skipped by the next call. */
#include "base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

enum { BUFFER = 65536 };

int lines_open(struct lines *lines, const char *path)
{
    struct stat stat;
    *lines = (struct lines){.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (lines->fd < 0)
        return -errno;
    int status = fstat(lines->fd, &stat) < 0 ? -errno : S_ISREG(stat.st_mode) ? 0 : -EINVAL;
    if (status == 0 && !(lines->buffer = mem_alloc(BUFFER + 1)))
        status = -ENOMEM;
    if (status < 0)
        close(lines->fd);
    return status;
}

/* Reads more behind what is left. */
static void fill(struct lines *lines)
{
    memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;
    ssize_t len;
    do
        len = read(lines->fd, lines->buffer + lines->end, BUFFER - lines->end);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        lines->error = -errno;
    lines->at_end = len <= 0;
    lines->end += len > 0 ? (size_t)len : 0;
}

/* The end of the line at `start`; NULL: it is not in the buffer. */
static char *find_end(const struct lines *lines)
{
    return memchr(lines->buffer + lines->start, '\n', lines->end - lines->start);
}

static void skip_rest(struct lines *lines)
{
    char *end;
    while (!(end = find_end(lines)) && !lines->at_end) {
        lines->start = lines->end;
        fill(lines);
    }
    lines->start = end ? (size_t)(end - lines->buffer) + 1 : lines->end;
    lines->too_long = false;
}

char *lines_next(struct lines *lines, size_t *len)
{
    char *end;
    if (lines->too_long)
        skip_rest(lines);
    while (!(end = find_end(lines)) && !lines->at_end && lines->end - lines->start <= LINES_LONGEST)
        fill(lines);
    char *line = lines->buffer + lines->start;
    size_t found = end ? (size_t)(end - line) : lines->end - lines->start;
    if (lines->error < 0 || (!end && found == 0))
        return NULL;
    lines->number++;
    lines->too_long = found > LINES_LONGEST;
    *len = lines->too_long ? LINES_LONGEST : found;
    if (!lines->too_long)
        lines->start += found + (end != NULL);
    line[*len] = '\0'; /* in place of the newline, or behind the last byte */
    return line;
}

void lines_close(struct lines *lines)
{
    mem_free(lines->buffer);
    close(lines->fd);
}
