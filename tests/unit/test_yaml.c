/* SPDX-License-Identifier: MIT */
/* The tree made from YAML text, and the texts that are refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "config/text.h"
#include "config/yaml.h"

struct reading {
    struct arena arena;
    struct source source;
    struct report report;
    struct yaml_node *root;
    char *said;
    size_t said_len;
};

static int try_reading(struct reading *reading, const char *text, size_t len)
{
    *reading = (struct reading){.source = {.name = "f", .text = text, .len = len}};
    reading->report.out = open_memstream(&reading->said, &reading->said_len);
    int error = yaml_parse(&reading->root, &reading->arena, &reading->report, &reading->source);
    fclose(reading->report.out);
    return error;
}

static void begin(struct reading *reading, const char *text)
{
    assert_int_equal(try_reading(reading, text, strlen(text)), 0);
}

static void end(struct reading *reading)
{
    arena_free(&reading->arena);
    free(reading->said);
}

/* The text is refused with exactly this report. */
static void refused(const char *text, const char *said)
{
    struct reading reading;
    begin(&reading, text);
    assert_string_equal(reading.said, said);
    end(&reading);
}

static void reads_mappings_lists_and_scalars_with_their_places(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, "listen: [127.0.0.1, \"::1\"]\ncache:\n  size: 64MiB\n");
    assert_int_equal(r.report.mistakes, 0);
    assert_int_equal(r.root->kind, YAML_MAPPING);
    assert_int_equal(r.root->count, 2);

    const struct yaml_node *listen = r.root->first, *cache = listen->next;
    assert_string_equal(listen->key->text, "listen");
    assert_int_equal(listen->kind, YAML_LIST);
    assert_string_equal(listen->first->text, "127.0.0.1");
    assert_int_equal(listen->first->mark.column, 10);
    assert_string_equal(listen->first->next->text, "::1");
    assert_int_equal(listen->first->next->mark.column, 21); /* the quote */
    assert_string_equal(cache->first->key->text, "size");
    assert_int_equal(cache->first->mark.line, 3);
    assert_int_equal(cache->first->mark.column, 9);
    end(&r);
}

static void distinguishes_null_from_an_empty_text(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, "a:\nb: ~\nc: null\nd: \"\"\ne: \"null\"\n");
    const struct yaml_node *node = r.root->first;
    for (int i = 0; i < 3; i++, node = node->next)
        assert_int_equal(node->kind, YAML_NULL);
    assert_int_equal(node->kind, YAML_SCALAR);
    assert_string_equal(node->text, "");
    assert_int_equal(node->next->kind, YAML_SCALAR);
    assert_int_equal(r.root->first->mark.line, 1); /* its key's */
    end(&r);
}

static void an_empty_file_has_no_root(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# nothing\n", "---\n...\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct reading r;
        begin(&r, texts[i]);
        assert_true(!r.root || r.root->kind == YAML_NULL);
        assert_int_equal(r.report.mistakes, 0);
        end(&r);
    }
}

static void a_syntax_error_has_its_place_and_caret(void **state)
{
    (void)state;
    refused("a: b: c\n", "f:1:5: invalid nested block mapping on the same line\na: b: c\n    ^\n");
    refused("a: 1\nb: \"x\\q\"\n", "f:2:6: invalid escape 'q' in double-quoted string\nb: \"x\\q\"\n     ^\n");
}

/* libfyaml reads past its input, or fails an assertion, if these texts are cut here. */
static void texts_that_end_amid_something_are_read_to_their_end_only(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: \"x\\", "a: \"x\\u1", "a: \"x", "a: 'x", "a: #",  "a: |", "- &",
                                        "- *",      "- !",        "? ",     "a: [",  "%YAML", "---",  "\303\251"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct reading r;
        char *exact = malloc(strlen(texts[i]));
        assert_non_null(exact);
        memcpy(exact, texts[i], strlen(texts[i]));
        assert_int_equal(try_reading(&r, exact, strlen(texts[i])), 0);
        end(&r);
        free(exact);
    }
}

