/* SPDX-License-Identifier: MIT */
#include "sockets.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"
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
    else if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT)
        log_error("daemon", "cannot listen on %s: %s; take the address out of `listen` or set it up on this machine",
                  text, error_text(error));
    else
        log_error("daemon", "cannot listen on %s: %s", text, error_text(error));
}

static bool is_missing(int error)
{
    return error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT;
}

/* Nobody may have the port already: with SO_REUSEPORT another dotstub would share it silently. An address of the built-in
 * default whose family this machine lacks is left out. */
static int probe(const struct config *config, const struct addr *addr, bool *left_out)
{
    char text[ADDR_TEXT];
    int status = config->listen_is_default && !socket_family_works(addr) ? -EAFNOSUPPORT : socket_probe(addr);
    *left_out = config->listen_is_default && is_missing(status);
    if (*left_out)
        log_info("daemon", "not listening on %s: this machine has no such address", addr_format(addr, true, text));
    else if (status < 0)
        explain(addr, status);
    return *left_out ? 0 : status;
}

static int open_pair(struct socket_pair *pair, const struct addr *addr)
{
    *pair = (struct socket_pair){*addr, -1, -1, false};
    pair->udp = socket_udp(addr);
    if (pair->udp < 0)
        return pair->udp;
    pair->tcp = socket_tcp(addr);
    return pair->tcp < 0 ? pair->tcp : 0;
}

/* What is handed to us and never listened on would leave its clients without a word. */
static int check_named(const struct inherited *inherited, const struct config *config)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < inherited->opened.count; i++) {
        size_t at = 0;
        while (at < config->listen_count && !addr_equal(&config->listen[at], &inherited->opened.pairs[i].addr))
            at++;
        if (at < config->listen_count)
            continue;
        log_error(
            "daemon",
            "the service manager gave a socket for %s, which `listen` does not name: name it there, or take it out of the "
            "socket unit",
            addr_format(&inherited->opened.pairs[i].addr, true, text));
        return -EADDRNOTAVAIL;
    }
    return 0;
}

/* Gives the addresses in `out`, which has room for all, and their number; or negative after a line. */
static ssize_t choose_addresses(struct addr *out, const struct inherited *inherited, const struct config *config)
{
    size_t count = 0;
    if (inherited->opened.count > 0 && config->listen_is_default) {
        for (; count < inherited->opened.count; count++)
            out[count] = inherited->opened.pairs[count].addr;
        return (ssize_t)count;
    }
    int status = check_named(inherited, config);
    for (size_t i = 0; status == 0 && i < config->listen_count; i++) {
        bool left_out = false;
        if (!inherited_find(inherited, &config->listen[i]) && inherited_count_kept(inherited, &config->listen[i]) == 0)
            status = probe(config, &config->listen[i], &left_out);
        if (status == 0 && !left_out)
            out[count++] = config->listen[i];
    }
    return status < 0 ? status : (ssize_t)count;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The pair of one worker for one address. `first`: another worker's, which is shared where a socket of our own cannot be bound
 * beside those that were kept, because those are of another user's. */
static int open_one(struct socket_pair *out, const struct addr *addr, struct inherited *inherited,
                    const struct socket_pair *first)
{
    const struct socket_pair *opened = inherited_find(inherited, addr);
    if (opened)
        return inherited_copy(out, opened);
    if (inherited_take_kept(inherited, out, addr))
        return 0;
    int status = open_pair(out, addr);
    if (status == 0 || first == out)
        return status;
    close_one(&out->udp);
    close_one(&out->tcp);
    return inherited_copy(out, first);
}

static int open_addresses(struct sockets *sockets, const struct addr *addrs, struct inherited *inherited)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < sockets->workers * sockets->addresses; i++) {
        size_t worker = i / sockets->addresses, at = i % sockets->addresses;
        status =
            open_one(&sockets->pairs[worker * sockets->per_worker + at], &addrs[at], inherited, &sockets->pairs[at]);
        if (status < 0)
            explain(&addrs[at], status);
    }
    return status;
}

/* What was kept of workers that are not any more. */
static void take_spare(struct sockets *sockets, const struct addr *addrs, struct inherited *inherited)
{
    size_t spare = 0;
    for (size_t at = 0; at < sockets->addresses; at++) {
        for (struct socket_pair pair; inherited_take_kept(inherited, &pair, &addrs[at]); spare++)
            sockets->pairs[spare % sockets->workers * sockets->per_worker + sockets->addresses +
                           spare / sockets->workers] = pair;
    }
}

