/* SPDX-License-Identifier: MIT */
/* Listening sockets: options, sharing, probing, and who holds a port. Loopback only, ports chosen by the
 * kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "net/socket.h"

#define CANNOT_TEST 77

static struct addr addr_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(&addr, text, 0), 0);
    return addr;
}

static struct addr bound_to(int fd)
{
    struct addr addr;
    socklen_t len = sizeof(addr);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
    return addr;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static int bind_plainly(const struct addr *addr, int type)
{
    int on = 1, fd = socket(addr->sa.sa_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (addr->sa.sa_family == AF_INET6)
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, &addr->sa, addr_len(addr)), 0);
    return fd;
}

static int connect_to(const struct addr *addr)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &addr->sa, addr_len(addr)), 0);
    return fd;
}

/* The lowest free descriptor: if it is the same before and after, none was left open. */
static int lowest_free_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

/* Runs `body` in a process of its own; it returns 0 for success, CANNOT_TEST, or the number of the failed check. */
static void in_a_process_of_its_own(int (*body)(const struct addr *addr), const struct addr *addr)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body(addr));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_TEST)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- options --- */

static void check_common(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
}

static void test_a_udp_socket_of_one_address(void **state)
{
    struct addr addr = addr_of("127.0.0.1");
    int fd = socket_udp(&addr), plain = bind_plainly(&addr, SOCK_DGRAM);
    (void)state;
    assert_true(fd >= 0);
    check_common(fd);
    assert_int_equal(option(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    assert_int_equal(option(fd, IPPROTO_IP, IP_PKTINFO), 0);
    assert_int_equal(option(fd, IPPROTO_IP, IP_FREEBIND), 0);
    assert_int_equal(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
    assert_true(option(fd, SOL_SOCKET, SO_RCVBUF) >= option(plain, SOL_SOCKET, SO_RCVBUF));
    close(plain);
    close(fd);
}

static void test_a_privileged_process_gets_the_whole_receive_buffer(void **state)
{
    struct addr addr = addr_of("127.0.0.1");
    int fd = socket_udp(&addr), wanted = SOCKET_RECEIVE_BUFFER;
    (void)state;
    assert_true(fd >= 0);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) < 0) {
        close(fd);
        skip();
    }
    close(fd);
    fd = socket_udp(&addr);
    assert_true(option(fd, SOL_SOCKET, SO_RCVBUF) >= SOCKET_RECEIVE_BUFFER);
    close(fd);
}

static void test_wildcard_udp_sockets_give_the_queried_address(void **state)
{
    struct addr v4 = addr_of("0.0.0.0"), v6 = addr_of("::");
    int fd = socket_udp(&v4);
    (void)state;
    assert_true(fd >= 0);
    check_common(fd);
    assert_int_equal(option(fd, IPPROTO_IP, IP_PKTINFO), 1);
    close(fd);
    if (!socket_family_works(&v6))
        skip();
    fd = socket_udp(&v6);
    assert_true(fd >= 0);
    check_common(fd);
    assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
    assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
    close(fd);
}

static void test_a_tcp_socket(void **state)
{
    struct addr addr = addr_of("127.0.0.1");
    int fd = socket_tcp(&addr);
    (void)state;
    assert_true(fd >= 0);
    check_common(fd);
    assert_int_equal(option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    close(fd);
}

static void test_ipv6_sockets_leave_ipv4_alone(void **state)
{
    struct addr v6 = addr_of("::"), v4 = addr_of("0.0.0.0");
    (void)state;
    if (!socket_family_works(&v6))
        skip();
    int tcp6 = socket_tcp(&v6);
    assert_int_equal(option(tcp6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    struct addr bound = bound_to(tcp6);
    addr_set_port(&v4, addr_port(&bound));
    int tcp4 = socket_tcp(&v4);
    assert_true(tcp4 >= 0);
    close(tcp4);
    close(tcp6);
}

static int probe(const struct addr *addr)
{
    int status = socket_probe(addr, SOCK_DGRAM);
    return status < 0 ? status : socket_probe(addr, SOCK_STREAM);
}

static void test_an_address_can_be_bound_ahead_of_its_interface(void **state)
{
    struct addr v4 = addr_of("192.0.2.77"), v6 = addr_of("2001:db8::77");
    (void)state;
    int fd = socket_udp(&v4);
    assert_true(fd >= 0);
    close(fd);
    fd = socket_tcp(&v4);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(probe(&v4), 0);
    if (!socket_family_works(&v6))
        skip();
    fd = socket_udp(&v6);
    assert_true(fd >= 0);
    close(fd);
}

/* --- sharing and probing --- */

static void test_workers_share_a_port(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int first = socket_udp(&any);
    struct addr addr = bound_to(first);
    int second = socket_udp(&addr);
    (void)state;
    assert_true(second >= 0);
    close(first);
    close(second);
}

static void test_a_taken_port_is_an_error_that_leaves_no_descriptor(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int holder = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(holder);
    int before = lowest_free_descriptor();
    (void)state;
    assert_int_equal(socket_udp(&addr), -EADDRINUSE);
    assert_int_equal(probe(&addr), -EADDRINUSE);
    assert_int_equal(lowest_free_descriptor(), before);
    close(holder);
}

static void test_the_probe_releases_a_free_port(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int holder = socket_udp(&any);
    struct addr addr = bound_to(holder);
    close(holder);
    int before = lowest_free_descriptor();
    (void)state;
    assert_int_equal(probe(&addr), 0);
    assert_int_equal(probe(&addr), 0);
    assert_int_equal(lowest_free_descriptor(), before);
}

static void test_the_probe_finds_one_that_would_share_the_udp_port(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int other = socket_udp(&any);
    struct addr addr = bound_to(other);
    (void)state;
    assert_int_equal(probe(&addr), -EADDRINUSE);
    close(other);
}

static void test_the_probe_finds_one_that_would_share_the_tcp_port(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int other = socket_tcp(&any);
    struct addr addr = bound_to(other);
    (void)state;
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(probe(&addr), -EADDRINUSE);
    close(other);
}

static void test_the_probe_finds_a_wildcard_holder(void **state)
{
    struct addr wildcard = addr_of("0.0.0.0"), addr = addr_of("127.0.0.1");
    int other = socket_udp(&wildcard);
    struct addr bound = bound_to(other);
    (void)state;
    addr_set_port(&addr, addr_port(&bound));
    assert_int_equal(probe(&addr), -EADDRINUSE);
    close(other);
}

/* The side that closes first goes to TIME_WAIT: as when a daemon stops with connected clients and restarts.
 */
static void test_the_probe_does_not_mind_connections_in_time_wait(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int listener = socket_tcp(&any);
    struct addr addr = bound_to(listener);
    char byte;
    (void)state;
    assert_int_equal(listen(listener, 1), 0);
    int client = connect_to(&addr), server;
    while ((server = accept(listener, NULL, NULL)) < 0)
        assert_int_equal(errno, EAGAIN);
    close(server);
    assert_int_equal(read(client, &byte, 1), 0);
    close(client);
    close(listener);
    assert_int_equal(probe(&addr), 0);
}

static int probe_without_privileges(const struct addr *addr)
{
    char first[16] = "1024";
    int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_RDONLY);
    if (fd >= 0 && read(fd, first, sizeof(first) - 1) > 0 && atoi(first) <= addr_port(addr))
        return CANNOT_TEST;
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        return CANNOT_TEST;
    return probe(addr) == -EACCES ? 0 : 1;
}

static void test_the_probe_reports_a_forbidden_port(void **state)
{
    struct addr addr = addr_of("127.0.0.1@1");
    (void)state;
    in_a_process_of_its_own(probe_without_privileges, &addr);
}

/* --- sockets bound by another process --- */

static void test_a_udp_socket_of_others_is_made_fit(void **state)
{
    struct addr any = addr_of("0.0.0.0"), addr;
    int fd = bind_plainly(&any, SOCK_DGRAM), type = 0, buffer = option(fd, SOL_SOCKET, SO_RCVBUF);
    struct addr bound = bound_to(fd);
    (void)state;
    assert_int_equal(socket_adopt(fd, &addr, &type), 0);
    assert_true(addr_equal(&addr, &bound));
    assert_int_equal(type, SOCK_DGRAM);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(option(fd, IPPROTO_IP, IP_PKTINFO), 1);
    assert_int_equal(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
    assert_int_equal(option(fd, SOL_SOCKET, SO_RCVBUF), buffer);
    close(fd);
}

static void test_a_tcp_socket_of_others_may_listen_already(void **state)
{
    struct addr any = addr_of("127.0.0.1"), addr;
    int fd = bind_plainly(&any, SOCK_STREAM), type = 0;
    (void)state;
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(socket_adopt(fd, &addr, &type), 0);
    assert_int_equal(type, SOCK_STREAM);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
}

static void test_unusable_sockets_are_refused(void **state)
{
    struct addr addr;
    int type, pair[2], file = open("/dev/null", O_RDWR);
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    assert_int_equal(socket_adopt(pair[0], &addr, &type), -EAFNOSUPPORT);
    assert_int_equal(socket_adopt(file, &addr, &type), -ENOTSOCK);
    close(file);
    assert_int_equal(socket_adopt(file, &addr, &type), -EBADF);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(socket_adopt(pair[0], &addr, &type), -EPROTOTYPE);
    close(pair[0]);
    close(pair[1]);
}

static void test_an_inherited_ipv6_wildcard_must_be_v6only(void **state)
{
    struct addr any6 = addr_of("::"), addr;
    int type, fd = socket(AF_INET6, SOCK_DGRAM, 0);
    (void)state;
    if (!socket_family_works(&any6)) {
        close(fd);
        skip();
    }
    assert_int_equal(bind(fd, &any6.sa, addr_len(&any6)), 0);
    assert_int_equal(socket_adopt(fd, &addr, &type), -EADDRNOTAVAIL);
    close(fd);
    fd = bind_plainly(&any6, SOCK_DGRAM);
    assert_int_equal(socket_adopt(fd, &addr, &type), 0);
    assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
    close(fd);
}

/* --- families --- */

static int bring_up_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    int status = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return status;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    ssize_t len = fd < 0 ? -1 : write(fd, text, strlen(text));
    close(fd);
    return len == (ssize_t)strlen(text) ? 0 : -1;
}

static int families_without_ipv6(const struct addr *loopback6)
{
    struct addr loopback4 = addr_of("127.0.0.1"), elsewhere6 = addr_of("2001:db8::1");
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return CANNOT_TEST;
    if (bring_up_loopback() < 0 || !socket_family_works(loopback6))
        return CANNOT_TEST;
    if (write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1") < 0)
        return CANNOT_TEST;
    if (socket_family_works(loopback6))
        return 1;
    if (geteuid() == 0 && seteuid(65534) < 0)
        return CANNOT_TEST;
    if (socket_family_works(loopback6)) /* also without privileges: the port does not matter */
        return 1;
    return socket_family_works(&loopback4) && socket_family_works(&elsewhere6) ? 0 : 2;
}

static void test_ipv6_loopback_does_not_work_where_ipv6_is_disabled(void **state)
{
    struct addr loopback6 = addr_of("::1@53");
    (void)state;
    in_a_process_of_its_own(families_without_ipv6, &loopback6);
}

static int families_without_descriptors(const struct addr *addr)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_NOFILE, &none) < 0)
        return CANNOT_TEST;
    return socket_family_works(addr) ? 0 : 1;
}

static void test_a_family_is_not_given_up_for_want_of_a_descriptor(void **state)
{
    struct addr addr = addr_of("127.0.0.1");
    (void)state;
    in_a_process_of_its_own(families_without_descriptors, &addr);
}

static void test_a_family_works_although_the_port_is_taken(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int holder = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(holder);
    (void)state;
    assert_true(socket_family_works(&addr));
    close(holder);
}

/* --- who holds a port --- */

static void assert_holder_of_this_name(const struct addr *addr, const char *name, const char *shown)
{
    char expected[64], holder[64];
    snprintf(expected, sizeof(expected), "pid %d (%s)", (int)getpid(), shown);
    FILE *comm = fopen("/proc/self/comm", "w"); /* a wrapper may have changed the name */
    assert_non_null(comm);
    fputs(name, comm);
    fclose(comm);
    socket_port_holder(addr, holder, sizeof(holder));
    assert_string_equal(holder, expected);
}

static void assert_holder_is_this_process(const struct addr *addr)
{
    assert_holder_of_this_name(addr, "test_socket", "test_socket");
}

static void assert_holder_is_unknown(const struct addr *addr)
{
    char holder[64] = "something";
    socket_port_holder(addr, holder, sizeof(holder));
    assert_string_equal(holder, "");
}

static void test_the_holder_of_a_udp_port(void **state)
{
    struct addr any = addr_of("127.0.0.1"), beside = addr_of("127.0.0.2"), wildcard = addr_of("0.0.0.0");
    int fd = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(fd);
    (void)state;
    addr_set_port(&beside, addr_port(&addr));
    addr_set_port(&wildcard, addr_port(&addr));
    assert_holder_is_this_process(&addr);
    assert_holder_is_this_process(&wildcard);
    assert_holder_is_unknown(&beside);
    close(fd);
    assert_holder_is_unknown(&addr);
}

static void test_the_name_of_a_holder_moves_no_cursor(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int fd = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(fd);
    (void)state;
    assert_holder_of_this_name(&addr, "a\n\033[2J\302\233b", "a??[2J??b");
    close(fd);
}

static void test_the_holder_by_a_wildcard(void **state)
{
    struct addr any = addr_of("0.0.0.0"), loopback = addr_of("127.0.0.1");
    int fd = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(fd);
    (void)state;
    addr_set_port(&loopback, addr_port(&addr));
    assert_holder_is_this_process(&loopback);
    close(fd);
}

static void test_the_holder_of_a_tcp_port_is_the_listener(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int listener = socket_tcp(&any);
    struct addr addr = bound_to(listener);
    (void)state;
    assert_int_equal(listen(listener, 1), 0);
    assert_holder_is_this_process(&addr);
    int client = connect_to(&addr);
    struct addr client_addr = bound_to(client);
    assert_holder_is_unknown(&client_addr);
    close(client);
    close(listener);
}

static void test_the_holder_of_an_ipv6_port(void **state)
{
    struct addr any = addr_of("::1"), v4 = addr_of("0.0.0.0");
    (void)state;
    if (!socket_family_works(&any))
        skip();
    int fd = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(fd);
    addr_set_port(&v4, addr_port(&addr));
    assert_holder_is_this_process(&addr);
    assert_holder_is_unknown(&v4);
    close(fd);
}

static void test_the_holder_of_an_ipv4_port_by_an_ipv6_socket(void **state)
{
    struct addr any6 = addr_of("::"), mapped = {.in6 = {.sin6_family = AF_INET6}}, v4 = addr_of("127.0.0.1"),
                beside = addr_of("127.0.0.2");
    (void)state;
    if (!socket_family_works(&any6))
        skip();
    int wildcard = socket(AF_INET6, SOCK_DGRAM, 0), exact = socket(AF_INET6, SOCK_DGRAM, 0);
    assert_int_equal(bind(wildcard, &any6.sa, addr_len(&any6)), 0);
    struct addr bound = bound_to(wildcard);
    addr_set_port(&v4, addr_port(&bound));
    assert_holder_is_this_process(&v4);
    close(wildcard);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.in6.sin6_addr), 1);
    assert_int_equal(bind(exact, &mapped.sa, sizeof(mapped.in6)), 0);
    bound = bound_to(exact);
    addr_set_port(&v4, addr_port(&bound));
    addr_set_port(&beside, addr_port(&bound));
    assert_holder_is_this_process(&v4);
    assert_holder_is_unknown(&beside);
    close(exact);
}

