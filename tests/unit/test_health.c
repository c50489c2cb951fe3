/* SPDX-License-Identifier: MIT */
/* control/health: the state of the daemon, since when and why; the last minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/log.h"
#include "control/health.h"

static struct server_report servers[4];
static struct gather_sum sum = {.servers = servers, .server_count = 4};
static struct daemon_health health;
static char said[2048];

static int setup(void **state)
{
    (void)state;
    memset(servers, 0, sizeof servers);
    for (unsigned i = 0; i < 4; i++) {
        strcpy(servers[i].upstream, i < 3 ? "one" : "two");
        servers[i].state = SERVER_UNKNOWN;
        if (addr_parse(&servers[i].addr, "192.0.2.1@853", 0) < 0)
            return -1;
    }
    health = (struct daemon_health){.state = HEALTH_OK};
    memset(sum.counters, 0, sizeof sum.counters);
    sum.tally = (struct tally){.other_rcode = 0};
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

/* The state at that moment; the reasons are in `said`. */
static enum health_state at(uint64_t now_ms)
{
    said[0] = '\0';
    health_observe(&health, &sum, now_ms);
    health_why(&health, &sum, now_ms, say, NULL);
    return health.state;
}

static void queries(unsigned answered, unsigned not_answered)
{
    sum.counters[COUNTER_queries_finished] += answered + not_answered;
    sum.counters[COUNTER_queries_failed] += not_answered;
    for (unsigned i = 0; i < not_answered; i++)
        reasons_note(&sum.tally.failures, -ECONNREFUSED);
}

static void servers_that_nobody_has_dialled_are_no_reason(void **state)
{
    (void)state;
    assert_int_equal(at(1), HEALTH_OK);
    servers[0].state = SERVER_CONNECTING;
    assert_int_equal(at(2), HEALTH_OK);
    assert_string_equal(said, "");
    assert_int_equal(health.since_ms, 1);
}

static void one_usable_server_is_enough_for_its_upstream(void **state)
{
    (void)state;
    failed(0, -ECONNREFUSED, 1);
    servers[2].state = SERVER_OPEN;
    assert_int_equal(at(1), HEALTH_OK);
    servers[2].state = SERVER_IDLE;
    assert_int_equal(at(2), HEALTH_OK);
    failed(2, -ECONNREFUSED, 1);
    assert_int_equal(at(3), HEALTH_REDUCED);
    assert_int_equal(health.since_ms, 3);
    assert_int_equal(health_unusable(&sum), 1);
}

static void each_upstream_has_a_sentence_with_its_latest_failure(void **state)
{
    (void)state;
    servers[3].state = SERVER_IDLE;
    failed(0, -ECONNREFUSED, 1);
    failed(1, ERROR_TLS_NAME, 2);
    assert_int_equal(at(1), HEALTH_REDUCED);
    assert_string_equal(said, "upstream one is unreachable: 192.0.2.1@853: certificate is for another name\n");
}

static void an_upstream_of_two_groups_is_told_once(void **state)
{
    (void)state;
    strcpy(servers[0].upstream, "two");
    strcpy(servers[3].group, "work");
    failed(0, -ECONNREFUSED, 1);
    failed(3, -ECONNREFUSED, 2);
    assert_int_equal(at(2), HEALTH_REDUCED);
    assert_string_equal(said, "upstream two is unreachable: 192.0.2.1@853: Connection refused\n");
    assert_int_equal(health_unusable(&sum), 1);
    servers[0].state = SERVER_OPEN; /* it is unusable in the second group alone */
    assert_int_equal(at(3), HEALTH_REDUCED);
    assert_int_equal(health_unusable(&sum), 1);
    failed(0, -ECONNREFUSED, 4); /* another upstream with this name, of a route */
    assert_int_equal(addr_parse(&servers[3].addr, "192.0.2.2@853", 0), 0);
    assert_int_equal(health_unusable(&sum), 2);
}

static void without_any_usable_server_it_is_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        failed(i, -ENETUNREACH, 1);
    assert_int_equal(at(5), HEALTH_DOWN);
    assert_non_null(strstr(said, "no upstream is usable"));
    assert_non_null(strstr(said, "upstream one"));
    assert_non_null(strstr(said, "upstream two"));
    servers[3].state = SERVER_UNKNOWN; /* nobody knows whether it works */
    assert_int_equal(at(6), HEALTH_REDUCED);
    servers[3].state = SERVER_OPEN;
    assert_int_equal(at(7), HEALTH_REDUCED);
    servers[0].state = SERVER_OPEN;
    assert_int_equal(at(8), HEALTH_OK);
    assert_int_equal(health.since_ms, 8);
    assert_int_equal(at(9), HEALTH_OK);
    assert_int_equal(health.since_ms, 8);
}

