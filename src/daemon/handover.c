/* SPDX-License-Identifier: MIT */
/* The sending side of a hand-over.
 *
 * Invariants:
 * - Only our user and root reach the socket. Each side also checks the other: it runs as root or as the daemon's
 *   user, in the same pid and user namespaces. The user id alone is not enough, because containers share user ids.
 * - The socket is bound before the sandbox is entered. It gets its final name by rename, so a process that takes
 *   over replaces the previous one, which then no longer removes the name.
 * - There is one connection at a time.
 */
#include "handover.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "private_dir.h"
#include "ticketfile.h"

/* --- the name of the socket --- */

static const char *name_of(const char *control_socket)
{
    const char *slash = strrchr(control_socket, '/');
    return slash ? slash + 1 : control_socket;
}

int handover_address(struct sockaddr_un *out, const char *control_socket, uid_t uid)
{
    int directory = private_dir_open(control_socket, uid);
    if (directory < 0)
        return directory;
    int status = private_dir_address(out, directory, name_of(control_socket));
    if (status == 0)
        return directory;
    close(directory);
    return status;
}

/* --- the dialogue, on a thread of the pool --- */

static int expect(int fd, const char *words, size_t len)
{
    char heard[sizeof HANDOVER_TITLE];
    int status = read_full(fd, heard, len);
    return status < 0 ? status : memcmp(heard, words, len) == 0 ? 0 : ERROR_MALFORMED;
}

/* Each message has one byte that says what its descriptors are. */
static int send_descriptors(int fd, char kind, const int *fds, size_t count)
{
    return send_fds(fd, &kind, 1, fds, count);
}

static int send_number(int fd, size_t number)
{
    uint8_t bytes[4];
    write_u32(bytes, (uint32_t)number);
    return write_full(fd, bytes, sizeof bytes);
}

static int send_sockets(const struct handover *handover)
{
    const struct handover_setup *setup = &handover->setup;
    const int output[] = {STDOUT_FILENO, STDERR_FILENO};
    int control[CONTROL_SOCKETS];
    size_t control_count = control_sockets(setup->control, control);
    size_t route_count = handover->routes_fd >= 0;
    int status = write_full(handover->peer_fd, HANDOVER_TITLE, sizeof HANDOVER_TITLE - 1);
    if (status == 0)
        status = send_number(handover->peer_fd, 2 + setup->socket_count + control_count + route_count);
    if (status == 0)
        status = send_descriptors(handover->peer_fd, HANDOVER_OUTPUT, output, 2);
    if (status == 0)
        status = send_descriptors(handover->peer_fd, HANDOVER_LISTEN, setup->sockets, setup->socket_count);
    if (status == 0)
        status = send_descriptors(handover->peer_fd, HANDOVER_ROUTES, &handover->routes_fd, route_count);
    return status < 0 ? status : send_descriptors(handover->peer_fd, HANDOVER_CONTROL, control, control_count);
}

struct handover_tickets {
    struct mailbox_item item;
    struct handover *handover;
    struct buffer packed;
};

static int send_tickets(const struct handover *handover)
{
    int status = send_number(handover->peer_fd, handover->setup.worker_count);
    for (unsigned i = 0; status == 0 && i < handover->setup.worker_count; i++) {
        struct bytes packed = buffer_bytes(&handover->tickets[i].packed);
        status = send_number(handover->peer_fd, packed.len);
        if (status == 0)
            status = write_full(handover->peer_fd, packed.data, packed.len);
    }
    return status;
}

static void talk(uv_work_t *work)
{
    struct handover *handover = container_of(work, struct handover, work);
    const char ready = HANDOVER_READY;
    int status = expect(handover->peer_fd, HANDOVER_TITLE, sizeof HANDOVER_TITLE - 1);
    if (status == 0)
        status = send_sockets(handover);
    if (status == 0)
        status = send_tickets(handover);
    if (status == 0)
        status = dump_write(handover->setup.cache, &handover->terms, handover->peer_fd);
    if (status == 0)
        status = expect(handover->peer_fd, &ready, 1);
    handover->status = status == -EAGAIN ? -ETIMEDOUT : status;
}

/* --- its end --- */

