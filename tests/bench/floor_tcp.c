/* SPDX-License-Identifier: MIT */
/* The least that a TCP server on libuv must do: it sends the bytes of each read back with one write.
 *
 *     floor_tcp PORT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char room[65536];

static void must(int status, const char *what)
{
    if (status < 0) {
        fprintf(stderr, "floor_tcp: %s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static void lend_room(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    (void)handle;
    (void)hint;
    *buf = uv_buf_init(room, sizeof room);
}

static void client_closed(uv_handle_t *handle)
{
    free(handle);
}

/* A client that does not read its echo is disconnected. */
static void echo(uv_stream_t *client, ssize_t got, const uv_buf_t *buf)
{
    uv_buf_t back = uv_buf_init(buf->base, (unsigned)(got > 0 ? got : 0));
    if (got < 0 || (got && uv_try_write(client, &back, 1) != got))
        uv_close((uv_handle_t *)client, client_closed);
}

static void accept_client(uv_stream_t *server, int status)
{
    uv_tcp_t *client = calloc(1, sizeof *client);
    must(client ? status : UV_ENOMEM, "accept");
    must(uv_tcp_init(server->loop, client), "accept");
    must(uv_accept(server, (uv_stream_t *)client), "accept");
    (void)uv_tcp_nodelay(client, 1);
    must(uv_read_start((uv_stream_t *)client, lend_room, echo), "read");
}

int main(int argc, char **argv)
{
    uv_tcp_t server;
    struct sockaddr_in address;
    if (argc != 2) {
        fputs("usage: floor_tcp PORT\n", stderr);
        return 2;
    }
    must(uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address), "address");
    must(uv_tcp_init(uv_default_loop(), &server), "socket");
    must(uv_tcp_bind(&server, (struct sockaddr *)&address, 0), "bind");
    must(uv_listen((uv_stream_t *)&server, 1024, accept_client), "listen");
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
