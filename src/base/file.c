/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
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
