/* SPDX-License-Identifier: MIT */
/* control/health: which upstreams are degraded, and the sentences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "control/health.h"

static struct server_report servers[4];
static struct gather_sum sum = {.servers = servers, .server_count = 4};
static char said[2048];

static int setup(void **state)
{
    (void)state;
    memset(servers, 0, sizeof servers);
    for (unsigned i = 0; i < 4; i++) {
        strcpy(servers[i].upstream, i < 3 ? "one" : "two");
        servers[i].state = SERVER_IDLE;
        if (addr_parse(&servers[i].addr, "192.0.2.1@853", 0) < 0)
            return -1;
    }
    said[0] = '\0';
    return 0;
}

static void say(void *context, const char *sentence)
{
    (void)context;
    strcat(strcat(said, sentence), "\n");
}

static void failed(unsigned i, int error, uint64_t at_ms)
{
    servers[i].state = SERVER_FAILING;
    servers[i].last_error = error;
    servers[i].failed_ms = at_ms;
}

static void idle_servers_are_not_degraded(void **state)
{
    (void)state;
    assert_int_equal(health_each(&sum, say, NULL), 0);
    servers[0].state = SERVER_CONNECTING;
    assert_int_equal(health_each(&sum, say, NULL), 0);
}

static void one_open_server_is_enough(void **state)
{
    (void)state;
    failed(0, -ECONNREFUSED, 1);
    servers[2].state = SERVER_OPEN;
    assert_int_equal(health_each(&sum, say, NULL), 0);
}

/* An idle session was closed; the failing server was not dialed since, so its state stays "failing". */
static void an_idle_server_that_was_used_is_enough(void **state)
{
    (void)state;
    failed(0, -ECONNREFUSED, 1);
    servers[1].opened = 1;
    assert_int_equal(health_each(&sum, say, NULL), 0);
    failed(1, -ECONNREFUSED, 2);
    assert_int_equal(health_each(&sum, say, NULL), 1);
}

static void the_sentence_has_the_latest_failure(void **state)
{
    (void)state;
    failed(0, -ECONNREFUSED, 1);
    failed(1, ERROR_TLS_NAME, 2);
    assert_int_equal(health_each(&sum, say, NULL), 1);
    assert_string_equal(said, "upstream one is unreachable: 192.0.2.1@853: certificate is for another name\n");
}

static void each_degraded_upstream_has_a_sentence(void **state)
{
    (void)state;
    failed(2, -ECONNREFUSED, 1);
    failed(3, -ETIMEDOUT, 1);
    assert_int_equal(health_each(&sum, say, NULL), 2);
    assert_non_null(strstr(said, "upstream one"));
    assert_non_null(strstr(said, "upstream two"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(idle_servers_are_not_degraded, setup),
        cmocka_unit_test_setup(one_open_server_is_enough, setup),
        cmocka_unit_test_setup(an_idle_server_that_was_used_is_enough, setup),
        cmocka_unit_test_setup(the_sentence_has_the_latest_failure, setup),
        cmocka_unit_test_setup(each_degraded_upstream_has_a_sentence, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
