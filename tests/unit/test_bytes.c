/* SPDX-License-Identifier: MIT */
/* base/bytes: no access out of bounds, and a buffer survives failed allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/mem.h"

static void a_cursor_reads_big_endian_and_counts(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc, 9, 8};
    struct cursor cursor = cursor_over((struct bytes){data, sizeof(data)});
    assert_int_equal(cursor_u8(&cursor), 1);
    assert_int_equal(cursor_u16(&cursor), 0x0203);
    assert_int_equal(cursor_u32(&cursor), 0xfffefdfc);
    assert_int_equal(cursor_offset(&cursor), 7);
    assert_int_equal(cursor_left(&cursor), 2);
    assert_ptr_equal(cursor_take(&cursor, 2), data + 7);
    assert_int_equal(cursor_left(&cursor), 0);
    assert_false(cursor.failed);
}

static void a_cursor_stays_failed_and_gives_zero(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3};
    struct cursor cursor = cursor_over((struct bytes){data, sizeof(data)});
    assert_int_equal(cursor_u32(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(cursor_u8(&cursor), 0);
    assert_int_equal(cursor_u16(&cursor), 0);
    assert_null(cursor_take(&cursor, 0));
    assert_int_equal(cursor_offset(&cursor), 0);
}

static void a_cursor_is_not_fooled_by_a_huge_length(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3};
    struct cursor cursor = cursor_over((struct bytes){data, sizeof(data)});
    assert_null(cursor_take(&cursor, SIZE_MAX));
    assert_true(cursor.failed);
}

static void an_empty_view_may_be_null(void **state)
{
    (void)state;
    struct cursor cursor = cursor_over((struct bytes){NULL, 0});
    assert_int_equal(cursor_left(&cursor), 0);
    assert_non_null(cursor_take(&cursor, 0));
    assert_false(cursor.failed);
    assert_int_equal(cursor_u8(&cursor), 0);
    assert_true(cursor.failed);
}

static void a_writer_writes_big_endian(void **state)
{
    (void)state;
    static const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 'a', 'b'};
    uint8_t data[9];
    struct writer writer = writer_over(data, sizeof(data));
    writer_u8(&writer, 1);
    writer_u16(&writer, 0x0203);
    writer_u32(&writer, 0x04050607);
    writer_bytes(&writer, "ab", 2);
    writer_bytes(&writer, NULL, 0);
    assert_false(writer.failed);
    assert_int_equal(writer_len(&writer), sizeof(data));
    assert_memory_equal(data, expected, sizeof(data));
}

static void a_writer_that_failed_writes_nothing_more(void **state)
{
    (void)state;
    uint8_t data[4] = {0};
    static const uint8_t expected[4] = {0, 5, 0, 0};
    struct writer writer = writer_over(data, 3);
    writer_u16(&writer, 5);
    writer_u32(&writer, 0xffffffff);
    assert_true(writer.failed);
    writer_u8(&writer, 0xff);
    writer_u16(&writer, 0xffff);
    writer_bytes(&writer, "x", 1);
    assert_null(writer_take(&writer, 0));
    assert_int_equal(writer_len(&writer), 2);
    assert_memory_equal(data, expected, sizeof(data));
}

static void a_writer_is_not_fooled_by_a_huge_length(void **state)
{
    (void)state;
    uint8_t data[4];
    struct writer writer = writer_over(data, sizeof(data));
    assert_null(writer_take(&writer, SIZE_MAX));
    assert_true(writer.failed);
}

static void a_buffer_keeps_order_over_growth_and_consumption(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    uint8_t next_in = 0, next_out = 0;
    for (size_t round = 0; round < 2000; ++round) {
        for (size_t i = 0; i < round % 97; ++i, ++next_in)
            assert_int_equal(buffer_append(&buffer, &next_in, 1), 0);
        size_t out = round % 89 < buffer.len ? round % 89 : buffer.len;
        struct bytes view = buffer_bytes(&buffer);
        for (size_t i = 0; i < out; ++i, ++next_out)
            assert_int_equal(view.data[i], next_out);
        buffer_consume(&buffer, out);
    }
    buffer_free(&buffer);
}

static void reserved_room_becomes_data_when_committed(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_int_equal(buffer_append(&buffer, "ab", 2), 0);
    uint8_t *room = buffer_reserve(&buffer, 1000);
    assert_non_null(room);
    memset(room, 'c', 1000);
    assert_int_equal(buffer.len, 2);
    buffer_commit(&buffer, 3);
    assert_int_equal(buffer.len, 5);
    assert_memory_equal(buffer_bytes(&buffer).data, "abccc", 5);
    buffer_free(&buffer);
}

static void nothing_can_be_reserved_and_appended(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    mem_fail_at(1);
    assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(mem_asked(), 0);
    mem_fail_at(0);
    assert_int_equal(buffer_bytes(&buffer).len, 0);
    assert_non_null(buffer_reserve(&buffer, 0));
    buffer_free(&buffer);
}

static void an_emptied_buffer_starts_at_the_front(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
    buffer_consume(&buffer, 2);
    assert_int_equal(buffer.start, 2);
    buffer_consume(&buffer, 1);
    assert_int_equal(buffer.start, 0);
    buffer_free(&buffer);
}

/* The buffer of a connection that is never quite empty must not grow for ever. */
static void consumed_room_is_used_again(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    static const uint8_t chunk[100];
    assert_int_equal(buffer_append(&buffer, chunk, sizeof(chunk)), 0);
    for (int i = 0; i < 10000; ++i) {
        assert_int_equal(buffer_append(&buffer, chunk, sizeof(chunk)), 0);
        buffer_consume(&buffer, sizeof(chunk));
    }
    assert_true(buffer.cap <= 1024);
    buffer_free(&buffer);
}

