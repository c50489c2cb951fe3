/* SPDX-License-Identifier: MIT */
/* The listening sockets that the service manager has for us.
 *
 * Invariants:
 * - Every address has both sockets: answers that do not fit into UDP come over TCP.
 * - Workers share a socket that the manager opened. More of them with SO_REUSEPORT cannot be bound beside it: the kernel asks for
 *   the same owner, and that one's is the manager. Those that were kept have been a process's like this one: each worker has one.
 * - A socket that was kept and is of no use is closed, and no mistake of anybody's.
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

enum { FORGET_MS = 1000 }; /* what the manager gets to close what it kept */

static struct socket_pair *find(const struct socket_pairs *list, const struct addr *addr)
{
    for (size_t i = 0; i < list->count; i++)
        if (addr_equal(&list->pairs[i].addr, addr))
            return &list->pairs[i];
    return NULL;
}

const struct socket_pair *inherited_find(const struct inherited *inherited, const struct addr *addr)
{
    return find(&inherited->opened, addr);
}

static int *half_of(struct socket_pair *pair, int type)
{
    return type == SOCK_DGRAM ? &pair->udp : &pair->tcp;
}

static struct socket_pair *append(struct socket_pairs *list, const struct addr *at)
{
    struct socket_pair *pair = &list->pairs[list->count++];
    *pair = (struct socket_pair){*at, -1, -1, false};
    return pair;
}

static int place_opened(struct socket_pairs *list, int fd, const struct addr *at, int type)
{
    char text[ADDR_TEXT];
    struct socket_pair *pair = find(list, at);
    if (!pair)
        pair = append(list, at);
    if (*half_of(pair, type) >= 0) {
        log_error(
            "daemon",
            "the service manager gave two sockets of one kind for %s: one Listen*= line in its socket unit is too many",
            addr_format(at, true, text));
        return -EADDRINUSE;
    }
    *half_of(pair, type) = fd;
    return 0;
}

/* Any two of an address make a pair. */
static void place_kept(struct socket_pairs *list, int fd, const struct addr *at, int type)
{
    size_t i = 0;
    while (i < list->count && (!addr_equal(&list->pairs[i].addr, at) || *half_of(&list->pairs[i], type) >= 0))
        i++;
    *half_of(i < list->count ? &list->pairs[i] : append(list, at), type) = fd;
}

static int add(struct inherited *inherited, int i)
{
    struct addr addr;
    int type, fd = NOTIFY_FIRST_SOCKET + i;
    bool kept = notify_socket_is(i, INHERITED_NAME);
    int status = socket_adopt(fd, &addr, &type);
    if (status == 0 && !kept)
        return place_opened(&inherited->opened, fd, &addr, type);
    if (status == 0)
        place_kept(&inherited->kept, fd, &addr, type);
    else if (kept)
        close(fd);
    else
        log_error(
            "daemon",
            "descriptor %d of the service manager is no socket that can be used: %s; see Listen*= and BindIPv6Only= in its "
            "socket unit",
            fd, error_text(status));
    return kept ? 0 : status;
}

/* Every address needs both. */
static int check_opened(const struct socket_pairs *opened)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < opened->count; i++) {
        const struct socket_pair *pair = &opened->pairs[i];
        if (pair->udp >= 0 && pair->tcp >= 0)
            continue;
        log_error(
            "daemon",
            "the service manager gave no %s socket for %s: its socket unit needs ListenDatagram= and ListenStream= for it",
            pair->udp < 0 ? "UDP" : "TCP", addr_format(&pair->addr, true, text));
        return -EADDRNOTAVAIL;
    }
    return 0;
}

