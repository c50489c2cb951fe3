/* SPDX-License-Identifier: MIT */
/* The least that a TLS server on libuv and GnuTLS must do: it sends the content of each record back in one record, all
 * records of a read with one send.
 *
 *     floor_tls PORT CERTIFICATE KEY
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>
#include "tls.h"

enum { BACKLOG = 1024 };

struct client {
    uv_poll_t poll;
    struct tls tls;
    bool open; /* the handshake is done */
};

static gnutls_certificate_credentials_t credentials;
static uint8_t room[65536];

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "floor_tls: %s\n", what);
    exit(1);
}

static void client_closed(uv_handle_t *handle)
{
    struct client *client = (struct client *)handle;
    tls_fini(&client->tls);
    free(client);
}

/* False: the connection has ended. */
static bool serve(struct client *client)
{
    ssize_t got = tls_receive(&client->tls);
    if (got == 0 && !client->open) {
        int result = gnutls_handshake(client->tls.session);
        client->open = result == 0;
        got = client->open || !gnutls_error_is_fatal(result) ? 0 : -1;
    }
    while (got >= 0 && client->open && (got = tls_read(&client->tls, room, sizeof room)) > 0)
        got = tls_write(&client->tls, room, (size_t)got);
    return got >= 0 && tls_flush(&client->tls) == 0; /* a client that does not read its echo is disconnected */
}

static void readable(uv_poll_t *poll, int status, int events)
{
    struct client *client = (struct client *)poll;
    (void)events;
    if (status == 0 && serve(client))
        return;
    uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, client_closed);
}

static void accept_clients(uv_poll_t *poll, int status, int events)
{
    int fd, on = 1, listening = -1;
    (void)events;
    must(status == 0 && uv_fileno((uv_handle_t *)poll, &listening) == 0, "accept");
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = calloc(1, sizeof *client);
        must(client && tls_init(&client->tls, fd, GNUTLS_SERVER, credentials, TLS_DOT) == 0, "accept");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        must(uv_poll_init(poll->loop, &client->poll, fd) == 0, "accept");
        must(uv_poll_start(&client->poll, UV_READABLE, readable) == 0, "read");
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    uv_poll_t poll;
    int on = 1;
    if (argc != 4) {
        fputs("usage: floor_tls PORT CERTIFICATE KEY\n", stderr);
        return 2;
    }
    must(gnutls_certificate_allocate_credentials(&credentials) == 0, "memory");
    must(gnutls_certificate_set_x509_key_file(credentials, argv[2], argv[3], GNUTLS_X509_FMT_PEM) >= 0, "certificate");
    must(uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address) == 0, "address");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "socket");
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0, "listen");
    must(uv_poll_init(uv_default_loop(), &poll, fd) == 0 && uv_poll_start(&poll, UV_READABLE, accept_clients) == 0,
         "listen");
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
