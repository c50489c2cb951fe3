/* SPDX-License-Identifier: MIT */
/* One connection over nghttp2's memory interface.
 *
 * Invariants:
 *   - an exchange is in `exchanges` from its begin_headers (server) or http2_request (client) until its stream closes;
 *     `count`, `incomplete`, `held` and `unsent` are sums over that list;
 *   - nghttp2 is entered by http2_receive and http2_send only, except for submits, which send nothing;
 *   - once `error` is set no callback of the user runs, and nothing more is received. */
#include "net/http2.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "base/bytes.h"
#include "base/errors.h"
#include "base/mem.h"
#include "http2_private.h"
#include "net/stream.h"

enum {
    FIELD_OVERHEAD = 32, /* RFC 9113 section 6.5.2 */
    SMALL_DATA = 64,     /* bytes: shorter DATA frames that do not end a message count as control frames */
    CONTINUATIONS = 4,   /* CONTINUATION frames of one header block; the library permits 8 */
    SETTINGS_MAX = 16,   /* entries of a SETTINGS frame */
    ACKS_MAX = 100,      /* acknowledgements that wait to be sent */
    MAX_AGE_TEXT = 32,   /* room for max-age and a number of 64 bits */
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const char http2_version_response[] = "HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n"
                                      "Content-Type: text/plain\r\nContent-Length: 31\r\n\r\n"
                                      "dotstub speaks HTTP/2 only here";

/* --- memory of nghttp2 --- */

static void *take_memory(size_t size, void *unused)
{
    (void)unused;
    return mem_alloc(size > 0 ? size : 1);
}

static void give_memory(void *block, void *unused)
{
    (void)unused;
    mem_free(block);
}

static void *take_zeroed(size_t count, size_t size, void *unused)
{
    (void)unused;
    return mem_zalloc(count, size);
}

static void *resize_memory(void *old, size_t size, void *unused)
{
    (void)unused;
    return mem_resize(old, size);
}

static nghttp2_mem memory = {NULL, take_memory, give_memory, take_zeroed, resize_memory};

/* --- exchanges --- */

static struct http2_exchange *exchange_new(struct http2 *http2, int32_t stream)
{
    struct http2_exchange *exchange = mem_zalloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->http2 = http2;
    exchange->stream = stream;
    exchange->method = HTTP2_OTHER_METHOD;
    list_push_back(&http2->exchanges, &exchange->link);
    http2->count++;
    http2->incomplete++;
    return exchange;
}

static size_t exchange_held(const struct http2_exchange *exchange)
{
    return exchange->body_cap + exchange->path_cap;
}

static void forget_message(struct http2_exchange *exchange)
{
    exchange->http2->held -= exchange_held(exchange);
    mem_free(exchange->path);
    mem_free(exchange->body);
    exchange->path = NULL;
    exchange->body = NULL;
    exchange->path_cap = exchange->body_cap = exchange->len = 0;
}

static void exchange_free(struct http2_exchange *exchange)
{
    struct http2 *http2 = exchange->http2;
    list_remove(&exchange->link);
    http2->count--;
    http2->incomplete -= !exchange->whole;
    http2->unsent -= exchange->out_len - exchange->out_sent;
    forget_message(exchange);
    mem_free(exchange->out);
    mem_free(exchange);
}

static int fail(struct http2 *http2, int error)
{
    if (http2->error == 0)
        http2->error = error;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- bounds --- */

static void refill(struct http2 *http2, uint64_t now_ms)
{
    uint64_t more = (now_ms - http2->refilled_ms) * HTTP2_CONTROL_RATE / 1000;
    if (more == 0)
        return;
    http2->refilled_ms = now_ms;
    http2->control = more > HTTP2_CONTROL - http2->control ? HTTP2_CONTROL : http2->control + (unsigned)more;
}

/* Frames that take no part of a body. HEADERS count too: each completed exchange gives back more than it took. */
static bool is_control(const nghttp2_frame_hd *frame)
{
    return frame->type != NGHTTP2_DATA || (frame->length < SMALL_DATA && !(frame->flags & NGHTTP2_FLAG_END_STREAM));
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *context)
{
    struct http2 *http2 = context;
    (void)session;
    if (http2->error)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    http2->continuations = frame->type == NGHTTP2_CONTINUATION ? http2->continuations + 1 : 0;
    if (!is_control(frame))
        return 0;
    if (http2->control == 0 || http2->continuations > CONTINUATIONS)
        return fail(http2, ERROR_HTTP_FLOOD);
    http2->control--;
    return 0;
}

/* Room for `more` bytes of a body. False: the limit of the body or of the connection is reached. */
static bool body_reserve(struct http2_exchange *exchange, size_t more)
{
    struct http2 *http2 = exchange->http2;
    size_t wanted = exchange->len + more, cap = exchange->body_cap ? exchange->body_cap : 512;
    if (wanted > HTTP2_BODY)
        return false;
    while (cap < wanted)
        cap *= 2;
    if (cap == exchange->body_cap)
        return true;
    if (http2->held + cap - exchange->body_cap > HTTP2_HELD)
        return false;
    uint8_t *body = mem_resize(exchange->body, cap);
    if (!body)
        return false;
    http2->held += cap - exchange->body_cap;
    exchange->body = body;
    exchange->body_cap = cap;
    return true;
}

/* --- receiving --- */

static struct http2_exchange *exchange_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *http2 = context;
    if (!http2->is_server || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http2_exchange *exchange = exchange_new(http2, frame->hd.stream_id);
    if (!exchange)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange);
}

static int count_field(struct http2_exchange *exchange, size_t len)
{
    exchange->headers += len + FIELD_OVERHEAD;
    return exchange->headers > HTTP2_FIELDS ? fail(exchange->http2, ERROR_HTTP_FLOOD) : 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    struct http2_exchange *exchange = exchange_of(session, frame->hd.stream_id);
    (void)flags, (void)context;
    if (!exchange)
        return 0;
    int result = count_field(exchange, name_len + value_len);
    if (result == 0 && !exchange->whole)
        http2_take_field(exchange, name, name_len, value, value_len);
    return result;
}

/* A field with bytes that are not allowed, which the library ignores after it has read them. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    struct http2_exchange *exchange = exchange_of(session, frame->hd.stream_id);
    (void)name, (void)value, (void)flags, (void)context;
    return exchange ? count_field(exchange, name_len + value_len) : 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len,
                   void *context)
{
    struct http2 *http2 = context;
    struct http2_exchange *exchange = exchange_of(session, stream);
    (void)flags;
    if (!exchange || exchange->whole || exchange->too_large)
        return 0;
    if (!body_reserve(exchange, len)) {
        exchange->too_large = true;
        return 0;
    }
    memcpy(exchange->body + exchange->len, data, len);
    exchange->len += len;
    http2->progress += len;
    return 0;
}

/* Informational responses (1xx) come before the final one. */
static bool ends_message(const struct http2_exchange *exchange, const nghttp2_frame *frame)
{
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return false;
    return exchange && !exchange->whole && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
}

/* A body that is too large is answered at once: its end may never come. */
static bool is_refused_early(const struct http2_exchange *exchange)
{
    return exchange && exchange->too_large && !exchange->whole && exchange->http2->is_server && exchange->path;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *http2 = context;
    if (http2->error)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    http2->draining |= frame->hd.type == NGHTTP2_GOAWAY;
    struct http2_exchange *exchange = frame->hd.stream_id ? exchange_of(session, frame->hd.stream_id) : NULL;
    if (!ends_message(exchange, frame) && !is_refused_early(exchange))
        return 0;
    exchange->whole = true;
    http2->incomplete--;
    http2->progress++;
    if (!exchange->cancelled)
        http2->ops->message(exchange);
    forget_message(exchange);
    return http2->error ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int error_of(const struct http2_exchange *exchange, uint32_t code)
{
    bool is_done = !exchange->http2->is_server ? exchange->whole : exchange->answered;
    if (exchange->cancelled)
        return -ECANCELED;
    if (code == NGHTTP2_REFUSED_STREAM)
        return ERROR_HTTP_REFUSED;
    return code == NGHTTP2_NO_ERROR && is_done ? 0 : ERROR_HTTP_RESET;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    struct http2 *http2 = context;
    struct http2_exchange *exchange = exchange_of(session, stream);
    if (!exchange)
        return 0;
    int error = error_of(exchange, code);
    if (error == 0)
        http2->control = http2->control + HTTP2_CONTROL_EXCHANGE > HTTP2_CONTROL
                             ? HTTP2_CONTROL
                             : http2->control + HTTP2_CONTROL_EXCHANGE;
    if (http2->error == 0)
        http2->ops->ended(exchange, error);
    exchange_free(exchange);
    return 0;
}

/* True while the bytes are those of the preface. */
static bool is_preface(struct http2 *http2, const uint8_t *data, size_t len)
{
    size_t left = sizeof preface - 1 - http2->preface, part = len < left ? len : left;
    if (memcmp(data, preface + http2->preface, part) != 0)
        return false;
    http2->preface += (unsigned)part;
    return true;
}

static int error_of_library(const struct http2 *http2, ssize_t result)
{
    if (http2->error)
        return http2->error;
    return result == NGHTTP2_ERR_NOMEM              ? -ENOMEM
           : result == NGHTTP2_ERR_FLOODED          ? ERROR_HTTP_FLOOD
           : result == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? ERROR_HTTP_VERSION
                                                    : ERROR_HTTP_PROTOCOL;
}

/* nghttp2 has sent a GOAWAY because of an error of the peer. */
static void note_end(struct http2 *http2)
{
    if (http2->error == 0 && !http2->draining && !nghttp2_session_want_read(http2->session))
        http2->error = ERROR_HTTP_PROTOCOL;
}

int http2_receive(struct http2 *http2, const uint8_t *data, size_t len, uint64_t now_ms)
{
    if (http2->error)
        return http2->error;
    if (http2->refilled_ms == 0)
        http2->refilled_ms = now_ms;
    refill(http2, now_ms);
    if (http2->is_server && !is_preface(http2, data, len)) {
        http2->error = ERROR_HTTP_VERSION;
        return http2->error;
    }
    ssize_t result = nghttp2_session_mem_recv(http2->session, data, len);
    if (result < 0)
        http2->error = error_of_library(http2, result);
    note_end(http2);
    if (http2->error == ERROR_HTTP_FLOOD)
        (void)nghttp2_session_terminate_session(http2->session, NGHTTP2_ENHANCE_YOUR_CALM);
    return http2->error;
}

/* --- sending --- */

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *out, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *context)
{
    struct http2_exchange *exchange = source->ptr;
    struct http2 *http2 = context;
    size_t left = exchange->out_len - exchange->out_sent, part = left < cap ? left : cap;
    (void)session;
    (void)stream;
    if (part > 0)
        memcpy(out, exchange->out + exchange->out_sent, part);
    exchange->out_sent += part;
    http2->unsent -= part;
    http2->progress += part;
    if (part == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)part;
}

int http2_send(struct http2 *http2, struct stream *stream, size_t unsent)
{
    while (stream_unsent(stream) < unsent) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(http2->session, &frame);
        if (len < 0) {
            if (http2->error == 0)
                http2->error = error_of_library(http2, len);
            return http2->error;
        }
        if (len == 0)
            break;
        uint8_t *room = stream_reserve(stream, (size_t)len);
        if (!room)
            return http2->error = -ENOMEM;
        memcpy(room, frame, (size_t)len);
        stream_commit(stream, (size_t)len);
    }
    note_end(http2);
    return http2->error;
}

