/* SPDX-License-Identifier: MIT */
/* A server of DNS over TLS, and of DNS over HTTPS on the same port (by ALPN), that is faster than any subject. It answers every A query with the address that dnsload expects, and
 * sends all responses of a turn to one connection in one record and one send. Options delay all or some responses, drop
 * some, and reset all connections at an interval. Prints its counters as JSON on SIGUSR1 and when it exits.
 *
 * Invariants: delayed responses wait in two queues with one delay each, so each queue is in the order of due times; a
 * waiting response names its connection by place and serial number, since the connection may end first.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../tools/names.h"
#include "answer.h"
#include "h2.h"
#include "tls.h"

enum { CONNECTIONS = 1024, PLAIN = 1 << 17, RECORD = 16384, QUEUE = 1 << 17, LISTENER = CONNECTIONS, SIGNALS };

static struct {
    const char *certificate, *key;
    uint64_t delay_ns, slow_ns, reset_ns;
    double slow_share, drop_share;
    uint16_t port;
    uint32_t ttl;
} options = {.ttl = 86400};

static struct {
    uint64_t connections, handshakes, resumed, alpn, queries, records, padded, answers, slow, dropped, resets, rounds,
        bad; /* rounds: of resets */
} totals;

struct connection {
    struct tls tls;
    struct h2 *h2; /* NULL: DNS over TLS */
    uint32_t serial;
    bool open, shaken, dirty, wants_out;
    uint8_t *in, *out; /* clear */
    size_t in_len, out_len, out_room;
};

struct late {
    uint64_t due;
    uint32_t connection, serial;
    int32_t stream; /* of HTTP/2 */
    uint16_t len;
    uint8_t frame[ANSWER_MAX];
};

struct queue {
    struct late *entries;
    uint32_t head, tail;
};

static struct connection connections[CONNECTIONS];
static uint32_t dirty[CONNECTIONS], dirty_count;
static struct queue late, slow;
static gnutls_certificate_credentials_t credentials;
static gnutls_datum_t ticket_key;
static int epoll_fd, listen_fd, signal_fd;
static uint64_t now, next_reset;
static struct draw fate;

static void die(const char *what)
{
    fprintf(stderr, "upstream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *need(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        die("memory");
    return memory;
}

static uint64_t clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void print_totals(void)
{
    printf("{\"connections\": %" PRIu64 ", \"handshakes\": %" PRIu64 ", \"resumed\": %" PRIu64 ", \"alpn\": %" PRIu64
           ", \"queries\": %" PRIu64 ", \"records\": %" PRIu64 ", \"padded\": %" PRIu64 ", \"answers\": %" PRIu64
           ", \"slow\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"resets\": %" PRIu64 ", \"rounds\": %" PRIu64
           ", \"bad\": %" PRIu64 "}\n",
           totals.connections, totals.handshakes, totals.resumed, totals.alpn, totals.queries, totals.records,
           totals.padded, totals.answers, totals.slow, totals.dropped, totals.resets, totals.rounds, totals.bad);
    fflush(stdout);
}

static void connection_close(struct connection *connection, bool reset)
{
    struct linger at_once = {1, 0};
    if (reset)
        (void)setsockopt(connection->tls.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    h2_free(connection->h2);
    connection->h2 = NULL;
    tls_fini(&connection->tls);
    free(connection->in);
    free(connection->out);
    connection->in = connection->out = NULL;
    connection->in_len = connection->out_len = connection->out_room = 0;
    connection->open = false;
    connection->serial++;
}

static void watch(int fd, uint32_t place, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.u32 = place};
    if (epoll_ctl(epoll_fd, operation, fd, &event))
        die("epoll_ctl");
}

static void accept_one(void)
{
    int on = 1, fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    uint32_t place = 0;
    if (fd < 0)
        return;
    while (place < CONNECTIONS && connections[place].open)
        place++;
    if (place == CONNECTIONS) {
        close(fd);
        return;
    }
    struct connection *connection = &connections[place];
    if (tls_init(&connection->tls, fd, GNUTLS_SERVER, credentials, TLS_DOT_AND_H2))
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)gnutls_session_ticket_enable_server(connection->tls.session, &ticket_key);
    connection->open = true;
    connection->shaken = connection->wants_out = false;
    connection->in = need(PLAIN);
    watch(fd, place, EPOLLIN, EPOLL_CTL_ADD);
    totals.connections++;
}

static void mark_dirty(struct connection *connection)
{
    if (!connection->dirty)
        dirty[dirty_count++] = (uint32_t)(connection - connections);
    connection->dirty = true;
}

/* Appends to what is sent at the end of the turn. */
static void append(struct connection *connection, const uint8_t *data, size_t len)
{
    if (connection->out_len + len > connection->out_room) {
        connection->out_room = (connection->out_len + len) * 2 + RECORD;
        connection->out = realloc(connection->out, connection->out_room);
        if (!connection->out)
            die("memory");
    }
    memcpy(connection->out + connection->out_len, data, len);
    connection->out_len += len;
}

