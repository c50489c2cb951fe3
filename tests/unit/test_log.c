/* SPDX-License-Identifier: MIT */
/* base/log: the format of a line, and that no state of stderr does harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"

/* While a test runs, stderr is one end of a packet socket: one read is one write. */
static int kept_stderr, reader;
static char line[LOG_LINE_MAX + 1];

static int catch_stderr(void **state)
{
    (void)state;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    kept_stderr = dup(STDERR_FILENO);
    dup2(ends[0], STDERR_FILENO);
    close(ends[0]);
    reader = ends[1];
    unsetenv("JOURNAL_STREAM");
    clock_fake(0, 1700000000);
    log_set_level(LOG_LEVEL_INFO);
    log_set_output(STDERR_FILENO, LOG_FORMAT_TEXT);
    return 0;
}

static int give_stderr_back(void **state)
{
    (void)state;
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(reader);
    clock_real();
    unsetenv("JOURNAL_STREAM");
    return 0;
}

/* The next line; "" when there is none. */
static const char *logged(void)
{
    const ssize_t len = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);
    line[len > 0 ? len : 0] = '\0';
    return line;
}

static void a_line_has_time_level_module_and_sentence(void **state)
{
    (void)state;
    log_error("tls", "no %s in %d places", "luck", 3);
    assert_string_equal(logged(), "2023-11-14T22:13:20Z error tls: no luck in 3 places\n");
    log_warning("tls", "x");
    assert_string_equal(logged(), "2023-11-14T22:13:20Z warning tls: x\n");
    log_info("tls", "x");
    assert_string_equal(logged(), "2023-11-14T22:13:20Z info tls: x\n");
}

static void set_journal_stream(int inode_offset)
{
    struct stat stat;
    char text[64];
    assert_int_equal(fstat(STDERR_FILENO, &stat), 0);
    snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino + (uintmax_t)inode_offset);
    setenv("JOURNAL_STREAM", text, 1);
}

