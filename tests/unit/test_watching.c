/* SPDX-License-Identifier: MIT */
/* Files that are watched by their names: each way to change what a path contains is seen, also the next time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "../src/daemon/watching.h"

enum { WAIT_MS = 20, PATIENCE_MS = 2000, QUIET_MS = 100 };

static struct loop loop;
static struct watching watching;
static uv_timer_t patience;
static unsigned changes;
static char folder[64];
static char *watched;

static char *in_folder(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void watch(void)
{
    watching_begin(&watching);
    watching_add(&watching, watched);
}

static void changed(struct watching *of)
{
    assert_ptr_equal(of, &watching);
    changes++;
    watch();
    uv_stop(&loop.uv);
}

static void gave_up(uv_timer_t *timer)
{
    (void)timer;
    uv_stop(&loop.uv);
}

static unsigned changes_within(unsigned ms)
{
    changes = 0;
    uv_timer_start(&patience, gave_up, ms, 0);
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    uv_timer_stop(&patience);
    return changes;
}

static void assert_seen(void)
{
    assert_int_equal(changes_within(PATIENCE_MS), 1);
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_watching.XXXXXX");
    if (!mkdtemp(folder) || loop_init(&loop) < 0)
        return -1;
    uv_timer_init(&loop.uv, &patience);
    watching_init(&watching, &loop, "lists", changed);
    watching.wait_ms = WAIT_MS;
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    watching_close(&watching);
    uv_close((uv_handle_t *)&patience, NULL);
    loop_drain(&loop, 100);
    loop_fini(&loop);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void writes_and_replacements_are_seen(void **state)
{
    (void)state;
    write_file("list", "one");
    watched = in_folder("list");
    watch();
    write_file("list", "two");
    assert_seen();
    for (unsigned i = 0; i < 2; i++) {
        write_file("list.new", "three");
        assert_int_equal(rename(in_folder("list.new"), in_folder("list")), 0);
        assert_seen();
    }
    assert_int_equal(unlink(in_folder("list")), 0);
    assert_seen();
    write_file("list", "four");
    assert_seen();
    assert_int_equal(changes_within(QUIET_MS), 0);
}

static void many_changes_are_one(void **state)
{
    (void)state;
    write_file("list", "");
    watched = in_folder("list");
    watch();
    for (unsigned i = 0; i < 100; i++)
        write_file("list", "x");
    assert_seen();
    assert_int_equal(changes_within(QUIET_MS), 0);
}

static void missing_directories_are_seen_when_they_are_made(void **state)
{
    (void)state;
    watched = in_folder("a/b/list");
    watch();
    assert_int_equal(mkdir(in_folder("a"), 0755), 0);
    assert_seen();
    assert_int_equal(mkdir(in_folder("a/b"), 0755), 0);
    assert_seen();
    write_file("a/b/list", "one");
    assert_seen();
}

static void other_directory_under_the_same_name_is_seen(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("a"), 0755), 0);
    write_file("a/list", "one");
    watched = in_folder("a/list");
    watch();
    assert_int_equal(rename(in_folder("a"), in_folder("b")), 0);
    assert_seen();
    assert_int_equal(mkdir(in_folder("a"), 0755), 0);
    assert_seen();
    write_file("a/list", "two");
    assert_seen();
}

static void links_and_their_targets_are_seen(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("a"), 0755), 0);
    assert_int_equal(mkdir(in_folder("b"), 0755), 0);
    write_file("a/list", "one");
    write_file("b/list", "two");
    assert_int_equal(symlink("a", in_folder("now")), 0);
    assert_int_equal(symlink("now/list", in_folder("list")), 0);
    watched = in_folder("list");
    watch();
    write_file("a/list", "three");
    assert_seen();
    assert_int_equal(symlink("b", in_folder("next")), 0);
    assert_int_equal(rename(in_folder("next"), in_folder("now")), 0);
    assert_seen();
    write_file("b/list", "four");
    assert_seen();
    write_file("a/list", "five");
    assert_int_equal(changes_within(QUIET_MS), 0);
    assert_int_equal(unlink(in_folder("list")), 0);
    assert_int_equal(symlink(in_folder("list"), in_folder("list")), 0); /* a link to itself ends the walk */
    assert_seen();
}

static void files_in_a_directory_are_seen(void **state)
{
    (void)state;
    watched = in_folder("lists");
    watch();
    assert_int_equal(mkdir(in_folder("lists"), 0755), 0);
    assert_seen();
    write_file("lists/one", "one");
    assert_seen();
    write_file("lists/one", "two");
    assert_seen();
    assert_int_equal(unlink(in_folder("lists/one")), 0);
    assert_seen();
}

static void writes_by_another_name_are_seen(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("a"), 0755), 0);
    write_file("list", "one");
    assert_int_equal(link(in_folder("list"), in_folder("a/other")), 0);
    watched = in_folder("list");
    watch();
    write_file("a/other", "two");
    assert_seen();
}

static void owner_may_look_again(void **state)
{
    (void)state;
    watched = in_folder("list");
    watch();
    watching_again(&watching, 10);
    assert_seen();
    watching_begin(&watching);
    write_file("list", "one");
    assert_int_equal(changes_within(QUIET_MS), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(writes_and_replacements_are_seen),
        TEST(many_changes_are_one),
        TEST(missing_directories_are_seen_when_they_are_made),
        TEST(other_directory_under_the_same_name_is_seen),
        TEST(links_and_their_targets_are_seen),
        TEST(files_in_a_directory_are_seen),
        TEST(writes_by_another_name_are_seen),
        TEST(owner_may_look_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
