/* SPDX-License-Identifier: MIT */
/* Invariant: sockets are independent of each other: each is opened, stored and shared by itself, and identified by
 * protocol and address. */
#include "sockets.h"
#include "addresses.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"
#include "listen/listeners.h"
#include "net/notify.h"
#include "net/socket.h"

static void explain(const struct addr *addr, int error)
{
    char text[ADDR_TEXT], holder[128];
    addr_format(addr, true, text);
    socket_port_holder(addr, holder, sizeof holder);
    if (error == -EADDRINUSE)
        log_error(
            "daemon",
            "cannot listen on %s: the port is in use%s%s; stop that program or choose another address with `listen`",
            text, holder[0] ? " by " : "", holder);
    else if (error == -EACCES || error == -EPERM)
        log_error(
            "daemon",
            "cannot listen on %s: no permission; start as root, give CAP_NET_BIND_SERVICE, or use a port above 1023",
            text);
    else
        log_error("daemon", "cannot listen on %s: %s", text, error_text(error));
}

bool sockets_need_privileges(const struct config *config)
{
    for (size_t k = 0; listener_kinds[k]; k++) {
        struct listener_addresses wanted = listener_kinds[k]->addresses(config);
        for (size_t i = 0; i < wanted.count; i++)
            if (addr_port(&wanted.list[i]) < 1024)
                return true;
    }
    return false;
}

bool sockets_is_missing(int error)
{
    return error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT || error == -ENODEV;
}

/* The port must be free: with SO_REUSEPORT another dotstub would share it silently. An address that is missing is
 * left out. */
static int probe(const struct config *config, const struct listener_spec *spec, bool *left_out)
{
    bool is_default = spec->kind->addresses(config).is_default;
    int status =
        is_default && !socket_family_works(&spec->addr) ? -EAFNOSUPPORT : socket_probe(&spec->addr, spec->kind->type);
    *left_out = sockets_is_missing(status);
    if (status < 0 && !*left_out)
        explain(&spec->addr, status);
    return *left_out ? 0 : status;
}

/* --- specifications --- */

struct specs {
    struct listener_spec *list;
    size_t count;
    bool incomplete; /* an address or an interface of `listen` is missing now: */
    struct address_list missing;
};

static bool has_address(const struct specs *specs, size_t count, const struct addr *addr)
{
    size_t i = 0;
    while (i < count && !addr_equal(&specs->list[i].addr, addr))
        i++;
    return i < count;
}

static bool is_named(const struct config *config, const struct addr *addr)
{
    for (size_t kind = 0; listener_kinds[kind]; kind++) {
        struct listener_addresses named = listener_kinds[kind]->addresses(config);
        for (size_t i = 0; !named.is_default && i < named.count; i++)
            if (addr_equal(&named.list[i], addr))
                return true;
    }
    return false;
}

static int add_spec(struct specs *specs, const struct listener_kind *kind, const struct addr *addr)
{
    struct listener_spec *larger = mem_resize(specs->list, (specs->count + 1) * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    specs->list = larger;
    larger[specs->count++] = (struct listener_spec){kind, *addr};
    return 0;
}

/* Instead of the default: each address where the manager has opened a socket that no option names. */
static int add_opened(struct specs *specs, const struct listener_kind *kind, const struct config *config,
                      const struct inherited_list *opened)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < opened->count; i++) {
        const struct addr *addr = &opened->sockets[i].addr;
        size_t other = 0;
        while (other < i && !addr_equal(&opened->sockets[other].addr, addr))
            other++;
        if (other == i && !is_named(config, addr))
            status = add_spec(specs, kind, addr);
    }
    return status;
}

/* Logs a missing address once, not for each kind of listener. */
static void wait_for(struct specs *specs, const struct addr *addr, const char *why)
{
    char text[ADDR_TEXT];
    size_t before = specs->missing.count;
    if (addresses_add(&specs->missing, addr) == 0 && specs->missing.count > before)
        log_warning("daemon", "not listening on %s yet: %s; waiting for it", addr_format(addr, true, text), why);
    specs->incomplete = true;
}

