/* SPDX-License-Identifier: MIT */
/* Making and binding listening sockets.
 *
 * Does:    non-blocking, close-on-exec sockets; IPV6_V6ONLY always; SO_REUSEADDR for TCP; IP_FREEBIND so that an
 *          address can be bound ahead of its interface (not for loopback and wildcard); for UDP large receive buffers
 *          and no path MTU discovery (forged ICMP could make us fragment).
 * Owns:    nothing; the caller owns the returned descriptor.
 * Threads: any.
 */
#ifndef DOTSTUB_NET_SOCKET_H
#define DOTSTUB_NET_SOCKET_H

#include "base/addr.h"

#define SOCKET_RECEIVE_BUFFER                                                                                          \
    (8 * 1024 * 1024) /* enough for 20,000 queries that wait during a restart; the kernel may allow less */

/* A bound UDP socket with SO_REUSEPORT; on a wildcard address with IP_PKTINFO or IPV6_RECVPKTINFO. The descriptor or
 * a negative errno. */
int socket_udp(const struct addr *addr) MUST_CHECK;
/* A bound TCP socket with SO_REUSEPORT, not yet listening. */
int socket_tcp(const struct addr *addr) MUST_CHECK;
/* Prepares a socket that another process has bound (and perhaps listens on): non-blocking, packet info on
 * wildcards. Sets its address, and SOCK_DGRAM or SOCK_STREAM. -ENOTSOCK, -EPROTOTYPE, -EAFNOSUPPORT: unusable for
 * DNS; -EADDRNOTAVAIL: an IPv6 wildcard that also accepts IPv4 (no IPV6_V6ONLY). */
int socket_adopt(int fd, struct addr *addr, int *type) MUST_CHECK;
/* Lets the packet information of a UDP socket tell the interface of each datagram, as it does on a wildcard address. */
int socket_want_interface(int fd, const struct addr *addr) MUST_CHECK;
/* The number of the interface on which the first packet of an accepted connection came in; 0: unknown. */
unsigned socket_interface(int fd, sa_family_t family);
/* Binds a socket of this type without SO_REUSEPORT and closes it: 0, or -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, ...
 * Otherwise two daemons would silently share the port. TCP connections in TIME_WAIT do not count. */
int socket_probe(const struct addr *addr, int type) MUST_CHECK;
/* True if a socket can have this address now. If that is unknown (no descriptor left) true. */
bool socket_address_exists(const struct addr *addr);
/* True if the machine can create sockets of this family and, for loopback addresses, has the address. If that is
 * unknown (no descriptor left) true, so that binding reports the error. */
bool socket_family_works(const struct addr *addr);
/* The process that holds the port of `addr`, read from /proc: "pid 123 (unbound)" in `out`, or "" if unknown. Each byte of
 * its name but printable ASCII is a "?". */
void socket_port_holder(const struct addr *addr, char *out, size_t cap);

#endif