static void columns_count_characters_and_tabs_keep_the_caret_in_place(void **state)
{
    (void)state;
    refused("\"\303\251\303\251\": &x 1\n", "f:1:7: anchors are not supported\n\"\303\251\303\251\": &x 1\n      ^\n");
    refused("a:\t&x 1\n", "f:1:4: anchors are not supported\na:\t&x 1\n  \t^\n");
}

static void the_same_key_twice_is_refused(void **state)
{
    (void)state;
    refused("a: 1\nb: 2\na: 3\n", "f:3:1: duplicate key \"a\"; first in line 1\na: 3\n^\n");
    refused("x: {a: 1, a: 2}\n", "f:1:11: duplicate key \"a\"; first in line 1\nx: {a: 1, a: 2}\n          ^\n");
}

static void aliases_anchors_and_tags_are_refused(void **state)
{
    (void)state;
    refused("a: *x\n", "f:1:4: aliases are not supported; write the value out\na: *x\n   ^\n");
    refused("a: &x 1\n", "f:1:4: anchors are not supported\na: &x 1\n   ^\n");
    refused("a: !!int 1\n", "f:1:4: tags are not supported\na: !!int 1\n   ^\n");
}

static void a_second_document_is_refused(void **state)
{
    (void)state;
    refused("a: 1\n---\nb: 2\n", "f:2:1: a second document; a configuration file holds one\n---\n^\n");
}

static void a_key_that_is_not_a_word_is_refused(void **state)
{
    (void)state;
    refused("~: b\n", "f:1:1: a key must be a word\n~: b\n^\n");
    refused("? a\n: b\n", "f:1:1: a key is written as key: value\n? a\n^\n");
    refused("[a]: b\n", "f:1:4: there is no key before this \":\"; put an IPv6 address in quotes\n[a]: b\n   ^\n");
    refused(": b\n", "f:1:1: there is no key before this \":\"; put an IPv6 address in quotes\n: b\n^\n");
}

static void control_characters_in_escapes_are_refused_and_not_shown(void **state)
{
    (void)state;
    refused("a: \"x\\e[2J\"\n", "f:1:4: a value may not contain control characters\na: \"x\\e[2J\"\n   ^\n");
    refused("a: \"x\\0y\"\n", "f:1:4: a value may not contain control characters\na: \"x\\0y\"\n   ^\n");
}

static void a_value_is_on_one_line(void **state)
{
    (void)state;
    refused("a: b\n  c\n", "f:1:4: a value must be on one line\na: b\n   ^\n");
    refused("a: |\n  b\n", "f:1:4: a value must be on one line\na: |\n   ^\n");
    refused("a: >-\n  b\n", "f:1:4: a value must be on one line\na: >-\n   ^\n");
    static const char *const quoted[] = {"a: \"b\n  c\"\n", "a: 'b\n  c'\n", "a: \"b\\\n  c\"\n", "a: \"b\\\"\n",
                                         "a: 'b''\n"};
    for (size_t i = 0; i < sizeof(quoted) / sizeof(*quoted); i++) {
        struct reading r;
        begin(&r, quoted[i]);
        assert_true(strncmp(r.said, "f:1:4: this quote is not closed in its line\n", 44) == 0);
        end(&r);
    }
}

static void brackets_must_match(void **state)
{
    (void)state;
    refused("a: [b, {c: d}\ne: f\n", "f:1:4: this bracket is never closed\na: [b, {c: d}\n   ^\n");
    refused("a: [b}\n", "f:1:6: no { is open here\na: [b}\n     ^\n");
    refused("a: {b: [c}]\n", "f:1:10: no { is open here\na: {b: [c}]\n         ^\n");
    refused("a: [b\n---\n", "f:1:4: this bracket is never closed\na: [b\n   ^\n");
}

static void nothing_follows_a_value_in_its_line(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: \"b\" c\n", "a: [b] c\n", "a: \"b\"#c\n", "a: \"b\":c\n", "a: [[b]c]\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct reading r;
        begin(&r, texts[i]);
        assert_non_null(strstr(r.said, "something is missing before this"));
        end(&r);
    }
}

