/* SPDX-License-Identifier: MIT */
/* Streams over loopback TCP, plain and TLS: the test runs the turns of the loop and of the peer in one thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/mem.h"
#include "net/stream.h"
#include "net/tls.h"
#include "tls_server.h"

#define NAME "dns.test.example"

static struct loop loop;
static struct certificate authority, good, stranger;
static char *ca_file;
static struct tls_trust *trust;
static gnutls_datum_t ticket_key;

/* --- the stream under test and its callbacks --- */

struct end {
    struct stream stream;
    unsigned readies, ended, drained, closed;
    int reason;
    struct buffer frames; /* as received, with prefixes */
    unsigned frame_count;
    unsigned pause_at, close_at, reset_at; /* in the callback of which frame */
    bool close_when_ready, pause_when_ready, ask_when_ready, resume_at_once, resume_last;
    bool in_frame;
};

static struct end *end_of(struct stream *stream)
{
    return container_of(stream, struct end, stream);
}

static void put_frame(struct stream *stream, const void *message, size_t len)
{
    uint8_t *room = stream_reserve(stream, len + 10);
    assert_non_null(room);
    if (len > 0)
        memcpy(room, message, len);
    stream_commit(stream, len);
}

static void on_ready(struct stream *stream)
{
    struct end *end = end_of(stream);
    assert_int_equal(end->closed, 0);
    end->readies++;
    if (end->ask_when_ready)
        put_frame(stream, "asked at once", 13);
    if (end->pause_when_ready)
        stream_pause(stream);
    if (end->close_when_ready)
        stream_close(stream, ERROR_IDLE);
}

static void on_frame(struct stream *stream, uint8_t *message, size_t len)
{
    struct end *end = end_of(stream);
    uint8_t prefix[2];
    assert_false(end->in_frame);
    assert_int_equal(end->closed, 0);
    assert_int_equal(stream->state, STREAM_OPEN);
    end->in_frame = true;
    end->frame_count++;
    write_u16(prefix, (uint16_t)len);
    assert_int_equal(buffer_append(&end->frames, prefix, 2), 0);
    assert_int_equal(buffer_append(&end->frames, message, len), 0);
    memset(message, 0xee, len); /* ours until the callback returns */
    if (end->frame_count == end->pause_at)
        stream_pause(stream);
    if (end->frame_count == end->pause_at && end->resume_at_once)
        stream_resume(stream);
    if (end->frame_count == end->close_at)
        stream_close(stream, ERROR_IDLE);
    if (end->frame_count == end->reset_at)
        stream_reset(stream, ERROR_SLOW_READER);
    if (end->resume_last)
        stream_resume(stream);
    end->in_frame = false;
}

static void on_ended(struct stream *stream)
{
    end_of(stream)->ended++;
}

static void on_drained(struct stream *stream)
{
    assert_true(stream_drained(stream));
    end_of(stream)->drained++;
}

static void on_closed(struct stream *stream, int reason)
{
    struct end *end = end_of(stream);
    end->closed++;
    end->reason = reason;
    memset(stream, 0xdd, sizeof *stream); /* the owner may free it now */
}

static const struct stream_ops ops = {
    .ready = on_ready, .frame = on_frame, .ended = on_ended, .drained = on_drained, .closed = on_closed};
static const struct stream_ops ops_without_end = {.ready = on_ready, .frame = on_frame, .closed = on_closed};

/* --- the peer --- */

struct peer {
    int listener, fd;
    struct addr addr;
    struct buffer got; /* clear bytes from the stream */
    bool eof, reset;   /* how the stream ended */
    bool deaf;         /* reads nothing */
    bool tls;
    struct tls_server server;
    bool alerted;   /* the stream gave up with an alert */
    unsigned reads; /* reads that returned data */
    unsigned records;
    size_t record[64]; /* the clear bytes of the first ones */
};

static void peer_listen(struct peer *peer)
{
    socklen_t len = sizeof peer->addr;
    *peer = (struct peer){.fd = -1};
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    peer->addr.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(peer->listener, &peer->addr.sa, sizeof peer->addr.in), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    assert_int_equal(getsockname(peer->listener, &peer->addr.sa, &len), 0);
}

static void peer_listen_tls(struct peer *peer, const struct tls_server_options *options)
{
    peer_listen(peer);
    peer->tls = true;
    tls_server_init(&peer->server, options);
}

static struct tls_server_options serving(const struct certificate *leaf)
{
    return (struct tls_server_options){.chain = leaf, .chain_len = 1, .ticket_key = &ticket_key};
}

static void peer_close(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    if (peer->listener >= 0)
        close(peer->listener);
    if (peer->tls)
        tls_server_fini(&peer->server);
    buffer_free(&peer->got);
}

