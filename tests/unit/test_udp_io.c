/* SPDX-License-Identifier: MIT */
/* The back end of UDP listeners, over a real socket on loopback: batches, packet information, errors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#include "server.h"
#include "listen/udp_io.h"

static struct counters counters;
static struct udp_io *io;
static int fd, client;
static struct addr at, client_at;

/* --- the system's sendmmsg, with faults --- */

static int send_error;             /* if not 0: what each send fails with */
static unsigned errors_left;       /* how many sends fail */
static unsigned send_at_most = 64; /* of one call */
static unsigned send_calls;

int sendmmsg(int to, struct mmsghdr *messages, unsigned count, int flags)
{
    send_calls++;
    if (send_error && errors_left > 0) {
        errors_left--;
        errno = send_error;
        return -1;
    }
    return (int)syscall(SYS_sendmmsg, to, messages, count < send_at_most ? count : send_at_most, flags);
}

static void fail_sends(int error, unsigned times)
{
    send_error = error;
    errors_left = times;
}

/* --- both ends --- */

static int bound(const struct addr *addr)
{
    int bound_fd = socket_udp(addr);
    assert_true(bound_fd >= 0);
    return bound_fd;
}

static void open_at(const char *listening, const char *client_text)
{
    struct addr addr = address(listening);
    fd = bound(&addr);
    at = bound_at(fd);
    addr = address(client_text);
    client = bound(&addr);
    client_at = bound_at(client);
    assert_int_equal(udp_io_open(&io, fd, &at, &counters), 0);
}

static void close_all(void)
{
    udp_io_free(io);
    close(fd);
    close(client);
}

static int setup(void **state)
{
    (void)state;
    counters = (struct counters){0};
    fail_sends(0, 0);
    send_at_most = 64;
    send_calls = 0;
    open_at("127.0.0.1", "127.0.0.1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_all();
    return 0;
}

static void send_to(const char *to_text, const void *data, size_t len)
{
    struct addr to = address(to_text);
    addr_set_port(&to, addr_port(&at));
    assert_int_equal(sendto(client, data, len, 0, &to.sa, addr_len(&to)), len);
}

static uint64_t count(enum counter which)
{
    return counter_read(&counters, which);
}

static struct origin to_client(void)
{
    return (struct origin){.peer = client_at};
}

static void put(const struct origin *origin, char text)
{
    assert_non_null(io->room);
    memset(io->room, text, 10);
    udp_io_put(io, origin, 10);
}

/* The first byte of the next response that reached the client; 0: there is none. */
static char next_response(struct addr *from)
{
    char data[64];
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    ssize_t received = recvfrom(client, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&name, &len);
    if (received < 0)
        return 0;
    assert_int_equal(received, 10);
    if (from)
        assert_int_equal(addr_from_sockaddr(from, (struct sockaddr *)&name), 0);
    return data[0];
}

/* --- receiving --- */

static void test_nothing_is_received_where_nothing_came(void **state)
{
    (void)state;
    assert_int_equal(udp_io_receive(io), 0);
    assert_int_equal(count(COUNTER_udp_received), 0);
}

static void test_a_batch_is_received_with_its_peers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 70; i++)
        send_to("127.0.0.1", (uint8_t[]){(uint8_t)i, 2, 3}, 3);
    assert_int_equal(udp_io_receive(io), UDP_BATCH);
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        struct origin origin;
        struct bytes query = udp_io_query(io, i, &origin);
        assert_int_equal(query.len, 3);
        assert_int_equal(query.data[0], i);
        assert_true(addr_equal(&origin.peer, &client_at));
        assert_true(addr_equal(&origin.client, &client_at));
        assert_int_equal(origin.local.sa.sa_family, AF_UNSPEC);
    }
    assert_int_equal(udp_io_receive(io), 6);
    assert_int_equal(count(COUNTER_udp_received), 70);
}

static void test_a_long_datagram_is_cut_to_its_header(void **state)
{
    static uint8_t data[UDP_QUERY_MAX + 1];
    struct origin origin;
    (void)state;
    send_to("127.0.0.1", data, UDP_QUERY_MAX);
    send_to("127.0.0.1", data, UDP_QUERY_MAX + 1);
    send_to("127.0.0.1", data, 0);
    assert_int_equal(udp_io_receive(io), 3);
    assert_int_equal(udp_io_query(io, 0, &origin).len, UDP_QUERY_MAX);
    assert_int_equal(udp_io_query(io, 1, &origin).len, MESSAGE_HEADER);
    assert_int_equal(udp_io_query(io, 2, &origin).len, 0);
    assert_int_equal(count(COUNTER_udp_too_long), 1);
}

/* A slot that received an IPv4 datagram with packet information has its full size again. */
static void test_slots_are_used_again(void **state)
{
    (void)state;
    close_all();
    open_at("0.0.0.0", "127.0.0.1");
    for (unsigned i = 0; i < 1000; i++) {
        struct origin origin;
        send_to(i % 2 ? "127.0.0.1" : "127.0.0.2", &i, sizeof i);
        assert_int_equal(udp_io_receive(io), 1);
        (void)udp_io_query(io, 0, &origin);
        assert_true(addr_equal(&origin.peer, &client_at));
        assert_int_equal(ntohl(origin.local.in.sin_addr.s_addr), i % 2 ? 0x7f000001 : 0x7f000002);
    }
}

/* --- sending --- */

