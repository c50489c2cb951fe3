/* SPDX-License-Identifier: MIT */
/* Plain DNS over UDP (RFC 1035 section 4.2.1), in batches: receive, walk, send. Its interface to the system is
 * udp_io.h.
 *
 * Invariants:
 *   - `backlog` holds the responses that follow those in the back end, each after a struct late; it is empty unless
 *     the socket is blocked and the back end is full;
 *   - while the socket is blocked (its send buffer is full) nothing is read, so datagrams stay in the kernel's
 *     receive queue;
 *   - while the socket is flooded (from a turn with FLOOD datagrams until one with none) it is not polled but read
 *     once a turn, and the loop does not sleep: a polled socket costs a wake-up for each datagram received or sent;
 *   - responses that are ready while a batch is processed are sent with the batch; the flush hook sends the others;
 *   - the received datagrams are valid only within one round; query_park copies what a waiting query needs.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include "base/mem.h"
#include "listener.h"
#include "proxy.h"
#include "resolve/query.h"
#include "udp_io.h"

enum {
    GROUP =
        /* Queries run together: enough to hide the latency of memory, few enough to stay in the first-level cache. */
    16,
    ROUNDS = 8,                    /* receive rounds before other handles are served */
    FLOOD = 2 * UDP_BATCH,         /* datagrams in one turn that show that they arrive faster than they are processed */
    BACKLOG_MAX = 4 * 1024 * 1024, /* bytes: thousands of clients may get one response at once */
};

/* The header of each response in the backlog. */
struct late {
    struct origin origin;
    size_t len;
};

struct udp_listener {
    struct listener listener;
    uv_poll_t poll;
    uv_idle_t turn; /* runs while flooded */
    struct loop_flush flush;
    struct resolver *resolver;
    struct udp_io *io;
    int fd;
    bool stopped, blocked, flooded;
    bool walking;         /* a batch is being processed */
    enum proxy_use proxy; /* of datagrams */
    struct proxy_refusals refusals;
    unsigned untimed;              /* rounds until one is timed */
    uint64_t begun_us, begun_hits; /* of a timed round: its start, and the number of hits before it */
    struct buffer backlog;
};

static void poll_update(struct udp_listener *listener);

/* --- sending --- */

/* The back end has room: moves responses from the backlog to it. */
static void refill(struct udp_listener *listener)
{
    struct buffer *backlog = &listener->backlog;
    while (backlog->len > 0 && listener->io->room) {
        struct late late;
        memcpy(&late, buffer_bytes(backlog).data, sizeof late);
        memcpy(listener->io->room, buffer_bytes(backlog).data + sizeof late, late.len);
        buffer_consume(backlog, sizeof late + late.len);
        udp_io_put(listener->io, &late.origin, late.len);
    }
    if (backlog->len == 0)
        buffer_free(backlog);
}

static void send_responses(struct udp_listener *listener)
{
    while (udp_io_send(listener->io)) {
        if (listener->backlog.len == 0)
            return;
        refill(listener);
    }
    listener->blocked = true;
    poll_update(listener);
}

static void udp_flush(struct loop_flush *hook)
{
    struct udp_listener *listener = container_of(hook, struct udp_listener, flush);
    if (!listener->blocked)
        send_responses(listener);
}

/* Room for a response in the backlog, after its struct late. */
static uint8_t *backlog_room(struct udp_listener *listener, size_t cap)
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

static __attribute__((noinline, cold)) void backlog_put(struct buffer *backlog, const struct origin *origin, size_t len)
{
    const struct late late = {*origin, len};
    memcpy(backlog->data + backlog->start + backlog->len, &late, sizeof late);
    buffer_commit(backlog, sizeof late + len);
}

static uint8_t *udp_room(struct query *query, size_t cap)
{
    struct udp_listener *listener = query->origin.owner;
    assert(cap <= UDP_RESPONSE_MAX);
    if (!listener->io->room && !listener->blocked)
        send_responses(listener);
    return listener->io->room ? listener->io->room : backlog_room(listener, cap);
}

static void udp_reply(struct query *query, size_t len)
{
    struct udp_listener *listener = query->origin.owner;
    if (!listener->io->room) {
        backlog_put(&listener->backlog, &query->origin, len);
        return;
    }
    if (!listener->walking)
        loop_add_flush(listener->resolver->loop, &listener->flush);
    udp_io_put(listener->io, &query->origin, len);
}

static const struct origin_ops udp_ops = {.room = udp_room, .reply = udp_reply};

/* --- receiving --- */

/* Takes the header of a balancer off a datagram (proxy.h) and sets the client that it names. False: the datagram is
 * refused. */
static __attribute__((noinline)) bool unwrap(struct udp_listener *listener, struct bytes *wire, struct origin *origin)
{
    struct resolver *resolver = listener->resolver;
    enum proxy_refusal why = PROXY_NO_HEADER;
    int len = 0;
    if (listener->proxy == PROXY_REFUSE)
        why = PROXY_NOT_PRIVATE;
    else if (!proxy_is_trusted(resolver->config, &origin->peer))
        why = PROXY_NO_BALANCER;
    else
        len = proxy_read(*wire, &origin->client);
    if (len <= 0) {
        proxy_refused(resolver, &listener->refusals, &origin->peer, why);
        return false;
    }
    counter_add(resolver->counters, COUNTER_proxy_headers, 1);
    *wire = (struct bytes){wire->data + len, wire->len - (size_t)len};
    return true;
}

