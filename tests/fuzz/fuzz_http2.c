/* SPDX-License-Identifier: MIT */
/* A peer that misuses HTTP/2, of a server and, if the first byte is odd, of a client. Each exchange ends once, nothing exceeds
 * its bound, and nothing runs after the end of a connection. Operations in the input:
 *
 *       0..99    that many of the following bytes arrive      100..109  what is to be sent is sent
 *     110..119   the oldest exchange is answered              120..124  it is cancelled
 *     125..127   drain; a request (client); time passes       128..255  a frame: type, flags, stream, length and payload follow
 */
#include "base/errors.h"
#include "base/list.h"
#include "fuzz.h"
#include "net/http2.h"
#include "net/loop.h"
#include "net/stream.h"
#include "tests/unit/http2_peer.h"

static struct loop loop;
static struct stream out;
static struct http2 *http2;
static struct http2_exchange *waiting; /* the latest one that may be answered or cancelled */
static unsigned begun, ended;
static bool over;

static void message(struct http2_exchange *exchange)
{
    MUST(!over);
    MUST(exchange->len <= HTTP2_BODY && exchange->headers <= HTTP2_FIELDS);
    if (exchange->path)
        MUST(strlen(exchange->path) <= HTTP2_HEADERS);
    else if (http2_owner(exchange->http2) == &out)
        MUST(exchange->headers_too_large || exchange->method == HTTP2_OTHER_METHOD);
    waiting = exchange;
}

static void end(struct http2_exchange *exchange, int error)
{
    MUST(!over && error <= 0);
    ended++;
    if (waiting == exchange)
        waiting = NULL;
}

static const struct http2_ops ops = {message, end};

static void check(int status, uint64_t *now_ms)
{
    (void)now_ms;
    if (status < 0) {
        over = true;
        waiting = NULL;
    }
    MUST(http2_held(http2) <= HTTP2_HELD + HTTP2_STREAMS * (HTTP2_HEADERS + 1));
    MUST(http2_exchanges(http2) <= HTTP2_STREAMS + 1 && http2_incomplete(http2) <= http2_exchanges(http2));
}

static void take(const void *data, size_t len, uint64_t *now_ms)
{
    uint8_t *copy = exact_copy(data, len);
    check(http2_receive(http2, copy, len, *now_ms), now_ms);
    free(copy);
}

static void respond(enum http2_side side, unsigned wish)
{
    static const uint8_t body[5000];
    if (!waiting || side == HTTP2_CLIENT)
        return;
    http2_respond(waiting, &(struct http2_response){.status = 200 + wish % 400,
                                                    .type = HTTP2_DNS_MESSAGE,
                                                    .body = body,
                                                    .len = wish * 37 % sizeof body,
                                                    .max_age_s = (int)(wish % 3) - 1});
    waiting = NULL;
}

static void request(enum http2_side side)
{
    const struct http2_request query = {"dns.example", "/dns-query", (const uint8_t *)"query", 5};
    struct http2_exchange *exchange;
    if (side == HTTP2_CLIENT && !over && http2_request(http2, &exchange, &query) == 0)
        begun++;
}

static size_t obey(enum http2_side side, const uint8_t *data, size_t size, uint64_t *now_ms)
{
    uint8_t wish = data[0];
    size_t len = wish < size - 1 ? wish : size - 1;
    if (wish < 100) {
        take(data + 1, len, now_ms);
        return 1 + len;
    }
    if (wish >= 128) {
        struct buffer made = {NULL, 0, 0, 0};
        if (size < 5)
            return size;
        len = data[4] < size - 5 ? data[4] : size - 5;
        put_frame(&made, data[1] % 11, data[2], data[3] % 32, data + 5, len);
        take(made.data + made.start, made.len, now_ms);
        buffer_free(&made);
        return 5 + len;
    }
    if (wish < 110) {
        check(http2_send(http2, &out, 1 << 16), now_ms);
        buffer_consume(&out.out, out.out.len);
    } else if (wish < 120) {
        respond(side, wish);
    } else if (wish < 125 && waiting) {
        http2_cancel(waiting);
        waiting = NULL;
    } else if (wish == 125) {
        http2_drain(http2);
    } else if (wish == 126) {
        request(side);
    } else if (wish == 127) {
        *now_ms += 1000;
    }
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t now_ms = 1000;
    if (size == 0)
        return 0;
    if (!loop.read_scratch) {
        MUST(loop_init(&loop) == 0);
        out = (struct stream){.state = STREAM_OPEN, .framing = &framing_bytes, .layer = &byte_layer_plain};
        MUST(uv_tcp_init(&loop.uv, &out.tcp) == 0);
    }
    enum http2_side side = data[0] & 1 ? HTTP2_CLIENT : HTTP2_SERVER;
    MUST(http2_new(&http2, side, &ops, side == HTTP2_SERVER ? &out : NULL) == 0);
    waiting = NULL;
    over = false;
    begun = ended = 0;
    if (side == HTTP2_SERVER && !(data[0] & 2))
        take(PREFACE, strlen(PREFACE), &now_ms);
    for (data++, size--; size > 0;) {
        size_t took = obey(side, data, size, &now_ms);
        data += took;
        size -= took;
    }
    MUST(side == HTTP2_SERVER || ended <= begun);
    http2_free(http2);
    buffer_consume(&out.out, out.out.len);
    return 0;
}
