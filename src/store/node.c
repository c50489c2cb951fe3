/* SPDX-License-Identifier: MIT */
/* States (node_set_state is the only writer):
 *
 *   DOWN       -> CONNECTING  a lookup wants the server and the back-off has passed
 *   DOWN       -> RESOLVING   likewise, and the server has a host name
 *   RESOLVING  -> CONNECTING  an address is known
 *   RESOLVING  -> DOWN        none is, or the server has changed
 *   CONNECTING -> GREETING    connected, with TLS: the server is verified
 *   GREETING   -> READY       the server has accepted the password and responds
 *   any        -> CLOSING     failed, silent, stopped
 *   CLOSING    -> DOWN        the stream is closed
 *
 * Invariants: replies come in the order of the requests; a request that nobody waits for any more stays in its list, so
 * that its reply is not taken for another one's. When the connection ends, all requests are taken off before the first
 * callback. */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_LONGEST_MS = 5000,
    GREETING_MS = 3000, /* to connect and authenticate */
    OUTSTANDING_MOST = 8192,
    COMMAND_MOST = 1 << 20,
    REPEATABLE_MOST = 4 << 20, /* bytes of commands that are kept, of all nodes */
    LATER_MS = 10,
    LATER_BYTES = 16384,     /* unsent */
    CHANNEL_PING_MS = 10000, /* a channel that is silent for this time is tried */
};

static void node_set_state(struct node *node, enum node_state state)
{
    node->state = state;
}

/* --- log --- */

static const char *reason_of(const struct node *node)
{
    return node->refusal[0] ? node->refusal : error_text(node->error);
}

static void tell_failure(const struct node *node, bool was_ready)
{
    static struct log_repeats told = LOG_REPEATS_INIT;
    uint64_t suppressed, key = node->server->id | 1;
    if (node->error == ERROR_STOPPING || !node->role->label ||
        !log_repeat_allowed(&told, key, was_ready, loop_now(node->owner->loop), &suppressed))
        return;
    log_warning("store", "%s%s: %s: %s; %s%s", node->role->label, node->server->text,
                was_ready ? "connection lost" : "cannot connect", reason_of(node), node->role->meanwhile,
                suppressed ? " (similar messages were suppressed)" : "");
}

static void tell_ready(struct node *node)
{
    struct tls_facts facts;
    if (node->role->counted)
        counter_add(node->owner->counters, COUNTER_store_connects, 1);
    if (!node->role->label)
        return;
    bool tls = stream_facts(&node->stream, &facts);
    log_info("store", "%s%s: connected%s%s", node->role->label, node->server->text, tls ? ", " : "",
             tls ? facts.version : "");
}

/* --- requests --- */

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void request_end(struct store_command *request, const struct resp_reply *reply)
{
    struct node_owner *owner = request->node->owner;
    if (request->done)
        request->done(request, reply);
    owner->kept -= request->kept_len;
    mem_free(request->kept);
    slab_give(&owner->requests, request);
}

/* Takes all requests off before the first callback. `tell` false: without callbacks. */
static void fail_requests(struct node *node, bool tell)
{
    struct list all;
    struct list_link *link;
    list_init(&all);
    while ((link = list_pop(&node->sent)))
        list_push_back(&all, link);
    while ((link = list_pop(&node->queued)))
        list_push_back(&all, link);
    node->outstanding = 0;
    node->owed_ms = 0;
    while ((link = list_pop(&all))) {
        struct store_command *request = container_of(link, struct store_command, link);
        if (!tell)
            request->done = NULL;
        request_end(request, NULL);
    }
}

/* Room for a command in the output. NULL: too much is outstanding, or out of memory. */
static uint8_t *reserve(struct node *node, size_t len)
{
    return node->outstanding < OUTSTANDING_MOST && len <= COMMAND_MOST ? stream_reserve(&node->stream, len) : NULL;
}

static void write_soon(struct node *node)
{
    struct node_owner *owner = node->owner;
    if (!list_linked(&node->in_dirty))
        list_push_back(&owner->dirty, &node->in_dirty);
    loop_add_flush(owner->loop, &owner->flush);
}

static void write_later(struct node *node)
{
    struct loop *loop = node->owner->loop;
    if (node->later_ms == 0)
        node->later_ms = loop_now(loop) + LATER_MS;
    loop_wake_by(loop, node->later_ms);
}

