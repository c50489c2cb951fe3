/* SPDX-License-Identifier: MIT */
/* Real sockets on loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/datagrams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct loop loop;
static struct datagrams datagrams;
static struct addr server;
static int server_fd;
static unsigned received, last_socket, failures, closed;
static int last_reason;
static char last_message[64];

static void on_received(struct datagrams *of, unsigned socket, uint8_t *message, size_t len)
{
    assert_ptr_equal(of, &datagrams);
    assert_true(len < sizeof last_message);
    memcpy(last_message, message, len);
    last_message[len] = '\0';
    last_socket = socket;
    received++;
    loop_stop(&loop);
}

static void on_failed(struct datagrams *of, unsigned socket, int reason)
{
    (void)of;
    last_socket = socket;
    last_reason = reason;
    failures++;
    loop_stop(&loop);
}

static void on_closed(struct datagrams *of)
{
    (void)of;
    closed++;
}

static const struct datagrams_ops ops = {.received = on_received, .failed = on_failed, .closed = on_closed};

static int setup_at(const char *address)
{
    received = failures = closed = 0;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(addr_parse(&server, address, 0), 0);
    server_fd = socket(server.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(server_fd >= 0 && bind(server_fd, &server.sa, addr_len(&server)) == 0);
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    assert_int_equal(getsockname(server_fd, (struct sockaddr *)&name, &len), 0);
    assert_int_equal(addr_from_sockaddr(&server, (struct sockaddr *)&name), 0);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_at("127.0.0.1");
}

static int setup_ipv6(void **state)
{
    (void)state;
    return setup_at("::1");
}

static int teardown(void **state)
{
    (void)state;
    datagrams_close(&datagrams);
    datagrams_close(&datagrams); /* does nothing */
    assert_true(loop_drain(&loop, 1000));
    assert_int_equal(closed, 1);
    loop_fini(&loop);
    if (server_fd >= 0)
        close(server_fd);
    return 0;
}

static void begin(const char *interface)
{
    assert_int_equal(datagrams_open(&datagrams, &loop, &ops, &server, NULL, interface, 0), 0);
    assert_int_equal(datagrams.open, 1);
}

static unsigned first_open(void)
{
    unsigned number = 0;
    while (!datagrams_is_open(&datagrams, number))
        number++;
    return number;
}

/* Sends from a socket; returns the source port that the server saw. */
static uint16_t send_from(unsigned number, const char *text, struct addr *from)
{
    char data[64];
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    assert_int_equal(datagrams_send(&datagrams, number, (const uint8_t *)text, strlen(text)), 0);
    assert_int_equal(recvfrom(server_fd, data, sizeof data, 0, (struct sockaddr *)&name, &len), strlen(text));
    assert_memory_equal(data, text, strlen(text));
    assert_int_equal(addr_from_sockaddr(from, (struct sockaddr *)&name), 0);
    return addr_port(from);
}

static void a_datagram_comes_back_to_its_socket(void **state)
{
    (void)state;
    begin(NULL);
    struct addr from, local;
    unsigned number = first_open(), other = (number + 7) % DATAGRAMS_SOCKETS;
    assert_int_equal(datagrams_open_socket(&datagrams, other), 0);
    for (unsigned round = 0; round < 3; round++) {
        uint16_t port = send_from(round % 2 ? other : number, "query", &from);
        assert_int_equal(datagrams_local(&datagrams, round % 2 ? other : number, &local), 0);
        assert_int_equal(addr_port(&local), port);
        assert_true(sendto(server_fd, "response", 8, 0, &from.sa, addr_len(&from)) == 8);
        loop_run(&loop);
        assert_int_equal(received, round + 1);
        assert_int_equal(last_socket, round % 2 ? other : number);
        assert_string_equal(last_message, "response");
    }
}

/* The kernel delivers nothing from another port or address. */
static void a_stranger_is_not_heard(void **state)
{
    (void)state;
    begin(NULL);
    struct addr from, any;
    assert_int_equal(addr_parse(&any, "127.0.0.2", addr_port(&server)), 0);
    int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, &any.sa, addr_len(&any)), 0);
    send_from(first_open(), "query", &from);
    assert_true(sendto(stranger, "forged", 6, 0, &from.sa, addr_len(&from)) == 6);
    assert_true(sendto(other, "forged", 6, 0, &from.sa, addr_len(&from)) == 6);
    assert_true(sendto(server_fd, "true", 4, 0, &from.sa, addr_len(&from)) == 4);
    loop_run(&loop);
    assert_int_equal(received, 1);
    assert_string_equal(last_message, "true");
    close(stranger);
    close(other);
}

