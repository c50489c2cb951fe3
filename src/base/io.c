/* SPDX-License-Identifier: MIT */
/* Invariant: an error leaves no received descriptor open. */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/errors.h"

ssize_t read_to_end(int fd, void *out, size_t cap)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t got = read(fd, (uint8_t *)out + len, cap - len);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -errno;
        len += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)len;
}

int read_full(int fd, void *out, size_t len)
{
    ssize_t got = read_to_end(fd, out, len);
    return got < 0 ? (int)got : (size_t)got < len ? ERROR_CLOSED : 0;
}

/* write() to a socket whose peer has closed would raise SIGPIPE. */
static ssize_t write_some(int fd, const void *data, size_t len)
{
    ssize_t written = send(fd, data, len, MSG_NOSIGNAL);
    return written < 0 && errno == ENOTSOCK ? write(fd, data, len) : written;
}

int write_full(int fd, const void *data, size_t len)
{
    for (const uint8_t *at = data; len > 0;) {
        ssize_t written = write_some(fd, at, len);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written == 0)
            return -ENOSPC;
        at += written > 0 ? written : 0;
        len -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* --- descriptors --- */

/* For kernels before 5.9, without close_range: lists all descriptors first, because closing changes the directory. */
static void close_listed(int first)
{
    enum { AT_ONCE = 256 };
    int fds[AT_ONCE];
    size_t count;
    do {
        DIR *directory = opendir("/proc/self/fd");
        count = 0;
        for (struct dirent *entry; directory && count < AT_ONCE && (entry = readdir(directory));) {
            int fd = atoi(entry->d_name);
            if (fd >= first && fd != dirfd(directory))
                fds[count++] = fd;
        }
        if (directory)
            closedir(directory);
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
    } while (count > 0);
}

void close_from(int first)
{
    if (syscall(SYS_close_range, first, ~0u, 0) < 0)
        close_listed(first);
}

union fds_control {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(IO_FDS * sizeof(int))];
};

/* Sends at most IO_FDS descriptors. */
static int send_some(int fd, struct iovec data, const int *fds, size_t count)
{
    union fds_control control = {.head = {
                                     .cmsg_level = SOL_SOCKET,
                                     .cmsg_type = SCM_RIGHTS,
                                     .cmsg_len = CMSG_LEN(count * sizeof *fds),
                                 }};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
    ssize_t sent;
    memcpy(CMSG_DATA(&control.head), fds, count * sizeof *fds);
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return write_full(fd, (const uint8_t *)data.iov_base + sent, data.iov_len - (size_t)sent);
}

int send_fds(int fd, const void *data, size_t len, const int *fds, size_t count)
{
    struct iovec bytes = {(void *)(uintptr_t)data, len};
    int status = 0;
    for (size_t sent = 0; status == 0 && sent < count; sent += IO_FDS)
        status = send_some(fd, bytes, fds + sent, count - sent < IO_FDS ? count - sent : IO_FDS);
    return status;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

int recv_fds(int fd, void *data, size_t len, int fds[IO_FDS], size_t *count)
{
    union fds_control control;
    struct iovec bytes = {data, len};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 ? -errno : ERROR_CLOSED;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *count = 0;
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        *count = (head->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
        memcpy(fds, CMSG_DATA(head), *count * sizeof *fds);
    }
    int status =
        message.msg_flags & MSG_CTRUNC ? ERROR_MALFORMED : read_full(fd, (uint8_t *)data + got, len - (size_t)got);
    if (status < 0)
        close_all(fds, *count);
    return status;
}
