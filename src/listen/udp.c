/* SPDX-License-Identifier: MIT */
/* UDP in batches.
 *
 * Invariants:
 *   - slots [first, count) of `out` hold answers not yet sent; they lie one behind the other in `answers`, so that a batch of them
 *     touches few pages, and the room of the query being answered is behind them;
 *   - `backlog` holds the answers behind these, each after a struct late; there are some only while the socket is blocked
 *     and all slots are taken;
 *   - while the socket is blocked (the kernel took no more) nothing is read, so that what comes stays in its queue;
 *   - while it is flooded (from a turn that brings FLOOD datagrams to one that brings none) the socket is not watched but read once
 *     a turn, and the loop does not sleep: a watched socket pays for a wake-up with each datagram that comes and each answer that
 *     leaves;
 *   - the receive buffers hold data only within one receive round; queries that wait have copied what they need.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include "base/mem.h"
#include "listen/udp.h"
#include "resolve/query.h"

enum {
    BATCH = 64,
    GROUP =
        16, /* queries walked at once: enough to wait for memory once, few enough to stay in the first-level cache */
    QUERY_SIZE = 2048,             /* a longer datagram is no query, whatever it begins with */
    ANSWER_SIZE = 4352,            /* the largest limits.udp-size and an OPT */
    ROUNDS = 8,                    /* receive rounds before other handles get their turn */
    FLOOD = 2 * BATCH,             /* datagrams in one turn: they come faster than they are taken */
    BACKLOG_MAX = 4 * 1024 * 1024, /* octets: thousands of clients may get one answer at once */
};

/* Either kind of packet information; IPv6's is the larger one. */
union packet_info {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct batch {
    struct mmsghdr message[BATCH];
    struct iovec vector[BATCH];
    struct addr addr[BATCH];
    union packet_info info[BATCH];
};

/* Stands before each answer in the backlog. */
struct late {
    struct origin origin;
    size_t len;
};

struct udp_listener {
    uv_poll_t poll;
    uv_idle_t turn; /* runs while flooded */
    struct loop_flush flush;
    struct resolver *resolver;
    int fd;
    bool wildcard, stopped, blocked, flooded;
    unsigned untimed;              /* so many rounds until one is timed */
    uint64_t begun_us, begun_hits; /* of a round that is timed: when, and how many hits there had been */
    unsigned first, count;
    size_t used; /* of `answers` */
    struct buffer backlog;
    struct batch in, out;
    uint8_t query[BATCH][QUERY_SIZE];
    uint8_t answers[BATCH * ANSWER_SIZE];
};

static void poll_update(struct udp_listener *listener);

/* --- sending --- */

/* The answer's source: the address that was asked. Link-local ones mean nothing without their interface; the way back from
 * all others is the routes' affair. */
static size_t put_source(union packet_info *info, const struct origin *origin)
{
    struct cmsghdr *header = &info->header;
    if (origin->local.sa.sa_family == AF_INET) {
        struct in_pktinfo v4 = {.ipi_spec_dst = origin->local.in.sin_addr};
        *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof v4), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(header), &v4, sizeof v4);
        return CMSG_SPACE(sizeof v4);
    }
    if (origin->local.sa.sa_family == AF_INET6) {
        struct in6_pktinfo v6 = {.ipi6_addr = origin->local.in6.sin6_addr};
        if (IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr))
            v6.ipi6_ifindex = origin->interface;
        *header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof v6), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(header), &v6, sizeof v6);
        return CMSG_SPACE(sizeof v6);
    }
    return 0;
}

/* The room behind the answers; there is a free slot. */
static uint8_t *slot_room(struct udp_listener *listener)
{
    return listener->answers + listener->used;
}

