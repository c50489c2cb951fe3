/* SPDX-License-Identifier: MIT */
/* step_block: which rule decides, the responses, names and addresses in responses, lists that change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "asker.h"
#include "base/clock.h"
#include "dns/records.h"
#include "policy/blocking.h"
#include "policy/steps.h"

/* The upstream's response. */
static struct record_text records[3];
static unsigned answers;

static enum verdict run_upstream(struct query *query, void *state)
{
    static uint8_t wire[MESSAGE_MAX];
    static struct answer_scratch scratch;
    struct asker *asker = query->origin.owner;
    struct answer answer;
    (void)state;
    asker->passed++;
    int len = records_answer(wire, sizeof wire, &query->key, 0, records, answers, NULL, 0);
    assert_true(len > 0);
    assert_int_equal(message_own_answer(wire, (size_t)len, &scratch, &answer), 0);
    return query_answer(query, &answer);
}

/* The view of the next query: in place of query_take. */
static uint8_t view;

static enum verdict run_view(struct query *query, void *state)
{
    (void)state;
    query->view = view;
    return NEXT;
}

static const struct step step_view = {.name = "view", .run = run_view};
static const struct step step_upstream = {.name = "upstream", .run = run_upstream};
static const struct step *const steps[] = {&step_view, &step_block, &step_upstream, NULL};

static char directory[] = "/tmp/test_block.XXXXXX";
static struct config_block_list lists[3];
static char paths[3][64];
static char *answer_texts[4];

static void write_list(unsigned i, const char *text)
{
    static unsigned version;
    char file[80];
    snprintf(file, sizeof file, "%s.new", paths[i]);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fprintf(out, "%s%c%u\n", text, lists[i].format == BLOCK_RPZ ? ';' : '#', version++);
    fclose(out);
    assert_int_equal(rename(file, paths[i]), 0);
}

/* Reads the lists with the next query. */
static void reload(struct asker *asker)
{
    asker->config.block.max_names++;
    asker->config.block.max_names--;
    asker->config.log_slow_ms++;
}

static void use_list(struct asker *asker, unsigned i, const char *name, enum config_block_format format,
                     const char *text)
{
    lists[i] = (struct config_block_list){.name = (char *)name, .file = paths[i], .format = format, .is_default = true};
    write_list(i, text);
    if (asker->config.block.list_count <= i)
        asker->config.block.list_count = i + 1;
    reload(asker);
}

static void set_answer(struct asker *asker, const char *first, const char *second)
{
    answer_texts[0] = (char *)first;
    answer_texts[1] = (char *)second;
    asker->config.block.answer = answer_texts;
    asker->config.block.answer_count = second ? 2 : 1;
    reload(asker);
}

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    for (unsigned i = 0; i < 3; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%u", directory, i);
    asker_open(asker, steps);
    asker->edns = true;
    asker->config.block.lists = lists;
    asker->config.block.ttl = 10;
    asker->config.block.max_names = 1000;
    records[0] = (struct record_text){NULL, "A", 60, "192.0.2.1"};
    answers = 1;
    set_answer(asker, "nxdomain", NULL);
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

static void passes(struct asker *asker, const char *name)
{
    asker_ask(asker, name, TYPE_A);
    if (asker->passed != 1 || asker_ede(asker) >= 0)
        fail_msg("%s is blocked", name);
    assert_int_equal(ldns_pkt_ancount(asker->packet), answers);
}

static const char *ede_text(const struct asker *asker)
{
    static char text[EDE_TEXT];
    struct bytes ede = asker_option(asker, 15);
    assert_true(ede.data && ede.len >= 2);
    memcpy(text, ede.data + 2, ede.len - 2);
    text[ede.len - 2] = '\0';
    return text;
}

static void blocked(struct asker *asker, const char *name, uint16_t type, uint16_t rcode, const char *list)
{
    uint64_t before = counter_read(&asker->counters, COUNTER_queries_blocked);
    asker_ask(asker, name, type);
    if (!asker_was_answered(asker, rcode))
        fail_msg("%s is not blocked", name);
    assert_int_equal(asker_ede(asker), EDE_BLOCKED);
    assert_string_equal(ede_text(asker), list);
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_blocked), before + 1);
}