/* The command of `len` bytes in that room will be written. */
static void commit(struct node *node, struct store_command *request, size_t len, enum node_when when)
{
    stream_commit(&node->stream, len);
    request->node = node;
    list_push_back(&node->queued, &request->link);
    node->outstanding++;
    if (when == NODE_LATER && stream_unsent(&node->stream) < LATER_BYTES)
        write_later(node);
    else
        write_soon(node);
}

/* Out of memory the command is not redirected. */
static void keep(struct node_owner *owner, struct store_command *request, const uint8_t *command, size_t len)
{
    request->kept = owner->kept + len <= REPEATABLE_MOST ? mem_alloc(len) : NULL;
    if (!request->kept)
        return;
    memcpy(request->kept, command, len);
    request->kept_len = (uint32_t)len;
    owner->kept += len;
}

static struct store_command *give(struct node *node, const struct bytes *arguments, unsigned count, bool keeps,
                                  enum node_when when)
{
    uint8_t *room = reserve(node, resp_command_room(arguments, count));
    struct store_command *request = room ? slab_take(&node->owner->requests) : NULL;
    if (!request)
        return NULL;
    size_t len = resp_command(room, arguments, count);
    if (keeps)
        keep(node->owner, request, room, len);
    commit(node, request, len, when);
    return request;
}

struct store_command *node_command_when(struct node *node, const struct bytes *arguments, unsigned count,
                                        enum node_when when)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += arguments[i].len;
    if (!node_is_ready(node) || stream_unsent(&node->stream) + len > node->setup->write_queue)
        return NULL;
    return give(node, arguments, count, node->role->keeps, when);
}

bool node_redirect(struct store_command *request, struct node *to, bool asking)
{
    if (!node_is_ready(to) || !request->kept || request->redirects == NODE_REDIRECTS ||
        (asking && !node_command(to, (struct bytes[]){bytes_of("ASKING")}, 1)))
        return false;
    uint8_t *room = reserve(to, request->kept_len);
    if (!room)
        return false;
    memcpy(room, request->kept, request->kept_len);
    request->redirects++;
    commit(to, request, request->kept_len, NODE_NOW);
    return true;
}

/* --- writing --- */

static void flush_one(struct node *node)
{
    uint64_t now_us = clock_us();
    struct list_link *link;
    if (node->state == NODE_CLOSING || node->state == NODE_DOWN || node->state == NODE_RESOLVING)
        return;
    if (list_empty(&node->sent) && !list_empty(&node->queued))
        node->owed_ms = loop_now(node->owner->loop);
    while ((link = list_pop(&node->queued))) {
        container_of(link, struct store_command, link)->sent_us = now_us;
        list_push_back(&node->sent, link);
    }
    node->later_ms = 0;
    stream_flush(&node->stream);
    loop_wake_by(node->owner->loop, node->owed_ms + HEALTH_LOST_MS);
}

void nodes_flush(struct node_owner *owner)
{
    struct list_link *link;
    while ((link = list_pop(&owner->dirty)))
        flush_one(container_of(link, struct node, in_dirty));
}

/* --- the end of a connection --- */

static void node_close(struct node *node, int reason)
{
    if (node->state == NODE_CLOSING || node->state == NODE_DOWN || node->state == NODE_RESOLVING)
        return;
    node->error = reason;
    node->was_ready = node->state == NODE_READY;
    node_set_state(node, NODE_CLOSING);
    stream_close(&node->stream, reason);
}

static struct node *node_of(struct stream *stream)
{
    return container_of(stream, struct node, stream);
}

static void back_off(struct node *node)
{
    uint64_t pause_ms = RETRY_FIRST_MS;
    for (unsigned i = 0; i < node->failures && pause_ms < RETRY_LONGEST_MS; i++)
        pause_ms *= 2;
    pause_ms = pause_ms < RETRY_LONGEST_MS ? pause_ms : RETRY_LONGEST_MS;
    node->failures++;
    node->retry_ms = loop_now(node->owner->loop) + pause_ms - random_below((uint32_t)pause_ms / 4 + 1);
    loop_wake_by(node->owner->loop, node->retry_ms); /* store_tick dials again if that is needed */
}

static void node_free(struct node *node)
{
    tls_tickets_clear(&node->tickets);
    resp_free(node->resp);
    list_remove(&node->in_dirty);
    mem_free(node);
}