static int set_body(struct http2_exchange *exchange, const uint8_t *body, size_t len)
{
    exchange->out = mem_alloc(len + 1);
    if (!exchange->out)
        return -ENOMEM;
    if (len > 0)
        memcpy(exchange->out, body, len);
    exchange->out_len = len;
    exchange->http2->unsent += len;
    return 0;
}

static nghttp2_nv field_of(const char *name, struct bytes value, bool varies)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | (varies ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value.data, strlen(name), value.len, flags};
}

static nghttp2_nv field(const char *name, const char *value)
{
    return field_of(name, (struct bytes){(const uint8_t *)value, strlen(value)}, false);
}

static struct bytes max_age_text(char out[MAX_AGE_TEXT], uint64_t seconds)
{
    static const char max_age[] = "max-age=";
    char room[DECIMAL_DIGITS];
    struct bytes digits = bytes_decimal(room, seconds);
    memcpy(out, max_age, sizeof max_age - 1);
    memcpy(out + sizeof max_age - 1, digits.data, digits.len);
    return (struct bytes){(const uint8_t *)out, sizeof max_age - 1 + digits.len};
}

static const char dns_message[] = "application/dns-message";

void http2_respond(struct http2_exchange *exchange, const struct http2_response *response)
{
    nghttp2_nv fields[5];
    char status[DECIMAL_DIGITS], length[DECIMAL_DIGITS], age[MAX_AGE_TEXT];
    size_t count = 0;
    struct http2 *http2 = exchange->http2;
    exchange->answered = true;
    int result = set_body(exchange, response->body, response->len);
    fields[count++] = field_of(":status", bytes_decimal(status, response->status), false);
    if (response->type != HTTP2_NO_TYPE)
        fields[count++] = field("content-type", response->type == HTTP2_DNS_MESSAGE ? dns_message : "text/plain");
    fields[count++] = field_of("content-length", bytes_decimal(length, response->len), true);
    if (response->max_age_s >= 0)
        fields[count++] = field_of("cache-control", max_age_text(age, (uint64_t)response->max_age_s), true);
    if (response->allow)
        fields[count++] = field("allow", "GET, POST");
    const nghttp2_data_provider provider = {{.ptr = exchange}, read_body};
    if (result == 0)
        result = nghttp2_submit_response(http2->session, exchange->stream, fields, count,
                                         response->len > 0 ? &provider : NULL);
    if (result < 0)
        http2_cancel(exchange);
}