static void the_journal_gets_priorities(void **state)
{
    (void)state;
    set_journal_stream(0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_error("tls", "x");
    assert_string_equal(logged(), "<3>error tls: x\n");
    log_warning("tls", "x");
    assert_string_equal(logged(), "<4>warning tls: x\n");
    log_info("tls", "x");
    assert_string_equal(logged(), "<6>info tls: x\n");
    log_debug("tls", "x");
    assert_string_equal(logged(), "<7>debug tls: x\n");
}

static void an_inherited_journal_that_is_not_stderr_does_not_count(void **state)
{
    (void)state;
    set_journal_stream(1);
    log_error("tls", "x");
    assert_string_equal(logged(), "2023-11-14T22:13:20Z error tls: x\n");
    setenv("JOURNAL_STREAM", "garbage", 1);
    log_error("tls", "x");
    assert_string_equal(logged(), "2023-11-14T22:13:20Z error tls: x\n");
}

static void less_severe_levels_are_not_logged(void **state)
{
    (void)state;
    log_debug("tls", "x");
    assert_string_equal(logged(), "");
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(log_level(), LOG_LEVEL_ERROR);
    assert_false(log_enabled(LOG_LEVEL_WARNING, "tls"));
    log_warning("tls", "x");
    assert_string_equal(logged(), "");
    log_error("tls", "x");
    assert_string_not_equal(logged(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    assert_true(log_enabled(LOG_LEVEL_DEBUG, "tls"));
    log_debug("tls", "x");
    assert_string_not_equal(logged(), "");
}

static void a_module_may_have_a_level_of_its_own(void **state)
{
    (void)state;
    unsigned tls = log_find_module("tls");
    assert_string_equal(log_module_name(tls), "tls");
    log_set_module_level(tls, LOG_LEVEL_DEBUG);
    assert_int_equal(log_module_level(tls), LOG_LEVEL_DEBUG);
    assert_int_equal(log_level(), LOG_LEVEL_INFO);
    log_debug("upstream", "x");
    log_debug("no module", "x");
    assert_string_equal(logged(), "");
    log_debug("tls", "x");
    assert_string_equal(logged(), "2023-11-14T22:13:20Z debug tls: x\n");
    log_set_module_level(tls, LOG_LEVEL_ERROR);
    log_warning("tls", "x");
    assert_string_equal(logged(), "");
    log_info("upstream", "x");
    assert_string_equal(logged(), "2023-11-14T22:13:20Z info upstream: x\n");
    log_set_level(LOG_LEVEL_WARNING); /* all of them */
    log_info("no module", "x");
    assert_string_equal(logged(), "");
    log_warning("tls", "x");
    assert_string_not_equal(logged(), "");
}

static void modules_are_found_by_name(void **state)
{
    (void)state;
    char list[512] = "";
    for (unsigned i = 0; i < LOG_MODULE_COUNT; i++) {
        assert_int_equal(log_find_module(log_module_name(i)), i);
        strcat(list, i ? ", " : "");
        strcat(list, log_module_name(i));
    }
    assert_string_equal(log_module_list(), list);
    assert_int_equal(log_find_module("tl"), LOG_MODULE_COUNT);
    assert_int_equal(log_find_module(""), LOG_MODULE_COUNT);
}

static void json_has_the_same_in_an_object(void **state)
{
    (void)state;
    log_set_output(STDERR_FILENO, LOG_FORMAT_JSON);
    log_error("tls", "a \"b\" \\ c\n\xc2");
    assert_string_equal(logged(), "{\"time\": \"2023-11-14T22:13:20Z\", \"level\": \"error\", \"module\": \"tls\", "
                                  "\"message\": \"a \\\"b\\\" \\\\ c\\\\x0a\\\\xc2\"}\n");
    set_journal_stream(0);
    log_info("tls", "x");
    assert_string_equal(logged(), "<6>{\"time\": \"2023-11-14T22:13:20Z\", \"level\": \"info\", \"module\": \"tls\", "
                                  "\"message\": \"x\"}\n");
}

static void json_is_cut_inside_the_sentence(void **state)
{
    (void)state;
    static char text[2000];
    log_set_output(STDERR_FILENO, LOG_FORMAT_JSON);
    memset(text, '\n', sizeof(text) - 1);
    for (int pad = 0; pad < 5; ++pad) {
        log_error("tls", "%.*s%s", pad, "abcd", text);
        const size_t len = strlen(logged());
        assert_in_range(len, LOG_LINE_MAX - 5, LOG_LINE_MAX);
        assert_string_equal(line + len - 8, "\\\\x0a\"}\n");
    }
}

static void fields_are_printed_with_their_keys(void **state)
{
    (void)state;
    char out[LOG_LINE_MAX + 1];
    const struct log_field fields[] = {
        {"word", "a.example.", 0}, {"number", NULL, UINT64_MAX}, {"text", "a \"b\"\n", 0}, {"empty", "", 0}};
    out[log_line(out, LOG_LEVEL_INFO, "query", fields, 4)] = '\0';
    assert_string_equal(out, "2023-11-14T22:13:20Z info query: word=a.example. number=18446744073709551615 "
                             "text=\"a \\\"b\\\"\\\\x0a\" empty=\"\"\n");
    log_set_output(STDERR_FILENO, LOG_FORMAT_JSON);
    out[log_line(out, LOG_LEVEL_INFO, "query", fields, 2)] = '\0';
    assert_string_equal(out, "{\"time\": \"2023-11-14T22:13:20Z\", \"level\": \"info\", \"module\": \"query\", "
                             "\"word\": \"a.example.\", \"number\": 18446744073709551615}\n");
}

/* Covers every point at which a field may not fit: the line ends correctly, and later fields that fit are printed. */
static void a_field_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    static char text[LOG_LINE_MAX + 2], out[LOG_LINE_MAX];
    for (int json = 0; json < 2; json++) {
        log_set_output(STDERR_FILENO, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        for (size_t most = LOG_LINE_MAX - 200; most <= LOG_LINE_MAX; most++) {
            memset(text, 'x', most);
            text[most] = '\0';
            const struct log_field fields[] = {{"long", text, 0}, {"n", NULL, 7}};
            const size_t len = log_line(out, LOG_LEVEL_INFO, "query", fields, 2);
            assert_in_range(len, 1, LOG_LINE_MAX);
            assert_int_equal(out[len - 1], '\n');
            if (json)
                assert_int_equal(out[len - 2], '}');
            if (len < 200)
                assert_non_null(memmem(out, len, json ? "\"n\": 7" : "n=7", 4 - 1));
        }
    }
}

static void strange_bytes_are_escaped(void **state)
{
    (void)state;
    log_error("tls", "a\nb\tc\x1b[1m\x7f\xc2\x9b\r~ \\");
    assert_string_equal(logged(), "2023-11-14T22:13:20Z error tls: a\\x0ab\\x09c\\x1b[1m\\x7f\\xc2\\x9b\\x0d~ \\\n");
}

static void a_long_line_is_cut_at_1000_bytes(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    log_error("tls", "%s", text);
    assert_int_equal(strlen(logged()), 1000);
    assert_string_equal(line + 997, "xx\n");
}

/* Covers every offset of the cut within an escape. */
static void the_cut_is_never_inside_an_escape(void **state)
{
    (void)state;
    static char text[2000];
    memset(text, '\n', sizeof(text) - 1);
    for (int pad = 0; pad < 4; ++pad) {
        log_error("tls", "%.*s%s", pad, "abc", text);
        const size_t len = strlen(logged());
        assert_in_range(len, 997, 1000);
        assert_string_equal(line + len - 5, "\\x0a\n");
    }
}

static void errno_is_preserved(void **state)
{
    (void)state;
    set_journal_stream(0);
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_error("tls", "x");
    assert_int_equal(errno, ENOTTY);
}

static void a_closed_stderr_is_no_error(void **state)
{
    (void)state;
    close(STDERR_FILENO);
    log_error("tls", "x");
    assert_string_equal(logged(), "");
}

static void a_missing_reader_is_not_an_error(void **state)
{
    (void)state;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    close(ends[0]);
    log_error("tls", "x");
    signal(SIGPIPE, SIG_DFL);
}

/* The alarm ends the program if the line blocks. */
static void a_full_pipe_does_not_block(void **state)
{
    (void)state;
    int ends[2];
    static const char filler[4096];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof(filler)) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    alarm(10);
    log_error("tls", "x");
    alarm(0);
    close(ends[0]);
}

/* A terminal that nobody reads takes part of a line at most. */
static void a_full_terminal_does_not_block(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    dup2(slave, STDERR_FILENO);
    close(slave);
    log_set_output(STDERR_FILENO, LOG_FORMAT_TEXT);
    alarm(10);
    for (int i = 0; i < 2000; i++)
        log_error("tls", "%0500d", i);
    alarm(0);
    close(master);
}

static void dropped_lines_are_counted_in_the_log(void **state)
{
    (void)state;
    static char filler[4096], got[5000];
    int ends[2];
    log_error("tls", "tells of those that other tests lost");
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof(filler)) > 0)
        ;
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_error("tls", "first");
    assert_false(log_put("a\nb\n", 4));
    while (read(ends[0], filler, sizeof(filler)) > 0)
        ;
    log_error("tls", "third");
    got[read(ends[0], got, sizeof(got) - 1)] = '\0';
    assert_string_equal(
        got, "2023-11-14T22:13:20Z warning log: 3 log lines before this one were dropped: their reader was too slow\n"
             "2023-11-14T22:13:20Z error tls: third\n");
    log_error("tls", "fourth");
    got[read(ends[0], got, sizeof(got) - 1)] = '\0';
    assert_string_equal(got, "2023-11-14T22:13:20Z error tls: fourth\n");
    close(ends[0]);
}