/* The answer of `len` octets in that room is to be sent. */
static void fill_slot(struct udp_listener *listener, const struct origin *origin, size_t len)
{
    unsigned slot = listener->count++;
    struct msghdr *header = &listener->out.message[slot].msg_hdr;
    listener->out.addr[slot] = origin->client;
    listener->out.vector[slot] = (struct iovec){slot_room(listener), len};
    listener->used += len;
    header->msg_namelen = addr_len(&origin->client);
    if (listener->wildcard)
        header->msg_controllen = put_source(&listener->out.info[slot], origin);
}

/* All slots are free: takes answers from the backlog. */
static void refill(struct udp_listener *listener)
{
    struct buffer *backlog = &listener->backlog;
    listener->first = listener->count = 0;
    listener->used = 0;
    while (backlog->len > 0 && listener->count < BATCH) {
        struct late late;
        memcpy(&late, buffer_bytes(backlog).data, sizeof late);
        memcpy(slot_room(listener), buffer_bytes(backlog).data + sizeof late, late.len);
        buffer_consume(backlog, sizeof late + late.len);
        fill_slot(listener, &late.origin, late.len);
        if (backlog->len == 0)
            buffer_free(backlog);
    }
}

/* Sends what there is; one bad destination costs its own answer only. */
static void send_batch(struct udp_listener *listener)
{
    while (listener->first < listener->count) {
        int sent =
            sendmmsg(listener->fd, &listener->out.message[listener->first], listener->count - listener->first, 0);
        if (sent > 0) {
            listener->first += (unsigned)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            listener->blocked = true;
            poll_update(listener);
            return;
        } else if (errno != EINTR) {
            listener->first++;
            counter_add(listener->resolver->counters, COUNTER_udp_send_failed, 1);
        }
        if (listener->first == listener->count)
            refill(listener);
    }
}

/* Room in the backlog, behind the struct late. */
static uint8_t *room_behind(struct udp_listener *listener, size_t cap)
{
    uint8_t *room = NULL;
    if (listener->backlog.len < BACKLOG_MAX)
        room = buffer_reserve(&listener->backlog, sizeof(struct late) + cap);
    if (!room) {
        counter_add(listener->resolver->counters, COUNTER_udp_send_failed, 1);
        return NULL;
    }
    return room + sizeof(struct late);
}

static uint8_t *udp_room(struct query *query, size_t cap)
{
    struct udp_listener *listener = query->origin.owner;
    assert(cap <= ANSWER_SIZE);
    if (listener->count == BATCH && !listener->blocked)
        send_batch(listener);
    return listener->count < BATCH ? slot_room(listener) : room_behind(listener, cap);
}

static void udp_reply(struct query *query, size_t len)
{
    struct udp_listener *listener = query->origin.owner;
    struct buffer *backlog = &listener->backlog;
    if (listener->count < BATCH) {
        fill_slot(listener, &query->origin, len);
        return;
    }
    struct late late = {query->origin, len};
    memcpy(backlog->data + backlog->start + backlog->len, &late, sizeof late);
    buffer_commit(backlog, sizeof late + len);
}

static const struct origin_ops udp_ops = {.room = udp_room, .reply = udp_reply};

/* --- receiving --- */

/* Which address was asked. */
static void take_local(struct origin *origin, struct msghdr *header)
{
    origin->local.sa.sa_family = AF_UNSPEC;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo v4;
            memcpy(&v4, CMSG_DATA(c), sizeof v4);
            origin->local.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = v4.ipi_spec_dst};
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo v6;
            memcpy(&v6, CMSG_DATA(c), sizeof v6);
            origin->local.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = v6.ipi6_addr};
            origin->interface = (unsigned)v6.ipi6_ifindex;
        }
    }
}

/* What is read of a datagram. Of one that is too long its header is left, which is refused as malformed. */
static size_t query_len(struct udp_listener *listener, const struct mmsghdr *message)
{
    if (!(message->msg_hdr.msg_flags & MSG_TRUNC))
        return message->msg_len;
    counter_add(listener->resolver->counters, COUNTER_udp_too_long, 1);
    return MESSAGE_HEADER;
}