static void begin_anew(struct node *node)
{
    tls_tickets_clear(&node->tickets);
    node->health = (struct store_health){.pause_ms = 0};
    memset(&node->latency, 0, sizeof node->latency);
    node->rtt_us = 0;
    node->moved = false;
    node->failures = 0;
    node->retry_ms = 0;
    node->error = 0;
    node->refusal[0] = '\0';
    loop_wake_by(node->owner->loop, loop_now(node->owner->loop));
}

static void closed(struct stream *stream, int reason)
{
    struct node *node = node_of(stream);
    struct node_owner *owner = node->owner;
    bool was_ready = node->state == NODE_READY || (node->state == NODE_CLOSING && node->was_ready);
    if (node->error == 0)
        node->error = reason;
    node_set_state(node, NODE_DOWN);
    node->later_ms = 0;
    owner->open--;
    resp_free(node->resp);
    node->resp = NULL;
    if (node->moved && !node->leaving) {
        begin_anew(node);
        fail_requests(node, true);
    } else if (!node->leaving) {
        if (node->role->counted)
            counter_add(owner->counters, was_ready ? COUNTER_store_lost : COUNTER_store_connects_failed, 1);
        back_off(node);
        tell_failure(node, was_ready);
        fail_requests(node, true); /* may call node_command, and finds the server down */
        if (node->role->lost)
            node->role->lost(node);
    } else {
        fail_requests(node, false);
        node_free(node);
    }
    owner->closed(owner);
}

/* --- reading --- */

static void take_latency(struct node *node, const struct store_command *request)
{
    struct node_owner *owner = node->owner;
    uint64_t us = clock_us() - request->sent_us;
    histogram_add(&node->latency, us / 10, 1);
    node_note_rtt(node, us);
    if (us / 1000 <= owner->patience_ms)
        health_note_in_time(&node->health, loop_now(owner->loop), request->tried);
    else if (request->tried)
        health_note_late(&node->health, loop_now(owner->loop), true);
}

static void take_reply(struct node *node, struct resp_reply *reply)
{
    if (node->role->pushed && node->role->pushed(node, reply)) {
        node->heard_ms = loop_now(node->owner->loop);
        return;
    }
    struct list_link *link = list_pop(&node->sent);
    if (!link) { /* the server says more than it was asked */
        node_close(node, ERROR_MALFORMED);
        return;
    }
    struct store_command *request = container_of(link, struct store_command, link), *next = NULL;
    node->outstanding--;
    node->heard_ms = loop_now(node->owner->loop);
    link = list_first(&node->sent);
    if (link)
        next = container_of(link, struct store_command, link);
    node->owed_ms = next ? node->heard_ms : 0;
    if (request->get)
        take_latency(node, request);
    if (reply->items[0].type == RESP_ERROR && node->role->refused && node->role->refused(node, request, reply))
        return;
    request_end(request, reply);
}

/* The reader moves what is left to the front after each kilobyte of replies, so it gets little at a time. */
static void frame(struct stream *stream, uint8_t *data, size_t len)
{
    enum { PART = 2048 };
    struct node *node = node_of(stream);
    struct resp_reply reply;
    int status = 0;
    for (size_t at = 0; at < len && status == 0 && stream->state == STREAM_OPEN; at += PART) {
        status = resp_feed(node->resp, (struct bytes){data + at, len - at < PART ? len - at : PART});
        while (status == 0 && stream->state == STREAM_OPEN && (status = resp_next(node->resp, &reply)) > 0) {
            take_reply(node, &reply);
            status = 0;
        }
    }
    if (status < 0)
        node_close(node, status);
}

/* --- the greeting --- */

void node_fail(struct node *node, const struct resp_reply *error)
{
    const struct resp_item *item = &error->items[0];
    size_t len = item->len < sizeof node->refusal ? item->len : sizeof node->refusal - 1;
    memcpy(node->refusal, resp_text(error, item), len);
    node->refusal[len] = '\0';
    node_close(node, ERROR_UPSTREAM_ANSWER);
}

void node_refuse(struct node *node, const char *why)
{
    snprintf(node->refusal, sizeof node->refusal, "%s", why);
    node_close(node, ERROR_UPSTREAM_ANSWER);
}

void node_greeted(struct node *node)
{
    if (--node->greeting > 0)
        return;
    node_set_state(node, NODE_READY);
    node->error = 0;
    node->failures = 0;
    node->refusal[0] = '\0';
    tell_ready(node);
    if (node->role->ready)
        node->role->ready(node);
}

