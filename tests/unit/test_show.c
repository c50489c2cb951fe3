/* SPDX-License-Identifier: MIT */
/* ctl/show: tables, missing members, invalid replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ctl/show.h"
#include "ctl/table.h"

static char *text;

static int shown(int (*show)(const json_t *, FILE *), const char *json)
{
    size_t len;
    free(text);
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    int status = table_show(json, out, show);
    fclose(out);
    return status;
}

static int end(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    return 0;
}

static void assert_shows(const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in:\n%s", part, text);
}

#define SERVER_A                                                                                                       \
    "{\"upstream\": \"a\", \"address\": \"192.0.2.1@853\", \"state\": \"failing\", \"sessions_open\": 0,"              \
    "\"in_flight\": 0, \"latency_ms\": 12.25, \"failures_in_a_row\": 4, \"last_error\": \"Connection refused\","       \
    "\"last_error_s_ago\": 61, \"last_session\": {\"version\": \"TLS1.3\", \"certificate\": \"c\","                    \
    "\"certificate_expires\": 99999999999}}"
#define SERVER_B                                                                                                         \
    "{\"upstream\": \"b\", \"address\": \"192.0.2.2@853\", \"state\": \"open\", \"sessions_open\": 2, \"in_flight\": 5," \
    "\"latency_ms\": 9, \"failures_in_a_row\": 0, \"last_error\": null, \"last_session\": {\"version\": \"TLS1.3\","     \
    "\"certificate\": \"d\\u001be\", \"certificate_expires\": 99999999999, \"pinned\": true}}"

static void status_is_ten_lines(void **state)
{
    (void)state;
    assert_int_equal(
        shown(
            show_status,
            "{\"state\": \"reduced\", \"state_s\": 120, \"why\": [\"upstream a is unreachable\"], \"version\": \"1.2\", \"pid\": 7,"
            "\"uptime_s\": 93784, \"workers\": 1, \"upstream_policy\": \"spread\", \"listen\": [\"127.0.0.1@53\", \"::1@53\"], \"queries_waiting\": 3,"
            "\"last_minute\": {\"queries_a_second\": 12.5, \"hit_ratio\": 0.875, \"stale\": 2, \"stale_ratio\": 0.05, \"failed_ratio\": 0.001},"
            "\"cache\": {\"entries\": 5, \"used_bytes\": 1048576, \"size_bytes\": 67108864}, \"log_level\": \"info\","
            "\"configuration\": {\"last_reload\": \"failed\", \"last_reload_s_ago\": 61, \"mistakes\": [\"f:1: x\"]},"
            "\"servers\": [" SERVER_A ", " SERVER_B "]}"),
        2);
    assert_shows("dotstub 1.2: reduced for 2 min 0 s, up 1 d 2 h, pid 7\n  upstream a is unreachable\n"
                 "encrypted to a: Connection refused, 1 min 1 s ago\n"
                 "encrypted to b: TLS1.3, certificate d?e, ");
    assert_shows(" left, pin matches\n"
                 "queries   12.5 a second, 87.5 % hits, 5.0 % stale, 0.1 % failed in the last minute, 3 waiting\n"
                 "cache     5 entries, 1.0 of 64.0 MiB\n"
                 "sessions  2 to 1 of 2 servers, 5 queries in flight; upstream policy: spread\n"
                 "listening 127.0.0.1@53, ::1@53; workers: 1; log level: info\n"
                 "reload    failed, 1 min 1 s ago: the previous configuration stays in force\n  f:1: x\n");
    unsigned lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    assert_in_range(lines, 8, 10);
}

/* A daemon that an attacker controls can reply anything. */
static void no_text_of_the_daemon_moves_the_cursor(void **state)
{
    (void)state;
    static const char evil[] = "\"x\\u001b]0;y\\u0007\\n\\u009bz\"";
    static const char *const members[] = {"upstream", "address", "state",      "transport",
                                          "fallback", "version", "last_error", "last_session"};
    static const char *const tops[] = {"state", "version", "pid", "listen", "workers", "log_level", "upstream_policy"};
    char json[4096], servers[2048] = "{";
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        snprintf(servers + strlen(servers), sizeof servers - strlen(servers), "%s\"%s\": %s", i ? ", " : "", members[i],
                 evil);
    snprintf(json, sizeof json, "{\"servers\": [%s}], \"why\": [%s], \"hosts\": [{\"host\": %s, \"last_error\": %s}]",
             servers, evil, evil, evil);
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json), ", \"%s\": %s", tops[i], evil);
    strcat(json, "}");
    assert_int_equal(shown(show_status, json), 2);
    assert_shows("because DNS over TLS does not work: x?]0;y????z");
    for (const char *at = text; *at; at++)
        assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
}