static void interface_missing(void *context, const struct addr *addr)
{
    wait_for(context, addr, addr_is_interface(addr) || addr_is_wildcard(addr) ? "no address" : "no such interface");
}

static int add_wanted(struct specs *specs, const struct listener_kind *kind, const struct config *config)
{
    struct listener_addresses wanted = kind->addresses(config);
    struct address_list addresses;
    int status = addresses_find(&addresses, config, &wanted, interface_missing, specs);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && i < addresses.count; i++)
        status = add_spec(specs, kind, &addresses.list[i]);
    mem_free(addresses.list);
    return status;
}

static int specs_find(struct specs *out, const struct config *config, const struct inherited *inherited)
{
    struct specs specs = {.count = 0};
    int status = 0;
    for (size_t i = 0; status == 0 && listener_kinds[i]; i++) {
        const struct listener_kind *kind = listener_kinds[i];
        if (kind->addresses(config).is_default && inherited->opened.count > 0)
            status = add_opened(&specs, kind, config, &inherited->opened);
        else
            status = add_wanted(&specs, kind, config);
    }
    *out = specs;
    return status;
}

static void tell_left_out(struct specs *specs, const struct config *config, const struct listener_spec *spec)
{
    char text[ADDR_TEXT];
    if (spec->kind->addresses(config).is_default)
        log_info("daemon", "not listening on %s: this machine has no such address",
                 addr_format(&spec->addr, true, text));
    else
        wait_for(specs, &spec->addr, "this machine has no such address");
}

/* Removes addresses that this machine lacks. 0, or negative after a log line. */
static int specs_probe(struct specs *specs, const struct config *config, const struct inherited *inherited)
{
    struct specs missing = {.count = 0};
    int status = 0;
    size_t count = 0;
    for (size_t i = 0; status == 0 && i < specs->count; i++) {
        const struct listener_spec spec = specs->list[i];
        bool left_out = false;
        if (!inherited_find(inherited, &spec) && inherited_count_stored(inherited, &spec) == 0)
            status = probe(config, &spec, &left_out);
        if (!left_out) {
            specs->list[count++] = spec;
            continue;
        }
        if (!has_address(&missing, missing.count, &spec.addr))
            tell_left_out(specs, config, &spec);
        status = add_spec(&missing, spec.kind, &spec.addr);
    }
    mem_free(missing.list);
    if (status < 0)
        return status;
    specs->count = count;
    if (count == 0 && !specs->incomplete) {
        log_error("daemon", "this machine has none of the default addresses to listen on; set `listen`");
        return -EADDRNOTAVAIL;
    }
    return 0;
}

