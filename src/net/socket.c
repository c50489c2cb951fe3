/* SPDX-License-Identifier: MIT */
/* Making and binding listening sockets.
 *
 * Invariants:
 * - All options of a socket are set before it is bound: in a group that shares a port, a bound socket gets
 *   datagrams at once.
 * - Options that only improve a socket (buffers, binding ahead, path MTU) may be refused by the kernel;
 *   options that are required for correct responses (IPV6_V6ONLY, SO_REUSEPORT, packet info) may not.
 * - Nothing here is on the path of a query; the search for a port's holder is bounded nevertheless.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "net/socket.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* missing in glibc */
#endif

enum sharing { EXCLUSIVE, SHARED };

static int turn_on(int fd, int level, int option)
{
    static const int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) < 0 ? -errno : 0;
}

static void set_if_possible(int fd, int level, int option, int value)
{
    (void)!setsockopt(fd, level, option, &value, sizeof(value));
}

/* SO_RCVBUF is limited by the kernel's setting; SO_RCVBUFFORCE is not, but fails without CAP_NET_ADMIN and then
 * changes nothing. */
static void set_receive_buffer(int fd)
{
    static const int wanted = SOCKET_RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) < 0)
        set_if_possible(fd, SOL_SOCKET, SO_RCVBUF, wanted);
}

static int set_udp_options(int fd, const struct addr *addr)
{
    if (addr->sa.sa_family == AF_INET6) {
        set_if_possible(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
        return addr_is_wildcard(addr) ? turn_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) : 0;
    }
    set_if_possible(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
    return addr_is_wildcard(addr) ? turn_on(fd, IPPROTO_IP, IP_PKTINFO) : 0;
}

static void allow_binding_ahead(int fd, const struct addr *addr)
{
    if (addr_is_loopback(addr) || addr_is_wildcard(addr))
        return;
    if (addr->sa.sa_family == AF_INET6)
        set_if_possible(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    else
        set_if_possible(fd, IPPROTO_IP, IP_FREEBIND, 1);
}

static int set_options(int fd, const struct addr *addr, int type, enum sharing sharing)
{
    int status = 0;
    if (addr->sa.sa_family == AF_INET6)
        status = turn_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (status == 0 && type == SOCK_STREAM)
        status = turn_on(fd, SOL_SOCKET, SO_REUSEADDR);
    if (status == 0 && sharing == SHARED)
        status = turn_on(fd, SOL_SOCKET, SO_REUSEPORT);
    if (type == SOCK_DGRAM)
        set_receive_buffer(fd);
    if (status == 0 && type == SOCK_DGRAM)
        status = set_udp_options(fd, addr);
    allow_binding_ahead(fd, addr);
    return status;
}

static int socket_bound(const struct addr *addr, int type, enum sharing sharing)
{
    struct addr local;
    int status = addr_resolve(&local, addr);
    if (status < 0)
        return status;
    int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    status = set_options(fd, addr, type, sharing);
    if (status < 0)
        goto fail;
    if (bind(fd, &local.sa, addr_len(&local)) < 0) {
        status = -errno;
        goto fail;
    }
    return fd;
fail:
    close(fd);
    return status;
}

int socket_udp(const struct addr *addr)
{
    return socket_bound(addr, SOCK_DGRAM, SHARED);
}

int socket_tcp(const struct addr *addr)
{
    return socket_bound(addr, SOCK_STREAM, SHARED);
}

/* --- sockets bound by another process --- */

static int find_name_and_type(int fd, struct addr *addr, int *type)
{
    struct sockaddr_storage name;
    socklen_t name_len = sizeof(name), type_len = sizeof(*type);
    if (getsockname(fd, (struct sockaddr *)&name, &name_len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, type, &type_len) < 0)
        return -errno;
    if (*type != SOCK_DGRAM && *type != SOCK_STREAM)
        return -EPROTOTYPE;
    return addr_from_sockaddr(addr, (struct sockaddr *)&name);
}

/* True for an IPv6 wildcard that also accepts IPv4, and so would get queries to addresses that are not configured. */
static bool is_of_both_families(int fd, const struct addr *addr)
{
    int only = 0;
    socklen_t len = sizeof(only);
    return addr->sa.sa_family == AF_INET6 && addr_is_wildcard(addr) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && !only;
}

/* The receive buffer is not changed: without privileges it could only shrink. */
int socket_adopt(int fd, struct addr *addr, int *type)
{
    struct addr found;
    int kind = 0;
    int status = find_name_and_type(fd, &found, &kind);
    if (status < 0)
        return status;
    if (is_of_both_families(fd, &found))
        return -EADDRNOTAVAIL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    status = kind == SOCK_DGRAM ? set_udp_options(fd, &found) : 0;
    if (status < 0)
        return status;
    *addr = found;
    *type = kind;
    return 0;
}

/* --- interfaces --- */

int socket_want_interface(int fd, const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET6 ? turn_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO)
                                          : turn_on(fd, IPPROTO_IP, IP_PKTINFO);
}

/* An IPv6 connection sends multicasts, which TCP does not have, to the interface that it came from. */
static unsigned ipv6_interface(int fd)
{
    int index = 0;
    socklen_t len = sizeof index;
    return getsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, &len) == 0 && index > 0 ? (unsigned)index : 0;
}