static void peer_write(struct peer *peer, const void *data, size_t len)
{
    assert_int_equal(send(peer->fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void peer_push_tls(struct peer *peer)
{
    struct buffer *out = &peer->server.out;
    while (out->len > 0) {
        ssize_t sent = send(peer->fd, out->data + out->start, out->len, MSG_NOSIGNAL);
        if (sent < 0)
            return;
        buffer_consume(out, (size_t)sent);
    }
}

static void peer_take_tls(struct peer *peer, const uint8_t *data, size_t len)
{
    uint8_t clear[16384];
    assert_int_equal(buffer_append(&peer->server.in, data, len), 0);
    tls_server_step(&peer->server);
    ssize_t count = 0;
    while (peer->server.done && (count = tls_server_receive(&peer->server, clear, sizeof clear)) > 0) {
        assert_int_equal(buffer_append(&peer->got, clear, (size_t)count), 0);
        if (peer->records < sizeof peer->record / sizeof peer->record[0])
            peer->record[peer->records] = (size_t)count; /* the library gives one at a time */
        peer->records++;
    }
    peer->alerted = peer->alerted || count == GNUTLS_E_FATAL_ALERT_RECEIVED;
}

static void peer_turn(struct peer *peer)
{
    static uint8_t data[65536];
    if (peer->fd < 0 && peer->listener >= 0)
        peer->fd = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer->fd < 0)
        return;
    while (!peer->deaf && !peer->eof && !peer->reset) {
        ssize_t count = recv(peer->fd, data, sizeof data, 0);
        if (count < 0 && errno == EAGAIN)
            break;
        peer->eof = count == 0;
        peer->reset = count < 0;
        peer->reads += count > 0;
        if (count > 0 && peer->tls)
            peer_take_tls(peer, data, (size_t)count);
        else if (count > 0)
            assert_int_equal(buffer_append(&peer->got, data, (size_t)count), 0);
    }
    if (peer->tls)
        peer_push_tls(peer);
}

static void peer_reset(struct peer *peer)
{
    const struct linger now = {1, 0};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(peer->fd);
    peer->fd = -1;
    close(peer->listener);
    peer->listener = -1;
}

/* --- turning --- */

static void turn(struct peer *peer)
{
    loop.now_ms = 0;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    if (peer)
        peer_turn(peer);
}

#define until(peer, condition)                                                                                         \
    do {                                                                                                               \
        uint64_t give_up = clock_ms() + 5000;                                                                          \
        while (!(condition)) {                                                                                         \
            if (clock_ms() > give_up)                                                                                  \
                fail_msg("%s:%d: never: %s", __FILE__, __LINE__, #condition);                                          \
            turn(peer);                                                                                                \
        }                                                                                                              \
    } while (0)

/* Runs enough turns for all data on loopback to arrive. */
static void settle(struct peer *peer)
{
    for (int i = 0; i < 20; i++)
        turn(peer);
}

static const struct stream_form plain_form = {.framing = &framing_dns, .layer = &byte_layer_plain};

/* Connects, with TLS if `with` is not NULL. */
static void connect_to(struct end *end, struct peer *peer, struct tls_trust *with, struct tls_tickets *tickets)
{
    const struct tls_client client = {with, tickets, "dot"};
    const struct stream_form tls_form = {
        .framing = &framing_dns, .layer = &byte_layer_tls_client, .layer_config = &client};
    assert_int_equal(stream_connect(&end->stream, &loop, &ops, with ? &tls_form : &plain_form, &peer->addr, NULL), 0);
}

static void open_plain(struct end *end, struct peer *peer)
{
    peer_listen(peer);
    connect_to(end, peer, NULL, NULL);
    until(peer, end->readies == 1 && peer->fd >= 0);
}

static void open_tls(struct end *end, struct peer *peer, struct tls_tickets *tickets)
{
    const struct tls_server_options options = serving(&good);
    peer_listen_tls(peer, &options);
    connect_to(end, peer, trust, tickets);
    until(peer, end->readies == 1 && peer->server.done);
}

static void finish(struct end *end, struct peer *peer)
{
    if (!end->closed)
        stream_close(&end->stream, ERROR_STOPPING);
    until(peer, end->closed == 1);
    settle(peer);
    assert_int_equal(end->closed, 1);
    buffer_free(&end->frames);
    peer_close(peer);
}

static void assert_frames(const struct end *end, const void *expected, size_t len)
{
    assert_int_equal(end->frames.len, len);
    if (len > 0)
        assert_memory_equal(buffer_bytes(&end->frames).data, expected, len);
}

/* `count` frames of different sizes, one behind the other. */
static struct buffer many_frames(unsigned count, size_t max_size)
{
    struct buffer frames = {0};
    for (unsigned i = 0; i < count; i++) {
        size_t size = (i * 37) % (max_size + 1);
        uint8_t *room = buffer_reserve(&frames, 2 + size);
        write_u16(room, (uint16_t)size);
        for (size_t j = 0; j < size; j++)
            room[2 + j] = (uint8_t)(i + j);
        buffer_commit(&frames, 2 + size);
    }
    return frames;
}

/* --- connecting --- */

static void a_plain_stream_opens_and_carries_frames_both_ways(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    struct addr here, there;
    open_plain(&end, &peer);
    put_frame(&end.stream, "hello", 5);
    put_frame(&end.stream, "", 0);
    assert_int_equal(stream_unsent(&end.stream), 9);
    stream_flush(&end.stream);
    assert_int_equal(stream_unsent(&end.stream), 0);
    until(&peer, peer.got.len == 9);
    assert_memory_equal(buffer_bytes(&peer.got).data, "\0\5hello\0\0", 9);
    assert_int_equal(peer.reads, 1);
    peer_write(&peer, "\0\2hi\0\0\0\1!", 9);
    until(&peer, end.frame_count == 3);
    assert_frames(&end, "\0\2hi\0\0\0\1!", 9);
    assert_int_equal(end.stream.received, 9);
    assert_int_equal(stream_peer(&end.stream, &there, false), 0);
    assert_true(addr_equal(&there, &peer.addr));
    assert_int_equal(stream_peer(&end.stream, &here, true), 0);
    assert_true(addr_is_loopback(&here) && !addr_equal(&here, &there));
    assert_false(stream_facts(&end.stream, &(struct tls_facts){0}));
    finish(&end, &peer);
    assert_int_equal(end.reason, ERROR_STOPPING);
}

static int option_of(const struct end *end, int level, int option)
{
    int fd, value = 0;
    socklen_t len = sizeof value;
    assert_int_equal(uv_fileno((const uv_handle_t *)&end->stream.tcp, &fd), 0);
    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void an_outgoing_socket_has_its_options(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    assert_int_equal(option_of(&end, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(&end, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(&end, IPPROTO_TCP, TCP_USER_TIMEOUT), 4000);
    finish(&end, &peer);
}

static void frames_appended_before_the_connection_wait_for_it(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    connect_to(&end, &peer, NULL, NULL);
    put_frame(&end.stream, "early", 5);
    stream_flush(&end.stream);
    assert_int_equal(end.readies, 0);
    assert_false(stream_drained(&end.stream));
    until(&peer, end.readies == 1);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 7);
    finish(&end, &peer);
}

static void a_stream_connects_from_a_source(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    struct addr source, from;
    socklen_t len = sizeof from;
    peer_listen(&peer);
    assert_int_equal(addr_parse(&source, "127.0.0.9", 0), 0);
    assert_int_equal(stream_connect(&end.stream, &loop, &ops, &plain_form, &peer.addr, &source), 0);
    until(&peer, end.readies == 1 && peer.fd >= 0);
    assert_int_equal(getpeername(peer.fd, &from.sa, &len), 0);
    assert_int_equal(from.in.sin_addr.s_addr, source.in.sin_addr.s_addr);
    finish(&end, &peer);
}

static void a_source_that_is_not_ours_starts_nothing(void **state)
{
    (void)state;
    struct end end = {0};
    struct addr to, source;
    assert_int_equal(addr_parse(&to, "127.0.0.1@9", 0), 0);
    assert_int_equal(addr_parse(&source, "192.0.2.1", 0), 0);
    assert_int_equal(stream_connect(&end.stream, &loop, &ops, &plain_form, &to, &source), -EADDRNOTAVAIL);
    settle(NULL);
    assert_int_equal(end.closed, 0);
}

static void a_refused_connection_is_reported(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    close(peer.listener);
    peer.listener = -1;
    connect_to(&end, &peer, NULL, NULL);
    assert_int_equal(end.closed, 0);
    until(&peer, end.closed == 1);
    assert_int_equal(end.reason, -ECONNREFUSED);
    assert_int_equal(end.readies, 0);
    finish(&end, &peer);
}

/* An immediate failure of connect() is reported asynchronously, too. */
static void an_impossible_destination_is_reported_asynchronously(void **state)
{
    (void)state;
    struct end end = {0};
    struct addr to;
    assert_int_equal(addr_parse(&to, "255.255.255.255@53", 0), 0);
    assert_int_equal(stream_connect(&end.stream, &loop, &ops, &plain_form, &to, NULL), 0);
    assert_int_equal(end.closed, 0);
    until(NULL, end.closed == 1);
    assert_true(end.reason < 0 && end.reason > -2000);
}

static void a_stream_can_be_closed_while_it_connects(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct end end = {0};
        struct peer peer;
        peer_listen(&peer);
        connect_to(&end, &peer, trust, &(struct tls_tickets){0});
        (reset ? stream_reset : stream_close)(&end.stream, ERROR_NO_SERVER);
        (reset ? stream_reset : stream_close)(&end.stream, ERROR_IDLE);
        assert_int_equal(end.closed, 0);
        finish(&end, &peer);
        assert_int_equal(end.readies, 0);
        assert_int_equal(end.reason, ERROR_NO_SERVER);
    }
}

static void a_stream_can_be_closed_when_it_is_ready(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct end end = {.close_when_ready = true, .ask_when_ready = true};
        struct tls_tickets tickets = {0};
        struct tls_server_options options = serving(&good);
        struct peer peer;
        tls ? peer_listen_tls(&peer, &options) : peer_listen(&peer);
        connect_to(&end, &peer, tls ? trust : NULL, &tickets);
        until(&peer, end.closed == 1 && peer.eof);
        assert_int_equal(end.reason, ERROR_IDLE);
        assert_int_equal(peer.got.len, 15); /* the appended data was sent */
        finish(&end, &peer);
        tls_tickets_clear(&tickets);
    }
}

/* --- frames --- */

static void frames_may_be_split_anywhere(void **state)
{
    (void)state;
    static const char frames[] = "\0\3abc\0\0\0\5defgh\0\1i";
    const size_t len = sizeof frames - 1;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            uint64_t before = end.stream.received;
            buffer_consume(&end.frames, end.frames.len);
            peer_write(&peer, frames, first);
            until(&peer, end.stream.received == before + first);
            peer_write(&peer, frames + first, second - first);
            until(&peer, end.stream.received == before + second);
            peer_write(&peer, frames + second, len - second);
            until(&peer, end.stream.received == before + len);
            assert_frames(&end, frames, len);
            assert_false(stream_mid_frame(&end.stream));
        }
    }
    finish(&end, &peer);
}

static void a_partial_frame_shows(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    assert_false(stream_mid_frame(&end.stream));
    peer_write(&peer, "\0", 1);
    until(&peer, stream_mid_frame(&end.stream));
    peer_write(&peer, "\2a", 2);
    until(&peer, end.stream.received == 3);
    assert_true(stream_mid_frame(&end.stream));
    peer_write(&peer, "b", 1);
    until(&peer, end.frame_count == 1);
    assert_false(stream_mid_frame(&end.stream));
    finish(&end, &peer);
}

static void the_largest_frame_passes_both_ways(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    uint8_t *message = calloc(1, 65537);
    for (size_t i = 2; i < 65537; i++)
        message[i] = (uint8_t)(i * 31);
    write_u16(message, 65535);
    open_plain(&end, &peer);
    size_t at = 0;
    while (end.frame_count == 0) {
        ssize_t sent = send(peer.fd, message + at, 65537 - at, MSG_NOSIGNAL);
        at += sent > 0 ? (size_t)sent : 0;
        turn(&peer);
    }
    assert_frames(&end, message, 65537);
    uint8_t *room = stream_reserve(&end.stream, 65535);
    memcpy(room, message + 2, 65535);
    stream_commit(&end.stream, 65535);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 65537);
    assert_memory_equal(buffer_bytes(&peer.got).data, message, 65537);
    assert_true(end.stream.out.cap <= 16384 && end.stream.in.cap <= 16384); /* large blocks are freed */
    free(message);
    finish(&end, &peer);
}