/* --- opening --- */

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int copy_of(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

/* Opens the socket of one worker. `first` is the first worker's: it is shared if a new one cannot be bound beside
 * stored sockets, which belong to another user. */
static int open_one(struct listening_socket *out, const struct listener_spec *spec, struct inherited *inherited,
                    const struct listening_socket *first)
{
    const struct inherited_socket *opened = inherited_find(inherited, spec);
    int fd = opened ? copy_of(opened->fd) : inherited_take_stored(inherited, spec);
    bool shared = opened != NULL;
    if (!opened && fd < 0)
        fd = spec->kind->type == SOCK_DGRAM ? socket_udp(&spec->addr) : socket_tcp(&spec->addr);
    if (!opened && fd < 0 && first != out) {
        fd = copy_of(first->fd);
        shared = true;
    }
    *out = (struct listening_socket){*spec, fd < 0 ? -1 : fd, shared};
    return fd < 0 ? fd : 0;
}

/* Stored sockets of workers that no longer exist. */
static void take_spare(struct sockets *sockets, const struct specs *specs, struct inherited *inherited)
{
    size_t spare = 0;
    for (size_t at = 0; at < specs->count; at++) {
        for (int fd; (fd = inherited_take_stored(inherited, &specs->list[at])) >= 0; spare++)
            sockets->list[spare % sockets->workers * sockets->per_worker + specs->count + spare / sockets->workers] =
                (struct listening_socket){specs->list[at], fd, false};
    }
}

static size_t count_spare(const struct sockets *sockets, const struct specs *specs, const struct inherited *inherited)
{
    size_t spare = 0;
    for (size_t at = 0; at < specs->count; at++) {
        size_t kept = inherited_count_stored(inherited, &specs->list[at]);
        spare += kept > sockets->workers ? kept - sockets->workers : 0;
    }
    return spare;
}

static int open_all(struct sockets *sockets, const struct specs *specs, struct inherited *inherited)
{
    int status = 0;
    sockets->specs = mem_zalloc(specs->count + 1, sizeof *sockets->specs);
    if (!sockets->specs)
        return -ENOMEM;
    if (specs->count > 0)
        memcpy(sockets->specs, specs->list, specs->count * sizeof *sockets->specs);
    sockets->spec_count = specs->count;
    sockets->per_worker =
        specs->count + (count_spare(sockets, specs, inherited) + sockets->workers - 1) / sockets->workers;
    size_t count = sockets->workers * sockets->per_worker;
    sockets->list = mem_zalloc(count + 1, sizeof *sockets->list);
    if (!sockets->list)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sockets->list[i].fd = -1;
    for (size_t i = 0; status == 0 && i < sockets->workers * specs->count; i++) {
        size_t worker = i / specs->count, at = i % specs->count;
        status = open_one(&sockets->list[worker * sockets->per_worker + at], &specs->list[at], inherited,
                          &sockets->list[at]);
        if (status < 0)
            explain(&specs->list[at].addr, status);
    }
    if (status == 0)
        take_spare(sockets, specs, inherited);
    return status;
}

/* Copies the sockets that are shared, or those that are not. */
static int copy_some(struct sockets *sockets, bool shared)
{
    for (size_t i = 0; i < sockets->workers * sockets->per_worker; i++) {
        const struct listening_socket *socket = &sockets->list[i];
        if (socket->fd < 0 || socket->shared != shared)
            continue;
        int copy = copy_of(socket->fd);
        if (copy < 0)
            return copy;
        sockets->copies[sockets->copy_count++] = copy;
    }
    return 0;
}

static int make_copies(struct sockets *sockets)
{
    sockets->copies = mem_zalloc(sockets->workers * sockets->per_worker + 1, sizeof *sockets->copies);
    int status = sockets->copies ? copy_some(sockets, false) : -ENOMEM;
    sockets->own_count = sockets->copy_count;
    if (status == 0)
        status = copy_some(sockets, true);
    if (status < 0)
        log_error("daemon", "cannot copy the sockets: %s", error_text(status));
    return status;
}

void sockets_keep(const struct sockets *sockets)
{
    int status = notify_forget(INHERITED_NAME);
    if (status == 0)
        status = notify_keep(INHERITED_NAME, sockets->copies, sockets->own_count);
    if (status < 0)
        log_warning("daemon", "the service manager cannot store the sockets for a restart: %s", error_text(status));
}

static bool can_change(const struct config *config)
{
    for (size_t i = 0; listener_kinds[i]; i++) {
        struct listener_addresses wanted = listener_kinds[i]->addresses(config);
        if (addresses_can_change(config, &wanted))
            return true;
    }
    return false;
}

int sockets_open(struct sockets *out, const struct config *config, struct inherited *taken)
{
    struct sockets sockets = {.workers = config->workers};
    struct inherited inherited = {.opened = {.count = 0}};
    struct specs specs = {.count = 0};
    int status = 0;
    if (taken) {
        inherited = *taken;
        *taken = (struct inherited){.opened = {.count = 0}};
    } else if ((status = inherited_read(&inherited)) < 0) {
        return status;
    }
    status = specs_find(&specs, config, &inherited);
    if (status < 0)
        goto end;
    sockets.can_change = specs.incomplete || can_change(config);
    inherited_keep_only(&inherited, specs.list, specs.count, !taken);
    if ((status = inherited_check(&inherited, specs.list, specs.count)) < 0 ||
        (status = specs_probe(&specs, config, &inherited)) < 0)
        goto end;
    sockets.can_change |= specs.incomplete;
    status = open_all(&sockets, &specs, &inherited);
    if (status == 0)
        status = make_copies(&sockets);
    if (status < 0)
        sockets_close(&sockets);
    else
        *out = sockets;
end:
    mem_free(specs.list);
    mem_free(specs.missing.list);
    inherited_close(&inherited);
    return status;
}

/* --- while the daemon runs --- */

int sockets_open_more(const struct listener_spec *spec, int *fds, unsigned count)
{
    int status = socket_probe(&spec->addr, spec->kind->type);
    unsigned opened = 0;
    for (; status == 0 && opened < count; opened++) {
        int fd = spec->kind->type == SOCK_DGRAM ? socket_udp(&spec->addr) : socket_tcp(&spec->addr);
        if (fd < 0)
            status = fd;
        fds[opened] = fd;
    }
    for (unsigned i = 0; status < 0 && i < opened; i++)
        close_one(&fds[i]);
    return status;
}

int sockets_add_copies(struct sockets *sockets, const int *fds, unsigned count)
{
    size_t shared = sockets->copy_count - sockets->own_count;
    int *larger = mem_resize(sockets->copies, (sockets->copy_count + count + 1) * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    sockets->copies = larger;
    memmove(larger + sockets->own_count + count, larger + sockets->own_count, shared * sizeof *larger);
    for (unsigned i = 0; i < count; i++)
        larger[sockets->own_count + i] = copy_of(fds[i]); /* -1: the next process binds that one itself */
    sockets->own_count += count;
    sockets->copy_count += count;
    sockets_drop_copies(sockets, NULL);
    return 0;
}

static bool is_copy_for(int fd, const struct listener_spec *spec)
{
    struct addr addr;
    int type;
    return socket_adopt(fd, &addr, &type) == 0 && type == spec->kind->type && addr_equal(&addr, &spec->addr);
}

void sockets_drop_copies(struct sockets *sockets, const struct listener_spec *spec)
{
    size_t kept = 0, own = 0;
    for (size_t i = 0; i < sockets->copy_count; i++) {
        int fd = sockets->copies[i];
        if (fd >= 0 && spec && is_copy_for(fd, spec))
            close_one(&fd);
        if (fd < 0)
            continue;
        sockets->copies[kept++] = fd;
        own += i < sockets->own_count;
    }
    sockets->copy_count = kept;
    sockets->own_count = own;
}

/* --- addresses --- */

/* True if no earlier specification has the same address. */
static bool is_first(const struct listener_spec *specs, size_t at)
{
    size_t i = 0;
    while (!addr_equal(&specs[i].addr, &specs[at].addr))
        i++;
    return i == at;
}

size_t sockets_addresses(const struct listener_spec *specs, size_t count, struct addr *out)
{
    size_t addresses = 0;
    for (size_t at = 0; at < count; at++)
        if (is_first(specs, at))
            out[addresses++] = specs[at].addr;
    return addresses;
}

void sockets_announce(const struct listener_spec *specs, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        char text[ADDR_TEXT], names[64] = "";
        if (!is_first(specs, at))
            continue;
        for (size_t i = at; i < count; i++) {
            size_t len = strlen(names);
            if (addr_equal(&specs[i].addr, &specs[at].addr))
                snprintf(names + len, sizeof names - len, "%s%s", len ? " and " : "", specs[i].kind->name);
        }
        /* Listeners are bound ahead of their interfaces, so a mistyped address looks like one that comes later. */
        log_info("daemon", "listening on %s, %s%s", addr_format(&specs[at].addr, true, text), names,
                 socket_address_exists(&specs[at].addr) ? "" : "; this machine does not have the address yet");
    }
}

/* --- the end --- */

void sockets_let_go(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->copy_count; i++)
        close_one(&sockets->copies[i]);
    sockets->copy_count = sockets->own_count = 0;
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; sockets->list && i < sockets->workers * sockets->per_worker; i++)
        close_one(&sockets->list[i].fd);
    sockets_let_go(sockets);
    mem_free(sockets->copies);
    mem_free(sockets->list);
    mem_free(sockets->specs);
    sockets->specs = NULL;
    sockets->copies = NULL;
    sockets->list = NULL;
}