/* The kernel writes the control messages that a datagram would have. */
static unsigned ipv4_interface(int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct in_pktinfo)) + 64];
    } buffer;
    socklen_t len = sizeof buffer;
    struct in_pktinfo info;
    if (turn_on(fd, IPPROTO_IP, IP_PKTINFO) < 0 || getsockopt(fd, IPPROTO_IP, IP_PKTOPTIONS, &buffer, &len) < 0)
        return 0;
    struct msghdr message = {.msg_control = &buffer, .msg_controllen = len};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO || c->cmsg_len < CMSG_LEN(sizeof info))
            continue;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        return info.ipi_ifindex > 0 ? (unsigned)info.ipi_ifindex : 0;
    }
    return 0;
}

unsigned socket_interface(int fd, sa_family_t family)
{
    return family == AF_INET6 ? ipv6_interface(fd) : ipv4_interface(fd);
}

/* --- free ports, working address families --- */

int socket_probe(const struct addr *addr, int type)
{
    int fd = socket_bound(addr, type, EXCLUSIVE);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

bool socket_address_exists(const struct addr *addr)
{
    struct addr any_port = *addr;
    int fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno != EAFNOSUPPORT;
    addr_set_port(&any_port, 0);
    int error = bind(fd, &any_port.sa, addr_len(&any_port)) < 0 ? errno : 0;
    close(fd);
    return error != EADDRNOTAVAIL;
}

bool socket_family_works(const struct addr *addr)
{
    const struct addr wildcard = {.sa = {.sa_family = addr->sa.sa_family}};
    return socket_address_exists(addr_is_loopback(addr) ? addr : &wildcard);
}

/* --- who holds a port: rows of /proc/net give inodes, links of /proc/PID/fd give their processes --- */

#define HOLDER_ROWS   100000 /* the most rows read from one table */
#define HOLDER_LINKS  200000 /* the most descriptors examined */
#define HOLDER_INODES 16

struct holders {
    unsigned long inodes[HOLDER_INODES];
    size_t count;
};

/* An address in a table is in hexadecimal, each 32-bit word in the machine's byte order. IPv4 in IPv6 is
 * given as IPv4. */
static bool parse_table_address(struct addr *out, const char *hex, unsigned port)
{
    uint32_t words[4] = {0};
    size_t count = strlen(hex) / 8;
    if (strlen(hex) % 8 || (count != 1 && count != 4))
        return false;
    for (size_t i = 0; i < count; i++) {
        char digits[9] = {0};
        memcpy(digits, hex + 8 * i, 8);
        words[i] = (uint32_t)strtoul(digits, NULL, 16);
    }
    *out = (struct addr){0};
    bool mapped = count == 4 && !words[0] && !words[1] && words[2] == htonl(0xffff);
    if (count == 4 && !mapped) {
        out->in6.sin6_family = AF_INET6;
        memcpy(&out->in6.sin6_addr, words, sizeof(words));
    } else {
        out->in.sin_family = AF_INET;
        out->in.sin_addr.s_addr = words[mapped ? 3 : 0];
    }
    addr_set_port(out, (uint16_t)port);
    return true;
}

/* An IPv6 wildcard also occupies the port of IPv4 addresses (unless it is V6ONLY, which the tables do not show).
 */
static bool stands_in_the_way(const struct addr *held, const struct addr *wanted)
{
    if (addr_port(held) != addr_port(wanted))
        return false;
    if (addr_is_wildcard(held))
        return true;
    if (held->sa.sa_family != wanted->sa.sa_family)
        return false;
    if (addr_is_wildcard(wanted))
        return true;
    if (held->sa.sa_family == AF_INET)
        return held->in.sin_addr.s_addr == wanted->in.sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&held->in6.sin6_addr, &wanted->in6.sin6_addr);
}

