/* SPDX-License-Identifier: MIT */
/* Socket addresses and prefixes.
 *
 * Does:    parses and prints ADDR and ADDR@PORT ([ADDR]:PORT is refused), IPv6 with %zone; compares addresses;
 *          matches prefixes, where an IPv4-mapped IPv6 address counts as IPv4.
 * Owns:    nothing; values.
 * Threads: any.
 */
#ifndef DOTSTUB_BASE_ADDR_H
#define DOTSTUB_BASE_ADDR_H

#include <endian.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include "base/check.h"

struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

/* The longest text of addr_format with its NUL: an IPv6 address of 45 bytes, %zone, @port. */
#define ADDR_TEXT 72

/* Parses "127.0.0.1", "::1@5300", "fe80::1%eth0@53". A zone is the name or the number of an interface, and valid
 * on link-local addresses only. A name stays a name, since its interface may come later, or be made anew with another
 * number. 0 or -EINVAL; `out` is written on success only. */
int addr_parse(struct addr *out, const char *text, uint16_t default_port) MUST_CHECK;
/* Parses "%eth0" or "%eth0@53": all addresses of an interface. */
int addr_parse_interface(struct addr *out, const char *text, uint16_t default_port) MUST_CHECK;
/* True for a result of addr_parse_interface. */
bool addr_is_interface(const struct addr *addr);
/* The zone of the address if it is a name, else NULL. */
const char *addr_interface(const struct addr *addr);
/* A process can name this number of interfaces; the names are never freed. */
#define ADDR_ZONES 256
bool addr_is_interface_name(const char *text);
/* Replaces a name by the interface's present number, for the kernel. 0, or -ENODEV: there is no such interface. */
int addr_resolve(struct addr *out, const struct addr *addr) MUST_CHECK;
/* True for a link-local address without a zone, with which the kernel can do nothing. */
bool addr_lacks_zone(const struct addr *addr);
/* True for an IPv4-mapped address, which becomes the IPv4 address. */
bool addr_unmap(struct addr *addr);
/* Writes ADDR or ADDR@PORT (with_port) and returns `out`. */
const char *addr_format(const struct addr *addr, bool with_port, char out[ADDR_TEXT]);
/* Converts a socket address that the kernel wrote. 0, or -EAFNOSUPPORT for anything but IPv4 and IPv6. */
int addr_from_sockaddr(struct addr *out, const struct sockaddr *from) MUST_CHECK;
static inline socklen_t addr_len(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET ? sizeof addr->in : sizeof addr->in6;
}
static inline uint16_t addr_port(const struct addr *addr)
{
    return ntohs(addr->sa.sa_family == AF_INET ? addr->in.sin_port : addr->in6.sin6_port);
}
void addr_set_port(struct addr *addr, uint16_t port);
/* True if family, address, zone and port are equal. */
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *addr);
bool addr_is_wildcard(const struct addr *addr);

#define ADDR_MAPPED                                                                                                    \
    UINT64_C(0xffff00000000) /* the lower half of ::ffff:0:0/96, the IPv4-mapped addresses (RFC 4291 section 2.5.5.2) */
#define ADDR_MAPPED_BITS 96

/* A network in the form of IPv6: IPv4 is ::ffff:a.b.c.d, with 96 added to its length. */
struct prefix {
    uint8_t bytes[16];
    uint8_t bits;
};

#define PREFIX_TEXT 50 /* the longest text of prefix_format with its NUL */
/* Writes ADDR/LENGTH and returns `out`. */
const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT]);
/* Parses "10.0.0.0/8" or an address such as "::1". Bits behind the length must be zero. 0 or -EINVAL. */
int prefix_parse(struct prefix *out, const char *text) MUST_CHECK;
/* ::/0 contains all of IPv6 and no IPv4 address (0.0.0.0/0 does): only a prefix within ::ffff:0:0/96 contains IPv4.
 * Both halves stay in network byte order until their difference is shifted. */
static inline bool prefix_holds(const struct prefix *prefix, const struct addr *addr)
{
    unsigned high_bits = prefix->bits < 64 ? prefix->bits : 64, low_bits = prefix->bits - high_bits;
    uint64_t ours[2], theirs[2] = {0, htobe64(ADDR_MAPPED)};
    memcpy(ours, prefix->bytes, sizeof ours);
    if (addr->sa.sa_family == AF_INET)
        memcpy((uint8_t *)theirs + 12, &addr->in.sin_addr, 4);
    else
        memcpy(theirs, &addr->in6.sin6_addr, sizeof theirs);
    if (prefix->bits < ADDR_MAPPED_BITS && theirs[0] == 0 && be64toh(theirs[1]) >> 32 == ADDR_MAPPED >> 32)
        return false;
    return (high_bits == 0 || be64toh(ours[0] ^ theirs[0]) >> (64 - high_bits) == 0) &&
           (low_bits == 0 || be64toh(ours[1] ^ theirs[1]) >> (64 - low_bits) == 0);
}
/* True if the prefix holds loopback addresses only. */
bool prefix_is_loopback(const struct prefix *prefix);
/* True if one of the prefixes does. */
static inline bool prefixes_hold(const struct prefix *prefixes, size_t count, const struct addr *addr)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_holds(&prefixes[i], addr))
            return true;
    return false;
}

#endif