static void test_a_batch_leaves_in_one_call(void **state)
{
    struct origin origin = to_client();
    (void)state;
    for (unsigned i = 0; i < UDP_BATCH; i++)
        put(&origin, (char)('0' + i));
    assert_null(io->room);
    assert_int_equal(next_response(NULL), 0);
    assert_true(udp_io_send(io));
    assert_int_equal(send_calls, 1);
    assert_non_null(io->room);
    for (unsigned i = 0; i < UDP_BATCH; i++)
        assert_int_equal(next_response(NULL), '0' + i);
    assert_int_equal(next_response(NULL), 0);
    assert_true(udp_io_send(io)); /* nothing is left */
    assert_int_equal(send_calls, 1);
}

static void test_the_rest_of_a_batch_leaves_with_further_calls(void **state)
{
    struct origin origin = to_client();
    (void)state;
    send_at_most = 3;
    for (unsigned i = 0; i < 10; i++)
        put(&origin, (char)('0' + i));
    assert_true(udp_io_send(io));
    assert_int_equal(send_calls, 4);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(next_response(NULL), '0' + i);
}

static void test_a_blocked_socket_keeps_what_is_unsent(void **state)
{
    static const int errors[] = {EAGAIN, ENOBUFS};
    struct origin origin = to_client();
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        fail_sends(errors[i], 2);
        put(&origin, 'a');
        assert_false(udp_io_send(io));
        put(&origin, 'b');
        assert_false(udp_io_send(io));
        assert_true(udp_io_send(io));
        assert_int_equal(next_response(NULL), 'a');
        assert_int_equal(next_response(NULL), 'b');
        assert_int_equal(next_response(NULL), 0);
    }
    assert_int_equal(count(COUNTER_udp_send_failed), 0);
}

static void test_an_interrupted_call_is_repeated(void **state)
{
    struct origin origin = to_client();
    (void)state;
    fail_sends(EINTR, 2);
    put(&origin, 'a');
    assert_true(udp_io_send(io));
    assert_int_equal(next_response(NULL), 'a');
}

/* A destination that the kernel refuses, in the middle of a batch. */
static void test_a_bad_destination_costs_its_own_response_only(void **state)
{
    struct origin good = to_client(), bad = to_client();
    (void)state;
    bad.peer = address("255.255.255.255"); /* without SO_BROADCAST: EACCES */
    addr_set_port(&bad.peer, 53);
    for (unsigned i = 0; i < 9; i++)
        put(i % 3 == 1 ? &bad : &good, (char)('0' + i));
    assert_true(udp_io_send(io));
    for (unsigned i = 0; i < 9; i++)
        if (i % 3 != 1)
            assert_int_equal(next_response(NULL), '0' + i);
    assert_int_equal(next_response(NULL), 0);
    assert_int_equal(count(COUNTER_udp_send_failed), 3);
}

static void test_the_queried_address_is_the_source(void **state)
{
    struct origin origin;
    struct addr from, asked = address("127.1.2.3");
    (void)state;
    close_all();
    open_at("0.0.0.0", "127.0.0.1");
    send_to("127.1.2.3", "?", 1);
    assert_int_equal(udp_io_receive(io), 1);
    (void)udp_io_query(io, 0, &origin);
    put(&origin, 'a');
    assert_true(udp_io_send(io));
    assert_int_equal(next_response(&from), 'a');
    addr_set_port(&asked, addr_port(&at));
    assert_true(addr_equal(&from, &asked));
}

/* A trusted proxy forwards a query of another client: the response goes to the proxy. */
static void test_the_response_goes_to_the_peer(void **state)
{
    struct origin origin = to_client();
    (void)state;
    origin.client = address("192.0.2.1");
    put(&origin, 'a');
    assert_true(udp_io_send(io));
    assert_int_equal(next_response(NULL), 'a');
}

/* --- errors --- */

static void test_pending_errors_are_cleared(void **state)
{
    int on = 1;
    struct origin origin = to_client();
    struct pollfd now = {.fd = fd, .events = POLLIN};
    (void)state;
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
    close(client);
    put(&origin, 'a'); /* meets a closed port */
    assert_true(udp_io_send(io));
    assert_int_equal(poll(&now, 1, 1000), 1);
    assert_true(now.revents & POLLERR);
    udp_io_clear_errors(io);
    assert_int_equal(poll(&now, 1, 0), 0);
    client = bound(&client_at);
}

static void test_without_memory_there_is_none(void **state)
{
    struct udp_io *none = NULL;
    (void)state;
    mem_fail_at(1);
    assert_int_equal(udp_io_open(&none, fd, &at, &counters), -ENOMEM);
    mem_fail_at(0);
    assert_null(none);
    udp_io_free(none);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_received_where_nothing_came),
        TEST(test_a_batch_is_received_with_its_peers),
        TEST(test_a_long_datagram_is_cut_to_its_header),
        TEST(test_slots_are_used_again),
        TEST(test_a_batch_leaves_in_one_call),
        TEST(test_the_rest_of_a_batch_leaves_with_further_calls),
        TEST(test_a_blocked_socket_keeps_what_is_unsent),
        TEST(test_an_interrupted_call_is_repeated),
        TEST(test_a_bad_destination_costs_its_own_response_only),
        TEST(test_the_queried_address_is_the_source),
        TEST(test_the_response_goes_to_the_peer),
        TEST(test_pending_errors_are_cleared),
        TEST(test_without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