static void lines_are_indented_with_spaces(void **state)
{
    (void)state;
    refused("cache:\n\tsize: 1MiB\n", "f:2:1: a tab; lines are indented with spaces\n\tsize: 1MiB\n^\n");
    struct reading r;
    begin(&r, "a:\tb\t# c\n");
    assert_int_equal(r.report.mistakes, 0);
    assert_string_equal(r.root->first->text, "b");
    end(&r);
}

/* Each of these texts makes libfyaml 0.7.12 read freed memory, fail an assertion, or leak. */
static void texts_that_libfyaml_cannot_take_never_reach_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"? [a, b]J: \t ?",     "\'\'\'\'\'\'\'\'\'\'\'!4.1(\n\n\'\'\'",
                                        "--- ? [a, b]J: \t ?", "...\n? [a, b]J: \t ?",
                                        "- ? [a, b]J: \t ?",   "a: ? [a, b]J: \t ?"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct reading r;
        begin(&r, texts[i]);
        assert_int_equal(r.report.mistakes, 1);
        end(&r);
    }
}

static void indicators_inside_a_text_are_text(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, "\xef\xbb\xbf---\na: b#c &d *e !f ?g |h [i] {j}\r\nk: \"[{&*#\"\nl: -m\nn: :o\np: [q:r, s#t]\n...\n");
    assert_string_equal(r.said, "");
    const struct yaml_node *node = r.root->first;
    assert_string_equal(node->text, "b#c &d *e !f ?g |h [i] {j}");
    assert_string_equal(node->next->text, "[{&*#");
    assert_string_equal(node->next->next->text, "-m");
    assert_string_equal(node->next->next->next->text, ":o");
    assert_string_equal(node->next->next->next->next->first->text, "q:r");
    end(&r);
}

static void escapes_and_quotes_are_undone(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, "a: \"x\\\"\\u00e9\\\\y\"\nb: 'it''s'\nc:   spaced out   # comment\n");
    assert_int_equal(r.report.mistakes, 0);
    const struct yaml_node *node = r.root->first;
    assert_string_equal(node->text, "x\"\303\251\\y");
    assert_string_equal(node->next->text, "it's");
    assert_string_equal(node->next->next->text, "spaced out");
    end(&r);
}

static void all_mistakes_are_reported_at_once(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, "a: \"\\e\"\nb: c\n d\na: 1\n~: 2\n");
    assert_int_equal(r.report.mistakes, 4);
    end(&r);
}

/* `times` copies of a text. */
static char *repeat(const char *text, size_t times)
{
    size_t len = strlen(text);
    char *all = malloc(len * times + 1);
    assert_non_null(all);
    for (size_t i = 0; i < times; i++)
        memcpy(all + i * len, text, len);
    all[len * times] = '\0';
    return all;
}

static void limited(const char *piece, size_t times, const char *sentence)
{
    struct reading r;
    char *text = repeat(piece, times);
    begin(&r, text);
    assert_null(r.root);
    assert_int_equal(r.report.mistakes, 1);
    assert_non_null(strstr(r.said, sentence));
    assert_true(strlen(r.said) < 1000);
    end(&r);
    free(text);
}

static void work_and_memory_are_bounded(void **state)
{
    (void)state;
    limited("[", 100, "nested too deeply");
    limited("[", 1000000, "nested too deeply");
    limited("- ", 500, "nested too deeply");
    limited("- a\n", YAML_NODES_MAX + 1, "too many values");
}

static void too_many_keys_in_one_mapping_are_refused(void **state)
{
    (void)state;
    char text[4096] = "";
    for (int i = 0; i <= YAML_KEYS_MAX; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "k%d: 1\n", i);
    limited(text, 1, "too many keys");
}

