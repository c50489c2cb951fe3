/* SPDX-License-Identifier: MIT */
/* The byte layers. layer_state is a struct tls with TLS, else NULL.
 *
 * Invariant: a TLS record holds no more than one unit of the framing. Some servers read only the first message of a
 * record. */
#include "stream_private.h"

#include <assert.h>
#include <errno.h>
#include "net/stream.h"
#include "net/tls.h"

/* --- plain --- */

static int plain_pack(struct stream *stream, struct buffer **ready)
{
    *ready = &stream->out;
    return 0;
}

const struct byte_layer byte_layer_plain = {.name = "plain", .take = stream_take_clear, .pack = plain_pack};

/* --- TLS --- */

static int client_start(struct stream *stream, const void *config)
{
    stream->layer_state = tls_new(config, &stream->wire);
    return stream->layer_state ? 0 : -ENOMEM;
}

static void layer_stop(struct stream *stream)
{
    tls_free(stream->layer_state);
    stream->layer_state = NULL;
}

static int layer_handshake(struct stream *stream)
{
    return tls_handshake(stream->layer_state);
}

static void read_clear(struct stream *stream)
{
    uint8_t *clear = stream->loop->clear_scratch;
    int count = -EAGAIN;
    while (stream->state == STREAM_OPEN && (count = tls_read(stream->layer_state, clear, LOOP_SCRATCH)) > 0)
        stream_take_clear(stream, clear, (size_t)count);
    if (stream->state != STREAM_OPEN)
        return;
    if (count == 0)
        stream_take_end(stream, true);
    else if (count != -EAGAIN)
        stream_fail(stream, count);
    else if (stream->wire.len > 0)
        stream_work_at_turn_end(stream); /* sends the end of our handshake, or the answer to a key update */
}

static void layer_take(struct stream *stream, uint8_t *data, size_t len)
{
    tls_input(stream->layer_state, (struct bytes){data, len});
    if (stream->state == STREAM_HANDSHAKE)
        stream_shake_hands(stream);
    if (stream->state == STREAM_OPEN)
        read_clear(stream);
}

static int layer_pack(struct stream *stream, struct buffer **ready)
{
    struct buffer *out = &stream->out;
    int result = 0;
    *ready = &stream->wire;
    if (stream->state != STREAM_OPEN || out->len == 0)
        return 0;
    while (result == 0 && out->len > 0) {
        size_t unit = stream->framing->unit(buffer_bytes(out));
        assert(unit <= out->len); /* `out` holds only whole messages */
        result = tls_write(stream->layer_state, out->data + out->start, unit);
        buffer_consume(out, unit);
    }
    stream_trim(out);
    return result;
}

static void layer_bye(struct stream *stream)
{
    tls_bye(stream->layer_state);
}

static bool layer_facts(struct stream *stream, struct tls_facts *out)
{
    tls_get_facts(stream->layer_state, out);
    return true;
}

const struct byte_layer byte_layer_tls_client = {
    .name = "TLS client",
    .start = client_start,
    .stop = layer_stop,
    .handshake = layer_handshake,
    .take = layer_take,
    .pack = layer_pack,
    .bye = layer_bye,
    .facts = layer_facts,
};
