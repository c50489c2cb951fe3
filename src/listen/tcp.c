/* TCP clients.
 *
 * A client is in exactly one of two timeouts: `stalled` while octets of it are in between (a message begun and not complete, or
 * answers that it does not read), restarted by each progress; `idle` while nothing is; and in none while its queries wait (they
 * have their own limit). Invariants:
 *   - reading pauses while UNSENT_MAX octets of answers are unsent or WAITING_MAX of its queries wait, so that what one client
 *     can make us hold is bounded;
 *   - a client ends (client_end) before its stream does: its waiting queries are dropped first, so no answer comes for it.
 */
#include <errno.h>
#include <unistd.h>
#include <uv.h>
#include "base/errors.h"
#include "base/mem.h"
#include "base/slab.h"
#include "listen/tcp.h"
#include "net/stream.h"
#include "resolve/query.h"

enum {
    UNSENT_MAX = 65536, /* octets of answers before we stop reading this client's queries */
    WAITING_MAX = 512,  /* queries of one client that may wait at once */
    STALL_MS = 5000,    /* no progress for this long: reset */
    BACKLOG = 1024,
    ACCEPTS = 64,       /* clients accepted in one callback */
};

struct client {
    struct stream stream;
    struct tcp_clients *clients;
    struct list_link in_all;
    struct list_link in_dirty;
    struct timeout idle, stalled;
    struct list queries;       /* parked ones */
    unsigned waiting;
    size_t unsent_seen;        /* for progress */
    bool last;                 /* closes when all is answered: FIN was seen, or we drain */
    bool gone;                 /* client_end was here */
    struct addr addr;
};

struct tcp_clients {
    struct resolver *resolver;
    struct slab slab;
    struct list all, dirty;
    struct timeouts idle, stalled;
    struct loop_flush flush;
    unsigned limit;
    unsigned count;            /* clients not gone */
    struct list held;          /* listeners with a connection that found no memory; libuv rests them until it is accepted */
    bool draining;
};

struct tcp_listener {
    uv_tcp_t tcp;
    struct tcp_clients *clients;
    struct list_link in_held;
};

static void accept_one(struct tcp_listener *listener);

static struct client *client_of(struct stream *stream)
{
    return container_of(stream, struct client, stream);
}

/* --- the end of a client --- */

static void client_end(struct client *client)
{
    struct list_link *link;
    if (client->gone)
        return;
    client->gone = true;
    client->clients->count--;
    timeout_stop(&client->idle);
    timeout_stop(&client->stalled);
    list_remove(&client->in_dirty);
    while ((link = list_first(&client->queries)))
        query_drop(container_of(link, struct query, in_owner));
}

static void client_close(struct client *client, int reason)
{
    client_end(client);
    stream_close(&client->stream, reason);
}

static void client_reset(struct client *client, int reason)
{
    client_end(client);
    stream_reset(&client->stream, reason);
}

static void client_closed(struct stream *stream, int reason)
{
    struct client *client = client_of(stream);
    (void)reason;
    client_end(client);
    struct tcp_clients *clients = client->clients;
    list_remove(&client->in_all);
    slab_give(&clients->slab, client);
    struct list_link *held = list_pop(&clients->held);
    if (held)
        accept_one(container_of(held, struct tcp_listener, in_held));
}

/* --- its state after something happened --- */

/* Chooses the timeout that fits, closes a client that is done, pauses or resumes reading. */
static void client_update(struct client *client)
{
    struct stream *stream = &client->stream;
    struct tcp_clients *clients = client->clients;
    size_t unsent = stream_unsent(stream);
    if (client->gone)
        return;
    if (client->last && client->waiting == 0 && unsent == 0) {
        client_close(client, ERROR_CLOSED);
        return;
    }
    if (unsent >= UNSENT_MAX || client->waiting >= WAITING_MAX)
        stream_pause(stream);
    else if (stream->paused)
        stream_resume(stream);
    if (unsent > 0 || stream_mid_frame(stream)) {
        timeout_stop(&client->idle);
        timeout_start(&clients->stalled, &client->stalled);
    } else {
        timeout_stop(&client->stalled);
        if (client->waiting == 0)
            timeout_start(&clients->idle, &client->idle);
        else
            timeout_stop(&client->idle);
    }
}