int http2_request(struct http2 *http2, struct http2_exchange **out, const struct http2_request *request)
{
    char length[DECIMAL_DIGITS];
    if (http2->error || http2->draining || http2->count >= http2_peer_streams(http2))
        return ERROR_LIMIT;
    struct http2_exchange *exchange = exchange_new(http2, 0);
    if (!exchange)
        return -ENOMEM;
    int32_t stream = NGHTTP2_ERR_NOMEM;
    const nghttp2_nv fields[] = {
        field(":method", "POST"),
        field(":scheme", "https"),
        field(":authority", request->authority),
        field(":path", request->path),
        field("accept", dns_message),
        field("content-type", dns_message),
        field_of("content-length", bytes_decimal(length, request->len), false),
    };
    const nghttp2_data_provider provider = {{.ptr = exchange}, read_body};
    if (set_body(exchange, request->body, request->len) == 0)
        stream =
            nghttp2_submit_request(http2->session, NULL, fields, sizeof fields / sizeof *fields, &provider, exchange);
    if (stream < 0) {
        exchange_free(exchange);
        return stream == NGHTTP2_ERR_NOMEM ? -ENOMEM : ERROR_LIMIT;
    }
    exchange->stream = stream;
    *out = exchange;
    return 0;
}

void http2_cancel(struct http2_exchange *exchange)
{
    struct http2 *http2 = exchange->http2;
    if (exchange->cancelled)
        return;
    exchange->cancelled = true;
    (void)nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, exchange->stream,
                                    !http2->is_server ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
}

