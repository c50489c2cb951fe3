/* SPDX-License-Identifier: MIT */
/* HTTP/2 over byte buffers, for DNS messages as bodies: one connection, as a client or as a server.
 *
 * Does:    requests and responses in any order, several at a time. Bounds of what a peer may cause, each a constant
 *          below: concurrent streams, the headers and the body of a message, the bytes of all incomplete messages,
 *          and frames that carry no part of a body (HEADERS, SETTINGS, PING, RST_STREAM, CONTINUATION, WINDOW_UPDATE,
 *          tiny DATA): a peer that sends too many without completing exchanges, as in a rapid reset, ends its
 *          connection. No server push, no priorities, no
 *          upgrade from HTTP/1.1.
 * Owns:    the connection's state, its exchanges and their bodies.
 * Threads: the one of its stream.
 * RFC:     9113 (HTTP/2), 7541 (HPACK); of 8484 only the media type.
 *
 * No callback runs but within http2_receive and http2_send, and none after either has returned an error. A callback
 * may respond, request and cancel; bytes are written by http2_send only.
 */
#ifndef DOTSTUB_NET_HTTP2_H
#define DOTSTUB_NET_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"
#include "base/list.h"

struct http2;
struct stream;

enum {
    HTTP2_STREAMS = 100,        /* concurrent streams of one connection */
    HTTP2_HEADERS = 8 * 1024,   /* bytes of the header fields of a message, as RFC 9113 section 6.5.2 counts them */
    HTTP2_FIELDS = 64 * 1024,   /* more of them end the connection: one byte may stand for thousands (RFC 7541) */
    HTTP2_BODY = 65535,         /* bytes of a body: the longest DNS message */
    HTTP2_HELD = 128 * 1024,    /* bytes of all incomplete messages of one connection */
    HTTP2_CONTROL = 400,        /* frames that carry no part of a body, at once, */
    HTTP2_CONTROL_RATE = 10,    /* more of them for each second, */
    HTTP2_CONTROL_EXCHANGE = 8, /* and for each exchange that was completed */
    HTTP2_STUCK_MS = 5000,      /* a stream that waits for the client ends if no byte of it moves for this time */
};

enum http2_side { HTTP2_CLIENT, HTTP2_SERVER };
enum http2_method { HTTP2_GET, HTTP2_POST, HTTP2_OTHER_METHOD };
/* The media type of a body. */
enum http2_type { HTTP2_NO_TYPE, HTTP2_DNS_MESSAGE, HTTP2_OTHER_TYPE };

/* A request and its response on one stream. The user reads; `user` is its own. */
struct http2_exchange {
    struct list_link link; /* in the connection's list */
    struct http2 *http2;
    int32_t stream;
    void *user; /* NULL at first */

    /* Received; path and body until `message` returns: */
    enum http2_method method; /* server */
    /* Server: with the query part; writable; NULL only with headers_too_large or HTTP2_OTHER_METHOD. */
    char *path;
    unsigned status; /* client */
    enum http2_type type;
    uint32_t age_s;         /* client: Age (RFC 9111 section 5.1); 0: none */
    uint32_t retry_after_s; /* client: Retry-After; 0: none, or a date */
    bool too_large;         /* the headers or the body exceed a limit; what exceeds it was left out */
    bool headers_too_large; /* the headers exceed theirs */
    uint8_t *body;          /* writable */
    size_t len;

    /* Private to net/http2. */
    size_t headers, path_cap, body_cap, out_len, out_sent;
    size_t moved; /* as of moved_ms */
    uint64_t moved_ms;
    uint8_t *out;
    bool whole, answered, cancelled;
};

struct http2_ops {
    /* A whole request (server) or response (client) was received. The server responds now or later. */
    void (*message)(struct http2_exchange *exchange);
    /* The exchange ends and is freed after the call. `error`: 0: it was completed; -ECANCELED: by http2_cancel;
     * ERROR_HTTP_REFUSED: the peer has not processed the request; ERROR_HTTP_RESET: the peer or this side reset it. */
    void (*ended)(struct http2_exchange *exchange, int error);
};

/* 0 or -ENOMEM. The first http2_send sends our settings. */
int http2_new(struct http2 **out, enum http2_side side, const struct http2_ops *ops, void *owner) MUST_CHECK;
/* Frees the exchanges, too, without a callback. Not from within a callback. NULL does nothing. */
void http2_free(struct http2 *http2);
void *http2_owner(const struct http2 *http2);

/* Takes bytes of the peer. 0, or the connection must end: ERROR_HTTP_VERSION (server: the client does not speak
 * HTTP/2), ERROR_HTTP_PROTOCOL, ERROR_HTTP_FLOOD, -ENOMEM. Then http2_send may still write the reason. */
int http2_receive(struct http2 *http2, const uint8_t *data, size_t len, uint64_t now_ms) MUST_CHECK;
/* Appends frames to the stream until `unsent` bytes of it are unsent, or nothing is left that the peer permits to
 * send. 0 or an error as of http2_receive, which each later call gives, too. */
int http2_send(struct http2 *http2, struct stream *stream, size_t unsent);

/* Server: sends the response. `type` of the body; `max_age_s` below 0: no Cache-Control. `allow`: a header Allow: GET,
 * POST. The body is copied. Once for each exchange. Out of memory, the stream is reset. */
struct http2_response {
    unsigned status;
    enum http2_type type; /* HTTP2_OTHER_TYPE: plain text */
    const uint8_t *body;
    size_t len;
    int64_t max_age_s;
    bool allow;
};
void http2_respond(struct http2_exchange *exchange, const struct http2_response *response);

/* Client: sends a POST of a DNS message. Strings and body are copied. 0 with *out, -ENOMEM, or ERROR_LIMIT: the
 * connection takes no more requests. */
struct http2_request {
    const char *authority, *path;
    const uint8_t *body;
    size_t len;
};
int http2_request(struct http2 *http2, struct http2_exchange **out, const struct http2_request *request) MUST_CHECK;
/* Resets the stream; `ended` follows in the next http2_send. */
void http2_cancel(struct http2_exchange *exchange);

/* Server: resets the streams that have waited for HTTP2_STUCK_MS for the client: for the rest of a request, for room in
 * the client's window, or for the end of a request that was refused early. Call it before http2_send; it looks once a
 * second. The number of streams reset. */
unsigned http2_reset_stuck(struct http2 *http2, uint64_t now_ms);

/* The requests received until now are the last ones; the peer is told (GOAWAY). */
void http2_drain(struct http2 *http2);
/* The peer or this side has sent GOAWAY: no new request may be sent. */
bool http2_is_draining(const struct http2 *http2);
/* The number of requests that the peer takes at a time, at most HTTP2_STREAMS. */
unsigned http2_peer_streams(const struct http2 *http2);
/* The number of exchanges; of those, that whose message is incomplete. */
unsigned http2_exchanges(const struct http2 *http2);
unsigned http2_incomplete(const struct http2 *http2);
/* Bytes of bodies that were not handed to the stream yet; bytes held of incomplete messages. */
size_t http2_unsent(const struct http2 *http2);
size_t http2_held(const struct http2 *http2);
/* Grows with each byte of a body in either direction and each whole message: what a peer that only sends control
 * frames does not move. */
uint64_t http2_progress(const struct http2 *http2);

/* The response to a client that speaks HTTP/1. */
extern const char http2_version_response[];

#endif
