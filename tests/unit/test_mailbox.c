/* SPDX-License-Identifier: MIT */
/* The mailbox: order, nothing lost, closing. Worth a run with -fsanitize=thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "net/mailbox.h"

#define POSTERS 4
#define ITEMS   500 /* of each poster */

struct office {
    struct loop loop;
    struct mailbox mailbox;
    char opened[16]; /* names in the order of opening */
    bool closed;     /* the mailbox, by an item */
};

struct note {
    struct mailbox_item item;
    char name;
    struct note *then; /* posted when this one is opened */
};

static void note_open(struct mailbox_item *item, void *reader)
{
    struct office *office = reader;
    struct note *note = container_of(item, struct note, item);
    office->opened[strlen(office->opened)] = note->name;
    if (note->then)
        mailbox_post(&office->mailbox, &note->then->item);
}

static void closing_note_open(struct mailbox_item *item, void *reader)
{
    struct office *office = reader;
    note_open(item, reader);
    mailbox_close(&office->mailbox);
    office->closed = true;
}

static struct note note(char name)
{
    return (struct note){.item.open = note_open, .name = name};
}

static int setup(void **state)
{
    static struct office office;
    memset(&office, 0, sizeof(office));
    *state = &office;
    return loop_init(&office.loop) < 0 || mailbox_init(&office.mailbox, &office.loop, &office) < 0;
}

static int teardown(void **state)
{
    struct office *office = *state;
    mailbox_close(&office->mailbox);
    bool drained = loop_drain(&office->loop, 10000);
    loop_fini(&office->loop);
    return !drained;
}

static void turn(struct office *office)
{
    uv_run(&office->loop.uv, UV_RUN_NOWAIT);
}

static void test_items_are_opened_in_the_order_of_posting(void **state)
{
    struct office *office = *state;
    struct note a = note('a'), b = note('b'), c = note('c');
    mailbox_post(&office->mailbox, &b.item);
    mailbox_post(&office->mailbox, &a.item);
    mailbox_post(&office->mailbox, &c.item);
    assert_string_equal(office->opened, "");
    turn(office);
    assert_string_equal(office->opened, "bac");
    turn(office);
    assert_string_equal(office->opened, "bac");
}

static void test_an_item_posted_by_an_item_waits_for_the_next_turn(void **state)
{
    struct office *office = *state;
    struct note a = note('a'), b = note('b'), c = note('c');
    a.then = &c;
    mailbox_post(&office->mailbox, &a.item);
    mailbox_post(&office->mailbox, &b.item);
    turn(office);
    assert_string_equal(office->opened, "ab");
    turn(office);
    assert_string_equal(office->opened, "abc");
}

static void test_an_item_may_be_posted_again_once_opened(void **state)
{
    struct office *office = *state;
    struct note a = note('a');
    mailbox_post(&office->mailbox, &a.item);
    turn(office);
    mailbox_post(&office->mailbox, &a.item);
    turn(office);
    assert_string_equal(office->opened, "aa");
}

static void test_closing_opens_the_remaining_items(void **state)
{
    struct office *office = *state;
    struct note a = note('a'), b = note('b'), c = note('c');
    a.then = &c;
    mailbox_post(&office->mailbox, &a.item);
    mailbox_post(&office->mailbox, &b.item);
    mailbox_close(&office->mailbox);
    assert_string_equal(office->opened, "abc");
}

static void test_an_item_that_closes_the_mailbox_loses_none_behind_it(void **state)
{
    struct office *office = *state;
    struct note a = note('a'), b = note('b'), c = note('c');
    a.item.open = closing_note_open;
    a.then = &c;
    mailbox_post(&office->mailbox, &a.item);
    mailbox_post(&office->mailbox, &b.item);
    turn(office);
    assert_true(office->closed);
    assert_string_equal(office->opened, "abc");
}

static void test_closing_twice_by_items_is_closing_once(void **state)
{
    struct office *office = *state;
    struct note a = note('a'), b = note('b');
    a.item.open = b.item.open = closing_note_open;
    mailbox_post(&office->mailbox, &a.item);
    mailbox_post(&office->mailbox, &b.item);
    mailbox_close(&office->mailbox);
    assert_string_equal(office->opened, "ab");
}