/* The reply to AUTH or PING. */
static void greeted(struct store_command *request, const struct resp_reply *reply)
{
    struct node *node = request->node;
    if (!reply)
        return;
    if (reply->items[0].type == RESP_ERROR) {
        if (node->role->counted)
            counter_add(node->owner->counters, COUNTER_store_refused, 1);
        node_fail(node, reply);
    } else {
        node_greeted(node);
    }
}

int node_greet(struct node *node, const struct bytes *arguments, unsigned count,
               void (*done)(struct store_command *request, const struct resp_reply *reply), unsigned which)
{
    struct store_command *request = give(node, arguments, count, false, NODE_NOW);
    if (!request)
        return -ENOMEM;
    request->done = done;
    request->which = (uint8_t)which;
    node->greeting++;
    return 0;
}

static void ready(struct stream *stream)
{
    struct node *node = node_of(stream);
    const struct store_login *login = node->role->sentinel ? &node->setup->sentinel_login : &node->setup->login;
    int status = 0;
    node->greeting = 0;
    node_set_state(node, NODE_GREETING);
    if (login->password.len > 0 && login->user[0])
        status =
            node_greet(node, (struct bytes[]){bytes_of("AUTH"), bytes_of(login->user), buffer_bytes(&login->password)},
                       3, greeted, 0);
    else if (login->password.len > 0)
        status = node_greet(node, (struct bytes[]){bytes_of("AUTH"), buffer_bytes(&login->password)}, 2, greeted, 0);
    if (status == 0)
        status = node_greet(node, (struct bytes[]){bytes_of("PING")}, 1, greeted, 0);
    if (status == 0 && node->role->greet)
        status = node->role->greet(node);
    if (status < 0)
        node_close(node, status);
}

static const struct stream_ops stream_ops = {.ready = ready, .frame = frame, .closed = closed};

/* --- connecting --- */

static int start(struct node *node, const struct addr *addr)
{
    struct node_owner *owner = node->owner;
    const struct store_server *server = node->server;
    const struct tls_client client = {.trust = server->trust, .tickets = &node->tickets};
    const struct stream_form form = {.framing = &framing_bytes,
                                     .layer = server->trust ? &byte_layer_tls_client : &byte_layer_plain,
                                     .layer_config = server->trust ? &client : NULL};
    if (server->where.at == STORE_AT_PATH)
        return stream_connect_path(&node->stream, owner->loop, &stream_ops, &form, server->where.name);
    return stream_connect(&node->stream, owner->loop, &stream_ops, &form, addr, NULL);
}

static void dial_failed(struct node *node, int status)
{
    node_set_state(node, NODE_DOWN);
    node->error = status;
    resp_free(node->resp);
    node->resp = NULL;
    if (node->role->counted)
        counter_add(node->owner->counters, COUNTER_store_connects_failed, 1);
    back_off(node);
    tell_failure(node, false);
    if (node->role->lost)
        node->role->lost(node);
}

static void node_connect(struct node *node, const struct addr *addr)
{
    struct node_owner *owner = node->owner;
    node->resp = resp_new();
    int status = node->resp ? start(node, addr) : -ENOMEM;
    if (status < 0) {
        dial_failed(node, status);
        return;
    }
    owner->open++;
    node_set_state(node, NODE_CONNECTING);
    if (node->stream.state == STREAM_OPEN) /* a unix socket */
        ready(&node->stream);
}

/* --- host names --- */

struct node_lookup {
    struct store_host host;
    struct node *node; /* NULL: nobody waits any more */
    char name[256];
};

/* After a failure the next address is tried. */
static void looked_up(struct store_host *host)
{
    struct node_lookup *lookup = container_of(host, struct node_lookup, host);
    struct node *node = lookup->node;
    if (node) {
        struct addr addr = host->count > 0 ? host->addresses[node->failures % host->count] : (struct addr){0};
        node->lookup = NULL;
        addr_set_port(&addr, node->server->where.port);
        if (host->count > 0)
            node_connect(node, &addr);
        else
            dial_failed(node, ERROR_NO_ADDRESS);
    }
    mem_free(lookup);
}

static void node_resolve(struct node *node)
{
    struct node_lookup *lookup = mem_zalloc(1, sizeof *lookup);
    if (!lookup) {
        dial_failed(node, -ENOMEM);
        return;
    }
    memcpy(lookup->name, node->server->where.name, sizeof lookup->name);
    lookup->node = node;
    lookup->host = (struct store_host){.name = lookup->name, .done = looked_up};
    node->lookup = lookup;
    node_set_state(node, NODE_RESOLVING);
    int status = node->owner->look_up(node->owner, &lookup->host);
    if (status < 0) {
        node->lookup = NULL;
        mem_free(lookup);
        dial_failed(node, status);
    }
}

