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

/* stream.c: it cannot go on. */
void stream_fail(struct stream *stream, int reason);
/* stream.c: goes on with the handshake; with its end the stream is open and `ready` was called. */
void stream_shake_hands(struct stream *stream);
/* stream.c: turn_end runs before the loop sleeps. */
void stream_work_at_turn_end(struct stream *stream);
/* stream.c: gives back the block of an emptied buffer if it is a large one. */
void stream_trim(struct buffer *buffer);

/* stream_read.c: from the layer: clear bytes, writable until the return; the peer's end, `clean`: it said so. */
void stream_take_clear(struct stream *stream, uint8_t *data, size_t len);
void stream_take_end(struct stream *stream, bool clean);
/* stream_read.c */
void stream_start_reading(struct stream *stream);
/* stream_read.c: delivers the messages that a pause left and continues to read, unless paused again. */
void stream_go_on_reading(struct stream *stream);

/* Byte layer: how the bytes of a stream go over its connection.
 *
 * Does:    turns clear bytes (`out`) into bytes for the kernel, and bytes from the kernel into clear bytes.
 * Owns:    stream->layer_state; no other file looks into it.
 * Threads: the stream's.
 *
 * net/stream owns the connection, the buffers and the state; a layer is called in STREAM_HANDSHAKE and STREAM_OPEN only
 * (`stop`: at the end).
 */
struct byte_layer {
    const char *name;
    /* Makes the state; `config` is stream_form.layer_config. 0 or -ENOMEM. NULL: the layer has no state. */
    int (*start)(struct stream *stream, const void *config);
    void (*stop)(struct stream *stream);
    /* Goes on with the handshake: 0 when it is done AND the peer is verified; -EAGAIN: needs more input; else the
     * reason. NULL: a stream is open as soon as it is connected. */
    int (*handshake)(struct stream *stream);
    /* Takes bytes that were read from the network. Gives clear bytes to stream_take_clear, an end to stream_take_end.
     * */
    void (*take)(struct stream *stream, uint8_t *data, size_t len);
    /* Makes all of `out` ready for the kernel, if the stream is open. `*ready`, set in any case: the buffer that the
     * kernel gets next. 0 or the reason. */
    int (*pack)(struct stream *stream, struct buffer **ready);
    /* Appends to `wire` the message that ends the peer's input. NULL: only the connection's end does. */
    void (*bye)(struct stream *stream);
    /* True with the facts of the handshake. NULL: there are none. */
    bool (*facts)(struct stream *stream, struct tls_facts *out);
};

#endif
