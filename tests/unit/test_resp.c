/* SPDX-License-Identifier: MIT */
/* Commands, and replies in every split. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "store/resp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct bytes text_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void commands_carry_any_byte(void **state)
{
    (void)state;
    uint8_t out[200], large[1234] = {0};
    const struct bytes arguments[] = {text_of("SET"), text_of(""), {(const uint8_t *)"\0\r\n\xff", 4}};
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n\0\r\n\xff\r\n";
    assert_in_range(resp_command_room(arguments, 3), sizeof expected, sizeof out);
    assert_int_equal(resp_command(out, arguments, 3), sizeof expected - 1);
    assert_memory_equal(out, expected, sizeof expected - 1);
    uint8_t whole[1300];
    assert_int_equal(resp_command(whole, (struct bytes[]){{large, sizeof large}}, 1), 4 + 7 + sizeof large + 2);
    assert_memory_equal(whole, "*1\r\n$1234\r\n", 11);
}

static void numbers_have_all_their_digits(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char digits[DECIMAL_DIGITS];
        struct bytes text = bytes_decimal(digits, cases[i].number);
        assert_int_equal(text.len, strlen(cases[i].text));
        assert_memory_equal(text.data, cases[i].text, text.len);
    }
}

static const char stream[] =
    "$5\r\nhello\r\n$-1\r\n+OK\r\n-ERR wrong\r\n:-42\r\n*3\r\n:1\r\n*2\r\n$1\r\na\r\n+b\r\n$0\r\n\r\n*0\r\n$2\r\n\r\n\r\n";

/* The replies of `stream`. */
static void check_reply(unsigned number, const struct resp_reply *reply)
{
    const struct resp_item *item = reply->items;
    switch (number) {
    case 0:
        assert_int_equal(item->type, RESP_TEXT);
        assert_int_equal(item->len, 5);
        assert_memory_equal(resp_text(reply, item), "hello", 5);
        break;
    case 1:
        assert_int_equal(item->type, RESP_NIL);
        break;
    case 2:
        assert_int_equal(item->type, RESP_STATUS);
        assert_true(resp_begins(reply, item, "OK"));
        break;
    case 3:
        assert_int_equal(item->type, RESP_ERROR);
        assert_true(resp_begins(reply, item, "ERR "));
        assert_false(resp_begins(reply, item, "ERR wrong!"));
        break;
    case 4:
        assert_int_equal(item->type, RESP_INTEGER);
        assert_int_equal(item->integer, -42);
        break;
    case 5:
        assert_int_equal(item->type, RESP_ARRAY);
        assert_int_equal(item->len, 3);
        assert_int_equal(reply->count, 6);
        assert_int_equal(item[1].integer, 1);
        assert_int_equal(item[2].type, RESP_ARRAY);
        assert_int_equal(item[2].after, 5);
        assert_memory_equal(resp_text(reply, &item[3]), "a", 1);
        assert_memory_equal(resp_text(reply, &item[4]), "b", 1);
        assert_int_equal(item[5].type, RESP_TEXT);
        assert_int_equal(item[5].len, 0);
        break;
    case 6:
        assert_int_equal(item->type, RESP_ARRAY);
        assert_int_equal(item->len, 0);
        break;
    case 7:
        assert_memory_equal(resp_text(reply, item), "\r\n", 2);
        break;
    default:
        fail();
    }
    assert_int_equal(item->after, reply->count);
}

static void replies_come_in_any_pieces(void **state)
{
    (void)state;
    size_t len = sizeof stream - 1;
    for (size_t piece = 1; piece <= len; piece++) {
        struct resp *resp = resp_new();
        struct resp_reply reply;
        unsigned number = 0;
        assert_non_null(resp);
        for (size_t at = 0; at < len; at += piece) {
            size_t part = len - at < piece ? len - at : piece;
            assert_int_equal(resp_feed(resp, (struct bytes){(const uint8_t *)stream + at, part}), 0);
            int status;
            while ((status = resp_next(resp, &reply)) > 0)
                check_reply(number++, &reply);
            assert_int_equal(status, 0);
        }
        assert_int_equal(number, 8);
        resp_free(resp);
    }
}

static int feed_all(const char *bytes, size_t len)
{
    struct resp *resp = resp_new();
    struct resp_reply reply;
    int status = 0;
    for (size_t at = 0; status >= 0 && at < len; at += 4096) {
        status = resp_feed(resp, (struct bytes){(const uint8_t *)bytes + at, len - at < 4096 ? len - at : 4096});
        while (status == 0 && (status = resp_next(resp, &reply)) > 0)
            status = 0;
    }
    resp_free(resp);
    return status;
}

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"HTTP/1.1 200 OK\r\n\r\n", "\x16\x03\x01\x02", "$x\r\n", "*-7\r\n", "?\r\n",
                                      "*1000000000\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(feed_all(bad[i], strlen(bad[i])) < 0);
}

static void replies_are_bounded(void **state)
{
    (void)state;
    size_t len = RESP_BYTES + 100;
    char *big = malloc(len);
    assert_non_null(big);
    memset(big, 'x', len);
    memcpy(big, "$4000000\r\n", 10);
    assert_int_equal(feed_all(big, len), ERROR_MALFORMED);
    int at = sprintf(big, "*%d\r\n", RESP_ITEMS);
    for (int i = 0; i < RESP_ITEMS; i++)
        at += sprintf(big + at, ":1\r\n");
    assert_true(feed_all(big, (size_t)at) < 0); /* with the array itself one item too many */
    at = sprintf(big, "*%d\r\n", RESP_ITEMS - 1);
    for (int i = 0; i < RESP_ITEMS - 1; i++)
        at += sprintf(big + at, ":1\r\n");
    assert_int_equal(feed_all(big, (size_t)at), 0);
    at = 0;
    for (int i = 0; i < RESP_DEPTH; i++)
        at += sprintf(big + at, "*1\r\n");
    assert_int_equal(feed_all(big, (size_t)sprintf(big + at, ":1\r\n") + (size_t)at), 0);
    assert_true(feed_all(big, (size_t)sprintf(big + at, "*1\r\n:1\r\n") + (size_t)at) < 0); /* too deep */
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_carry_any_byte),    cmocka_unit_test(numbers_have_all_their_digits),
        cmocka_unit_test(replies_come_in_any_pieces), cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(replies_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
