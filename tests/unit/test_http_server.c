/* SPDX-License-Identifier: MIT */
/* control/server: a server that closes while requests wait for their replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "control/server.h"

static struct loop loop;
static struct http_server *server;
static struct http_request *waiting; /* the latest request */
static int client;

static void handle(void *context, struct http_request *request)
{
    (void)context;
    waiting = request;
    loop_stop(&loop);
}

static const struct http_ops ops = {.handle = handle};

/* Listens on an abstract address, and connects to it. */
static int listen_and_connect(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t len = sizeof name;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, len), 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(http_server_open(&server, &loop, listen_and_connect(), &ops, NULL, 4), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(client);
    assert_true(loop_drain(&loop, 1000));
    loop_fini(&loop);
    return 0;
}

static void send_request(const char *text)
{
    waiting = NULL;
    assert_int_equal(write(client, text, strlen(text)), strlen(text));
    loop_run(&loop);
    assert_non_null(waiting);
}

/* The first line of the reply. */
static void is_told(const char *line)
{
    char text[1024] = "";
    ssize_t len = read(client, text, sizeof text - 1);
    assert_true(len > 0);
    assert_memory_equal(text, line, strlen(line));
}

static void a_waiting_request_is_answered_when_the_server_closes(void **state)
{
    (void)state;
    send_request("POST /reload HTTP/1.1\r\nHost: localhost\r\n\r\n");
    http_server_close(server);
    is_told("HTTP/1.1 503 ");
    http_reply(waiting, HTTP_OK, "text/plain", strdup("late\n"), NULL); /* nobody gets it */
}

static void a_late_reply_may_come_after_the_end_of_the_server(void **state)
{
    (void)state;
    send_request("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    http_server_close(server);
    assert_true(loop_drain(&loop, 1000));
    http_reply(waiting, HTTP_OK, "text/plain", strdup("late\n"), NULL);
}

static void an_answered_request_is_sent_when_the_server_closes(void **state)
{
    (void)state;
    send_request("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    http_reply(waiting, HTTP_OK, "text/plain", strdup("fine\n"), NULL);
    http_server_close(server);
    is_told("HTTP/1.1 200 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_waiting_request_is_answered_when_the_server_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_reply_may_come_after_the_end_of_the_server, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answered_request_is_sent_when_the_server_closes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
