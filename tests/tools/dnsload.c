/* SPDX-License-Identifier: MIT */
/* A load generator for DNS over UDP, TCP, TLS and HTTPS that checks every response: id, Question section, rcode and A record. A query
 * is one datagram or one frame, sent once; queries without a response are counted. Datagrams are sent and received in
 * batches.
 *
 * Names come from a pattern with one %u, in turn or by Zipf's law; the expected address is computed from a hash of the
 * name, as in tests/integration/zone.py. At a given rate each query has a due time, and its latency is measured from
 * there, even if it was sent later. Prints one JSON object.
 *
 * Invariants: queries are sent in the order of their numbers, so they time out in that order too;
 * connection.waiting[id] is the number + 1 of the query that waits under this id; the sum of connection.pending is
 * sent - answered - silent.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../bench/h2.h"
#include "../bench/tls.h"
#include "names.h"
#include "options.h"
#include "query.h"

enum { LATE_NS = 5000000, FRAME_MAX = 65535 + 2, OUT_MAX = 1 << 20, BATCH = 64, DATAGRAM_MAX = 4096 };

static struct {
    uint32_t sent, answered, good, servfail, other_rcode, truncated, wrong, stray, silent, reconnects, stalls;
} totals;

struct connection {
    int fd; /* -1: closed */
    uint32_t pending;
    uint16_t next_id;
    uint32_t *waiting; /* by id */
    uint8_t *in, *out; /* frames; UDP: none come in */
    size_t in_len, out_len;
    struct tls tls; /* with options.tls */
    struct h2 *h2;  /* with options.https */
};

struct query {
    uint64_t sent_ns;
    uint32_t connection, name;
    uint16_t id;
    bool over;
};

static struct connection *connections;
static struct query *queries;
static uint32_t *latencies; /* in tenths of microseconds */
static uint32_t oldest;     /* all queries before this one are done */
static int epoll_fd;
static uint64_t start_ns, now_ns;