static void give(struct connection *connection, int32_t stream, const uint8_t *frame, size_t len)
{
    if (connection->h2)
        h2_answer(connection->h2, stream, frame + 2, len - 2);
    else
        append(connection, frame, len);
    totals.answers++;
    mark_dirty(connection);
}

static void queue_put(struct queue *queue, uint64_t delay, struct connection *connection, int32_t stream,
                      const uint8_t *frame, size_t len)
{
    struct late *entry = &queue->entries[queue->tail % QUEUE];
    if (queue->tail - queue->head == QUEUE)
        return;
    *entry = (struct late){.due = now + delay,
                           .connection = (uint32_t)(connection - connections),
                           .serial = connection->serial,
                           .stream = stream,
                           .len = (uint16_t)len};
    memcpy(entry->frame, frame, len);
    queue->tail++;
}

static void queue_give_due(struct queue *queue)
{
    for (; queue->head != queue->tail; queue->head++) {
        const struct late *entry = &queue->entries[queue->head % QUEUE];
        struct connection *connection = &connections[entry->connection];
        if (entry->due > now)
            return;
        if (connection->open && connection->serial == entry->serial)
            give(connection, entry->stream, entry->frame, entry->len);
    }
}

static void take_query(struct connection *connection, int32_t stream, const uint8_t *query, size_t len)
{
    uint8_t frame[ANSWER_MAX];
    bool padded = false;
    size_t answer = answer_make(query, len, options.ttl, frame, &padded);
    totals.queries++;
    totals.padded += padded;
    if (!answer) {
        totals.bad++;
    } else if (options.drop_share > 0 && draw_share(&fate) < options.drop_share) {
        totals.dropped++;
    } else if (options.slow_share > 0 && draw_share(&fate) < options.slow_share) {
        totals.slow++;
        queue_put(&slow, options.slow_ns, connection, stream, frame, answer);
    } else if (options.delay_ns) {
        queue_put(&late, options.delay_ns, connection, stream, frame, answer);
    } else {
        give(connection, stream, frame, answer);
    }
}

/* Returns the number of whole frames. */
static uint32_t take_frames(struct connection *connection)
{
    size_t at = 0;
    uint32_t count = 0;
    while (connection->in_len - at >= 2) {
        size_t len = (size_t)(connection->in[at] << 8 | connection->in[at + 1]);
        if (connection->in_len - at - 2 < len)
            break;
        take_query(connection, 0, connection->in + at + 2, len);
        at += 2 + len;
        count++;
    }
    connection->in_len -= at;
    memmove(connection->in, connection->in + at, connection->in_len);
    return count;
}

static void take_request(void *context, int32_t stream, const uint8_t *message, size_t len)
{
    take_query(context, stream, message, len);
}

static void shake(struct connection *connection)
{
    int status = gnutls_handshake(connection->tls.session);
    gnutls_datum_t protocol;
    if (status == 0) {
        connection->shaken = true;
        totals.handshakes++;
        totals.resumed += gnutls_session_is_resumed(connection->tls.session) != 0;
        bool chosen = gnutls_alpn_get_selected_protocol(connection->tls.session, &protocol) == 0;
        totals.alpn += chosen;
        if (chosen && protocol.size == 2 && !(connection->h2 = h2_new(NULL, take_request, connection)))
            die("memory");
    }
    mark_dirty(connection);
    if (status && gnutls_error_is_fatal(status))
        connection_close(connection, false);
}

static void readable(struct connection *connection)
{
    ssize_t got = tls_receive(&connection->tls);
    if (got == 0 && !connection->shaken)
        shake(connection);
    while (got >= 0 && connection->open && connection->shaken) {
        got = tls_read(&connection->tls, connection->in + connection->in_len, PLAIN - connection->in_len);
        if (got <= 0)
            break;
        if (connection->h2) {
            totals.records++;
            got = h2_receive(connection->h2, connection->in, (size_t)got);
            mark_dirty(connection);
            continue;
        }
        connection->in_len += (size_t)got;
        totals.records += take_frames(connection) > 0;
    }
    if (got < 0 && connection->open)
        connection_close(connection, false);
}

/* Appends the frames of HTTP/2. 0, or -1: the connection must end. */
static int put_frames(struct connection *connection)
{
    const uint8_t *data;
    long len;
    while ((len = h2_output(connection->h2, &data)) > 0)
        append(connection, data, (size_t)len);
    return len < 0 ? -1 : 0;
}

