/* SPDX-License-Identifier: MIT */
/* Clients on connections.
 *
 * Timeouts of a client: `stalled` while data is in transit (an incomplete message, or responses that it has not
 * read), restarted by each byte transferred; `idle` while none of its queries waits and no response is unsent,
 * restarted by each response, so that neither an endless message nor messages without a response keep it open.
 * While its queries wait it may have none, because queries have their own limit. Invariants:
 *   - reading pauses while UNSENT_MAX bytes of responses are unsent or WAITING_MAX of its queries wait, and until
 *     the end of the turn after TURN_MAX messages: this bounds the work and the memory that one client can cause;
 *   - output is counted when it is appended. While all clients together have limits.tcp-output unsent, or one
 *     network a NETWORK_PART of that, no response is built for them: the query waits in `deferred`, or its message
 *     in the stream, and the client in `hungry`;
 *   - all clients together hold at most HELD_MAX bytes at the end of a turn: clients that have made no progress for
 *     the longest time are reset first. Not counted is the input of handshakes, which net/layers and net/tls bound for
 *     each of the HANDSHAKES_MAX;
 *   - when all places are taken, make_place chooses the client to evict for a new one;
 *   - a listener without a free place for a new client pauses (libuv then accepts no others) until a place is free;
 *   - client_end drops the waiting queries of a client before the client is freed, so no response can come for it;
 *   - a listener is freed when it was closed and its handle and its last client are gone.
 */
#include <errno.h>
#include <unistd.h>
#include <uv.h>
#include "base/errors.h"
#include "base/mem.h"
#include "base/slab.h"
#include "clients.h"
#include "listener.h"
#include "net/tls.h"
#include "proxy.h"
#include "resolve/query.h"

enum {
    UNSENT_MAX = 64 * 1024,
    WAITING_MAX = 512,
    TURN_MAX = 1024,
    SERVE_UDP = 128, /* messages of all connections after which datagrams are received, beside a turn's own time */
    SERVE_PIECE = 8, /* a piece of a protocol's input counts as this number of messages, beside those in it */
    HELD_MAX = 6 * 1024 * 1024,
    STALL_MS = 5000,         /* clients without progress for this long are reset */
    REST_MS = 20,            /* interval at which a listener without a free place tries again */
    NETWORK_PART = 4,        /* one network may use this fraction of the output */
    SCAN_MAX = 32,           /* clients that are examined to find one to evict */
    BEGUN_MS = 1000,         /* clients with an incomplete message for this long are evicted before idle ones */
    PATIENT_MS = 500,        /* a client keeps its place at least this long while its queries wait */
    HANDSHAKES_NETWORK = 64, /* connections of one network whose TLS handshake takes longer than HANDSHAKE_SLOW_MS */
    HANDSHAKE_SLOW_MS = 1000,
    HANDSHAKES_MAX = 512, /* of all, however long they take */
    SERVED_MAX = 256,     /* deferred queries that are walked again in one turn */
    BACKLOG = 1024,
    CLOSING_MAX = 64, /* handles close asynchronously: the most that may exist besides those of live clients */
};

struct client {
    struct stream stream;
    struct clients *clients;
    struct stream_listener *listener;       /* the listener that accepted it */
    const struct client_protocol *protocol; /* of its listener; NULL: a message in each frame */
    void *protocol_state;
    struct list_link in_listener;
    struct list_link in_dirty;  /* linked if its state may have changed in this turn */
    struct list_link in_hungry; /* linked while it waits for room for output */
    struct share *share;        /* of its network */
    struct list_link in_share, in_handshakes;
    struct timeout idle, stalled;
    struct list queries;  /* its waiting queries */
    struct list deferred; /* those whose response found no room */
    unsigned waiting;
    unsigned messages;   /* received in this turn */
    uint64_t answered;   /* bytes of responses appended so far */
    uint64_t moved;      /* value of client_moved when `stalled` was started */
    size_t output, held; /* its part of the totals in `clients` */
    uint64_t accepted_ms;
    bool served;          /* a response was appended in this turn */
    bool last;            /* closes after the last response: FIN was received, or the listener drains */
    bool gone;            /* client_end was called */
    bool handshaking;     /* its TLS handshake is not done */
    struct origin origin; /* of its queries */
};