static void test_names(void **state)
{
    struct asker *asker = *state;
    passes(asker, "ads.example");
    use_list(asker, 0, "ads", BLOCK_DOMAINS, "ads.example\nX.Tracker.Example\n");
    use_list(asker, 1, "exact", BLOCK_HOSTS, "0.0.0.0 one.example\n");
    blocked(asker, "ads.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY),
                        "ads.example. 10 IN SOA ads.example. nobody.invalid. 1 3600 1200 604800 10\n");
    blocked(asker, "a.b.ADS.example", TYPE_TXT, RCODE_NXDOMAIN, "ads");
    assert_non_null(strstr(asker_section(asker, LDNS_SECTION_AUTHORITY), "ADS.example. 10 IN SOA ADS.example."));
    blocked(asker, "x.tracker.example", TYPE_HTTPS, RCODE_NXDOMAIN, "ads");
    blocked(asker, "one.example", TYPE_A, RCODE_NXDOMAIN, "exact");
    passes(asker, "www.one.example");
    passes(asker, "tracker.example");
    passes(asker, "example");
    passes(asker, "");
    passes(asker, "ads.example.com");
    passes(asker, "xads.example");
    asker->class = CLASS_HS;
    asker_ask(asker, "ads.example", TYPE_A);
    assert_int_equal(asker->passed, 1);
}

static void test_answers(void **state)
{
    struct asker *asker = *state;
    use_list(asker, 0, "ads", BLOCK_DOMAINS, "ads.example\n");
    set_answer(asker, "nodata", NULL);
    blocked(asker, "ads.example", TYPE_A, RCODE_NOERROR, "ads");
    assert_int_equal(ldns_pkt_ancount(asker->packet), 0);
    assert_int_equal(ldns_pkt_nscount(asker->packet), 1);
    set_answer(asker, "zero", NULL);
    blocked(asker, "www.ads.example", TYPE_A, RCODE_NOERROR, "ads");
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "www.ads.example. 10 IN A 0.0.0.0\n");
    blocked(asker, "ads.example", TYPE_AAAA, RCODE_NOERROR, "ads");
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "ads.example. 10 IN AAAA ::\n");
    blocked(asker, "ads.example", TYPE_HTTPS, RCODE_NOERROR, "ads");
    assert_int_equal(ldns_pkt_ancount(asker->packet), 0);
    assert_int_equal(ldns_pkt_nscount(asker->packet), 1);
    set_answer(asker, "192.0.2.80", "192.0.2.81");
    blocked(asker, "ads.example", TYPE_A, RCODE_NOERROR, "ads");
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER),
                        "ads.example. 10 IN A 192.0.2.80\nads.example. 10 IN A 192.0.2.81\n");
    blocked(asker, "ads.example", TYPE_AAAA, RCODE_NOERROR, "ads");
    assert_int_equal(ldns_pkt_ancount(asker->packet), 0);
    /* A list's own answer and reason. */
    static char *own[] = {(char *)"2001:db8::80"};
    lists[0].answer = own;
    lists[0].answer_count = 1;
    lists[0].reason = BLOCK_CENSORED;
    reload(asker);
    asker_ask(asker, "ads.example", TYPE_AAAA);
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "ads.example. 10 IN AAAA 2001:db8::80\n");
    assert_int_equal(asker_ede(asker), EDE_CENSORED);
    lists[0].reason = BLOCK_FILTERED;
    reload(asker);
    asker_ask(asker, "ads.example", TYPE_AAAA);
    assert_int_equal(asker_ede(asker), EDE_FILTERED);
}

static void test_the_first_list_decides(void **state)
{
    struct asker *asker = *state;
    use_list(asker, 0, "first", BLOCK_RPZ,
             "a.example CNAME rpz-passthru.\n*.b.example CNAME .\nb.example CNAME *.\n"
             "x.b.example CNAME rpz-passthru.\n");
    use_list(asker, 1, "second", BLOCK_ADBLOCK, "||a.example^\n||b.example^\n||c.example^\n@@||good.c.example^\n");
    use_list(asker, 2, "third", BLOCK_DOMAINS, "example\n");
    passes(asker, "a.example");
    blocked(asker, "w.a.example", TYPE_A, RCODE_NXDOMAIN, "second");
    blocked(asker, "b.example", TYPE_A, RCODE_NOERROR, "first");
    blocked(asker, "w.b.example", TYPE_A, RCODE_NXDOMAIN, "first");
    passes(asker, "x.b.example");
    blocked(asker, "w.x.b.example", TYPE_A, RCODE_NXDOMAIN, "first");
    blocked(asker, "c.example", TYPE_A, RCODE_NXDOMAIN, "second");
    passes(asker, "good.c.example"); /* an exception, for all lists */
    passes(asker, "www.good.c.example");
    blocked(asker, "d.example", TYPE_A, RCODE_NXDOMAIN, "third");
    static char *exceptions[] = {(char *)"b.example", (char *)"D.Example", (char *)"d.example"};
    asker->config.block.exceptions = exceptions;
    asker->config.block.exception_count = 3;
    passes(asker, "w.b.example");
    passes(asker, "d.example");
    blocked(asker, "e.example", TYPE_A, RCODE_NXDOMAIN, "third");
}

