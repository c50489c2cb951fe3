/* SPDX-License-Identifier: MIT */
/* Names: measuring, case, comparison, text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"

#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

/* Labels of `label` bytes each, `count` of them, then the root. */
static size_t make_name(uint8_t *out, size_t count, size_t label)
{
    size_t at = 0;
    while (count--) {
        out[at++] = (uint8_t)label;
        memset(out + at, 'a', label);
        at += label;
    }
    out[at++] = 0;
    return at;
}

static void test_len_counts_the_root(void **state)
{
    (void)state;
    assert_int_equal(name_len(BYTES("\0")), 1);
    assert_int_equal(name_len(BYTES("\3www\7example\3com\0trailing")), 17);
}

static void test_len_refuses_invalid_names(void **state)
{
    (void)state;
    assert_int_equal(name_len(BYTES("")), 0);
    assert_int_equal(name_len(BYTES("\3ww")), 0);
    assert_int_equal(name_len(BYTES("\3www")), 0);
    assert_int_equal(name_len(BYTES("\100")), 0);
    assert_int_equal(name_len(BYTES("\200a\0")), 0);
    assert_int_equal(name_len(BYTES("\300\014")), 0);
}

static void test_len_allows_255_bytes_and_not_256(void **state)
{
    uint8_t name[300];
    (void)state;
    assert_int_equal(make_name(name, 127, 1), 255);
    assert_int_equal(name_len((struct bytes){name, sizeof(name)}), 255);
    size_t len = make_name(name, 3, 63);
    len = len - 1 + make_name(name + len - 1, 1, 62);
    assert_int_equal(len, 256);
    assert_int_equal(name_len((struct bytes){name, sizeof(name)}), 0);
}

static void test_lower_changes_ascii_letters_only(void **state)
{
    uint8_t all[256], lowered[256];
    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    name_lower(lowered, all, sizeof(all));
    for (int i = 0; i < 256; i++)
        assert_int_equal(lowered[i], i >= 'A' && i <= 'Z' ? i + 32 : i);
}

static void test_lower_handles_every_length_and_stays_inside(void **state)
{
    (void)state;
    for (size_t len = 0; len < 40; len++) {
        uint8_t text[48];
        memset(text, 'Q', sizeof(text));
        name_lower(text, text, len);
        for (size_t i = 0; i < sizeof(text); i++)
            assert_int_equal(text[i], i < len ? 'q' : 'Q');
    }
}

static void test_equal_ignores_letter_case(void **state)
{
    (void)state;
    assert_true(name_equal(BYTES("\3wWw\2De\0").data, BYTES("\3WWw\2dE\0").data));
    assert_true(name_equal(BYTES("\0").data, BYTES("\0").data));
    assert_false(name_equal(BYTES("\3www\2de\0").data, BYTES("\3wwx\2de\0").data));
    assert_false(name_equal(BYTES("\3www\2de\0").data, BYTES("\3www\0").data));
    assert_false(name_equal(BYTES("\1[\0").data, BYTES("\1{\0").data));
}

static void test_under_looks_at_whole_labels(void **state)
{
    (void)state;
    struct bytes suffix = BYTES("\7example\0"), below = BYTES("\3www\7example\0"), inside = BYTES("\12wwwexample\0"),
                 fake = BYTES("\13www\7example\0");
    assert_true(name_is_under(below.data, below.len, suffix.data, suffix.len));
    assert_true(name_is_under(suffix.data, suffix.len, suffix.data, suffix.len));
    assert_true(name_is_under(below.data, below.len, BYTES("\0").data, 1));
    assert_false(name_is_under(suffix.data, suffix.len, below.data, below.len));
    assert_false(name_is_under(inside.data, inside.len, suffix.data, suffix.len));
    assert_false(name_is_under(fake.data, fake.len, suffix.data, suffix.len));
}

static void test_labels_leave_the_root_out(void **state)
{
    (void)state;
    assert_int_equal(name_labels(BYTES("\0").data), 0);
    assert_int_equal(name_labels(BYTES("\3www\2de\0").data), 2);
}

static void test_text_escapes_special_bytes(void **state)
{
    char text[NAME_MAX_TEXT];
    (void)state;
    assert_string_equal(name_text(BYTES("\0").data, text), ".");
    assert_string_equal(name_text(BYTES("\3www\2de\0").data, text), "www.de.");
    assert_string_equal(name_text(BYTES("\7a.b\\c d\2\"@\0").data, text), "a\\.b\\\\c\\032d.\\\"\\@.");
    assert_string_equal(name_text(BYTES("\4\0\177\377~\0").data, text), "\\000\\127\\255~.");
}

