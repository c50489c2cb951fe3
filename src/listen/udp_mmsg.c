/* SPDX-License-Identifier: MIT */
/* UDP by recvmmsg and sendmmsg.
 *
 * Invariants:
 *   - slots [first, count) of `out` hold the unsent responses; they are stored contiguously in `responses`, so that
 *     a batch touches few pages, and `room` follows them;
 *   - all slots of `in` except the first `received` are ready to receive; those are prepared again before the next
 *     call.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "dns/message.h"
#include "net/socket.h"
#include "udp_io.h"

/* Packet information of either address family; that of IPv6 is the larger one. */
union packet_info {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct batch {
    struct mmsghdr message[UDP_BATCH];
    struct iovec vector[UDP_BATCH];
    struct addr addr[UDP_BATCH];
    union packet_info info[UDP_BATCH];
};

struct udp_mmsg {
    struct udp_io io;
    struct counters *counters;
    int fd;
    struct addr addr;
    bool wildcard; /* packet information sets the source of a response */
    bool informed; /* packet information gives the destination of a query, and its interface */
    unsigned received;
    unsigned first, count;
    struct batch in, out;
    uint8_t query[UDP_BATCH]
                 /* With a stride of 4,096 all would share few lines of the processor's cache. */
                 [UDP_QUERY_MAX + 64];
    uint8_t responses[UDP_BATCH * UDP_RESPONSE_MAX];
};

/* --- receiving --- */

/* A function of its own, like put_source: its buffer would add a stack guard to the path of each query. */
static __attribute__((noinline)) void take_local(struct origin *origin, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo v4;
            memcpy(&v4, CMSG_DATA(c), sizeof v4);
            origin->local.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = v4.ipi_spec_dst};
            origin->interface = (unsigned)v4.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo v6;
            memcpy(&v6, CMSG_DATA(c), sizeof v6);
            origin->local.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = v6.ipi6_addr};
            origin->interface = (unsigned)v6.ipi6_ifindex;
        }
    }
}

struct bytes udp_io_query(struct udp_io *io, unsigned slot, struct origin *origin)
{
    struct udp_mmsg *mmsg = container_of(io, struct udp_mmsg, io);
    struct mmsghdr *message = &mmsg->in.message[slot];
    origin->client = origin->peer = mmsg->in.addr[slot];
    origin->local.sa.sa_family = AF_UNSPEC;
    if (mmsg->informed)
        take_local(origin, &message->msg_hdr);
    if (!(message->msg_hdr.msg_flags & MSG_TRUNC))
        return (struct bytes){mmsg->query[slot], message->msg_len};
    counter_add(mmsg->counters, COUNTER_udp_too_long, 1);
    return (struct bytes){mmsg->query[slot], MESSAGE_HEADER};
}

unsigned udp_io_receive(struct udp_io *io)
{
    struct udp_mmsg *mmsg = container_of(io, struct udp_mmsg, io);
    for (unsigned slot = 0; slot < mmsg->received; slot++) {
        struct msghdr *header = &mmsg->in.message[slot].msg_hdr;
        header->msg_namelen = sizeof mmsg->in.addr[slot];
        header->msg_controllen = mmsg->informed ? sizeof mmsg->in.info[slot] : 0;
    }
    int received = recvmmsg(mmsg->fd, mmsg->in.message, UDP_BATCH, MSG_DONTWAIT, NULL);
    mmsg->received = received > 0 ? (unsigned)received : 0;
    counter_add(mmsg->counters, COUNTER_udp_received, mmsg->received);
    return mmsg->received;
}

/* --- sending --- */