static void test_rpz_actions(void **state)
{
    struct asker *asker = *state;
    use_list(asker, 0, "rpz", BLOCK_RPZ,
             "drop.example CNAME rpz-drop.\ntcp.example CNAME rpz-tcp-only.\n"
             "data.example A 192.0.2.7\n AAAA 2001:db8::7\n TXT \"x y\"\n"
             "*.data.example 60 A 192.0.2.8\n");
    asker_ask(asker, "drop.example", TYPE_A);
    assert_int_equal(asker->replies + asker->passed, 0);
    assert_int_equal(counter_read(&asker->counters, COUNTER_drops_blocked), 1);
    asker_ask(asker, "tcp.example", TYPE_A);
    assert_true(asker->replies == 1 && asker->passed == 0 && ldns_pkt_tc(asker->packet));
    asker->tcp = true;
    passes(asker, "tcp.example");
    asker->tcp = false;
    blocked(asker, "data.example", TYPE_A, RCODE_NOERROR, "rpz");
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "data.example. 60 IN A 192.0.2.7\n");
    blocked(asker, "data.example", TYPE_TXT, RCODE_NOERROR, "rpz");
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "data.example. 60 IN TXT \"x y\"\n");
    blocked(asker, "w.data.example", TYPE_A, RCODE_NOERROR, "rpz");
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "w.data.example. 60 IN A 192.0.2.8\n");
    blocked(asker, "w.data.example", TYPE_AAAA, RCODE_NOERROR, "rpz");
    assert_int_equal(ldns_pkt_ancount(asker->packet), 0);
    assert_int_equal(ldns_pkt_nscount(asker->packet), 1);
}

static void test_names_in_responses(void **state)
{
    struct asker *asker = *state;
    use_list(asker, 0, "ads", BLOCK_DOMAINS, "tracker.example\n");
    use_list(asker, 1, "good", BLOCK_ADBLOCK, "@@||good.example^\n");
    records[0] = (struct record_text){NULL, "CNAME", 60, "x.Tracker.example."};
    records[1] = (struct record_text){"x.tracker.example.", "A", 60, "192.0.2.1"};
    answers = 2;
    asker_ask(asker, "www.shop.example", TYPE_A);
    assert_int_equal(asker->passed, 1);
    assert_int_equal(ldns_pkt_get_rcode(asker->packet), RCODE_NXDOMAIN);
    assert_int_equal(ldns_pkt_ancount(asker->packet), 0);
    assert_string_equal(ede_text(asker), "ads");
    assert_non_null(strstr(asker_section(asker, LDNS_SECTION_AUTHORITY), "www.shop.example. 10 IN SOA"));
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_blocked), 1);
    passes(asker, "www.good.example"); /* what it leads to is not looked at */
    static char *exceptions[] = {(char *)"shop.example"};
    asker->config.block.exceptions = exceptions;
    asker->config.block.exception_count = 1;
    passes(asker, "www.shop.example");
    asker->config.block.exception_count = 0;
    records[0] = (struct record_text){NULL, "HTTPS", 60, "1 svc.tracker.example. alpn=h2"};
    answers = 1;
    asker_ask(asker, "www.shop.example", TYPE_HTTPS);
    assert_int_equal(ldns_pkt_get_rcode(asker->packet), RCODE_NXDOMAIN);
    records[0] = (struct record_text){NULL, "CNAME", 60, "cdn.example."};
    passes(asker, "www.shop.example");
}