struct clients {
    struct resolver *resolver;
    const struct listeners *listeners;
    struct slab slab;
    struct list dirty, hungry;
    struct timeouts idle, stalled, rest, serves;
    struct timeout serve; /* runs while `hungry` is not empty */
    struct loop_flush flush;
    unsigned limit;
    unsigned count;       /* live clients */
    unsigned taken;       /* messages since datagrams were last received in between */
    unsigned handshaking; /* of them, those whose TLS handshake is not done */
    size_t output_max;    /* limits.tcp-output */
    size_t output;        /* bytes of unsent responses */
    size_t held;          /* at the end of the last turn: unsent responses and incomplete messages */
    uint8_t *room; /* of protocols: MESSAGE_MAX bytes for the response being built; NULL: there is no such listener */
    struct proxy_refusals refusals;
};

struct stream_listener {
    struct listener listener;
    uv_tcp_t handle;
    struct clients *clients;
    struct stream_form form;
    struct tls_listener tls; /* form.layer_config of TLS */
    const struct client_protocol *protocol;
    struct timeout rest;
    struct list accepted; /* clients */
    bool stopped;         /* the handle is closing */
    bool handle_gone;     /* the handle is gone */
    bool closed;          /* the listener has left its worker's list */
};

static void accept_one(struct stream_listener *listener);

static void listener_free_if_gone(struct stream_listener *listener)
{
    if (listener->closed && listener->handle_gone && list_empty(&listener->accepted))
        mem_free(listener);
}

static struct client *client_of(struct stream *stream)
{
    return container_of(stream, struct client, stream);
}

/* --- the end of a client --- */

static void client_count_output(struct client *client, size_t output)
{
    client->clients->output += output - client->output;
    client->share->output += output - client->output;
    client->output = output;
}

static void client_count_held(struct client *client, size_t held)
{
    client->clients->held += held - client->held;
    client->held = held;
}

/* The TLS handshake of the client is done, or the connection ended. */
static void client_end_handshake(struct client *client)
{
    struct clients *clients = client->clients;
    if (!client->handshaking)
        return;
    client->handshaking = false;
    clients->handshaking--;
    share_give(&clients->resolver->shares, client->share, SHARE_HANDSHAKES, &client->in_handshakes);
}

static void client_end(struct client *client)
{
    struct list_link *link;
    if (client->gone)
        return;
    client->gone = true;
    client->clients->count--;
    client_count_held(client, 0);
    timeout_stop(&client->idle);
    timeout_stop(&client->stalled);
    list_remove(&client->in_dirty);
    list_remove(&client->in_hungry);
    while ((link = list_first(&client->queries)))
        query_drop(container_of(link, struct query, in_owner), COUNTER_drops_client_gone);
    if (client->share) {
        counter_add(client->clients->resolver->counters, COUNTER_tls_failed, client->handshaking);
        client_end_handshake(client);
        client_count_output(client, 0);
        share_give(&client->clients->resolver->shares, client->share, SHARE_CLIENTS, &client->in_share);
        client->share = NULL;
    }
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
    struct clients *clients = client->clients;
    struct stream_listener *listener = client->listener;
    (void)reason;
    client_end(client);
    if (client->protocol)
        client->protocol->end(client);
    list_remove(&client->in_listener);
    slab_give(&clients->slab, client);
    listener_free_if_gone(listener);
    struct list_link *resting = list_first(&clients->rest.running);
    if (resting)
        accept_one(container_of(resting, struct stream_listener, rest.link));
}

/* --- the state of a client at the end of a turn --- */

static struct client_load client_load(const struct client *client)
{
    return client->protocol ? client->protocol->load(client) : (struct client_load){.unsent = 0};
}

/* Bytes of responses that the kernel has not accepted. */
static size_t client_unsent(const struct client *client)
{
    return stream_unsent(&client->stream) + client_load(client).unsent;
}

/* Bytes transferred in either direction. */
static uint64_t client_moved(const struct client *client)
{
    if (client->protocol)
        return client_load(client).progress - stream_unsent(&client->stream);
    return client->stream.received + client->answered - stream_unsent(&client->stream);
}

static void client_time_idle(struct client *client, size_t unsent)
{
    if (client->waiting > 0 || unsent > 0)
        timeout_stop(&client->idle);
    else if (client->served || !list_linked(&client->idle.link))
        timeout_start(&client->clients->idle, &client->idle);
    client->served = false;
}