/* True if `query` is to be run. */
static bool take_query(struct udp_listener *listener, struct origin *origin, unsigned slot, struct query *query)
{
    struct resolver *resolver = listener->resolver;
    struct mmsghdr *message = &listener->in.message[slot];
    origin->client = listener->in.addr[slot];
    if (addr_port(&origin->client) == 0) { /* cannot be answered; reflection (RFC 5452 section 9.1) */
        counter_add(resolver->counters, COUNTER_udp_ignored, 1);
        return false;
    }
    if (listener->wildcard)
        take_local(origin, &message->msg_hdr);
    return query_take(query, resolver, origin, (struct bytes){listener->query[slot], query_len(listener, message)});
}

static void take_group(struct udp_listener *listener, struct origin *origin, unsigned slot, unsigned end)
{
    struct query queries[GROUP];
    unsigned count = 0;
    for (; slot < end; slot++)
        count += take_query(listener, origin, slot, &queries[count]);
    query_run_all(queries, count);
}

static void ready_in(struct udp_listener *listener, unsigned slots)
{
    for (unsigned slot = 0; slot < slots; slot++) {
        struct msghdr *header = &listener->in.message[slot].msg_hdr;
        header->msg_namelen = sizeof listener->in.addr[slot];
        header->msg_controllen = listener->wildcard ? sizeof listener->in.info[slot] : 0;
    }
}

/* The hits of this round took the time until note_time. */
static void start_watch(struct udp_listener *listener)
{
    listener->untimed = TALLY_SAMPLED - 1;
    listener->begun_us = clock_us();
    listener->begun_hits = counter_read(listener->resolver->counters, COUNTER_cache_hits);
}

static void note_time(struct udp_listener *listener)
{
    struct resolver *resolver = listener->resolver;
    uint64_t hits = counter_read(resolver->counters, COUNTER_cache_hits) - listener->begun_hits;
    if (hits > 0)
        histogram_add(&resolver->tally.hits, (clock_us() - listener->begun_us + 9) / 10, hits);
}

/* One round: a batch in, its answers out. Gives how many came. */
static int receive_round(struct udp_listener *listener, struct origin *origin)
{
    int received = recvmmsg(listener->fd, listener->in.message, BATCH, MSG_DONTWAIT, NULL);
    if (received <= 0)
        return 0;
    bool timed = listener->untimed-- == 0;
    if (timed)
        start_watch(listener);
    counter_add(listener->resolver->counters, COUNTER_udp_received, (uint64_t)received);
    for (unsigned slot = 0; slot < (unsigned)received; slot += GROUP)
        take_group(listener, origin, slot, slot + GROUP < (unsigned)received ? slot + GROUP : (unsigned)received);
    if (!listener->blocked)
        send_batch(listener);
    if (timed)
        note_time(listener);
    ready_in(listener, (unsigned)received);
    return received;
}

/* Rounds until one is not full. Gives how many datagrams came. */
static int receive(struct udp_listener *listener)
{
    struct origin origin;
    int all = 0;
    memset(&origin, 0, sizeof origin);
    origin.ops = &udp_ops;
    origin.owner = listener;
    for (int round = 0; round < ROUNDS && !listener->blocked; round++) {
        int received = receive_round(listener, &origin);
        all += received;
        if (received < BATCH)
            break;
    }
    return all;
}

static void flood_ends(struct udp_listener *listener)
{
    listener->flooded = false;
    uv_idle_stop(&listener->turn);
    poll_update(listener);
}

static void flooded_turn(uv_idle_t *turn)
{
    struct udp_listener *listener = container_of(turn, struct udp_listener, turn);
    if (listener->blocked || listener->stopped || receive(listener) == 0)
        flood_ends(listener);
}

static void flood_begins(struct udp_listener *listener)
{
    listener->flooded = true;
    uv_idle_start(&listener->turn, flooded_turn);
    poll_update(listener);
}

/* --- the handle --- */

