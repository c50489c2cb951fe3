/* SPDX-License-Identifier: MIT */
/* The states of a connection, and its output.
 *
 * CONNECTING -> HANDSHAKE   connected, and the byte layer has a handshake (an accepted stream begins here)
 * CONNECTING -> OPEN        connected, and the byte layer has no handshake (an accepted stream begins here)
 * HANDSHAKE  -> OPEN        handshake done and peer verified
 * PREFIX     -> HANDSHAKE or OPEN, by the byte layer, when the prefix of an accepted stream is complete
 * any        -> CLOSING     stream_close, stream_reset or a failure; always through begin_close
 * CLOSING    -> UNUSED      the handle is closed; `closed` is called
 *
 * Invariants: buffers are freed in on_closed, not in CLOSING, because the close may come from within a callback
 * that still uses them. While `writing`, out_writing must not change, and nothing else is written. Clear bytes are
 * packed only when no packed bytes are left, so packed bytes of at most one flush are buffered. */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/errors.h"
#include "net/socket.h"
#include "stream_private.h"

/* The block of an empty buffer is freed if it is larger than this (a hundred queries), because most connections are
 * idle most of the time. */
#define BUFFER_KEPT 16384
/* An outgoing connection ends when the peer has acknowledged neither data nor keepalive probes for this time. */
#define USER_TIMEOUT_MS      4000
#define KEEPALIVE_IDLE_S     15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES     3

void stream_trim(struct buffer *buffer)
{
    if (buffer->len == 0 && buffer->cap > BUFFER_KEPT)
        buffer_free(buffer);
}

static bool is_live(const struct stream *stream)
{
    return stream->state == STREAM_HANDSHAKE || stream->state == STREAM_OPEN;
}

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = container_of((uv_tcp_t *)handle, struct stream, tcp);
    if (stream->layer->stop)
        stream->layer->stop(stream);
    buffer_free(&stream->in);
    buffer_free(&stream->out);
    buffer_free(&stream->wire);
    buffer_free(&stream->out_writing);
    stream->state = STREAM_UNUSED;
    stream->ops->closed(stream, stream->reason);
}

static void begin_close(struct stream *stream, int reason, bool reset)
{
    stream->state = STREAM_CLOSING;
    stream->reason = reason;
    loop_remove_flush(&stream->turn_end);
    if (!reset || uv_tcp_close_reset(&stream->tcp, on_closed) < 0)
        uv_close((uv_handle_t *)&stream->tcp, on_closed);
}

static bool is_ending(const struct stream *stream)
{
    return stream->state == STREAM_CLOSING || stream->state == STREAM_UNUSED;
}

/* Sends as much as the kernel accepts at once; nothing while an earlier write is in progress. */
static void send_last(struct stream *stream, const struct buffer *bytes)
{
    if (bytes->len == 0)
        return;
    uv_buf_t last = uv_buf_init((char *)bytes->data + bytes->start, (unsigned)bytes->len);
    (void)uv_try_write((uv_stream_t *)&stream->tcp, &last, 1);
}

static void say_goodbye(struct stream *stream)
{
    struct buffer *ready;
    if (stream->state != STREAM_OPEN)
        return;
    if (stream->layer->pack(stream, &ready) == 0 && stream->layer->bye)
        stream->layer->bye(stream);
    send_last(stream, ready);
}

void stream_close(struct stream *stream, int reason)
{
    if (is_ending(stream))
        return;
    say_goodbye(stream);
    begin_close(stream, reason, false);
}

void stream_reset(struct stream *stream, int reason)
{
    if (!is_ending(stream))
        begin_close(stream, reason, true);
}

void stream_fail(struct stream *stream, int reason)
{
    if (is_ending(stream))
        return;
    if (is_live(stream))
        send_last(stream, &stream->wire); /* an alert */
    begin_close(stream, reason, false);
}

/* --- output --- */

static void on_written(uv_write_t *write, int status);

