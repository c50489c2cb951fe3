/* SPDX-License-Identifier: MIT */
/* net/http2: a server against frames made by hand and against the client's side, and every bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include "base/errors.h"
#include "base/mem.h"
#include "http2_peer.h"
#include "net/http2.h"
#include "net/loop.h"
#include "net/stream.h"

enum { UNSENT = 1 << 20 };

/* One end: what it has been told, and what it has written. */
struct end {
    struct http2 *http2;
    struct stream stream; /* only its output buffer is used */
    struct http2_exchange *last;
    unsigned messages, ended;
    int error; /* of the last exchange that ended */
    unsigned status;
    enum http2_type type;
    enum http2_method method;
    bool too_large, headers_too_large;
    uint32_t age_s, retry_after_s;
    char path[200];
    uint8_t body[1 << 16];
    size_t len;
    bool echo; /* answer at once */
};

static struct end client, server;
static struct loop loop;

static void note_message(struct http2_exchange *exchange)
{
    struct end *end = http2_owner(exchange->http2);
    end->messages++;
    end->last = exchange;
    end->status = exchange->status;
    end->type = exchange->type;
    end->method = exchange->method;
    end->too_large = exchange->too_large;
    end->headers_too_large = exchange->headers_too_large;
    end->age_s = exchange->age_s;
    end->retry_after_s = exchange->retry_after_s;
    snprintf(end->path, sizeof end->path, "%s", exchange->path ? exchange->path : "");
    if (exchange->path)
        exchange->path[0] = '\0'; /* its owner may write into it */
    end->len = exchange->len;
    if (exchange->len > 0)
        memcpy(end->body, exchange->body, exchange->len);
    if (end->echo)
        http2_respond(exchange, &(struct http2_response){.status = 200,
                                                         .type = HTTP2_DNS_MESSAGE,
                                                         .body = exchange->body,
                                                         .len = exchange->len,
                                                         .max_age_s = 7});
}

static void note_end(struct http2_exchange *exchange, int error)
{
    struct end *end = http2_owner(exchange->http2);
    end->ended++;
    end->error = error;
    if (end->last == exchange)
        end->last = NULL;
}

static const struct http2_ops ops = {.message = note_message, .ended = note_end};

static void begin_end(struct end *end, enum http2_side side)
{
    *end = (struct end){.echo = side == HTTP2_SERVER};
    end->stream.state = STREAM_OPEN;
    end->stream.framing = &framing_bytes;
    end->stream.layer = &byte_layer_plain;
    assert_int_equal(uv_tcp_init(&loop.uv, &end->stream.tcp), 0);
    assert_int_equal(http2_new(&end->http2, side, &ops, end), 0);
}

