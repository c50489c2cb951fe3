/* SPDX-License-Identifier: MIT */
/* Invariants: reading a path never blocks (no FIFO) nor goes on for ever (no endless device); at most
 * FILE_SIZE_MAX + 1 bytes are read. */
#include "config/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"
#include "config/text.h"

/* The size of the buffer to read into, or 0 after a report. /dev/null is an empty file. */
static size_t room_for(struct report *report, const char *path, int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        report_file(report, path, "cannot be read: %s", error_text(-errno));
    else if (S_ISDIR(status.st_mode))
        report_file(report, path, "is a directory, not a file");
    else if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))
        report_file(report, path, "is not a regular file");
    else if (S_ISCHR(status.st_mode) || status.st_size > FILE_SIZE_MAX)
        return FILE_SIZE_MAX + 1;
    else
        return (size_t)status.st_size + 1; /* one more byte shows that the file has grown */
    return 0;
}

static int read_source(const struct source **out, struct arena *arena, struct report *report, const char *path, int fd)
{
    size_t room = room_for(report, path, fd);
    if (room == 0)
        return 0;

    struct source *source = arena_take(arena, sizeof(*source));
    char *name = arena_text(arena, path, strlen(path));
    char *text = arena_take(arena, room);
    if (!source || !name || !text)
        return -ENOMEM;
    ssize_t len = read_to_end(fd, text, room);
    if (len < 0) {
        report_file(report, path, "cannot be read: %s", error_text((int)len));
        return 0;
    }
    if ((size_t)len == room) {
        report_file(report, path, len > FILE_SIZE_MAX ? "is larger than 1 MiB" : "grew while it was read");
        return 0;
    }
    *source = (struct source){.name = name, .text = text, .len = (size_t)len};
    if (file_is_text(report, source))
        *out = source;
    return 0;
}

int file_read(const struct source **out, struct arena *arena, struct report *report, const char *path,
              bool may_be_absent)
{
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        if (!may_be_absent || (errno != ENOENT && errno != ENOTDIR))
            report_file(report, path, "cannot be read: %s", error_text(-errno));
        return 0;
    }
    int error = read_source(out, arena, report, path, fd);
    close(fd);
    return error;
}

/* The place of an invalid byte. The byte is not shown, as a terminal might interpret it. */
static struct mark mark_of(const struct source *source, size_t offset)
{
    struct mark mark = {source, 1, 1};
    for (size_t i = 0; i < offset; i++) {
        char byte = source->text[i];
        bool ends_line = byte == '\n' || (byte == '\r' && source->text[i + 1] != '\n');
        if (ends_line)
            mark.line++;
        if (ends_line)
            mark.column = 1;
        else if (((unsigned char)byte & 0xc0) != 0x80)
            mark.column++;
    }
    return mark;
}

bool file_is_text(struct report *report, const struct source *source)
{
    size_t at;
    enum text_fault fault = text_check(source->text, source->len, !source->environment, &at);
    if (fault == TEXT_CLEAN)
        return true;

    struct source shown = *source; /* without the fault */
    shown.len = at;
    struct mark mark = mark_of(source, at);
    mark.source = &shown;
    report_at(report, mark,
              fault == TEXT_NOT_UTF8 ? "a byte that is not UTF-8 text"
                                     : "a control character, which is not allowed here");
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

static bool is_dropin(const char *name)
{
    return name[0] != '.' && ends_with(name, ".yaml");
}

/* Files that nobody takes for a drop-in: explanations, and what editors and dpkg leave behind. */
static bool is_never_dropin(const char *name)
{
    return strcmp(name, "README") == 0 || ends_with(name, "~") || strstr(name, ".dpkg-");
}

/* The directory conf.d beside the file `path`. */
static const char *dropin_directory(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return arena_text(arena, "conf.d", strlen("conf.d"));
    return arena_print(arena, "%.*s/conf.d", (int)(slash - path), path);
}

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Appends a path. False after a report, if there are too many. */
static bool add_path(struct file_list *list, struct report *report, const char *directory, const char *path)
{
    if (list->count == FILE_DROPINS_MAX) {
        report_file(report, directory, "holds more than %d drop-ins", FILE_DROPINS_MAX);
        return false;
    }
    list->paths[list->count++] = path;
    return true;
}

/* Unread files beyond the room are left out. */
static int list_names(struct file_list *read, struct file_list *unread, struct arena *arena, struct report *report,
                      const char *directory, DIR *open_directory)
{
    struct dirent *entry;
    while ((errno = 0, entry = readdir(open_directory))) {
        if (is_never_dropin(entry->d_name))
            continue;
        const char *path = arena_print(arena, "%s/%s", directory, entry->d_name);
        if (!path)
            return -ENOMEM;
        if (is_dropin(entry->d_name) && !add_path(read, report, directory, path))
            return 0;
        if (!is_dropin(entry->d_name) && unread->count < FILE_DROPINS_MAX && is_file(path))
            unread->paths[unread->count++] = path;
    }
    if (errno)
        report_file(report, directory, "cannot be listed: %s", error_text(-errno));
    return 0;
}

/* Somebody who writes .yml expects that to be read. */
static int add_neighbour(struct file_list *unread, struct arena *arena, const char *path)
{
    if (!ends_with(path, ".yaml"))
        return 0;
    const char *neighbour = arena_print(arena, "%.*s.yml", (int)(strlen(path) - strlen(".yaml")), path);
    if (!neighbour)
        return -ENOMEM;
    if (is_file(neighbour))
        unread->paths[unread->count++] = neighbour;
    return 0;
}

static int list_directory(struct file_list *read, struct file_list *unread, struct arena *arena, struct report *report,
                          const char *path)
{
    const char *directory = dropin_directory(arena, path);
    if (!directory)
        return -ENOMEM;
    DIR *open_directory = opendir(directory);
    if (!open_directory) {
        if (errno != ENOENT && errno != ENOTDIR)
            report_file(report, directory, "cannot be listed: %s", error_text(-errno));
        return 0;
    }
    int error = list_names(read, unread, arena, report, directory, open_directory);
    closedir(open_directory);
    return error;
}

int file_dropins(struct file_list *read, struct file_list *unread, struct arena *arena, struct report *report,
                 const char *path)
{
    *read = (struct file_list){arena_take(arena, FILE_DROPINS_MAX * sizeof(*read->paths)), 0};
    *unread = (struct file_list){arena_take(arena, (FILE_DROPINS_MAX + 1) * sizeof(*unread->paths)), 0};
    if (!read->paths || !unread->paths)
        return -ENOMEM;
    int error = list_directory(read, unread, arena, report, path);
    if (error)
        return error;
    qsort(read->paths, read->count, sizeof(*read->paths), compare_names);
    qsort(unread->paths, unread->count, sizeof(*unread->paths), compare_names);
    return add_neighbour(unread, arena, path);
}