static void flush(void)
{
    for (uint32_t i = 0; i < dirty_count; i++) {
        struct connection *connection = &connections[dirty[i]];
        connection->dirty = false;
        if (!connection->open)
            continue;
        int status = connection->h2 ? put_frames(connection) : 0;
        status = status ? status : tls_write(&connection->tls, connection->out, connection->out_len);
        connection->out_len = 0;
        status = status ? status : tls_flush(&connection->tls);
        if (status < 0) {
            connection_close(connection, false);
        } else if ((status > 0) != connection->wants_out) {
            connection->wants_out = status > 0;
            watch(connection->tls.fd, dirty[i], EPOLLIN | (status > 0 ? EPOLLOUT : 0), EPOLL_CTL_MOD);
        }
    }
    dirty_count = 0;
}

static void reset_all(void)
{
    next_reset = now + options.reset_ns;
    totals.rounds++;
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        if (connections[i].open && connections[i].shaken) {
            connection_close(&connections[i], true);
            totals.resets++;
        }
    }
}

static void take_signal(void)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof info) != sizeof info)
        return;
    print_totals();
    if (info.ssi_signo != SIGUSR1)
        exit(0);
}

static void take_event(const struct epoll_event *event)
{
    if (event->data.u32 == LISTENER) {
        accept_one();
    } else if (event->data.u32 == SIGNALS) {
        take_signal();
    } else if (connections[event->data.u32].open) {
        if (event->events & EPOLLOUT)
            mark_dirty(&connections[event->data.u32]);
        if (event->events & ~(uint32_t)EPOLLOUT)
            readable(&connections[event->data.u32]);
    }
}

/* Nanoseconds until the next response or reset is due; -1: none. */
static int64_t until_due(void)
{
    uint64_t due = options.reset_ns ? next_reset : UINT64_MAX;
    if (late.head != late.tail && late.entries[late.head % QUEUE].due < due)
        due = late.entries[late.head % QUEUE].due;
    if (slow.head != slow.tail && slow.entries[slow.head % QUEUE].due < due)
        due = slow.entries[slow.head % QUEUE].due;
    if (due == UINT64_MAX)
        return -1;
    return due > now ? (int64_t)(due - now) : 0;
}

static void serve(void)
{
    struct epoll_event events[64];
    for (now = clock_ns(), next_reset = now + options.reset_ns;;) {
        int64_t wait = until_due();
        struct timespec timeout = {wait / 1000000000, wait % 1000000000};
        int count = epoll_pwait2(epoll_fd, events, 64, wait < 0 ? NULL : &timeout, NULL);
        now = clock_ns();
        for (int i = 0; i < count; i++)
            take_event(&events[i]);
        queue_give_due(&late);
        queue_give_due(&slow);
        flush();
        if (options.reset_ns && now >= next_reset)
            reset_all();
    }
}

static void set_up(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    sigset_t signals;
    draw_init(&fate, 1, 0, NULL);
    late.entries = need(QUEUE * sizeof *late.entries);
    slow.entries = need(QUEUE * sizeof *slow.entries);
    if (gnutls_certificate_allocate_credentials(&credentials) ||
        gnutls_certificate_set_x509_key_file(credentials, options.certificate, options.key, GNUTLS_X509_FMT_PEM) < 0 ||
        gnutls_session_ticket_key_generate(&ticket_key))
        die("certificate");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (epoll_fd < 0 || bind(listen_fd, (struct sockaddr *)&address, sizeof address) || listen(listen_fd, 512))
        die("listen");
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    watch(listen_fd, LISTENER, EPOLLIN, EPOLL_CTL_ADD);
    watch(signal_fd, SIGNALS, EPOLLIN, EPOLL_CTL_ADD);
}

static void usage(void)
{
    fputs("usage: upstream -p PORT -c CERTIFICATE -k KEY [-t TTL] [-d DELAY ms] [-s SHARE OF SLOW -S THEIR "
          "DELAY ms]\n"
          "                [-x SHARE OF DROPPED] [-r RESET ALL CONNECTIONS EACH ms]\n",
          stderr);
    exit(2);
}

static uint64_t ns_of_ms(const char *text)
{
    return (uint64_t)(strtod(text, NULL) * 1e6);
}

int main(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "p:c:k:t:d:s:S:x:r:")) != -1;) {
        switch (option) {
        case 'p':
            options.port = (uint16_t)atoi(optarg);
            break;
        case 'c':
            options.certificate = optarg;
            break;
        case 'k':
            options.key = optarg;
            break;
        case 't':
            options.ttl = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'd':
            options.delay_ns = ns_of_ms(optarg);
            break;
        case 's':
            options.slow_share = strtod(optarg, NULL);
            break;
        case 'S':
            options.slow_ns = ns_of_ms(optarg);
            break;
        case 'x':
            options.drop_share = strtod(optarg, NULL);
            break;
        case 'r':
            options.reset_ns = ns_of_ms(optarg);
            break;
        default:
            usage();
        }
    }
    if (!options.port || !options.certificate || !options.key || optind < argc)
        usage();
    set_up();
    serve();
}