static int begin(void **state)
{
    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    begin_end(&client, HTTP2_CLIENT);
    begin_end(&server, HTTP2_SERVER);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    http2_free(client.http2);
    http2_free(server.http2);
    buffer_free(&client.stream.out);
    buffer_free(&server.stream.out);
    uv_close((uv_handle_t *)&client.stream.tcp, NULL);
    uv_close((uv_handle_t *)&server.stream.tcp, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    loop_fini(&loop);
    return 0;
}

/* Moves what one end has to send to the other one; the number of bytes, or the error of either. */
static int move(struct end *from, struct end *to)
{
    int status = http2_send(from->http2, &from->stream, UNSENT);
    struct buffer *out = &from->stream.out;
    if (status == 0)
        status = http2_receive(to->http2, out->data + out->start, out->len, 1000);
    int moved = (int)out->len;
    buffer_consume(out, out->len);
    return status < 0 ? status : moved;
}

static void exchange_all(void)
{
    int there, back;
    do {
        there = move(&client, &server);
        assert_true(there >= 0);
        back = move(&server, &client);
        assert_true(back >= 0);
    } while (there + back > 0);
}

static struct http2_exchange *ask(const void *body, size_t len)
{
    struct http2_exchange *exchange;
    const struct http2_request request = {"dns.lan:443", "/dns-query", body, len};
    assert_int_equal(http2_request(client.http2, &exchange, &request), 0);
    return exchange;
}

/* --- both sides --- */

static void a_request_and_its_response(void **state)
{
    (void)state;
    ask("question", 8);
    exchange_all();
    assert_int_equal(server.messages, 1);
    assert_int_equal(server.method, HTTP2_POST);
    assert_int_equal(server.type, HTTP2_DNS_MESSAGE);
    assert_string_equal(server.path, "/dns-query");
    assert_int_equal(client.messages, 1);
    assert_int_equal(client.status, 200);
    assert_int_equal(client.type, HTTP2_DNS_MESSAGE);
    assert_memory_equal(client.body, "question", 8);
    assert_int_equal(client.error, 0);
    assert_int_equal(server.error, 0);
    assert_int_equal(server.ended, 1);
    assert_int_equal(http2_exchanges(client.http2), 0);
    assert_int_equal(http2_exchanges(server.http2), 0);
    assert_int_equal(http2_unsent(server.http2), 0);
    assert_int_equal(http2_held(server.http2), 0);
}

static void responses_in_any_order(void **state)
{
    struct http2_exchange *first, *second;
    (void)state;
    server.echo = false;
    ask("one", 3);
    assert_true(move(&client, &server) > 0);
    first = server.last;
    ask("two", 3);
    assert_true(move(&client, &server) > 0);
    second = server.last;
    assert_ptr_not_equal(first, second);
    struct http2_response response = {.status = 200, .type = HTTP2_DNS_MESSAGE, .body = (const uint8_t *)"2", .len = 1};
    http2_respond(second, &response);
    assert_true(move(&server, &client) > 0);
    assert_memory_equal(client.body, "2", 1);
    response.body = (const uint8_t *)"1";
    http2_respond(first, &response);
    exchange_all();
    assert_memory_equal(client.body, "1", 1);
    assert_int_equal(client.messages, 2);
}

static void large_bodies_wait_for_the_window(void **state)
{
    static uint8_t large[HTTP2_BODY];
    (void)state;
    memset(large, 'x', sizeof large);
    ask(large, sizeof large);
    ask(large, sizeof large);
    assert_int_equal(http2_unsent(client.http2), 2 * sizeof large);
    exchange_all();
    assert_int_equal(client.messages, 2);
    assert_int_equal(client.len, sizeof large);
    assert_memory_equal(client.body, large, sizeof large);
}

static void a_cancelled_request(void **state)
{
    (void)state;
    server.echo = false;
    struct http2_exchange *exchange = ask("late", 4);
    assert_true(move(&client, &server) > 0);
    http2_cancel(exchange);
    assert_int_equal(client.ended, 0);
    exchange_all();
    assert_int_equal(client.error, -ECANCELED);
    assert_int_equal(server.error, ERROR_HTTP_RESET);
    assert_int_equal(http2_exchanges(client.http2) + http2_exchanges(server.http2), 0);
}

static void a_request_that_is_cancelled_before_it_is_sent(void **state)
{
    (void)state;
    http2_cancel(ask("never", 5));
    exchange_all();
    assert_int_equal(client.ended, 1);
    assert_int_equal(client.error, -ECANCELED);
    assert_int_equal(server.messages, 0);
    assert_int_equal(http2_unsent(client.http2), 0);
}

static void no_more_requests_than_the_peer_takes(void **state)
{
    struct http2_exchange *exchange;
    const struct http2_request request = {"dns.lan", "/", (const uint8_t *)"x", 1};
    (void)state;
    server.echo = false;
    for (unsigned i = 0; i < HTTP2_STREAMS; i++)
        ask("x", 1);
    assert_int_equal(http2_request(client.http2, &exchange, &request), ERROR_LIMIT);
    exchange_all();
    assert_int_equal(server.messages, HTTP2_STREAMS);
}

static void a_drained_server_ends_after_what_it_has(void **state)
{
    struct http2_exchange *exchange;
    const struct http2_request request = {"dns.lan", "/", (const uint8_t *)"x", 1};
    (void)state;
    server.echo = false;
    ask("last", 4);
    assert_true(move(&client, &server) > 0);
    http2_drain(server.http2);
    struct http2_exchange *last = server.last;
    assert_true(move(&server, &client) > 0);
    assert_true(http2_is_draining(client.http2));
    assert_int_equal(http2_request(client.http2, &exchange, &request), ERROR_LIMIT);
    http2_respond(last, &(struct http2_response){.status = 200, .max_age_s = -1});
    exchange_all();
    assert_int_equal(client.messages, 1);
    assert_int_equal(client.error, 0);
}

static void a_request_after_goaway_was_not_processed(void **state)
{
    (void)state;
    exchange_all();
    http2_drain(server.http2);
    assert_int_equal(http2_send(server.http2, &server.stream, UNSENT), 0);
    ask("too late", 8);
    assert_int_equal(http2_send(client.http2, &client.stream, UNSENT), 0); /* both cross */
    struct buffer *out = &server.stream.out;
    assert_int_equal(http2_receive(client.http2, out->data + out->start, out->len, 1000), 0);
    (void)http2_send(client.http2, &client.stream, UNSENT);
    assert_int_equal(client.ended, 1);
    assert_int_equal(client.error, ERROR_HTTP_REFUSED);
}

/* --- a client that misbehaves --- */

static struct buffer bytes;

static int begin_raw(void **state)
{
    begin(state);
    bytes = (struct buffer){NULL, 0, 0, 0};
    put(&bytes, PREFACE, strlen(PREFACE));
    put_frame(&bytes, SETTINGS, 0, 0, NULL, 0);
    return 0;
}

static int finish_raw(void **state)
{
    buffer_free(&bytes);
    return finish(state);
}

/* The server gets all bytes so far, in pieces. */
static int send_raw(size_t piece, uint64_t now_ms)
{
    int status = 0;
    while (bytes.len > 0 && status == 0) {
        size_t part = piece < bytes.len ? piece : bytes.len;
        status = http2_receive(server.http2, bytes.data + bytes.start, part, now_ms);
        buffer_consume(&bytes, part);
    }
    buffer_consume(&bytes, bytes.len);
    return status;
}

/* The last frame of this type that the server wrote. */
static bool wrote(uint8_t type, struct frame *found)
{
    size_t at = 0;
    bool is_there = false;
    struct frame frame;
    (void)http2_send(server.http2, &server.stream, UNSENT);
    const struct buffer *out = &server.stream.out;
    while (next_frame(out->data + out->start, out->len, &at, &frame))
        if (frame.type == type) {
            *found = frame;
            is_there = true;
        }
    return is_there;
}

static void requests_byte_by_byte(void **state)
{
    struct frame frame;
    (void)state;
    put_request(&bytes, 1, "POST", "/dns-query", "Application/DNS-Message; x=y", "abc", 3);
    put_request(&bytes, 3, "GET", "/dns-query?dns=AAAA", NULL, NULL, 0);
    assert_int_equal(send_raw(1, 1000), 0);
    assert_int_equal(server.messages, 2);
    assert_int_equal(server.method, HTTP2_GET);
    assert_string_equal(server.path, "/dns-query?dns=AAAA");
    assert_true(wrote(HEADERS, &frame));
    assert_int_equal(frame.stream, 3);
}

static void other_media_types(void **state)
{
    static const char *const others[] = {"application/dns-messages", "application/dns", "text/plain", "",
                                         "application/dns-message x"};
    (void)state;
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
        put_request(&bytes, 1 + 2 * i, "POST", "/", others[i], "abc", 3);
        assert_int_equal(send_raw(UNSENT, 1000), 0);
        assert_int_equal(server.type, HTTP2_OTHER_TYPE);
    }
}

