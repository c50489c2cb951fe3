/* Talk with the service manager (sd_notify(3), sd_listen_fds(3)).
 *
 * Invariants:
 * - The variables are read when they are needed and left as they are: this process starts no other that could take
 *   them for its own.
 * - What is not meant for this process (LISTEN_PID, WATCHDOG_PID) is as good as not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "net/notify.h"

/* Digits and nothing else. */
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

/* A path, or with "@" in front a name in the abstract space; 0: neither. */
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

int notify_send(const char *assignments)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    if (!name || !name[0])
        return 0;
    socklen_t len = manager_address(&address, name);
    if (!len)
        return -EINVAL;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    ssize_t sent = sendto(fd, assignments, strlen(assignments), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
    int status = sent < 0 ? -errno : 0;
    close(fd);
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
