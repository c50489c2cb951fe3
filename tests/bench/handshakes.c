/* SPDX-License-Identifier: MIT */
/* A client that opens connections of DNS over TLS to measure the costs of handshakes and of idle sessions.
 *
 *     handshakes PORT COUNT           one connection after the other, each with a query
 *     handshakes PORT COUNT resume    each resumes the session before it, if the server permits
 *     handshakes PORT COUNT hold      all stay open until standard input ends
 *
 * Prints {"done": N, "resumed": N} when the last response has come.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../tools/query.h"
#include "tls.h"

enum { PATIENCE_MS = 10000 };

static gnutls_certificate_credentials_t credentials;
static gnutls_datum_t ticket; /* of the latest session */
static unsigned resumed;

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "handshakes: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void wait_for_bytes(struct tls *tls)
{
    struct pollfd ready = {.fd = tls->fd, .events = POLLIN};
    must(tls_flush(tls) == 0 && poll(&ready, 1, PATIENCE_MS) == 1 && tls_receive(tls) == 0, "receive");
}

static void shake_hands(struct tls *tls, bool resume)
{
    int result;
    if (resume && ticket.data)
        must(gnutls_session_set_data(tls->session, ticket.data, ticket.size) == 0, "session");
    while ((result = gnutls_handshake(tls->session)) != 0) {
        must(!gnutls_error_is_fatal(result), gnutls_strerror(result));
        wait_for_bytes(tls);
    }
    resumed += gnutls_session_is_resumed(tls->session) != 0;
}

/* A query for a name in the cache; with its response the ticket has come, too. */
static void ask(struct tls *tls)
{
    uint8_t message[2 + QUERY_MAX], room[65536];
    size_t len = query_put(message + 2, 1, "hit0.example", false);
    message[0] = (uint8_t)(len >> 8);
    message[1] = (uint8_t)len;
    must(tls_write(tls, message, 2 + len) == 0, "query");
    ssize_t got;
    while ((got = tls_read(tls, room, sizeof room)) == 0)
        wait_for_bytes(tls);
    must(got > 0, "response");
}

static void keep_ticket(struct tls *tls)
{
    gnutls_free(ticket.data);
    ticket = (gnutls_datum_t){NULL, 0};
    must(gnutls_session_get_data2(tls->session, &ticket) == 0, "ticket");
}

int main(int argc, char **argv)
{
    const char *mode = argc == 4 ? argv[3] : "";
    bool resume = strcmp(mode, "resume") == 0, hold = strcmp(mode, "hold") == 0;
    if (argc < 3 || (argc == 4 && !resume && !hold)) {
        fputs("usage: handshakes PORT COUNT [resume | hold]\n", stderr);
        return 2;
    }
    unsigned count = (unsigned)strtoul(argv[2], NULL, 10);
    must(gnutls_certificate_allocate_credentials(&credentials) == 0, "credentials");
    for (unsigned i = 0; i < count; i++) {
        struct tls tls;
        must(tls_init(&tls, connect_to((uint16_t)atoi(argv[1])), GNUTLS_CLIENT, credentials, TLS_DOT) == 0, "TLS");
        shake_hands(&tls, resume);
        ask(&tls);
        if (resume)
            keep_ticket(&tls);
        if (hold) {
            gnutls_deinit(tls.session); /* the socket stays open */
            free(tls.in);
            free(tls.out);
            continue;
        }
        tls_fini(&tls);
    }
    printf("{\"done\": %u, \"resumed\": %u}\n", count, resumed);
    fflush(stdout);
    while (hold && getchar() != EOF)
        ;
    return 0;
}