static void test_a_short_text_is_cut(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    char holder[6];
    int fd = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(fd);
    (void)state;
    socket_port_holder(&addr, holder, sizeof(holder));
    assert_int_equal(strlen(holder), 5);
    assert_memory_equal(holder, "pid ", 4);
    close(fd);
}

static int ask_without_privileges(const struct addr *addr)
{
    char holder[64] = "something";
    for (int fd = 3; fd < 64; fd++)
        close(fd); /* otherwise this process would hold it, too */
    if (geteuid() != 0 || setresuid(65534, 65534, 65534) < 0)
        return CANNOT_TEST;
    socket_port_holder(addr, holder, sizeof(holder));
    return holder[0] ? 1 : 0;
}

static void test_the_holder_is_unknown_without_permission(void **state)
{
    struct addr any = addr_of("127.0.0.1");
    int fd = bind_plainly(&any, SOCK_DGRAM);
    struct addr addr = bound_to(fd);
    (void)state;
    in_a_process_of_its_own(ask_without_privileges, &addr);
    close(fd);
}

/* A network namespace of our own if possible, so that no other process takes a port that a test has just released. */
static int be_alone(void **state)
{
    (void)state;
    if (geteuid() == 0 && unshare(CLONE_NEWNET) == 0)
        return bring_up_loopback();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_udp_socket_of_one_address),
        cmocka_unit_test(test_a_privileged_process_gets_the_whole_receive_buffer),
        cmocka_unit_test(test_wildcard_udp_sockets_give_the_queried_address),
        cmocka_unit_test(test_a_tcp_socket),
        cmocka_unit_test(test_ipv6_sockets_leave_ipv4_alone),
        cmocka_unit_test(test_an_address_can_be_bound_ahead_of_its_interface),
        cmocka_unit_test(test_workers_share_a_port),
        cmocka_unit_test(test_a_taken_port_is_an_error_that_leaves_no_descriptor),
        cmocka_unit_test(test_the_probe_releases_a_free_port),
        cmocka_unit_test(test_the_probe_finds_one_that_would_share_the_udp_port),
        cmocka_unit_test(test_the_probe_finds_one_that_would_share_the_tcp_port),
        cmocka_unit_test(test_the_probe_finds_a_wildcard_holder),
        cmocka_unit_test(test_the_probe_does_not_mind_connections_in_time_wait),
        cmocka_unit_test(test_the_probe_reports_a_forbidden_port),
        cmocka_unit_test(test_a_udp_socket_of_others_is_made_fit),
        cmocka_unit_test(test_a_tcp_socket_of_others_may_listen_already),
        cmocka_unit_test(test_unusable_sockets_are_refused),
        cmocka_unit_test(test_an_inherited_ipv6_wildcard_must_be_v6only),
        cmocka_unit_test(test_ipv6_loopback_does_not_work_where_ipv6_is_disabled),
        cmocka_unit_test(test_a_family_is_not_given_up_for_want_of_a_descriptor),
        cmocka_unit_test(test_a_family_works_although_the_port_is_taken),
        cmocka_unit_test(test_the_holder_of_a_udp_port),
        cmocka_unit_test(test_the_name_of_a_holder_moves_no_cursor),
        cmocka_unit_test(test_the_holder_by_a_wildcard),
        cmocka_unit_test(test_the_holder_of_a_tcp_port_is_the_listener),
        cmocka_unit_test(test_the_holder_of_an_ipv6_port),
        cmocka_unit_test(test_the_holder_of_an_ipv4_port_by_an_ipv6_socket),
        cmocka_unit_test(test_a_short_text_is_cut),
        cmocka_unit_test(test_the_holder_is_unknown_without_permission),
    };
    return cmocka_run_group_tests(tests, be_alone, NULL);
}