static void an_icmp_error_is_reported(void **state)
{
    (void)state;
    begin(NULL);
    unsigned number = first_open();
    close(server_fd);
    server_fd = -1;
    assert_int_equal(datagrams_send(&datagrams, number, (const uint8_t *)"query", 5), 0);
    loop_run(&loop);
    assert_int_equal(failures, 1);
    assert_int_equal(last_reason, -ECONNREFUSED);
    assert_int_equal(last_socket, number);
    assert_true(datagrams_is_open(&datagrams, number));
}

static void ports_are_random_and_of_the_range(void **state)
{
    (void)state;
    begin(NULL);
    struct ports ports;
    ports_read(&ports, "/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/ipv4/ip_local_reserved_ports");
    unsigned same_distance = 0, lowest = UINT16_MAX, highest = 0, before = 0, distance = 0;
    for (unsigned i = 0; i < 500; i++) {
        struct addr local;
        assert_int_equal(datagrams_open_socket(&datagrams, i % DATAGRAMS_SOCKETS), 0);
        assert_int_equal(datagrams_local(&datagrams, i % DATAGRAMS_SOCKETS, &local), 0);
        unsigned port = addr_port(&local);
        assert_in_range(port, ports.low, ports.high);
        lowest = port < lowest ? port : lowest;
        highest = port > highest ? port : highest;
        same_distance += port - before == distance;
        distance = port - before;
        before = port;
    }
    assert_true(same_distance < 5);
    if (ports.high - ports.low > 20000)
        assert_true(highest - lowest > 18000);
    assert_int_equal(datagrams.open, DATAGRAMS_SOCKETS);
}

static void errors_are_returned(void **state)
{
    (void)state;
    struct datagrams none;
    struct addr there;
    assert_int_equal(datagrams_open(&none, &loop, &ops, &server, NULL, "no-such-if0", 0), -ENODEV);
    assert_int_equal(addr_parse(&there, "192.0.2.77", 53), 0);
    assert_int_equal(datagrams_open(&none, &loop, &ops, &server, &there, NULL, 0), -EADDRNOTAVAIL);
    begin(NULL);
    struct rlimit limit, none_left = {0, 0};
    unsigned number = first_open(), other = (number + 1) % DATAGRAMS_SOCKETS;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none_left.rlim_max = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    int status = datagrams_open_socket(&datagrams, other);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(status, -EMFILE);
    assert_false(datagrams_is_open(&datagrams, other));
    assert_true(datagrams_is_open(&datagrams, number));
}

/* --- the ports of a range --- */

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void settings_of_the_system_are_read(void **state)
{
    (void)state;
    char directory[] = "/tmp/test_datagramsXXXXXX", range[64], reserved[64];
    struct ports ports;
    assert_non_null(mkdtemp(directory));
    snprintf(range, sizeof range, "%s/range", directory);
    snprintf(reserved, sizeof reserved, "%s/reserved", directory);
    ports_read(&ports, range, reserved); /* neither exists */
    assert_int_equal(ports.low, 32768);
    assert_int_equal(ports.high, 60999);
    assert_int_equal(ports.reserved, 0);
    put_file(range, "40000\t40009\n");
    put_file(reserved, "40001,40003-40007,x,99999,40009-1\n");
    ports_read(&ports, range, reserved);
    assert_int_equal(ports.low, 40000);
    assert_int_equal(ports.high, 40009);
    assert_int_equal(ports.reserved, 3);
    unsigned drawn[10] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        uint16_t port = ports_draw(&ports);
        assert_in_range(port, 40000, 40009);
        drawn[port - 40000]++;
    }
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(drawn[i] > 0, i == 0 || i == 2 || i == 8);
    put_file(reserved, "40000-40009\n");
    ports_read(&ports, range, reserved);
    assert_int_equal(ports_draw(&ports), 0); /* the kernel chooses */
    static const char *const bad[] = {"", "40000\n", "50000 40000\n", "0 100\n", "1 70000\n", "x y\n"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file(range, bad[i]);
        ports_read(&ports, range, reserved);
        assert_int_equal(ports.low, 32768);
    }
    unlink(range);
    unlink(reserved);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_datagram_comes_back_to_its_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(a_datagram_comes_back_to_its_socket, setup_ipv6, teardown),
        cmocka_unit_test_setup_teardown(a_stranger_is_not_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(an_icmp_error_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(ports_are_random_and_of_the_range, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_are_returned, setup, teardown),
        cmocka_unit_test(settings_of_the_system_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
