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

int sockets_open(struct sockets *out, const struct config *config)
{
    struct sockets sockets = {.workers = config->workers};
    struct addr *addrs = mem_zalloc(config->listen_count + 1, sizeof *addrs);
    sockets.pairs = mem_zalloc(config->workers * config->listen_count + 1, sizeof *sockets.pairs);
    int status = addrs && sockets.pairs ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < config->listen_count; i++) {
        bool left_out;
        status = probe(config, &config->listen[i], &left_out);
        if (status == 0 && !left_out)
            addrs[sockets.per_worker++] = config->listen[i];
    }
    if (status == 0 && sockets.per_worker == 0) {
        log_error("daemon", "there is no address to listen on");
        status = -EADDRNOTAVAIL;
    }
    size_t count = status == 0 ? sockets.workers * sockets.per_worker : 0;
    for (size_t i = 0; i < count; i++)
        sockets.pairs[i].udp = sockets.pairs[i].tcp = -1;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = open_pair(&sockets.pairs[i], &addrs[i % sockets.per_worker]);
        if (status < 0)
            explain(&addrs[i % sockets.per_worker], status);
    }
    mem_free(addrs);
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
