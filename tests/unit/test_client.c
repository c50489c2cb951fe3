/* SPDX-License-Identifier: MIT */
/* ctl/client: request targets, reply heads, connection errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "ctl/client.h"

static void arguments_are_encoded(void **state)
{
    (void)state;
    char target[64] = "/cache";
    assert_true(client_add_argument(target, sizeof target, "name", "a_b-c.example"));
    assert_true(client_add_argument(target, sizeof target, "type", "&=?# \xff%"));
    assert_string_equal(target, "/cache?name=a_b-c.example&type=%26%3D%3F%23%20%FF%25");
}

static void an_argument_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    char target[16] = "/cache";
    assert_false(client_add_argument(target, sizeof target, "name", "a.long.name"));
    strcpy(target, "/cache");
    assert_false(client_add_argument(target, sizeof target, "much.longer.name", ""));
    strcpy(target, "/cache");
    assert_false(client_add_argument(target, sizeof target, "n", "\xff\xff\xff"));
    assert_true(strlen(target) < sizeof target);
}

static void heads_are_parsed(void **state)
{
    (void)state;
    static const char *const broken[] = {"",
                                         "HTTP/1.1 200 OK\r\n",
                                         "SSH-2.0-x\r\n\r\n",
                                         "HTTP/1.1\r\n\r\n",
                                         "HTTP/x.1 200\r\n\r\n",
                                         "HTTP/1.1 9\r\n\r\n",
                                         "HTTP/1.1 -20 OK\r\n\r\n"};
    unsigned status;
    const char *body;
    assert_int_equal(client_read_head("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody\r\n\r\n", &status, &body), 0);
    assert_int_equal(status, 404);
    assert_string_equal(body, "body\r\n\r\n");
    for (unsigned i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(client_read_head(broken[i], &status, &body), -EPROTO);
}

static void a_missing_daemon_is_an_error(void **state)
{
    (void)state;
    struct client_reply reply;
    char path[200];
    assert_int_equal(client_ask(&reply, "/tmp/no such directory/socket", "GET", "/status"), -ENOENT);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(client_ask(&reply, path, "GET", "/status"), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_encoded),
        cmocka_unit_test(an_argument_that_does_not_fit_is_refused),
        cmocka_unit_test(heads_are_parsed),
        cmocka_unit_test(a_missing_daemon_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