/* Only progress restarts `stalled`. */
static void client_time_stalled(struct client *client, bool in_between)
{
    if (!in_between) {
        timeout_stop(&client->stalled);
        return;
    }
    if (list_linked(&client->stalled.link) && client->moved == client_moved(client))
        return;
    client->moved = client_moved(client);
    timeout_start(&client->clients->stalled, &client->stalled);
}

/* True if no response may be built for the client. */
static bool client_is_full(const struct client *client)
{
    const struct clients *clients = client->clients;
    return clients->output >= clients->output_max || client->share->output >= clients->output_max / NETWORK_PART ||
           (client->protocol && client_load(client).unsent >= UNSENT_MAX);
}

static bool client_has_enough(const struct client *client)
{
    if (client->protocol) /* it bounds queries by itself, and must see what permits it to send */
        return stream_unsent(&client->stream) >= UNSENT_MAX;
    return client->waiting >= WAITING_MAX || client->messages >= TURN_MAX ||
           stream_unsent(&client->stream) >= UNSENT_MAX || client_is_full(client) || !list_empty(&client->deferred);
}

/* True if other clients have to read their responses first. */
static void client_wait_for_room(struct client *client)
{
    struct clients *clients = client->clients;
    if (!list_linked(&client->in_hungry))
        list_push_back(&clients->hungry, &client->in_hungry);
    if (!list_linked(&clients->serve.link))
        timeout_start(&clients->serves, &clients->serve);
}

/* All queries that were received are answered, and no more will be received. Messages buffered during a pause count
 * as received. */
static bool client_is_done(const struct client *client, size_t unsent)
{
    const struct stream *stream = &client->stream;
    return client->last && client->waiting == 0 && unsent == 0 && !client_load(client).incomplete &&
           (stream->in.len == 0 || stream_mid_frame(stream));
}

/* At the end of a turn: closes a client that is done, pauses or resumes reading. */
static void client_update(struct client *client)
{
    struct stream *stream = &client->stream;
    const struct client_load load = client_load(client);
    size_t unsent = stream_unsent(stream) + load.unsent;
    client->messages = 0;
    if (client_is_done(client, unsent)) {
        client_close(client, ERROR_CLOSED);
        return;
    }
    client_count_output(client, unsent);
    client_count_held(client, unsent + stream->in.len + load.held);
    bool has_enough = client_has_enough(client);
    if (!has_enough)
        stream_resume(stream);
    if (!list_empty(&client->deferred) || (has_enough && client_is_full(client)))
        client_wait_for_room(client);
    client_time_idle(client, unsent);
    client_time_stalled(client, unsent > 0 || load.incomplete || (!stream->paused && stream_mid_frame(stream)));
}

static void client_touch(struct client *client)
{
    struct clients *clients = client->clients;
    if (list_linked(&client->in_dirty) || client->gone)
        return;
    list_push_back(&clients->dirty, &client->in_dirty);
    loop_add_flush(clients->resolver->loop, &clients->flush);
}

static void idle_expired(struct timeout *timeout)
{
    client_close(container_of(timeout, struct client, idle), ERROR_IDLE);
}

/* Bytes that the kernel accepted without a callback are progress, too. */
static void stalled_expired(struct timeout *timeout)
{
    struct client *client = container_of(timeout, struct client, stalled);
    if (client->moved != client_moved(client)) {
        client_time_stalled(client, true);
        return;
    }
    counter_add(client->clients->resolver->counters, COUNTER_tcp_stalled, 1);
    client_reset(client, client_unsent(client) ? ERROR_SLOW_READER : ERROR_SLOW_WRITER);
}

/* --- making room --- */

static bool client_evict(struct client *client)
{
    if (!client)
        return false;
    counter_add(client->clients->resolver->counters, COUNTER_tcp_evicted, 1);
    if (list_linked(&client->stalled.link) || client->waiting > 0)
        client_reset(client, ERROR_LIMIT);
    else
        client_close(client, ERROR_LIMIT);
    return true;
}

/* A client without progress, of the network with the most unsent output. */
static struct client *largest_reader(const struct clients *clients)
{
    struct client *largest = NULL;
    unsigned seen = 0;
    list_for_each(link, &clients->stalled.running) {
        struct client *client = container_of(link, struct client, stalled.link);
        if (client->output > 0 && (!largest || client->share->output > largest->share->output))
            largest = client;
        if (++seen == SCAN_MAX)
            break;
    }
    return largest;
}

