/* SPDX-License-Identifier: MIT */
/* upstream/events: which changes of state are logged, the text of the lines, and their rate limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/errors.h"
#include "fake_net.h"
#include "upstream/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct fake_ask asks[200];
static struct group *group;
static struct config *config;
static int kept_stderr, reader;

static int setup(void **state)
{
    (void)state;
    int ends[2];
    memset(asks, 0, sizeof asks);
    fake_begin();
    log_set_level(LOG_LEVEL_INFO);
    config = fake_config(1, 1);
    group = fake_group(config);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    kept_stderr = dup(STDERR_FILENO);
    dup2(ends[0], STDERR_FILENO);
    close(ends[0]);
    reader = ends[1];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(reader);
    fake_group_end(group);
    fake_end();
    return 0;
}

/* The next line from its level on, without its newline; "" when there is none. */
static const char *logged(void)
{
    static char line[LOG_LINE_MAX];
    const ssize_t len = recv(reader, line, sizeof line - 1, MSG_DONTWAIT);
    line[len > 0 ? len - 1 : 0] = '\0';
    const char *at = strchr(line, ' ');
    return at ? at + 1 : "";
}

static void ask(unsigned n)
{
    fake_ask(group, &asks[n], "a.test");
    fake_turn();
}

static void a_server_fails_and_answers_again(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    fake.dial[1] = FAKE_REFUSES;
    ask(0);
    assert_string_equal(logged(),
                        "warning upstream: cannot open a session to entry0 192.0.2.1@853: Connection refused");
    fake_pass(12000);
    assert_string_equal(logged(), "");
    ask(1);
    assert_string_equal(
        logged(), "warning upstream: cannot open a session to entry0 192.0.2.1@853: Connection refused (for 12 s now)");
    fake_pass(3000);
    fake.dial[1] = FAKE_ACCEPTS;
    ask(2);
    const char *line = logged();
    while (strstr(line, "session to")) /* that it is there */
        line = logged();
    assert_string_equal(line, "info upstream: entry0 192.0.2.1@853 answers again after 15 s");
    ask(3);
    assert_string_equal(logged(), "");
}

static void unlogged_failures_have_no_recovery(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 6; i += 2) { /* within ten seconds */
        fake.dial[1] = FAKE_REFUSES;
        ask(i);
        fake_pass(1000);
        fake.dial[1] = FAKE_ACCEPTS;
        ask(i + 1);
        fake_kill(fake_conn(fake_dials() - 1), ERROR_CLOSED);
        fake_pass(1000);
    }
    unsigned failures = 0, returns = 0;
    for (const char *line = logged(); *line; line = logged()) {
        failures += strstr(line, "cannot open") != NULL;
        returns += strstr(line, "answers again") != NULL;
    }
    assert_int_equal(failures, 1);
    assert_int_equal(returns, 1);
}

static void an_upstream_that_refuses_under_load_is_named(void **state)
{
    (void)state;
    config->upstreams[0].max_qps = 100;
    fake_group_end(group);
    group = fake_group(config);
    fake.serve = fake_serve_all;
    fake_pass(1100);
    for (unsigned i = 0; i < 80; i++)
        ask(i);
    while (*logged())
        ;
    upstream_refused(asks[0].attempt.server);
    assert_string_equal(logged(),
                        "warning upstream: entry0 refuses queries under load: limiting it to 50 queries a second");
}

static void the_clock_is_logged_once_for_all_workers(void **state)
{
    (void)state;
    static struct config other_config;
    other_config = *config;
    other_config.refs = 1;
    struct group *other = fake_group(&other_config);
    fake_pass(20000); /* rate limits last for the process, and time starts again in each test */
    group_clock_changed(group);
    group_clock_changed(other);
    assert_string_equal(logged(), "info upstream: the clock was set: dialling failed servers at once");
    assert_string_equal(logged(), "");
    group_network_changed(group, true);
    assert_string_equal(logged(), "info upstream: the machine was suspended: replacing all sessions");
    fake_group_end(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_fails_and_answers_again),
        TEST(unlogged_failures_have_no_recovery),
        TEST(an_upstream_that_refuses_under_load_is_named),
        TEST(the_clock_is_logged_once_for_all_workers),
    };
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
