/* SPDX-License-Identifier: MIT */
/* /proc/PID/ns can be read only by a process that may trace PID. The description of a pidfd (/proc/self/fdinfo) is
 * always readable: its NSpid lists the pids from our namespace down to the process's own, so a single number means
 * the same namespace. /proc/PID may be hidden (hidepid, ProtectProc=); the user namespace is then unknown. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/io.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

enum { TEXT_MAX = 4096 };

static int open_pidfd(int socket, pid_t pid)
{
    int fd = -1;
    socklen_t len = sizeof fd;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) == 0)
        return fd;
    if (errno != ENOPROTOOPT)
        return -errno;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd >= 0 || errno == ENOSYS || errno == EPERM ? fd : -errno;
}

int process_of_peer(struct process *out, int socket)
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return -errno;
    if (who.pid <= 0)
        return -EXDEV;
    int fd = open_pidfd(socket, who.pid);
    if (fd < -1)
        return fd;
    *out = (struct process){who.pid, who.uid, who.gid, fd};
    return 0;
}

/* Reads a file of /proc; `out` ends with a NUL. */
static int read_file(char out[TEXT_MAX], const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t len = read_to_end(fd, out, TEXT_MAX - 1);
    close(fd);
    if (len < 0)
        return (int)len;
    out[len] = '\0';
    return 0;
}

static int read_about(char out[TEXT_MAX], pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    return read_file(out, path);
}

/* Counts the numbers in the line that begins with `name`, and those that differ from `expected`. */
static unsigned count_numbers(const char *text, const char *name, unsigned long expected, unsigned *others)
{
    const char *at = strstr(text, name);
    unsigned count = 0;
    *others = 0;
    for (at = at ? at + strlen(name) : ""; *at == '\t' || *at == ' ';) {
        char *end;
        *others += strtoul(at, &end, 10) != expected;
        count++;
        at = end;
    }
    return count;
}

static bool has_ended(const struct process *process)
{
    struct pollfd end = {.fd = process->fd, .events = POLLIN};
    return poll(&end, 1, 0) != 0;
}

static int check_pid_namespace(const struct process *process)
{
    char path[64], text[TEXT_MAX];
    unsigned others;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", process->fd);
    int status = process->fd >= 0 ? read_file(text, path) : read_about(text, process->pid, "status");
    if (status < 0)
        return status;
    return count_numbers(text, "\nNSpid:", (unsigned long)process->pid, &others) == 1 && others == 0 ? 0 : -EXDEV;
}

static int check_user(const struct process *process)
{
    char text[TEXT_MAX], own[TEXT_MAX];
    unsigned others;
    int status = read_about(text, process->pid, "status");
    if (status < 0)
        return status;
    if (count_numbers(text, "\nUid:", process->uid, &others) != 4 || others > 0)
        return -EPERM;
    status = read_about(text, process->pid, "uid_map");
    if (status == 0)
        status = read_file(own, "/proc/self/uid_map");
    if (status < 0)
        return status;
    return strcmp(text, own) == 0 ? 0 : -EXDEV;
}

int process_check(const struct process *process)
{
    int status = check_pid_namespace(process);
    if (status == 0)
        status = check_user(process);
    if (process->fd < 0)
        return status == -ENOENT ? -ESRCH : status;
    if (has_ended(process))
        return -ESRCH;
    return status == -ENOENT || status == -EACCES ? 0 : status;
}

void process_release(struct process *process)
{
    if (process->fd >= 0)
        close(process->fd);
    process->fd = -1;
}
