/* SPDX-License-Identifier: MIT */
/* Invariants: memory that the code under test allocates through a stream comes from base/mem.h, so that it can be
 * made to fail; the test itself uses malloc. As in net/, no stream calls back from within stream_connect,
 * stream_flush or stream_close, and `closed` runs in a later step of the turn. */
#include "fake_net.h"
#include "fake_datagrams.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "net/http2.h"
#include "net/tap.h"
#include "net/tls.h"
#include "net/tls_make.h"
#include "upstream/group.h"
#include "upstream/outages.h"
#include "net/verifytime.h"

/* More rounds or steps than this without passing time mean an endless loop. */
#define ENDLESS 20000

struct fake_net fake;
static uint64_t now_ms;

struct tls_trust {
    unsigned refs;
};

/* No byte is sent over a network here, so the layers only need to be distinct. */
struct byte_layer {
    bool tls;
};
const struct byte_layer byte_layer_plain = {.tls = false}, byte_layer_tls_client = {.tls = true};
const struct framing framing_dns = {.name = "dns"}, framing_bytes = {.name = "bytes"};

#ifdef ENABLE_DNSTAP
/* No group of a test has a tap. */
void tap_message(struct tap_queue *queue, const struct tap_event *event)
{
    (void)event;
    assert(!queue);
}
#endif

/* --- time --- */

static void set_now(uint64_t ms)
{
    now_ms = ms;
    clock_fake(ms * 1000, 1700000000 + (int64_t)(ms / 1000));
    fake.loop.now_ms = 0;
}

uint64_t fake_now(void)
{
    return now_ms;
}

void loop_add_flush(struct loop *loop, struct loop_flush *hook)
{
    if (!list_linked(&hook->link))
        list_push_back(&loop->flush_hooks, &hook->link);
}

void loop_remove_flush(struct loop_flush *hook)
{
    list_remove(&hook->link);
}

void loop_add_tick(struct loop *loop, struct loop_tick *hook)
{
    list_push_back(&loop->tick_hooks, &hook->link);
}

void loop_remove_tick(struct loop_tick *hook)
{
    list_remove(&hook->link);
}

void loop_wake_by(struct loop *loop, uint64_t at_ms)
{
    if (at_ms < loop->wake_at)
        loop->wake_at = at_ms;
}

void loop_rest(struct loop *loop)
{
    loop->settle_due = true;
}

void timeouts_init(struct timeouts *timeouts, struct loop *loop, uint64_t length_ms, void (*expired)(struct timeout *))
{
    *timeouts = (struct timeouts){.loop = loop, .length_ms = length_ms ? length_ms : 1, .expired = expired};
    list_init(&timeouts->running);
    list_push_back(&loop->timeouts, &timeouts->link);
}

void timeouts_set_length(struct timeouts *timeouts, uint64_t length_ms)
{
    uint64_t length = length_ms ? length_ms : 1;
    list_for_each(link, &timeouts->running) {
        struct timeout *timeout = container_of(link, struct timeout, link);
        timeout->at_ms = timeout->at_ms - timeouts->length_ms + length;
    }
    timeouts->length_ms = length;
}

void timeouts_fini(struct timeouts *timeouts)
{
    while (list_pop(&timeouts->running))
        ;
    list_remove(&timeouts->link);
}

void timeout_start(struct timeouts *timeouts, struct timeout *timeout)
{
    timeout_stop(timeout);
    timeout->at_ms = loop_now(timeouts->loop) + timeouts->length_ms;
    list_push_back(&timeouts->running, &timeout->link);
}

void timeout_stop(struct timeout *timeout)
{
    list_remove(&timeout->link);
}

static struct timeout *first_timeout(const struct timeouts *timeouts)
{
    struct list_link *link = list_first(&timeouts->running);
    return link ? container_of(link, struct timeout, link) : NULL;
}

static uint64_t next_deadline(void)
{
    uint64_t at_ms = fake.loop.wake_at;
    list_for_each(link, &fake.loop.timeouts) {
        struct timeout *first = first_timeout(container_of(link, struct timeouts, link));
        if (first && first->at_ms < at_ms)
            at_ms = first->at_ms;
    }
    return at_ms;
}