static void many_frames_in_one_write_arrive_in_order(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    struct buffer frames = many_frames(3000, 60);
    open_plain(&end, &peer);
    peer_write(&peer, frames.data + frames.start, frames.len);
    until(&peer, end.frame_count == 3000);
    assert_frames(&end, frames.data + frames.start, frames.len);
    buffer_free(&frames);
    finish(&end, &peer);
}

/* --- pausing --- */

static void a_pause_within_a_frame_keeps_the_rest(void **state)
{
    (void)state;
    struct end end = {.pause_at = 2};
    struct peer peer;
    open_plain(&end, &peer);
    peer_write(&peer, "\0\1a\0\1b\0\1c\0\1d\0\2e", 15);
    until(&peer, end.frame_count == 2);
    settle(&peer);
    assert_int_equal(end.frame_count, 2);
    peer_write(&peer, "f\0\1g", 4);
    settle(&peer);
    assert_int_equal(end.stream.received, 15); /* nothing more is read */
    end.pause_at = 3;
    stream_resume(&end.stream);
    assert_int_equal(end.frame_count, 2); /* not from within the call */
    until(&peer, end.frame_count == 3);
    settle(&peer);
    assert_int_equal(end.frame_count, 3);
    stream_resume(&end.stream);
    until(&peer, end.frame_count == 6);
    assert_frames(&end, "\0\1a\0\1b\0\1c\0\1d\0\2ef\0\1g", 19);
    finish(&end, &peer);
}

static void pause_and_resume_within_one_frame_change_nothing(void **state)
{
    (void)state;
    struct end end = {.pause_at = 1, .resume_at_once = true};
    struct peer peer;
    open_plain(&end, &peer);
    peer_write(&peer, "\0\1a\0\1b\0\1", 8);
    until(&peer, end.frame_count == 2);
    settle(&peer);
    peer_write(&peer, "c", 1);
    until(&peer, end.frame_count == 3);
    assert_frames(&end, "\0\1a\0\1b\0\1c", 9);
    finish(&end, &peer);
}

static void a_pause_before_the_stream_is_open_does_nothing(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    connect_to(&end, &peer, NULL, NULL);
    stream_pause(&end.stream);
    until(&peer, end.readies == 1 && peer.fd >= 0);
    peer_write(&peer, "\0\1a", 3);
    until(&peer, end.frame_count == 1);
    finish(&end, &peer);
}