/* The time for which no query of the client has waited and it got no response. */
static bool is_idle_for(const struct client *client, uint64_t ms)
{
    const struct timeouts *idle = &client->clients->idle;
    return list_linked(&client->idle.link) && client->idle.at_ms + ms <= loop_now(idle->loop) + idle->length_ms;
}

/* A client whose message has been incomplete for some time. */
static struct client *unfinished(const struct clients *clients)
{
    unsigned seen = 0;
    list_for_each(link, &clients->stalled.running) {
        struct client *client = container_of(link, struct client, stalled.link);
        if (is_idle_for(client, BEGUN_MS))
            return client;
        if (++seen == SCAN_MAX)
            break;
    }
    return NULL;
}

/* The client of this network (NULL: of any) that has been idle for the longest time, if that is at least `ms`. */
static struct client *longest_idle(const struct clients *clients, const struct share *share, uint64_t ms)
{
    unsigned seen = 0;
    list_for_each(link, &clients->idle.running) {
        struct client *client = container_of(link, struct client, idle.link);
        if (!share || client->share == share)
            return is_idle_for(client, ms) ? client : NULL;
        if (++seen == SCAN_MAX)
            break;
    }
    return NULL;
}

/* The client of this network (NULL: of any) without progress for the longest time. */
static struct client *longest_stalled(const struct clients *clients, const struct share *share)
{
    unsigned seen = 0;
    list_for_each(link, &clients->stalled.running) {
        struct client *client = container_of(link, struct client, stalled.link);
        if (!share || client->share == share)
            return client;
        if (++seen == SCAN_MAX)
            break;
    }
    return NULL;
}

/* The client of this network (NULL: of this listener) that was accepted first, if that is some time ago. */
static struct client *longest_accepted(const struct stream_listener *listener, const struct share *share)
{
    struct list_link *link = share ? share_oldest(share, SHARE_CLIENTS) : list_first(&listener->accepted);
    if (!link)
        return NULL;
    struct client *client =
        share ? container_of(link, struct client, in_share) : container_of(link, struct client, in_listener);
    uint64_t now_ms = loop_now(client->clients->resolver->loop);
    return !client->gone && now_ms >= client->accepted_ms + PATIENT_MS ? client : NULL;
}

/* Evicts a client when all places are taken: first one that never completes its query, then one of the network with
 * the most connections that is idle, makes no progress, or was accepted first. A client accepted a moment ago has
 * not been read yet, and is evicted last. */
static bool make_place(const struct stream_listener *listener)
{
    static const struct share nobody = {.output = 0};
    const struct clients *clients = listener->clients;
    const struct share *largest = share_largest(&clients->resolver->shares, SHARE_CLIENTS, &nobody);
    struct client *client = unfinished(clients);
    if (!client)
        client = longest_idle(clients, largest, PATIENT_MS);
    if (!client)
        client = longest_stalled(clients, largest);
    if (!client)
        client = longest_accepted(listener, largest);
    if (!client)
        client = longest_idle(clients, largest, 0);
    return client_evict(client);
}

/* Writes the responses of this turn, with one call for each client. */
static void clients_flush(struct loop_flush *hook)
{
    struct clients *clients = container_of(hook, struct clients, flush);
    struct list_link *link;
    while ((link = list_pop(&clients->dirty))) {
        struct client *client = container_of(link, struct client, in_dirty);
        int status = client->protocol ? client->protocol->send(client) : 0;
        if (status < 0) {
            client_close(client, status);
            continue;
        }
        bool more = client->protocol && stream_unsent(&client->stream) >= UNSENT_MAX;
        stream_flush(&client->stream);
        if (more && stream_drained(&client->stream)) /* the kernel took all: no callback will come for the rest */
            client_touch(client);
        client_update(client);
    }
    while (clients->held > HELD_MAX && client_evict(longest_stalled(clients, NULL)))
        ;
    if (clients->output >= clients->output_max)
        (void)client_evict(largest_reader(clients));
}

/* --- deferred responses --- */

