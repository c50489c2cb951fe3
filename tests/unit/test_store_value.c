/* SPDX-License-Identifier: MIT */
/* Responses packed for the store and read back. */
#include "answers.h"
#include "base/errors.h"
#include "store/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct sample sample;
static struct value_room room;
static uint8_t packed[VALUE_MAX];

static size_t pack(unsigned records, uint32_t ttl)
{
    sample_key(&sample, 7);
    sample_answer(&sample, records, 0x01020304, ttl);
    return value_pack(packed, &sample.answer, KEY_DO, STORE_SECURE);
}

static int unpack(struct store_value *out, size_t len, uint64_t age_ms)
{
    return value_unpack(out, (struct bytes){packed, len}, &sample.key, age_ms, &room);
}

static void a_response_comes_back_aged(void **state)
{
    (void)state;
    struct store_value value;
    size_t len = pack(3, 300);
    assert_true(len > 0);
    assert_int_equal(unpack(&value, len, 0), 0);
    assert_int_equal(value.answer.len, sample.answer.len);
    assert_memory_equal(value.answer.wire, sample.wire, value.answer.len);
    assert_int_equal(value.answer.ttl, 300);
    assert_int_equal(value.verdict, STORE_SECURE);
    assert_int_equal(unpack(&value, len, 10001), 0); /* a part of a second counts as one */
    assert_int_equal(value.answer.ttl, 289);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(read_u32(value.answer.wire + value.answer.ttl_offsets[i]), 289);
    assert_int_equal(unpack(&value, len, 299000), 0);
    assert_int_equal(value.answer.ttl, 1);
}

static void an_expired_response_keeps_its_ttls(void **state)
{
    (void)state;
    struct store_value value;
    size_t len = pack(2, 300);
    const uint64_t ages[] = {299001, 300000, UINT64_C(1) << 50};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(unpack(&value, len, ages[i]), 0);
        assert_int_equal(value.answer.ttl, 0);
        assert_int_equal(value.ttl, 300);
        assert_int_equal(read_u32(value.answer.wire + value.answer.ttl_offsets[0]), 300);
    }
}

static void extended_errors_and_ad_come_back(void **state)
{
    (void)state;
    struct store_value value;
    pack(1, 60);
    sample.answer.authenticated = true;
    ede_add(&sample.answer.ede, 17, "filtered", 8);
    ede_add(&sample.answer.ede, 3, NULL, 0);
    size_t len = value_pack(packed, &sample.answer, KEY_DO, STORE_NOT_VALIDATED);
    assert_int_equal(unpack(&value, len, 0), 0);
    assert_true(value.answer.authenticated);
    assert_int_equal(value.answer.ede.count, 2);
    assert_int_equal(value.answer.ede.item[0].code, 17);
    assert_memory_equal(value.answer.ede.item[0].text, "filtered", 8);
    assert_int_equal(value.answer.ede.item[1].len, 0);
}

static void the_key_is_in_the_value(void **state)
{
    (void)state;
    struct key key;
    size_t len = pack(2, 300);
    assert_int_equal(value_key((struct bytes){packed, len}, &key), 0);
    assert_int_equal(key.flags, KEY_DO);
    assert_int_equal(key.type, sample.key.type);
    assert_int_equal(key.class, sample.key.class);
    assert_int_equal(key.name_len, sample.key.name_len);
    assert_memory_equal(key.name, sample.key.name, key.name_len);
    packed[3] = 0x80; /* an unknown flag */
    assert_int_equal(value_key((struct bytes){packed, len}, &key), ERROR_MALFORMED);
    packed[3] = 0;
    for (size_t cut = 0; cut < 11 + 2 + MESSAGE_HEADER; cut++)
        assert_int_equal(value_key((struct bytes){packed, cut}, &key), ERROR_MALFORMED);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct store_value value;
    size_t len = pack(2, 300);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(unpack(&value, cut, 0), ERROR_MALFORMED);
    packed[len] = 0;
    assert_int_equal(unpack(&value, len + 1, 0), ERROR_MALFORMED);
    packed[0]++; /* the version */
    assert_int_equal(unpack(&value, len, 0), ERROR_MALFORMED);
    packed[0]--;
    packed[2] = STORE_VERDICT_LAST + 1;
    assert_int_equal(unpack(&value, len, 0), ERROR_MALFORMED);
    packed[2] = 0;
    packed[5] = 2; /* SERVFAIL */
    assert_int_equal(unpack(&value, len, 0), ERROR_MALFORMED);
    packed[5] = 0;
    assert_int_equal(unpack(&value, len, 0), 0);
    sample.key.name[1] ^= 1; /* a response to another name */
    assert_int_equal(unpack(&value, len, 0), ERROR_MALFORMED);
    sample.key.name[1] ^= 1;
    sample.key.type = 28;
    assert_int_equal(unpack(&value, len, 0), ERROR_MALFORMED);
}

static void long_responses_are_not_stored(void **state)
{
    (void)state;
    assert_true(pack(1000, 300) > 0);
    assert_int_equal(pack(1100, 300), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_comes_back_aged),       cmocka_unit_test(an_expired_response_keeps_its_ttls),
        cmocka_unit_test(extended_errors_and_ad_come_back), cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(long_responses_are_not_stored),    cmocka_unit_test(the_key_is_in_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
