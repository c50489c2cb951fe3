/* SPDX-License-Identifier: MIT */
/* Private declarations of the files of net/stream. */
#ifndef DOTSTUB_NET_STREAM_PRIVATE_H
#define DOTSTUB_NET_STREAM_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct stream;
struct tls_facts;

/* stream.c: closes a stream that failed. */
void stream_fail(struct stream *stream, int reason);
/* stream.c: continues the handshake; when it is done the stream is open, and `ready` was called. */
void stream_shake_hands(struct stream *stream);
/* stream.c: the connection is there, and its prefix is read: begins the handshake, or is open. */
void stream_begin(struct stream *stream);
/* stream.c: turn_end runs before the loop sleeps. */
void stream_work_at_turn_end(struct stream *stream);
/* stream.c: frees the block of an empty buffer if it is large. */
void stream_trim(struct buffer *buffer);

/* stream_read.c, called by the layer: clear bytes, writable until the return; the end of the peer's data, `clean`:
 * the peer announced it. */
void stream_take_clear(struct stream *stream, uint8_t *data, size_t len);
void stream_take_end(struct stream *stream, bool clean);
/* stream_read.c */
void stream_start_reading(struct stream *stream);
void stream_stop_reading(struct stream *stream);
/* stream_read.c: delivers the messages buffered during a pause and continues to read, unless paused again. */
void stream_go_on_reading(struct stream *stream);

/* A byte layer: encodes the bytes of a stream for its connection.
 *
 * Does:    converts clear bytes (`out`) to bytes for the kernel, and bytes from the kernel to clear bytes.
 * Owns:    stream->layer_state; no other file uses it.
 * Threads: the stream's.
 *
 * net/stream owns the connection, the buffers and the state; a layer is called only in STREAM_HANDSHAKE and
 * STREAM_OPEN (`stop`: at the end).
 */
struct byte_layer {
    const char *name;
    /* Makes the state; `config` is stream_form.layer_config. 0 or -ENOMEM. NULL: the layer has no state. */
    int (*start)(struct stream *stream, const void *config);
    void (*stop)(struct stream *stream);
    /* Continues the handshake: 0 when it is done AND the peer is verified; -EAGAIN: needs more input; else the
     * error. NULL: a stream is open as soon as it is connected. */
    int (*handshake)(struct stream *stream);
    /* Takes bytes that were read from the network. Passes clear bytes to stream_take_clear, the end of data to
     * stream_take_end. */
    void (*take)(struct stream *stream, uint8_t *data, size_t len);
    /* Encodes all of `out` for the kernel, if the stream is open. `*ready`, always set: the buffer to write next. 0
     * or an error. */
    int (*pack)(struct stream *stream, struct buffer **ready);
    /* Appends the message that announces the end of our data to `wire`. NULL: only FIN does. */
    void (*bye)(struct stream *stream);
    /* True with the facts of the handshake. NULL: there are none. */
    bool (*facts)(struct stream *stream, struct tls_facts *out);
};

#endif
