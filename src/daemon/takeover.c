/* SPDX-License-Identifier: MIT */
/* Invariant: data from the other process is not trusted: numbers are bounded; tickets and cache are parsed by the
 * code that parses the files. */
#include "takeover.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "handover.h"
#include "ticketfile.h"

enum {
    DESCRIPTORS_MAX = 4096,
    WORKERS_MAX = 1024,
    TICKETS_MAX = 1 << 21, /* bytes of one worker */
    ROUTES_MAX = 1 << 20,  /* as much as a pipe holds */
};

static int failed(const char *what, int status)
{
    status = status == -EAGAIN ? -ETIMEDOUT : status;
    log_error("daemon", "cannot take over: %s: %s", what, error_text(status));
    return status;
}

/* --- numbers and descriptors --- */

static int read_number(int fd, size_t most, size_t *out)
{
    uint8_t bytes[4];
    int status = read_full(fd, bytes, sizeof bytes);
    if (status < 0)
        return status;
    *out = read_u32(bytes);
    return *out <= most ? 0 : ERROR_MALFORMED;
}

/* Stores a received descriptor; output descriptors replace ours, so that the log goes where the other process logs.
 * False: the caller must close the descriptor. */
static bool place(struct takeover *takeover, char kind, int fd, size_t room)
{
    if (kind == HANDOVER_OUTPUT && takeover->output_count < 2) {
        (void)dup2(fd, STDOUT_FILENO + (int)takeover->output_count++);
        return false;
    }
    if (kind == HANDOVER_LISTEN && takeover->listening_count < room)
        takeover->listening[takeover->listening_count++] = fd;
    else if (kind == HANDOVER_CONTROL && takeover->control_count < CONTROL_SOCKETS)
        takeover->control[takeover->control_count++] = fd;
    else if (kind == HANDOVER_ROUTES && takeover->routes < 0)
        takeover->routes = fd;
    else
        return false;
    return true;
}

static int read_descriptors(struct takeover *takeover)
{
    int fds[IO_FDS];
    size_t all = 0, count = 0;
    char kind = 0;
    int status = read_number(takeover->fd, DESCRIPTORS_MAX, &all);
    takeover->listening = status == 0 ? mem_zalloc(all + 1, sizeof *takeover->listening) : NULL;
    if (status == 0 && !takeover->listening)
        status = -ENOMEM;
    for (size_t left = all; status == 0 && left > 0;) {
        status = recv_fds(takeover->fd, &kind, 1, fds, &count);
        if (status == 0 && count == 0)
            status = ERROR_MALFORMED;
        for (size_t i = 0; status == 0 && i < count; i++)
            if (!place(takeover, kind, fds[i], all))
                close(fds[i]);
        if (status == 0)
            left -= count < left ? count : left;
    }
    return status;
}

/* --- the dialogue --- */

/* Checks the peer's identity, because another process may have taken the name meanwhile. */
static int check_peer(int fd, pid_t pid, uid_t uid)
{
    struct process process;
    int status = process_of_peer(&process, fd);
    if (status < 0)
        return status;
    status = process.pid == pid && (process.uid == 0 || process.uid == uid) ? process_check(&process) : -EPERM;
    process_release(&process);
    return status;
}

static int connect_to(const char *control_socket, pid_t pid, uid_t uid)
{
    const struct timeval patience = {.tv_sec = HANDOVER_PATIENCE_S};
    struct sockaddr_un name;
    int directory = control_socket ? handover_address(&name, control_socket, uid) : -ENOENT;
    if (directory < 0)
        return directory;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int status = fd < 0 ? -errno : 0;
    if (fd < 0)
        goto end;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    status = connect(fd, (struct sockaddr *)&name, sizeof name) < 0 ? -errno : check_peer(fd, pid, uid);
    if (status < 0)
        close(fd);
end:
    close(directory);
    return status < 0 ? status : fd;
}