static void run_timeouts(struct timeouts *timeouts)
{
    struct timeout *first;
    while ((first = first_timeout(timeouts)) && first->at_ms <= now_ms) {
        timeout_stop(first);
        timeouts->expired(first);
    }
}

static void run_deadlines(void)
{
    struct loop *loop = &fake.loop;
    list_for_each(link, &loop->timeouts)
        run_timeouts(container_of(link, struct timeouts, link));
    if (loop->wake_at > now_ms && !loop->settle_due) /* more often than once a step, which ticks must tolerate */
        return;
    loop->settle_due = false;
    loop->wake_at = LOOP_NEVER;
    list_for_each(link, &loop->tick_hooks) {
        struct loop_tick *hook = container_of(link, struct loop_tick, link);
        loop_wake_by(loop, hook->tick(hook, now_ms));
    }
    if (loop->wake_at <= now_ms)
        loop->wake_at = now_ms + 1;
}

/* --- streams --- */

static struct fake_conn *conn_of(const struct stream *stream)
{
    list_for_each(link, &fake.conns) {
        struct fake_conn *conn = container_of(link, struct fake_conn, link);
        if (conn->stream == stream)
            return conn;
    }
    assert(!"a stream that was never connected, or is gone");
    return NULL;
}

static enum fake_dial dial_of(const struct addr *to)
{
    unsigned last = ntohl(to->in.sin_addr.s_addr) & 0xff;
    assert(last < sizeof fake.dial / sizeof fake.dial[0]);
    return fake.dial[last];
}

int stream_connect(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                   const struct stream_form *form, const struct addr *to, const struct addr *source)
{
    const struct tls_client *client = form->layer_config;
    (void)source;
    assert(loop == &fake.loop && form->framing == &framing_dns);
    assert(form->layer->tls ? client->trust && client->tickets : !client);
    if (dial_of(to) == FAKE_FAILS_AT_ONCE)
        return -ENETUNREACH;
    void *layer_state = mem_alloc(1);
    if (!layer_state)
        return -ENOMEM;
    struct fake_conn *conn = calloc(1, sizeof *conn);
    assert(conn);
    *stream = (struct stream){
        .loop = loop, .ops = ops, .layer = form->layer, .layer_state = layer_state, .state = STREAM_CONNECTING};
    conn->stream = stream;
    conn->to = *to;
    conn->dialed_ms = now_ms;
    conn->alpn = client ? client->alpn : NULL;
    list_init(&conn->frames);
    list_push_back(&fake.conns, &conn->link);
    return 0;
}

static bool is_ending(const struct stream *stream)
{
    return stream->state == STREAM_CLOSING || stream->state == STREAM_UNUSED;
}

static void begin_close(struct stream *stream, int reason)
{
    stream->state = STREAM_CLOSING;
    stream->reason = reason;
}

uint8_t *stream_reserve(struct stream *stream, size_t cap)
{
    uint8_t *room = is_ending(stream) ? NULL : buffer_reserve(&stream->out, 2 + cap);
    return room ? room + 2 : NULL;
}

void stream_commit(struct stream *stream, size_t len)
{
    write_u16(stream->out.data + stream->out.start + stream->out.len, (uint16_t)len);
    buffer_commit(&stream->out, 2 + len);
}

static void write_frames(struct fake_conn *conn, struct buffer *out)
{
    conn->flushes++;
    while (out->len > 0) {
        const uint8_t *at = buffer_bytes(out).data;
        size_t len = read_u16(at);
        struct fake_frame *frame = malloc(sizeof *frame + len);
        assert(frame && out->len >= 2 + len);
        *frame = (struct fake_frame){.len = len};
        memcpy(frame->data, at + 2, len);
        list_push_back(&conn->frames, &frame->link);
        conn->written++;
        buffer_consume(out, 2 + len);
    }
}

void stream_flush(struct stream *stream)
{
    struct fake_conn *conn = conn_of(stream);
    if (stream->state != STREAM_OPEN || stream->writing || stream->out.len == 0)
        return;
    if (conn->blocked)
        stream->writing = true;
    else
        write_frames(conn, &stream->out);
}

void stream_close(struct stream *stream, int reason)
{
    if (is_ending(stream))
        return;
    conn_of(stream)->closed_by_us = true;
    begin_close(stream, reason);
}