/* Takes pending errors: while there are any the socket is ready all the time. */
static void forget_errors(struct udp_listener *listener)
{
    int error;
    socklen_t len = sizeof error;
    struct msghdr nothing = {.msg_name = NULL};
    (void)getsockopt(listener->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    while (recvmsg(listener->fd, &nothing, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
        ;
}

static void udp_ready(uv_poll_t *poll, int status, int events)
{
    struct udp_listener *listener = container_of(poll, struct udp_listener, poll);
    if (status < 0) { /* POLLERR, upon which uv_poll has stopped itself */
        forget_errors(listener);
        poll_update(listener);
        events = UV_READABLE | UV_WRITABLE;
    }
    if (listener->blocked && (events & UV_WRITABLE)) {
        listener->blocked = false;
        poll_update(listener);
        send_batch(listener);
    }
    if ((events & UV_READABLE) && !listener->stopped && receive(listener) >= FLOOD)
        flood_begins(listener);
}

static void poll_update(struct udp_listener *listener)
{
    int events = listener->blocked ? UV_WRITABLE : listener->stopped || listener->flooded ? 0 : UV_READABLE;
    if (events)
        uv_poll_start(&listener->poll, events, udp_ready);
    else
        uv_poll_stop(&listener->poll);
}

static bool udp_flush(struct loop_flush *hook)
{
    struct udp_listener *listener = container_of(hook, struct udp_listener, flush);
    if (listener->count == 0 || listener->blocked)
        return false;
    send_batch(listener);
    return true;
}

static void batch_init(struct udp_listener *listener)
{
    for (unsigned slot = 0; slot < BATCH; slot++) {
        listener->in.vector[slot] = (struct iovec){listener->query[slot], QUERY_SIZE};
        listener->in.message[slot].msg_hdr = (struct msghdr){.msg_name = &listener->in.addr[slot],
                                                             .msg_iov = &listener->in.vector[slot],
                                                             .msg_iovlen = 1,
                                                             .msg_control = &listener->in.info[slot]};
        listener->out.message[slot].msg_hdr = (struct msghdr){.msg_name = &listener->out.addr[slot],
                                                              .msg_iov = &listener->out.vector[slot],
                                                              .msg_iovlen = 1,
                                                              .msg_control = &listener->out.info[slot]};
    }
    ready_in(listener, BATCH);
}

int udp_listen(struct udp_listener **out, struct resolver *resolver, int fd, const struct addr *addr)
{
    struct udp_listener *listener = mem_zalloc(1, sizeof *listener);
    if (!listener)
        return -ENOMEM;
    int status = uv_poll_init(&resolver->loop->uv, &listener->poll, fd);
    if (status < 0) {
        mem_free(listener);
        return status;
    }
    uv_idle_init(&resolver->loop->uv, &listener->turn); /* cannot fail */
    listener->resolver = resolver;
    listener->fd = fd;
    listener->wildcard = addr_is_wildcard(addr);
    batch_init(listener);
    listener->flush.flush = udp_flush;
    loop_add_flush(resolver->loop, &listener->flush);
    poll_update(listener);
    *out = listener;
    return 0;
}

void udp_stop(struct udp_listener *listener)
{
    listener->stopped = true;
    poll_update(listener);
}

static void udp_closed(uv_handle_t *handle)
{
    struct udp_listener *listener = container_of((uv_idle_t *)handle, struct udp_listener, turn);
    close(listener->fd);
    buffer_free(&listener->backlog);
    mem_free(listener);
}

static void poll_closed(uv_handle_t *handle)
{
    struct udp_listener *listener = container_of((uv_poll_t *)handle, struct udp_listener, poll);
    uv_close((uv_handle_t *)&listener->turn, udp_closed);
}

void udp_close(struct udp_listener *listener)
{
    send_batch(listener);
    loop_remove_flush(&listener->flush);
    uv_idle_stop(&listener->turn);
    uv_close((uv_handle_t *)&listener->poll, poll_closed);
}