/* Returns the number of queries that were run again. */
static unsigned client_serve(struct client *client)
{
    unsigned served = 0;
    struct list_link *link;
    while (!client_is_full(client) && stream_unsent(&client->stream) < UNSENT_MAX &&
           (link = list_first(&client->deferred))) {
        query_retry(container_of(link, struct query, in_step));
        served++;
    }
    client_touch(client); /* client_update resumes reading, or makes the client wait again */
    return served;
}

static void serve_expired(struct timeout *timeout)
{
    struct clients *clients = container_of(timeout, struct clients, serve);
    struct list hungry;
    struct list_link *link;
    unsigned served = 0;
    list_init(&hungry);
    list_move_all(&clients->hungry, &hungry);
    while (served < SERVED_MAX && (link = list_pop(&hungry)))
        served += client_serve(container_of(link, struct client, in_hungry));
    while ((link = list_pop(&hungry)))
        client_wait_for_room(container_of(link, struct client, in_hungry));
}

/* --- queries --- */

static uint8_t *client_room(struct query *query, size_t cap)
{
    struct client *client = query->origin.owner;
    return client->protocol ? client->clients->room : stream_reserve(&client->stream, cap);
}

/* A query that ended within query_start was not counted. */
static void client_waits_less(struct client *client, const struct query *query)
{
    if (query->parked && list_linked(&query->in_owner))
        client->waiting--;
    client_touch(client);
}

static void client_dropped(struct query *query)
{
    struct client *client = query->origin.owner;
    if (client->protocol)
        client->protocol->dropped(query);
    client_waits_less(client, query);
}

static void client_reply(struct query *query, size_t len)
{
    struct client *client = query->origin.owner;
    if (client->protocol)
        client->protocol->reply(query, client->clients->room, len);
    else
        stream_commit(&client->stream, len);
    client->answered += 2 + len;
    client->served = true;
    client_count_output(client, client->output + 2 + len);
    client_waits_less(client, query);
}

static bool client_cannot_take(const struct query *query)
{
    return client_is_full(query->origin.owner);
}

static void client_deferred(struct query *query)
{
    struct client *client = query->origin.owner;
    list_push_back(&client->deferred, &query->in_step);
    client_touch(client);
}

static const struct origin_ops client_origin_ops = {
    .room = client_room,
    .reply = client_reply,
    .full = client_cannot_take,
    .deferred = client_deferred,
    .dropped = client_dropped,
};

bool client_take(struct client *client, struct bytes wire, struct http2_exchange *exchange)
{
    client->origin.exchange = exchange;
    struct query *waiting = query_start(client->clients->resolver, &client->origin, wire);
    if (waiting) {
        list_push_back(&client->queries, &waiting->in_owner);
        client->waiting++;
    }
    client->messages++;
    client->clients->taken++;
    return waiting != NULL;
}

void client_forget(struct client *client, const struct http2_exchange *exchange)
{
    list_for_each(link, &client->queries) {
        struct query *query = container_of(link, struct query, in_owner);
        if (query->origin.exchange != exchange)
            continue;
        query_drop(query, COUNTER_drops_client_gone);
        return;
    }
}

struct stream *client_stream(struct client *client)
{
    return &client->stream;
}

void **client_protocol_state(struct client *client)
{
    return &client->protocol_state;
}

struct resolver *client_resolver(const struct client *client)
{
    return client->clients->resolver;
}

/* Datagrams do not wait until the messages of all connections are taken. */
static void serve_datagrams(struct clients *clients)
{
    if (clients->taken < SERVE_UDP)
        return;
    clients->taken = 0;
    listeners_serve(clients->listeners);
}

static void client_frame(struct stream *stream, uint8_t *message, size_t len)
{
    struct client *client = client_of(stream);
    int status = 0;
    if (client->protocol) {
        status = client->protocol->receive(client, message, len);
        client->clients->taken += SERVE_PIECE;
    } else {
        (void)client_take(client, (struct bytes){message, len}, NULL);
    }
    if (status < 0) {
        client_close(client, status);
        return;
    }
    if (client_has_enough(client))
        stream_pause(stream);
    client_touch(client);
    serve_datagrams(client->clients);
}

/* The TLS handshake is done. */
static void client_ready(struct stream *stream)
{
    struct client *client = client_of(stream);
    struct counters *counters = client->clients->resolver->counters;
    struct tls_facts facts;
    client_end_handshake(client);
    counter_add(counters, COUNTER_tls_handshakes, 1);
    if (stream_facts(stream, &facts))
        counter_add(counters, COUNTER_tls_resumed, facts.resumed);
    client_touch(client);
}

