/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
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
#include "base/errors.h"
#include "base/file.h"
#include "base/io.h"

static char folder[] = "/tmp/test_file.XXXXXX", path[64], new_path[64], other[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(new_path, sizeof new_path, "%s/file.new", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(new_path);
    unlink(other);
    if (unlink(path) < 0)
        rmdir(path);
    return rmdir(folder);
}

static void assert_holds(const char *file, const char *text, mode_t mode)
{
    char found[64];
    struct stat stat;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t len = read_to_end(fd, found, sizeof found);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(found, text, strlen(text));
    assert_int_equal(fstat(fd, &stat), 0);
    assert_int_equal(stat.st_mode & 07777, mode);
    close(fd);
}

static void put(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write_full(fd, text, strlen(text)), 0);
    close(fd);
}

static void a_file_is_made_and_replaced(void **state)
{
    (void)state;
    mode_t before = umask(0077);
    assert_int_equal(file_replace(path, "one", 3, 0644, true), 0);
    assert_holds(path, "one", 0644);
    assert_int_equal(file_replace(path, "another", 7, 0600, false), 0);
    assert_holds(path, "another", 0600);
    assert_int_equal(access(new_path, F_OK), -1);
    umask(before);
}

static void no_link_is_followed(void **state)
{
    (void)state;
    put(other, "other's");
    assert_int_equal(symlink(other, new_path), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(file_replace(path, "ours", 4, 0600, false), 0);
    assert_holds(path, "ours", 0600);
    assert_holds(other, "other's", 0644);
}

static void the_rest_of_an_interrupted_write_is_removed(void **state)
{
    (void)state;
    put(new_path, "the first half");
    assert_int_equal(file_replace(path, "all", 3, 0600, false), 0);
    assert_holds(path, "all", 0600);
    assert_int_equal(access(new_path, F_OK), -1);
}

static void a_failure_keeps_the_old_file(void **state)
{
    struct file_draft draft;
    char nowhere[128];
    (void)state;
    put(path, "old");
    assert_int_equal(file_draft_open(&draft, path), 0);
    assert_int_equal(write_full(draft.fd, "new", 3), 0);
    assert_holds(path, "old", 0644);
    file_draft_drop(&draft);
    assert_holds(path, "old", 0644);
    assert_int_equal(access(new_path, F_OK), -1);

    snprintf(nowhere, sizeof nowhere, "%s/none/file", folder);
    assert_int_equal(file_replace(nowhere, "x", 1, 0600, false), -ENOENT);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_replace(path, "x", 1, 0600, false), -EISDIR);
    assert_int_equal(access(new_path, F_OK), -1);
}

static void a_path_may_be_too_long(void **state)
{
    static char text[PATH_MAX + 8];
    (void)state;
    memset(text, 'x', PATH_MAX - 4); /* ".new" does not fit */
    assert_int_equal(file_replace(text, "x", 1, 0600, false), -ENAMETOOLONG);
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(file_replace(text, "x", 1, 0600, false), -ENAMETOOLONG);
}

static void only_private_files_are_opened(void **state)
{
    (void)state;
    char text[8] = "";
    put(path, "ours");
    assert_int_equal(chmod(path, 0600), 0);
    int fd = file_open_private(path);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text), 4);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    static const mode_t shared[] = {0640, 0620, 0610, 0604, 0602, 0601};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        assert_int_equal(chmod(path, shared[i]), 0);
        assert_int_equal(file_open_private(path), ERROR_NOT_PRIVATE);
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(symlink(path, other), 0);
    assert_int_equal(file_open_private(other), -ELOOP);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(file_open_private(other), -ENOENT);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_int_equal(file_open_private(other), ERROR_NOT_PRIVATE);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(file_open_private(folder), ERROR_NOT_PRIVATE);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 0), 0);
        assert_int_equal(file_open_private(path), ERROR_NOT_PRIVATE);
    }
    assert_int_equal(unlink(path), 0);
}

static bool is_changed(const char *file)
{
    static uint64_t before;
    uint64_t now = file_state(file, 0);
    bool changed = now != before;
    before = now;
    return changed;
}

/* The time of a file that was not written a moment ago. */
static void set_age(const char *file, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}

static void a_change_of_a_file_is_noticed(void **state)
{
    (void)state;
    assert_true(is_changed(path));
    assert_false(is_changed(path));
    put(path, "one");
    set_age(path, 1000);
    assert_true(is_changed(path));
    assert_false(is_changed(path));
    put(path, "two");
    assert_true(is_changed(path));
    assert_true(is_changed(path)); /* written a moment ago */
    set_age(path, 1000);
    assert_true(is_changed(path));
    put(other, "two");
    set_age(other, 1000);
    assert_int_equal(rename(other, path), 0);
    assert_true(is_changed(path));
    assert_int_equal(unlink(path), 0);
    assert_true(is_changed(path));
    assert_int_not_equal(file_state(path, 1), file_state(path, 2));
}

static void a_change_in_a_directory_is_noticed(void **state)
{
    (void)state;
    assert_true(is_changed(folder));
    put(path, "one");
    set_age(path, 1000);
    put(other, "one");
    set_age(other, 1001);
    assert_true(is_changed(folder));
    assert_false(is_changed(folder));
    assert_int_equal(rename(other, new_path), 0);
    assert_true(is_changed(folder));
    assert_int_equal(unlink(path), 0);
    assert_true(is_changed(folder));
    assert_false(is_changed(folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_made_and_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(no_link_is_followed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_rest_of_an_interrupted_write_is_removed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_failure_keeps_the_old_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(only_private_files_are_opened, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_change_of_a_file_is_noticed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_change_in_a_directory_is_noticed, make_folder, remove_folder),
        cmocka_unit_test(a_path_may_be_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
