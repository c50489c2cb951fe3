/* SPDX-License-Identifier: MIT */
/* Messages on one TCP connection: a framing delimits them, a byte layer transfers the bytes, plain or by TLS.
 *
 * Does:    connects or accepts; reads into the loop's scratch, writes once per flush; buffers only a partial frame;
 *          delivers whole frames by callback. TCP_NODELAY on every stream; keepalive and TCP_USER_TIMEOUT on
 *          outgoing ones. Handlers only append; bytes leave in stream_flush, which the owner calls from its flush
 *          hook.
 * Owns:    the uv handle, its buffers, its byte layer's state. A stream is embedded in its owner, which may free it
 *          from `closed` on, not before.
 * Threads: the loop's.
 * RFC:     7766, 7858.
 */
#ifndef DOTSTUB_NET_STREAM_H
#define DOTSTUB_NET_STREAM_H

#include <uv.h>
#include "base/addr.h"
#include "base/bytes.h"
#include "net/framing.h"
#include "net/loop.h"

struct stream;
struct tls_facts;

/* net/layers: plain; TLS as a client, configured by a struct tls_client (net/tls.h); TLS as a server, configured by a
 * struct tls_listener (net/tls_server.h). */
struct byte_layer;
extern const struct byte_layer byte_layer_plain, byte_layer_tls_client, byte_layer_tls_server;

/* The kind of a stream; only stream_connect and stream_accept read it, except for the tables. */
struct stream_form {
    const struct framing *framing;
    const struct byte_layer *layer;
    const void *layer_config; /* defined by the layer; plain: NULL */
    bool prefixed;            /* of stream_accept: ops->prefix reads the first bytes */
    const char *interface;    /* of stream_connect: the only one that packets may use; NULL: any */
    uint32_t mark;            /* of stream_connect: SO_MARK of its packets; 0: none */
};

struct stream_ops {
    /* Of an accepted stream with a prefix: all bytes received so far, before its byte layer sees any. Returns the number
     * of bytes that the prefix has; 0: it is incomplete; negative: the stream fails. Not called again when it is
     * complete. */
    int (*prefix)(struct stream *stream, struct bytes bytes);
    /* Open: connected, and with TLS: handshake done, peer verified. Not called for a stream that is accepted open
     * (plain). */
    void (*ready)(struct stream *stream);
    /* One whole message without the framing's header; writable, borrowed until the return. */
    void (*frame)(struct stream *stream, uint8_t *message, size_t len);
    /* Bytes were received, and the last message is incomplete. NULL: not reported. */
    void (*partial)(struct stream *stream);
    /* The peer sent FIN (or close_notify) and will send no more data; we can still send. NULL: the stream closes
     * with ERROR_CLOSED. */
    void (*ended)(struct stream *stream);
    /* The rest of a flush was written: stream_drained is true again. NULL: not reported. */
    void (*drained)(struct stream *stream);
    /* The end, called once, asynchronously, when the handle is closed: the owner may free the stream now. `reason`
     * is that of stream_close, or the failure: -ECONNREFUSED, -ETIMEDOUT, -ECONNRESET, ERROR_CLOSED (the peer
     * closed; `clean_end`: with close_notify), ERROR_TLS_..., -ENOMEM. No other callback runs once the stream is
     * closing. */
    void (*closed)(struct stream *stream, int reason);
};

enum stream_state { STREAM_UNUSED, STREAM_CONNECTING, STREAM_PREFIX, STREAM_HANDSHAKE, STREAM_OPEN, STREAM_CLOSING };

