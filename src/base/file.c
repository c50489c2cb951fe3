/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/hash.h"
#include "base/io.h"

int file_draft_open(struct file_draft *draft, const char *path)
{
    if (snprintf(draft->path, sizeof draft->path, "%s", path) >= (int)sizeof draft->path ||
        snprintf(draft->new_path, sizeof draft->new_path, "%s.new", path) >= (int)sizeof draft->new_path)
        return -ENAMETOOLONG;
    unlink(draft->new_path); /* left by an interrupted write */
    draft->fd = open(draft->new_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return draft->fd < 0 ? -errno : 0;
}

int file_draft_sync(struct file_draft *draft)
{
    return fsync(draft->fd) < 0 ? -errno : 0;
}

int file_draft_keep(struct file_draft *draft)
{
    int status = close(draft->fd) < 0 ? -errno : 0;
    if (status == 0 && rename(draft->new_path, draft->path) < 0)
        status = -errno;
    if (status < 0)
        unlink(draft->new_path);
    return status;
}

void file_draft_drop(struct file_draft *draft)
{
    close(draft->fd);
    unlink(draft->new_path);
}

int file_replace(const char *path, const void *data, size_t len, mode_t mode, bool sync)
{
    struct file_draft draft;
    int status = file_draft_open(&draft, path);
    if (status < 0)
        return status;
    status = write_full(draft.fd, data, len);
    if (status < 0)
        goto fail;
    status = fchmod(draft.fd, mode) < 0 ? -errno : 0;
    if (status < 0)
        goto fail;
    status = sync ? file_draft_sync(&draft) : 0;
    if (status < 0)
        goto fail;
    return file_draft_keep(&draft);
fail:
    file_draft_drop(&draft);
    return status;
}

int file_open_private(const char *path)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_uid == geteuid() &&
        !(stat.st_mode & (S_IRWXG | S_IRWXO)))
        return fd;
    close(fd);
    return ERROR_NOT_PRIVATE;
}

int file_read_private(struct buffer *out, const char *path, size_t most)
{
    int fd = file_open_private(path);
    if (fd < 0)
        return fd;
    uint8_t *room = buffer_reserve(out, most + 1);
    ssize_t len = room ? read_to_end(fd, room, most + 1) : -ENOMEM;
    if (len > 0)
        buffer_commit(out, (size_t)len);
    close(fd);
    return len < 0 ? (int)len : (size_t)len > most ? ERROR_MALFORMED : 0;
}

/* --- changes --- */

#define JUST_NOW_NS INT64_C(50000000) /* the kernel's times of files have a resolution of up to 10 ms */

static int64_t nanoseconds(const struct timespec *time)
{
    return time->tv_sec * INT64_C(1000000000) + time->tv_nsec;
}

/* A file may change again within the resolution of its time, so each look at one that was written a moment ago gives
 * another result. */
static uint64_t facts_state(const struct stat *stat)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t written = nanoseconds(&stat->st_mtim), at = nanoseconds(&now);
    const uint64_t facts[] = {stat->st_dev,  stat->st_ino,      (uint64_t)stat->st_size,
                              stat->st_mode, (uint64_t)written, at - written < JUST_NOW_NS ? (uint64_t)at : 0};
    return hash_bytes(facts, sizeof facts);
}

/* Of the files in a directory, in any order. */
static uint64_t directory_state(const char *path)
{
    uint64_t state = 0;
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        struct stat stat;
        if (*entry->d_name != '.' && fstatat(dirfd(directory), entry->d_name, &stat, 0) == 0 && S_ISREG(stat.st_mode))
            state += facts_state(&stat) ^ hash_bytes(entry->d_name, strlen(entry->d_name));
    }
    if (directory)
        closedir(directory);
    return state;
}

uint64_t file_state(const char *path, uint64_t before)
{
    struct stat stat_of = {0};
    bool exists = stat(path, &stat_of) == 0, is_directory = exists && S_ISDIR(stat_of.st_mode);
    const uint64_t parts[] = {before, exists && !is_directory ? facts_state(&stat_of) : exists,
                              is_directory ? directory_state(path) : 0};
    return hash_bytes(parts, sizeof parts);
}