static void client_touch(struct client *client)
{
    if (!list_linked(&client->in_dirty) && !client->gone)
        list_push_back(&client->clients->dirty, &client->in_dirty);
}

static void idle_expired(struct timeout *timeout)
{
    client_close(container_of(timeout, struct client, idle), ERROR_IDLE);
}

/* Octets that the kernel took since the last look are progress too. */
static void stalled_expired(struct timeout *timeout)
{
    struct client *client = container_of(timeout, struct client, stalled);
    size_t unsent = stream_unsent(&client->stream);
    if (unsent < client->unsent_seen) {
        client->unsent_seen = unsent;
        timeout_start(&client->clients->stalled, timeout);
        return;
    }
    counter_add(client->clients->resolver->counters, COUNTER_tcp_stalled, 1);
    client_reset(client, unsent ? ERROR_SLOW_READER : ERROR_SLOW_WRITER);
}

/* Writes each client's answers of this turn with one call. */
static bool clients_flush(struct loop_flush *hook)
{
    struct tcp_clients *clients = container_of(hook, struct tcp_clients, flush);
    struct list_link *link;
    bool busy = !list_empty(&clients->dirty);
    while ((link = list_pop(&clients->dirty))) {
        struct client *client = container_of(link, struct client, in_dirty);
        stream_flush(&client->stream);
        client->unsent_seen = stream_unsent(&client->stream);
        client_update(client);
    }
    return busy;
}

/* --- queries --- */

static uint8_t *tcp_room(struct query *query, size_t cap)
{
    struct client *client = query->origin.owner;
    uint8_t *room = stream_reserve(&client->stream, cap);
    if (!room && query->parked) { /* it will be dropped */
        client->waiting--;
        client_touch(client);
    }
    return room;
}

static void tcp_reply(struct query *query, size_t len)
{
    struct client *client = query->origin.owner;
    stream_commit(&client->stream, len);
    if (query->parked)
        client->waiting--;
    client_touch(client);
}

static const struct origin_ops tcp_ops = {.room = tcp_room, .reply = tcp_reply};

static void client_frame(struct stream *stream, uint8_t *message, size_t len)
{
    struct client *client = client_of(stream);
    struct resolver *resolver = client->clients->resolver;
    struct origin origin = {
        .ops = &tcp_ops,
        .owner = client,
        .client = client->addr,
        .tcp = true,
        .keepalive = true,
        .keepalive_100ms = (uint16_t)(client->clients->draining ? 0 : resolver->config->limits.tcp_idle_ms / 100),
    };
    if (client->gone)
        return;
    struct query *waiting = query_start(resolver, &origin, (struct bytes){message, len});
    if (waiting) {
        list_push_back(&client->queries, &waiting->in_owner);
        client->waiting++;
    }
    if (client->waiting >= WAITING_MAX || stream_unsent(stream) >= UNSENT_MAX)
        stream_pause(stream);
    client_touch(client);
}

static void client_ended(struct stream *stream)
{
    struct client *client = client_of(stream);
    client->last = true;
    client_touch(client);
}

/* Room again: reading may go on, or all is said. */
static void client_drained(struct stream *stream)
{
    client_touch(client_of(stream));
}

static const struct stream_ops client_ops = {
    .frame = client_frame,
    .ended = client_ended,
    .drained = client_drained,
    .closed = client_closed,
};

/* --- accepting --- */

/* Makes a place: the client idle for the longest time goes, else the one without progress for the longest. */
static bool evict_one(struct tcp_clients *clients)
{
    struct list_link *link = list_first(&clients->idle.running);
    if (link) {
        counter_add(clients->resolver->counters, COUNTER_tcp_evicted, 1);
        client_close(container_of(link, struct client, idle.link), ERROR_LIMIT);
        return true;
    }
    link = list_first(&clients->stalled.running);
    if (link) {
        counter_add(clients->resolver->counters, COUNTER_tcp_evicted, 1);
        client_reset(container_of(link, struct client, stalled.link), ERROR_LIMIT);
        return true;
    }
    return false;
}

/* Accepts into memory that is let go at once, so that the connection is not left hanging in the queue. */
static void refuse(struct client *client)
{
    counter_add(client->clients->resolver->counters, COUNTER_tcp_refused, 1);
    client_reset(client, ERROR_LIMIT);
}

