/* SPDX-License-Identifier: MIT */
/* DNS cookies: the examples of RFC 9018 appendix A, and RFC 7873 section 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "asker.h"
#include "policy/steps.h"

#define CLIENT     "2464c4abcf10c957"
#define SECRET     "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define OLD_SECRET "dd3bdf9344b678b185a6f5cb60fca715"
#define NEW_SECRET "445536bcd2513298075a5d379663c962"

enum { TIME = 1559731985, DAY_MS = 24 * 3600 * 1000 };

static bool proven; /* of the last query that passed */

static enum verdict pass(struct query *query, void *state)
{
    proven = !query_may_be_forged(query);
    return asker_pass(query, state);
}

/* Demands proof of the address for ANY, as the rate limit and the rule for ANY do. */
static enum verdict demand(struct query *query, void *state)
{
    (void)state;
    return query->key.type == TYPE_ANY ? query_demand_proof(query) : NEXT;
}

static const struct step step_demand = {.name = "demand", .run = demand};
static const struct step step_pass = {.name = "pass", .run = pass};
static const struct step *const steps[] = {&step_cookies, &step_demand, &step_refuse, &step_pass, NULL};

static struct prefix everybody[2];
static char secret_file[64];
static uint8_t options[256];

static void at(struct asker *asker, int64_t wall_s, uint64_t ms)
{
    clock_fake(ms * 1000, wall_s);
    asker->loop.now_ms = ms;
}

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    assert_int_equal(prefix_parse(&everybody[0], "0.0.0.0/0"), 0);
    assert_int_equal(prefix_parse(&everybody[1], "::/0"), 0);
    asker->config.access.allow = everybody;
    asker->config.access.allow_count = 2;
    asker->config.cookies = true;
    asker->edns = true;
    asker_from(asker, "198.51.100.100");
    at(asker, TIME, 1000);
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    clock_real();
    return 0;
}

static void write_secrets(const char *text)
{
    FILE *file = fopen(secret_file, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void with_secrets(struct asker *asker, const char *text)
{
    write_secrets(text);
    asker->config.cookie_secret_file = NULL;
    asker_configure(asker); /* otherwise the step finds no change of the configuration */
    asker->config.cookie_secret_file = secret_file;
}

static void give_cookie(struct asker *asker, const char *hex)
{
    size_t len = strlen(hex) / 2;
    write_u16(options, OPTION_CODE_COOKIE);
    write_u16(options + 2, (uint16_t)len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &options[4 + i]), 1);
    asker->options = (struct bytes){options, 4 + len};
}

/* The cookie of the response, "" if there is none. */
static const char *cookie_got(const struct asker *asker)
{
    static char hex[2 * EDIT_COOKIE + 1];
    struct bytes cookie = asker_option(asker, OPTION_CODE_COOKIE);
    assert_true(cookie.len == 0 || cookie.len == EDIT_COOKIE);
    hex[0] = '\0';
    for (size_t i = 0; i < cookie.len; i++)
        sprintf(hex + 2 * i, "%02x", cookie.data[i]);
    return hex;
}

/* Sends a query with this cookie and returns the cookie of the response, which is an error response: only the
 * cookie matters. */
static const char *exchange(struct asker *asker, const char *cookie)
{
    give_cookie(asker, cookie);
    asker_ask(asker, "www.example", TYPE_OPT);
    assert_true(asker_was_answered(asker, RCODE_NOTIMP));
    return cookie_got(asker);
}

static bool proves(struct asker *asker, const char *cookie)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", cookie);
    give_cookie(asker, copy);
    asker_ask(asker, "www.example", TYPE_A);
    assert_int_equal(asker->passed, 1);
    return proven;
}

/* --- RFC 9018 appendix A --- */

static void test_a_cookie_is_learned(void **state)
{
    struct asker *asker = *state;
    with_secrets(asker, SECRET "\n");
    assert_string_equal(exchange(asker, CLIENT), CLIENT "010000005cf79f111f8130c3eee29480");
    assert_true(proves(asker, CLIENT "010000005cf79f111f8130c3eee29480"));
    assert_int_equal(counter_read(&asker->counters, COUNTER_cookies_valid), 1);
    assert_int_equal(counter_read(&asker->counters, COUNTER_cookies_invalid), 0);
}

