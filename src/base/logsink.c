/* SPDX-License-Identifier: MIT */
/* Invariant: nothing here waits for the reader. A socket is written with MSG_DONTWAIT. A pipe that polls writable
 * takes PIPE_BUF bytes at once, which bounds a batch. A terminal gives no such promise, so it is opened a second
 * time, non-blocking. */
#include "logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int output = STDERR_FILENO, terminal = -1;

void logsink_set_output(int fd)
{
    char path[32];
    if (terminal >= 0)
        close(terminal);
    output = fd;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    terminal = isatty(fd) ? open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode". Child processes inherit it, so only a match means this
 * descriptor. */
bool logsink_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat stat;
    char here[64];
    if (!stream || fstat(output, &stat) < 0)
        return false;
    snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
    return strcmp(stream, here) == 0;
}

static bool write_now(const char *lines, size_t len)
{
    struct pollfd room = {.fd = terminal >= 0 ? terminal : output, .events = POLLOUT};
    ssize_t written = send(output, lines, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && errno == ENOTSOCK && poll(&room, 1, 0) == 1 && room.revents & POLLOUT)
        written = write(room.fd, lines, len);
    return written == (ssize_t)len;
}

/* Poll and write are under one lock, so that no other thread can take the room in between. */
bool logsink_put(const char *lines, size_t len)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    const bool done = write_now(lines, len);
    pthread_mutex_unlock(&lock);
    return done;
}
