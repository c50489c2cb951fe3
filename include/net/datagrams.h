/* SPDX-License-Identifier: MIT */
/* Connected UDP sockets to one server, each with a source port of its own.
 *
 * Does:    opens sockets with unpredictable ports, sends, and delivers what the kernel accepts for a socket: datagrams
 *          of the server to its port, and errors (ICMP).
 * Owns:    the sockets and one handle of the loop for all of them. Embedded in its owner, which may free it from
 *          `closed` on, not before.
 * Threads: the loop's.
 * RFC:     5452 section 9.2, 6056.
 */
#ifndef DOTSTUB_NET_DATAGRAMS_H
#define DOTSTUB_NET_DATAGRAMS_H

#include <net/if.h>
#include <uv.h>
#include "base/addr.h"
#include "net/loop.h"

#define PORTS_RESERVED 32

/* The ports that programs may use without asking for a certain one: a range, and parts of it that are reserved. */
struct ports {
    uint16_t low, high; /* both included */
    unsigned reserved;
    struct {
        uint16_t low, high;
    } reserve[PORTS_RESERVED];
};

#define DATAGRAMS_SOCKETS 64

struct datagrams;

struct datagrams_ops {
    /* One datagram, writable, borrowed until the return. May send, and open and close any socket. */
    void (*received)(struct datagrams *datagrams, unsigned socket, uint8_t *message, size_t len);
    /* The kernel reports an error for a socket: -ECONNREFUSED, -EHOSTUNREACH, ... The socket stays open. */
    void (*failed)(struct datagrams *datagrams, unsigned socket, int reason);
    /* The end, called once, asynchronously, after datagrams_close. */
    void (*closed)(struct datagrams *datagrams);
};

struct datagrams {
    uv_poll_t poll;
    struct loop *loop;
    const struct datagrams_ops *ops;
    struct addr to, source;
    bool has_source, closing;
    char interface[IF_NAMESIZE]; /* "": any */
    uint32_t mark;               /* SO_MARK; 0: none */
    struct ports ports;
    int epoll;                      /* has all sockets: a descriptor that is readable while one of them is */
    int sockets[DATAGRAMS_SOCKETS]; /* -1: not open */
    unsigned open;
};

/* Prepares sockets to `to`, from `source` (NULL: the address that the kernel chooses; its port is not used) and through
 * `interface` (NULL: any), with `mark` (SO_MARK; 0: none). 0; or negative: nothing was started, and `closed` will not be called. */
int datagrams_open(struct datagrams *datagrams, struct loop *loop, const struct datagrams_ops *ops,
                   const struct addr *to, const struct addr *source, const char *interface, uint32_t mark) MUST_CHECK;
/* Opens the socket with this number, with a new random port of the range that the system sets aside for outgoing
 * connections. 0; or negative: -EMFILE, -ENETUNREACH, -ENODEV, ... */
int datagrams_open_socket(struct datagrams *datagrams, unsigned socket) MUST_CHECK;
/* Does nothing to a socket that is not open. */
void datagrams_close_socket(struct datagrams *datagrams, unsigned socket);
/* 0 or negative; -EAGAIN: no room in the kernel. */
int datagrams_send(struct datagrams *datagrams, unsigned socket, const uint8_t *message, size_t len) MUST_CHECK;
static inline bool datagrams_is_open(const struct datagrams *datagrams, unsigned socket)
{
    return datagrams->sockets[socket] >= 0;
}
/* The own address of a socket. 0 or negative. */
int datagrams_local(const struct datagrams *datagrams, unsigned socket, struct addr *out) MUST_CHECK;
/* Closes all sockets; `closed` is called later. */
void datagrams_close(struct datagrams *datagrams);

/* Reads the settings net.ipv4.ip_local_port_range and ip_local_reserved_ports, which are valid for IPv6, too, from files
 * of these names; the system's defaults for what cannot be read. */
void ports_read(struct ports *out, const char *range, const char *reserved);
/* An unpredictable port of the range; 0 if none was found that is not reserved. */
uint16_t ports_draw(const struct ports *ports);

#endif