static void test_addresses_in_responses(void **state)
{
    struct asker *asker = *state;
    use_list(asker, 0, "rpz", BLOCK_RPZ,
             "24.0.2.0.192.rpz-ip CNAME .\n32.9.2.0.192.rpz-ip CNAME rpz-passthru.\n"
             "32.zz.db8.2001.rpz-ip CNAME *.\n8.0.0.0.10.rpz-ip A 192.0.2.77\n16.0.0.168.192.rpz-ip CNAME rpz-drop.\n"
             "pass.example CNAME rpz-passthru.\n16.0.0.16.172.rpz-ip CNAME w.example.\n"
             "32.1.1.1.1.rpz-ip CNAME rpz-tcp-only.\n");
    asker_ask(asker, "www.example", TYPE_A);
    assert_int_equal(ldns_pkt_get_rcode(asker->packet), RCODE_NXDOMAIN);
    assert_string_equal(ede_text(asker), "rpz");
    passes(asker, "pass.example");
    records[0].rdata = "192.0.2.9";
    passes(asker, "www.example");
    records[0] = (struct record_text){NULL, "HTTPS", 60, "1 . ipv6hint=2001:db8::1"};
    asker_ask(asker, "www.example", TYPE_HTTPS);
    assert_int_equal(ldns_pkt_get_rcode(asker->packet), RCODE_NOERROR);
    assert_int_equal(ldns_pkt_ancount(asker->packet), 0);
    records[0] = (struct record_text){NULL, "A", 60, "10.1.2.3"};
    asker_ask(asker, "www.example", TYPE_A);
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "www.example. 60 IN A 192.0.2.77\n");
    records[0].rdata = "172.16.0.1";
    asker_ask(asker, "www.example", TYPE_A);
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "www.example. 10 IN CNAME w.example.\n");
    records[0].rdata = "1.1.1.1";
    asker_ask(asker, "www.example", TYPE_A);
    assert_true(ldns_pkt_tc(asker->packet));
    asker->tcp = true;
    passes(asker, "www.example");
    records[0].rdata = "192.168.0.1";
    asker_ask(asker, "www.example", TYPE_A);
    assert_int_equal(asker->replies, 0);
    records[0].rdata = "8.8.8.8";
    passes(asker, "www.example");
}