static void a_resume_can_be_taken_back(void **state)
{
    (void)state;
    struct end end = {.pause_at = 1};
    struct peer peer;
    open_plain(&end, &peer);
    peer_write(&peer, "\0\1a\0\1b", 6);
    until(&peer, end.frame_count == 1);
    stream_resume(&end.stream);
    stream_pause(&end.stream);
    stream_resume(&end.stream);
    stream_pause(&end.stream);
    settle(&peer);
    assert_int_equal(end.frame_count, 1);
    stream_resume(&end.stream);
    until(&peer, end.frame_count == 2);
    finish(&end, &peer);
}

static void the_end_comes_behind_the_frames_that_a_pause_kept(void **state)
{
    (void)state;
    struct end end = {.pause_at = 1};
    struct peer peer;
    open_plain(&end, &peer);
    peer_write(&peer, "\0\1a\0\1b", 6);
    shutdown(peer.fd, SHUT_WR);
    settle(&peer);
    assert_int_equal(end.frame_count, 1);
    assert_int_equal(end.ended, 0);
    stream_resume(&end.stream);
    until(&peer, end.ended == 1);
    assert_int_equal(end.frame_count, 2);
    finish(&end, &peer);
}

static void a_paused_stream_can_be_closed(void **state)
{
    (void)state;
    struct end end = {.pause_at = 1};
    struct peer peer;
    open_plain(&end, &peer);
    peer_write(&peer, "\0\1a\0\1b", 6);
    until(&peer, end.frame_count == 1);
    stream_resume(&end.stream);
    stream_close(&end.stream, ERROR_IDLE);
    finish(&end, &peer);
    assert_int_equal(end.frame_count, 1);
}

/* The loop must not use a freed stream. */
static void a_stream_can_be_closed_around_a_resume(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        struct end end = {.pause_at = 1, .close_at = 1, .resume_at_once = !last, .resume_last = last};
        struct peer peer;
        open_plain(&end, &peer);
        peer_write(&peer, "\0\1a\0\1b", 6);
        until(&peer, end.closed == 1);
        finish(&end, &peer);
        assert_int_equal(end.frame_count, 1);
    }
}

/* --- ends --- */

static void no_frame_comes_after_a_close_within_one(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        for (int split = 0; split < 2; split++) { /* the frame in the scratch, and the one put together */
            struct end end = {.close_at = reset ? 0 : 1, .reset_at = reset ? 1 : 0};
            struct peer peer;
            open_plain(&end, &peer);
            if (split) {
                peer_write(&peer, "\0", 1);
                until(&peer, end.stream.received == 1);
            }
            peer_write(&peer, &"\0\1a\0\1b"[split], 6 - (size_t)split);
            until(&peer, end.closed == 1);
            assert_int_equal(end.frame_count, 1);
            assert_int_equal(end.reason, reset ? ERROR_SLOW_READER : ERROR_IDLE);
            finish(&end, &peer);
        }
    }
}

static void half_closed_streams_still_send(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    peer_write(&peer, "\0\1a\0\7b", 6);
    shutdown(peer.fd, SHUT_WR);
    until(&peer, end.ended == 1);
    assert_int_equal(end.frame_count, 1);
    assert_true(end.stream.ended && !end.stream.clean_end);
    assert_true(stream_mid_frame(&end.stream));
    settle(&peer);
    assert_int_equal(end.ended, 1);
    put_frame(&end.stream, "answer", 6);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 8);
    stream_pause(&end.stream);
    stream_resume(&end.stream);
    settle(&peer);
    assert_int_equal(end.ended, 1);
    stream_close(&end.stream, ERROR_CLOSED);
    until(&peer, peer.eof);
    finish(&end, &peer);
}

static void without_ended_a_stream_closes_itself(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    assert_int_equal(stream_connect(&end.stream, &loop, &ops_without_end, &plain_form, &peer.addr, NULL), 0);
    until(&peer, end.readies == 1 && peer.fd >= 0);
    shutdown(peer.fd, SHUT_WR);
    until(&peer, end.closed == 1);
    assert_int_equal(end.reason, ERROR_CLOSED);
    finish(&end, &peer);
}

static void a_reset_by_the_peer_is_reported(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    peer_reset(&peer);
    until(&peer, end.closed == 1);
    assert_int_equal(end.reason, -ECONNRESET);
    finish(&end, &peer);
}

static void a_failing_write_closes_later(void **state)
{
    (void)state;
    struct end end = {.pause_when_ready = true};
    struct peer peer;
    open_plain(&end, &peer);
    peer_reset(&peer);
    settle(&peer);
    assert_int_equal(end.closed, 0);
    put_frame(&end.stream, "x", 1);
    stream_flush(&end.stream);
    if (end.stream.state == STREAM_OPEN) { /* the first write may still be taken */
        put_frame(&end.stream, "x", 1);
        stream_flush(&end.stream);
    }
    assert_int_equal(end.closed, 0);
    assert_false(stream_drained(&end.stream));
    assert_null(stream_reserve(&end.stream, 1));
    until(&peer, end.closed == 1);
    assert_true(end.reason == -EPIPE || end.reason == -ECONNRESET);
    finish(&end, &peer);
}

static void a_close_sends_what_was_appended_and_a_reset_does_not(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct end end = {0};
        struct peer peer;
        open_plain(&end, &peer);
        put_frame(&end.stream, "last", 4);
        (reset ? stream_reset : stream_close)(&end.stream, ERROR_LIMIT);
        assert_null(stream_reserve(&end.stream, 1));
        stream_flush(&end.stream);
        stream_pause(&end.stream);
        stream_resume(&end.stream);
        until(&peer, end.closed == 1 && (peer.eof || peer.reset));
        assert_int_equal(peer.got.len, reset ? 0 : 6);
        assert_true(reset ? peer.reset : peer.eof);
        finish(&end, &peer);
    }
}

/* --- a peer that does not read --- */

/* Appends numbered frames and flushes until the send buffer is full. */
static size_t fill(struct end *end)
{
    static uint8_t message[4000];
    size_t frames = 0;
    for (; !end->stream.writing; frames++) {
        memset(message, (int)(frames & 0xff), sizeof message);
        put_frame(&end->stream, message, sizeof message);
        stream_flush(&end->stream);
    }
    return frames;
}

