/* SPDX-License-Identifier: MIT */
/* UDP listeners over real sockets on loopback. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#include "listen/listeners.h"
#include "server.h"

static struct listeners *listeners;
static int listener_fd;
static struct addr at; /* the listener's address */

/* --- the system's sendmmsg, with faults --- */

static int send_error;                 /* if not 0: what each send fails with */
static unsigned errors_left;           /* how many sends fail */
static unsigned send_calls, send_most; /* successful calls, and the most datagrams of one call */

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (send_error && errors_left > 0) {
        errors_left--;
        errno = send_error;
        return -1;
    }
    send_calls++;
    if (count > send_most)
        send_most = count;
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

static void block_sending(void)
{
    send_error = EAGAIN;
    errors_left = UINT32_MAX;
}

/* --- listener and clients --- */

static void listen_at(const char *text)
{
    struct addr addr = address(text);
    listener_fd = socket_udp(&addr);
    assert_true(listener_fd >= 0);
    at = bound_at(listener_fd);
    assert_int_equal(listeners_new(&listeners, &server.resolver, 1), 0);
    assert_int_equal(listeners_open(listeners, &(struct listener_spec){kind_named("UDP"), at}, listener_fd), 0);
}

static void close_listener(void)
{
    listeners_close(listeners);
    uv_run(&server.loop.uv, UV_RUN_NOWAIT);
    listeners_free(listeners);
}