static void free_tickets(struct handover *handover)
{
    for (unsigned i = 0; handover->tickets && i < handover->setup.worker_count; i++)
        buffer_free(&handover->tickets[i].packed);
    mem_free(handover->tickets);
    handover->tickets = NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void hang_up(struct handover *handover)
{
    free_tickets(handover);
    routes_unref(handover->routes);
    handover->routes = NULL;
    close(handover->peer_fd);
    handover->peer_fd = -1;
    close_fd(&handover->routes_fd);
    handover->state = HANDOVER_IDLE;
}

static void talked(uv_work_t *work, int status)
{
    struct handover *handover = container_of(work, struct handover, work);
    const char accepted = HANDOVER_ACCEPTED;
    handover->state = HANDOVER_IDLE; /* given() stops the workers, which must not cancel this hand-over */
    if (status == 0)
        status = handover->closing ? ERROR_STOPPING : handover->status;
    if (status == 0) {
        log_info("daemon", "process %ld now answers queries: stopping", (long)handover->peer);
        handover->given = true;
        handover->setup.given(handover->peer);
        (void)send(handover->peer_fd, &accepted, 1, MSG_NOSIGNAL);
    } else {
        log_warning("daemon", "process %ld did not take over: %s; this process continues", (long)handover->peer,
                    error_text(status));
    }
    hang_up(handover);
}

/* --- start: the workers send their tickets --- */

/* A pipe that holds the whole text, so that nobody needs to write later. -1: it does not fit, which is logged. */
static int pipe_of(const char *text)
{
    int ends[2], len = text ? (int)strlen(text) : 0;
    if (!text || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    (void)fcntl(ends[1], F_SETPIPE_SZ, len);
    bool whole = write(ends[1], text, (size_t)len) == len;
    close(ends[1]);
    if (whole)
        return ends[0];
    close(ends[0]);
    log_warning("daemon",
                "forward: the added routes are too long for a hand-over; the next process reads them from their file");
    return -1;
}

static void tickets_came(struct mailbox_item *item, void *reader)
{
    struct handover *handover = container_of(item, struct handover_tickets, item)->handover;
    (void)reader;
    if (--handover->outstanding > 0)
        return;
    handover->delayed = true;
    if (!handover->setup.is_flushing())
        handover_resume(handover);
}

void handover_resume(struct handover *handover)
{
    if (!handover->delayed)
        return;
    handover->delayed = false;
    char *text = handover->setup.routes_text();
    handover->routes_fd = pipe_of(text);
    free(text);
    handover->state = HANDOVER_TALKING;
    handover->routes = routes_ref(handover->setup.routes);
    handover->terms = cachefile_terms(handover->setup.config, handover->routes, &handover->stop);
    if (handover->closing || uv_queue_work(&handover->setup.loop->uv, &handover->work, talk, talked) < 0)
        hang_up(handover);
}

/* Runs on the worker's thread. Out of memory the tickets are lost, which costs full handshakes. */
static void pack_tickets(struct mailbox_item *item, void *reader)
{
    struct worker *worker = reader;
    struct handover_tickets *tickets = container_of(item, struct handover_tickets, item);
    if (tickets_pack(&tickets->packed, &worker, 1) < 0)
        buffer_free(&tickets->packed);
    worker_drop_tickets(worker);
    item->open = tickets_came;
    mailbox_post(tickets->handover->setup.mailbox, item);
}

static void begin(struct handover *handover, int fd)
{
    const struct handover_setup *setup = &handover->setup;
    handover->tickets = mem_zalloc(setup->worker_count, sizeof *handover->tickets);
    if (!handover->tickets) {
        close(fd);
        return;
    }
    handover->state = HANDOVER_GATHERING;
    handover->peer_fd = fd;
    handover->outstanding = setup->worker_count;
    for (unsigned i = 0; i < setup->worker_count; i++) {
        handover->tickets[i].handover = handover;
        handover->tickets[i].item.open = pack_tickets;
        worker_post(setup->workers[i], &handover->tickets[i].item);
    }
}

/* --- the listening socket --- */

/* 0, or a negative error after a log line. */
static int check_peer(int fd, pid_t *pid)
{
    struct process process;
    int status = process_of_peer(&process, fd);
    if (status == 0) {
        *pid = process.pid;
        status = process.uid == 0 || process.uid == geteuid() ? process_check(&process) : -EPERM;
        process_release(&process);
    }
    if (status == -EXDEV)
        log_warning("daemon", "a process of another container may not take over");
    else if (status < 0)
        log_warning("daemon", "a process that connected may not take over: %s", error_text(status));
    return status;
}

static void peer_connects(uv_poll_t *poll, int status, int events)
{
    struct handover *handover = container_of(poll, struct handover, poll);
    const struct timeval patience = {.tv_sec = HANDOVER_PATIENCE_S};
    (void)status;
    (void)events;
    int fd = accept4(handover->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (handover_busy(handover) || handover->closing || check_peer(fd, &handover->peer) < 0) {
        close(fd);
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    begin(handover, fd);
}

/* True in an application container, which is replaced as a whole. In a system container (systemd-nspawn, LXC) a
 * service is upgraded as on a host. */
static bool in_container(void)
{
    const char *kind = getenv("container");
    bool is_machine = kind && (strcmp(kind, "systemd-nspawn") == 0 || strncmp(kind, "lxc", 3) == 0);
    return getpid() == 1 || (kind && !is_machine) || getenv("KUBERNETES_SERVICE_HOST");
}

static void explain(int status)
{
    log_warning("daemon", "dotstubctl upgrade will not work for this process: %s", error_text(status));
}

void handover_init(struct handover *handover, const struct config *config, uid_t uid, gid_t gid)
{
    const char *control_socket = config->control_socket;
    if (in_container())
        return;
    int status = private_dir_make(control_socket, uid, gid);
    if (status == 0)
        status = private_dir_open(control_socket, uid);
    if (status < 0) {
        explain(status);
        return;
    }
    handover->directory = status;
    snprintf(handover->name, sizeof handover->name, "%s", name_of(control_socket));
    snprintf(handover->draft, sizeof handover->draft, "%s.%ld", handover->name, (long)getpid());
}

static int bind_draft(struct handover *handover)
{
    struct sockaddr_un address;
    int status = private_dir_address(&address, handover->directory, handover->draft);
    if (status < 0)
        return status;
    (void)unlinkat(handover->directory, handover->draft, 0); /* left by a process that was killed */
    handover->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (handover->fd < 0)
        return -errno;
    return bind(handover->fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static void drop_draft(struct handover *handover)
{
    if (handover->fd >= 0)
        (void)unlinkat(handover->directory, handover->draft, 0);
    close_fd(&handover->fd);
}

void handover_bind(struct handover *handover)
{
    if (handover->directory < 0)
        return;
    int status = bind_draft(handover);
    if (status == 0)
        return;
    explain(status);
    drop_draft(handover);
}

static int listen_for(struct handover *handover)
{
    if (listen(handover->fd, 1) < 0 ||
        renameat(handover->directory, handover->draft, handover->directory, handover->name) < 0)
        return -errno;
    int status = uv_poll_init(&handover->setup.loop->uv, &handover->poll, handover->fd);
    return status < 0 ? status : uv_poll_start(&handover->poll, UV_READABLE, peer_connects);
}

void handover_open(struct handover *handover, const struct handover_setup *setup)
{
    handover->setup = *setup;
    if (handover->fd < 0)
        return;
    int status = listen_for(handover);
    handover->open = status == 0;
    if (status == 0)
        return;
    explain(status);
    drop_draft(handover);
}

static void poll_closed(uv_handle_t *handle)
{
    close(container_of((uv_poll_t *)handle, struct handover, poll)->fd);
}

void handover_close(struct handover *handover)
{
    if (handover->closing)
        return;
    handover->closing = true;
    atomic_store(&handover->stop, true);
    if (handover_busy(handover))
        (void)shutdown(handover->peer_fd, SHUT_RDWR);
    if (handover->open && !handover->given)
        (void)unlinkat(handover->directory, handover->name, 0);
    if (handover->open)
        uv_close((uv_handle_t *)&handover->poll, poll_closed);
    else
        drop_draft(handover);
    close_fd(&handover->directory);
    handover->open = false;
}

void handover_wait(struct handover *handover)
{
    while (handover_busy(handover))
        uv_run(&handover->setup.loop->uv, UV_RUN_ONCE);
}