/* True if an exchange that waits for its peer has not moved for HTTP2_STUCK_MS. One whose response is being looked up
 * waits for nobody. */
static bool is_stuck(struct http2_exchange *exchange, uint64_t now_ms)
{
    size_t moved = exchange->headers + exchange->len + exchange->out_sent;
    bool waits = !exchange->cancelled && (!exchange->whole || exchange->answered);
    if (!waits || exchange->moved_ms == 0 || exchange->moved != moved) {
        exchange->moved = moved;
        exchange->moved_ms = waits ? now_ms : 0;
        return false;
    }
    return now_ms - exchange->moved_ms >= HTTP2_STUCK_MS;
}

unsigned http2_reset_stuck(struct http2 *http2, uint64_t now_ms)
{
    enum { INTERVAL_MS = 1000 };
    unsigned reset = 0;
    if (http2->error || now_ms - http2->looked_ms < INTERVAL_MS)
        return 0;
    http2->looked_ms = now_ms;
    list_for_each(link, &http2->exchanges) {
        struct http2_exchange *exchange = container_of(link, struct http2_exchange, link);
        if (!is_stuck(exchange, now_ms))
            continue;
        http2_cancel(exchange);
        reset++;
    }
    return reset;
}

void http2_drain(struct http2 *http2)
{
    if (http2->draining || http2->error)
        return;
    http2->draining = true;
    (void)nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(http2->session), NGHTTP2_NO_ERROR, NULL, 0);
}

