/* SPDX-License-Identifier: MIT */
/* Messages to and from the service manager (sd_notify(3), sd_listen_fds(3)).
 *
 * Invariants:
 * - The environment variables are read when they are needed and never removed: this process starts no other that
 *   could inherit them.
 * - Variables meant for another process (LISTEN_PID, WATCHDOG_PID) are ignored.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/io.h"
#include "net/notify.h"

/* Parses a number that consists of digits only. */
static bool read_number(const char *name, unsigned long long *out)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* The address of a path, or, after "@", of an abstract name; 0: neither. */
static socklen_t manager_address(struct sockaddr_un *out, const char *name)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len >= sizeof out->sun_path)
        return 0;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, name, len);
    if (name[0] == '@')
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* A socket connected to the manager's; -ENOTCONN: there is no manager. */
static int connect_to_manager(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    if (!name || !name[0])
        return -ENOTCONN;
    socklen_t len = manager_address(&address, name);
    if (!len)
        return -EINVAL;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) == 0)
        return fd < 0 ? -errno : fd;
    int status = -errno;
    close(fd);
    return status;
}

/* `count` 0: sends only the assignments. */
static int send_with(const char *assignments, const int *fds, size_t count)
{
    size_t len = strlen(assignments);
    int fd = connect_to_manager();
    if (fd < 0)
        return fd == -ENOTCONN ? 0 : fd;
    int status = count > 0 ? send_fds(fd, assignments, len, fds, count) : write_full(fd, assignments, len);
    close(fd);
    return status;
}

int notify_send(const char *assignments)
{
    return send_with(assignments, NULL, 0);
}

/* FDPOLL=0: the manager must not close a socket because of a pending error. */
int notify_keep(const char *name, const int *fds, size_t count)
{
    char assignments[128];
    if (snprintf(assignments, sizeof assignments, "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name) >= (int)sizeof assignments)
        return -ENAMETOOLONG;
    return count > 0 ? send_with(assignments, fds, count) : 0;
}

int notify_forget(const char *name)
{
    char assignments[128];
    if (snprintf(assignments, sizeof assignments, "FDSTOREREMOVE=1\nFDNAME=%s", name) >= (int)sizeof assignments)
        return -ENAMETOOLONG;
    return notify_send(assignments);
}

/* The manager closes its end of the pipe when it processes this message. */
int notify_wait(int ms)
{
    int ends[2];
    if (!getenv("NOTIFY_SOCKET"))
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int status = send_with("BARRIER=1", &ends[1], 1);
    close(ends[1]);
    if (status < 0)
        goto end;
    int ready = poll(&(struct pollfd){.fd = ends[0]}, 1, ms);
    status = ready > 0 ? 0 : ready < 0 ? -errno : -ETIMEDOUT;
end:
    close(ends[0]);
    return status;
}

uint64_t notify_watchdog_ms(void)
{
    unsigned long long microseconds, pid;
    if (!read_number("WATCHDOG_USEC", &microseconds))
        return 0;
    if (getenv("WATCHDOG_PID") && (!read_number("WATCHDOG_PID", &pid) || pid != (unsigned long long)getpid()))
        return 0;
    return microseconds / 1000;
}

int notify_sockets(void)
{
    unsigned long long count, pid;
    if (!read_number("LISTEN_PID", &pid) || pid != (unsigned long long)getpid() || !getenv("LISTEN_FDS"))
        return 0;
    if (!read_number("LISTEN_FDS", &count) || count > INT_MAX - NOTIFY_FIRST_SOCKET)
        return -EINVAL;
    for (int fd = NOTIFY_FIRST_SOCKET; fd < NOTIFY_FIRST_SOCKET + (int)count; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return -EBADF;
    return (int)count;
}

/* LISTEN_FDNAMES is a list of names, separated by colons. */
bool notify_socket_is(int i, const char *name)
{
    const char *at = getenv("LISTEN_FDNAMES");
    size_t len = strlen(name);
    for (; at && i > 0; i--) {
        at = strchr(at, ':');
        at = at ? at + 1 : NULL;
    }
    return at && strncmp(at, name, len) == 0 && (at[len] == '\0' || at[len] == ':');
}