int takeover_begin(struct takeover *out, const struct config *config, pid_t pid, uid_t uid)
{
    char title[sizeof HANDOVER_TITLE - 1];
    *out = (struct takeover){.fd = connect_to(config->control_socket, pid, uid), .routes = -1};
    if (out->fd == -ENOENT)
        log_error(
            "daemon",
            "cannot take over: process %ld has no hand-over socket beside %s; if control.socket has changed since it "
            "started, or it runs without one, restart dotstub instead",
            (long)pid, config->control_socket ? config->control_socket : "control.socket (off)");
    if (out->fd == -ENOENT)
        return out->fd;
    if (out->fd < 0)
        return failed("cannot connect to the running process", out->fd);
    int status = write_full(out->fd, HANDOVER_TITLE, sizeof title);
    if (status < 0)
        goto fail;
    status = read_full(out->fd, title, sizeof title);
    if (status < 0)
        goto fail;
    status = memcmp(title, HANDOVER_TITLE, sizeof title) == 0 ? read_descriptors(out) : ERROR_MALFORMED;
    if (status < 0)
        goto fail;
    return 0;
fail:
    takeover_end(out);
    return failed("cannot receive its sockets", status);
}

bool takeover_routes(const struct takeover *takeover, struct buffer *out)
{
    uint8_t *room = takeover->routes >= 0 ? buffer_reserve(out, ROUTES_MAX) : NULL;
    if (!room || fcntl(takeover->routes, F_SETFL, O_NONBLOCK) < 0)
        return false;
    ssize_t len = read_to_end(takeover->routes, room, ROUTES_MAX);
    if (len > 0)
        buffer_commit(out, (size_t)len);
    return len > 0;
}

/* Reads the tickets of one worker into one of ours. */
static int read_ticket_pack(const struct takeover *takeover, struct worker **worker)
{
    struct buffer packed = {NULL, 0, 0, 0};
    size_t len = 0;
    int status = read_number(takeover->fd, TICKETS_MAX, &len);
    if (status < 0)
        return status;
    uint8_t *room = buffer_reserve(&packed, len + 1);
    if (!room)
        return -ENOMEM;
    status = read_full(takeover->fd, room, len);
    if (status < 0)
        goto end;
    buffer_commit(&packed, len);
    if (len > 0)
        status = tickets_unpack(buffer_bytes(&packed), worker, 1);
end:
    buffer_free(&packed);
    return status;
}

/* Each worker's tickets go to one worker of ours. */
static int read_tickets(const struct takeover *takeover, struct worker **workers, unsigned count)
{
    size_t givers = 0;
    int status = read_number(takeover->fd, WORKERS_MAX, &givers);
    for (size_t i = 0; status == 0 && i < givers; i++)
        status = read_ticket_pack(takeover, &workers[i % count]);
    return status;
}

int takeover_fill(struct takeover *takeover, const struct config *config, const struct routes *routes,
                  struct cache *cache, struct worker **workers)
{
    atomic_bool never = false;
    struct dump_terms terms = cachefile_terms(config, routes, &never);
    struct dump_count count = {0};
    int status = read_tickets(takeover, workers, config->workers);
    if (status < 0)
        return failed("cannot receive its tickets", status);
    status = dump_read(cache, &terms, takeover->fd, &count);
    if (status < 0)
        return failed("cannot receive its cache", status);
    log_info("daemon", "took over %llu cache entries, skipped %llu: too old, or of other upstreams",
             (unsigned long long)count.taken, (unsigned long long)count.left_out);
    return 0;
}

int takeover_finish(struct takeover *takeover)
{
    char word = HANDOVER_READY;
    int status = write_full(takeover->fd, &word, 1);
    if (status == 0)
        status = read_full(takeover->fd, &word, 1);
    if (status == 0 && word != HANDOVER_ACCEPTED)
        status = ERROR_MALFORMED;
    return status < 0 ? failed("the running process did not stop", status) : 0;
}

void takeover_end(struct takeover *takeover)
{
    for (size_t i = 0; i < takeover->listening_count; i++)
        close(takeover->listening[i]);
    for (size_t i = 0; i < takeover->control_count; i++)
        if (takeover->control[i] >= 0)
            close(takeover->control[i]);
    if (takeover->routes >= 0)
        close(takeover->routes);
    mem_free(takeover->listening);
    close(takeover->fd);
    *takeover = (struct takeover){.fd = -1, .routes = -1};
}