static int setup(void **state)
{
    (void)state;
    server_open();
    send_error = 0;
    send_calls = send_most = 0;
    listen_at("127.0.0.1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    send_error = 0;
    server_answer_waiting();
    close_listener();
    server_close();
    return 0;
}

/* Replaces the listener on 127.0.0.1. */
static void listen_instead(const char *text)
{
    close_listener();
    listen_at(text);
}

static int client_from(const char *text)
{
    struct addr addr = address(text);
    int fd = socket(addr.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 1 << 22;
    assert_true(fd >= 0);
    (void)!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    assert_int_equal(bind(fd, &addr.sa, addr_len(&addr)), 0);
    return fd;
}

static void send_to(int fd, const struct addr *to, const void *data, size_t len)
{
    assert_int_equal(sendto(fd, data, len, 0, &to->sa, addr_len(to)), len);
}

static void ask(int fd, const struct addr *to, uint16_t id, const char *name)
{
    uint8_t question[512];
    send_to(fd, to, question, write_question(question, id, name));
}

/* Receives one response and returns its id; -1: none came. */
static int answer(int fd, struct addr *from, int *rcode)
{
    uint8_t data[4096];
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    ssize_t received = recvfrom(fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&name, &len);
    if (received < 12)
        return -1;
    if (from)
        assert_int_equal(addr_from_sockaddr(from, (struct sockaddr *)&name), 0);
    if (rcode)
        *rcode = data[3] & 15;
    return read_u16(data);
}

static void expect_answer(int fd, int id)
{
    assert_true(TURN_UNTIL(is_readable(fd)));
    assert_int_equal(answer(fd, NULL, NULL), id);
}

static unsigned count_answers(int fd)
{
    unsigned count = 0;
    while (answer(fd, NULL, NULL) >= 0)
        count++;
    return count;
}

/* --- batches --- */

static void test_a_query_is_answered(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1"), rcode;
    struct addr from;
    ask(fd, &at, 7, "now.example");
    assert_true(TURN_UNTIL(is_readable(fd)));
    assert_int_equal(answer(fd, &from, &rcode), 7);
    assert_int_equal(rcode, RCODE_NXDOMAIN);
    assert_true(addr_equal(&from, &at));
    close(fd);
}

static void test_a_batch_leaves_in_one_call(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    for (uint16_t id = 0; id < 64; id++)
        ask(fd, &at, id, "now.example");
    turn();
    for (uint16_t id = 0; id < 64; id++)
        expect_answer(fd, id);
    assert_int_equal(send_calls, 1);
    assert_int_equal(send_most, 64);
    close(fd);
}

static void test_a_turn_has_an_end(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    for (uint16_t id = 0; id < 600; id++)
        ask(fd, &at, id, "now.example");
    turn();
    assert_int_equal(counted(COUNTER_udp_received), 512);
    assert_true(TURN_UNTIL(counted(COUNTER_udp_received) == 600));
    assert_int_equal(count_answers(fd), 600);
    close(fd);
}

static void note_idle(uv_handle_t *handle, void *found)
{
    *(bool *)found |= handle->type == UV_IDLE && uv_is_active(handle);
}

/* The loop does not sleep. */
static bool is_awake(void)
{
    bool found = false;
    uv_walk(&server.loop.uv, note_idle, &found);
    return found;
}

/* Sends more than one turn receives. */
static void flood(int fd)
{
    for (uint16_t id = 0; id < 600; id++)
        ask(fd, &at, id, "now.example");
    turn();
    assert_int_equal(counted(COUNTER_udp_received), 512);
    assert_true(is_awake());
}

static void test_a_flood_has_an_end(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    flood(fd);
    turn();
    assert_int_equal(counted(COUNTER_udp_received), 600);
    turn();
    assert_false(is_awake());
    assert_int_equal(count_answers(fd), 600);
    ask(fd, &at, 7, "now.example");
    expect_answer(fd, 7);
    close(fd);
}

static void test_a_flood_waits_while_the_socket_is_blocked(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    flood(fd);
    block_sending();
    for (int i = 0; i < 10; i++)
        turn();
    assert_int_equal(counted(COUNTER_udp_received), 512 + 64);
    assert_false(is_awake());
    send_error = 0;
    assert_true(TURN_UNTIL(counted(COUNTER_udp_received) == 600));
    turn();
    assert_int_equal(count_answers(fd), 600);
    close(fd);
}

static void test_a_flooded_listener_can_be_stopped_and_closed(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    flood(fd);
    listeners_stop(listeners);
    turn();
    assert_int_equal(counted(COUNTER_udp_received), 512);
    assert_false(is_awake());
    listen_instead("127.0.0.1");
    server.counters = (struct counters){0};
    flood(fd);
    close(fd); /* and teardown closes the listener */
}

static void test_each_client_gets_its_own(void **state)
{
    (void)state;
    int fds[40];
    for (int i = 0; i < 40; i++) {
        fds[i] = client_from("127.0.0.1");
        ask(fds[i], &at, (uint16_t)(100 + i), i % 3 ? "b20.example" : "now.example");
    }
    for (int i = 0; i < 40; i++) {
        expect_answer(fds[i], 100 + i);
        assert_int_equal(count_answers(fds[i]), 0);
        close(fds[i]);
    }
}

static void test_late_answers_leave_at_the_end_of_the_turn(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    ask(fd, &at, 1, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 1));
    assert_int_equal(count_answers(fd), 0);
    server_answer_waiting();
    assert_int_equal(count_answers(fd), 0);
    expect_answer(fd, 1);
    close(fd);
}

static void test_thousands_of_late_answers_at_once(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    for (unsigned id = 0; id < 2000; id++) {
        ask(fd, &at, (uint16_t)id, "wb10.example");
        if (id % 100 == 99)
            turn();
    }
    assert_true(TURN_UNTIL(server.waiting_count == 2000));
    server_answer_waiting();
    turn();
    assert_int_equal(count_answers(fd), 2000);
    assert_int_equal(counted(COUNTER_udp_send_failed), 0);
    close(fd);
}

/* --- source addresses --- */

static void expect_source(const char *listening, const char *const *asked, size_t count)
{
    listen_instead(listening);
    int fd = client_from(strchr(listening, ':') ? "::1" : "127.0.0.1");
    for (size_t i = 0; i < count; i++) {
        struct addr to = address(asked[i]);
        addr_set_port(&to, addr_port(&at));
        ask(fd, &to, (uint16_t)i, i % 2 ? "w.example" : "now.example");
    }
    assert_true(TURN_UNTIL(counted(COUNTER_queries_received) == count));
    server_answer_waiting();
    for (size_t i = 0; i < count; i++) {
        struct addr from;
        assert_true(TURN_UNTIL(is_readable(fd)));
        int id = answer(fd, &from, NULL);
        assert_in_range(id, 0, (int)count - 1);
        struct addr to = address(asked[id]);
        addr_set_port(&to, addr_port(&at));
        assert_true(addr_equal(&from, &to));
    }
    close(fd);
}

static void test_a_wildcard_socket_answers_from_the_queried_address(void **state)
{
    static const char *const asked[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.9.8.7", "127.0.0.1"};
    (void)state;
    expect_source("0.0.0.0", asked, 5);
}

static void test_a_wildcard_socket_answers_over_ipv6(void **state)
{
    static const char *const asked[] = {"::1", "::1"};
    struct addr loopback = address("::1");
    (void)state;
    if (!socket_family_works(&loopback))
        skip();
    expect_source("::", asked, 2);
}

static void test_packet_information_may_be_missing(void **state)
{
    int off = 0, fd = client_from("127.0.0.1");
    (void)state;
    listen_instead("0.0.0.0");
    assert_int_equal(setsockopt(listener_fd, IPPROTO_IP, IP_PKTINFO, &off, sizeof off), 0);
    struct addr to = address("127.0.0.1");
    addr_set_port(&to, addr_port(&at));
    ask(fd, &to, 5, "now.example");
    expect_answer(fd, 5);
    close(fd);
}

/* --- a full send buffer --- */

static void test_responses_beyond_the_send_buffer_are_sent_later(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    block_sending();
    for (uint16_t id = 0; id < 10; id++)
        ask(fd, &at, id, "now.example");
    assert_true(TURN_UNTIL(counted(COUNTER_udp_received) == 10));
    turn();
    assert_int_equal(count_answers(fd), 0);
    send_error = 0;
    for (uint16_t id = 0; id < 10; id++)
        expect_answer(fd, id);
    close(fd);
}

static void test_a_blocked_socket_reads_nothing(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    block_sending();
    ask(fd, &at, 1, "now.example");
    assert_true(TURN_UNTIL(counted(COUNTER_udp_received) == 1));
    ask(fd, &at, 2, "now.example");
    for (int i = 0; i < 10; i++)
        turn();
    assert_int_equal(counted(COUNTER_udp_received), 1);
    send_error = 0;
    expect_answer(fd, 1);
    expect_answer(fd, 2);
    close(fd);
}

static void test_answers_pile_up_while_the_socket_is_blocked(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    for (unsigned id = 0; id < 1000; id++) {
        ask(fd, &at, (uint16_t)id, id % 2 ? "wb25.example" : "w.example");
        if (id % 100 == 99)
            turn();
    }
    assert_true(TURN_UNTIL(server.waiting_count == 1000));
    block_sending();
    server_answer_waiting();
    for (int i = 0; i < 10; i++)
        turn();
    assert_int_equal(count_answers(fd), 0);
    send_error = 0;
    assert_true(TURN_UNTIL(send_calls >= 1000 / 64));
    turn();
    for (int id = 999; id >= 0; id--) /* in the order in which they were queued */
        assert_int_equal(answer(fd, NULL, NULL), id);
    assert_int_equal(counted(COUNTER_udp_send_failed), 0);
    close(fd);
}

static void test_the_backlog_is_bounded(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    for (unsigned id = 0; id < 9000; id++) {
        ask(fd, &at, (uint16_t)id, "wb29.example");
        if (id % 100 == 99)
            turn();
    }
    assert_true(TURN_UNTIL(server.waiting_count == 9000));
    block_sending();
    server_answer_waiting();
    assert_true(counted(COUNTER_udp_send_failed) > 0);
    assert_int_equal(counted(COUNTER_queries_finished) + counted(COUNTER_queries_dropped), 9000);
    assert_int_equal(counted(COUNTER_udp_send_failed), counted(COUNTER_queries_dropped));
    close(fd);
}

static void test_a_bad_destination_costs_its_own_answer_only(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    send_error = EPERM;
    errors_left = 1;
    for (uint16_t id = 0; id < 20; id++)
        ask(fd, &at, id, "now.example");
    for (uint16_t id = 1; id < 20; id++)
        expect_answer(fd, id);
    assert_int_equal(counted(COUNTER_udp_send_failed), 1);
    close(fd);
}

static void test_an_interrupted_send_goes_on(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    send_error = EINTR;
    errors_left = 3;
    ask(fd, &at, 9, "now.example");
    expect_answer(fd, 9);
    assert_int_equal(counted(COUNTER_udp_send_failed), 0);
    close(fd);
}

/* --- errors and junk --- */

static void test_pending_errors_are_taken_and_reading_goes_on(void **state)
{
    (void)state;
    int on = 1, fd = client_from("127.0.0.1"), gone = client_from("127.0.0.1");
    assert_int_equal(setsockopt(listener_fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
    for (uint16_t id = 0; id < 3; id++)
        ask(gone, &at, id, "now.example");
    close(gone); /* the responses meet a closed port */
    assert_true(TURN_UNTIL(counted(COUNTER_udp_received) == 3));
    ask(fd, &at, 4, "now.example");
    expect_answer(fd, 4);
    for (int i = 0; i < 5; i++)
        turn();
    struct pollfd state_now = {.fd = listener_fd, .events = POLLIN};
    assert_int_equal(poll(&state_now, 1, 0), 0); /* no pending error would wake the loop */
    close(fd);
}

static void test_junk_is_survived(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    uint8_t junk[4000];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (uint8_t)(i * 7919 >> 3);
    send_to(fd, &at, junk, 0);
    send_to(fd, &at, junk, 11);
    junk[2] |= 0x80; /* a response */
    send_to(fd, &at, junk, 100);
    assert_true(TURN_UNTIL(counted(COUNTER_udp_received) == 3));
    assert_int_equal(counted(COUNTER_udp_ignored), 3);
    junk[2] = 0;
    send_to(fd, &at, junk, 100);
    send_to(fd, &at, junk, sizeof junk); /* longer than any room for queries */
    assert_true(TURN_UNTIL(counted(COUNTER_udp_received) == 5));
    assert_int_equal(count_answers(fd), 2);
    ask(fd, &at, 6, "now.example");
    expect_answer(fd, 6);
    close(fd);
}

/* Cut to the size of our buffer it would be a valid query. */
static void test_too_long_input_is_not_parsed_from_its_beginning(void **state)
{
    uint8_t query[4097] = {0}, answer[512];
    (void)state;
    int fd = client_from("127.0.0.1");
    size_t len = write_question(query, 3, "now.example");
    static const uint8_t opt[] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0};
    write_u16(query + 10, 1);
    memcpy(query + len, opt, sizeof opt);
    len += sizeof opt;
    write_u16(query + len, (uint16_t)(4096 - len - 2));
    write_u16(query + len + 2, 65001);
    write_u16(query + len + 4, (uint16_t)(4096 - len - 6));
    send_to(fd, &at, query, 4096);
    assert_true(TURN_UNTIL(is_readable(fd)));
    assert_true(recv(fd, answer, sizeof answer, 0) > 12);
    assert_int_not_equal(answer[3] & 0xf, RCODE_FORMERR);
    send_to(fd, &at, query, 4097);
    assert_true(TURN_UNTIL(is_readable(fd)));
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 12);
    assert_int_equal(answer[3] & 0xf, RCODE_FORMERR);
    assert_int_equal(counted(COUNTER_udp_too_long), 1);
    close(fd);
}

static void test_a_stopped_listener_still_answers(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    ask(fd, &at, 1, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 1));
    listeners_stop(listeners);
    ask(fd, &at, 2, "now.example");
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(counted(COUNTER_udp_received), 1);
    server_answer_waiting();
    expect_answer(fd, 1);
    close(fd);
}

static void test_unsent_responses_leave_with_the_close(void **state)
{
    (void)state;
    int fd = client_from("127.0.0.1");
    ask(fd, &at, 1, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 1));
    server_answer_waiting();
    listen_instead("127.0.0.1");
    assert_int_equal(answer(fd, NULL, NULL), 1);
    close(fd);
}

