/* SPDX-License-Identifier: MIT */
/* Invariants: a closed socket is -1 in `sockets`, so an event that was fetched before its end finds nothing to read. The
 * ports are drawn here, not by the kernel: older kernels draw them from a generator that can be predicted. */
#include "net/datagrams.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/hash.h"

enum {
    READ_A_TURN = 16, /* datagrams of one socket before those of others */
    DRAWS = 32,       /* ports tried before the kernel chooses one */
    LOW_DEFAULT = 32768,
    HIGH_DEFAULT = 60999,
};

/* --- ports --- */

/* Reads the first line; false: the file cannot be read, or has none. */
static bool read_line(const char *path, char *out, int cap)
{
    FILE *file = fopen(path, "re");
    bool read = file && fgets(out, cap, file);
    if (file)
        fclose(file);
    return read;
}

/* Items are numbers and ranges, as in "8080,9000-9100". */
static void read_reserved(struct ports *out, char *text)
{
    char *rest = NULL;
    for (char *item = strtok_r(text, ",\n", &rest); item && out->reserved < PORTS_RESERVED;
         item = strtok_r(NULL, ",\n", &rest)) {
        unsigned low, high;
        int count = sscanf(item, "%5u-%5u", &low, &high);
        if (count < 1 || low > UINT16_MAX)
            continue;
        if (count < 2 || high > UINT16_MAX || high < low)
            high = low;
        out->reserve[out->reserved].low = (uint16_t)low;
        out->reserve[out->reserved++].high = (uint16_t)high;
    }
}

void ports_read(struct ports *out, const char *range, const char *reserved)
{
    char text[4096];
    unsigned low, high;
    *out = (struct ports){.low = LOW_DEFAULT, .high = HIGH_DEFAULT};
    if (read_line(range, text, sizeof text) && sscanf(text, "%5u %5u", &low, &high) == 2 && low > 0 && low <= high &&
        high <= UINT16_MAX) {
        out->low = (uint16_t)low;
        out->high = (uint16_t)high;
    }
    if (read_line(reserved, text, sizeof text))
        read_reserved(out, text);
}

static bool is_reserved(const struct ports *ports, uint16_t port)
{
    for (unsigned i = 0; i < ports->reserved; i++)
        if (port >= ports->reserve[i].low && port <= ports->reserve[i].high)
            return true;
    return false;
}

uint16_t ports_draw(const struct ports *ports)
{
    for (unsigned i = 0; i < DRAWS; i++) {
        uint16_t port = (uint16_t)(ports->low + random_below(ports->high - ports->low + 1u));
        if (!is_reserved(ports, port))
            return port;
    }
    return 0;
}

/* --- sockets --- */

static int bind_to_port(int fd, const struct addr *from, const struct ports *ports)
{
    struct addr local = *from;
    for (unsigned i = 0; i < DRAWS; i++) {
        addr_set_port(&local, ports_draw(ports));
        if (bind(fd, &local.sa, addr_len(&local)) == 0)
            return 0;
        if (errno != EADDRINUSE && errno != EACCES)
            return -errno;
    }
    addr_set_port(&local, 0);
    return bind(fd, &local.sa, addr_len(&local)) == 0 ? 0 : -errno;
}

static int find_source(const struct datagrams *datagrams, struct addr *out)
{
    if (datagrams->has_source)
        return addr_resolve(out, &datagrams->source);
    *out = (struct addr){.sa.sa_family = datagrams->to.sa.sa_family};
    return 0;
}

static int prepare(const struct datagrams *datagrams, int fd)
{
    static const int on = 1;
    struct addr peer, from;
    int status = addr_resolve(&peer, &datagrams->to);
    if (status == 0)
        status = find_source(datagrams, &from);
    if (status == 0 && datagrams->interface[0] &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, datagrams->interface, (socklen_t)strlen(datagrams->interface)) < 0)
        status = -errno;
    if (status == 0 && datagrams->mark &&
        setsockopt(fd, SOL_SOCKET, SO_MARK, &datagrams->mark, sizeof datagrams->mark) < 0)
        status = -errno; /* without its mark a packet might take another route */
    if (status == 0 && datagrams->to.sa.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        status = -errno;
    if (status < 0)
        return status;
    status = bind_to_port(fd, &from, &datagrams->ports);
    if (status == 0 && connect(fd, &peer.sa, addr_len(&peer)) < 0)
        status = -errno;
    return status;
}

