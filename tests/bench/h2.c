/* SPDX-License-Identifier: MIT */
#include "h2.h"
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 1 << 24, STREAMS = 1000, DECIMAL = 24 };

struct h2 {
    nghttp2_session *session;
    const char *authority;
    h2_message *message;
    void *context;
};

struct message {
    bool good; /* the status is 200 */
    uint8_t *in, *out;
    size_t in_len, in_room, out_len, out_sent;
};

static struct message *message_new(void)
{
    return calloc(1, sizeof(struct message));
}

static void message_free(struct message *message)
{
    free(message->in);
    free(message->out);
    free(message);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    const struct h2 *h2 = context;
    if (h2->authority || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct message *message = message_new();
    if (!message)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    message->good = true;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, message);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    struct message *message = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    (void)context;
    if (message && name_len == 7 && memcmp(name, ":status", 7) == 0)
        message->good = value_len == 3 && memcmp(value, "200", 3) == 0;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len,
                   void *context)
{
    struct message *message = nghttp2_session_get_stream_user_data(session, stream);
    (void)flags;
    (void)context;
    if (!message)
        return 0;
    if (message->in_len + len > message->in_room) {
        message->in_room = (message->in_len + len) * 2;
        uint8_t *in = realloc(message->in, message->in_room);
        if (!in)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        message->in = in;
    }
    memcpy(message->in + message->in_len, data, len);
    message->in_len += len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2 *h2 = context;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    struct message *message = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (message)
        h2->message(h2->context, frame->hd.stream_id, message->in, message->good ? message->in_len : 0);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    struct message *message = nghttp2_session_get_stream_user_data(session, stream);
    (void)code;
    (void)context;
    if (message)
        message_free(message);
    return nghttp2_session_set_stream_user_data(session, stream, NULL);
}

static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
                            nghttp2_data_source *source, void *context)
{
    struct message *message = source->ptr;
    size_t left = message->out_len - message->out_sent, part = left < room ? left : room;
    (void)session;
    (void)stream;
    (void)context;
    memcpy(out, message->out + message->out_sent, part);
    message->out_sent += part;
    if (part == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)part;
}

static int begin(struct h2 *h2)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
                                               {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks))
        return -1;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    int failed = h2->authority ? nghttp2_session_client_new(&h2->session, callbacks, h2)
                               : nghttp2_session_server_new(&h2->session, callbacks, h2);
    nghttp2_session_callbacks_del(callbacks);
    return failed || nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, h2->authority ? 3 : 2) ||
           nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, WINDOW);
}

struct h2 *h2_new(const char *authority, h2_message *message, void *context)
{
    struct h2 *h2 = calloc(1, sizeof *h2);
    if (!h2)
        return NULL;
    *h2 = (struct h2){.authority = authority, .message = message, .context = context};
    if (begin(h2)) {
        h2_free(h2);
        return NULL;
    }
    return h2;
}

void h2_free(struct h2 *h2)
{
    if (!h2)
        return;
    nghttp2_session_del(h2->session); /* messages of open streams are not freed: the program ends soon */
    free(h2);
}

int h2_receive(struct h2 *h2, const uint8_t *data, size_t len)
{
    return nghttp2_session_mem_recv(h2->session, data, len) < 0 || !nghttp2_session_want_read(h2->session) ? -1 : 0;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int give(struct message *message, const uint8_t *data, size_t len)
{
    message->out = malloc(len);
    if (!message->out)
        return -1;
    memcpy(message->out, data, len);
    message->out_len = len;
    return 0;
}

int32_t h2_ask(struct h2 *h2, const uint8_t *data, size_t len)
{
    char length[DECIMAL];
    struct message *message = message_new();
    if (!message || give(message, data, len))
        return -1;
    snprintf(length, sizeof length, "%zu", len);
    const nghttp2_nv fields[] = {
        field(":method", "POST"),
        field(":scheme", "https"),
        field(":authority", h2->authority),
        field(":path", "/dns-query"),
        field("accept", "application/dns-message"),
        field("content-type", "application/dns-message"),
        field("content-length", length),
    };
    const nghttp2_data_provider provider = {{.ptr = message}, read_message};
    return nghttp2_submit_request(h2->session, NULL, fields, sizeof fields / sizeof *fields, &provider, message);
}

void h2_answer(struct h2 *h2, int32_t stream, const uint8_t *data, size_t len)
{
    char length[DECIMAL];
    struct message *message = nghttp2_session_get_stream_user_data(h2->session, stream);
    if (!message || give(message, data, len))
        return;
    snprintf(length, sizeof length, "%zu", len);
    const nghttp2_nv fields[] = {
        field(":status", "200"),
        field("content-type", "application/dns-message"),
        field("content-length", length),
        field("cache-control", "max-age=300"),
    };
    const nghttp2_data_provider provider = {{.ptr = message}, read_message};
    (void)nghttp2_submit_response(h2->session, stream, fields, sizeof fields / sizeof *fields, &provider);
}

long h2_output(struct h2 *h2, const uint8_t **data)
{
    return (long)nghttp2_session_mem_send(h2->session, data);
}