static void test_without_memory_there_is_no_listener(void **state)
{
    (void)state;
    struct listener_spec spec = {kind_named("UDP"), address("127.0.0.1")};
    int fd = socket_udp(&spec.addr);
    for (unsigned i = 1; i <= 2; i++) {
        mem_fail_at(i);
        assert_int_equal(listeners_open(listeners, &spec, fd), -ENOMEM);
        mem_fail_at(0);
    }
    assert_int_equal(close(fd), 0); /* still owned by the test */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_query_is_answered),
        TEST(test_a_batch_leaves_in_one_call),
        TEST(test_a_turn_has_an_end),
        TEST(test_a_flood_has_an_end),
        TEST(test_a_flood_waits_while_the_socket_is_blocked),
        TEST(test_a_flooded_listener_can_be_stopped_and_closed),
        TEST(test_each_client_gets_its_own),
        TEST(test_late_answers_leave_at_the_end_of_the_turn),
        TEST(test_thousands_of_late_answers_at_once),
        TEST(test_a_wildcard_socket_answers_from_the_queried_address),
        TEST(test_a_wildcard_socket_answers_over_ipv6),
        TEST(test_packet_information_may_be_missing),
        TEST(test_responses_beyond_the_send_buffer_are_sent_later),
        TEST(test_a_blocked_socket_reads_nothing),
        TEST(test_answers_pile_up_while_the_socket_is_blocked),
        TEST(test_the_backlog_is_bounded),
        TEST(test_a_bad_destination_costs_its_own_answer_only),
        TEST(test_an_interrupted_send_goes_on),
        TEST(test_pending_errors_are_taken_and_reading_goes_on),
        TEST(test_junk_is_survived),
        TEST(test_too_long_input_is_not_parsed_from_its_beginning),
        TEST(test_a_stopped_listener_still_answers),
        TEST(test_unsent_responses_leave_with_the_close),
        TEST(test_without_memory_there_is_no_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