/* A message has begun, or the kernel has room again. */
static void client_moves(struct stream *stream)
{
    client_touch(client_of(stream));
}

/* No further queries are read; outstanding responses are still sent. */
static void client_drain(struct client *client)
{
    client->last = true;
    if (client->protocol)
        client->protocol->drain(client);
    client_touch(client);
}

/* libuv reports a reset that comes with data as EOF, after which responses would still be sent. */
static bool was_reset(const struct stream *stream)
{
    uv_os_fd_t fd;
    int error = 0;
    socklen_t len = sizeof error;
    if (uv_fileno((const uv_handle_t *)&stream->tcp, &fd) == 0)
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error != 0;
}

static void client_ended(struct stream *stream)
{
    if (was_reset(stream))
        client_reset(client_of(stream), -ECONNRESET);
    else
        client_drain(client_of(stream));
}

/* The handshake of this network that began first. */
static struct client *oldest_handshake(const struct share *share)
{
    return container_of(share_oldest(share, SHARE_HANDSHAKES), struct client, in_handshakes);
}

static void client_evict_handshake(struct client *client)
{
    counter_add(client->clients->resolver->counters, COUNTER_tls_evicted, 1);
    client_reset(client, ERROR_LIMIT);
}

/* Handshakes that are not continued must not keep out others: of too many, those that began first are reset. Many
 * clients of one network may connect at the same moment, after a restart for instance: those that go on are left alone. */
static void client_begin_handshake(struct client *client)
{
    struct clients *clients = client->clients;
    struct shares *shares = &clients->resolver->shares;
    const struct share *own = client->share, *largest;
    static const struct share nobody = {.output = 0};
    uint64_t now_ms = loop_now(clients->resolver->loop);
    client->handshaking = true;
    clients->handshaking++;
    share_take(shares, client->share, SHARE_HANDSHAKES, &client->in_handshakes);
    while (own->part[SHARE_HANDSHAKES].count > HANDSHAKES_NETWORK &&
           now_ms >= oldest_handshake(own)->accepted_ms + HANDSHAKE_SLOW_MS)
        client_evict_handshake(oldest_handshake(own));
    if (clients->handshaking <= HANDSHAKES_MAX)
        return;
    largest = share_largest(shares, SHARE_HANDSHAKES, &nobody);
    client_evict_handshake(oldest_handshake(largest ? largest : own));
}

/* The header of a balancer (proxy.h). From then on the client is the one that it names, also for limits. */
static int client_prefix(struct stream *stream, struct bytes bytes)
{
    struct client *client = client_of(stream);
    struct resolver *resolver = client->clients->resolver;
    struct addr named = client->origin.peer;
    int len = proxy_read(bytes, &named);
    if (len < 0)
        proxy_refused(resolver, &client->clients->refusals, &client->origin.peer, PROXY_NO_HEADER);
    if (len <= 0)
        return len;
    struct share *share = share_of(&resolver->shares, &named);
    if (!share)
        return -ENOMEM;
    counter_add(resolver->counters, COUNTER_proxy_headers, 1);
    share_give(&resolver->shares, client->share, SHARE_CLIENTS, &client->in_share);
    client->share = share;
    share_take(&resolver->shares, share, SHARE_CLIENTS, &client->in_share);
    client->origin.client = named;
    if (client->listener->form.layer == &byte_layer_tls_server)
        client_begin_handshake(client);
    return len;
}

static const struct stream_ops client_ops = {
    .prefix = client_prefix,
    .ready = client_ready,
    .frame = client_frame,
    .partial = client_moves,
    .ended = client_ended,
    .drained = client_moves,
    .closed = client_closed,
};

/* --- accepting --- */

/* NULL: all places are taken by clients that wait for responses, out of memory, or too many handles are closing. */
static struct client *client_new(struct stream_listener *listener)
{
    struct clients *clients = listener->clients;
    const struct config *config = clients->resolver->config;
    if (clients->count >= clients->limit && !make_place(listener))
        return NULL;
    struct client *client = slab_take(&clients->slab);
    if (!client)
        return NULL;
    client->clients = clients;
    bool tls = listener->form.layer == &byte_layer_tls_server;
    client->listener = listener;
    client->protocol = listener->protocol;
    client->accepted_ms = loop_now(clients->resolver->loop);
    client->origin = (struct origin){
        .ops = &client_origin_ops,
        .owner = client,
        .source = listener->protocol ? TALLY_HTTPS
                  : tls              ? TALLY_TLS
                                     : TALLY_TCP,
        .tcp = true,
        .encrypted = tls || listener->protocol,
        .keepalive_100ms = (uint16_t)(config->limits.tcp_idle_ms / 100),
    };
    list_init(&client->queries);
    list_init(&client->deferred);
    return client;
}

