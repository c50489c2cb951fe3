/* SPDX-License-Identifier: MIT */
/* Messages on one TCP connection: a framing tells them apart, a byte layer carries the bytes, plain or by TLS.
 *
 * Does:    connects or accepts; one read into the loop's scratch, one write per flush; keeps only a partial frame;
 *          calls up with whole frames. TCP_NODELAY on every stream; keepalive and TCP_USER_TIMEOUT on outgoing ones.
 *          Handlers only append; bytes leave in stream_flush, which the owner calls from its flush hook.
 * Owns:    the uv handle, its buffers, its byte layer's state. It lies in its owner, who may free it from `closed` on,
 *          not before.
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

/* net/layers: plain; TLS as a client, configured by a struct tls_client (net/tls.h). */
struct byte_layer;
extern const struct byte_layer byte_layer_plain, byte_layer_tls_client;

/* The parts of a stream; only stream_connect and stream_accept read it, except for the tables. */
struct stream_form {
    const struct framing *framing;
    const struct byte_layer *layer;
    const void *layer_config; /* as the layer says; plain: NULL */
};

struct stream_ops {
    /* Open: connected, and with TLS: handshake done, peer verified. Not called for a stream that is accepted open
     * (plain). */
    void (*ready)(struct stream *stream);
    /* One whole message without the framing's header; writable, borrowed until the return. */
    void (*frame)(struct stream *stream, uint8_t *message, size_t len);
    /* Bytes came, and the last message that they belong to is not whole yet. NULL: not reported. */
    void (*partial)(struct stream *stream);
    /* The peer sent FIN (or close_notify) and nothing more will come; we can still send. NULL: the stream closes itself
     * with ERROR_CLOSED. */
    void (*ended)(struct stream *stream);
    /* The kernel has taken the rest of a flush: stream_drained again. NULL: not reported. */
    void (*drained)(struct stream *stream);
    /* The end, called once, asynchronously, when the handle is gone: the owner may free it now. `reason` is what was
     * given to stream_close, or what failed: -ECONNREFUSED, -ETIMEDOUT, -ECONNRESET, ERROR_CLOSED (the peer ended it;
     * `clean_end` tells whether with close_notify), ERROR_TLS_..., -ENOMEM. No other call comes after the stream began
     * to close. */
    void (*closed)(struct stream *stream, int reason);
};

enum stream_state { STREAM_UNUSED, STREAM_CONNECTING, STREAM_HANDSHAKE, STREAM_OPEN, STREAM_CLOSING };

struct stream {
    uv_tcp_t tcp;
    union { /* connecting is over before anything is written */
        uv_connect_t connect;
        uv_write_t write;
    };
    struct loop *loop;
    const struct stream_ops *ops;
    const struct framing *framing;
    const struct byte_layer *layer;
    void *layer_state; /* the layer's own */
    enum stream_state state;
    int reason;
    bool writing;       /* `write` is under way with the bytes of `out_writing` */
    bool paused;        /* does not read */
    bool ended;         /* the peer's FIN or close_notify was seen */
    bool clean_end;     /* it was close_notify */
    bool end_told;      /* `ended` was called */
    bool acknowledge;   /* stream_acknowledge was called during this read */
    struct buffer in;   /* a partial unit, or units not delivered because of a pause */
    struct buffer out;  /* clear units, appended and not yet packed by the layer */
    struct buffer wire; /* output of the layer, not yet given to the kernel; of a plain stream always empty */
    struct buffer out_writing;
    uint64_t connected_ms;      /* of ours: when TCP was, 0: not yet */
    uint64_t received;          /* bytes read from the network so far: progress, even when no frame is whole */
    struct loop_flush turn_end; /* added while there is something to do before the loop sleeps */
};

/* Starts connecting to `to` (from `source` if not NULL). 0: `closed` will be called, even when the system refuses at
 * once (-ENETUNREACH). Negative (no descriptor, no memory, no such source): nothing was started and `closed` will not
 * be called. */
int stream_connect(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                   const struct stream_form *form, const struct addr *to, const struct addr *source) MUST_CHECK;
/* Accepts one client from a listening handle and starts to read. As stream_connect. */
int stream_accept(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                  const struct stream_form *form, uv_stream_t *listener) MUST_CHECK;

/* Room for one message of at most `cap` bytes (its header is kept in front); write into it, then commit the true
 * length, with no other call on this stream between. Before the stream is open frames wait. NULL when memory is gone or
 * the stream is closing. */
uint8_t *stream_reserve(struct stream *stream, size_t cap) MUST_CHECK;
void stream_commit(struct stream *stream, size_t len);

/* Bytes appended and not yet taken by the kernel. */
size_t stream_unsent(const struct stream *stream);
/* True when all earlier output is with the kernel: a flush now would put new frames on the wire at once. */
static inline bool stream_drained(const struct stream *stream)
{
    return stream->state == STREAM_OPEN && !stream->writing;
}
/* Packs what was appended (with TLS: a record for each message) and writes it: one system call. Nothing to do, or the
 * last write is still under way: nothing happens. A failure closes the stream (asynchronously). */
void stream_flush(struct stream *stream);

/* Stops reading and delivering (also from within `frame`: further frames of the same read are kept); resumes,
 * delivering kept frames before the loop sleeps, not from within this call. On a stream that is not open nothing
 * happens. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* From within `frame`: what was read is acknowledged to the peer as soon as all of it is delivered. A peer with Nagle's
 * algorithm sends no small segment before. */
void stream_acknowledge(struct stream *stream);

/* Begins the end, from within any callback too: what is unsent, and close_notify with TLS, is sent as far as the kernel
 * takes it at once, then the handle closes. `reset` sends RST instead. Calling it again does nothing. */
void stream_close(struct stream *stream, int reason);
void stream_reset(struct stream *stream, int reason);

/* After `ready`: true with the facts of the handshake; false: the layer has none. */
bool stream_facts(struct stream *stream, struct tls_facts *out);
/* The peer acknowledges nothing: the kernel has sent bytes of ours again, and in vain so far (TCP_INFO). */
bool stream_unacknowledged(const struct stream *stream);
/* A partial frame is waiting for its rest. */
bool stream_mid_frame(const struct stream *stream);
/* The address of the other end; of an accepted stream's own end with `local`. 0 or negative. */
int stream_peer(const struct stream *stream, struct addr *out, bool local) MUST_CHECK;

#endif