struct stream {
    uv_tcp_t tcp;
    union { /* the connect request ends before the first write */
        uv_connect_t connect;
        uv_write_t write;
    };
    struct loop *loop;
    const struct stream_ops *ops;
    const struct framing *framing;
    const struct byte_layer *layer;
    void *layer_state; /* private to the layer */
    enum stream_state state;
    int reason;
    bool writing;       /* `write` is in progress with the bytes of `out_writing` */
    bool paused;        /* reading is paused */
    bool ended;         /* the peer's FIN or close_notify was received */
    bool clean_end;     /* it was close_notify */
    bool end_told;      /* `ended` was called */
    bool acknowledge;   /* stream_acknowledge was called during this read */
    struct buffer in;   /* part of the prefix; a partial unit, or units not delivered because of a pause */
    struct buffer out;  /* clear units, not yet packed by the layer */
    struct buffer wire; /* output of the layer, not yet written; of a plain stream always empty */
    struct buffer out_writing;
    uint64_t connected_ms;      /* outgoing: when TCP was connected, 0: not yet */
    uint64_t received;          /* bytes read from the network so far: shows progress within a frame */
    size_t unanswered;          /* bytes read since the owner last set it to 0 */
    size_t unanswered_max;      /* if `unanswered` exceeds it, the stream ends with ERROR_FLOOD; 0: no limit */
    struct loop_flush turn_end; /* added while work is due before the loop sleeps */
};

/* Starts connecting to `to` (from `source` if not NULL). 0: `closed` will be called, even if the kernel refuses at
 * once (-ENETUNREACH). Negative (no descriptor, out of memory, no such source): nothing was started and `closed`
 * will not be called. */
int stream_connect(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                   const struct stream_form *form, const struct addr *to, const struct addr *source) MUST_CHECK;
/* Connects to a unix socket at once. 0: the stream is open, and `ready` is not called; or it could not be connected, and
 * `closed` will be called. Negative: nothing was started. The form's layer has no handshake. */
int stream_connect_path(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                        const struct stream_form *form, const char *path) MUST_CHECK;
/* Accepts one client from a listening handle and starts to read. If that fails `closed` is called later. */
void stream_accept(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                   const struct stream_form *form, uv_stream_t *listener);

/* Room for one message of at most `cap` bytes (its header is reserved before it); write into it, then commit the
 * actual length, without any other call on this stream in between. Frames wait until the stream is open. NULL when
 * out of memory or closing. */
uint8_t *stream_reserve(struct stream *stream, size_t cap) MUST_CHECK;
void stream_commit(struct stream *stream, size_t len);

/* Bytes appended and not yet accepted by the kernel. */
size_t stream_unsent(const struct stream *stream);
/* True when the kernel has accepted all earlier output, so that a flush would write new frames at once. */
static inline bool stream_drained(const struct stream *stream)
{
    return stream->state == STREAM_OPEN && !stream->writing;
}
/* Packs the appended messages (with TLS: one record each) and writes them with one system call. Does nothing
 * without output, or while the last write is in progress. A failure closes the stream (asynchronously). */
void stream_flush(struct stream *stream);

/* Stops reading and delivering (also from within `frame`: further frames of the same read are buffered); resumes,
 * and delivers the buffered frames before the loop sleeps, not within the call. Both do nothing to a stream that is
 * not open. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* From within `frame`: the received data is acknowledged as soon as all of it was delivered. A peer that uses
 * Nagle's algorithm sends no small segment before that. */
void stream_acknowledge(struct stream *stream);

/* Closes the stream, also from within any callback: unsent data, and close_notify with TLS, is sent as far as the
 * kernel accepts it at once, then the handle closes. stream_reset sends RST instead. Further calls do nothing. */
void stream_close(struct stream *stream, int reason);
void stream_reset(struct stream *stream, int reason);

/* After `ready`: true with the facts of the handshake; false: the layer has none. */
bool stream_facts(struct stream *stream, struct tls_facts *out);
/* The peer does not acknowledge: the kernel has retransmitted data without success so far (TCP_INFO). */
bool stream_unacknowledged(const struct stream *stream);
/* True if a partial frame, or part of the prefix, is buffered. */
bool stream_mid_frame(const struct stream *stream);
/* The address of the other end; of an accepted stream's own end with `local`. 0 or negative. */
int stream_peer(const struct stream *stream, struct addr *out, bool local) MUST_CHECK;
/* The number of the interface that an accepted stream came in on; 0: unknown. */
unsigned stream_interface(const struct stream *stream, sa_family_t family);

#endif