static void test_lists_that_change(void **state)
{
    struct asker *asker = *state;
    struct block_list_report reports[BLOCK_LISTS_MAX];
    use_list(asker, 0, "ads", BLOCK_DOMAINS, "a.example\nb.example\n");
    blocked(asker, "a.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    write_list(0, "b.example\n");
    reload(asker);
    passes(asker, "a.example");
    blocked(asker, "b.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    write_list(0, "0.0.0.0 b.example\n0.0.0.0 c.example\n"); /* refused, and the previous one kept */
    reload(asker);
    blocked(asker, "b.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    passes(asker, "c.example");
    assert_int_equal(block_report(asker->resolver.steps->held[1]->data, reports), 1);
    assert_string_equal(reports[0].name, "ads");
    assert_string_equal(reports[0].format, "domains");
    assert_string_equal(reports[0].source, paths[0]);
    assert_int_equal(reports[0].names, 1);
    assert_int_equal(reports[0].hits, 3);
    assert_string_equal(reports[0].error, "block list ads: 2 of 2 lines cannot be used; check its format");
    unlink(paths[0]);
    reload(asker);
    blocked(asker, "b.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    write_list(0, "c.example\n");
    reload(asker);
    blocked(asker, "c.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    block_report(asker->resolver.steps->held[1]->data, reports);
    assert_string_equal(reports[0].error, "");
    assert_int_equal(reports[0].hits, 5);
    asker->config.block.list_count = 0;
    passes(asker, "c.example");
    assert_int_equal(block_report(asker->resolver.steps->held[1]->data, reports), 0);
}

static void unblock(const char *text, uint64_t until_ms)
{
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text);
    assert_true(len > 0);
    assert_int_equal(block_unblock(name, (size_t)len, until_ms), 0);
}

static void test_unblocked_names(void **state)
{
    struct asker *asker = *state;
    static struct block_unblocked list[BLOCK_UNBLOCKED_MAX];
    uint8_t name[NAME_MAX_WIRE];
    use_list(asker, 0, "ads", BLOCK_DOMAINS, "ads.example\n");
    unblock("x.ads.example", clock_ms() + 60000);
    passes(asker, "x.ads.example");
    passes(asker, "y.x.ads.example");
    blocked(asker, "ads.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    unblock("x.ads.example", clock_ms() + 120000);
    assert_int_equal(block_unblocked(list), 1);
    assert_true(list[0].until_ms > clock_ms() + 60000);
    reload(asker);
    passes(asker, "x.ads.example");
    unblock("x.ads.example", 0);
    blocked(asker, "x.ads.example", TYPE_A, RCODE_NXDOMAIN, "ads");
    assert_int_equal(block_unblocked(list), 0);
    for (unsigned i = 0; i <= BLOCK_UNBLOCKED_MAX; i++) {
        char text[32];
        snprintf(text, sizeof text, "n%u.example", i);
        int len = name_from_text(name, text);
        assert_int_equal(block_unblock(name, (size_t)len, clock_ms() + 60000), i < BLOCK_UNBLOCKED_MAX ? 0 : -ENOSPC);
    }
    for (unsigned i = 0; i < BLOCK_UNBLOCKED_MAX; i++) {
        char text[32];
        snprintf(text, sizeof text, "n%u.example", i);
        unblock(text, 0);
    }
}

static struct block_test test_of(const struct asker *asker, const char *text)
{
    struct block_test test;
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text);
    block_test(asker->resolver.steps->held[1]->data, name, (size_t)len, &test);
    return test;
}

static void test_tests(void **state)
{
    struct asker *asker = *state;
    use_list(asker, 0, "rpz", BLOCK_RPZ, "*.a.example CNAME .\nb.example CNAME rpz-passthru.\n");
    use_list(asker, 1, "ads", BLOCK_DOMAINS, "c.example\n");
    static char *exceptions[] = {(char *)"x.c.example"};
    asker->config.block.exceptions = exceptions;
    asker->config.block.exception_count = 1;
    passes(asker, "www.example");
    struct block_test test = test_of(asker, "w.a.example");
    assert_int_equal(test.fate, BLOCK_FATE_BLOCKED);
    assert_string_equal(test.list, "rpz");
    assert_string_equal(test.rule, "*.a.example.");
    assert_string_equal(test.action, "nxdomain");
    assert_int_equal(test_of(asker, "a.example").fate, BLOCK_FATE_NONE);
    test = test_of(asker, "b.example");
    assert_int_equal(test.fate, BLOCK_FATE_ALLOWED);
    assert_string_equal(test.action, "passthru");
    assert_string_equal(test.list, "rpz");
    test = test_of(asker, "x.c.example");
    assert_int_equal(test.fate, BLOCK_FATE_ALLOWED);
    assert_string_equal(test.list, "");
    block_test(NULL, (const uint8_t *)"", 1, &test);
    assert_int_equal(test.fate, BLOCK_FATE_NONE);
}

static void test_views(void **state)
{
    struct asker *asker = *state;
    static char *both[] = {(char *)"ads", (char *)"kids"}, *all[] = {(char *)"all"};
    static struct config_view views[3] = {{.block_lists = both, .block_list_count = 2},
                                          {.block_list_count = 0},
                                          {.block_lists = all, .block_list_count = 1}};
    static const bool ads_blocked[] = {true, true, false, true, true};
    use_list(asker, 0, "ads", BLOCK_DOMAINS, "ads.example\n");
    use_list(asker, 1, "kids", BLOCK_DOMAINS, "games.example\n");
    lists[1].is_default = false;
    asker->config.views = views;
    asker->config.view_count = 3;
    reload(asker);
    for (view = 0; view < 5; view++) {
        asker_ask(asker, "ads.example", TYPE_A);
        assert_int_equal(asker_ede(asker) == EDE_BLOCKED, ads_blocked[view]);
        asker_ask(asker, "games.example", TYPE_A);
        assert_int_equal(asker_ede(asker) == EDE_BLOCKED, view == 1);
    }
    view = 0;
}

static void test_memory(void **state)
{
    struct asker *asker = *state;
    use_list(asker, 0, "ads", BLOCK_DOMAINS, "ads.example\n");
    static char *exceptions[] = {(char *)"x.c.example"};
    asker->config.block.exceptions = exceptions;
    asker->config.block.exception_count = 1;
    for (unsigned long n = 1;; n++) {
        struct step_set *set;
        mem_fail_at(n);
        int status = step_set_new(&set, steps, &asker->config, stderr);
        mem_fail_at(0);
        if (status == 0) {
            struct block_list_report reports[BLOCK_LISTS_MAX];
            block_report(set->held[1]->data, reports);
            bool whole = reports[0].names == 1;
            step_set_unref(set);
            if (whole && mem_asked() < n)
                break;
            continue;
        }
        assert_int_equal(status, -ENOMEM);
    }
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        unlink(paths[i]);
    return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_answers),
        TEST(test_the_first_list_decides),
        TEST(test_rpz_actions),
        TEST(test_names_in_responses),
        TEST(test_addresses_in_responses),
        TEST(test_lists_that_change),
        TEST(test_unblocked_names),
        TEST(test_tests),
        TEST(test_views),
        TEST(test_memory),
    };
    if (hash_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