static void client_find_interface(struct client *client)
{
    struct origin *origin = &client->origin;
    if (listener_wants_interface(client->clients->resolver->config) && !client->gone)
        origin->interface = stream_interface(&client->stream, origin->peer.sa.sa_family);
}

/* A connection to a listener for balancers that is not from one. */
static void client_refuse(struct client *client)
{
    struct clients *clients = client->clients;
    proxy_refused(clients->resolver, &clients->refusals, &client->origin.peer, PROXY_NO_BALANCER);
    client_reset(client, ERROR_CLOSED);
}

static void accept_one(struct stream_listener *listener)
{
    struct clients *clients = listener->clients;
    struct client *client = client_new(listener);
    if (!client) {
        timeout_start(&clients->rest, &listener->rest);
        return;
    }
    timeout_stop(&listener->rest);
    stream_accept(&client->stream, clients->resolver->loop, &client_ops, &listener->form,
                  (uv_stream_t *)&listener->handle);
    clients->count++;
    list_push_back(&listener->accepted, &client->in_listener);
    counter_add(clients->resolver->counters, COUNTER_tcp_accepted, 1);
    struct origin *origin = &client->origin;
    if (stream_peer(&client->stream, &origin->peer, false) == 0)
        client->share = share_of(&clients->resolver->shares, &origin->peer);
    if (!client->share) {
        client_reset(client, ERROR_CLOSED); /* the client has disconnected already, or out of memory */
        return;
    }
    origin->client = origin->peer;
    client_find_interface(client);
    share_take(&clients->resolver->shares, client->share, SHARE_CLIENTS, &client->in_share);
    timeout_start(&clients->idle, &client->idle);
    if (client->protocol && !client->protocol->accepts(clients->resolver->config, &origin->peer)) {
        counter_add(clients->resolver->counters, COUNTER_http_refused, 1);
        client_reset(client, ERROR_CLOSED);
        return;
    }
    if (client->stream.state == STREAM_HANDSHAKE)
        client_begin_handshake(client);
    else if (client->stream.state == STREAM_PREFIX && !proxy_is_trusted(clients->resolver->config, &origin->peer))
        client_refuse(client);
}

static void rest_expired(struct timeout *timeout)
{
    accept_one(container_of(timeout, struct stream_listener, rest));
}

static void client_waits(uv_stream_t *stream, int status)
{
    struct stream_listener *listener = container_of((uv_tcp_t *)stream, struct stream_listener, handle);
    if (status < 0)
        return; /* libuv tries again */
    accept_one(listener);
    if (list_linked(&listener->rest.link))
        counter_add(listener->clients->resolver->counters, COUNTER_tcp_held, 1);
}

/* --- listeners --- */

static struct stream_listener *stream_listener_of(struct listener *listener)
{
    return container_of(listener, struct stream_listener, listener);
}

static int listen_on(struct stream_listener *listener, int fd)
{
    int own = dup(fd); /* the handle closes its descriptor even if the open fails halfway */
    if (own < 0)
        return -errno;
    int status = uv_tcp_open(&listener->handle, own);
    if (status < 0) {
        close(own);
        return status;
    }
    return uv_listen((uv_stream_t *)&listener->handle, BACKLOG, client_waits);
}