void stream_reset(struct stream *stream, int reason)
{
    stream_close(stream, reason);
}

bool stream_facts(struct stream *stream, struct tls_facts *out)
{
    *out = (struct tls_facts){.version = "TLS1.3", .cipher = "fake", .certificate.name = "fake", .early = fake.early};
    return stream->state == STREAM_OPEN && stream->layer->tls;
}

bool stream_unacknowledged(const struct stream *stream)
{
    return conn_of(stream)->unacknowledged;
}

void stream_acknowledge(struct stream *stream)
{
    conn_of(stream)->acknowledged++;
}

bool stream_mid_frame(const struct stream *stream)
{
    return conn_of(stream)->mid_frame;
}

/* --- trust --- */

int stream_peer(const struct stream *stream, struct addr *out, bool local)
{
    (void)stream, (void)out, (void)local;
    return -ENOTCONN;
}

void link_find_route(struct link_route *out, const struct link_flow *flow)
{
    (void)flow;
    *out = (struct link_route){.reach = LINK_UNKNOWN};
}

bool link_route_changed(const struct link_route *before, const struct link_route *now)
{
    (void)before, (void)now;
    return false;
}

struct tls_trust *tls_trust_ref(struct tls_trust *trust)
{
    trust->refs++;
    return trust;
}

void tls_trust_unref(struct tls_trust *trust)
{
    assert(trust->refs > 0);
    trust->refs--;
}

/* Each trust has another identity. */
int tls_chain_read(struct tls_chain_facts *out, const char *path)
{
    (void)out, (void)path;
    return -ENOENT;
}

void tls_trust_identity(const struct tls_trust *trust, uint8_t out[DIGEST_LEN])
{
    memset(out, 0, DIGEST_LEN);
    memcpy(out, &trust, sizeof trust);
}

void tls_tickets_drop_linkable(struct tls_tickets *tickets)
{
    assert(tickets->count == 0);
}

/* No test of a group stores tickets. */
void tls_tickets_put(struct tls_tickets *tickets, const void *data, size_t len, uint64_t expires_ms, bool tls13)
{
    (void)tickets, (void)data, (void)len, (void)expires_ms, (void)tls13;
    assert(false);
}

void tls_tickets_clear(struct tls_tickets *tickets)
{
    assert(tickets->count == 0);
}

/* --- a turn --- */

static void flush_all(void)
{
    struct list_link *link;
    fake.flushes = 0;
    while ((link = list_pop(&fake.loop.flush_hooks))) {
        struct loop_flush *hook = container_of(link, struct loop_flush, link);
        hook->flush(hook);
        assert(++fake.flushes < ENDLESS);
    }
}

static void conn_finish(struct fake_conn *conn)
{
    struct stream *stream = conn->stream;
    conn->stream = NULL;
    conn->close_reason = stream->reason;
    mem_free(stream->layer_state);
    buffer_free(&stream->out);
    stream->state = STREAM_UNUSED;
    stream->ops->closed(stream, stream->reason);
}

static bool conn_serve(struct fake_conn *conn)
{
    struct fake_frame *frame = fake.serve ? fake_take(conn) : NULL;
    if (!frame)
        return false;
    fake.serve(conn, frame);
    free(frame);
    return true;
}

static bool conn_step(struct fake_conn *conn)
{
    if (!conn->stream)
        return false;
    if (conn->stream->state == STREAM_CLOSING) {
        conn_finish(conn);
        return true;
    }
    if (conn->stream->state == STREAM_CONNECTING && dial_of(&conn->to) == FAKE_ACCEPTS) {
        fake_accept(conn);
        return true;
    }
    if (conn->stream->state == STREAM_CONNECTING && dial_of(&conn->to) == FAKE_REFUSES) {
        fake_kill(conn, -ECONNREFUSED);
        return true;
    }
    return conn->stream->state == STREAM_OPEN && conn_serve(conn);
}

static bool conns_step(void)
{
    bool any = false;
    list_for_each(link, &fake.conns)
        any |= conn_step(container_of(link, struct fake_conn, link));
    return fake_datagrams_step() || any;
}

void fake_turn(void)
{
    unsigned steps = 0;
    do {
        flush_all();
        assert(++steps < ENDLESS);
    } while (conns_step());
    fake.loop.now_ms = 0;
}