static void assert_numbered(const struct peer *peer, size_t frames)
{
    struct bytes got = buffer_bytes(&peer->got);
    assert_int_equal(got.len, frames * 4002);
    for (size_t i = 0; i < frames; i++) {
        assert_int_equal(read_u16(got.data + i * 4002), 4000);
        assert_int_equal(got.data[i * 4002 + 2], i & 0xff);
        assert_int_equal(got.data[i * 4002 + 4001], i & 0xff);
    }
}

static void output_waits_in_order_for_a_slow_reader(struct end *end, struct peer *peer)
{
    peer->deaf = true;
    size_t frames = fill(end);
    assert_false(stream_drained(&end->stream));
    assert_true(stream_unsent(&end->stream) > 0);
    uint8_t message[4000];
    for (int i = 0; i < 3; i++, frames++) {
        size_t before = stream_unsent(&end->stream);
        memset(message, (int)(frames & 0xff), sizeof message);
        put_frame(&end->stream, message, sizeof message);
        stream_flush(&end->stream); /* nothing happens */
        assert_int_equal(stream_unsent(&end->stream), before + 4002);
    }
    settle(peer);
    assert_int_equal(end->drained, 0);
    peer->deaf = false;
    until(peer, peer->got.len == frames * 4002);
    assert_true(end->drained > 0);
    assert_int_equal(stream_unsent(&end->stream), 0);
    assert_true(stream_drained(&end->stream));
    assert_numbered(peer, frames);
}

static void plain_output_waits_in_order_for_a_slow_reader(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    output_waits_in_order_for_a_slow_reader(&end, &peer);
    assert_true(end.stream.out.cap <= 16384 && end.stream.out_writing.cap <= 16384);
    finish(&end, &peer);
}

static void tls_output_waits_in_order_for_a_slow_reader(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    output_waits_in_order_for_a_slow_reader(&end, &peer);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void a_stream_can_be_closed_while_it_writes(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    peer.deaf = true;
    fill(&end);
    put_frame(&end.stream, "lost", 4);
    stream_close(&end.stream, ERROR_SLOW_READER);
    finish(&end, &peer);
    assert_int_equal(end.reason, ERROR_SLOW_READER);
}

/* --- accepting --- */

struct door {
    uv_tcp_t listener;
    struct end *end;
};

static void on_knock(uv_stream_t *listener, int status)
{
    struct door *door = container_of((uv_tcp_t *)listener, struct door, listener);
    assert_int_equal(status, 0);
    stream_accept(&door->end->stream, &loop, &ops, &plain_form, listener);
    assert_int_equal(door->end->stream.state, STREAM_OPEN);
}

static void an_accepted_stream_is_open_at_once(void **state)
{
    (void)state;
    struct end end = {0};
    struct door door = {.end = &end};
    struct peer peer = {.listener = -1};
    struct addr addr, client;
    int len = sizeof addr;
    socklen_t client_len = sizeof client;
    uv_tcp_init(&loop.uv, &door.listener);
    assert_int_equal(addr_parse(&addr, "127.0.0.1", 0), 0);
    assert_int_equal(uv_tcp_bind(&door.listener, &addr.sa, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&door.listener, 4, on_knock), 0);
    assert_int_equal(uv_tcp_getsockname(&door.listener, &addr.sa, &len), 0);
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(peer.fd, &addr.sa, sizeof addr.in), 0);
    assert_int_equal(getsockname(peer.fd, &client.sa, &client_len), 0);
    fcntl(peer.fd, F_SETFL, O_NONBLOCK);
    peer_write(&peer, "\0\3ask", 5);
    until(&peer, end.frame_count == 1);
    assert_int_equal(end.readies, 0);
    assert_int_equal(option_of(&end, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(stream_peer(&end.stream, &addr, false), 0);
    assert_true(addr_equal(&addr, &client));
    put_frame(&end.stream, "say", 3);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 5);
    uv_close((uv_handle_t *)&door.listener, NULL);
    finish(&end, &peer);
}

static void accepting_no_client_closes(void **state)
{
    (void)state;
    struct end end = {0};
    uv_tcp_t listener;
    struct addr addr;
    uv_tcp_init(&loop.uv, &listener);
    assert_int_equal(addr_parse(&addr, "127.0.0.1", 0), 0);
    assert_int_equal(uv_tcp_bind(&listener, &addr.sa, 0), 0);
    stream_accept(&end.stream, &loop, &ops, &plain_form, (uv_stream_t *)&listener);
    assert_int_equal(end.closed, 0);
    uv_close((uv_handle_t *)&listener, NULL);
    until(NULL, end.closed == 1);
    assert_int_equal(end.reason, -EAGAIN);
}

/* --- TLS --- */

static void a_tls_stream_opens_and_carries_frames_both_ways(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct tls_facts facts;
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    assert_true(stream_facts(&end.stream, &facts));
    assert_string_equal(facts.version, "TLS1.3");
    put_frame(&end.stream, "hello", 5);
    put_frame(&end.stream, "you", 3);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 12);
    assert_memory_equal(buffer_bytes(&peer.got).data, "\0\5hello\0\3you", 12);
    tls_server_send(&peer.server, "\0\2hi\0\1!", 7);
    until(&peer, end.frame_count == 2);
    assert_frames(&end, "\0\2hi\0\1!", 7);
    stream_close(&end.stream, ERROR_IDLE);
    until(&peer, peer.eof);
    assert_int_equal(tls_server_receive(&peer.server, (uint8_t[8]){0}, 8), 0); /* close_notify came before the FIN */
    finish(&end, &peer);
    assert_true(tickets.count > 0);
    tls_tickets_clear(&tickets);
}

