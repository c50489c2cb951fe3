/* SPDX-License-Identifier: MIT */
#include "private_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/identity.h"

static int parent_of(char out[PATH_MAX], const char *control_socket)
{
    const char *slash = strrchr(control_socket, '/');
    int len = slash ? (int)(slash - control_socket) + 1 : 0;
    return snprintf(out, PATH_MAX, "%.*s", len, control_socket) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int path_of(char *out, size_t cap, const char *control_socket)
{
    char parent[PATH_MAX];
    int status = parent_of(parent, control_socket);
    if (status < 0)
        return status;
    int len = snprintf(out, cap, "%shandover", parent);
    return len > 0 && (size_t)len < cap ? 0 : -ENAMETOOLONG;
}

static int make(const char *path)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int private_dir_make(const char *control_socket, uid_t uid, gid_t gid)
{
    char path[PATH_MAX], parent[PATH_MAX];
    struct identity before;
    int status = path_of(path, sizeof path, control_socket);
    if (status == 0)
        status = parent_of(parent, control_socket);
    if (status == 0)
        status = identity_assume(&before, uid, gid);
    if (status < 0)
        return status;
    status = make(path);
    identity_restore(&before);
    if ((status != -EACCES && status != -EPERM) || !identity_is_roots(parent))
        return status;
    status = make(path);
    return status == 0 && lchown(path, uid, gid) < 0 ? -errno : status;
}

int private_dir_open(const char *control_socket, uid_t uid)
{
    char path[PATH_MAX];
    struct stat stat;
    int status = path_of(path, sizeof path, control_socket);
    if (status < 0)
        return status;
    int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &stat) == 0 && stat.st_uid == uid && !(stat.st_mode & (S_IRWXG | S_IRWXO)))
        return fd;
    close(fd);
    return -EPERM;
}

int private_dir_address(struct sockaddr_un *out, int directory, const char *name)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", directory, name);
    return len > 0 && (size_t)len < sizeof out->sun_path ? 0 : -ENAMETOOLONG;
}