static void test_a_cookie_of_half_an_hour_is_renewed(void **state)
{
    struct asker *asker = *state;
    static const char cookie[] = CLIENT "010000005cf79f111f8130c3eee29480";
    with_secrets(asker, SECRET);
    at(asker, TIME + 1800, 1000);
    assert_string_equal(exchange(asker, cookie), cookie);
    at(asker, 1559734385, 1000);
    assert_true(proves(asker, cookie));
    assert_string_equal(exchange(asker, cookie), CLIENT "010000005cf7a871d4a564a1442aca77");
}

static void test_reserved_bytes_are_another_servers_to_use(void **state)
{
    struct asker *asker = *state;
    static const char cookie[] = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
    with_secrets(asker, SECRET);
    asker_from(asker, "203.0.113.203");
    at(asker, 1559727985 + 60, 1000);
    assert_true(proves(asker, cookie));
    at(asker, 1559734700, 1000);
    assert_false(proves(asker, cookie));
    assert_string_equal(exchange(asker, cookie), "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
}

static void test_secrets_roll_over(void **state)
{
    struct asker *asker = *state;
    static const char cookie[] = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
    asker_from(asker, "2001:db8:220:1:59de:d0f4:8769:82b8");
    at(asker, 1559741961, 1000);
    with_secrets(asker, NEW_SECRET);
    assert_false(proves(asker, cookie));
    with_secrets(asker, "# the second one is on its way out\n\n" NEW_SECRET "\r\n" OLD_SECRET "\n");
    assert_true(proves(asker, cookie));
    assert_string_equal(exchange(asker, cookie), "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
    with_secrets(asker, OLD_SECRET "\n" NEW_SECRET "\n");
    assert_true(proves(asker, cookie));
    assert_string_equal(exchange(asker, cookie), cookie);
}

/* --- validity --- */

static void test_a_cookie_is_valid_for_an_hour(void **state)
{
    struct asker *asker = *state;
    static const char cookie[] = CLIENT "010000005cf79f111f8130c3eee29480";
    static const struct {
        int64_t after;
        bool valid;
    } times[] = {{-301, false}, {-300, true},       {0, true},        {3600, true},
                 {3601, false}, {1LL << 31, false}, {1LL << 32, true}};
    with_secrets(asker, SECRET);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        at(asker, TIME + times[i].after, 1000);
        assert_int_equal(proves(asker, cookie), times[i].valid);
    }
}

static void test_any_change_makes_a_cookie_invalid(void **state)
{
    struct asker *asker = *state;
    char cookie[64];
    with_secrets(asker, SECRET);
    for (size_t i = 0; i < 48; i++) {
        strcpy(cookie, CLIENT "010000005cf79f111f8130c3eee29480");
        cookie[i] = cookie[i] == '0' ? '1' : '0';
        assert_false(proves(asker, cookie));
    }
    strcpy(cookie, CLIENT "010000005cf79f111f8130c3eee29480");
    assert_true(proves(asker, cookie));
    asker_from(asker, "198.51.100.101");
    assert_false(proves(asker, cookie));
    asker_from(asker, "::ffff:198.51.100.100");
    assert_false(proves(asker, cookie));
    asker_from(asker, "198.51.100.100");
    assert_false(proves(asker, CLIENT "010000005cf79f111f8130c3"));           /* shorter than ours */
    assert_false(proves(asker, CLIENT "010000005cf79f111f8130c3eee2948000")); /* longer */
    assert_int_equal(counter_read(&asker->counters, COUNTER_cookies_invalid), 48 + 2 + 2);
}

/* The secrets of a process: a new one each day, and cookies of the previous one are valid. */
static void test_without_a_file_secrets_roll_over_by_the_day(void **state)
{
    struct asker *asker = *state;
    char first[64];
    at(asker, TIME, DAY_MS - 1000);
    snprintf(first, sizeof first, "%s", exchange(asker, CLIENT));
    assert_int_equal(strlen(first), 2 * EDIT_COOKIE);
    assert_true(proves(asker, first));
    at(asker, TIME + 2, DAY_MS + 1000);
    assert_true(proves(asker, first));
    assert_string_not_equal(exchange(asker, first), first);
    at(asker, TIME + 2, 2 * (uint64_t)DAY_MS + 1000);
    assert_false(proves(asker, first));
    asker->config.access.deny = DENY_DROP; /* a reload keeps them */
    at(asker, TIME, DAY_MS - 1000);
    assert_true(proves(asker, first));
}

/* --- RFC 7873 section 5 --- */

static void test_lengths_that_no_cookie_has(void **state)
{
    struct asker *asker = *state;
    char hex[2 * 60 + 1];
    for (size_t len = 0; len <= 60; len++) {
        bool good = len == 8 || (len >= 16 && len <= 40);
        memset(hex, '7', 2 * len);
        hex[2 * len] = '\0';
        give_cookie(asker, hex);
        asker_ask(asker, "www.example", TYPE_A);
        assert_int_equal(asker->passed, good);
        assert_true(good || asker_was_answered(asker, RCODE_FORMERR));
    }
}

static void test_proof_is_demanded_of_clients_with_cookies_by_badcookie(void **state)
{
    struct asker *asker = *state;
    give_cookie(asker, CLIENT);
    asker_ask(asker, "Www.example", TYPE_ANY);
    assert_int_equal(asker->replies, 1);
    assert_int_equal(ldns_pkt_get_rcode(asker->packet) | ldns_pkt_edns_extended_rcode(asker->packet) << 4,
                     RCODE_BADCOOKIE);
    assert_false(ldns_pkt_tc(asker->packet));
    assert_int_equal(strlen(cookie_got(asker)), 2 * EDIT_COOKIE);
    assert_true(proves(asker, cookie_got(asker)));
    asker->options.len = 0;
    asker_ask(asker, "www.example", TYPE_ANY);
    assert_true(ldns_pkt_tc(asker->packet));
    assert_string_equal(cookie_got(asker), "");
}

static void expect_without_question(struct asker *asker, const char *cookie, unsigned rcode)
{
    give_cookie(asker, cookie);
    asker->no_question = true;
    asker_ask(asker, "", TYPE_A);
    asker->no_question = false;
    assert_int_equal(asker->replies, 1);
    assert_int_equal(ldns_pkt_get_rcode(asker->packet) | ldns_pkt_edns_extended_rcode(asker->packet) << 4, rcode);
    assert_int_equal(ldns_pkt_qdcount(asker->packet) + ldns_pkt_ancount(asker->packet), 0);
}

/* Section 5.4 */
static void test_a_query_without_a_question_is_for_the_cookie(void **state)
{
    struct asker *asker = *state;
    char cookie[64];
    for (int tcp = 0; tcp < 2; tcp++) {
        asker->tcp = tcp;
        expect_without_question(asker, CLIENT, RCODE_NOERROR);
        snprintf(cookie, sizeof cookie, "%s", cookie_got(asker));
        expect_without_question(asker, cookie, RCODE_NOERROR);
        assert_string_equal(cookie_got(asker), cookie);
        cookie[40] ^= 1;
        expect_without_question(asker, cookie, RCODE_BADCOOKIE);
        cookie[40] ^= 1;
        assert_string_equal(cookie_got(asker), cookie);
        expect_without_question(asker, "0011", RCODE_FORMERR);
    }
    asker_from(asker, "127.0.0.1");
    expect_without_question(asker, CLIENT, RCODE_FORMERR);
    asker_from(asker, "198.51.100.100");
    asker->config.cookies = false;
    expect_without_question(asker, CLIENT, RCODE_FORMERR);
}

/* --- clients that get no cookie --- */

static void test_none_on_loopback(void **state)
{
    struct asker *asker = *state;
    asker_from(asker, "127.0.0.2");
    assert_string_equal(exchange(asker, CLIENT), "");
    assert_string_equal(exchange(asker, "00"), "");
    asker_from(asker, "::1");
    assert_string_equal(exchange(asker, CLIENT), "");
    asker_from(asker, "::2");
    assert_int_equal(strlen(exchange(asker, CLIENT)), 2 * EDIT_COOKIE);
}

static void test_the_step_is_left_out_where_nobody_gets_one(void **state)
{
    struct asker *asker = *state;
    asker_ask(asker, "www.example", TYPE_A);
    assert_ptr_equal(asker->resolver.active[0].run, step_cookies.run);
    asker->config.cookies = false;
    asker_ask(asker, "www.example", TYPE_A);
    assert_ptr_equal(asker->resolver.active[0].run, step_demand.run);
    asker->config.cookies = true;
    assert_int_equal(prefix_parse(&everybody[0], "127.0.0.0/8"), 0);
    assert_int_equal(prefix_parse(&everybody[1], "::1"), 0);
    asker->config.access.deny = DENY_DROP; /* otherwise the step finds no change of the configuration */
    asker_ask(asker, "www.example", TYPE_A);
    assert_ptr_equal(asker->resolver.active[0].run, step_demand.run);
}

static void test_strangers_get_none(void **state)
{
    struct asker *asker = *state;
    asker->config.access.allow_count = 1;
    asker_from(asker, "2001:db8::1");
    give_cookie(asker, "00");
    asker_ask(asker, "www.example", TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_REFUSED));
    assert_string_equal(cookie_got(asker), "");
}