static void growth_is_by_doubling(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    mem_fail_at(0);
    for (int i = 0; i < 1000000; ++i)
        assert_int_equal(buffer_append(&buffer, "x", 1), 0);
    assert_true(mem_asked() <= 14);
    buffer_free(&buffer);
}

static void out_of_memory_a_buffer_is_unchanged(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    mem_fail_at(1);
    assert_int_equal(buffer_append(&buffer, "abc", 3), -ENOMEM);
    assert_int_equal(buffer.len, 0);
    assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
    mem_fail_at(1);
    assert_null(buffer_reserve(&buffer, 4000));
    assert_int_equal(buffer.len, 3);
    assert_memory_equal(buffer_bytes(&buffer).data, "abc", 3);
    mem_fail_at(0);
    assert_int_equal(buffer_append(&buffer, "def", 3), 0);
    assert_memory_equal(buffer_bytes(&buffer).data, "abcdef", 6);
    buffer_free(&buffer);
}

static void a_length_that_overflows_is_refused(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 2));
    assert_int_equal(buffer.len, 3);
    buffer_free(&buffer);
}

static void a_freed_buffer_is_usable(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
    buffer_free(&buffer);
    assert_int_equal(buffer.len, 0);
    assert_int_equal(buffer_append(&buffer, "de", 2), 0);
    assert_memory_equal(buffer_bytes(&buffer).data, "de", 2);
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_reads_big_endian_and_counts),
        cmocka_unit_test(a_cursor_stays_failed_and_gives_zero),
        cmocka_unit_test(a_cursor_is_not_fooled_by_a_huge_length),
        cmocka_unit_test(an_empty_view_may_be_null),
        cmocka_unit_test(a_writer_writes_big_endian),
        cmocka_unit_test(a_writer_that_failed_writes_nothing_more),
        cmocka_unit_test(a_writer_is_not_fooled_by_a_huge_length),
        cmocka_unit_test(a_buffer_keeps_order_over_growth_and_consumption),
        cmocka_unit_test(reserved_room_becomes_data_when_committed),
        cmocka_unit_test(nothing_can_be_reserved_and_appended),
        cmocka_unit_test(an_emptied_buffer_starts_at_the_front),
        cmocka_unit_test(consumed_room_is_used_again),
        cmocka_unit_test(growth_is_by_doubling),
        cmocka_unit_test(out_of_memory_a_buffer_is_unchanged),
        cmocka_unit_test(a_length_that_overflows_is_refused),
        cmocka_unit_test(a_freed_buffer_is_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
