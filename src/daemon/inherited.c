/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - Workers share a socket that the manager opened. They cannot bind others beside it with SO_REUSEPORT: the
 *   kernel requires the same owner, which is the manager. Stored sockets belonged to a process like this one: each
 *   worker has its own.
 * - A stored socket that is not needed is closed; that is not an error.
 */
#include "inherited.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/notify.h"
#include "net/socket.h"

enum { FORGET_MS = 1000 }; /* how long the manager may take to close the sockets it stored */

static bool is_for(const struct inherited_socket *socket, const struct listener_spec *spec)
{
    return socket->type == spec->kind->type && addr_equal(&socket->addr, &spec->addr);
}

static bool is_named(const struct inherited_socket *socket, const struct listener_spec *specs, size_t count)
{
    size_t i = 0;
    while (i < count && !is_for(socket, &specs[i]))
        i++;
    return i < count;
}

const struct inherited_socket *inherited_find(const struct inherited *inherited, const struct listener_spec *spec)
{
    for (size_t i = 0; i < inherited->opened.count; i++)
        if (is_for(&inherited->opened.sockets[i], spec))
            return &inherited->opened.sockets[i];
    return NULL;
}

/* --- reading --- */

static bool is_there(const struct inherited_list *list, const struct inherited_socket *socket)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->sockets[i].type == socket->type && addr_equal(&list->sockets[i].addr, &socket->addr))
            return true;
    return false;
}

static int add(struct inherited *inherited, int i)
{
    char text[ADDR_TEXT];
    struct inherited_socket socket = {.fd = NOTIFY_FIRST_SOCKET + i};
    bool kept = notify_socket_is(i, INHERITED_NAME);
    struct inherited_list *list = kept ? &inherited->kept : &inherited->opened;
    int status = socket_adopt(socket.fd, &socket.addr, &socket.type);
    if (status < 0 && kept) {
        close(socket.fd);
        return 0;
    }
    if (status < 0) {
        log_error(
            "daemon",
            "descriptor %d of the service manager is not a usable socket: %s; see Listen*= and BindIPv6Only= in its "
            "socket unit",
            socket.fd, error_text(status));
        return status;
    }
    if (!kept && is_there(list, &socket)) {
        log_error(
            "daemon",
            "the service manager passed two sockets of one kind for %s: remove one of the Listen*= lines in its socket unit",
            addr_format(&socket.addr, true, text));
        return -EADDRINUSE;
    }
    list->sockets[list->count++] = socket;
    return 0;
}

int inherited_read(struct inherited *out)
{
    struct inherited inherited = {.opened = {.count = 0}};
    int count = notify_sockets();
    if (count < 0) {
        log_error("daemon", "cannot use the sockets of the service manager (LISTEN_FDS): %s", error_text(count));
        return count;
    }
    inherited.opened.sockets = mem_zalloc((size_t)count + 1, sizeof *inherited.opened.sockets);
    inherited.kept.sockets = mem_zalloc((size_t)count + 1, sizeof *inherited.kept.sockets);
    int status = inherited.opened.sockets && inherited.kept.sockets ? 0 : -ENOMEM;
    for (int i = 0; status == 0 && i < count; i++)
        status = add(&inherited, i);
    if (status < 0)
        inherited_close(&inherited);
    else
        *out = inherited;
    return status;
}

int inherited_from(struct inherited *out, const int *fds, size_t count)
{
    struct inherited inherited = {.opened = {.count = 0}};
    struct inherited_list *kept = &inherited.kept;
    kept->sockets = mem_zalloc(count + 1, sizeof *kept->sockets);
    for (size_t i = 0; i < count; i++) {
        struct inherited_socket socket = {.fd = fds[i]};
        if (kept->sockets && socket_adopt(fds[i], &socket.addr, &socket.type) == 0)
            kept->sockets[kept->count++] = socket;
        else
            close(fds[i]);
    }
    if (!kept->sockets)
        return -ENOMEM;
    *out = inherited;
    return 0;
}

/* --- checks against the configuration --- */

static const char *directive(const struct listener_kind *kind)
{
    return kind->type == SOCK_DGRAM ? "ListenDatagram=" : "ListenStream=";
}

static bool is_opened_at(const struct inherited *inherited, const struct addr *addr)
{
    for (size_t i = 0; i < inherited->opened.count; i++)
        if (addr_equal(&inherited->opened.sockets[i].addr, addr))
            return true;
    return false;
}

int inherited_check(const struct inherited *inherited, const struct listener_spec *specs, size_t count)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < inherited->opened.count; i++) {
        const struct inherited_socket *socket = &inherited->opened.sockets[i];
        if (is_named(socket, specs, count))
            continue;
        /* no listener would read from the socket, and its clients would get no response */
        log_error(
            "daemon",
            "the service manager passed a socket for %s, which is not in `listen`: add it there, or remove it from the "
            "socket unit",
            addr_format(&socket->addr, true, text));
        return -EADDRNOTAVAIL;
    }
    for (size_t i = 0; i < count; i++) {
        if (inherited_find(inherited, &specs[i]) || !is_opened_at(inherited, &specs[i].addr))
            continue;
        log_error("daemon", "the service manager passed no %s socket for %s: add %s for it to the socket unit",
                  specs[i].kind->name, addr_format(&specs[i].addr, true, text), directive(specs[i].kind));
        return -EADDRNOTAVAIL;
    }
    return 0;
}

/* --- stored sockets --- */

size_t inherited_count_stored(const struct inherited *inherited, const struct listener_spec *spec)
{
    size_t count = 0;
    for (size_t i = 0; i < inherited->kept.count; i++)
        count += inherited->kept.sockets[i].fd >= 0 && is_for(&inherited->kept.sockets[i], spec);
    return count;
}

int inherited_take_stored(struct inherited *inherited, const struct listener_spec *spec)
{
    for (size_t i = 0; i < inherited->kept.count; i++) {
        struct inherited_socket *socket = &inherited->kept.sockets[i];
        int fd = socket->fd;
        if (fd < 0 || !is_for(socket, spec))
            continue;
        socket->fd = -1;
        return fd;
    }
    return -1;
}

/* Must run before anything is bound: a socket that is open in any process occupies its port. The manager gets the
 * sockets in use again later (sockets_keep). */
void inherited_keep_only(struct inherited *inherited, const struct listener_spec *specs, size_t count, bool forget)
{
    bool closed = false;
    int status = 0;
    for (size_t i = 0; i < inherited->kept.count; i++) {
        struct inherited_socket *socket = &inherited->kept.sockets[i];
        if (is_named(socket, specs, count) && !is_there(&inherited->opened, socket))
            continue;
        close(socket->fd);
        socket->fd = -1;
        closed = true;
    }
    forget = forget && inherited->kept.count > 0;
    if (forget)
        status = notify_forget(INHERITED_NAME);
    if (forget && closed && status == 0)
        status = notify_wait(FORGET_MS);
    if (status < 0)
        log_warning("daemon", "the service manager still holds sockets that are no longer used: %s",
                    error_text(status));
}

static void close_list(struct inherited_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->sockets[i].fd >= 0)
            close(list->sockets[i].fd);
    mem_free(list->sockets);
    *list = (struct inherited_list){.count = 0};
}

void inherited_close(struct inherited *inherited)
{
    close_list(&inherited->opened);
    close_list(&inherited->kept);
}