static void test_none_without_an_option(void **state)
{
    struct asker *asker = *state;
    asker_ask(asker, "www.example", TYPE_OPT);
    assert_string_equal(cookie_got(asker), "");
    asker->edns = false;
    asker_ask(asker, "www.example", TYPE_OPT);
    assert_true(asker_was_answered(asker, RCODE_NOTIMP));
}

/* --- the file --- */

static int prepared(struct asker *asker, const char *text, char message[512])
{
    struct step_set *set = NULL;
    FILE *errors = fmemopen(message, 512, "w");
    if (text)
        write_secrets(text);
    int status = step_set_new(&set, steps, &asker->config, errors);
    fclose(errors);
    step_set_unref(set);
    return status;
}

static void test_files_that_hold_no_secret_are_refused(void **state)
{
    struct asker *asker = *state;
    static const char *const wrong[] = {
        "",       "\n",       "# " SECRET "\n", SECRET "00\n",
        "e5e9\n", "secret\n", SECRET " \n",     SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n"};
    char message[512];
    asker->config.cookie_secret_file = secret_file;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(prepared(asker, wrong[i], message) < 0);
        assert_non_null(strstr(message, "must have 1 to 4 lines of 32 hexadecimal digits"));
        assert_null(strstr(message, "e5e9"));
    }
    assert_int_equal(prepared(asker, SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n", message), 0);
    unlink(secret_file);
    assert_int_equal(prepared(asker, NULL, message), -ENOENT);
    assert_non_null(strstr(message, "cookie-secret-file: cannot read /tmp/"));
    asker->config.cookies = false;
    assert_int_equal(prepared(asker, NULL, message), 0);
    asker->config.cookie_secret_file = NULL;
}

int main(void)
{
    static const uint8_t key[16] = "0123456789abcde";
    hash_init_fixed(key);
    snprintf(secret_file, sizeof secret_file, "/tmp/test_cookies.%d", (int)getpid());
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_cookie_is_learned),
        TEST(test_a_cookie_of_half_an_hour_is_renewed),
        TEST(test_reserved_bytes_are_another_servers_to_use),
        TEST(test_secrets_roll_over),
        TEST(test_a_cookie_is_valid_for_an_hour),
        TEST(test_any_change_makes_a_cookie_invalid),
        TEST(test_without_a_file_secrets_roll_over_by_the_day),
        TEST(test_lengths_that_no_cookie_has),
        TEST(test_proof_is_demanded_of_clients_with_cookies_by_badcookie),
        TEST(test_a_query_without_a_question_is_for_the_cookie),
        TEST(test_none_on_loopback),
        TEST(test_the_step_is_left_out_where_nobody_gets_one),
        TEST(test_strangers_get_none),
        TEST(test_none_without_an_option),
        TEST(test_files_that_hold_no_secret_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(secret_file);
    return failed;
}