/* The datagrams in slots [slot, end): at most GROUP. */
static void walk_group(struct udp_listener *listener, unsigned slot, unsigned end)
{
    struct resolver *resolver = listener->resolver;
    struct query queries[GROUP], *query = queries;
    for (; slot < end; slot++) {
        struct bytes wire = udp_io_query(listener->io, slot, &query->origin);
        query->origin.ops = &udp_ops;
        query->origin.owner = listener;
        query->origin.source = TALLY_UDP;
        query->origin.tcp = query->origin.encrypted = false;
        query->origin.keepalive_100ms = 0;
        if (listener->proxy != PROXY_OFF && !unwrap(listener, &wire, &query->origin))
            continue;
        if (addr_port(&query->origin.peer) != 0)
            query += query_take(query, resolver, wire);
        else /* port 0 cannot be answered; a response could be a reflection (RFC 5452 section 9.1) */
            counter_add(resolver->counters, COUNTER_udp_ignored, 1);
    }
    query_run_all(queries, (unsigned)(query - queries));
}

/* Starts the timing of this round; note_time ends it. */
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

/* Receives and answers batches until one is not full. Returns the number of datagrams. */
static unsigned receive(struct udp_listener *listener)
{
    unsigned all = 0, received = UDP_BATCH;
    for (int round = 0; round < ROUNDS && received == UDP_BATCH && !listener->blocked; round++) {
        received = udp_io_receive(listener->io);
        if (received == 0)
            break;
        bool timed = listener->untimed-- == 0;
        if (timed)
            start_watch(listener);
        listener->walking = true;
        for (unsigned slot = 0; slot < received; slot += GROUP)
            walk_group(listener, slot, slot + GROUP < received ? slot + GROUP : received);
        listener->walking = false;
        if (!listener->blocked)
            send_responses(listener);
        if (timed)
            note_time(listener);
        all += received;
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

static void udp_ready(uv_poll_t *poll, int status, int events)
{
    struct udp_listener *listener = container_of(poll, struct udp_listener, poll);
    if (status < 0) { /* POLLERR, after which uv_poll has stopped itself */
        udp_io_clear_errors(listener->io);
        poll_update(listener);
        events = UV_READABLE | UV_WRITABLE;
    }
    if (listener->blocked && (events & UV_WRITABLE)) {
        listener->blocked = false;
        poll_update(listener);
        send_responses(listener);
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

static void udp_configure(struct listener *base)
{
    struct udp_listener *listener = container_of(base, struct udp_listener, listener);
    if (listener_wants_interface(listener->resolver->config))
        udp_io_want_interface(listener->io);
    listener->proxy = proxy_use(listener->resolver->config, &base->addr, SOCK_DGRAM);
}

static int udp_open(struct listener **out, struct listeners *listeners, int fd, const struct addr *addr)
{
    struct resolver *resolver = listeners->resolver;
    struct udp_listener *listener = mem_zalloc(1, sizeof *listener);
    int status = listener ? udp_io_open(&listener->io, fd, addr, resolver->counters) : -ENOMEM;
    if (status < 0)
        goto fail;
    status = uv_poll_init(&resolver->loop->uv, &listener->poll, fd);
    if (status < 0)
        goto fail_io;
    uv_idle_init(&resolver->loop->uv, &listener->turn); /* cannot fail */
    listener->resolver = resolver;
    listener->fd = fd;
    listener->flush.flush = udp_flush;
    listener->listener.addr = *addr;
    udp_configure(&listener->listener);
    poll_update(listener);
    *out = &listener->listener;
    return 0;
fail_io:
    udp_io_free(listener->io);
fail:
    mem_free(listener);
    return status;
}

static void udp_serve(struct listener *base)
{
    struct udp_listener *listener = container_of(base, struct udp_listener, listener);
    if (!listener->walking && !listener->blocked && !listener->stopped && !listener->flooded)
        (void)receive(listener);
}

static void udp_stop(struct listener *base)
{
    struct udp_listener *listener = container_of(base, struct udp_listener, listener);
    listener->stopped = true;
    poll_update(listener);
}

static void udp_closed(uv_handle_t *handle)
{
    struct udp_listener *listener = container_of((uv_idle_t *)handle, struct udp_listener, turn);
    close(listener->fd);
    udp_io_free(listener->io);
    buffer_free(&listener->backlog);
    mem_free(listener);
}

static void poll_closed(uv_handle_t *handle)
{
    struct udp_listener *listener = container_of((uv_poll_t *)handle, struct udp_listener, poll);
    uv_close((uv_handle_t *)&listener->turn, udp_closed);
}

static void udp_close(struct listener *base)
{
    struct udp_listener *listener = container_of(base, struct udp_listener, listener);
    send_responses(listener);
    loop_remove_flush(&listener->flush);
    uv_idle_stop(&listener->turn);
    uv_close((uv_handle_t *)&listener->poll, poll_closed);
}

const struct listener_kind listener_kind_udp = {
    .name = "UDP",
    .type = SOCK_DGRAM,
    .addresses = listener_addresses_plain,
    .open = udp_open,
    .configure = udp_configure,
    .serve = udp_serve,
    .stop = udp_stop,
    .close = udp_close,
};