static void each_state_has_an_exit_status(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int status;
    } cases[] = {{"{\"state\": \"ok\", \"servers\": []}", 0},       {"{\"state\": \"reduced\", \"servers\": []}", 2},
                 {"{\"state\": \"draining\", \"servers\": []}", 2}, {"{\"state\": \"failing\", \"servers\": []}", 3},
                 {"{\"state\": \"down\", \"servers\": []}", 4},     {"{\"state\": \"other\", \"servers\": []}", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(shown(show_status, cases[i].json), cases[i].status);
}

static void servers_are_a_table(void **state)
{
    (void)state;
    assert_int_equal(shown(show_servers, "{\"servers\": [" SERVER_A ", " SERVER_B "]}"), 0);
    assert_string_equal(text,
                        "UPSTREAM  ADDRESS        STATE    SESSIONS  IN FLIGHT    MS  FAILURES  LAST ERROR\n"
                        "a         192.0.2.1@853  failing         0          0  12.2         4  Connection refused\n"
                        "b         192.0.2.2@853  open            2          5     9         0  -\n");
}

/* The upstream `a` works for names without a route, and fails for those of the group `work`. */
static void an_upstream_of_two_groups_has_two_lines(void **state)
{
    (void)state;
#define SERVER(group, state, session)                                                                                  \
    "{\"group\": \"" group "\", \"upstream\": \"a\", \"address\": \"192.0.2.1@853\", \"state\": \"" state "\", "       \
    "\"last_error\": \"Connection refused\", \"last_error_s_ago\": 1" session "}"
#define SERVERS                                                                                                        \
    "{\"state\": \"reduced\", \"servers\": [" SERVER(                                                                  \
        "root", "open", ", \"last_session\": {\"version\": \"TLS1.3\"}") ", " SERVER("work", "failing", "") "]}"
    assert_int_equal(shown(show_status, SERVERS), 2);
    assert_shows("encrypted to a: TLS1.3");
    assert_shows("encrypted to a (group work): Connection refused, 1 s ago\n");
    assert_int_equal(shown(show_servers, SERVERS), 0);
    assert_shows("GROUP  UPSTREAM  ADDRESS");
    assert_shows("\nwork   a         192.0.2.1@853  failing");
}

static void one_record_is_printed_in_full(void **state)
{
    (void)state;
    assert_int_equal(
        shown(
            show_explain,
            "{\"records\": [{\"id\": \"3fa2c1\", \"kind\": \"failed\", \"ended_s_ago\": 61, \"name\": \"a\\u001b.test.\", \"type\": \"A\","
            "\"rcode\": \"SERVFAIL\", \"transport\": \"UDP\", \"total_ms\": 312, \"explanation\": \"300 of 312 ms: the handshake\","
            "\"phases\": [{\"phase\": \"handshake\", \"ms\": 300}, {\"phase\": \"new\", \"ms\": 12}],"
            "\"server\": {\"upstream\": \"a\", \"address\": \"192.0.2.1@853\"}, \"session\": \"opened\", \"joined\": true, \"stale\": true,"
            "\"extended_error\": {\"code\": 23, \"text\": \"why\"}, \"attempts\": 2, \"sessions_lost\": 1, \"queries\": 3}]}"),
        0);
    assert_shows(
        "a?.test. A, SERVFAIL, over UDP, 1 min 1 s ago [3fa2c1]\n  300 of 312 ms: the handshake\n  joined a lookup in progress\n");
    assert_shows("  TLS handshake              300 ms\n  new                         12 ms\n");
    assert_shows("  server a 192.0.2.1@853, session opened\n  extended error 23 why\n"
                 "  the response was stale\n  2 attempts, 1 sessions lost\n  3 queries waited for this lookup\n");
}

static void a_trace_is_shown(void **state)
{
    (void)state;
    assert_int_equal(
        shown(
            show_trace,
            "{\"name\": \"a.test.\", \"type\": \"A\", \"rcode\": \"NOERROR\", \"answer_records\": 2, \"response_bytes\": 68, \"total_ms\": 12.25,"
            "\"step\": \"lookup\", \"cache\": {\"found\": \"hit\", \"ms\": 0.01, \"ttl\": 61, \"expired_s_ago\": null},"
            "\"lookup\": {\"joined\": false, \"phases\": [{\"phase\": \"response\", \"ms\": 12}]}}"),
        0);
    assert_shows("a.test. A: NOERROR, 2 records, 68 bytes, after 12.2 ms, by step lookup\n");
    assert_shows("  cache                      0.0 ms  hit, 1 min 1 s left; upstream queried anyway\n");
    assert_shows("  lookup                             new\n  waiting for the response    12 ms\n");
    assert_int_equal(
        shown(show_trace,
              "{\"name\": \"localhost.\", \"type\": \"A\", \"step\": \"special\", \"cache\": null, \"lookup\": null}"),
        0);
    assert_shows("by step special\n");
}

static void many_records_are_a_table(void **state)
{
    (void)state;
    assert_int_equal(shown(show_explain, "{\"records\": []}"), 0);
    assert_shows("no recorded query matches: only those that failed or waited longer than log.slow are recorded; "
                 "dotstubctl trace NAME sends one now\n");
    assert_int_equal(
        shown(
            show_explain,
            "{\"records\": [{}, {}, {}, {\"id\": \"3fa2c1\", \"total_ms\": 7, \"name\": \"a.test.\", \"reason\": \"connection refused\"}]}"),
        0);
    assert_shows("ID      KIND  S AGO  MS  RCODE  TYPE  NAME     REASON\n");
    assert_shows("3fa2c1  -         -   7  -      -     a.test.  connection refused\n");
}

static void missing_members_are_not_an_error(void **state)
{
    (void)state;
    assert_int_equal(shown(show_status, "{\"state\": \"ok\", \"servers\": [{}]}"), 0);
    assert_int_equal(shown(show_cache, "{\"entries\": [{}]}"), 0);
    assert_int_equal(shown(show_config, "{\"settings\": [{\"setting\": 1}]}"), 0);
    assert_shows("SETTING  VALUE  FROM\n1        -      -\n");
}

static void other_commands(void **state)
{
    (void)state;
    assert_int_equal(shown(show_stats, "{\"counters\": {\"cache_hits\": 12}}"), 0);
    assert_string_equal(text, "cache_hits                 12\n");
    assert_int_equal(shown(show_flush, "{\"flushed\": 3}"), 0);
    assert_string_equal(text, "3 entries flushed\n");
    assert_int_equal(shown(show_log, "{\"level\": \"debug\"}"), 0);
    assert_string_equal(text, "log level debug\n");
    assert_int_equal(
        shown(show_log,
              "{\"level\": \"info\", \"modules\": {\"tls\": \"debug\", \"link\": \"error\"}, \"queries_one_in\": 10}"),
        0);
    assert_string_equal(text, "log level info, tls debug, link error; logging one query in 10\n");
    assert_int_equal(shown(show_cache, "{\"name\": \"a.\", \"type\": \"A\", \"entries\": []}"), 0);
    assert_string_equal(text, "a. A: not in the cache\n");
    assert_int_equal(
        shown(
            show_cache,
            "{\"name\": \"a.\", \"type\": \"A\", \"entries\": [{\"rcode\": \"NOERROR\", \"dnssec_ok\": true, \"ttl\": 5, \"original_ttl\": 9,"
            "\"expired_s_ago\": null, \"size\": 60, \"authenticated\": true, \"extended_errors\": [{\"code\": 3, \"text\": \"x\"}],"
            "\"records\": [{\"section\": \"answer\", \"name\": \"a.\", \"type\": \"A\", \"ttl\": 5, \"data\": \"192.0.2.1\"}]}]}"),
        0);
    assert_string_equal(text, "a. A\nNOERROR, DO: 5 of 9 s left, 60 bytes, authenticated\n  extended error 3 x\n"
                              "NAME  TTL  TYPE  DATA\na.      5  A     192.0.2.1\n");
}

static void invalid_replies_are_refused(void **state)
{
    (void)state;
    static int (*const all[])(const json_t *, FILE *) = {show_status, show_stats, show_config,
                                                         show_cache,  show_flush, show_log};
    static const char *const wrong[] = {
        "", "x", "[]", "{}", "{\"servers\": 1}", "\"text\"", "{\"state\": null, \"servers\": []}"};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        for (unsigned j = 0; j < sizeof wrong / sizeof *wrong; j++)
            assert_int_equal(shown(all[i], wrong[j]), -EPROTO);
}

static void errors_are_sentences(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(show_error("{\"error\": \"no\\nsuch\"}", out, sizeof out), "no?such");
    assert_string_equal(show_error("plain words\nand more", out, sizeof out), "plain words");
    assert_string_equal(show_error("", out, sizeof out), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(status_is_ten_lines, end),
        cmocka_unit_test_teardown(no_text_of_the_daemon_moves_the_cursor, end),
        cmocka_unit_test_teardown(each_state_has_an_exit_status, end),
        cmocka_unit_test_teardown(servers_are_a_table, end),
        cmocka_unit_test_teardown(an_upstream_of_two_groups_has_two_lines, end),
        cmocka_unit_test_teardown(one_record_is_printed_in_full, end),
        cmocka_unit_test_teardown(a_trace_is_shown, end),
        cmocka_unit_test_teardown(many_records_are_a_table, end),
        cmocka_unit_test_teardown(missing_members_are_not_an_error, end),
        cmocka_unit_test_teardown(other_commands, end),
        cmocka_unit_test_teardown(invalid_replies_are_refused, end),
        cmocka_unit_test_teardown(errors_are_sentences, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