static void http1_is_recognized(void **state)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", "P", "PRI * HTTP/1.1\r\n", "\x16\x03\x01"};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct http2 *http2;
        assert_int_equal(http2_new(&http2, HTTP2_SERVER, &ops, &server), 0);
        int status = http2_receive(http2, (const uint8_t *)texts[i], strlen(texts[i]), 1000);
        assert_int_equal(status, i == 1 ? 0 : ERROR_HTTP_VERSION);
        if (i == 1)
            assert_int_equal(http2_receive(http2, (const uint8_t *)"OST /", 5, 1000), ERROR_HTTP_VERSION);
        http2_free(http2);
    }
}

static void headers_that_are_too_large(void **state)
{
    static char large[HTTP2_HEADERS];
    struct buffer fields = {NULL, 0, 0, 0};
    (void)state;
    memset(large, 'x', sizeof large);
    server.echo = false;
    put_request_fields(&fields, "GET", "/", NULL);
    put_field(&fields, "cookie", large, sizeof large);
    put_frame(&bytes, HEADERS, END_HEADERS | END_STREAM, 1, fields.data + fields.start, fields.len);
    assert_int_equal(send_raw(UNSENT, 1000), 0);
    assert_int_equal(server.messages, 1);
    assert_true(server.headers_too_large);
    assert_true(http2_held(server.http2) < 100);
    buffer_free(&fields);
}