/* --- the connection --- */

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *limits;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The same for all connections; never freed. NULL: out of memory. */
static void make_constants(void)
{
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&limits) != 0)
        return;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_peer_max_concurrent_streams(limits, HTTP2_STREAMS);
    nghttp2_option_set_no_closed_streams(limits, 1);
    nghttp2_option_set_max_outbound_ack(limits, ACKS_MAX);
    nghttp2_option_set_max_settings(limits, SETTINGS_MAX);
}

static int send_settings(struct http2 *http2)
{
    const nghttp2_settings_entry both[] = {
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP2_HEADERS},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, http2->is_server ? HTTP2_STREAMS : 0},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    size_t count = http2->is_server ? 2 : 3;
    return nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, both, count);
}

int http2_new(struct http2 **out, enum http2_side side, const struct http2_ops *ops, void *owner)
{
    pthread_once(&once, make_constants);
    struct http2 *http2 = callbacks && limits ? mem_zalloc(1, sizeof *http2) : NULL;
    if (!http2)
        return -ENOMEM;
    http2->is_server = side == HTTP2_SERVER;
    http2->ops = ops;
    http2->owner = owner;
    http2->control = HTTP2_CONTROL;
    list_init(&http2->exchanges);
    int result = side == HTTP2_SERVER ? nghttp2_session_server_new3(&http2->session, callbacks, http2, limits, &memory)
                                      : nghttp2_session_client_new3(&http2->session, callbacks, http2, limits, &memory);
    if (result == 0)
        result = send_settings(http2);
    if (result != 0) {
        http2_free(http2);
        return -ENOMEM;
    }
    *out = http2;
    return 0;
}

void http2_free(struct http2 *http2)
{
    struct list_link *link;
    if (!http2)
        return;
    nghttp2_session_del(http2->session);
    while ((link = list_first(&http2->exchanges)))
        exchange_free(container_of(link, struct http2_exchange, link));
    mem_free(http2);
}

void *http2_owner(const struct http2 *http2)
{
    return http2->owner;
}

bool http2_is_draining(const struct http2 *http2)
{
    return http2->draining || http2->error;
}

unsigned http2_peer_streams(const struct http2 *http2)
{
    uint32_t streams = nghttp2_session_get_remote_settings(http2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return streams < HTTP2_STREAMS ? streams : HTTP2_STREAMS;
}

unsigned http2_exchanges(const struct http2 *http2)
{
    return http2->count;
}

unsigned http2_incomplete(const struct http2 *http2)
{
    return http2->incomplete;
}

size_t http2_unsent(const struct http2 *http2)
{
    return http2->unsent;
}

size_t http2_held(const struct http2 *http2)
{
    return http2->held;
}

uint64_t http2_progress(const struct http2 *http2)
{
    return http2->progress;
}