static void fail(const char *what)
{
    fprintf(stderr, "dnsload: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *need(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        fail("memory");
    return memory;
}

static void update_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void count_answer(const uint8_t *message, size_t len, size_t query_end, const char *name)
{
    unsigned rcode = message[3] & 15;
    totals.answered++;
    if (message[2] & 2)
        totals.truncated++;
    else if (rcode == 2)
        totals.servfail++;
    else if (rcode)
        totals.other_rcode++;
    else if (options.echo || query_answered_right(message, len, query_end, name))
        totals.good++;
    else
        totals.wrong++;
}

static void query_done(uint32_t number)
{
    struct query *query = &queries[number];
    struct connection *connection = &connections[query->connection];
    query->over = true;
    connection->waiting[query->id] = 0;
    connection->pending--;
}

static void take_answer(struct connection *connection, const uint8_t *message, size_t len)
{
    uint8_t asked[QUERY_MAX];
    char name[QUERY_NAME];
    if (len < QUERY_HEADER) {
        totals.wrong++;
        return;
    }
    uint16_t id = (uint16_t)(message[0] << 8 | message[1]);
    uint32_t number = connection->waiting[id];
    if (!number--) {
        totals.stray++;
        return;
    }
    name_put(name, options.pattern, options.first + queries[number].name);
    size_t end = query_put(asked, id, name, false);
    bool fits = len >= end && (options.echo || (message[2] & 0x80)) && !message[4] && message[5] == 1 &&
                memcmp(message + QUERY_HEADER, asked + QUERY_HEADER, end - QUERY_HEADER) == 0;
    if (!fits) {
        totals.wrong++;
        return;
    }
    latencies[totals.answered] = (uint32_t)((now_ns - queries[number].sent_ns) / 100);
    count_answer(message, len, end, name);
    query_done(number);
}

static void https_take_answer(void *context, int32_t stream, const uint8_t *message, size_t len)
{
    (void)stream;
    take_answer(context, message, len);
}

/* A handshake at once; the queries of other connections wait meanwhile. */
static void tls_open(struct connection *connection)
{
    static gnutls_certificate_credentials_t credentials;
    struct tls *tls = &connection->tls;
    if (!credentials && gnutls_certificate_allocate_credentials(&credentials) < 0)
        fail("credentials");
    if (tls_init(tls, connection->fd, GNUTLS_CLIENT, credentials, options.https ? TLS_H2 : TLS_DOT) < 0)
        fail("TLS");
    if (options.https && !(connection->h2 = h2_new("localhost", https_take_answer, connection)))
        fail("memory");
    for (int result; (result = gnutls_handshake(tls->session)) != 0;) {
        struct pollfd ready = {.fd = connection->fd, .events = POLLIN};
        errno = 0;
        if (gnutls_error_is_fatal(result))
            fail(gnutls_strerror(result));
        if (tls_flush(tls) < 0 || poll(&ready, 1, 10000) != 1 || tls_receive(tls) < 0)
            fail("the server ended the handshake");
    }
    if (tls_flush(tls) != 0)
        fail("handshake");
}

static void connection_open(struct connection *connection)
{
    int on = 1, size = 4 << 20;
    int fd = socket(options.server.ss_family, (options.tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    if (options.tcp)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    else
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (connect(fd, (struct sockaddr *)&options.server, options.server_len))
        fail("connect");
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        fail("epoll_ctl");
    connection->fd = fd;
    connection->in_len = connection->out_len = 0;
    if (options.tls)
        tls_open(connection);
}

/* The server closed the connection: its outstanding queries are lost, and the next query opens a new connection. */
static void connection_lost(struct connection *connection)
{
    h2_free(connection->h2);
    connection->h2 = NULL;
    if (options.tls)
        tls_fini(&connection->tls);
    else
        close(connection->fd);
    connection->fd = -1;
    totals.reconnects++;
    for (uint32_t number = oldest; number < totals.sent && connection->pending; number++) {
        if (!queries[number].over && &connections[queries[number].connection] == connection) {
            query_done(number);
            totals.silent++;
        }
    }
}

static void tcp_flush(struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->out, connection->out_len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        connection_lost(connection);
    } else if (sent > 0) {
        connection->out_len -= (size_t)sent;
        memmove(connection->out, connection->out + sent, connection->out_len);
    }
}

static void tcp_take_frames(struct connection *connection)
{
    size_t at = 0;
    while (connection->in_len - at >= 2) {
        size_t len = (size_t)(connection->in[at] << 8 | connection->in[at + 1]);
        if (connection->in_len - at - 2 < len)
            break;
        take_answer(connection, connection->in + at + 2, len);
        at += 2 + len;
    }
    connection->in_len -= at;
    memmove(connection->in, connection->in + at, connection->in_len);
}

static void tcp_readable(struct connection *connection)
{
    for (;;) {
        ssize_t got = recv(connection->fd, connection->in + connection->in_len, FRAME_MAX - connection->in_len, 0);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            connection_lost(connection);
            return;
        }
        connection->in_len += (size_t)got;
        update_now();
        tcp_take_frames(connection);
    }
}

/* One record for each query. */
static void tls_flush_queries(struct connection *connection)
{
    int status = 0;
    for (size_t at = 0; at < connection->out_len && status == 0;) {
        size_t len = 2 + (size_t)(connection->out[at] << 8 | connection->out[at + 1]);
        status = tls_write(&connection->tls, connection->out + at, len);
        at += len;
    }
    connection->out_len = 0;
    if (status < 0 || tls_flush(&connection->tls) < 0)
        connection_lost(connection);
}

/* Writes the frames of HTTP/2, in records as large as they may be. */
static int https_write(struct connection *connection)
{
    static uint8_t plain[1 << 16];
    const uint8_t *data;
    size_t len = 0;
    for (long got; (got = h2_output(connection->h2, &data)) != 0;) {
        if (got < 0)
            return -1;
        if (len + (size_t)got > sizeof plain) {
            if (tls_write(&connection->tls, plain, len))
                return -1;
            len = 0;
        }
        memcpy(plain + len, data, (size_t)got);
        len += (size_t)got;
    }
    return tls_write(&connection->tls, plain, len);
}

static void https_flush(struct connection *connection)
{
    for (size_t at = 0; at < connection->out_len;) {
        size_t len = (size_t)(connection->out[at] << 8 | connection->out[at + 1]);
        if (h2_ask(connection->h2, connection->out + at + 2, len) < 0)
            fail("request");
        at += 2 + len;
    }
    connection->out_len = 0;
    if (https_write(connection) < 0 || tls_flush(&connection->tls) < 0)
        connection_lost(connection);
}

static void https_readable(struct connection *connection)
{
    ssize_t got = tls_receive(&connection->tls);
    update_now();
    while (got >= 0 && (got = tls_read(&connection->tls, connection->in, FRAME_MAX)) > 0)
        if (h2_receive(connection->h2, connection->in, (size_t)got) < 0)
            got = -1;
    if (got < 0 || https_write(connection) < 0 || tls_flush(&connection->tls) < 0)
        connection_lost(connection);
}

static void tls_readable(struct connection *connection)
{
    ssize_t got = tls_receive(&connection->tls);
    update_now();
    while (got >= 0 && (got = tls_read(&connection->tls, connection->in + connection->in_len,
                                       FRAME_MAX - connection->in_len)) > 0) {
        connection->in_len += (size_t)got;
        tcp_take_frames(connection);
    }
    if (got < 0)
        connection_lost(connection);
}

/* Datagrams that do not fit into the socket buffer are lost, as on a network. */
static void udp_flush(struct connection *connection)
{
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    for (size_t at = 0; at < connection->out_len;) {
        unsigned count = 0;
        for (; count < BATCH && at < connection->out_len; count++) {
            size_t len = (size_t)(connection->out[at] << 8 | connection->out[at + 1]);
            parts[count] = (struct iovec){connection->out + at + 2, len};
            messages[count].msg_hdr = (struct msghdr){.msg_iov = &parts[count], .msg_iovlen = 1};
            at += 2 + len;
        }
        for (unsigned sent = 0; sent < count;) {
            int done = sendmmsg(connection->fd, messages + sent, count - sent, 0);
            sent += done > 0 ? (unsigned)done : errno != ECONNREFUSED; /* the error belongs to an earlier query */
        }
    }
    connection->out_len = 0;
}

static void udp_readable(struct connection *connection)
{
    static uint8_t datagrams[BATCH][DATAGRAM_MAX];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    int count;
    do {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){datagrams[i], DATAGRAM_MAX};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
        }
        count = recvmmsg(connection->fd, messages, BATCH, MSG_DONTWAIT, NULL);
        update_now();
        for (int i = 0; i < count; i++)
            take_answer(connection, datagrams[i], messages[i].msg_len);
    } while (count == BATCH || (count < 0 && errno == ECONNREFUSED));
}

