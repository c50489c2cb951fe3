#include "sockets.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"
#include "net/socket.h"

static void explain(const struct addr *addr, int error)
{
    char text[ADDR_TEXT], holder[128];
    addr_format(addr, true, text);
    socket_port_holder(addr, holder, sizeof holder);
    if (error == -EADDRINUSE)
        log_error("daemon",
                  "cannot listen on %s: the port is in use%s%s; stop that program or choose another address with `listen`", text,
                  holder[0] ? " by " : "", holder);
    else if (error == -EACCES || error == -EPERM)
        log_error("daemon",
                  "cannot listen on %s: no permission; start as root, give CAP_NET_BIND_SERVICE, or use a port above 1023", text);
    else if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT)
        log_error("daemon", "cannot listen on %s: %s; take the address out of `listen` or set it up on this machine", text,
                  error_text(error));
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
    *pair = (struct socket_pair){*addr, -1, -1};
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
    for (size_t i = 0; i < inherited->count; i++) {
        size_t at = 0;
        while (at < config->listen_count && !addr_equal(&config->listen[at], &inherited->pairs[i].addr))
            at++;
        if (at < config->listen_count)
            continue;
        log_error("daemon", "the service manager gave a socket for %s, which `listen` does not name: name it there, or take it out of the "
                  "socket unit", addr_format(&inherited->pairs[i].addr, true, text));
        return -EADDRNOTAVAIL;
    }
    return 0;
}

/* Gives the addresses in `out`, which has room for all, and their number; or negative after a line. */
static ssize_t choose_addresses(struct addr *out, const struct inherited *inherited, const struct config *config)
{
    size_t count = 0;
    if (inherited->count > 0 && config->listen_is_default) {
        for (; count < inherited->count; count++)
            out[count] = inherited->pairs[count].addr;
        return (ssize_t)count;
    }
    int status = check_named(inherited, config);
    for (size_t i = 0; status == 0 && i < config->listen_count; i++) {
        bool left_out = false;
        if (!inherited_find(inherited, &config->listen[i]))
            status = probe(config, &config->listen[i], &left_out);
        if (status == 0 && !left_out)
            out[count++] = config->listen[i];
    }
    return status < 0 ? status : (ssize_t)count;
}

static int open_all(struct sockets *sockets, const struct addr *addrs, const struct inherited *inherited)
{
    size_t count = sockets->workers * sockets->per_worker;
    int status = 0;
    sockets->pairs = mem_zalloc(count + 1, sizeof *sockets->pairs);
    if (!sockets->pairs)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sockets->pairs[i].udp = sockets->pairs[i].tcp = -1;
    for (size_t i = 0; status == 0 && i < count; i++) {
        const struct addr *addr = &addrs[i % sockets->per_worker];
        const struct socket_pair *given = inherited_find(inherited, addr);
        status = given ? inherited_copy(&sockets->pairs[i], given) : open_pair(&sockets->pairs[i], addr);
        if (status < 0)
            explain(addr, status);
    }
    return status;
}

int sockets_open(struct sockets *out, const struct config *config)
{
    struct sockets sockets = {.workers = config->workers};
    struct inherited inherited;
    int status = inherited_read(&inherited);
    if (status < 0)
        return status;
    struct addr *addrs = mem_zalloc(config->listen_count + inherited.count + 1, sizeof *addrs);
    ssize_t count = addrs ? choose_addresses(addrs, &inherited, config) : -ENOMEM;
    if (count == 0) {
        log_error("daemon", "there is no address to listen on");
        count = -EADDRNOTAVAIL;
    }
    sockets.per_worker = count > 0 ? (size_t)count : 0;
    status = count > 0 ? open_all(&sockets, addrs, &inherited) : (int)count;
    mem_free(addrs);
    inherited_close(&inherited);
    if (status < 0)
        sockets_close(&sockets);
    else
        *out = sockets;
    return status;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; sockets->pairs && i < sockets->workers * sockets->per_worker; i++) {
        close_one(&sockets->pairs[i].udp);
        close_one(&sockets->pairs[i].tcp);
    }
    mem_free(sockets->pairs);
    sockets->pairs = NULL;
}
