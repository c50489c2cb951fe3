/* SPDX-License-Identifier: MIT */
/* control/token: valid token files, and comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/token.h"

static char path[] = "/tmp/dotstub-token-XXXXXX";

static int read_text(struct token *out, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return token_read(out, path);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void the_first_line_is_the_token(void **state)
{
    (void)state;
    static const char *const texts[] = {"0123456789abcdef", "0123456789abcdef\n", "0123456789abcdef \t\r\n",
                                        "0123456789abcdef\nmore\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct token token = {.set = false};
        assert_int_equal(read_text(&token, texts[i]), 0);
        assert_true(token_fits(&token, "0123456789abcdef"));
        assert_false(token_fits(&token, "0123456789abcdeF"));
        assert_false(token_fits(&token, "0123456789abcde"));
        assert_false(token_fits(&token, "0123456789abcdef0"));
        assert_false(token_fits(&token, ""));
        assert_false(token_fits(&token, NULL));
    }
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    char text[TOKEN_MAX + 3];
    for (int len = 0; len <= TOKEN_MAX + 1; len++) {
        struct token token = {.set = false};
        memset(text, 'x', sizeof text);
        text[len] = '\n';
        text[len + 1] = '\0';
        bool good = len >= TOKEN_MIN && len <= TOKEN_MAX;
        assert_int_equal(read_text(&token, text), good ? 0 : -EINVAL);
        assert_int_equal(token.set, good);
    }
}

static void invalid_files(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n0123456789abcdef",
                                        "0123456789 abcdefg",
                                        "0123456789\tabcdefg",
                                        " 0123456789abcdef",
                                        "0123456789abcde\x7f",
                                        "0123456789abcde\xc3\xa4"};
    struct token token = {.set = false};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(read_text(&token, texts[i]), -EINVAL);
    assert_int_equal(token_read(&token, "/nonexistent/token"), -ENOENT);
    assert_int_equal(token_read(&token, "/"), -EISDIR);
    assert_false(token.set);
    assert_false(token_fits(&token, ""));
    assert_false(token_fits(&token, "0123456789abcdef"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_is_the_token),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(invalid_files),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
