/* SPDX-License-Identifier: MIT */
/* Frames of HTTP/2 for a peer that misbehaves, and a reader of the frames that it gets. */
#ifndef DOTSTUB_TESTS_HTTP2_PEER_H
#define DOTSTUB_TESTS_HTTP2_PEER_H

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "base/bytes.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static inline void put(struct buffer *out, const void *data, size_t len)
{
    int status = buffer_append(out, data, len);
    assert(status == 0);
}

static inline void put_frame(struct buffer *out, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
                             size_t len)
{
    uint8_t header[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, flags};
    write_u32(header + 5, stream);
    put(out, header, sizeof header);
    put(out, payload, len);
}

/* A literal header field without indexing (RFC 7541 section 6.2.2); lengths below 127 each, or `len` up to 32 KiB. */
static inline void put_field(struct buffer *out, const char *name, const char *value, size_t len)
{
    uint8_t start[2] = {0, (uint8_t)strlen(name)};
    put(out, start, 2);
    put(out, name, strlen(name));
    if (len < 127) {
        uint8_t one = (uint8_t)len;
        put(out, &one, 1);
    } else {
        uint8_t more[4] = {127, (uint8_t)(((len - 127) & 127) | 128), (uint8_t)(((len - 127) >> 7 & 127) | 128),
                           (uint8_t)((len - 127) >> 14)};
        put(out, more, sizeof more);
    }
    put(out, value, len);
}

static inline void put_text_field(struct buffer *out, const char *name, const char *value)
{
    put_field(out, name, value, strlen(value));
}

/* The fields of a request; `type` may be NULL. */
static inline void put_request_fields(struct buffer *out, const char *method, const char *path, const char *type)
{
    put_text_field(out, ":method", method);
    put_text_field(out, ":scheme", "https");
    put_text_field(out, ":authority", "dns.lan");
    put_text_field(out, ":path", path);
    if (type)
        put_text_field(out, "content-type", type);
}

static inline void put_request(struct buffer *out, uint32_t stream, const char *method, const char *path,
                               const char *type, const void *body, size_t len)
{
    struct buffer fields = {NULL, 0, 0, 0};
    put_request_fields(&fields, method, path, type);
    put_frame(out, HEADERS, (uint8_t)(END_HEADERS | (body ? 0 : END_STREAM)), stream, fields.data + fields.start,
              fields.len);
    if (body)
        put_frame(out, DATA, END_STREAM, stream, body, len);
    buffer_free(&fields);
}

/* The next frame at *at; false at the end. */
struct frame {
    uint8_t type, flags;
    uint32_t stream;
    const uint8_t *payload;
    size_t len;
};

static inline bool next_frame(const uint8_t *data, size_t len, size_t *at, struct frame *out)
{
    if (len - *at < 9)
        return false;
    const uint8_t *header = data + *at;
    out->len = (size_t)header[0] << 16 | (size_t)header[1] << 8 | header[2];
    out->type = header[3];
    out->flags = header[4];
    out->stream = read_u32(header + 5) & 0x7fffffff;
    out->payload = header + 9;
    if (len - *at < 9 + out->len)
        return false;
    *at += 9 + out->len;
    return true;
}

#endif