static void a_limit_lets_one_through_each_ten_seconds(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t suppressed = 99;
    assert_true(log_allowed(&limit, 0, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_false(log_allowed(&limit, 0, &suppressed));
    assert_false(log_allowed(&limit, 9999, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_true(log_allowed(&limit, 10000, &suppressed));
    assert_int_equal(suppressed, 2);
    assert_false(log_allowed(&limit, 19999, &suppressed));
    assert_true(log_allowed(&limit, 50000, &suppressed));
    assert_int_equal(suppressed, 1);
    assert_true(log_allowed(&limit, 60000, &suppressed));
    assert_int_equal(suppressed, 0);
}

static void a_shared_limit_lets_one_through_each_ten_seconds(void **state)
{
    (void)state;
    struct log_shared_limit limit = {0};
    assert_true(log_allowed_shared(&limit, 5));
    assert_false(log_allowed_shared(&limit, 5));
    assert_false(log_allowed_shared(&limit, 10004));
    assert_true(log_allowed_shared(&limit, 10005));
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, catch_stderr, give_stderr_back)

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static void a_condition_that_lasts_gets_ever_fewer_lines(void **state)
{
    (void)state;
    static struct log_repeats repeats = LOG_REPEATS_INIT;
    static const uint64_t expected[] = {0, 10 * SECOND, 70 * SECOND, 670 * SECOND, 4270 * SECOND, 7870 * SECOND};
    unsigned lines = 0;
    uint64_t suppressed;
    for (uint64_t now = 0; now < 24 * (uint64_t)HOUR; now += 500) {
        if (!log_repeat_allowed(&repeats, 7, false, now + 1, &suppressed))
            continue;
        if (lines < sizeof(expected) / sizeof(*expected))
            assert_int_equal(now, expected[lines]);
        lines++;
    }
    assert_in_range(lines, 24, 30);
}

static void a_condition_that_returns_gets_a_line_at_once_but_not_for_ever(void **state)
{
    (void)state;
    static struct log_repeats repeats = LOG_REPEATS_INIT;
    unsigned lines = 0;
    uint64_t suppressed, now = 1;
    for (unsigned i = 0; i < 24 * 60 / 2; i++, now += 2 * MINUTE)
        lines += log_repeat_allowed(&repeats, 7, false, now, &suppressed);
    assert_in_range(lines, 24, 40);
    assert_true(log_repeat_allowed(&repeats, 7, false, now + 2 * HOUR, &suppressed)); /* it was away */
}

static void somebody_new_counts_as_a_new_condition(void **state)
{
    (void)state;
    static struct log_repeats repeats = LOG_REPEATS_INIT;
    uint64_t suppressed;
    assert_true(log_repeat_allowed(&repeats, 7, true, 1000, &suppressed));
    assert_true(log_repeat_allowed(&repeats, 8, false, 1000, &suppressed)); /* another condition */
    assert_false(log_repeat_allowed(&repeats, 7, true, 1250, &suppressed));
    assert_true(log_repeat_allowed(&repeats, 7, true, 11000, &suppressed));
    assert_int_equal(suppressed, 1);
    assert_false(log_repeat_allowed(&repeats, 7, true, 21001, &suppressed)); /* at least 20 s now */
    assert_true(log_repeat_allowed(&repeats, 7, true, 31000, &suppressed));
    log_repeats_reset(&repeats);
    assert_true(log_repeat_allowed(&repeats, 7, false, 31001, &suppressed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_has_time_level_module_and_sentence),
        LOG_TEST(the_journal_gets_priorities),
        LOG_TEST(an_inherited_journal_that_is_not_stderr_does_not_count),
        LOG_TEST(less_severe_levels_are_not_logged),
        LOG_TEST(a_module_may_have_a_level_of_its_own),
        LOG_TEST(modules_are_found_by_name),
        LOG_TEST(json_has_the_same_in_an_object),
        LOG_TEST(json_is_cut_inside_the_sentence),
        LOG_TEST(fields_are_printed_with_their_keys),
        LOG_TEST(a_field_that_does_not_fit_is_left_out),
        LOG_TEST(strange_bytes_are_escaped),
        LOG_TEST(a_long_line_is_cut_at_1000_bytes),
        LOG_TEST(the_cut_is_never_inside_an_escape),
        LOG_TEST(errno_is_preserved),
        LOG_TEST(a_closed_stderr_is_no_error),
        LOG_TEST(a_missing_reader_is_not_an_error),
        LOG_TEST(a_full_pipe_does_not_block),
        LOG_TEST(a_full_terminal_does_not_block),
        LOG_TEST(dropped_lines_are_counted_in_the_log),
        cmocka_unit_test(a_shared_limit_lets_one_through_each_ten_seconds),
        cmocka_unit_test(a_limit_lets_one_through_each_ten_seconds),
        cmocka_unit_test(a_condition_that_lasts_gets_ever_fewer_lines),
        cmocka_unit_test(a_condition_that_returns_gets_a_line_at_once_but_not_for_ever),
        cmocka_unit_test(somebody_new_counts_as_a_new_condition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