static void stop_resolving(struct node *node)
{
    if (node->lookup)
        node->lookup->node = NULL;
    node->lookup = NULL;
}

static void node_dial(struct node *node)
{
    node->error = 0;
    node->begun_ms = loop_now(node->owner->loop);
    loop_wake_by(node->owner->loop, node->begun_ms + GREETING_MS);
    if (node->server->where.at == STORE_AT_HOST)
        node_resolve(node);
    else
        node_connect(node, &node->server->where.addr);
}

void node_moved(struct node *node)
{
    node->held = false;
    if (node->state == NODE_RESOLVING) {
        stop_resolving(node);
        node_set_state(node, NODE_DOWN);
    }
    if (node->state == NODE_DOWN) {
        begin_anew(node);
        return;
    }
    node->moved = true;
    node_close(node, ERROR_STOPPING);
}

void node_wake(struct node *node)
{
    if (node && node->state == NODE_DOWN && !node->leaving && !node->held &&
        loop_now(node->owner->loop) >= node->retry_ms)
        node_dial(node);
}

/* --- supervision --- */

uint64_t node_owes(const struct node *node, uint64_t now_ms)
{
    return node->owed_ms && now_ms > node->owed_ms ? now_ms - node->owed_ms : 0;
}

static uint64_t check_later(struct node *node, uint64_t now_ms)
{
    if (node->later_ms == 0)
        return LOOP_NEVER;
    if (now_ms < node->later_ms)
        return node->later_ms;
    write_soon(node);
    return LOOP_NEVER;
}

/* Nothing else tells that the peer of a silent channel is gone. */
static uint64_t ping(struct node *node, uint64_t now_ms)
{
    if (now_ms < node->heard_ms + CHANNEL_PING_MS)
        return node->heard_ms + CHANNEL_PING_MS;
    if (!node_command(node, (struct bytes[]){bytes_of("PING")}, 1))
        node_close(node, -ENOMEM);
    return now_ms + HEALTH_LOST_MS;
}

static uint64_t check_replies(struct node *node, uint64_t now_ms)
{
    if (!node->owed_ms)
        return node->role->subscribes ? ping(node, now_ms) : LOOP_NEVER;
    if (node_owes(node, now_ms) < HEALTH_LOST_MS)
        return node->owed_ms + HEALTH_LOST_MS;
    node_close(node, ERROR_SILENT);
    return LOOP_NEVER;
}

uint64_t node_check(struct node *node, uint64_t now_ms)
{
    uint64_t later_ms, replies_ms;
    switch (node->state) {
    case NODE_RESOLVING:
        if (now_ms < node->begun_ms + GREETING_MS)
            return node->begun_ms + GREETING_MS;
        stop_resolving(node);
        dial_failed(node, ERROR_NO_ADDRESS);
        return LOOP_NEVER;
    case NODE_CONNECTING:
    case NODE_GREETING:
        if (now_ms < node->begun_ms + GREETING_MS)
            return node->begun_ms + GREETING_MS;
        node_close(node, -ETIMEDOUT);
        return LOOP_NEVER;
    case NODE_READY:
        later_ms = check_later(node, now_ms);
        replies_ms = check_replies(node, now_ms);
        return later_ms < replies_ms ? later_ms : replies_ms;
    default:
        return LOOP_NEVER;
    }
}

/* --- start and end --- */

struct node *node_new(struct node_owner *owner, const struct store_setup *setup, const struct store_server *server,
                      const struct node_role *role)
{
    struct node *node = mem_zalloc(1, sizeof *node);
    if (!node)
        return NULL;
    node->owner = owner;
    node->setup = setup;
    node->server = server;
    node->role = role;
    list_init(&node->queued);
    list_init(&node->sent);
    return node;
}

static void leave(struct node *node, bool tell)
{
    node->leaving = true;
    fail_requests(node, tell);
    stop_resolving(node);
    if (node->state == NODE_DOWN || node->state == NODE_RESOLVING)
        node_free(node);
    else
        node_close(node, ERROR_STOPPING);
}

void node_leave(struct node *node)
{
    leave(node, false);
}

void node_retire(struct node *node)
{
    leave(node, true);
}