/* The next connection, in turn, that has room for one more query; NULL: all are full. */
static struct connection *connection_with_room(void)
{
    static uint32_t turn;
    for (uint32_t tried = 0; tried < options.connections; tried++) {
        struct connection *connection = &connections[turn++ % options.connections];
        if (connection->pending < options.in_flight && connection->out_len < OUT_MAX - QUERY_MAX)
            return connection;
    }
    return NULL;
}

/* The time at which the query of this number is due. */
static uint64_t due_ns(uint32_t number)
{
    return options.rate ? start_ns + (uint64_t)number * 1000000000 / options.rate : now_ns;
}

static void send_query(struct connection *connection, uint32_t number)
{
    char name[QUERY_NAME];
    struct query *query = &queries[number];
    if (connection->fd < 0)
        connection_open(connection);
    while (connection->waiting[connection->next_id])
        connection->next_id++;
    query->sent_ns = due_ns(number);
    query->connection = (uint32_t)(connection - connections);
    query->id = connection->next_id++;
    name_put(name, options.pattern, options.first + query->name);
    uint8_t *frame = connection->out + connection->out_len;
    size_t len = query_put(frame + 2, query->id, name, options.edns);
    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    connection->out_len += 2 + len;
    connection->waiting[query->id] = number + 1;
    connection->pending++;
    totals.sent++;
}

/* If the generator did not get the CPU, it must not send the missed queries in a burst, which would be another load: the
 * remaining schedule is delayed instead. If the server left no room, the schedule stays: that is latency. */
