/* SPDX-License-Identifier: MIT */
/* base/list: order, removal from anywhere, moving all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/list.h"

struct item {
    int number;
    struct list_link link;
};

static struct item items[3];
static struct list list;

static int three_items(void **state)
{
    (void)state;
    list_init(&list);
    for (int i = 0; i < 3; ++i) {
        items[i] = (struct item){.number = i};
        list_push_back(&list, &items[i].link);
    }
    return 0;
}

/* The numbers in `which`, read forwards and checked backwards, as decimal digits behind a 1. */
static int digits(const struct list *which)
{
    int forwards = 1, backwards = 0, scale = 1;
    struct list_link *link;
    for (link = list_first(which); link; link = list_next(which, link))
        forwards = forwards * 10 + container_of(link, struct item, link)->number;
    for (link = list_empty(which) ? NULL : which->head.prev; link; link = list_previous(which, link), scale *= 10)
        backwards += scale * container_of(link, struct item, link)->number;
    assert_int_equal(forwards, scale + backwards);
    return forwards;
}

static void pushed_to_the_back_is_first_in_first_out(void **state)
{
    (void)state;
    assert_int_equal(digits(&list), 1012);
    assert_ptr_equal(list_pop(&list), &items[0].link);
    assert_int_equal(digits(&list), 112);
    assert_false(list_linked(&items[0].link));
}

static void pushed_to_the_front_is_last_in_first_out(void **state)
{
    (void)state;
    struct item late = {.number = 7};
    list_push_front(&list, &late.link);
    assert_int_equal(digits(&list), 17012);
    assert_ptr_equal(list_pop(&list), &late.link);
}

static void links_leave_from_anywhere_and_only_once(void **state)
{
    (void)state;
    list_remove(&items[1].link);
    assert_int_equal(digits(&list), 102);
    list_remove(&items[1].link);
    assert_int_equal(digits(&list), 102);
    list_remove(&items[2].link);
    assert_int_equal(digits(&list), 10);
    list_remove(&items[0].link);
    assert_true(list_empty(&list));
    assert_null(list_first(&list));
    assert_null(list_pop(&list));
}

static void a_link_knows_whether_it_is_in_a_list(void **state)
{
    (void)state;
    struct list_link fresh = {0};
    assert_false(list_linked(&fresh));
    assert_true(list_linked(&items[0].link));
    list_remove(&items[0].link);
    assert_false(list_linked(&items[0].link));
}

static void all_links_move_and_the_source_stays_usable(void **state)
{
    (void)state;
    struct list to;
    list_init(&to);
    list_move_all(&list, &to);
    assert_int_equal(digits(&to), 1012);
    assert_int_equal(digits(&list), 1);
    list_remove(&items[0].link);
    list_remove(&items[2].link);
    list_push_back(&list, &items[0].link);
    assert_int_equal(digits(&to), 11);
    assert_int_equal(digits(&list), 10);
}

static void moving_nothing_leaves_both_empty(void **state)
{
    (void)state;
    struct list from, to;
    list_init(&from);
    list_init(&to);
    list_move_all(&from, &to);
    assert_int_equal(digits(&from), 1);
    assert_int_equal(digits(&to), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pushed_to_the_back_is_first_in_first_out, three_items),
        cmocka_unit_test_setup(pushed_to_the_front_is_last_in_first_out, three_items),
        cmocka_unit_test_setup(links_leave_from_anywhere_and_only_once, three_items),
        cmocka_unit_test_setup(a_link_knows_whether_it_is_in_a_list, three_items),
        cmocka_unit_test_setup(all_links_move_and_the_source_stays_usable, three_items),
        cmocka_unit_test_setup(moving_nothing_leaves_both_empty, three_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
