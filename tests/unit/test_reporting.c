/* SPDX-License-Identifier: MIT */
/* The names of reports of bogus data (RFC 9567), and the option that names an agent. The rest is in test_dnssec.py. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "dns/message.h"
#include "resolve/validator.h"

static struct bytes wire_of(const char *text, uint8_t room[NAME_MAX_WIRE])
{
    int len = name_from_text(room, text);
    assert_true(len > 0);
    return (struct bytes){room, (size_t)len};
}

/* The report as text; "" if there is none. */
static const char *report(const char *qname, uint16_t qtype, unsigned code, const char *agent)
{
    static char text[NAME_MAX_TEXT];
    uint8_t name[NAME_MAX_WIRE], its[NAME_MAX_WIRE], out[NAME_MAX_WIRE];
    size_t len = reporting_name(out, wire_of(qname, name), qtype, code, wire_of(agent, its));
    assert_true(len == 0 || name_len((struct bytes){out, len}) == len);
    return len == 0 ? "" : name_text(out, text);
}

static void the_name_has_type_name_and_code(void **state)
{
    (void)state;
    assert_string_equal(report("broken.test", 1, 7, "a01.agent-domain.example"),
                        "_er.1.broken.test.7._er.a01.agent-domain.example.");
    assert_string_equal(report(".", 48, 9, "agent.example"), "_er.48.9._er.agent.example.");
    assert_string_equal(report("x.example", 65535, 65535, "a.net"), "_er.65535.x.example.65535._er.a.net.");
}

static void reports_are_not_reported(void **state)
{
    (void)state;
    assert_string_equal(report("_er.1.broken.test.7._er.agent.example", 16, 6, "other.example"), "");
    assert_string_equal(report("www.test", 1, 6, "_er.agent.example"), "");
    assert_string_equal(report("www.agent.example", 1, 6, "agent.example"), "");
    assert_string_equal(report("agent.example", 48, 6, "agent.example"), "");
    assert_string_equal(report("www.test", 1, 6, "."), "");
    assert_string_not_equal(report("x_er.test", 1, 6, "agent.example"), "");
}

static void long_names_are_not_reported(void **state)
{
    (void)state;
    char label[64], name[256] = "";
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(name, sizeof name, "%s.%s.%s", label, label, label);
    char agent[64];
    for (int len = 60; len > 0; len--) {
        snprintf(agent, sizeof agent, "%.*s", len, label);
        size_t total = 4 + 2 + 3 * 64 + 2 + 4 + (size_t)len + 2;
        assert_int_equal(*report(name, 1, 6, agent) != '\0', total <= NAME_MAX_WIRE);
    }
}

/* --- the option --- */

static struct answer answer;
static struct answer_scratch scratch;

static void walk(const uint8_t *options, size_t len)
{
    static uint8_t wire[1024];
    struct answer_transport transport;
    struct writer writer = writer_over(wire, sizeof wire);
    writer_bytes(&writer, (uint8_t[]){0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1}, 17);
    writer_bytes(&writer, (uint8_t[]){0, 0, 41, 4, 208, 0, 0, 0, 0}, 9);
    writer_u16(&writer, (uint16_t)len);
    writer_bytes(&writer, options, len);
    assert_int_equal(message_walk_answer(wire, writer_len(&writer), &scratch, &answer, &transport), 0);
}

#define WALK(...) walk((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static void the_option_names_an_agent(void **state)
{
    (void)state;
    WALK(0, 18, 0, 4, 2, 'A', 'b', 0, 0, 18, 0, 3, 1, 'c', 0); /* the first one counts */
    assert_int_equal(answer.agent.len, 4);
    assert_memory_equal(answer.agent.data, "\2ab", 4);
}

static void other_options_name_none(void **state)
{
    (void)state;
    WALK(0, 18, 0, 0);
    assert_int_equal(answer.agent.len, 0);
    WALK(0, 18, 0, 1, 0); /* the root */
    assert_int_equal(answer.agent.len, 0);
    WALK(0, 18, 0, 3, 1, 'a', 1); /* no end */
    assert_int_equal(answer.agent.len, 0);
    WALK(0, 18, 0, 2, 0xC0, 12); /* compressed */
    assert_int_equal(answer.agent.len, 0);
    WALK(0, 18, 0, 5, 2, 'a', 'b', 0, 'x'); /* bytes behind it */
    assert_int_equal(answer.agent.len, 0);
    uint8_t longest[4 + 4 * 64 + 1] = {0, 18, 1, 1};
    for (int i = 0; i < 4; i++) {
        longest[4 + 64 * i] = 63;
        memset(longest + 5 + 64 * i, 'a', 63);
    }
    walk(longest, sizeof longest); /* 257 bytes */
    assert_int_equal(answer.agent.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_has_type_name_and_code), cmocka_unit_test(reports_are_not_reported),
        cmocka_unit_test(long_names_are_not_reported),     cmocka_unit_test(the_option_names_an_agent),
        cmocka_unit_test(other_options_name_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