static void a_long_source_line_is_shown_in_part(void **state)
{
    (void)state;
    char *blanks = repeat(" ", 5000), *text = malloc(20000);
    assert_non_null(text);
    snprintf(text, 20000, "a:%s&x 1%s\n", blanks, blanks);
    struct reading r;
    begin(&r, text);
    assert_true(strncmp(r.said, "f:1:5003: anchors", 17) == 0);
    assert_true(strlen(r.said) < 400);
    assert_non_null(strstr(r.said, "&x 1"));
    end(&r);
    free(text);
    free(blanks);
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    static const char text[] = "a: [1, {b: c}]\nd: *x\n";
    for (unsigned long n = 1;; n++) {
        struct reading r;
        mem_fail_at(n);
        int error = try_reading(&r, text, strlen(text));
        bool failed = mem_asked() >= n;
        mem_fail_at(0);
        assert_int_equal(error, failed ? -ENOMEM : 0);
        end(&r);
        if (!failed)
            break;
    }
}

static void only_clean_utf8_is_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum text_fault fault;
        size_t at;
    } cases[] = {
        {"a\303\251\342\202\254\360\237\230\200", TEXT_CLEAN, 10},
        {"ab\377", TEXT_NOT_UTF8, 2},
        {"\300\257", TEXT_NOT_UTF8, 0},         /* overlong */
        {"\340\200\257", TEXT_NOT_UTF8, 0},     /* overlong */
        {"\355\240\200", TEXT_NOT_UTF8, 0},     /* surrogate */
        {"\364\220\200\200", TEXT_NOT_UTF8, 0}, /* above U+10FFFF */
        {"a\303", TEXT_NOT_UTF8, 1},            /* cut */
        {"a\342\202", TEXT_NOT_UTF8, 1},
        {"a\033[2J", TEXT_CONTROL_CHARACTER, 1},
        {"a\302\233", TEXT_CONTROL_CHARACTER, 1}, /* C1 CSI */
        {"a\177", TEXT_CONTROL_CHARACTER, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t at;
        assert_int_equal(text_check(cases[i].text, strlen(cases[i].text), true, &at), cases[i].fault);
        assert_int_equal(at, cases[i].at);
    }
    size_t at;
    assert_int_equal(text_check("a\tb\r\n", 5, true, &at), TEXT_CLEAN);
    assert_int_equal(text_check("a\tb", 3, false, &at), TEXT_CONTROL_CHARACTER);
    assert_int_equal(text_check("a\0b", 3, true, &at), TEXT_CONTROL_CHARACTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_mappings_lists_and_scalars_with_their_places),
        cmocka_unit_test(distinguishes_null_from_an_empty_text),
        cmocka_unit_test(an_empty_file_has_no_root),
        cmocka_unit_test(a_syntax_error_has_its_place_and_caret),
        cmocka_unit_test(texts_that_end_amid_something_are_read_to_their_end_only),
        cmocka_unit_test(columns_count_characters_and_tabs_keep_the_caret_in_place),
        cmocka_unit_test(the_same_key_twice_is_refused),
        cmocka_unit_test(aliases_anchors_and_tags_are_refused),
        cmocka_unit_test(a_second_document_is_refused),
        cmocka_unit_test(a_key_that_is_not_a_word_is_refused),
        cmocka_unit_test(control_characters_in_escapes_are_refused_and_not_shown),
        cmocka_unit_test(a_value_is_on_one_line),
        cmocka_unit_test(brackets_must_match),
        cmocka_unit_test(nothing_follows_a_value_in_its_line),
        cmocka_unit_test(lines_are_indented_with_spaces),
        cmocka_unit_test(texts_that_libfyaml_cannot_take_never_reach_it),
        cmocka_unit_test(indicators_inside_a_text_are_text),
        cmocka_unit_test(escapes_and_quotes_are_undone),
        cmocka_unit_test(all_mistakes_are_reported_at_once),
        cmocka_unit_test(work_and_memory_are_bounded),
        cmocka_unit_test(too_many_keys_in_one_mapping_are_refused),
        cmocka_unit_test(a_long_source_line_is_shown_in_part),
        cmocka_unit_test(each_failed_allocation_is_survived),
        cmocka_unit_test(only_clean_utf8_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
