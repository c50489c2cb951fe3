/* SPDX-License-Identifier: MIT */
/* The targets of a response's CNAME, SVCB and HTTPS records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "dns/aliases.h"
#include "dns/codes.h"
#include "dns/records.h"

static uint8_t wire[MESSAGE_MAX];
static struct answer_scratch scratch;
static char seen[4096];
static const char *wanted;
static unsigned count;

static struct answer answer_with(const struct record_text *records, unsigned records_count)
{
    struct key key = {.type = TYPE_A, .class = CLASS_IN};
    struct answer answer;
    key.name_len = (uint8_t)name_from_text(key.name, "www.example");
    int len = records_answer(wire, sizeof wire, &key, 0, records, records_count, NULL, 0);
    assert_true(len > 0);
    assert_int_equal(message_own_answer(wire, (size_t)len, &scratch, &answer), 0);
    return answer;
}

static bool note(void *context, const uint8_t *name, size_t len)
{
    char text[NAME_MAX_TEXT];
    (void)context;
    assert_int_equal(name_len((struct bytes){name, len}), len);
    name_text(name, text);
    size_t used = strlen(seen);
    snprintf(seen + used, sizeof seen - used, "%s ", text);
    count++;
    return wanted && strcmp(text, wanted) == 0;
}

static const char *targets(const struct answer *answer, bool found)
{
    seen[0] = '\0';
    count = 0;
    assert_int_equal(aliases_find(answer, note, NULL), found);
    return seen;
}

static void test_cname_chain(void **state)
{
    (void)state;
    const struct record_text records[] = {{NULL, "CNAME", 60, "CDN.Example."},
                                          {"cdn.example.", "CNAME", 60, "x.tracker.example."},
                                          {"x.tracker.example.", "A", 60, "192.0.2.1"}};
    struct answer answer = answer_with(records, 3);
    wanted = NULL;
    assert_string_equal(targets(&answer, false), "cdn.example. x.tracker.example. ");
    wanted = "cdn.example.";
    assert_string_equal(targets(&answer, true), "cdn.example. ");
    wanted = NULL;
}

static void test_services(void **state)
{
    (void)state;
    const struct record_text records[] = {{NULL, "HTTPS", 60, "1 . alpn=h2"},
                                          {NULL, "HTTPS", 60, "2 SVC.example. alpn=h3"},
                                          {NULL, "SVCB", 60, "0 alias.example."}};
    struct answer answer = answer_with(records, 3);
    assert_string_equal(targets(&answer, false), "svc.example. alias.example. ");
}

static void test_other_answers(void **state)
{
    (void)state;
    const struct record_text records[] = {{NULL, "A", 60, "192.0.2.1"}, {NULL, "MX", 60, "10 mail.example."}};
    struct answer answer = answer_with(records, 2);
    assert_string_equal(targets(&answer, false), "");
    answer = answer_with(records, 0);
    assert_string_equal(targets(&answer, false), "");
}

static void test_limit(void **state)
{
    (void)state;
    struct record_text records[ALIASES_MAX + 8];
    for (unsigned i = 0; i < ALIASES_MAX + 8; i++)
        records[i] = (struct record_text){NULL, "HTTPS", 60, "1 svc.example. alpn=h2"};
    struct answer answer = answer_with(records, ALIASES_MAX + 8);
    targets(&answer, false);
    assert_int_equal(count, ALIASES_MAX);
}

static bool concerns(const struct answer *answer, const char *own, const char *name, bool below)
{
    uint8_t own_wire[NAME_MAX_WIRE], name_wire[NAME_MAX_WIRE];
    struct bytes own_bytes = {own_wire, (size_t)name_from_text(own_wire, own)};
    struct bytes name_bytes = {name_wire, (size_t)name_from_text(name_wire, name)};
    return answer_concerns(answer, own_bytes, name_bytes, below);
}

static void the_names_that_a_response_concerns(void **state)
{
    (void)state;
    const struct record_text records[] = {{NULL, "CNAME", 60, "CDN.Other."},
                                          {"cdn.other.", "CNAME", 60, "x.tracker.example."},
                                          {"x.tracker.example.", "A", 60, "192.0.2.1"}};
    struct answer answer = answer_with(records, 3);
    assert_true(concerns(&answer, "www.example", "www.example", false));
    assert_true(concerns(&answer, "www.example", "example", true));
    assert_true(concerns(&answer, "www.example", "cdn.other", false));
    assert_true(concerns(&answer, "www.example", "other", true));
    assert_true(concerns(&answer, "www.example", "tracker.example", true));
    assert_false(concerns(&answer, "www.example", "other", false));
    assert_false(concerns(&answer, "www.example", "a.cdn.other", true));
    assert_false(concerns(&answer, "www.example", "below.www.example", true));
    answer = answer_with(NULL, 0);
    assert_false(concerns(&answer, "www.example", "below.www.example", false)); /* no NXDOMAIN */
    answer.wire[MESSAGE_FLAGS + 1] |= RCODE_NXDOMAIN;
    assert_true(concerns(&answer, "www.example", "below.www.example", false));
    assert_true(concerns(&answer, "www.example", "below.www.example", true));
    assert_false(concerns(&answer, "www.example", "ftp.example", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cname_chain), cmocka_unit_test(test_services),
                                       cmocka_unit_test(test_other_answers), cmocka_unit_test(test_limit),
                                       cmocka_unit_test(the_names_that_a_response_concerns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
