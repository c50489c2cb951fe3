/* SPDX-License-Identifier: MIT */
/* Making and binding listening sockets.
 *
 * Does:    non-blocking, close-on-exec sockets; IPV6_V6ONLY always; SO_REUSEADDR for TCP; IP_FREEBIND so that an
 *          address can be bound ahead of its interface (not for loopback and wildcard); for UDP large receive buffers
 *          and no path MTU discovery (forged ICMP could make us fragment).
 * Owns:    nothing; the caller owns the descriptor it gets.
 * Threads: any.
 */
#ifndef DOTSTUB_NET_SOCKET_H
#define DOTSTUB_NET_SOCKET_H

#include "base/addr.h"

#define SOCKET_RECEIVE_BUFFER                                                                                          \
    (8 * 1024 * 1024) /* wanted; what the kernel allows is taken: 20,000 queries that wait for a restart */

/* A bound UDP socket with SO_REUSEPORT; on a wildcard address with IP_PKTINFO or IPV6_RECVPKTINFO. The descriptor or
 * a negative errno. */
int socket_udp(const struct addr *addr) MUST_CHECK;
/* A bound TCP socket with SO_REUSEPORT, not yet listening. */
int socket_tcp(const struct addr *addr) MUST_CHECK;
/* Makes one that another process has bound (and perhaps listens on) fit for use: non-blocking, packet info on
 * wildcards. Gives what it is bound to, and SOCK_DGRAM or SOCK_STREAM. -ENOTSOCK, -EPROTOTYPE, -EAFNOSUPPORT: not one
 * for DNS; -EADDRNOTAVAIL: an IPv6 wildcard that takes IPv4 too (no IPV6_V6ONLY). */
int socket_adopt(int fd, struct addr *addr, int *type) MUST_CHECK;
/* Binds a socket of this type without SO_REUSEPORT and lets go again: 0, or -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, ... A
 * second daemon would share the port silently otherwise. TCP connections still in TIME_WAIT do not count. */
int socket_probe(const struct addr *addr, int type) MUST_CHECK;
/* True if the machine can make sockets of this family and, for loopback addresses, has the address; in doubt
 * (no descriptor left) true, so that binding says why. */
bool socket_family_works(const struct addr *addr);
/* The process that holds the port of `addr`, read from /proc: "pid 123 (unbound)" in `out`, or "" if unknown. */
void socket_port_holder(const struct addr *addr, char *out, size_t cap);

#endif