int stream_listener_open(struct listener **out, struct listeners *listeners, int fd, const struct stream_form *form,
                         const struct addr *addr, const struct client_kind *kind)
{
    if (kind->protocol && !listeners->clients->room && !(listeners->clients->room = mem_alloc(MESSAGE_MAX)))
        return -ENOMEM;
    struct stream_listener *listener = mem_zalloc(1, sizeof *listener);
    if (!listener)
        return -ENOMEM;
    listener->clients = listeners->clients;
    listener->tls = (struct tls_listener){&listeners->tls, *addr, kind->alpn};
    listener->form = *form;
    listener->protocol = kind->protocol;
    listener->form.layer_config = &listener->tls;
    listener->form.prefixed = proxy_use(listeners->resolver->config, addr, SOCK_STREAM) != PROXY_OFF;
    list_init(&listener->accepted);
    int status = uv_tcp_init(&listeners->resolver->loop->uv, &listener->handle);
    if (status < 0) {
        mem_free(listener);
        return status;
    }
    status = listen_on(listener, fd);
    if (status < 0) {
        stream_listener_close(&listener->listener);
        return status;
    }
    close(fd);
    *out = &listener->listener;
    return 0;
}

void stream_listener_configure(struct listener *base)
{
    struct stream_listener *listener = stream_listener_of(base);
    listener->form.prefixed = proxy_use(listener->clients->resolver->config, &base->addr, SOCK_STREAM) != PROXY_OFF;
    list_for_each(link, &listener->accepted) {
        struct client *client = container_of(link, struct client, in_listener);
        client_find_interface(client);
        if (!client->last) /* else it has been told to close */
            client->origin.keepalive_100ms = (uint16_t)(listener->clients->idle.length_ms / 100);
    }
}

static void handle_closed(uv_handle_t *handle)
{
    struct stream_listener *listener = container_of((uv_tcp_t *)handle, struct stream_listener, handle);
    listener->handle_gone = true;
    listener_free_if_gone(listener);
}

void stream_listener_stop(struct listener *base)
{
    struct stream_listener *listener = stream_listener_of(base);
    if (listener->stopped)
        return;
    listener->stopped = true;
    timeout_stop(&listener->rest);
    uv_close((uv_handle_t *)&listener->handle, handle_closed);
}

void stream_listener_drain(struct listener *base)
{
    list_for_each(link, &stream_listener_of(base)->accepted) {
        struct client *client = container_of(link, struct client, in_listener);
        client->origin.keepalive_100ms = 0; /* RFC 7828 section 3.2.2: close now */
        list_for_each(query, &client->queries)
            container_of(query, struct query, in_owner)->origin.keepalive_100ms = 0;
        client_drain(client);
    }
}

void stream_listener_close(struct listener *base)
{
    struct stream_listener *listener = stream_listener_of(base);
    stream_listener_stop(base);
    list_for_each(link, &listener->accepted)
        client_close(container_of(link, struct client, in_listener), ERROR_STOPPING);
    listener->closed = true;
    listener_free_if_gone(listener);
}

/* --- places --- */

int clients_new(struct clients **out, const struct listeners *listeners, unsigned limit)
{
    struct resolver *resolver = listeners->resolver;
    struct clients *clients = mem_zalloc(1, sizeof *clients);
    if (!clients)
        return -ENOMEM;
    clients->resolver = resolver;
    clients->listeners = listeners;
    clients->limit = limit;
    slab_init(&clients->slab, sizeof(struct client), sizeof(struct client), (size_t)limit + CLOSING_MAX);
    list_init(&clients->dirty);
    list_init(&clients->hungry);
    timeouts_init(&clients->idle, resolver->loop, resolver->config->limits.tcp_idle_ms, idle_expired);
    timeouts_init(&clients->stalled, resolver->loop, STALL_MS, stalled_expired);
    timeouts_init(&clients->rest, resolver->loop, REST_MS, rest_expired);
    timeouts_init(&clients->serves, resolver->loop, 0, serve_expired);
    clients->output_max = resolver->config->limits.tcp_output;
    clients->flush.flush = clients_flush;
    *out = clients;
    return 0;
}

void clients_configure(struct clients *clients, unsigned limit)
{
    clients->limit = limit;
    clients->slab.limit = (size_t)limit + CLOSING_MAX;
    clients->output_max = clients->resolver->config->limits.tcp_output;
    timeouts_set_length(&clients->idle, clients->resolver->config->limits.tcp_idle_ms);
}

unsigned clients_count(const struct clients *clients)
{
    return clients->count;
}

void clients_free(struct clients *clients)
{
    loop_remove_flush(&clients->flush);
    timeouts_fini(&clients->idle);
    timeouts_fini(&clients->stalled);
    timeouts_fini(&clients->rest);
    timeouts_fini(&clients->serves);
    slab_fini(&clients->slab);
    mem_free(clients->room);
    mem_free(clients);
}
