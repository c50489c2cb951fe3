/* SPDX-License-Identifier: MIT */
/* The listening sockets of all workers, one for each specification: bound, or taken over from a previous process. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "daemon/sockets.h"
#include "net/socket.h"

static struct config config;
static struct addr at[2]; /* of loopback, with ports that were free a moment ago */
static struct sockets sockets;

/* --- scaffold --- */

static struct addr bound_at(int fd)
{
    struct sockaddr_storage name;
    struct addr addr;
    socklen_t len = sizeof name;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    assert_int_equal(addr_from_sockaddr(&addr, (struct sockaddr *)&name), 0);
    return addr;
}

static int setup(void **state)
{
    (void)state;
    sockets = (struct sockets){.workers = 0};
    for (size_t i = 0; i < 2; i++) {
        struct addr any;
        assert_int_equal(addr_parse(&any, i ? "127.0.0.2" : "127.0.0.1", 1), 0);
        addr_set_port(&any, 0);
        int fd = socket_tcp(&any);
        assert_true(fd >= 0);
        at[i] = bound_at(fd);
        close(fd);
    }
    config = (struct config){.listen = at, .listen_count = 2, .workers = 2};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sockets_close(&sockets);
    return 0;
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *all = opendir("/proc/self/fd");
    assert_non_null(all);
    while (readdir(all))
        count++;
    closedir(all);
    return count;
}

static ino_t identity(int fd)
{
    struct stat found;
    assert_int_equal(fstat(fd, &found), 0);
    return found.st_ino;
}

/* The number of workers' descriptors of this socket. */
static unsigned count_uses(ino_t socket)
{
    unsigned count = 0;
    for (size_t i = 0; i < sockets.workers * sockets.per_worker; i++)
        count += sockets.list[i].fd >= 0 && identity(sockets.list[i].fd) == socket;
    return count;
}

static unsigned count_open(int type, const struct addr *addr)
{
    unsigned count = 0;
    for (size_t i = 0; i < sockets.workers * sockets.per_worker; i++) {
        const struct listening_socket *socket = &sockets.list[i];
        if (socket->fd < 0 || socket->spec.kind->type != type || !addr_equal(&socket->spec.addr, addr))
            continue;
        struct addr bound = bound_at(socket->fd);
        assert_true(addr_equal(&bound, addr));
        count++;
    }
    return count;
}

/* --- tests --- */

static void test_each_worker_gets_one_for_each_specification(void **state)
{
    struct addr addresses[4];
    (void)state;
    assert_int_equal(sockets_open(&sockets, &config, NULL), 0);
    assert_int_equal(sockets.spec_count, 4);
    assert_int_equal(sockets.per_worker, 4);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(count_open(SOCK_DGRAM, &at[i]), 2);
        assert_int_equal(count_open(SOCK_STREAM, &at[i]), 2);
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(count_uses(identity(sockets.list[i].fd)), 1);
    assert_int_equal(sockets.own_count, 8);
    assert_int_equal(sockets_addresses(sockets.specs, sockets.spec_count, addresses), 2);
    assert_true(addr_equal(&addresses[0], &at[0]) && addr_equal(&addresses[1], &at[1]));
}

/* More stored sockets than workers for one specification, fewer for another, none for the rest. */
static void test_stored_sockets_are_distributed_one_by_one(void **state)
{
    int fds[] = {socket_udp(&at[0]), socket_udp(&at[0]), socket_udp(&at[0]), socket_tcp(&at[1])};
    ino_t kept[4];
    struct inherited taken;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        kept[i] = identity(fds[i]);
    assert_int_equal(inherited_from(&taken, fds, 4), 0);
    assert_int_equal(sockets_open(&sockets, &config, &taken), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(count_uses(kept[i]), 1);
    assert_int_equal(sockets.per_worker, 4 + 1);
    assert_int_equal(count_open(SOCK_DGRAM, &at[0]), 3);
    assert_int_equal(count_open(SOCK_STREAM, &at[0]), 2);
    assert_int_equal(count_open(SOCK_DGRAM, &at[1]), 2);
    assert_int_equal(count_open(SOCK_STREAM, &at[1]), 2);
    assert_int_equal(sockets.own_count, 9);
}

static void test_stored_sockets_without_a_specification_are_closed(void **state)
{
    int fds[] = {socket_udp(&at[0]), socket_tcp(&at[1])};
    ino_t other = identity(fds[1]);
    struct inherited taken;
    (void)state;
    config.listen_count = 1;
    unsigned before = open_descriptors();
    assert_int_equal(inherited_from(&taken, fds, 2), 0);
    assert_int_equal(sockets_open(&sockets, &config, &taken), 0);
    assert_int_equal(count_uses(other), 0);
    assert_int_equal(open_descriptors(), before - 2 + 4 + 4); /* the sockets and their copies */
}

static void test_sockets_may_be_added_and_removed(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(sockets_open(&sockets, &config, NULL), 0);
    struct listener_spec spec = {sockets.specs[0].kind, at[0]};
    unsigned before = open_descriptors();
    assert_int_equal(sockets_open_more(&spec, fds, 2), -EADDRINUSE);
    assert_int_equal(open_descriptors(), before);
    addr_set_port(&spec.addr, (uint16_t)(addr_port(&spec.addr) ^ 1));
    assert_int_equal(sockets_open_more(&spec, fds, 2), 0);
    assert_int_equal(sockets_add_copies(&sockets, fds, 2), 0);
    assert_int_equal(sockets.own_count, 10);
    assert_int_equal(sockets.copy_count, 10);
    assert_int_equal(open_descriptors(), before + 4);
    close(fds[0]);
    close(fds[1]);
    sockets_drop_copies(&sockets, &spec);
    assert_int_equal(sockets.own_count, 8);
    assert_int_equal(sockets.copy_count, 8);
    assert_int_equal(open_descriptors(), before);
}

static void test_a_port_in_use_opens_nothing(void **state)
{
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    assert_int_equal(bind(other, &at[1].sa, addr_len(&at[1])), 0);
    assert_int_equal(listen(other, 1), 0);
    unsigned before = open_descriptors();
    assert_int_equal(sockets_open(&sockets, &config, NULL), -EADDRINUSE);
    assert_int_equal(open_descriptors(), before);
    close(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_each_worker_gets_one_for_each_specification),
        TEST(test_stored_sockets_are_distributed_one_by_one),
        TEST(test_stored_sockets_without_a_specification_are_closed),
        TEST(test_sockets_may_be_added_and_removed),
        TEST(test_a_port_in_use_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
