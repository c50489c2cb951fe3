/* SPDX-License-Identifier: MIT */
/* A stream that receives pieces and is paused, resumed and closed at any place: it delivers exactly the frames that were
 * sent, each once, in order, none while paused and none after its end. Operations in the input:
 *
 *     0..199     send that many of the following bytes
 *     200..219   send a filler of 300 bytes for each above 199
 *     220..229   pause         230..239   resume
 *     240..249   half-close    250..252   send a response and flush
 *     253        reset         254, 255   close
 *
 * A message that begins with P pauses, R pauses and resumes, C closes the stream from within its callback. */
#include "net/stream.c"
#include "net/stream_read.c"

#include "fuzz.h"

#define FED_MAX (1u << 17)
#define FILLER  300

static struct loop loop;
static uint8_t fed[FED_MAX];

/* The operations so far, and the frames delivered. */
struct model {
    struct stream stream;
    int fd; /* of the peer */
    size_t fed, delivered;
    bool half_closed, ended, closing, closed;
};

static void check_frame(struct stream *stream, uint8_t *message, size_t len)
{
    struct model *model = container_of(stream, struct model, stream);
    MUST(!stream->paused && !model->closing && !model->ended);
    MUST(model->fed - model->delivered >= 2 + len);
    MUST(read_u16(fed + model->delivered) == len);
    MUST(memcmp(fed + model->delivered + 2, message, len) == 0);
    model->delivered += 2 + len;
    if (len == 0)
        return;
    uint8_t wish = message[0];
    memset(message, 'C', len); /* the owner may overwrite it */
    if (wish == 'P' || wish == 'R')
        stream_pause(stream);
    if (wish == 'R')
        stream_resume(stream);
    if (wish == 'C') {
        stream_close(stream, ERROR_IDLE);
        model->closing = true;
    }
}

static void check_end(struct stream *stream)
{
    struct model *model = container_of(stream, struct model, stream);
    MUST(model->half_closed && !model->ended && !model->closing && !stream->paused);
    model->ended = true;
}

static void check_closed(struct stream *stream, int reason)
{
    struct model *model = container_of(stream, struct model, stream);
    MUST(model->closing && !model->closed && reason == ERROR_IDLE);
    model->closed = true;
}

static const struct stream_ops checks = {.frame = check_frame, .ended = check_end, .closed = check_closed};

static void begin(struct model *model)
{
    static const struct stream_form form = {.framing = &framing_dns, .layer = &byte_layer_plain};
    int ends[2];
    *model = (struct model){0};
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    model->fd = ends[0];
    stream_init(&model->stream, &loop, &checks, &form);
    open_handle(&model->stream);
    model->stream.state = STREAM_OPEN;
    MUST(uv_tcp_open(&model->stream.tcp, ends[1]) == 0);
    stream_start_reading(&model->stream);
}

static void turn(void)
{
    loop.now_ms = 0;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

/* All sent frames were delivered, unless the stream was closed. */
static void check_progress(const struct model *model)
{
    size_t left = model->fed - model->delivered;
    const uint8_t *rest = fed + model->delivered;
    if (model->closing || model->stream.paused)
        return;
    MUST(left < 2 || left < 2 + (size_t)read_u16(rest));
    MUST(stream_mid_frame(&model->stream) == (left > 0));
    MUST(model->ended == model->half_closed);
}

static void feed(struct model *model, const uint8_t *data, size_t len)
{
    if (model->half_closed || model->fed + len > FED_MAX)
        return;
    ssize_t sent = send(model->fd, data, len, MSG_NOSIGNAL);
    if (sent <= 0)
        return;
    memcpy(fed + model->fed, data, (size_t)sent);
    model->fed += (size_t)sent;
}

static void answer(struct model *model)
{
    uint8_t *room = stream_reserve(&model->stream, 100);
    MUST((room == NULL) == model->closing);
    if (!room)
        return;
    memset(room, 0, 100);
    stream_commit(&model->stream, 100);
    stream_flush(&model->stream);
}

static void finish(struct model *model, bool reset)
{
    (reset ? stream_reset : stream_close)(&model->stream, ERROR_IDLE);
    model->closing = true;
}

/* Performs one operation; returns the number of bytes used. */
static size_t obey(struct model *model, const uint8_t *data, size_t size)
{
    static const uint8_t filler[20 * FILLER];
    uint8_t wish = data[0];
    size_t len = wish < size - 1 ? wish : size - 1;
    if (wish < 200) {
        feed(model, data + 1, len);
        return 1 + len;
    }
    if (wish < 220)
        feed(model, filler, (wish - 199u) * FILLER);
    else if (wish < 230)
        stream_pause(&model->stream);
    else if (wish < 240)
        stream_resume(&model->stream);
    else if (wish < 250)
        model->half_closed = model->half_closed || shutdown(model->fd, SHUT_WR) == 0;
    else if (wish < 253)
        answer(model);
    else
        finish(model, wish == 253);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model model;
    if (!loop.read_scratch)
        MUST(loop_init(&loop) == 0);
    begin(&model);
    while (size > 0 && !model.closed) {
        size_t took = obey(&model, data, size);
        data += took;
        size -= took;
        for (int i = 0; i < 3 && !model.closed; i++) /* an end is read one turn after a resume */
            turn();
        check_progress(&model);
    }
    if (!model.closed)
        finish(&model, false);
    while (!model.closed)
        turn();
    close(model.fd);
    return 0;
}