static void a_body_that_is_too_large_is_answered_early(void **state)
{
    static uint8_t part[8192];
    struct buffer fields = {NULL, 0, 0, 0};
    (void)state;
    put_request_fields(&fields, "POST", "/", "application/dns-message");
    put_frame(&bytes, HEADERS, END_HEADERS, 1, fields.data + fields.start, fields.len);
    buffer_free(&fields);
    server.echo = false;
    for (unsigned i = 0; i < 8; i++) {
        put_frame(&bytes, DATA, 0, 1, part, sizeof part);
        assert_int_equal(send_raw(UNSENT, 1000), 0);
        assert_int_equal(server.messages, i == 7);
        (void)http2_send(server.http2, &server.stream, UNSENT); /* opens the window */
    }
    assert_true(server.too_large && !server.headers_too_large);
}

/* Many bodies that never end take no more than HTTP2_HELD. */
static void incomplete_bodies_are_bounded(void **state)
{
    static uint8_t part[8192];
    struct buffer fields = {NULL, 0, 0, 0};
    (void)state;
    server.echo = false;
    put_request_fields(&fields, "POST", "/", "application/dns-message");
    for (uint32_t stream = 1; stream < 2 * HTTP2_STREAMS; stream += 2) {
        put_frame(&bytes, HEADERS, END_HEADERS, stream, fields.data + fields.start, fields.len);
        for (unsigned i = 0; i < 3; i++)
            put_frame(&bytes, DATA, 0, stream, part, sizeof part);
        assert_int_equal(send_raw(UNSENT, 1000), 0);
        (void)http2_send(server.http2, &server.stream, UNSENT);
        buffer_consume(&server.stream.out, server.stream.out.len);
        assert_true(http2_held(server.http2) <= HTTP2_HELD);
    }
    assert_true(server.messages > 0 && server.too_large);
    buffer_free(&fields);
}

static void more_streams_than_permitted_are_refused(void **state)
{
    struct frame frame;
    (void)state;
    server.echo = false;
    for (uint32_t stream = 1; stream <= 2 * HTTP2_STREAMS + 1; stream += 2)
        put_request(&bytes, stream, "GET", "/", NULL, NULL, 0);
    assert_int_equal(send_raw(UNSENT, 1000), 0);
    assert_int_equal(server.messages, HTTP2_STREAMS);
    assert_true(wrote(RST_STREAM, &frame));
    assert_int_equal(frame.stream, 2 * HTTP2_STREAMS + 1);
    assert_int_equal(read_u32(frame.payload), 7); /* REFUSED_STREAM */
}

/* Fills `bytes` with one more frame of a flood. */
enum flood { FLOOD_SETTINGS, FLOOD_PING, FLOOD_RESET, FLOOD_WINDOW, FLOOD_PRIORITY, FLOOD_EMPTY_DATA, FLOODS };

static void put_flood(enum flood flood, unsigned i)
{
    static const uint8_t zeros[8], increment[4] = {0, 0, 0, 1};
    switch (flood) {
    case FLOOD_SETTINGS:
        put_frame(&bytes, SETTINGS, 0, 0, NULL, 0);
        break;
    case FLOOD_PING:
        put_frame(&bytes, PING, 0, 0, zeros, 8);
        break;
    case FLOOD_RESET: /* CVE-2023-44487 */
        put_request(&bytes, 1 + 2 * i, "GET", "/dns-query", NULL, NULL, 0);
        put_frame(&bytes, RST_STREAM, 0, 1 + 2 * i, zeros, 4);
        break;
    case FLOOD_WINDOW:
        put_frame(&bytes, WINDOW_UPDATE, 0, 0, increment, 4);
        break;
    case FLOOD_PRIORITY:
        put_frame(&bytes, PRIORITY, 0, 1, "\0\0\0\0\1", 5);
        break;
    case FLOOD_EMPTY_DATA:
        if (i == 0) {
            struct buffer fields = {NULL, 0, 0, 0};
            put_request_fields(&fields, "POST", "/", "application/dns-message");
            put_frame(&bytes, HEADERS, END_HEADERS, 1, fields.data + fields.start, fields.len);
            buffer_free(&fields);
        }
        put_frame(&bytes, DATA, 0, 1, NULL, 0);
        break;
    default:
        break;
    }
}

