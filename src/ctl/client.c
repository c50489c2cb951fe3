/* SPDX-License-Identifier: MIT */
/* Invariant: a reply is read to its end before it is parsed, and is at most CLIENT_BODY_MAX long. */
#include "client.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/io.h"

static int connect_at(const struct sockaddr *name, socklen_t len)
{
    const struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
    int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, name, len) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static int connect_to(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path)
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, strlen(path) + 1);
    return connect_at((struct sockaddr *)&name, sizeof name);
}

int client_find_process(const char *socket_path, struct process *out, gid_t *groups, size_t cap, size_t *count)
{
    socklen_t len = (socklen_t)(cap * sizeof *groups);
    int fd = connect_to(socket_path);
    if (fd < 0)
        return fd;
    int status = process_of_peer(out, fd);
    if (status == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        status = -errno;
    *count = status == 0 ? len / sizeof *groups : 0;
    close(fd);
    return status;
}

/* EPIPE is not an error: a daemon that refuses a request may close early, and its reply can still be read. */
static int send_request(int fd, const char *verb, const char *target)
{
    char text[4096];
    int len = snprintf(text, sizeof text, "%s %s HTTP/1.0\r\nHost: localhost\r\n\r\n", verb, target);
    if (len < 0 || (size_t)len >= sizeof text)
        return -EINVAL;
    int status = write_full(fd, text, (size_t)len);
    return status == -EPIPE ? 0 : status;
}

/* A daemon that was taken over may send a byte now and then. */
static int receive_all(int fd, struct buffer *out)
{
    const uint64_t until_ms = clock_ms() + 2000 * CLIENT_PATIENCE_S;
    for (;;) {
        uint8_t *room = buffer_reserve(out, 65536);
        if (!room)
            return -ENOMEM;
        ssize_t len = recv(fd, room, 65536, 0);
        if (len < 0)
            return -errno;
        buffer_commit(out, (size_t)len);
        if (len == 0)
            return 0;
        if (out->len > CLIENT_BODY_MAX)
            return -EPROTO;
        if (clock_ms() >= until_ms)
            return -EAGAIN;
    }
}

int client_read_head(const char *text, unsigned *status, const char **body)
{
    const char *end = strstr(text, "\r\n\r\n");
    unsigned major, minor, number;
    if (!end || sscanf(text, "HTTP/%1u.%1u %3u", &major, &minor, &number) != 3 || number < 100 || number > 599)
        return -EPROTO;
    *status = number;
    *body = end + 4;
    return 0;
}

static int read_reply(struct client_reply *out, struct buffer *received)
{
    const char *body;
    unsigned status;
    if (buffer_append(received, "", 1) < 0)
        return -ENOMEM;
    int error = client_read_head((const char *)buffer_bytes(received).data, &status, &body);
    if (error < 0)
        return error;
    *out = (struct client_reply){status, strdup(body)};
    return out->body ? 0 : -ENOMEM;
}

static int ask_on(struct client_reply *out, int fd, const char *verb, const char *target)
{
    struct buffer received = {0};
    if (fd < 0)
        return fd;
    int status = send_request(fd, verb, target);
    if (status < 0)
        goto end;
    status = receive_all(fd, &received);
    if (status < 0)
        goto end;
    status = read_reply(out, &received);
end:
    buffer_free(&received);
    close(fd);
    return status;
}

int client_ask(struct client_reply *out, const char *socket_path, const char *verb, const char *target)
{
    return ask_on(out, connect_to(socket_path), verb, target);
}

int client_ask_addr(struct client_reply *out, const struct addr *addr, const char *verb, const char *target)
{
    struct addr to;
    int status = addr_resolve(&to, addr);
    return status < 0 ? status : ask_on(out, connect_at(&to.sa, addr_len(&to)), verb, target);
}

bool client_add_argument(char *target, size_t cap, const char *name, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t len = strlen(target);
    int more = snprintf(target + len, cap - len, "%c%s=", strchr(target, '?') ? '&' : '?', name);
    if (more < 0 || (size_t)more >= cap - len)
        return false;
    for (len += (size_t)more; *value; value++) {
        bool as_is = strchr(plain, *value) != NULL;
        if (cap - len < 4)
            return false;
        len += (size_t)sprintf(target + len, as_is ? "%c" : "%%%02X", (unsigned char)*value);
    }
    return true;
}
