/* SPDX-License-Identifier: MIT */
/* upstream/budget: queries a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/budget.h"

static unsigned take_all(struct budget *budget, uint64_t now_ms)
{
    unsigned taken = 0;
    for (; budget_has(budget, now_ms) && taken < 100000; taken++)
        budget_take(budget);
    return taken;
}

static void without_a_limit_nothing_is_counted(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 0, 1000);
    assert_int_equal(take_all(&budget, 1000), 100000);
    assert_int_equal(budget_wait(&budget, 1000), 0);
    assert_false(budget_halve(&budget, 1000));
}

static void it_holds_one_second_and_fills_evenly(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 100, 1000);
    assert_int_equal(take_all(&budget, 1000), 100);
    assert_false(budget_has(&budget, 1009));
    assert_int_equal(take_all(&budget, 1010), 1);
    assert_int_equal(take_all(&budget, 1510), 50);
    assert_int_equal(take_all(&budget, 60000), 100); /* and no more than that */
}

static void it_returns_the_time_of_the_next_token(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 3, 1000);
    assert_int_equal(budget_wait(&budget, 1000), 0);
    take_all(&budget, 1000);
    uint64_t wait = budget_wait(&budget, 1000);
    assert_int_equal(wait, 334);
    assert_false(budget_has(&budget, 1000 + wait - 1));
    assert_true(budget_has(&budget, 1000 + wait));
}

static void a_refusal_under_load_halves_it_once_a_second(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 100, 1000);
    take_all(&budget, 5000);
    assert_true(budget_halve(&budget, 5000));
    assert_int_equal(budget.rate, 50);
    assert_false(budget_halve(&budget, 5999));
    assert_true(budget_halve(&budget, 6000));
    assert_int_equal(budget.rate, 25);
    for (uint64_t now_ms = 7000; now_ms < 12000; now_ms += 1000)
        assert_true(budget_halve(&budget, now_ms));
    assert_int_equal(budget.rate, 1); /* never none */
}

static void a_refusal_without_load_does_not(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 100, 1000);
    assert_true(budget_has(&budget, 5000));
    for (unsigned i = 0; i < 49; i++)
        budget_take(&budget);
    assert_false(budget_halve(&budget, 5000));
    budget_take(&budget);
    assert_true(budget_halve(&budget, 5000));
}

static void it_recovers_by_a_tenth_each_second(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, 100, 1000);
    take_all(&budget, 5000);
    assert_true(budget_halve(&budget, 5000));
    budget_has(&budget, 5999);
    assert_int_equal(budget.rate, 50);
    for (uint64_t now_ms = 6000; now_ms <= 10000; now_ms += 1000)
        budget_has(&budget, now_ms);
    assert_int_equal(budget.rate, 100);
}

static void users_of_one_upstream_share_a_budget(void **state)
{
    (void)state;
    struct list all;
    list_init(&all);
    struct budget_share *first = budget_share_join(&all, budget_share_new("a", 2), 1000);
    struct budget_share *same = budget_share_join(&all, budget_share_new("a", 2), 2000);
    struct budget_share *other = budget_share_join(&all, budget_share_new("a", 3), 2000);
    struct budget_share *unused = budget_share_new("a", 2);
    assert_ptr_equal(first, same);
    assert_ptr_not_equal(first, other);
    budget_share_drop(unused);
    assert_true(budget_has(&first->budget, 2000));
    budget_take(&first->budget);
    budget_take(&same->budget);
    assert_false(budget_has(&same->budget, 2000));
    assert_true(budget_has(&other->budget, 2000));
    budget_share_drop(first);
    assert_false(budget_has(&same->budget, 2000));
    budget_share_drop(same);
    budget_share_drop(other);
    assert_true(list_empty(&all));
    budget_share_drop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nothing_is_counted),
        cmocka_unit_test(it_holds_one_second_and_fills_evenly),
        cmocka_unit_test(it_returns_the_time_of_the_next_token),
        cmocka_unit_test(a_refusal_under_load_halves_it_once_a_second),
        cmocka_unit_test(a_refusal_without_load_does_not),
        cmocka_unit_test(it_recovers_by_a_tenth_each_second),
        cmocka_unit_test(users_of_one_upstream_share_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