/* Writes as much as the kernel accepts. The rest goes to out_writing and one uv_write. */
static int write_bytes(struct stream *stream, struct buffer *bytes)
{
    uv_stream_t *tcp = (uv_stream_t *)&stream->tcp;
    uv_buf_t chunk = uv_buf_init((char *)bytes->data + bytes->start, (unsigned)bytes->len);
    int sent = uv_try_write(tcp, &chunk, 1);
    if (sent < 0 && sent != UV_EAGAIN)
        return sent;
    buffer_consume(bytes, sent > 0 ? (size_t)sent : 0);
    if (bytes->len == 0) {
        stream_trim(bytes);
        return 0;
    }
    struct buffer emptied = stream->out_writing;
    stream->out_writing = *bytes;
    *bytes = emptied;
    chunk =
        uv_buf_init((char *)stream->out_writing.data + stream->out_writing.start, (unsigned)stream->out_writing.len);
    int status = uv_write(&stream->write, tcp, &chunk, 1, on_written);
    stream->writing = status == 0;
    return status;
}

void stream_flush(struct stream *stream)
{
    struct buffer *ready;
    if (!is_live(stream) || stream->writing)
        return;
    int result = stream->layer->pack(stream, &ready);
    if (result == 0 && ready->len > 0)
        result = write_bytes(stream, ready);
    if (result < 0)
        stream_fail(stream, result);
}

static void on_written(uv_write_t *write, int status)
{
    struct stream *stream = container_of(write, struct stream, write);
    stream->writing = false;
    if (is_ending(stream))
        return;
    if (status < 0) {
        stream_fail(stream, status);
        return;
    }
    buffer_consume(&stream->out_writing, stream->out_writing.len);
    stream_trim(&stream->out_writing);
    stream_work_at_turn_end(stream);
    if (stream->state == STREAM_OPEN && stream->ops->drained)
        stream->ops->drained(stream);
}

uint8_t *stream_reserve(struct stream *stream, size_t cap)
{
    const struct framing *framing = stream->framing;
    assert(cap <= framing->max);
    uint8_t *room = is_ending(stream) ? NULL : buffer_reserve(&stream->out, framing->header + cap);
    return room ? room + framing->header : NULL;
}

void stream_commit(struct stream *stream, size_t len)
{
    const struct framing *framing = stream->framing;
    assert(len <= framing->max);
    if (framing->seal)
        framing->seal(stream->out.data + stream->out.start + stream->out.len, len);
    buffer_commit(&stream->out, framing->header + len);
}

size_t stream_unsent(const struct stream *stream)
{
    return stream->out.len + stream->wire.len + uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp);
}

/* --- before the loop sleeps --- */

/* Runs after the owner's hook: the rest of the handshake and the bytes that the owner appended leave in one write. */
static void turn_end(struct loop_flush *hook)
{
    struct stream *stream = container_of(hook, struct stream, turn_end);
    stream_go_on_reading(stream);
    stream_flush(stream);
}

void stream_work_at_turn_end(struct stream *stream)
{
    loop_add_flush(stream->loop, &stream->turn_end);
}

/* --- start --- */

static void set_option(int fd, int level, int option, int value)
{
    /* The connection also works without these options, only less well. */
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

/* The descriptor or a negative errno. */
static int outgoing_socket(const struct addr *to, const struct addr *source, const struct stream_form *form)
{
    int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    int error = 0;
    if (form->interface &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, form->interface, (socklen_t)strlen(form->interface)) < 0)
        error = -errno;
    if (error == 0 && form->mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &form->mark, sizeof form->mark) < 0)
        error = -errno; /* without its mark a packet might take another route */
    if (error < 0)
        goto fail;
    if (!source)
        return fd;
    /* The kernel chooses the port when it knows the destination. */
    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    struct addr from;
    error = addr_resolve(&from, source);
    if (error == 0 && bind(fd, &from.sa, addr_len(&from)) < 0)
        error = -errno;
    if (error == 0)
        return fd;
fail:
    close(fd);
    return error;
}

static void stream_init(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                        const struct stream_form *form)
{
    *stream = (struct stream){.loop = loop,
                              .ops = ops,
                              .framing = form->framing,
                              .layer = form->layer,
                              .turn_end = {.last = true, .flush = turn_end}};
}

static void open_handle(struct stream *stream)
{
    int status = uv_tcp_init(&stream->loop->uv, &stream->tcp);
    assert(status == 0); /* cannot fail: it does not create a socket yet */
}

