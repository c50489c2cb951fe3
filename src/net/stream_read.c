/* SPDX-License-Identifier: MIT */
/* A connection's input: octets in, whole messages out.
 *
 * Invariants: messages are delivered in the order of arrival, from the scratch where they are whole in it.
 * `in` holds part of one message, or, while paused and until stream_go_on_reading, all that came behind the
 * pause; nothing is read then, so that it holds at most a partial message and what one read can give. No
 * message is delivered once the stream is closing: each callback may close or pause it, and what it needs is
 * asked again after each. */
#include "net/stream.h"

#include <errno.h>
#include "base/errors.h"
#include "stream_private.h"

static bool may_deliver(const struct stream *stream)
{
    return stream->state == STREAM_OPEN && !stream->paused;
}

/* How many octets more make the first frame, or its prefix, whole; 0: the frame is. */
static size_t frame_lacks(struct bytes bytes)
{
    if (bytes.len < 2)
        return 2 - bytes.len;
    size_t size = 2 + (size_t)read_u16(bytes.data);
    return bytes.len < size ? size - bytes.len : 0;
}

bool stream_mid_frame(const struct stream *stream)
{
    return stream->in.len > 0 && frame_lacks(buffer_bytes(&stream->in)) > 0;
}

/* Delivers the whole frames at the front; gives the number of octets they took. */
static size_t deliver(struct stream *stream, uint8_t *data, size_t len)
{
    size_t at = 0;
    while (may_deliver(stream) && frame_lacks((struct bytes){data + at, len - at}) == 0) {
        uint8_t *message = data + at + 2;
        size_t size = read_u16(data + at);
        at += 2 + size;
        stream->ops->frame(stream, message, size);
    }
    return at;
}

static void deliver_kept(struct stream *stream)
{
    if (stream->in.len == 0)
        return;
    buffer_consume(&stream->in, deliver(stream, stream->in.data + stream->in.start, stream->in.len));
    stream_trim(&stream->in);
}

static void keep(struct stream *stream, const uint8_t *data, size_t len)
{
    int result = buffer_append(&stream->in, data, len);
    if (result < 0)
        stream_fail(stream, result);
}

/* Adds to the partial frame what it lacks and no more; gives the number of octets used. */
static size_t complete_partial(struct stream *stream, const uint8_t *data, size_t len)
{
    size_t used = 0, lacks;
    while (used < len && (lacks = frame_lacks(buffer_bytes(&stream->in))) > 0) {
        size_t part = lacks < len - used ? lacks : len - used;
        keep(stream, data + used, part);
        used += part;
    }
    return used;
}

static void take_clear(struct stream *stream, uint8_t *data, size_t len)
{
    size_t used = 0;
    if (stream->in.len > 0 && may_deliver(stream)) {
        used = complete_partial(stream, data, len);
        deliver_kept(stream);
    }
    if (stream->in.len == 0)
        used += deliver(stream, data + used, len - used);
    keep(stream, data + used, len - used);
    if (may_deliver(stream) && stream->in.len > 0 && stream->ops->partial)
        stream->ops->partial(stream);
}

/* --- the peer's end --- */

static void tell_end(struct stream *stream)
{
    if (stream->end_told)
        return;
    stream->end_told = true;
    if (stream->ops->ended)
        stream->ops->ended(stream);
    else
        stream_close(stream, ERROR_CLOSED);
}

static void take_end(struct stream *stream, bool clean)
{
    stream->ended = true;
    stream->clean_end = clean;
    uv_read_stop((uv_stream_t *)&stream->tcp);
    if (may_deliver(stream))
        tell_end(stream);
}

/* --- reading --- */

static void read_clear(struct stream *stream)
{
    uint8_t *clear = stream->loop->clear_scratch;
    int count = -EAGAIN;
    while (stream->state == STREAM_OPEN && (count = tls_read(stream->tls, clear, LOOP_SCRATCH)) > 0)
        take_clear(stream, clear, (size_t)count);
    if (stream->state != STREAM_OPEN)
        return;
    if (count == 0)
        take_end(stream, true);
    else if (count != -EAGAIN)
        stream_fail(stream, count);
    else if (tls_output(stream->tls)->len > 0)
        stream_work_at_turn_end(stream); /* the end of our handshake, the answer to a key update */
}

static void take_ciphertext(struct stream *stream, const uint8_t *data, size_t len)
{
    tls_input(stream->tls, (struct bytes){data, len});
    if (stream->state == STREAM_HANDSHAKE)
        stream_shake_hands(stream);
    if (stream->state == STREAM_OPEN)
        read_clear(stream);
}

static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct stream *stream = container_of((uv_tcp_t *)handle, struct stream, tcp);
    (void)suggested;
    *out = uv_buf_init((char *)stream->loop->read_scratch, LOOP_SCRATCH);
}

static void on_read(uv_stream_t *tcp, ssize_t count, const uv_buf_t *buf)
{
    struct stream *stream = container_of((uv_tcp_t *)tcp, struct stream, tcp);
    if (count == UV_EOF && stream->state == STREAM_OPEN) {
        take_end(stream, false);
    } else if (count < 0) {
        stream_fail(stream, count == UV_EOF ? ERROR_CLOSED : (int)count);
    } else if (count > 0) {
        stream->received += (uint64_t)count;
        if (stream->tls)
            take_ciphertext(stream, (const uint8_t *)buf->base, (size_t)count);
        else
            take_clear(stream, (uint8_t *)buf->base, (size_t)count);
    }
}

void stream_start_reading(struct stream *stream)
{
    int status = uv_read_start((uv_stream_t *)&stream->tcp, on_room_wanted, on_read);
    if (status < 0 && status != UV_EALREADY)
        stream_fail(stream, status);
}

void stream_go_on_reading(struct stream *stream)
{
    deliver_kept(stream);
    if (!may_deliver(stream))
        return;
    if (stream->ended)
        tell_end(stream);
    else
        stream_start_reading(stream);
}

void stream_pause(struct stream *stream)
{
    if (stream->state != STREAM_OPEN)
        return;
    stream->paused = true;
    uv_read_stop((uv_stream_t *)&stream->tcp);
}

void stream_resume(struct stream *stream)
{
    if (stream->state != STREAM_OPEN || !stream->paused)
        return;
    stream->paused = false;
    stream_work_at_turn_end(stream);
}