/* Our Finished and the first queries leave in one write; another write would need another read. */
static void the_first_frames_leave_with_the_end_of_the_handshake(void **state)
{
    (void)state;
    struct end end = {.ask_when_ready = true};
    struct tls_tickets tickets = {0};
    struct tls_server_options options = serving(&good);
    struct peer peer;
    peer_listen_tls(&peer, &options);
    connect_to(&end, &peer, trust, &tickets);
    until(&peer, peer.server.done);
    assert_int_equal(peer.reads, 2);
    assert_int_equal(peer.got.len, 15);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

/* Tickets give the stream no message. */
static void a_flood_of_tickets_ends_a_stream(void **state)
{
    enum { LIMIT = 256 * 1024 };
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    uint64_t received = 0;
    open_tls(&end, &peer, &tickets);
    end.stream.unanswered_max = LIMIT;
    for (int i = 0; i < 10000 && !end.closed; i++) {
        if (i < 500) /* an owner that gets responses sets it to 0 */
            end.stream.unanswered = 0;
        received = end.stream.received;
        assert_int_equal(gnutls_session_ticket_send(peer.server.session, 10, 0), 0);
        turn(&peer);
    }
    until(&peer, end.closed);
    assert_int_equal(end.reason, ERROR_FLOOD);
    assert_in_range(received, 2 * LIMIT, 100 * LIMIT);
    assert_int_equal(end.frame_count, 0);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

/* Some servers read only the first message of a record. */
static void each_message_is_a_record_and_all_leave_in_one_write(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct buffer frames = many_frames(40, 200);
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    settle(&peer);
    unsigned reads = peer.reads;
    assert_int_equal(peer.records, 0);
    for (size_t at = 0; at < frames.len; at += 2 + read_u16(frames.data + at))
        put_frame(&end.stream, frames.data + at + 2, read_u16(frames.data + at));
    stream_flush(&end.stream);
    until(&peer, peer.got.len == frames.len);
    assert_memory_equal(buffer_bytes(&peer.got).data, frames.data, frames.len);
    assert_int_equal(peer.reads, reads + 1);
    assert_int_equal(peer.records, 40);
    for (size_t at = 0, i = 0; i < 40; at += peer.record[i++])
        assert_int_equal(peer.record[i], 2 + read_u16(frames.data + at));
    buffer_free(&frames);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void a_message_longer_than_a_record_takes_several(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    put_frame(&end.stream, "before", 6);
    memset(stream_reserve(&end.stream, 40000), 1, 40000);
    stream_commit(&end.stream, 40000);
    memset(stream_reserve(&end.stream, TLS_RECORD - 2), 2, TLS_RECORD - 2);
    stream_commit(&end.stream, TLS_RECORD - 2);
    put_frame(&end.stream, "after", 5);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 8 + 40002 + TLS_RECORD + 7);
    assert_int_equal(peer.records, 6);
    const size_t expected[] = {8, TLS_RECORD, TLS_RECORD, 40002 - 2 * TLS_RECORD, TLS_RECORD, 7};
    assert_memory_equal(peer.record, expected, sizeof expected);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

/* Unsent messages of a closing stream are records of their own, too. */
static void the_last_messages_are_records_too(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    for (int i = 0; i < 3; i++)
        put_frame(&end.stream, "last", 4);
    stream_close(&end.stream, ERROR_IDLE);
    until(&peer, peer.eof);
    assert_int_equal(peer.records, 3);
    assert_int_equal(peer.got.len, 18);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

/* --- framings --- */

static void a_dns_unit_is_its_prefix_and_message(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0, 3, 'a', 'b', 'c', 0xff, 0xff};
    const size_t expected[] = {2, 2, 5, 5, 5, 5, 5, 5};
    for (size_t len = 0; len <= sizeof bytes; len++)
        assert_int_equal(framing_dns.unit((struct bytes){bytes, len}), expected[len]);
    assert_int_equal(framing_dns.unit((struct bytes){bytes + 5, 2}), 65537);
}

/* A framing without a header, whose length is known only at its end: a line. */
static size_t line_unit(struct bytes bytes)
{
    const uint8_t *end = bytes.len > 0 ? memchr(bytes.data, '\n', bytes.len) : NULL;
    return end ? (size_t)(end - bytes.data) + 1 : bytes.len + 1;
}

static const struct framing framing_line = {.name = "line", .max = 4096, .unit = line_unit};

static void connect_lines(struct end *end, struct peer *peer, struct tls_tickets *tickets)
{
    const struct tls_client client = {trust, tickets, "dot"};
    const struct stream_form form = {.framing = &framing_line,
                                     .layer = peer->tls ? &byte_layer_tls_client : &byte_layer_plain,
                                     .layer_config = &client};
    assert_int_equal(stream_connect(&end->stream, &loop, &ops, &form, &peer->addr, NULL), 0);
    until(peer, end->readies == 1 && (!peer->tls || peer->server.done));
    settle(peer);
}

static void another_framing_goes_over_each_byte_layer(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        static const char lines[] = "one\n\nthree\n";
        struct end end = {0};
        struct tls_tickets tickets = {0};
        const struct tls_server_options options = serving(&good);
        struct peer peer;
        tls ? peer_listen_tls(&peer, &options) : peer_listen(&peer);
        connect_lines(&end, &peer, &tickets);
        put_frame(&end.stream, "ask\n", 4);
        put_frame(&end.stream, "again\n", 6);
        stream_flush(&end.stream);
        until(&peer, peer.got.len == 10);
        assert_memory_equal(buffer_bytes(&peer.got).data, "ask\nagain\n", 10);
        assert_int_equal(peer.records, tls ? 2 : 0);
        for (size_t i = 0; i < sizeof lines - 1; i++) {
            uint64_t before = end.stream.received;
            tls ? tls_server_send(&peer.server, &lines[i], 1) : peer_write(&peer, &lines[i], 1);
            until(&peer, end.stream.received > before);
            assert_int_equal(stream_mid_frame(&end.stream), lines[i] != '\n');
        }
        assert_frames(&end, "\0\4one\n\0\1\n\0\6three\n", 17);
        finish(&end, &peer);
        tls_tickets_clear(&tickets);
    }
}

static void an_end_of_the_handshake_leaves_without_frames_too(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    assert_int_equal(stream_unsent(&end.stream), 0);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void tls_frames_come_whole_from_records_of_any_size(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct buffer frames = many_frames(2000, 90);
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    tls_server_send(&peer.server, frames.data + frames.start, frames.len); /* many a record */
    until(&peer, end.frames.len == frames.len);
    assert_frames(&end, frames.data + frames.start, frames.len);
    buffer_consume(&end.frames, end.frames.len);
    for (size_t i = 0; i < 3000; i++) /* records of one byte */
        tls_server_send(&peer.server, frames.data + frames.start + i, 1);
    tls_server_send(&peer.server, frames.data + frames.start + 3000, frames.len - 3000);
    until(&peer, end.frames.len == frames.len);
    assert_frames(&end, frames.data + frames.start, frames.len);
    buffer_free(&frames);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void tls_bytes_may_come_one_at_a_time(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    settle(&peer);
    tls_server_send(&peer.server, "\0\4slow\0\3too", 11);
    while (peer.server.out.len > 0) {
        uint64_t before = end.stream.received;
        peer_write(&peer, peer.server.out.data + peer.server.out.start, 1);
        buffer_consume(&peer.server.out, 1);
        until(NULL, end.stream.received == before + 1);
    }
    assert_frames(&end, "\0\4slow\0\3too", 11);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void the_largest_frame_passes_through_tls(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    uint8_t *message = malloc(65537);
    memset(message, 0xa5, 65537);
    write_u16(message, 65535);
    open_tls(&end, &peer, &tickets);
    tls_server_send(&peer.server, message, 65537);
    until(&peer, end.frame_count == 1);
    assert_frames(&end, message, 65537);
    memcpy(stream_reserve(&end.stream, 65535), message + 2, 65535);
    stream_commit(&end.stream, 65535);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 65537);
    assert_memory_equal(buffer_bytes(&peer.got).data, message, 65537);
    assert_true(end.stream.out.cap <= 16384 && end.stream.wire.cap <= 16384);
    free(message);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void a_pause_keeps_what_tls_had_read(void **state)
{
    (void)state;
    struct end end = {.pause_at = 2};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    for (char item = 'a'; item < 'f'; item++)
        tls_server_send(&peer.server, (char[]){0, 1, item}, 3);
    gnutls_bye(peer.server.session, GNUTLS_SHUT_WR);
    until(&peer, end.frame_count == 2);
    settle(&peer);
    assert_int_equal(end.frame_count, 2);
    assert_int_equal(end.ended, 0);
    end.pause_at = 4;
    stream_resume(&end.stream);
    until(&peer, end.frame_count == 4);
    settle(&peer);
    assert_int_equal(end.ended, 0);
    stream_resume(&end.stream);
    until(&peer, end.ended == 1);
    assert_true(end.stream.clean_end);
    assert_frames(&end, "\0\1a\0\1b\0\1c\0\1d\0\1e", 15);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void a_clean_end_differs_from_a_truncation(void **state)
{
    (void)state;
    for (int clean = 0; clean < 2; clean++) {
        struct end end = {0};
        struct tls_tickets tickets = {0};
        struct peer peer;
        open_tls(&end, &peer, &tickets);
        settle(&peer);
        if (clean) {
            gnutls_bye(peer.server.session, GNUTLS_SHUT_WR);
            peer_push_tls(&peer);
        }
        shutdown(peer.fd, SHUT_WR);
        until(&peer, end.ended == 1);
        settle(&peer);
        assert_int_equal(end.stream.clean_end, clean);
        put_frame(&end.stream, "still", 5);
        stream_flush(&end.stream);
        until(&peer, peer.got.len == 7);
        finish(&end, &peer);
        tls_tickets_clear(&tickets);
    }
}

static void a_close_within_a_tls_frame_is_safe(void **state)
{
    (void)state;
    struct end end = {.close_at = 1};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    tls_server_send(&peer.server, "\0\1a\0\1b", 6);
    tls_server_send(&peer.server, "\0\1c", 3);
    until(&peer, end.closed == 1);
    assert_int_equal(end.frame_count, 1);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void frames_before_a_broken_record_are_delivered(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    settle(&peer);
    tls_server_send(&peer.server, "\0\1a", 3);
    assert_int_equal(buffer_append(&peer.server.out, "\0\14cleartext DNS", 15), 0);
    until(&peer, end.closed == 1);
    assert_frames(&end, "\0\1a", 3);
    assert_int_equal(end.reason, ERROR_TLS_PROTOCOL);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

static void an_end_within_the_handshake_is_reported(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    connect_to(&end, &peer, trust, &(struct tls_tickets){0});
    until(&peer, peer.got.len > 0);
    shutdown(peer.fd, SHUT_WR);
    until(&peer, end.closed == 1);
    assert_int_equal(end.reason, ERROR_CLOSED);
    assert_int_equal(end.readies, 0);
    finish(&end, &peer);
}

static void garbage_instead_of_a_handshake_is_reported(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    connect_to(&end, &peer, trust, &(struct tls_tickets){0});
    until(&peer, peer.got.len > 0);
    peer_write(&peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    until(&peer, end.closed == 1);
    assert_int_equal(end.reason, ERROR_TLS_PROTOCOL);
    assert_int_equal(end.readies, 0);
    finish(&end, &peer);
}

static void nothing_is_sent_to_a_stranger(void **state)
{
    (void)state;
    struct end end = {.ask_when_ready = true};
    struct tls_server_options options = serving(&stranger);
    struct peer peer;
    peer_listen_tls(&peer, &options);
    connect_to(&end, &peer, trust, &(struct tls_tickets){0});
    put_frame(&end.stream, "secret", 6);
    until(&peer, end.closed == 1 && peer.eof);
    assert_int_equal(end.reason, ERROR_TLS_UNTRUSTED);
    assert_true(peer.alerted);
    assert_int_equal(end.readies, 0);
    assert_int_equal(peer.got.len, 0);
    finish(&end, &peer);
}

static void the_second_tls_stream_resumes(void **state)
{
    (void)state;
    struct tls_tickets tickets = {0};
    for (int second = 0; second < 2; second++) {
        struct end end = {0};
        struct tls_facts facts;
        struct peer peer;
        open_tls(&end, &peer, &tickets);
        assert_true(stream_facts(&end.stream, &facts));
        assert_int_equal(facts.resumed, second);
        settle(&peer);
        finish(&end, &peer);
    }
    tls_tickets_clear(&tickets);
}

/* --- memory --- */

static void without_memory_a_dial_starts_nothing(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    const struct tls_client client = {trust, &(struct tls_tickets){.count = 0}, "dot"};
    const struct stream_form form = {.framing = &framing_dns, .layer = &byte_layer_tls_client, .layer_config = &client};
    mem_fail_at(1);
    assert_int_equal(stream_connect(&end.stream, &loop, &ops, &form, &peer.addr, NULL), -ENOMEM);
    mem_fail_at(0);
    settle(&peer);
    assert_int_equal(end.closed, 0);
    peer_close(&peer);
}

static void without_memory_a_message_is_lost_and_the_stream_lives(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    mem_fail_at(1);
    assert_null(stream_reserve(&end.stream, 10));
    mem_fail_at(0);
    put_frame(&end.stream, "b", 1);
    stream_flush(&end.stream);
    until(&peer, peer.got.len == 3);
    finish(&end, &peer);
}

/* The n-th allocation for input fails. */
static void input_without_memory(size_t first, size_t second)
{
    static const uint8_t frame[2000] = {2000 >> 8, 2000 & 0xff};
    struct end end = {0};
    struct peer peer;
    open_plain(&end, &peer);
    peer_write(&peer, frame, first);
    until(&peer, end.stream.received == first);
    peer_write(&peer, frame, second);
    mem_fail_at(1);
    until(NULL, end.closed == 1);
    mem_fail_at(0);
    assert_int_equal(end.reason, -ENOMEM);
    assert_int_equal(end.frame_count, 0);
    finish(&end, &peer);
}

static void out_of_memory_for_a_partial_frame_a_stream_ends(void **state)
{
    (void)state;
    input_without_memory(0, 100);
    input_without_memory(200, 500);
}

static void out_of_memory_a_handshake_ends(void **state)
{
    (void)state;
    struct end end = {0};
    struct peer peer;
    peer_listen(&peer);
    connect_to(&end, &peer, trust, &(struct tls_tickets){0});
    mem_fail_at(1);
    until(NULL, end.closed == 1);
    mem_fail_at(0);
    assert_int_equal(end.reason, -ENOMEM);
    finish(&end, &peer);
}

static void out_of_memory_to_encrypt_a_stream_ends(void **state)
{
    (void)state;
    struct end end = {0};
    struct tls_tickets tickets = {0};
    struct peer peer;
    open_tls(&end, &peer, &tickets);
    memset(stream_reserve(&end.stream, 60000), 0, 60000); /* larger than any existing buffer */
    stream_commit(&end.stream, 60000);
    mem_fail_at(1);
    stream_flush(&end.stream);
    mem_fail_at(0);
    assert_int_equal(end.closed, 0);
    until(&peer, end.closed == 1);
    assert_int_equal(end.reason, -ENOMEM);
    finish(&end, &peer);
    tls_tickets_clear(&tickets);
}

/* --- */

static int make_world(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    authority = certificate_make(&(struct certificate_spec){.common_name = "authority", .ca = true});
    good = certificate_make(&(struct certificate_spec){.sans = {NAME}, .issuer = &authority});
    stranger = certificate_make(&(struct certificate_spec){.sans = {NAME}});
    ca_file = certificate_file(&authority, 1);
    const struct tls_trust_options options = {.ca_file = ca_file, .tls_name = NAME, .min_version = 12};
    if (tls_trust_new(&trust, &options) < 0 || gnutls_session_ticket_key_generate(&ticket_key) < 0)
        return -1;
    return loop_init(&loop);
}

static int unmake_world(void **state)
{
    (void)state;
    loop_fini(&loop);
    tls_trust_unref(trust);
    unlink(ca_file);
    free(ca_file);
    gnutls_free(ticket_key.data);
    certificate_free(&good);
    certificate_free(&stranger);
    certificate_free(&authority);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_stream_opens_and_carries_frames_both_ways),
        cmocka_unit_test(an_outgoing_socket_has_its_options),
        cmocka_unit_test(frames_appended_before_the_connection_wait_for_it),
        cmocka_unit_test(a_stream_connects_from_a_source),
        cmocka_unit_test(a_source_that_is_not_ours_starts_nothing),
        cmocka_unit_test(a_refused_connection_is_reported),
        cmocka_unit_test(an_impossible_destination_is_reported_asynchronously),
        cmocka_unit_test(a_stream_can_be_closed_while_it_connects),
        cmocka_unit_test(a_stream_can_be_closed_when_it_is_ready),
        cmocka_unit_test(frames_may_be_split_anywhere),
        cmocka_unit_test(a_partial_frame_shows),
        cmocka_unit_test(the_largest_frame_passes_both_ways),
        cmocka_unit_test(many_frames_in_one_write_arrive_in_order),
        cmocka_unit_test(a_pause_within_a_frame_keeps_the_rest),
        cmocka_unit_test(pause_and_resume_within_one_frame_change_nothing),
        cmocka_unit_test(a_pause_before_the_stream_is_open_does_nothing),
        cmocka_unit_test(a_resume_can_be_taken_back),
        cmocka_unit_test(the_end_comes_behind_the_frames_that_a_pause_kept),
        cmocka_unit_test(a_paused_stream_can_be_closed),
        cmocka_unit_test(a_stream_can_be_closed_around_a_resume),
        cmocka_unit_test(no_frame_comes_after_a_close_within_one),
        cmocka_unit_test(half_closed_streams_still_send),
        cmocka_unit_test(without_ended_a_stream_closes_itself),
        cmocka_unit_test(a_reset_by_the_peer_is_reported),
        cmocka_unit_test(a_failing_write_closes_later),
        cmocka_unit_test(a_close_sends_what_was_appended_and_a_reset_does_not),
        cmocka_unit_test(plain_output_waits_in_order_for_a_slow_reader),
        cmocka_unit_test(tls_output_waits_in_order_for_a_slow_reader),
        cmocka_unit_test(a_stream_can_be_closed_while_it_writes),
        cmocka_unit_test(an_accepted_stream_is_open_at_once),
        cmocka_unit_test(accepting_no_client_closes),
        cmocka_unit_test(a_tls_stream_opens_and_carries_frames_both_ways),
        cmocka_unit_test(a_flood_of_tickets_ends_a_stream),
        cmocka_unit_test(the_first_frames_leave_with_the_end_of_the_handshake),
        cmocka_unit_test(each_message_is_a_record_and_all_leave_in_one_write),
        cmocka_unit_test(a_message_longer_than_a_record_takes_several),
        cmocka_unit_test(the_last_messages_are_records_too),
        cmocka_unit_test(a_dns_unit_is_its_prefix_and_message),
        cmocka_unit_test(another_framing_goes_over_each_byte_layer),
        cmocka_unit_test(an_end_of_the_handshake_leaves_without_frames_too),
        cmocka_unit_test(tls_frames_come_whole_from_records_of_any_size),
        cmocka_unit_test(tls_bytes_may_come_one_at_a_time),
        cmocka_unit_test(the_largest_frame_passes_through_tls),
        cmocka_unit_test(a_pause_keeps_what_tls_had_read),
        cmocka_unit_test(a_clean_end_differs_from_a_truncation),
        cmocka_unit_test(a_close_within_a_tls_frame_is_safe),
        cmocka_unit_test(frames_before_a_broken_record_are_delivered),
        cmocka_unit_test(an_end_within_the_handshake_is_reported),
        cmocka_unit_test(garbage_instead_of_a_handshake_is_reported),
        cmocka_unit_test(nothing_is_sent_to_a_stranger),
        cmocka_unit_test(the_second_tls_stream_resumes),
        cmocka_unit_test(without_memory_a_dial_starts_nothing),
        cmocka_unit_test(without_memory_a_message_is_lost_and_the_stream_lives),
        cmocka_unit_test(out_of_memory_for_a_partial_frame_a_stream_ends),
        cmocka_unit_test(out_of_memory_a_handshake_ends),
        cmocka_unit_test(out_of_memory_to_encrypt_a_stream_ends),
    };
    return cmocka_run_group_tests(tests, make_world, unmake_world);
}
