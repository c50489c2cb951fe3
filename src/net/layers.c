/* SPDX-License-Identifier: MIT */
/* The byte layers. layer_state is a struct tls_layer with TLS, else NULL.
 *
 * Invariants:
 *   - a TLS record holds no more than one unit of the framing. Some servers read only the first message of a record;
 *   - `turn` of a server is active while connections wait for their handshake. Such a connection is not read: the input
 *     of one read is kept, and the rest, with a FIN, stays in the kernel until its turn. */
#include "stream_private.h"

#include <assert.h>
#include <errno.h>
#include "base/mem.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/tls_server.h"

enum {
    TURN_NS = 500 * 1000, /* after this time no other handshake is continued in the same turn */
};

/* --- plain --- */

static int plain_pack(struct stream *stream, struct buffer **ready)
{
    *ready = &stream->out;
    return 0;
}

const struct byte_layer byte_layer_plain = {.name = "plain", .take = stream_take_clear, .pack = plain_pack};

/* --- TLS --- */

struct tls_layer {
    struct tls *tls;
    struct stream *stream;
    struct tls_handshakes *server; /* NULL: a client's side */
    struct list_link waiting;      /* in the server's list */
    struct buffer input;           /* of the handshake, not read yet */
};

static struct tls *tls_of(const struct stream *stream)
{
    return ((const struct tls_layer *)stream->layer_state)->tls;
}

/* Takes over `tls`, NULL when out of memory. */
static int layer_new(struct stream *stream, struct tls *tls)
{
    struct tls_layer *layer = tls ? mem_zalloc(1, sizeof *layer) : NULL;
    if (!layer) {
        tls_free(tls);
        return -ENOMEM;
    }
    layer->tls = tls;
    layer->stream = stream;
    stream->layer_state = layer;
    return 0;
}

static int client_start(struct stream *stream, const void *config)
{
    return layer_new(stream, tls_new(config, &stream->wire));
}

static void layer_stop(struct stream *stream)
{
    struct tls_layer *layer = stream->layer_state;
    if (!layer) /* it could not be started */
        return;
    list_remove(&layer->waiting);
    buffer_free(&layer->input);
    tls_free(layer->tls);
    mem_free(layer);
    stream->layer_state = NULL;
}

static int layer_handshake(struct stream *stream)
{
    return tls_handshake(tls_of(stream));
}

static void read_clear(struct stream *stream)
{
    uint8_t *clear = stream->loop->clear_scratch;
    int count = -EAGAIN;
    while (stream->state == STREAM_OPEN && (count = tls_read(tls_of(stream), clear, LOOP_SCRATCH)) > 0)
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
    tls_input(tls_of(stream), (struct bytes){data, len});
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
        result = tls_write(tls_of(stream), out->data + out->start, unit);
        buffer_consume(out, unit);
    }
    stream_trim(out);
    return result;
}

static void layer_bye(struct stream *stream)
{
    tls_bye(tls_of(stream));
}

static bool layer_facts(struct stream *stream, struct tls_facts *out)
{
    tls_get_facts(tls_of(stream), out);
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

/* --- TLS, the server's side --- */

static int server_start(struct stream *stream, const void *config)
{
    const struct tls_listener *listener = config;
    struct tls_handshakes *server = listener->server;
    if (!server->identity)
        return -ENOENT;
    int status = layer_new(stream, tls_new_server(server->identity, listener, &stream->wire));
    if (status == 0)
        ((struct tls_layer *)stream->layer_state)->server = server;
    return status;
}

/* Continues the handshake with the input that was read. */
static void take_kept(struct stream *stream)
{
    struct tls_layer *layer = stream->layer_state;
    struct buffer input = layer->input;
    layer->input = (struct buffer){.data = NULL};
    layer_take(stream, input.data + input.start, input.len);
    buffer_free(&input);
    if (stream->state == STREAM_HANDSHAKE)
        stream_start_reading(stream);
    stream_work_at_turn_end(stream); /* of an open stream it reads on, too */
}

static void server_turn(uv_idle_t *turn)
{
    struct tls_handshakes *server = container_of(turn, struct tls_handshakes, turn);
    uint64_t begun_ns = uv_hrtime();
    struct list_link *link;
    do {
        link = list_pop(&server->waiting);
        if (link)
            take_kept(container_of(link, struct tls_layer, waiting)->stream);
    } while (link && uv_hrtime() - begun_ns < TURN_NS);
    if (list_empty(&server->waiting))
        uv_idle_stop(&server->turn);
}

/* `handshake` is called for the first time when the client has sent something. */
static void server_take(struct stream *stream, uint8_t *data, size_t len)
{
    struct tls_layer *layer = stream->layer_state;
    if (stream->state != STREAM_HANDSHAKE) {
        layer_take(stream, data, len);
        return;
    }
    assert(!list_linked(&layer->waiting));
    int status = buffer_append(&layer->input, data, len);
    if (status < 0) {
        stream_fail(stream, status);
        return;
    }
    stream_stop_reading(stream);
    list_push_back(&layer->server->waiting, &layer->waiting);
    uv_idle_start(&layer->server->turn, server_turn);
}

const struct byte_layer byte_layer_tls_server = {
    .name = "TLS server",
    .start = server_start,
    .stop = layer_stop,
    .handshake = layer_handshake,
    .take = server_take,
    .pack = layer_pack,
    .bye = layer_bye,
    .facts = layer_facts,
};

void tls_handshakes_init(struct tls_handshakes *server, struct loop *loop)
{
    *server = (struct tls_handshakes){.identity = NULL};
    list_init(&server->waiting);
    (void)uv_idle_init(&loop->uv, &server->turn); /* cannot fail */
}

void tls_handshakes_use(struct tls_handshakes *server, struct tls_identity *identity)
{
    tls_identity_unref(server->identity);
    server->identity = identity;
}

void tls_handshakes_close(struct tls_handshakes *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->turn))
        uv_close((uv_handle_t *)&server->turn, NULL);
}