/* Reads "sl: local:port remote:port state queues timer retransmits uid timeout inode". */
static void holders_add_row(struct holders *holders, const char *row, const struct addr *wanted, bool listening_only)
{
    char hex[33];
    unsigned port, state;
    unsigned long inode;
    struct addr held;
    if (sscanf(row, " %*u: %32[0-9A-Fa-f]:%4x %*s %2x %*s %*s %*s %*s %*s %lu", hex, &port, &state, &inode) != 4)
        return;
    if (!inode || (listening_only && state != 0x0A /* TCP_LISTEN */) || holders->count == HOLDER_INODES)
        return;
    if (parse_table_address(&held, hex, port) && stands_in_the_way(&held, wanted))
        holders->inodes[holders->count++] = inode;
}

static void holders_read(struct holders *holders, const char *path, const struct addr *wanted, bool listening_only)
{
    char row[512];
    FILE *table = fopen(path, "re");
    if (!table)
        return;
    for (unsigned rows = 0; rows < HOLDER_ROWS && fgets(row, sizeof(row), table); rows++)
        holders_add_row(holders, row, wanted, listening_only);
    fclose(table);
}

static void holders_find(struct holders *holders, const struct addr *wanted)
{
    if (wanted->sa.sa_family == AF_INET) {
        holders_read(holders, "/proc/net/udp", wanted, false);
        holders_read(holders, "/proc/net/tcp", wanted, true);
    }
    if (holders->count)
        return;
    holders_read(holders, "/proc/net/udp6", wanted, false);
    holders_read(holders, "/proc/net/tcp6", wanted, true);
}

static bool holders_have(const struct holders *holders, const char *link)
{
    unsigned long inode;
    if (sscanf(link, "socket:[%lu]", &inode) != 1)
        return false;
    for (size_t i = 0; i < holders->count; i++)
        if (holders->inodes[i] == inode)
            return true;
    return false;
}

/* True if the process has one of the sockets open; counts the examined links. */
static bool holders_hold(const struct holders *holders, const char *pid, unsigned *links)
{
    char path[64], target[64];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    DIR *fds = opendir(path);
    if (!fds)
        return false;
    for (struct dirent *entry; !found && *links < HOLDER_LINKS && (entry = readdir(fds)); (*links)++) {
        ssize_t len = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
        target[len > 0 ? len : 0] = '\0';
        found = holders_have(holders, target);
    }
    closedir(fds);
    return found;
}

/* A process chooses its name, and terminals show it. */
static void describe_process(const char *pid, char *out, size_t cap)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    FILE *comm = fopen(path, "re");
    size_t len = comm ? fread(name, 1, sizeof(name) - 1, comm) : 0;
    if (len > 0 && name[len - 1] == '\n')
        name[--len] = '\0';
    for (size_t i = 0; i < len; i++)
        if (name[i] < ' ' || name[i] > '~')
            name[i] = '?';
    if (len > 0)
        snprintf(out, cap, "pid %.20s (%s)", pid, name);
    else
        snprintf(out, cap, "pid %.20s", pid);
    if (comm)
        fclose(comm);
}

void socket_port_holder(const struct addr *addr, char *out, size_t cap)
{
    struct holders holders = {.count = 0};
    unsigned links = 0;
    bool found = false;
    snprintf(out, cap, "%s", "");
    holders_find(&holders, addr);
    DIR *processes = holders.count ? opendir("/proc") : NULL;
    if (!processes)
        return;
    for (struct dirent *entry; !found && (entry = readdir(processes));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !holders_hold(&holders, entry->d_name, &links))
            continue;
        describe_process(entry->d_name, out, cap);
        found = true;
    }
    closedir(processes);
}