static void test_an_item_posted_while_closing_is_opened(void **state)
{
    struct office *office = *state;
    struct note a = note('a');
    mailbox_close(&office->mailbox);
    mailbox_post(&office->mailbox, &a.item);
    assert_true(loop_drain(&office->loop, 10000));
    assert_string_equal(office->opened, "a");
}

static void test_an_empty_mailbox_lets_the_loop_sleep(void **state)
{
    struct office *office = *state;
    turn(office);
    assert_int_equal(uv_backend_timeout(&office->loop.uv), -1);
}

/* --- several threads --- */

struct numbered {
    struct mailbox_item item;
    unsigned poster, number;
};

struct poster {
    pthread_t thread;
    struct mailbox *mailbox;
    struct numbered items[ITEMS];
};

struct reader {
    struct loop loop;
    struct mailbox mailbox;
    struct poster posters[POSTERS];
    unsigned next[POSTERS], opened;
    bool in_order;
};

static void numbered_open(struct mailbox_item *item, void *arg)
{
    struct reader *reader = arg;
    struct numbered *numbered = container_of(item, struct numbered, item);
    if (numbered->number != reader->next[numbered->poster]++)
        reader->in_order = false;
    if (++reader->opened == POSTERS * ITEMS)
        loop_stop(&reader->loop);
}

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    for (unsigned i = 0; i < ITEMS; i++)
        mailbox_post(poster->mailbox, &poster->items[i].item);
    return NULL;
}

static void start_poster(struct reader *reader, unsigned which)
{
    struct poster *poster = &reader->posters[which];
    poster->mailbox = &reader->mailbox;
    for (unsigned i = 0; i < ITEMS; i++)
        poster->items[i] = (struct numbered){.item.open = numbered_open, .poster = which, .number = i};
    assert_int_equal(pthread_create(&poster->thread, NULL, post_all, poster), 0);
}

static void reader_setup(struct reader *reader)
{
    memset(reader, 0, sizeof(*reader));
    reader->in_order = true;
    assert_int_equal(loop_init(&reader->loop), 0);
    assert_int_equal(mailbox_init(&reader->mailbox, &reader->loop, reader), 0);
    for (unsigned i = 0; i < POSTERS; i++)
        start_poster(reader, i);
}

static void reader_check(struct reader *reader)
{
    assert_true(loop_drain(&reader->loop, 10000));
    loop_fini(&reader->loop);
    assert_int_equal(reader->opened, POSTERS * ITEMS);
    assert_true(reader->in_order);
}

static void join_posters(struct reader *reader)
{
    for (unsigned i = 0; i < POSTERS; i++)
        pthread_join(reader->posters[i].thread, NULL);
}

static void test_items_of_many_threads_are_opened_once_each_in_order(void **state)
{
    static struct reader reader;
    (void)state;
    reader_setup(&reader);
    loop_run(&reader.loop);
    join_posters(&reader);
    mailbox_close(&reader.mailbox);
    reader_check(&reader);
}

static void test_closing_under_load_loses_no_item(void **state)
{
    static struct reader reader;
    (void)state;
    reader_setup(&reader);
    mailbox_close(&reader.mailbox);
    join_posters(&reader);
    reader_check(&reader);
}

#define IN_OFFICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_OFFICE(test_items_are_opened_in_the_order_of_posting),
        IN_OFFICE(test_an_item_posted_by_an_item_waits_for_the_next_turn),
        IN_OFFICE(test_an_item_may_be_posted_again_once_opened),
        IN_OFFICE(test_closing_opens_the_remaining_items),
        IN_OFFICE(test_an_item_that_closes_the_mailbox_loses_none_behind_it),
        IN_OFFICE(test_closing_twice_by_items_is_closing_once),
        IN_OFFICE(test_an_item_posted_while_closing_is_opened),
        IN_OFFICE(test_an_empty_mailbox_lets_the_loop_sleep),
        cmocka_unit_test(test_items_of_many_threads_are_opened_once_each_in_order),
        cmocka_unit_test(test_closing_under_load_loses_no_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
