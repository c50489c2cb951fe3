/* SPDX-License-Identifier: MIT */
/* Extended errors: how many are kept, and how much of their texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/message.h"

static struct ede_list list;

static void assert_kept(const char *text, size_t len, const char *kept)
{
    list = (struct ede_list){0};
    ede_add(&list, 22, text, len);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.item[0].code, 22);
    assert_int_equal(list.item[0].len, strlen(kept));
    assert_memory_equal(list.item[0].text, kept, strlen(kept));
}

static void test_three_are_kept_and_further_ones_ignored(void **state)
{
    (void)state;
    list = (struct ede_list){0};
    for (uint16_t code = 1; code <= 5; code++)
        ede_add(&list, code, "text", 4);
    assert_int_equal(list.count, EDE_MAX);
    for (unsigned i = 0; i < EDE_MAX; i++)
        assert_int_equal(list.item[i].code, i + 1);
}

static void test_our_own_error_is_first_and_never_left_out(void **state)
{
    (void)state;
    list = (struct ede_list){0};
    for (unsigned count = 1; count <= EDE_MAX + 1; count++) {
        if (count > 1)
            ede_add(&list, (uint16_t)(90 + count), "text", 4);
        ede_add_first(&list, (uint16_t)count);
        assert_int_equal(list.item[0].code, count);
        assert_int_equal(list.item[0].len, 0);
    }
    assert_int_equal(list.count, EDE_MAX);
    assert_int_equal(list.item[1].code, 3);
}

static void test_text_is_stored_unchanged(void **state)
{
    (void)state;
    assert_kept("no reachable authority", 22, "no reachable authority");
    assert_kept("\u00fc\u20ac\U0001f600", 9, "\u00fc\u20ac\U0001f600");
    assert_kept(NULL, 0, "");
    assert_kept("", 0, "");
}

static void test_text_ends_at_a_nul(void **state)
{
    (void)state;
    assert_kept("text\0", 5, "text");
    assert_kept("text\0more", 9, "text");
}

static void test_text_is_cut_at_200_bytes_between_characters(void **state)
{
    char text[300], kept[300];
    (void)state;
    memset(text, 'x', sizeof(text));
    memset(kept, 'x', sizeof(kept));
    kept[200] = '\0';
    assert_kept(text, sizeof(text), kept);
    memcpy(text + 198, "\u20ac", 3); /* would end at 201 */
    kept[198] = '\0';
    assert_kept(text, sizeof(text), kept);
    memcpy(text + 197, "\u20acx", 4); /* ends at 200 */
    memcpy(kept + 197, "\u20ac", 4);
    assert_kept(text, sizeof(text), kept);
}

static void test_invalid_utf8_is_dropped_and_the_code_kept(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "a\xff",
        "\xc3",
        "\xc3(",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xe2\x82",
        "\xe2\x82(",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80",
        "\xf0\x9f\x98(xxx",
        "\xf8",
        "good until \xfe",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_kept(bad[i], strlen(bad[i]), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_are_kept_and_further_ones_ignored),
        cmocka_unit_test(test_our_own_error_is_first_and_never_left_out),
        cmocka_unit_test(test_text_is_stored_unchanged),
        cmocka_unit_test(test_text_ends_at_a_nul),
        cmocka_unit_test(test_text_is_cut_at_200_bytes_between_characters),
        cmocka_unit_test(test_invalid_utf8_is_dropped_and_the_code_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
