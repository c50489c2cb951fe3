/* SPDX-License-Identifier: MIT */
/* Private declarations of the files of net/http2; no other file uses nghttp2. */
#ifndef DOTSTUB_NET_HTTP2_PRIVATE_H
#define DOTSTUB_NET_HTTP2_PRIVATE_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include "base/list.h"

struct http2_exchange;
struct http2_ops;

struct http2 {
    bool is_server;
    nghttp2_session *session;
    const struct http2_ops *ops;
    void *owner;
    struct list exchanges;
    unsigned count, incomplete;
    size_t held, unsent;
    uint64_t progress;
    unsigned control;       /* frames without a body that the peer may still send */
    uint64_t refilled_ms;   /* when `control` was last raised; 0: not yet */
    uint64_t looked_ms;     /* for exchanges that are stuck */
    unsigned continuations; /* CONTINUATION frames in a row */
    unsigned preface;       /* server: bytes of the client's preface that have arrived */
    int error;              /* why the connection must end; 0: it need not */
    bool draining;
};

/* http2_headers.c: takes one header field of a message, which has been counted. */
void http2_take_field(struct http2_exchange *exchange, const uint8_t *name, size_t name_len, const uint8_t *value,
                      size_t value_len);

#endif
