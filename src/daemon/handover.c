/* SPDX-License-Identifier: MIT */
/* The sending side of a hand-over.
 *
 * Invariants:
 * - The socket is in the abstract namespace: no file is left behind, and no writable directory is needed. Any
 *   process can connect, or bind the name of another process; so each side checks that its peer is root or the
 *   daemon's own user.
 * - There is one connection at a time.
 */
#include "handover.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "ticketfile.h"

socklen_t handover_name(struct sockaddr_un *out, pid_t pid)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "dotstub-handover-%ld", (long)pid);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
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
    int status = write_full(handover->peer_fd, HANDOVER_TITLE, sizeof HANDOVER_TITLE - 1);
    if (status == 0)
        status = send_number(handover->peer_fd, 2 + setup->socket_count + control_count);
    if (status == 0)
        status = send_descriptors(handover->peer_fd, HANDOVER_OUTPUT, output, 2);
    if (status == 0)
        status = send_descriptors(handover->peer_fd, HANDOVER_LISTEN, setup->sockets, setup->socket_count);
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

static void hang_up(struct handover *handover)
{
    free_tickets(handover);
    routes_unref(handover->routes);
    handover->routes = NULL;
    close(handover->peer_fd);
    handover->peer_fd = -1;
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
        handover->setup.given(handover->peer);
        (void)send(handover->peer_fd, &accepted, 1, MSG_NOSIGNAL);
    } else {
        log_warning("daemon", "process %ld did not take over: %s; this process continues", (long)handover->peer,
                    error_text(status));
    }
    hang_up(handover);
}

/* --- start: the workers send their tickets --- */

static void tickets_came(struct mailbox_item *item, void *reader)
{
    struct handover *handover = container_of(item, struct handover_tickets, item)->handover;
    (void)reader;
    if (--handover->outstanding > 0)
        return;
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

static void peer_connects(uv_poll_t *poll, int status, int events)
{
    struct handover *handover = container_of(poll, struct handover, poll);
    const struct timeval patience = {.tv_sec = HANDOVER_PATIENCE_S};
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    (void)status;
    (void)events;
    int fd = accept4(handover->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    bool may = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == geteuid());
    if (!may || handover_busy(handover) || handover->closing) {
        close(fd);
        return;
    }
    handover->peer = who.pid;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    begin(handover, fd);
}

static int listen_for(struct handover *handover)
{
    struct sockaddr_un name;
    socklen_t len = handover_name(&name, getpid());
    handover->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (handover->fd < 0)
        return -errno;
    if (bind(handover->fd, (struct sockaddr *)&name, len) < 0 || listen(handover->fd, 1) < 0)
        return -errno;
    int status = uv_poll_init(&handover->setup.loop->uv, &handover->poll, handover->fd);
    return status < 0 ? status : uv_poll_start(&handover->poll, UV_READABLE, peer_connects);
}

void handover_open(struct handover *handover, const struct handover_setup *setup)
{
    *handover = (struct handover){.setup = *setup, .fd = -1, .peer_fd = -1};
    int status = listen_for(handover);
    handover->open = status == 0;
    if (status == 0)
        return;
    log_warning("daemon", "dotstub --take-over will not work for this process: %s", error_text(status));
    if (handover->fd >= 0)
        close(handover->fd);
}

static void poll_closed(uv_handle_t *handle)
{
    close(container_of((uv_poll_t *)handle, struct handover, poll)->fd);
}

void handover_close(struct handover *handover)
{
    handover->closing = true;
    atomic_store(&handover->stop, true);
    if (handover_busy(handover))
        (void)shutdown(handover->peer_fd, SHUT_RDWR);
    if (handover->open)
        uv_close((uv_handle_t *)&handover->poll, poll_closed);
    handover->open = false;
}

void handover_wait(struct handover *handover)
{
    while (handover_busy(handover))
        uv_run(&handover->setup.loop->uv, UV_RUN_ONCE);
}
