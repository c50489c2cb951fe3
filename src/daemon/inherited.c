/* The listening sockets that the service manager opened for us.
 *
 * Invariants:
 * - Every address has both sockets: answers that do not fit into UDP come over TCP.
 * - Workers share an inherited socket. More of them with SO_REUSEPORT cannot be bound beside it: the kernel asks for
 *   the same owner, and that one's is the manager.
 */
#include "inherited.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/notify.h"
#include "net/socket.h"

static struct socket_pair *find(const struct inherited *inherited, const struct addr *addr)
{
    for (size_t i = 0; i < inherited->count; i++)
        if (addr_equal(&inherited->pairs[i].addr, addr))
            return &inherited->pairs[i];
    return NULL;
}

const struct socket_pair *inherited_find(const struct inherited *inherited, const struct addr *addr)
{
    return find(inherited, addr);
}

static int place(struct inherited *inherited, int fd, const struct addr *at, int type)
{
    char text[ADDR_TEXT];
    struct socket_pair *pair = find(inherited, at);
    if (!pair) {
        pair = &inherited->pairs[inherited->count++];
        *pair = (struct socket_pair){*at, -1, -1};
    }
    int *half = type == SOCK_DGRAM ? &pair->udp : &pair->tcp;
    if (*half >= 0) {
        log_error("daemon", "the service manager gave two sockets of one kind for %s: one Listen*= line in its socket unit is too many",
                  addr_format(at, true, text));
        return -EADDRINUSE;
    }
    *half = fd;
    return 0;
}

static int add(struct inherited *inherited, int fd)
{
    struct addr addr;
    int type;
    int status = socket_adopt(fd, &addr, &type);
    if (status == 0)
        return place(inherited, fd, &addr, type);
    log_error("daemon", "descriptor %d of the service manager is no socket that can be used: %s; see Listen*= and BindIPv6Only= in its "
              "socket unit", fd, error_text(status));
    return status;
}

/* Every address needs both. */
static int check_pairs(const struct inherited *inherited)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < inherited->count; i++) {
        const struct socket_pair *pair = &inherited->pairs[i];
        if (pair->udp >= 0 && pair->tcp >= 0)
            continue;
        log_error("daemon", "the service manager gave no %s socket for %s: its socket unit needs ListenDatagram= and ListenStream= for it",
                  pair->udp < 0 ? "UDP" : "TCP", addr_format(&pair->addr, true, text));
        return -EADDRNOTAVAIL;
    }
    return 0;
}

int inherited_read(struct inherited *out)
{
    struct inherited inherited = {.count = 0};
    int count = notify_sockets();
    if (count < 0) {
        log_error("daemon", "the sockets of the service manager (LISTEN_FDS) are not there: %s", error_text(count));
        return count;
    }
    inherited.pairs = mem_zalloc((size_t)count + 1, sizeof *inherited.pairs);
    int status = inherited.pairs ? 0 : -ENOMEM;
    for (int i = 0; status == 0 && i < count; i++)
        status = add(&inherited, NOTIFY_FIRST_SOCKET + i);
    if (status == 0)
        status = check_pairs(&inherited);
    if (status < 0)
        inherited_close(&inherited);
    else
        *out = inherited;
    return status;
}

int inherited_copy(struct socket_pair *out, const struct socket_pair *pair)
{
    *out = (struct socket_pair){pair->addr, fcntl(pair->udp, F_DUPFD_CLOEXEC, 0), fcntl(pair->tcp, F_DUPFD_CLOEXEC, 0)};
    return out->udp < 0 || out->tcp < 0 ? -errno : 0;
}

void inherited_close(struct inherited *inherited)
{
    for (size_t i = 0; i < inherited->count; i++) {
        if (inherited->pairs[i].udp >= 0)
            close(inherited->pairs[i].udp);
        if (inherited->pairs[i].tcp >= 0)
            close(inherited->pairs[i].tcp);
    }
    mem_free(inherited->pairs);
    *inherited = (struct inherited){.count = 0};
}
