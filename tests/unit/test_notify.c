/* SPDX-License-Identifier: MIT */
/* The test acts as the service manager: its socket, its variables, its descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include "net/notify.h"

static int forget_variables(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return 0;
}

static void set_pid(const char *name, long pid)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", pid);
    setenv(name, text, 1);
}

/* --- notifications --- */

/* A manager that listens at `name` ("@..." is abstract). */
static int manager_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (void *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
    return fd;
}

static void assert_heard(int manager, const char *expected)
{
    char text[128] = "";
    assert_int_equal(recv(manager, text, sizeof text - 1, MSG_DONTWAIT), strlen(expected));
    assert_string_equal(text, expected);
}

static void test_a_manager_at_a_path(void **state)
{
    char folder[] = "/tmp/test_notify.XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    int manager = manager_at(path);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(notify_send("READY=1\nSTATUS=well"), 0);
    assert_heard(manager, "READY=1\nSTATUS=well");
    close(manager);
    assert_int_equal(notify_send("STOPPING=1"), -ECONNREFUSED);
    unlink(path);
    assert_int_equal(notify_send("STOPPING=1"), -ENOENT);
    rmdir(folder);
}

static void test_a_manager_with_an_abstract_name(void **state)
{
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "@test_notify.%ld", (long)getpid());
    int manager = manager_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(notify_send("WATCHDOG=1"), 0);
    assert_heard(manager, "WATCHDOG=1");
    close(manager);
}

static void test_without_a_manager_nothing_is_sent(void **state)
{
    (void)state;
    assert_int_equal(notify_send("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(notify_send("READY=1"), 0);
}

static void test_a_socket_that_is_none(void **state)
{
    char name[200] = "/";
    (void)state;
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(notify_send("READY=1"), -EINVAL);
    memset(name + 1, 'a', sizeof name - 2);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(notify_send("READY=1"), -EINVAL);
    setenv("NOTIFY_SOCKET", "/dev/null/nothing", 1);
    assert_int_equal(notify_send("READY=1"), -ENOTDIR);
}

/* --- the watchdog --- */

static void test_the_watchdog_of_this_process(void **state)
{
    (void)state;
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_ms(), 30000);
    set_pid("WATCHDOG_PID", getpid());
    assert_int_equal(notify_watchdog_ms(), 30000);
    set_pid("WATCHDOG_PID", getpid() + 1L);
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_PID", "", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
}

static void test_a_time_that_is_none(void **state)
{
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1s", "0x10", "99999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("WATCHDOG_USEC", wrong[i], 1);
        assert_int_equal(notify_watchdog_ms(), 0);
    }
}

/* --- inherited sockets --- */

static void test_sockets_become_close_on_exec(void **state)
{
    (void)state;
    assert_int_equal(dup2(STDIN_FILENO, 3), 3);
    assert_int_equal(dup2(STDIN_FILENO, 4), 4);
    set_pid("LISTEN_PID", getpid());
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(notify_sockets(), 2);
    assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(4, F_GETFD), FD_CLOEXEC);
    close(4);
    assert_int_equal(notify_sockets(), -EBADF);
    close(3);
}

static void test_sockets_of_another_process(void **state)
{
    (void)state;
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(notify_sockets(), 0);
    set_pid("LISTEN_PID", getpid() + 1L);
    assert_int_equal(notify_sockets(), 0);
    set_pid("LISTEN_PID", getpid());
    setenv("LISTEN_FDS", "0", 1);
    assert_int_equal(notify_sockets(), 0);
    unsetenv("LISTEN_FDS");
    assert_int_equal(notify_sockets(), 0);
}

static void test_a_number_of_sockets_that_is_none(void **state)
{
    static const char *const wrong[] = {"", "-2", "two", "2 ", "2147483647", "4294967298"};
    (void)state;
    set_pid("LISTEN_PID", getpid());
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("LISTEN_FDS", wrong[i], 1);
        assert_int_equal(notify_sockets(), -EINVAL);
    }
}

/* --- stored descriptors --- */

/* Receives one message with its descriptors; returns their number. */
static size_t take(int manager, char text[128], int fds[256])
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(256 * sizeof(int))];
    struct iovec vector = {text, 127};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t len = recvmsg(manager, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    assert_true(len > 0 && !(message.msg_flags & MSG_CTRUNC));
    text[len] = '\0';
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    size_t bytes = head ? head->cmsg_len - CMSG_LEN(0) : 0;
    if (head)
        memcpy(fds, CMSG_DATA(head), bytes);
    return bytes / sizeof(int);
}

static int manager_of_ours(void)
{
    char name[64];
    snprintf(name, sizeof name, "@test_notify.%ld", (long)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    return manager_at(name);
}

static void test_sockets_are_given_to_keep(void **state)
{
    enum { MANY = 300 };
    char text[128];
    int own[MANY], given[256];
    int manager = manager_of_ours();
    (void)state;
    for (int i = 0; i < MANY; i++)
        own[i] = STDIN_FILENO;
    assert_int_equal(notify_keep("name", own, MANY), 0);
    size_t first = take(manager, text, given);
    assert_string_equal(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=name");
    for (size_t i = 0; i < first; i++)
        close(given[i]);
    size_t second = take(manager, text, given);
    assert_int_equal(first + second, MANY);
    for (size_t i = 0; i < second; i++)
        close(given[i]);
    assert_int_equal(notify_keep("name", own, 0), 0);
    assert_int_equal(notify_forget("name"), 0);
    assert_heard(manager, "FDSTOREREMOVE=1\nFDNAME=name");
    close(manager);
}

static void test_it_waits_for_the_manager(void **state)
{
    char text[128];
    int given[256], manager = manager_of_ours();
    (void)state;
    assert_int_equal(notify_wait(1), -ETIMEDOUT);
    assert_int_equal(take(manager, text, given), 1);
    assert_string_equal(text, "BARRIER=1");
    close(given[0]);
    close(manager);
    assert_int_equal(notify_wait(1000), -ECONNREFUSED);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_wait(1000), 0);
}

static void test_sockets_have_names(void **state)
{
    (void)state;
    assert_false(notify_socket_is(0, "ours"));
    setenv("LISTEN_FDNAMES", "a.socket:ours::ours.socket:ours", 1);
    assert_false(notify_socket_is(0, "ours"));
    assert_true(notify_socket_is(1, "ours"));
    assert_false(notify_socket_is(2, "ours"));
    assert_false(notify_socket_is(3, "ours"));
    assert_true(notify_socket_is(4, "ours"));
    assert_false(notify_socket_is(5, "ours"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_manager_at_a_path, forget_variables),
        cmocka_unit_test_setup(test_a_manager_with_an_abstract_name, forget_variables),
        cmocka_unit_test_setup(test_without_a_manager_nothing_is_sent, forget_variables),
        cmocka_unit_test_setup(test_a_socket_that_is_none, forget_variables),
        cmocka_unit_test_setup(test_the_watchdog_of_this_process, forget_variables),
        cmocka_unit_test_setup(test_a_time_that_is_none, forget_variables),
        cmocka_unit_test_setup(test_sockets_become_close_on_exec, forget_variables),
        cmocka_unit_test_setup(test_sockets_of_another_process, forget_variables),
        cmocka_unit_test_setup(test_a_number_of_sockets_that_is_none, forget_variables),
        cmocka_unit_test_setup(test_sockets_are_given_to_keep, forget_variables),
        cmocka_unit_test_setup(test_it_waits_for_the_manager, forget_variables),
        cmocka_unit_test_setup(test_sockets_have_names, forget_variables),
    };
    return cmocka_run_group_tests(tests, NULL, forget_variables);
}