static void test_text_of_the_longest_name_fits(void **state)
{
    uint8_t name[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    (void)state;
    size_t len = make_name(name, 3, 63);
    len = len - 1 + make_name(name + len - 1, 1, 61);
    assert_int_equal(len, NAME_MAX_WIRE);
    for (size_t i = 0; i < len; i++) {
        if (name[i] == 'a')
            name[i] = 0xFF;
    }
    assert_int_equal(strlen(name_text(name, text)), 250 * 4 + 4);
}

static void test_from_text_reads_what_text_wrote(void **state)
{
    uint8_t name[NAME_MAX_WIRE], again[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        uint8_t wire[] = {2, (uint8_t)byte, 'x', 1, (uint8_t)byte, 0};
        assert_int_equal(name_from_text(again, name_text(wire, text)), sizeof(wire));
        name_lower(name, wire, sizeof(wire));
        assert_memory_equal(again, name, sizeof(wire));
    }
}

static void test_from_text_takes_or_leaves_the_last_dot(void **state)
{
    uint8_t name[NAME_MAX_WIRE];
    (void)state;
    assert_int_equal(name_from_text(name, "WWW.de"), 8);
    assert_memory_equal(name, "\3www\2de\0", 8);
    assert_int_equal(name_from_text(name, "www.de."), 8);
    assert_int_equal(name_from_text(name, "."), 1);
    assert_int_equal(name[0], 0);
}

static void test_from_text_refuses_bad_text_and_writes_nothing(void **state)
{
    static const char *const bad[] = {"",     "..",    ".de",    "www..de", "a\\",
                                      "a\\1", "a\\12", "a\\12x", "a\\256",  "gr\xC3\xBCn"};
    uint8_t name[NAME_MAX_WIRE];
    (void)state;
    memset(name, 0xEE, sizeof(name));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(name_from_text(name, bad[i]), -EINVAL);
    for (size_t i = 0; i < sizeof(name); i++)
        assert_int_equal(name[i], 0xEE);
}

static void test_from_text_keeps_the_limits_of_labels_and_names(void **state)
{
    uint8_t name[NAME_MAX_WIRE];
    char text[400];
    (void)state;
    snprintf(text, sizeof(text), "%.*s", 63, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(name_from_text(name, text), 65);
    snprintf(text, sizeof(text), "%.*s", 64, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(name_from_text(name, text), -EINVAL);
    for (size_t label = 60; label <= 63; label++) { /* behind 192 bytes of labels */
        size_t at = 0;
        for (int i = 0; i < 3; i++) {
            memset(text + at, 'a', 63);
            text[at + 63] = '.';
            at += 64;
        }
        memset(text + at, 'a', label);
        text[at + label] = '\0';
        assert_int_equal(name_from_text(name, text), label <= 61 ? (int)(192 + label + 2) : -EINVAL);
    }
    memset(text, 'a', sizeof(text));
    for (size_t i = 1; i < 254; i += 2)
        text[i] = '.';
    text[254] = '\0'; /* 127 labels: 255 bytes */
    assert_int_equal(name_from_text(name, text), 255);
    memcpy(text + 254, "a", 2);
    assert_int_equal(name_from_text(name, text), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_len_counts_the_root),
        cmocka_unit_test(test_len_refuses_invalid_names),
        cmocka_unit_test(test_len_allows_255_bytes_and_not_256),
        cmocka_unit_test(test_lower_changes_ascii_letters_only),
        cmocka_unit_test(test_lower_handles_every_length_and_stays_inside),
        cmocka_unit_test(test_equal_ignores_letter_case),
        cmocka_unit_test(test_under_looks_at_whole_labels),
        cmocka_unit_test(test_labels_leave_the_root_out),
        cmocka_unit_test(test_text_escapes_special_bytes),
        cmocka_unit_test(test_text_of_the_longest_name_fits),
        cmocka_unit_test(test_from_text_reads_what_text_wrote),
        cmocka_unit_test(test_from_text_takes_or_leaves_the_last_dot),
        cmocka_unit_test(test_from_text_refuses_bad_text_and_writes_nothing),
        cmocka_unit_test(test_from_text_keeps_the_limits_of_labels_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
