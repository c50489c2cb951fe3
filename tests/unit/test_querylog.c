/* SPDX-License-Identifier: MIT */
/* resolve/querylog: the line for each way to answer a query, sampling, and that a blocked reader loses only lines. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fake_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct client clients[300];
static struct fake_answer served;
static int kept_stderr, reader;

/* Makes this descriptor standard error, and closes it. */
static void log_to(int fd)
{
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    int ends[2];
    memset(clients, 0, sizeof clients);
    served = FAKE_ANSWER;
    fake_begin();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    kept_stderr = dup(STDERR_FILENO);
    log_to(ends[0]);
    reader = ends[1];
    unsetenv("JOURNAL_STREAM");
    querylog_set(1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    querylog_set(0);
    log_to(kept_stderr);
    close(reader);
    resolver_end();
    fake_end();
    return 0;
}

static void serve(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, &served);
}

/* The lines of the next write, without the part before " query:"; "": none. */
static const char *logged(void)
{
    static char all[LOG_BATCH + 1], out[LOG_BATCH + 1];
    char *at, *rest = all;
    const ssize_t len = recv(reader, all, sizeof all - 1, MSG_DONTWAIT);
    all[len > 0 ? len : 0] = out[0] = '\0';
    while ((at = strsep(&rest, "\n")))
        if (strstr(at, " query: "))
            strcat(strcat(out, strstr(at, " query: ") + 8), "\n");
    return out;
}

static void a_miss_names_the_server_and_a_hit_none(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    client_ask(&clients[0], "A.test");
    fake_turn();
    assert_string_equal(logged(), "client=198.51.100.1 transport=udp name=A.test. type=A rcode=NOERROR how=miss ms=0 "
                                  "upstream=entry0 server=192.0.2.1@853\n");
    clients[1].origin.tcp = true;
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_string_equal(logged(), "client=198.51.100.1 transport=tcp name=a.test. type=A rcode=NOERROR how=hit ms=0\n");
}

static void a_failure_is_logged_with_duration_and_reason(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    clients[0].no_edns = true; /* the client gets no extended error; the log has it */
    client_ask(&clients[0], "a.test");
    fake_pass(5000);
    const char *line = logged();
    assert_non_null(strstr(line, "rcode=SERVFAIL how=failed ms=34"));
    assert_non_null(strstr(line, "upstream=entry0 server=192.0.2.1@853 ede=23 ede_text=\"entry0: "));
    fake.serve = serve;
    fake_pass(10000);
}

static void stale_responses_are_logged_as_stale(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    config->cache.serve_stale = 3600;
    served.ttl = 20;
    fake.serve = serve;
    client_ask(&clients[0], "a.test");
    fake_turn();
    (void)logged();
    fake_pass(30000);
    fake.serve = NULL;
    log_set_level(LOG_LEVEL_WARNING);
    client_ask(&clients[1], "a.test");
    fake_pass(5000);
    char line[LOG_LINE_MAX] = "";
    assert_true(recv(reader, line, sizeof line - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(line, "warning resolve: serving stale answers: upstream too slow\n"));
    assert_non_null(strstr(logged(), "rcode=NOERROR how=stale ms="));
    client_ask(&clients[2], "a.test"); /* at once, because the failure is cached */
    fake_turn();
    assert_non_null(strstr(logged(), "rcode=NOERROR how=stale ms=0 ede=3\n"));
    fake.serve = serve;
    fake_pass(10000);
}

static void local_responses_are_logged_as_local_or_refused(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    clients[0].no_rd = true;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_string_equal(logged(),
                        "client=127.0.0.1 transport=udp name=a.test. type=A rcode=REFUSED how=refused ms=0 ede=20\n");
    client_send(&clients[1], "\0\1\1\0\0\0\0\0\0\0\0\0", 12);
    fake_turn();
    assert_string_equal(logged(), "client=198.51.100.1 transport=udp rcode=FORMERR how=local ms=0\n");
}

static void lines_of_a_turn_leave_together(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    clients[0].no_rd = clients[1].no_rd = true;
    client_ask(&clients[0], "a.test");
    client_ask(&clients[1], "b.test");
    assert_string_equal(logged(), "");
    fake_turn();
    const char *lines = logged();
    assert_non_null(strstr(lines, "name=a.test."));
    assert_non_null(strstr(lines, "name=b.test."));
    assert_string_equal(logged(), "");
    assert_int_equal(fake_counted(COUNTER_query_lines_written), 2);
}

static void one_query_in_n_is_logged(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    querylog_set(100);
    for (unsigned i = 0; i < 300; i++) {
        clients[i].no_rd = true;
        client_ask(&clients[i], "a.test");
    }
    fake_turn();
    assert_int_equal(fake_counted(COUNTER_query_lines_written), 3);
    querylog_set(0);
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(fake_counted(COUNTER_query_lines_written), 3);
}

/* The alarm ends the program if a line blocks. */
static void unread_lines_are_counted(void **state)
{
    (void)state;
    static const char filler[4096];
    int ends[2];
    resolver_begin(1, 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof filler) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    log_to(ends[1]);
    alarm(10);
    for (unsigned i = 0; i < 300; i++) {
        clients[i].no_rd = true;
        client_ask(&clients[i], "a.test");
    }
    fake_turn();
    alarm(0);
    assert_int_equal(fake_counted(COUNTER_queries_finished), 300);
    assert_int_equal(fake_counted(COUNTER_query_lines_lost), 300);
    assert_int_equal(fake_counted(COUNTER_query_lines_written), 0);
    close(ends[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_miss_names_the_server_and_a_hit_none),
        TEST(a_failure_is_logged_with_duration_and_reason),
        TEST(stale_responses_are_logged_as_stale),
        TEST(local_responses_are_logged_as_local_or_refused),
        TEST(lines_of_a_turn_leave_together),
        TEST(one_query_in_n_is_logged),
        TEST(unread_lines_are_counted),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