/* A link-local address needs its interface; for others the routing table determines it. */
static __attribute__((noinline)) void put_source(union packet_info *info, struct msghdr *message,
                                                 const struct origin *origin)
{
    message->msg_controllen = 0;
    if (origin->local.sa.sa_family == AF_INET) {
        struct in_pktinfo v4 = {.ipi_spec_dst = origin->local.in.sin_addr};
        info->header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof v4), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(&info->header), &v4, sizeof v4);
        message->msg_controllen = CMSG_SPACE(sizeof v4);
    } else if (origin->local.sa.sa_family == AF_INET6) {
        struct in6_pktinfo v6 = {.ipi6_addr = origin->local.in6.sin6_addr};
        if (IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr))
            v6.ipi6_ifindex = origin->interface;
        info->header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof v6), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(&info->header), &v6, sizeof v6);
        message->msg_controllen = CMSG_SPACE(sizeof v6);
    }
}

void udp_io_put(struct udp_io *io, const struct origin *origin, size_t len)
{
    struct udp_mmsg *mmsg = container_of(io, struct udp_mmsg, io);
    unsigned slot = mmsg->count++;
    mmsg->out.addr[slot] = origin->peer;
    mmsg->out.vector[slot] = (struct iovec){io->room, len};
    io->room = mmsg->count < UDP_BATCH ? io->room + len : NULL;
    if (mmsg->wildcard)
        put_source(&mmsg->out.info[slot], &mmsg->out.message[slot].msg_hdr, origin);
}

bool udp_io_send(struct udp_io *io)
{
    struct udp_mmsg *mmsg = container_of(io, struct udp_mmsg, io);
    while (mmsg->first < mmsg->count) {
        int sent = sendmmsg(mmsg->fd, &mmsg->out.message[mmsg->first], mmsg->count - mmsg->first, 0);
        if (sent > 0) {
            mmsg->first += (unsigned)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            return false;
        } else if (errno != EINTR) {
            mmsg->first++;
            counter_add(mmsg->counters, COUNTER_udp_send_failed, 1);
        }
    }
    mmsg->first = mmsg->count = 0;
    io->room = mmsg->responses;
    return true;
}

/* --- the socket --- */

void udp_io_clear_errors(struct udp_io *io)
{
    const struct udp_mmsg *mmsg = container_of(io, struct udp_mmsg, io);
    int error;
    socklen_t len = sizeof error;
    struct msghdr nothing = {.msg_name = NULL};
    (void)getsockopt(mmsg->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    while (recvmsg(mmsg->fd, &nothing, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
        ;
}

/* The length of the larger sockaddr is fine for IPv4, because the kernel uses the family. */
static void batch_init(struct batch *batch, unsigned slot)
{
    batch->message[slot].msg_hdr = (struct msghdr){.msg_name = &batch->addr[slot],
                                                   .msg_namelen = sizeof batch->addr[slot],
                                                   .msg_iov = &batch->vector[slot],
                                                   .msg_iovlen = 1,
                                                   .msg_control = &batch->info[slot]};
}

int udp_io_open(struct udp_io **out, int fd, const struct addr *addr, struct counters *counters)
{
    struct udp_mmsg *mmsg = mem_zalloc(1, sizeof *mmsg);
    if (!mmsg)
        return -ENOMEM;
    mmsg->counters = counters;
    mmsg->fd = fd;
    mmsg->addr = *addr;
    mmsg->wildcard = mmsg->informed = addr_is_wildcard(addr);
    mmsg->io.room = mmsg->responses;
    for (unsigned slot = 0; slot < UDP_BATCH; slot++) {
        batch_init(&mmsg->in, slot);
        batch_init(&mmsg->out, slot);
        mmsg->in.vector[slot] = (struct iovec){mmsg->query[slot], UDP_QUERY_MAX};
    }
    mmsg->received = UDP_BATCH;
    *out = &mmsg->io;
    return 0;
}

/* A socket without this information would answer as before; its clients are then in no view by interface. */
void udp_io_want_interface(struct udp_io *io)
{
    struct udp_mmsg *mmsg = container_of(io, struct udp_mmsg, io);
    if (mmsg->informed || socket_want_interface(mmsg->fd, &mmsg->addr) < 0)
        return;
    mmsg->informed = true;
    mmsg->received = UDP_BATCH; /* prepares all slots again */
}

void udp_io_free(struct udp_io *io)
{
    if (io)
        mem_free(container_of(io, struct udp_mmsg, io));
}