void fake_pass(uint64_t ms)
{
    uint64_t until = now_ms + ms, at;
    unsigned steps = 0;
    fake_turn();
    while ((at = next_deadline()) <= until) {
        set_now(at > now_ms ? at : now_ms);
        run_deadlines();
        fake_turn();
        assert(++steps < ENDLESS);
    }
    set_now(until);
    fake_turn();
}

/* --- actions of the test --- */

static struct list budgets; /* of fake_worker */

void fake_begin(void)
{
    memset(&fake, 0, sizeof fake);
    log_set_level(LOG_LEVEL_ERROR);
    outages_reset();
    list_init(&fake.loop.flush_hooks);
    list_init(&fake.loop.tick_hooks);
    list_init(&fake.loop.timeouts);
    list_init(&fake.conns);
    list_init(&budgets);
    fake_datagrams_begin();
    fake.loop.wake_at = fake.loop.armed_at = LOOP_NEVER;
    for (size_t i = 0; i < sizeof fake.trusts / sizeof fake.trusts[0]; i++) {
        fake.trusts[i] = calloc(1, sizeof *fake.trusts[i]);
        assert(fake.trusts[i]);
    }
    set_now(1000000);
}

void fake_end(void)
{
    struct list_link *link;
    struct fake_frame *frame;
    assert(list_empty(&budgets));
    assert(list_empty(&fake.loop.flush_hooks) && list_empty(&fake.loop.tick_hooks) && list_empty(&fake.loop.timeouts));
    fake_datagrams_end();
    while ((link = list_pop(&fake.conns))) {
        struct fake_conn *conn = container_of(link, struct fake_conn, link);
        assert(!conn->stream);
        while ((frame = fake_take(conn)))
            free(frame);
        free(conn);
    }
    for (size_t i = 0; i < sizeof fake.trusts / sizeof fake.trusts[0]; i++) {
        assert(fake.trusts[i]->refs == 0);
        free(fake.trusts[i]);
    }
    clock_real();
}

struct fake_conn *fake_conn(unsigned n)
{
    list_for_each(link, &fake.conns)
        if (n-- == 0)
            return container_of(link, struct fake_conn, link);
    return NULL;
}

unsigned fake_dials(void)
{
    unsigned count = 0;
    while (fake_conn(count))
        count++;
    return count;
}

unsigned fake_open(void)
{
    unsigned open = 0;
    list_for_each(link, &fake.conns) {
        struct fake_conn *conn = container_of(link, struct fake_conn, link);
        open += conn->stream && conn->stream->state == STREAM_OPEN;
    }
    return open;
}

void fake_accept(struct fake_conn *conn)
{
    conn->was_open = true;
    if (!conn->stream->connected_ms) /* the handshake takes no time, unless the test began one */
        conn->stream->connected_ms = now_ms;
    conn->stream->state = STREAM_OPEN;
    conn->stream->ops->ready(conn->stream);
}

void fake_kill(struct fake_conn *conn, int reason)
{
    if (!conn->stream || is_ending(conn->stream))
        return;
    conn->stream->clean_end = reason == ERROR_CLOSED;
    begin_close(conn->stream, reason);
}

void fake_unblock(struct fake_conn *conn)
{
    conn->blocked = false;
    if (!conn->stream || !conn->stream->writing)
        return;
    conn->stream->writing = false;
    write_frames(conn, &conn->stream->out);
    if (conn->stream->ops->drained)
        conn->stream->ops->drained(conn->stream);
}

struct fake_frame *fake_take(struct fake_conn *conn)
{
    struct list_link *link = list_pop(&conn->frames);
    return link ? container_of(link, struct fake_frame, link) : NULL;
}

void fake_deliver(struct fake_conn *conn, const void *message, size_t len)
{
    if (!conn->stream || conn->stream->state != STREAM_OPEN)
        return;
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, message, len);
    conn->stream->received += 2 + len;
    conn->stream->ops->frame(conn->stream, copy, len);
    free(copy);
}

/* --- answers --- */

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static uint8_t *put_u16(uint8_t *at, unsigned value)
{
    write_u16(at, (uint16_t)value);
    return at + 2;
}