/* Requests that wait for their responses. */
static void only_incomplete_messages_are_held(void **state)
{
    struct buffer fields = {NULL, 0, 0, 0};
    (void)state;
    server.echo = false;
    for (uint32_t stream = 1; stream < 40; stream += 4) {
        put_request(&bytes, stream, "GET", "/dns-query?dns=AAAA", NULL, NULL, 0);
        put_request(&bytes, stream + 2, "POST", "/dns-query", "application/dns-message", "abc", 3);
        assert_int_equal(send_raw(UNSENT, 1000), 0);
        assert_int_equal(http2_exchanges(server.http2), stream / 2 + 2);
        assert_int_equal(http2_held(server.http2), 0);
    }
    put_request_fields(&fields, "POST", "/dns-query", "application/dns-message");
    put_frame(&bytes, HEADERS, END_HEADERS, 41, fields.data + fields.start, fields.len);
    buffer_free(&fields);
    assert_int_equal(send_raw(UNSENT, 1000), 0);
    assert_int_equal(http2_held(server.http2), sizeof "/dns-query");
}

static void floods_end_the_connection(void **state)
{
    (void)state;
    for (int flood = 0; flood < FLOODS; flood++) {
        int status = 0;
        unsigned i;
        struct frame frame;
        server.echo = false;
        for (i = 0; i < 2 * HTTP2_CONTROL && status == 0; i++) {
            put_flood((enum flood)flood, i);
            status = send_raw(UNSENT, 1000);
            if (status == 0)
                (void)http2_send(server.http2, &server.stream, UNSENT);
        }
        assert_int_equal(status, ERROR_HTTP_FLOOD);
        assert_true(i <= HTTP2_CONTROL);
        assert_true(wrote(GOAWAY, &frame));
        if (flood != FLOOD_EMPTY_DATA)
            assert_int_equal(read_u32(frame.payload + 4), 11); /* ENHANCE_YOUR_CALM */
        finish_raw(state);
        begin_raw(state);
    }
}

static void control_frames_with_exchanges_or_time_are_no_flood(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * HTTP2_CONTROL; i++) {
        put_request(&bytes, 1 + 2 * i, "POST", "/", "application/dns-message", "abc", 3);
        put_flood(FLOOD_PING, i);
        put_flood(FLOOD_WINDOW, i);
        assert_int_equal(send_raw(UNSENT, 1000), 0);
        assert_int_equal(http2_send(server.http2, &server.stream, UNSENT), 0);
        buffer_consume(&server.stream.out, server.stream.out.len);
    }
    for (unsigned i = 0; i < 2 * HTTP2_CONTROL; i++) {
        put_flood(FLOOD_PING, i);
        assert_int_equal(send_raw(UNSENT, 1000 + i * (1000 / HTTP2_CONTROL_RATE)), 0);
        assert_int_equal(http2_send(server.http2, &server.stream, UNSENT), 0);
        buffer_consume(&server.stream.out, server.stream.out.len);
    }
}

/* A field of 4,000 bytes, and many references to it of one byte each; the library ignores the field if it is malformed. */
static void a_flood_of_fields_ends_the_connection(void **state)
{
    static char value[4000];
    static uint8_t references[8000];
    memset(references, 0x80 | 62, sizeof references); /* the newest field of the dynamic table */
    for (unsigned malformed = 0; malformed < 2; malformed++) {
        struct buffer fields = {NULL, 0, 0, 0};
        struct frame frame;
        memset(value, 'x', sizeof value);
        value[sizeof value - 1] = malformed ? '\1' : 'x';
        put_request_fields(&fields, "GET", "/", NULL);
        size_t at = fields.len;
        put_field(&fields, "x", value, sizeof value);
        fields.data[fields.start + at] = 0x40; /* a literal with indexing */
        put(&fields, references, sizeof references);
        put_frame(&bytes, HEADERS, END_HEADERS | END_STREAM, 1, fields.data + fields.start, fields.len);
        buffer_free(&fields);
        assert_int_equal(send_raw(UNSENT, 1000), ERROR_HTTP_FLOOD);
        assert_int_equal(server.messages, 0);
        assert_true(wrote(GOAWAY, &frame));
        assert_int_equal(read_u32(frame.payload + 4), 11); /* ENHANCE_YOUR_CALM */
        finish_raw(state);
        begin_raw(state);
    }
}