static void delay_schedule(void)
{
    uint64_t due = due_ns(totals.sent);
    if (now_ns > due + LATE_NS) {
        start_ns += now_ns - due;
        totals.stalls++;
    }
}

static void send_due(void)
{
    static bool no_room;
    if (totals.sent < options.count && !no_room)
        delay_schedule();
    for (no_room = false; totals.sent < options.count && due_ns(totals.sent) <= now_ns && !no_room;) {
        struct connection *connection = connection_with_room();
        no_room = !connection;
        if (connection)
            send_query(connection, totals.sent);
    }
    for (uint32_t i = 0; i < options.connections; i++) {
        struct connection *connection = &connections[i];
        if (connection->fd >= 0 && (connection->out_len || connection->tls.out_len))
            (options.https ? https_flush
             : options.tls ? tls_flush_queries
             : options.tcp ? tcp_flush
                           : udp_flush)(connection);
    }
}

static void expire_old(void)
{
    while (oldest < totals.sent && (queries[oldest].over || now_ns > queries[oldest].sent_ns + options.patience_ns)) {
        if (!queries[oldest].over) {
            query_done(oldest);
            totals.silent++;
        }
        oldest++;
    }
}

/* Time until the next query is due, at most a millisecond. */
static struct timespec until_due(void)
{
    uint64_t wait = 1000000;
    if (options.rate && totals.sent < options.count) {
        uint64_t due = due_ns(totals.sent);
        wait = due <= now_ns ? 0 : due - now_ns < wait ? due - now_ns : wait;
    }
    return (struct timespec){0, (long)wait};
}

static void run(void)
{
    struct epoll_event events[64];
    update_now();
    start_ns = now_ns;
    while (totals.sent < options.count || oldest < totals.sent) {
        send_due();
        struct timespec wait = until_due();
        int count = epoll_pwait2(epoll_fd, events, 64, &wait, NULL);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->fd >= 0)
                (options.https ? https_readable
                 : options.tls ? tls_readable
                 : options.tcp ? tcp_readable
                               : udp_readable)(connection);
        }
        update_now();
        expire_old();
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double latency_ms(double share)
{
    uint32_t last = totals.answered - 1;
    return totals.answered ? latencies[(uint32_t)(share * last)] / 10000.0 : 0;
}

static void report(double seconds)
{
    qsort(latencies, totals.answered, sizeof *latencies, by_size);
    printf("{\"sent\": %u, \"answered\": %u, \"good\": %u, \"servfail\": %u, \"other_rcode\": %u, "
           "\"truncated\": %u, "
           "\"wrong\": %u, \"stray\": %u, \"silent\": %u, \"reconnects\": %u, \"stalls\": %u, \"seconds\": "
           "%.3f, ",
           totals.sent, totals.answered, totals.good, totals.servfail, totals.other_rcode, totals.truncated,
           totals.wrong, totals.stray, totals.silent, totals.reconnects, totals.stalls, seconds);
    printf("\"p50_ms\": %.4f, \"p90_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, \"max_ms\": %.4f}\n",
           latency_ms(0.5), latency_ms(0.9), latency_ms(0.99), latency_ms(0.999), latency_ms(1));
}

int main(int argc, char **argv)
{
    options_read(argc, argv);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        fail("epoll");
    queries = need(options.count, sizeof *queries);
    latencies = need(options.count, sizeof *latencies);
    connections = need(options.connections, sizeof *connections);
    for (uint32_t i = 0; i < options.connections; i++) {
        connections[i].waiting = need(65536, sizeof(uint32_t));
        connections[i].in = need(1, FRAME_MAX);
        connections[i].out = need(1, OUT_MAX);
        connection_open(&connections[i]);
    }
    struct draw draw;
    double *sums = need(options.distinct, sizeof *sums);
    draw_init(&draw, options.distinct, options.zipf, sums);
    for (uint32_t number = 0; number < options.count; number++)
        queries[number].name = draw_next(&draw);
    free(sums);
    update_now();
    uint64_t begin_ns = now_ns;
    run();
    report((double)(now_ns - begin_ns) / 1e9);
    return 0;
}