static size_t question_end(const struct fake_frame *question)
{
    size_t at = MESSAGE_HEADER;
    while (question->data[at])
        at += 1u + question->data[at];
    return at + 5;
}

static uint8_t *put_opt(uint8_t *at, const struct fake_answer *answer)
{
    at = put(at, "\0\0\51\4\320", 5);
    *at++ = (uint8_t)(answer->rcode >> 4);
    at = put(at, "\0\0\0", 3);
    uint8_t *len_at = at;
    at += 2;
    if (answer->keepalive_100ms >= 0)
        at = put_u16(put(at, "\0\13\0\2", 4), (unsigned)answer->keepalive_100ms);
    if (answer->ede >= 0)
        at = put_u16(put(at, "\0\17\0\2", 4), (unsigned)answer->ede);
    put_u16(len_at, (unsigned)(at - len_at - 2));
    return at;
}

size_t fake_build(uint8_t out[2048], const struct fake_frame *question, const struct fake_answer *answer)
{
    bool record = answer->rcode == RCODE_NOERROR && !answer->no_record && !answer->truncated;
    bool opt = answer->rcode > 15 || answer->ede >= 0 || answer->keepalive_100ms >= 0;
    uint8_t *at = put_u16(out, read_u16(question->data));
    at = put_u16(at, FLAG_QR | FLAG_RD | FLAG_RA | (answer->truncated ? FLAG_TC : 0u) | (answer->rcode & 15u));
    at = put_u16(put_u16(put_u16(put_u16(at, 1), record), 0), opt);
    at = put(at, question->data + MESSAGE_HEADER, question_end(question) - MESSAGE_HEADER);
    if (record) {
        at = put(at, "\300\14\0\1\0\1", 6);
        write_u32(at, answer->ttl ? answer->ttl : 300);
        at = put(at + 4, "\0\4\300\0\2\1", 6);
    }
    if (opt)
        at = put_opt(at, answer);
    return (size_t)(at - out);
}

void fake_reply(struct fake_conn *conn, const struct fake_frame *question, const struct fake_answer *answer)
{
    uint8_t out[2048];
    size_t len = fake_build(out, question, answer ? answer : &FAKE_ANSWER);
    fake_deliver(conn, out, len);
}

void fake_serve_all(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, NULL);
}

/* --- configuration --- */

struct config *fake_config(unsigned entries, unsigned addresses)
{
    static struct config config;
    static struct config_upstream upstreams[8];
    static struct addr addrs[16];
    static struct prefix everyone = {{[10] = 0xff, [11] = 0xff}, 96}; /* 0.0.0.0/0 */
    static char names[8][16];
    assert(entries <= 8 && entries * addresses < 16);
    memset(upstreams, 0, sizeof upstreams);
    for (unsigned i = 0; i < entries * addresses; i++) {
        char text[ADDR_TEXT];
        snprintf(text, sizeof text, "192.0.2.%u", i + 1);
        int status = addr_parse(&addrs[i], text, 853);
        assert(status == 0);
    }
    for (unsigned i = 0; i < entries; i++) {
        snprintf(names[i], sizeof names[i], "entry%u", i);
        upstreams[i].name = names[i];
        upstreams[i].addresses = &addrs[i * addresses];
        upstreams[i].address_count = addresses;
    }
    config = (struct config){.refs = 1, .upstreams = upstreams, .upstream_count = entries};
    config.access.allow = &everyone;
    config.access.allow_count = 1;
    config.tls.sessions = 2;
    config.tls.idle_ms = 30000;
    config.cache.max_ttl = 86400;
    config.cache.stale_answer_after_ms = 1800;
    config.cache.negative_max_ttl = 3600;
    config.limits.answer_by_ms = 3500;
    config.limits.udp_waiting = 100;
    config.limits.tcp_output = 4 << 20;
    config.tls.unanswered = 256 << 10;
    config.log_slow_ms = 500;
    config.limits.queries_in_flight = 10000;
    config.limits.udp_size = 1232;
    return &config;
}

/* --- groups and attempts of the test --- */

static unsigned groups_closed;

static struct answer_scratch scratch;
static struct rewrite rewrite;
const struct group_worker fake_worker = {
    .loop = &fake.loop, .counters = &fake.counters, .scratch = &scratch, .rewrite = &rewrite, .budgets = &budgets};

