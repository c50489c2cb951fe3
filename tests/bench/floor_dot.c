/* SPDX-License-Identifier: MIT */
/* The least that a forwarder from UDP to DNS-over-TLS on libuv and GnuTLS must do: no cache, no checks, one session that is
 * never replaced. A turn of the loop makes at most one recvmmsg and one recv; it sends the queries with one TLS record
 * each in one send, and the responses in one sendmmsg.
 *
 *     floor_dot PORT UPSTREAM_PORT CA_FILE
 *
 * Invariants: clients[id] is the client whose query went upstream with this id; ids are reused after 65,536 others.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>
#include "tls.h"

enum { BATCH = 64, ROOM = 2048, PLAIN = 1 << 17, RECORD = 16384 };

static struct {
    struct sockaddr_in address;
    uint16_t id;
} clients[65536];
static uint16_t next_id;
static int udp_fd;
static struct tls tls;
static uint8_t queries[BATCH * (2 + ROOM)];
static size_t queries_len;

static void must(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "floor_dot: %s\n", what);
        exit(1);
    }
}

static void udp_readable(uv_poll_t *poll, int status, int events)
{
    static uint8_t rooms[BATCH][ROOM];
    static struct sockaddr_in peers[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    (void)poll;
    (void)status;
    (void)events;
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){rooms[i], ROOM};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(udp_fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        uint8_t *frame = queries + queries_len;
        uint16_t id = next_id++;
        unsigned len = messages[i].msg_len;
        clients[id].address = peers[i];
        memcpy(&clients[id].id, rooms[i], 2);
        frame[0] = (uint8_t)(len >> 8);
        frame[1] = (uint8_t)len;
        memcpy(frame + 2, rooms[i], len);
        memcpy(frame + 2, &id, 2);
        queries_len += 2 + len;
    }
}

static void reply(uint8_t *frames[], int count)
{
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    for (int i = 0; i < count; i++) {
        uint16_t id;
        uint8_t *message = frames[i] + 2;
        memcpy(&id, message, 2);
        memcpy(message, &clients[id].id, 2);
        parts[i] = (struct iovec){message, (size_t)(frames[i][0] << 8 | frames[i][1])};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &clients[id].address,
                                              .msg_namelen = sizeof clients[id].address,
                                              .msg_iov = &parts[i],
                                              .msg_iovlen = 1};
    }
    for (int sent = 0, done; sent < count; sent += done) {
        if ((done = sendmmsg(udp_fd, messages + sent, (unsigned)(count - sent), 0)) <= 0)
            done = 1;
    }
}

/* Sends the whole frames among plain[0..len) to their clients; returns their length. */
static size_t deliver(uint8_t *plain, size_t len)
{
    uint8_t *frames[BATCH];
    size_t at = 0;
    int count = 0;
    while (len - at >= 2) {
        size_t frame = 2 + (size_t)(plain[at] << 8 | plain[at + 1]);
        if (len - at < frame)
            break;
        frames[count++] = plain + at;
        at += frame;
        if (count == BATCH) {
            reply(frames, count);
            count = 0;
        }
    }
    reply(frames, count);
    return at;
}

static void session_readable(uv_poll_t *poll, int status, int events)
{
    static uint8_t plain[PLAIN];
    static size_t len;
    ssize_t got = 0;
    (void)poll;
    (void)status;
    (void)events;
    must(tls_receive(&tls) == 0, "the session is over");
    do {
        while (PLAIN - len >= RECORD && (got = tls_read(&tls, plain + len, PLAIN - len)) > 0)
            len += (size_t)got;
        must(got >= 0, "the session is over");
        size_t done = deliver(plain, len);
        len -= done;
        memmove(plain, plain + done, len);
    } while (got > 0);
}

static void flush(uv_prepare_t *prepare)
{
    (void)prepare;
    for (size_t at = 0, frame; at < queries_len; at += frame) {
        frame = 2 + (size_t)(queries[at] << 8 | queries[at + 1]);
        must(tls_write(&tls, queries + at, frame) == 0, "the session is over");
    }
    queries_len = 0;
    while (tls_flush(&tls) == 1)
        (void)poll(&(struct pollfd){tls.fd, POLLOUT, 0}, 1, -1);
}

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void listen_on(const char *port)
{
    struct sockaddr_in address = loopback(port);
    int size = 4 << 20;
    udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(udp_fd >= 0 && bind(udp_fd, (struct sockaddr *)&address, sizeof address) == 0, "cannot listen");
    (void)setsockopt(udp_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static void connect_to(const char *port, const char *ca_file)
{
    static const char name[] = "dns.google";
    struct sockaddr_in address = loopback(port);
    gnutls_certificate_credentials_t credentials;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
    must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "cannot connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    must(gnutls_certificate_allocate_credentials(&credentials) == 0, "no memory");
    must(gnutls_certificate_set_x509_trust_file(credentials, ca_file, GNUTLS_X509_FMT_PEM) == 1, "no CA file");
    must(tls_init(&tls, fd, GNUTLS_CLIENT, credentials, TLS_DOT) == 0, "no session");
    must(gnutls_server_name_set(tls.session, GNUTLS_NAME_DNS, name, strlen(name)) == 0, "no session");
    gnutls_session_set_verify_cert(tls.session, name, 0);
    while ((status = gnutls_handshake(tls.session)) != 0) {
        must(!gnutls_error_is_fatal(status), "the handshake failed");
        while (tls_flush(&tls) == 1)
            (void)poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
        (void)poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1);
        must(tls_receive(&tls) == 0, "the handshake failed");
    }
}

int main(int argc, char **argv)
{
    uv_poll_t udp, session;
    uv_prepare_t prepare;
    uv_loop_t *loop = uv_default_loop();
    if (argc != 4) {
        fputs("usage: floor_dot PORT UPSTREAM_PORT CA_FILE\n", stderr);
        return 2;
    }
    listen_on(argv[1]);
    connect_to(argv[2], argv[3]);
    must(uv_poll_init(loop, &udp, udp_fd) == 0 && uv_poll_init(loop, &session, tls.fd) == 0 &&
             uv_prepare_init(loop, &prepare) == 0,
         "no loop");
    must(uv_poll_start(&udp, UV_READABLE, udp_readable) == 0 &&
             uv_poll_start(&session, UV_READABLE, session_readable) == 0 && uv_prepare_start(&prepare, flush) == 0,
         "no loop");
    return uv_run(loop, UV_RUN_DEFAULT);
}
