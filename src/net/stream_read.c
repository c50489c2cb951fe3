/* SPDX-License-Identifier: MIT */
/* The input of a connection: splits the bytes into messages.
 *
 * Invariants: messages are delivered in the order of arrival, directly from the loop's scratch if they are whole in
 * it. `in` holds part of one message, or, from a pause until stream_go_on_reading, all data that followed; nothing
 * is read meanwhile, so it holds at most a partial message and the data of one read. No message is delivered once
 * the stream is closing: each callback may close or pause it, so the state is checked after each. */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include "base/errors.h"
#include "stream_private.h"

/* The most bytes of one read before the stream is open, which a layer may have to keep. */
#define FIRST_READ 8192

static bool may_deliver(const struct stream *stream)
{
    return stream->state == STREAM_OPEN && !stream->paused;
}

/* The number of bytes that complete the first unit, or the part of it that gives its length; 0: the unit is
 * complete. */
static size_t unit_lacks(const struct stream *stream, struct bytes bytes)
{
    size_t unit = stream->framing->unit(bytes);
    return unit > bytes.len ? unit - bytes.len : 0;
}

bool stream_mid_frame(const struct stream *stream)
{
    if (stream->state == STREAM_PREFIX)
        return stream->in.len > 0;
    return stream->in.len > 0 && unit_lacks(stream, buffer_bytes(&stream->in)) > 0;
}

/* Delivers the complete units at the front; returns the number of bytes delivered. */
static size_t deliver(struct stream *stream, uint8_t *data, size_t len)
{
    const size_t header = stream->framing->header;
    size_t at = 0;
    while (at < len && may_deliver(stream)) {
        size_t unit = stream->framing->unit((struct bytes){data + at, len - at});
        if (unit > len - at)
            break;
        uint8_t *message = data + at + header;
        at += unit;
        stream->ops->frame(stream, message, unit - header);
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

/* Appends at most the missing bytes to the partial unit; returns the number of bytes used. */
static size_t complete_partial(struct stream *stream, const uint8_t *data, size_t len)
{
    size_t used = 0, lacks;
    while (used < len && (lacks = unit_lacks(stream, buffer_bytes(&stream->in))) > 0) {
        size_t part = lacks < len - used ? lacks : len - used;
        keep(stream, data + used, part);
        used += part;
    }
    return used;
}

void stream_take_clear(struct stream *stream, uint8_t *data, size_t len)
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

/* --- the end of the peer's data --- */

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

void stream_take_end(struct stream *stream, bool clean)
{
    stream->ended = true;
    stream->clean_end = clean;
    stream_stop_reading(stream);
    if (may_deliver(stream))
        tell_end(stream);
}

/* --- reading --- */

static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct stream *stream = container_of((uv_tcp_t *)handle, struct stream, tcp);
    (void)suggested;
    *out = uv_buf_init((char *)stream->loop->read_scratch, stream->state == STREAM_OPEN ? LOOP_SCRATCH : FIRST_READ);
}

static void acknowledge(struct stream *stream)
{
    int fd, on = 1;
    stream->acknowledge = false;
    if (stream->state == STREAM_OPEN && uv_fileno((const uv_handle_t *)&stream->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on); /* otherwise the peer may delay the rest */
}

void stream_acknowledge(struct stream *stream)
{
    stream->acknowledge = true;
}

/* --- the prefix --- */

static void prefix_is_incomplete(struct stream *stream, const uint8_t *data, size_t len)
{
    if (stream->in.len == 0)
        keep(stream, data, len);
    if (stream->state == STREAM_PREFIX && stream->ops->partial)
        stream->ops->partial(stream);
}

static void take_prefix(struct stream *stream, uint8_t *data, size_t len)
{
    size_t kept = stream->in.len;
    if (kept > 0)
        keep(stream, data, len);
    if (stream->state != STREAM_PREFIX)
        return;
    int used = stream->ops->prefix(stream, kept > 0 ? buffer_bytes(&stream->in) : (struct bytes){data, len});
    if (used < 0)
        stream_fail(stream, used);
    if (stream->state != STREAM_PREFIX)
        return;
    if (used == 0) {
        prefix_is_incomplete(stream, data, len);
        return;
    }
    size_t last = (size_t)used - kept; /* bytes of this read: without them the prefix was incomplete */
    assert((size_t)used > kept && last <= len);
    buffer_free(&stream->in);
    stream_begin(stream);
    if (last < len)
        stream->layer->take(stream, data + last, len - last);
}

static void on_read(uv_stream_t *tcp, ssize_t count, const uv_buf_t *buf)
{
    struct stream *stream = container_of((uv_tcp_t *)tcp, struct stream, tcp);
    if (count == UV_EOF && stream->state == STREAM_OPEN) {
        stream_take_end(stream, false);
    } else if (count < 0) {
        stream_fail(stream, count == UV_EOF ? ERROR_CLOSED : (int)count);
    } else if (count > 0) {
        stream->received += (uint64_t)count;
        stream->unanswered += (size_t)count;
        if (stream->state == STREAM_PREFIX)
            take_prefix(stream, (uint8_t *)buf->base, (size_t)count);
        else
            stream->layer->take(stream, (uint8_t *)buf->base, (size_t)count);
        if (stream->unanswered > stream->unanswered_max && stream->unanswered_max)
            stream_fail(stream, ERROR_FLOOD);
        if (stream->acknowledge)
            acknowledge(stream);
    }
}

void stream_start_reading(struct stream *stream)
{
    int status = uv_read_start((uv_stream_t *)&stream->tcp, on_room_wanted, on_read);
    if (status < 0 && status != UV_EALREADY)
        stream_fail(stream, status);
}

void stream_stop_reading(struct stream *stream)
{
    uv_read_stop((uv_stream_t *)&stream->tcp);
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
    stream_stop_reading(stream);
}

void stream_resume(struct stream *stream)
{
    if (stream->state != STREAM_OPEN || !stream->paused)
        return;
    stream->paused = false;
    stream_work_at_turn_end(stream);
}