struct group_definition fake_definition(struct config *config, struct tls_trust *const *trusts)
{
    return (struct group_definition){.name = GROUP_ROOT,
                                     .config = config,
                                     .upstreams = config->upstreams,
                                     .upstream_count = config->upstream_count,
                                     .policy = config->upstream_policy,
                                     .trusts = trusts};
}

struct group *fake_group(struct config *config)
{
    struct group_definition definition = fake_definition(config, fake.trusts);
    struct group *group = NULL;
    int status = group_new(&group, &definition);
    assert(status == 0);
    group_begin(group, &fake_worker);
    return group;
}

static void note_closed(void *context)
{
    (void)context;
    groups_closed++;
}

void fake_group_end(struct group *group)
{
    struct config *config = group->config;
    groups_closed = 0;
    group_stop(group, note_closed, NULL);
    fake_turn();
    assert(groups_closed == 1 && group->sessions == 0);
    group_free(group);
    assert(config->refs == 1);
}

static struct group *asked_of;

static void ask_done(struct attempt *attempt, int status, struct answer *answer)
{
    struct fake_ask *ask = container_of(attempt, struct fake_ask, attempt);
    assert(!attempt_live(attempt) && !answer == (status < 0));
    ask->ended++;
    ask->answered += status == 0;
    ask->status = status;
    ask->rcode = answer ? answer->rcode : 0;
    ask->ended_ms = now_ms;
    if (status < 0 && ask->insists && ask->ended < 20)
        attempt_send(asked_of, attempt);
}

void fake_avoid(struct fake_ask *ask, struct server *server, enum outcome outcome)
{
    ask->attempt.ask = &ask->history;
    ask->history.past[ask->history.past_count++] = (struct past_attempt){.server = server, .outcome = (uint8_t)outcome};
}

void fake_hedge(struct fake_ask *ask, const struct fake_ask *other)
{
    ask->attempt.ask = &ask->history;
    ask->history.attempts[0] =
        (struct attempt){.state = ATTEMPT_SENT, .session = other->attempt.session, .server = other->attempt.server};
}

void fake_ask(struct group *group, struct fake_ask *ask, const char *name)
{
    int len = name_from_text(ask->key.name, name);
    assert(len > 0);
    ask->key.name_len = (uint8_t)len;
    ask->key.type = TYPE_A;
    ask->key.class = CLASS_IN;
    ask->attempt.key = &ask->key;
    ask->attempt.done = ask_done;
    asked_of = group;
    attempt_send(group, &ask->attempt);
}

/* --- the clock --- */

bool verifytime_may_be_behind(void)
{
    return false;
}

/* --- HTTP/2: no server of these tests speaks it --- */

int http2_new(struct http2 **out, enum http2_side side, const struct http2_ops *ops, void *owner)
{
    (void)out, (void)side, (void)ops, (void)owner;
    return -ENOMEM;
}

void http2_free(struct http2 *http2)
{
    assert(!http2);
}

void *http2_owner(const struct http2 *http2)
{
    return (void *)http2;
}

int http2_receive(struct http2 *http2, const uint8_t *data, size_t len, uint64_t at_ms)
{
    (void)http2, (void)data, (void)len, (void)at_ms;
    return ERROR_HTTP_PROTOCOL;
}

int http2_send(struct http2 *http2, struct stream *stream, size_t unsent)
{
    (void)http2, (void)stream, (void)unsent;
    return ERROR_HTTP_PROTOCOL;
}

int http2_request(struct http2 *http2, struct http2_exchange **out, const struct http2_request *request)
{
    (void)http2, (void)out, (void)request;
    return ERROR_LIMIT;
}

void http2_cancel(struct http2_exchange *exchange)
{
    (void)exchange;
}

bool http2_is_draining(const struct http2 *http2)
{
    (void)http2;
    return false;
}

unsigned http2_peer_streams(const struct http2 *http2)
{
    (void)http2;
    return 0;
}

int tls_trust_with_pins(struct tls_trust **out, const struct tls_trust *like, const struct tls_pin *pins,
                        unsigned count)
{
    (void)like, (void)pins, (void)count;
    *out = NULL;
    return -ENOMEM;
}
