/* SPDX-License-Identifier: MIT */
/* control/listener: mode of the socket file, which files it replaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "control/listener.h"

static char directory[] = "/tmp/test_listener.XXXXXX", path[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory);
}

static int open_here(void)
{
    return listener_unix(path, geteuid(), getegid());
}

static void the_file_is_for_user_and_group_only(void **state)
{
    (void)state;
    struct stat stat;
    mode_t before = umask(0);
    int fd = open_here();
    assert_true(fd >= 0);
    assert_int_equal(umask(before), 0);
    assert_int_equal(lstat(path, &stat), 0);
    assert_int_equal(stat.st_mode & 07777, 0660);
    assert_int_equal(stat.st_uid, geteuid());
    close(fd);
}

static void a_socket_without_a_listener_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(access(path, F_OK), 0);
    int fd = open_here();
    assert_true(fd >= 0);
    assert_int_equal(open_here(), -EADDRINUSE);
    close(fd);
    fd = open_here();
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void another_file_is_not_replaced(void **state)
{
    (void)state;
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(open_here(), -EEXIST);
    assert_int_equal(unlink(path), 0);
}

static void a_missing_directory_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(listener_unix("/tmp/no such directory/socket", 0, 0), -ENOENT);
}

/* The owner of the directory can replace the file while root works on it. */
static void root_makes_nothing_in_a_directory_of_another_user(void **state)
{
    (void)state;
    enum { OTHER = 65534 };
    struct stat stat;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(directory, OTHER, OTHER), 0);
    assert_int_equal(chmod(directory, 0500), 0);
    assert_int_equal(listener_unix(path, OTHER, OTHER), -EACCES);
    assert_int_equal(lstat(path, &stat), -1);
    assert_int_equal(chmod(directory, 0700), 0);
    int fd = listener_unix(path, OTHER, OTHER);
    assert_true(fd >= 0);
    assert_int_equal(lstat(path, &stat), 0);
    assert_int_equal(stat.st_uid, OTHER);
    assert_int_equal(stat.st_gid, OTHER);
    assert_int_equal(stat.st_mode & 07777, 0660);
    assert_int_equal(geteuid(), 0);
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(chown(directory, 0, 0), 0);
}

/* The user may not create files there, but neither may anybody else except root. */
static void root_makes_it_in_a_directory_of_its_own(void **state)
{
    (void)state;
    enum { OTHER = 65534 };
    struct stat stat;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(directory, 0755), 0);
    int fd = listener_unix(path, OTHER, OTHER);
    assert_true(fd >= 0);
    assert_int_equal(lstat(path, &stat), 0);
    assert_int_equal(stat.st_uid, OTHER);
    assert_int_equal(stat.st_mode & 07777, 0660);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void tcp_listens_once(void **state)
{
    (void)state;
    struct addr addr;
    struct sockaddr_in bound;
    socklen_t len = sizeof bound;
    assert_int_equal(addr_parse(&addr, "127.0.0.1", 1), 0);
    addr_set_port(&addr, 0);
    int fd = listener_tcp(&addr);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    addr_set_port(&addr, ntohs(bound.sin_port));
    assert_int_equal(listener_tcp(&addr), -EADDRINUSE);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_for_user_and_group_only),
        cmocka_unit_test(a_socket_without_a_listener_is_replaced),
        cmocka_unit_test(another_file_is_not_replaced),
        cmocka_unit_test(a_missing_directory_is_an_error),
        cmocka_unit_test(root_makes_nothing_in_a_directory_of_another_user),
        cmocka_unit_test(root_makes_it_in_a_directory_of_its_own),
        cmocka_unit_test(tcp_listens_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