static size_t count_spare(const struct sockets *sockets, const struct addr *addrs, const struct inherited *inherited)
{
    size_t spare = 0;
    for (size_t at = 0; at < sockets->addresses; at++) {
        size_t kept = inherited_count_kept(inherited, &addrs[at]);
        spare += kept > sockets->workers ? kept - sockets->workers : 0;
    }
    return spare;
}

static int open_all(struct sockets *sockets, const struct addr *addrs, struct inherited *inherited)
{
    sockets->per_worker =
        sockets->addresses + (count_spare(sockets, addrs, inherited) + sockets->workers - 1) / sockets->workers;
    size_t count = sockets->workers * sockets->per_worker;
    sockets->pairs = mem_zalloc(count + 1, sizeof *sockets->pairs);
    if (!sockets->pairs)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sockets->pairs[i].udp = sockets->pairs[i].tcp = -1;
    int status = open_addresses(sockets, addrs, inherited);
    if (status == 0)
        take_spare(sockets, addrs, inherited);
    return status;
}

/* Of those that are shared, or of those that are not. */
static int copy_some(struct sockets *sockets, bool shared)
{
    for (size_t i = 0; i < sockets->workers * sockets->per_worker; i++) {
        const struct socket_pair *pair = &sockets->pairs[i];
        struct socket_pair copy;
        if (pair->udp < 0 || pair->shared != shared)
            continue;
        int status = inherited_copy(&copy, pair);
        sockets->copies[sockets->copy_count++] = copy.udp;
        sockets->copies[sockets->copy_count++] = copy.tcp;
        if (status < 0)
            return status;
    }
    return 0;
}

static int make_copies(struct sockets *sockets)
{
    sockets->copies = mem_zalloc(2 * sockets->workers * sockets->per_worker + 1, sizeof *sockets->copies);
    int status = sockets->copies ? copy_some(sockets, false) : -ENOMEM;
    sockets->own_count = sockets->copy_count;
    return status < 0 ? status : copy_some(sockets, true);
}

void sockets_keep(const struct sockets *sockets)
{
    int status = notify_forget(INHERITED_NAME);
    if (status == 0)
        status = notify_keep(INHERITED_NAME, sockets->copies, sockets->own_count);
    if (status < 0)
        log_warning("daemon", "the service manager cannot keep the sockets over a restart: %s", error_text(status));
}

int sockets_open(struct sockets *out, const struct config *config, struct inherited *taken)
{
    struct sockets sockets = {.workers = config->workers};
    struct inherited inherited = {.opened = {.count = 0}};
    int status = taken ? 0 : inherited_read(&inherited);
    if (status < 0)
        return status;
    if (taken) {
        inherited = *taken;
        *taken = (struct inherited){.opened = {.count = 0}};
    }
    inherited_keep_only(&inherited, config->listen, config->listen_count, !taken);
    struct addr *addrs = mem_zalloc(config->listen_count + inherited.opened.count + 1, sizeof *addrs);
    ssize_t count = addrs ? choose_addresses(addrs, &inherited, config) : -ENOMEM;
    if (count == 0) {
        log_error("daemon", "there is no address to listen on");
        count = -EADDRNOTAVAIL;
    }
    sockets.addresses = count > 0 ? (size_t)count : 0;
    status = count > 0 ? open_all(&sockets, addrs, &inherited) : (int)count;
    mem_free(addrs);
    inherited_close(&inherited);
    if (status == 0 && (status = make_copies(&sockets)) < 0)
        log_error("daemon", "cannot copy the sockets: %s", error_text(status));
    if (status < 0)
        sockets_close(&sockets);
    else
        *out = sockets;
    return status;
}

void sockets_let_go(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->copy_count; i++)
        close_one(&sockets->copies[i]);
    sockets->copy_count = sockets->own_count = 0;
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; sockets->pairs && i < sockets->workers * sockets->per_worker; i++) {
        close_one(&sockets->pairs[i].udp);
        close_one(&sockets->pairs[i].tcp);
    }
    sockets_let_go(sockets);
    mem_free(sockets->copies);
    mem_free(sockets->pairs);
    sockets->copies = NULL;
    sockets->pairs = NULL;
}