static void more_than_one_failed_query_in_twenty_is_failing(void **state)
{
    (void)state;
    queries(1000, 1000); /* before the first report: not within a minute */
    health_observe(&health, &sum, 1);
    queries(0, 19); /* too few to tell */
    assert_int_equal(at(60001), HEALTH_OK);
    health = (struct daemon_health){.state = HEALTH_OK};
    health_observe(&health, &sum, 1);
    queries(19, 1); /* 5 % */
    assert_int_equal(at(2), HEALTH_OK);
    queries(0, 1);
    assert_int_equal(at(3), HEALTH_FAILING);
    assert_string_equal(said, "2 of 21 queries within the last minute were not answered by any upstream; most often: "
                              "Connection refused\n");
    queries(100, 0);
    assert_int_equal(at(4), HEALTH_OK);
}

static void failures_count_for_a_minute(void **state)
{
    (void)state;
    uint64_t now_ms = 1;
    health_observe(&health, &sum, now_ms);
    queries(0, 20);
    for (; now_ms <= 55001; now_ms += 5000)
        assert_int_equal(at(now_ms), HEALTH_FAILING);
    for (; now_ms <= 75001; now_ms += 5000)
        (void)at(now_ms);
    assert_int_equal(health.state, HEALTH_OK);
    struct health_minute minute;
    health_last_minute(&health, &sum, now_ms, &minute);
    assert_int_equal(minute.failed, 0);
    assert_null(reasons_top(&minute.failures));
    assert_in_range(minute.span_ms, 60000, 65000);
}

static void a_quiet_time_does_not_lengthen_the_minute(void **state)
{
    (void)state;
    health_observe(&health, &sum, 1);
    queries(0, 10);
    health_observe(&health, &sum, 5001);
    for (uint64_t now_ms = 60001; now_ms <= 3600001; now_ms += 60000)
        health_rest(&health, now_ms);
    queries(10, 10);
    assert_int_equal(at(3605001), HEALTH_FAILING);
    struct health_minute minute;
    health_last_minute(&health, &sum, 3605001, &minute);
    assert_int_equal(minute.queries, 20);
    assert_in_range(minute.span_ms, 60000, 65001);
}

static void an_outage_of_all_upstreams_passes_through_the_states(void **state)
{
    (void)state;
    health_observe(&health, &sum, 1);
    for (unsigned i = 0; i < 4; i++)
        servers[i].state = SERVER_OPEN;
    queries(100, 0);
    assert_int_equal(at(10000), HEALTH_OK);
    for (unsigned i = 0; i < 4; i++)
        failed(i, -ENETUNREACH, 11000);
    queries(0, 30);
    assert_int_equal(at(12000), HEALTH_DOWN); /* not only failing */
    assert_int_equal(health.since_ms, 12000);
    for (unsigned i = 0; i < 4; i++)
        servers[i].state = SERVER_OPEN;
    assert_int_equal(at(20000), HEALTH_FAILING); /* until the failed queries are a minute old */
    queries(1000, 0);
    assert_int_equal(at(21000), HEALTH_OK);
}

static void each_state_has_a_word(void **state)
{
    (void)state;
    static const char *const words[HEALTH_STATES] = {"ok", "reduced", "failing", "down"};
    for (unsigned i = 0; i < HEALTH_STATES; i++)
        assert_string_equal(health_name((enum health_state)i), words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(servers_that_nobody_has_dialled_are_no_reason, setup),
        cmocka_unit_test_setup(one_usable_server_is_enough_for_its_upstream, setup),
        cmocka_unit_test_setup(each_upstream_has_a_sentence_with_its_latest_failure, setup),
        cmocka_unit_test_setup(an_upstream_of_two_groups_is_told_once, setup),
        cmocka_unit_test_setup(without_any_usable_server_it_is_down, setup),
        cmocka_unit_test_setup(more_than_one_failed_query_in_twenty_is_failing, setup),
        cmocka_unit_test_setup(failures_count_for_a_minute, setup),
        cmocka_unit_test_setup(a_quiet_time_does_not_lengthen_the_minute, setup),
        cmocka_unit_test_setup(an_outage_of_all_upstreams_passes_through_the_states, setup),
        cmocka_unit_test_setup(each_state_has_a_word, setup),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