static void accept_one(struct tcp_listener *listener)
{
    struct tcp_clients *clients = listener->clients;
    bool full = clients->count >= clients->limit && !evict_one(clients);
    struct client *client = slab_take(&clients->slab);
    if (!client) { /* many handles are closing: it is accepted when the first is gone */
        if (!list_linked(&listener->in_held))
            list_push_back(&clients->held, &listener->in_held);
        return;
    }
    client->clients = clients;
    list_init(&client->queries);
    if (stream_accept(&client->stream, clients->resolver->loop, &client_ops, (uv_stream_t *)&listener->tcp) < 0) {
        slab_give(&clients->slab, client);
        return;
    }
    clients->count++;
    list_push_back(&clients->all, &client->in_all);
    counter_add(clients->resolver->counters, COUNTER_tcp_accepted, 1);
    if (full || stream_peer(&client->stream, &client->addr, false) < 0) {
        refuse(client);
        return;
    }
    client->last = clients->draining;
    timeout_start(&clients->idle, &client->idle);
}

static void client_waits(uv_stream_t *stream, int status)
{
    if (status == 0)
        accept_one(container_of((uv_tcp_t *)stream, struct tcp_listener, tcp));
}

/* --- births and ends --- */

int tcp_clients_new(struct tcp_clients **out, struct resolver *resolver, unsigned limit)
{
    struct tcp_clients *clients = mem_zalloc(1, sizeof *clients);
    if (!clients)
        return -ENOMEM;
    clients->resolver = resolver;
    clients->limit = limit;
    /* Handles close asynchronously: some more exist for a moment than there are clients. */
    slab_init(&clients->slab, sizeof(struct client), (size_t)limit + ACCEPTS);
    list_init(&clients->all);
    list_init(&clients->dirty);
    list_init(&clients->held);
    timeouts_init(&clients->idle, resolver->loop, resolver->config->limits.tcp_idle_ms, idle_expired);
    timeouts_init(&clients->stalled, resolver->loop, STALL_MS, stalled_expired);
    clients->flush.flush = clients_flush;
    loop_add_flush(resolver->loop, &clients->flush);
    *out = clients;
    return 0;
}

void tcp_clients_drain(struct tcp_clients *clients)
{
    clients->draining = true;
    for (struct list_link *link = list_first(&clients->all); link; link = list_next(&clients->all, link)) {
        struct client *client = container_of(link, struct client, in_all);
        client->last = true;
        client_touch(client);
    }
}

void tcp_clients_close(struct tcp_clients *clients)
{
    for (struct list_link *link = list_first(&clients->all); link; link = list_next(&clients->all, link))
        client_close(container_of(link, struct client, in_all), ERROR_STOPPING);
}

void tcp_clients_free(struct tcp_clients *clients)
{
    if (!clients)
        return;
    loop_remove_flush(&clients->flush);
    timeouts_fini(&clients->idle);
    timeouts_fini(&clients->stalled);
    slab_fini(&clients->slab);
    mem_free(clients);
}

static void listener_closed(uv_handle_t *handle)
{
    mem_free(container_of((uv_tcp_t *)handle, struct tcp_listener, tcp));
}

int tcp_listen(struct tcp_listener **out, struct tcp_clients *clients, int fd)
{
    struct tcp_listener *listener = mem_zalloc(1, sizeof *listener);
    if (!listener)
        return -ENOMEM;
    listener->clients = clients;
    int status = uv_tcp_init(&clients->resolver->loop->uv, &listener->tcp);
    if (status < 0) {
        mem_free(listener);
        return status;
    }
    int own = dup(fd); /* the handle closes its own descriptor also when this fails half way */
    status = own < 0 ? -errno : uv_tcp_open(&listener->tcp, own);
    if (status < 0 && own >= 0)
        close(own);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, client_waits);
    if (status < 0) {
        tcp_close(listener);
        return status;
    }
    close(fd);
    *out = listener;
    return 0;
}

void tcp_close(struct tcp_listener *listener)
{
    list_remove(&listener->in_held);
    uv_close((uv_handle_t *)&listener->tcp, listener_closed);
}