static int layer_start(struct stream *stream, const struct stream_form *form)
{
    return form->layer->start ? form->layer->start(stream, form->layer_config) : 0;
}

void stream_shake_hands(struct stream *stream)
{
    int result = stream->layer->handshake(stream);
    if (result == -EAGAIN) {
        stream_flush(stream);
    } else if (result < 0) {
        stream_fail(stream, result);
    } else {
        stream->state = STREAM_OPEN;
        stream->ops->ready(stream);
    }
}

void stream_begin(struct stream *stream)
{
    stream->state = stream->layer->handshake ? STREAM_HANDSHAKE : STREAM_OPEN;
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct stream *stream = container_of(connect, struct stream, connect);
    if (is_ending(stream))
        return;
    if (status < 0) {
        stream_fail(stream, status);
        return;
    }
    stream->connected_ms = loop_now(stream->loop);
    stream_begin(stream);
    stream_start_reading(stream);
    if (stream->state == STREAM_HANDSHAKE)
        stream_shake_hands(stream);
    else if (stream->state == STREAM_OPEN)
        stream->ops->ready(stream);
}

int stream_connect(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                   const struct stream_form *form, const struct addr *to, const struct addr *source)
{
    struct addr peer;
    int fd = addr_resolve(&peer, to);
    if (fd == 0)
        fd = outgoing_socket(&peer, source, form);
    if (fd < 0)
        return fd;
    stream_init(stream, loop, ops, form);
    int status = layer_start(stream, form);
    if (status < 0) {
        close(fd);
        return status;
    }
    open_handle(stream);
    stream->state = STREAM_CONNECTING;
    status = uv_tcp_open(&stream->tcp, fd);
    if (status < 0)
        close(fd);
    else
        status = uv_tcp_connect(&stream->connect, &stream->tcp, &peer.sa, on_connected);
    if (status < 0)
        stream_fail(stream, status);
    return 0;
}

int stream_connect_path(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                        const struct stream_form *form, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path)
        return -ENAMETOOLONG;
    memcpy(to.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    assert(!form->layer->handshake);
    stream_init(stream, loop, ops, form);
    open_handle(stream);
    int status = connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ? -errno : uv_tcp_open(&stream->tcp, fd);
    stream->state = STREAM_OPEN;
    if (status < 0) {
        close(fd);
        stream_fail(stream, status);
        return 0;
    }
    stream->connected_ms = loop_now(loop);
    stream_start_reading(stream);
    return 0;
}

void stream_accept(struct stream *stream, struct loop *loop, const struct stream_ops *ops,
                   const struct stream_form *form, uv_stream_t *listener)
{
    stream_init(stream, loop, ops, form);
    open_handle(stream);
    stream_begin(stream);
    if (form->prefixed)
        stream->state = STREAM_PREFIX;
    int status = uv_accept(listener, (uv_stream_t *)&stream->tcp);
    if (status == 0)
        status = layer_start(stream, form);
    if (status < 0) {
        stream->state = STREAM_CONNECTING; /* there is no layer that could write */
        stream_fail(stream, status);
        return;
    }
    (void)uv_tcp_nodelay(&stream->tcp, 1);
    stream_start_reading(stream);
}

/* --- facts --- */

bool stream_facts(struct stream *stream, struct tls_facts *out)
{
    return stream->state == STREAM_OPEN && stream->layer->facts && stream->layer->facts(stream, out);
}

int stream_peer(const struct stream *stream, struct addr *out, bool local)
{
    struct sockaddr_storage name;
    int len = sizeof name;
    int status = local ? uv_tcp_getsockname(&stream->tcp, (struct sockaddr *)&name, &len)
                       : uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&name, &len);
    return status < 0 ? status : addr_from_sockaddr(out, (const struct sockaddr *)&name);
}

unsigned stream_interface(const struct stream *stream, sa_family_t family)
{
    uv_os_fd_t fd;
    return uv_fileno((const uv_handle_t *)&stream->tcp, &fd) < 0 ? 0 : socket_interface(fd, family);
}

bool stream_unacknowledged(const struct stream *stream)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&stream->tcp, &fd) < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    return info.tcpi_unacked > 0 &&
           info.tcpi_retransmits > 0; /* bytes sent a moment ago cannot have been acknowledged yet */
}