int inherited_read(struct inherited *out)
{
    struct inherited inherited = {.opened = {.count = 0}};
    int count = notify_sockets();
    if (count < 0) {
        log_error("daemon", "the sockets of the service manager (LISTEN_FDS) are not there: %s", error_text(count));
        return count;
    }
    inherited.opened.pairs = mem_zalloc((size_t)count + 1, sizeof *inherited.opened.pairs);
    inherited.kept.pairs = mem_zalloc((size_t)count + 1, sizeof *inherited.kept.pairs);
    int status = inherited.opened.pairs && inherited.kept.pairs ? 0 : -ENOMEM;
    for (int i = 0; status == 0 && i < count; i++)
        status = add(&inherited, i);
    if (status == 0)
        status = check_opened(&inherited.opened);
    if (status < 0)
        inherited_close(&inherited);
    else
        *out = inherited;
    return status;
}

int inherited_from(struct inherited *out, const int *fds, size_t count)
{
    struct inherited inherited = {.opened = {.count = 0}};
    struct addr addr;
    int type;
    inherited.kept.pairs = mem_zalloc(count + 1, sizeof *inherited.kept.pairs);
    for (size_t i = 0; i < count; i++) {
        if (inherited.kept.pairs && socket_adopt(fds[i], &addr, &type) == 0)
            place_kept(&inherited.kept, fds[i], &addr, type);
        else
            close(fds[i]);
    }
    if (!inherited.kept.pairs)
        return -ENOMEM;
    *out = inherited;
    return 0;
}

int inherited_copy(struct socket_pair *out, const struct socket_pair *pair)
{
    *out = (struct socket_pair){pair->addr, fcntl(pair->udp, F_DUPFD_CLOEXEC, 0), fcntl(pair->tcp, F_DUPFD_CLOEXEC, 0),
                                true};
    return out->udp < 0 || out->tcp < 0 ? -errno : 0;
}

static bool is_whole(const struct socket_pair *pair)
{
    return pair->udp >= 0 && pair->tcp >= 0;
}

size_t inherited_count_kept(const struct inherited *inherited, const struct addr *addr)
{
    size_t count = 0;
    for (size_t i = 0; i < inherited->kept.count; i++)
        count += addr_equal(&inherited->kept.pairs[i].addr, addr) && is_whole(&inherited->kept.pairs[i]);
    return count;
}

bool inherited_take_kept(struct inherited *inherited, struct socket_pair *out, const struct addr *addr)
{
    for (size_t i = 0; i < inherited->kept.count; i++) {
        struct socket_pair *pair = &inherited->kept.pairs[i];
        if (!addr_equal(&pair->addr, addr) || !is_whole(pair))
            continue;
        *out = *pair;
        pair->udp = pair->tcp = -1;
        return true;
    }
    return false;
}

static void close_pair(struct socket_pair *pair)
{
    if (pair->udp >= 0)
        close(pair->udp);
    if (pair->tcp >= 0)
        close(pair->tcp);
    pair->udp = pair->tcp = -1;
}

/* Before anything is bound: a socket that is open somewhere still has its port. The manager gets those that are used again. */
void inherited_keep_only(struct inherited *inherited, const struct addr *addrs, size_t count, bool forget)
{
    bool closed = false;
    int status = 0;
    for (size_t i = 0; i < inherited->kept.count; i++) {
        struct socket_pair *pair = &inherited->kept.pairs[i];
        size_t at = 0;
        while (at < count && !addr_equal(&addrs[at], &pair->addr))
            at++;
        if (at == count || find(&inherited->opened, &pair->addr) || !is_whole(pair)) {
            close_pair(pair);
            closed = true;
        }
    }
    forget = forget && inherited->kept.count > 0;
    if (forget)
        status = notify_forget(INHERITED_NAME);
    if (forget && closed && status == 0)
        status = notify_wait(FORGET_MS);
    if (status < 0)
        log_warning("daemon", "the service manager still holds sockets that are not listened on any more: %s",
                    error_text(status));
}

static void close_pairs(struct socket_pairs *list)
{
    for (size_t i = 0; i < list->count; i++)
        close_pair(&list->pairs[i]);
    mem_free(list->pairs);
    *list = (struct socket_pairs){.count = 0};
}

void inherited_close(struct inherited *inherited)
{
    close_pairs(&inherited->opened);
    close_pairs(&inherited->kept);
}
