/* SPDX-License-Identifier: MIT */
/* Negative trust anchors that are added at run time, as a worker sees them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "resolve/negatives.h"
#include "resolve/validator.h"

enum { MINUTE = 60000 };

static struct validator validator;

static int end(void **state)
{
    static struct negative list[NEGATIVES_MAX];
    (void)state;
    for (size_t count = negatives_list(list), i = 0; i < count; i++)
        assert_int_equal(negatives_set(list[i].name, list[i].len, 0), 0);
    anchors_unref(validator.negatives);
    validator = (struct validator){.resolver = NULL};
    return 0;
}

static int set(const char *text, uint64_t until_ms)
{
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text);
    assert_true(len > 0);
    return negatives_set(name, (size_t)len, until_ms);
}

/* The end of the one that decides about this name; 0: none. */
static uint64_t end_of(const char *text)
{
    uint8_t name[NAME_MAX_WIRE];
    size_t len = (size_t)name_from_text(name, text);
    const struct anchors *negatives = negatives_of(&validator);
    const struct anchor *found = negatives ? anchors_closest(negatives, name, len, clock_ms()) : NULL;
    assert_true(!found || found->negative);
    return found ? found->until_ms : 0;
}

static void workers_see_changes(void **state)
{
    (void)state;
    uint64_t now = clock_ms();
    assert_int_equal(end_of("www.broken.example"), 0);
    assert_int_equal(set("broken.example", now + MINUTE), 0);
    assert_int_equal(end_of("www.broken.example"), now + MINUTE);
    assert_int_equal(end_of("example"), 0);
    assert_int_equal(set("broken.example", now + 2 * MINUTE), 0);
    assert_int_equal(end_of("broken.example"), now + 2 * MINUTE);
    assert_int_equal(set("broken.example", 0), 0);
    assert_int_equal(end_of("broken.example"), 0);
    assert_null(validator.negatives);
    assert_int_equal(set("broken.example", 0), -ENOENT);
}

static void the_number_is_limited(void **state)
{
    static struct negative list[NEGATIVES_MAX];
    (void)state;
    uint64_t until = clock_ms() + MINUTE;
    char name[32];
    for (unsigned i = 0; i < NEGATIVES_MAX; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        assert_int_equal(set(name, until), 0);
    }
    assert_int_equal(set("more.example", until), -ENOSPC);
    assert_int_equal(set("n0.example", until + MINUTE), 0);
    assert_int_equal(negatives_list(list), NEGATIVES_MAX);
    assert_int_equal(end_of("x.n63.example"), until);
}

static void lack_of_memory_is_repaired_later(void **state)
{
    (void)state;
    uint64_t until = clock_ms() + MINUTE;
    assert_int_equal(set("broken.example", until), 0);
    mem_fail_at(2);
    (void)negatives_of(&validator);
    mem_fail_at(0);
    assert_int_equal(end_of("broken.example"), until);
}

static void texts_of_the_configuration(void **state)
{
    static const struct {
        const char *text;
        int len;
        int64_t until_s;
    } cases[] = {
        {"a.example", 11, 0},
        {".", 1, 0},
        {"a.example. until 2026-12-31", 11, 1798675200},
        {"a.example until 2026-12-31T12:30Z", 11, 1798720200},
        {"a.example until 2026-02-29", -EINVAL, 0},
        {"a.example until 2026-12-31T24:30Z", -EINVAL, 0},
        {"a.example until 2026-12-31T12:30", -EINVAL, 0},
        {"a.example until 2026-12-31 ", -EINVAL, 0},
        {"a.example until ", -EINVAL, 0},
        {"a.example until tomorrow", -EINVAL, 0},
        {"a.example until +26-12-31", -EINVAL, 0},
        {"a.example b.example", -EINVAL, 0},
        {" until 2026-12-31", -EINVAL, 0},
        {"a..example", -EINVAL, 0},
        {"", -EINVAL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t name[NAME_MAX_WIRE];
        int64_t until_s = 0;
        assert_int_equal(config_negative(cases[i].text, name, &until_s), cases[i].len);
        if (cases[i].len > 0)
            assert_int_equal(until_s, cases[i].until_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_the_configuration),
        cmocka_unit_test_teardown(workers_see_changes, end),
        cmocka_unit_test_teardown(the_number_is_limited, end),
        cmocka_unit_test_teardown(lack_of_memory_is_repaired_later, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
