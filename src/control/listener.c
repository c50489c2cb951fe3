/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - No process can connect to the unix socket before it has its mode and owner: bind() under a narrow umask,
 *   lchown(), listen().
 * - Root makes and removes files only where no other user can replace them; elsewhere it acts as the daemon's user.
 */
#include "listener.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/identity.h"

enum { BACKLOG = 256 }; /* a full backlog refuses clients with non-blocking sockets */

static struct sockaddr_un name_of(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, path, sizeof name.sun_path - 1); /* the configuration limits the length of `path` */
    return name;
}

/* 0: no process listens; -EADDRINUSE: one does, or it is unknown. */
static int check_unused(const char *path)
{
    struct sockaddr_un name = name_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int status = connect(fd, (struct sockaddr *)&name, sizeof name) < 0 && errno == ECONNREFUSED ? 0 : -EADDRINUSE;
    close(fd);
    return status;
}

/* 0: no file, or the socket of a daemon that was killed, which may be removed. Changes nothing. */
static int check_stale(const char *path)
{
    struct stat stat;
    if (lstat(path, &stat) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISSOCK(stat.st_mode) ? check_unused(path) : -EEXIST;
}

static int bind_narrow(int fd, const char *path)
{
    struct sockaddr_un name = name_of(path);
    mode_t before = umask(0117);
    int status = bind(fd, (struct sockaddr *)&name, sizeof name) < 0 ? -errno : 0;
    umask(before);
    return status;
}

/* Uses the rights of the effective user. */
static int open_unix(const char *path, uid_t uid, gid_t gid)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int status = bind_narrow(fd, path);
    if (status < 0)
        goto fail;
    if (geteuid() == 0 && lchown(path, uid, gid) < 0 && errno != EPERM)
        status = -errno;
    if (status == 0 && listen(fd, BACKLOG) < 0)
        status = -errno;
    if (status == 0)
        return fd;
    unlink(path);
fail:
    close(fd);
    return status;
}

/* 0: in a directory that only root controls; or a negative errno. */
static int check_directory(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash || slash - path >= PATH_MAX - 1)
        return -ENAMETOOLONG;
    memcpy(directory, path, (size_t)(slash - path) + 1);
    directory[slash - path + 1] = '\0';
    if (access(directory, F_OK) < 0)
        return -errno;
    return identity_is_roots(directory) ? 0 : -EACCES;
}

/* Root makes the directory /run/NAME of a socket, as the service manager does, for the daemon's user. The kernel empties /run
 * at each boot. Elsewhere, or not as root, the operator makes it. */
static void make_runtime_directory(const char *path, uid_t uid, gid_t gid)
{
    char directory[PATH_MAX];
    const char *name = strncmp(path, "/run/", 5) == 0 ? path + 5 : NULL, *slash = name ? strchr(name, '/') : NULL;
    if (geteuid() != 0 || !slash || slash == name || strchr(slash + 1, '/') || slash - path >= PATH_MAX ||
        !identity_is_roots("/run/"))
        return;
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = '\0';
    if (mkdir(directory, 0755) == 0 && lchown(directory, uid, gid) < 0)
        (void)rmdir(directory);
}

int listener_unix(const char *path, uid_t uid, gid_t gid)
{
    struct identity before;
    make_runtime_directory(path, uid, gid);
    int status = check_stale(path);
    if (status < 0)
        return status;
    status = identity_assume(&before, uid, gid);
    if (status == 0) {
        status = open_unix(path, uid, gid);
        identity_restore(&before);
    }
    if (status != -EACCES && status != -EPERM)
        return status;
    status = check_directory(path);
    return status < 0 ? status : open_unix(path, uid, gid);
}

int listener_tcp(const struct addr *addr)
{
    const int on = 1;
    struct addr local;
    int status = addr_resolve(&local, addr);
    if (status < 0)
        return status;
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (addr->sa.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &local.sa, addr_len(&local)) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    status = -errno;
    close(fd);
    return status;
}

static bool listens_at(int fd, const char *path, const struct addr *addr)
{
    struct addr found = {.sa = {.sa_family = AF_UNSPEC}};
    struct sockaddr_un name = {.sun_family = AF_UNSPEC};
    socklen_t len = path ? (socklen_t)sizeof name - 1 : (socklen_t)sizeof found;
    struct addr wanted;
    if (!path && addr_resolve(&wanted, addr) < 0)
        return false;
    if (getsockname(fd, path ? (struct sockaddr *)&name : &found.sa, &len) < 0)
        return false;
    if (path)
        return name.sun_family == AF_UNIX && strcmp(name.sun_path, path) == 0;
    return found.sa.sa_family == wanted.sa.sa_family && addr_equal(&found, &wanted);
}

void listener_claim(int fd)
{
    (void)listen(fd, BACKLOG);
}

int listener_taken(int *fds, size_t count, const char *path, const struct addr *addr)
{
    for (size_t i = 0; i < count; i++) {
        int fd = fds[i];
        if (fd < 0 || !listens_at(fd, path, addr))
            continue;
        fds[i] = -1;
        return fd;
    }
    return -ENOENT;
}