int datagrams_open_socket(struct datagrams *datagrams, unsigned socket_number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = socket_number};
    int fd = socket(datagrams->to.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int status = prepare(datagrams, fd);
    if (status == 0 && epoll_ctl(datagrams->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        status = -errno;
    if (status < 0) {
        close(fd);
        return status;
    }
    datagrams_close_socket(datagrams, socket_number);
    datagrams->sockets[socket_number] = fd;
    datagrams->open++;
    return 0;
}

void datagrams_close_socket(struct datagrams *datagrams, unsigned socket)
{
    if (datagrams->sockets[socket] < 0)
        return;
    close(datagrams->sockets[socket]);
    datagrams->sockets[socket] = -1;
    datagrams->open--;
}

int datagrams_send(struct datagrams *datagrams, unsigned socket, const uint8_t *message, size_t len)
{
    return send(datagrams->sockets[socket], message, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int datagrams_local(const struct datagrams *datagrams, unsigned socket, struct addr *out)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    if (getsockname(datagrams->sockets[socket], (struct sockaddr *)&name, &len) < 0)
        return -errno;
    return addr_from_sockaddr(out, (const struct sockaddr *)&name);
}

/* --- receiving --- */

static void receive(struct datagrams *datagrams, unsigned socket)
{
    for (unsigned i = 0; i < READ_A_TURN && !datagrams->closing && datagrams->sockets[socket] >= 0; i++) {
        uint8_t *message = datagrams->loop->read_scratch;
        ssize_t len = recv(datagrams->sockets[socket], message, LOOP_SCRATCH, 0);
        if (len >= 0)
            datagrams->ops->received(datagrams, socket, message, (size_t)len);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if (errno != EINTR)
            datagrams->ops->failed(datagrams, socket, -errno);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct datagrams *datagrams = container_of(poll, struct datagrams, poll);
    struct epoll_event ready[DATAGRAMS_SOCKETS];
    (void)status, (void)events;
    int count = epoll_wait(datagrams->epoll, ready, DATAGRAMS_SOCKETS, 0);
    for (int i = 0; i < count && !datagrams->closing; i++)
        receive(datagrams, ready[i].data.u32);
}

/* --- start and end --- */

int datagrams_open(struct datagrams *datagrams, struct loop *loop, const struct datagrams_ops *ops,
                   const struct addr *to, const struct addr *source, const char *interface, uint32_t mark)
{
    *datagrams = (struct datagrams){.loop = loop, .ops = ops, .to = *to, .has_source = source != NULL, .mark = mark};
    if (interface)
        snprintf(datagrams->interface, sizeof datagrams->interface, "%s", interface);
    if (source)
        datagrams->source = *source;
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        datagrams->sockets[i] = -1;
    ports_read(&datagrams->ports, "/proc/sys/net/ipv4/ip_local_port_range",
               "/proc/sys/net/ipv4/ip_local_reserved_ports");
    datagrams->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (datagrams->epoll < 0)
        return -errno;
    int status = datagrams_open_socket(datagrams, random_below(DATAGRAMS_SOCKETS));
    if (status == 0)
        status = uv_poll_init(&loop->uv, &datagrams->poll, datagrams->epoll);
    if (status == 0) {
        uv_poll_start(&datagrams->poll, UV_READABLE, on_readable);
        return 0;
    }
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        datagrams_close_socket(datagrams, i);
    close(datagrams->epoll);
    return status;
}

static void on_closed(uv_handle_t *handle)
{
    struct datagrams *datagrams = container_of((uv_poll_t *)handle, struct datagrams, poll);
    close(datagrams->epoll);
    datagrams->ops->closed(datagrams);
}

void datagrams_close(struct datagrams *datagrams)
{
    if (datagrams->closing)
        return;
    datagrams->closing = true;
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        datagrams_close_socket(datagrams, i);
    uv_close((uv_handle_t *)&datagrams->poll, on_closed);
}
