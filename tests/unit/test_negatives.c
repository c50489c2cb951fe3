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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(workers_see_changes, end),
        cmocka_unit_test_teardown(the_number_is_limited, end),
        cmocka_unit_test_teardown(lack_of_memory_is_repaired_later, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