static void a_continuation_flood_ends_the_connection(void **state)
{
    struct buffer fields = {NULL, 0, 0, 0};
    int status = 0;
    unsigned i;
    (void)state;
    put_request_fields(&fields, "GET", "/", NULL);
    put_frame(&bytes, HEADERS, END_STREAM, 1, fields.data + fields.start, fields.len);
    buffer_free(&fields);
    for (i = 0; i < 100 && status == 0; i++) {
        put_field(&fields, "x-more", "y", 1);
        put_frame(&bytes, CONTINUATION, 0, 1, fields.data + fields.start, fields.len);
        buffer_free(&fields);
        status = send_raw(UNSENT, 1000);
    }
    assert_int_equal(status, ERROR_HTTP_FLOOD);
    assert_true(i <= 5);
    assert_int_equal(server.messages, 0);
}

static void what_breaks_the_protocol_ends_the_connection(void **state)
{
    static const uint8_t zeros[16];
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        switch (i) {
        case 0:
            put_frame(&bytes, DATA, 0, 1, "x", 1);
            break; /* on an idle stream */
        case 1:
            put_frame(&bytes, PING, 0, 0, zeros, 7);
            break;
        case 2:
            put_frame(&bytes, SETTINGS, 0, 0, zeros, 5);
            break;
        case 3:
            put_frame(&bytes, WINDOW_UPDATE, 0, 0, zeros, 4);
            break;
        case 4:
            put_frame(&bytes, HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff", 5);
            break;
        case 5:
            put_frame(&bytes, CONTINUATION, 0, 1, zeros, 4);
            break;
        }
        struct frame frame;
        int status = send_raw(UNSENT, 1000);
        assert_true(status == 0 || status == ERROR_HTTP_PROTOCOL);
        assert_int_equal(http2_send(server.http2, &server.stream, UNSENT), ERROR_HTTP_PROTOCOL);
        assert_int_equal(http2_receive(server.http2, zeros, 9, 1000), ERROR_HTTP_PROTOCOL);
        assert_true(wrote(GOAWAY, &frame));
        finish_raw(state);
        begin_raw(state);
    }
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    for (unsigned long at = 1; at < 60; at++) {
        struct http2_exchange *exchange;
        const struct http2_request request = {"dns.lan", "/dns-query", (const uint8_t *)"question", 8};
        finish(state);
        assert_int_equal(loop_init(&loop), 0);
        begin_end(&client, HTTP2_CLIENT);
        begin_end(&server, HTTP2_SERVER);
        server.echo = false;
        mem_fail_at(at);
        int status = http2_request(client.http2, &exchange, &request);
        for (int turn = 0; status >= 0 && turn < 4; turn++) {
            status = move(&client, &server);
            if (server.last && !server.echo) {
                server.echo = true;
                http2_respond(server.last, &(struct http2_response){.status = 200,
                                                                    .type = HTTP2_DNS_MESSAGE,
                                                                    .body = (const uint8_t *)"x",
                                                                    .len = 1,
                                                                    .max_age_s = 0});
            }
            if (status >= 0)
                status = move(&server, &client);
        }
        mem_fail_at(0);
        assert_true(status >= 0 || status == -ENOMEM || status == ERROR_HTTP_PROTOCOL);
    }
}

#define RAW(test) cmocka_unit_test_setup_teardown(test, begin_raw, finish_raw)
#define TWO(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO(a_request_and_its_response),
        TWO(responses_in_any_order),
        TWO(large_bodies_wait_for_the_window),
        TWO(a_cancelled_request),
        TWO(a_request_that_is_cancelled_before_it_is_sent),
        TWO(no_more_requests_than_the_peer_takes),
        TWO(a_drained_server_ends_after_what_it_has),
        TWO(a_request_after_goaway_was_not_processed),
        TWO(memory_may_run_out_anywhere),
        RAW(requests_byte_by_byte),
        RAW(other_media_types),
        RAW(http1_is_recognized),
        RAW(headers_that_are_too_large),
        RAW(a_body_that_is_too_large_is_answered_early),
        RAW(incomplete_bodies_are_bounded),
        RAW(more_streams_than_permitted_are_refused),
        RAW(only_incomplete_messages_are_held),
        RAW(floods_end_the_connection),
        RAW(control_frames_with_exchanges_or_time_are_no_flood),
        RAW(a_flood_of_fields_ends_the_connection),
        RAW(a_continuation_flood_ends_the_connection),
        RAW(what_breaks_the_protocol_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
