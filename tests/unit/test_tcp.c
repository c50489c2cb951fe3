/* SPDX-License-Identifier: MIT */
/* TCP clients over real sockets on loopback. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include "listen/listeners.h"
#include "server.h"

enum { LIMIT = 8 };

static struct listeners *listeners;
static struct addr at;

/* --- listener and clients --- */

static void listen_with(unsigned limit)
{
    struct addr any = address("127.0.0.1");
    int fd = socket_tcp(&any);
    assert_true(fd >= 0);
    at = bound_at(fd);
    assert_int_equal(listeners_new(&listeners, &server.resolver, limit), 0);
    assert_int_equal(listeners_open(listeners, &(struct listener_spec){kind_named("TCP"), at}, fd), 0);
}

static int setup(void **state)
{
    (void)state;
    server_open();
    listen_with(LIMIT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    listeners_close(listeners);
    assert_int_equal(resolver_waiting(&server.resolver), 0);
    for (int i = 0; i < 4; i++)
        turn();
    listeners_free(listeners);
    server_close();
    return 0;
}

static void limit_to(unsigned limit)
{
    listeners_close(listeners);
    turn();
    listeners_free(listeners);
    listen_with(limit);
}

/* A non-blocking client: each read and write is tried between turns. */
static int client_of_size(int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_true(fd >= 0);
    if (receive_buffer)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    assert_int_equal(connect(fd, &at.sa, addr_len(&at)), 0); /* the backlog takes it */
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static int client(void)
{
    int fd = client_of_size(0);
    uint64_t before = counted(COUNTER_tcp_accepted);
    assert_true(TURN_UNTIL(counted(COUNTER_tcp_accepted) > before));
    return fd;
}

static void reset(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
    close(fd);
}

static size_t write_frame(uint8_t *out, uint16_t id, const char *name)
{
    size_t len = write_question(out + 2, id, name);
    write_u16(out, (uint16_t)len);
    return 2 + len;
}

static void ask(int fd, uint16_t id, const char *name)
{
    uint8_t frame[2 + 512];
    size_t len = write_frame(frame, id, name);
    assert_int_equal(send(fd, frame, len, MSG_NOSIGNAL), len);
}

/* Exactly `len` bytes; false: the connection ended. */
static bool take(int fd, uint8_t *out, size_t len)
{
    for (size_t at_byte = 0; at_byte < len;) {
        assert_true(TURN_UNTIL(is_readable(fd)));
        ssize_t got = recv(fd, out + at_byte, len - at_byte, 0);
        if (got <= 0)
            return false;
        at_byte += (size_t)got;
    }
    return true;
}

/* The id of the next answer; -1: the connection ended. */
static int answer(int fd)
{
    static uint8_t message[MESSAGE_MAX];
    uint8_t prefix[2];
    if (!take(fd, prefix, 2) || !take(fd, message, read_u16(prefix)))
        return -1;
    return read_u16(message);
}

static bool has_ended(int fd)
{
    uint8_t byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool was_reset(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error == ECONNRESET || error == EPIPE;
}

/* --- queries --- */

static void test_a_query_is_answered(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 7, "now.example");
    assert_int_equal(answer(fd), 7);
    close(fd);
}

static void test_queries_come_byte_by_byte(void **state)
{
    int fd = client();
    uint8_t frame[2 + 512];
    size_t len = write_frame(frame, 9, "now.example");
    (void)state;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(send(fd, frame + i, 1, 0), 1);
        turn();
    }
    assert_int_equal(answer(fd), 9);
    close(fd);
}

static void test_pipelined_queries_are_all_answered(void **state)
{
    int fd = client();
    (void)state;
    for (uint16_t id = 0; id < 1000; id++)
        ask(fd, id, "now.example");
    for (uint16_t id = 0; id < 1000; id++)
        assert_int_equal(answer(fd), id);
    close(fd);
}

static void test_answers_overtake_those_that_wait(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 1, "w.example");
    ask(fd, 2, "wb3.example");
    ask(fd, 3, "now.example");
    assert_int_equal(answer(fd), 3);
    assert_int_equal(server.waiting_count, 2);
    server_answer_waiting();
    assert_int_equal(answer(fd), 2);
    assert_int_equal(answer(fd), 1);
    close(fd);
}

static void test_more_misses_than_one_client_may_have_wait_their_turn(void **state)
{
    int fd = client();
    (void)state;
    for (uint16_t id = 0; id < 1300; id++)
        ask(fd, id, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 512));
    turn();
    assert_int_equal(server.waiting_count, 512);
    bool seen[1300] = {false};
    for (int i = 0; i < 1300; i++) {
        while (!is_readable(fd)) {
            server_answer_waiting();
            turn();
        }
        int id = answer(fd);
        assert_in_range(id, 0, 1299);
        assert_false(seen[id]);
        seen[id] = true;
    }
    close(fd);
}

static void test_65000_queries_in_one_write(void **state)
{
    enum { QUERIES = 65000 };
    int fd = client();
    uint8_t *frames = mem_alloc(QUERIES * 64);
    size_t len = 0, sent = 0;
    unsigned answers = 0;
    uint8_t buffer[65536];
    size_t kept = 0;
    (void)state;
    for (unsigned id = 0; id < QUERIES; id++)
        len += write_frame(frames + len, (uint16_t)id, id % 2 ? "b2.example" : "now.example");
    uint64_t until_ms = real_ms() + PATIENCE_MS;
    while (answers < QUERIES && real_ms() < until_ms) {
        ssize_t count = sent < len ? send(fd, frames + sent, len - sent, MSG_NOSIGNAL) : 0;
        sent += count > 0 ? (size_t)count : 0;
        uint64_t before = counted(COUNTER_queries_received);
        turn();
        assert_in_range(counted(COUNTER_queries_received) - before, 0, 8192); /* a turn has an end */
        count = recv(fd, buffer + kept, sizeof buffer - kept, 0);
        kept += count > 0 ? (size_t)count : 0;
        size_t used = 0;
        while (kept - used >= 2 && kept - used >= 2u + read_u16(buffer + used)) {
            assert_int_equal(read_u16(buffer + used + 2), (uint16_t)answers);
            used += 2u + read_u16(buffer + used);
            answers++;
        }
        memmove(buffer, buffer + used, kept - used);
        kept -= used;
    }
    assert_int_equal(answers, QUERIES);
    mem_free(frames);
    close(fd);
}

static void test_empty_messages_do_not_hold_the_loop(void **state)
{
    int fd = client();
    static uint8_t nothing[1 << 20];
    size_t sent = 0;
    (void)state;
    while (sent < sizeof nothing) {
        ssize_t count = send(fd, nothing + sent, sizeof nothing - sent, MSG_NOSIGNAL);
        sent += count > 0 ? (size_t)count : 0;
        uint64_t before = counted(COUNTER_udp_ignored);
        turn();
        assert_in_range(counted(COUNTER_udp_ignored) - before, 0, 100000);
    }
    ask(fd, 3, "now.example");
    assert_int_equal(answer(fd), 3);
    close(fd);
}

static void test_the_largest_answer(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 3, "b4093.example"); /* 12 + 19 + 4093 * 16 bytes */
    assert_int_equal(answer(fd), 3);
    close(fd);
}

/* --- ends --- */

static void test_queries_before_the_half_close_are_answered(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 1, "now.example");
    ask(fd, 2, "w.example");
    shutdown(fd, SHUT_WR);
    assert_int_equal(answer(fd), 1);
    assert_true(TURN_UNTIL(server.waiting_count == 1));
    turn();
    assert_false(has_ended(fd));
    server_answer_waiting();
    assert_int_equal(answer(fd), 2);
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
}

static void test_a_half_close_amid_a_message_ends_it(void **state)
{
    int fd = client();
    (void)state;
    assert_int_equal(send(fd, "\0\77half", 6, 0), 6);
    shutdown(fd, SHUT_WR);
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
}

static void test_a_disconnected_client_is_not_waited_for(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 1, "w.example");
    ask(fd, 2, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 2));
    reset(fd);
    assert_true(TURN_UNTIL(counted(COUNTER_queries_dropped) == 2));
    assert_int_equal(resolver_waiting(&server.resolver), 0);
    assert_true(list_empty(&server.waiting));
}

static void test_idle_clients_are_closed(void **state)
{
    int fd = client(), busy = client();
    (void)state;
    ask(busy, 1, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 1));
    pass_time(9000);
    ask(fd, 2, "now.example");
    assert_int_equal(answer(fd), 2);
    pass_time(9900);
    assert_false(has_ended(fd));
    pass_time(200);
    assert_true(TURN_UNTIL(has_ended(fd)));
    assert_false(has_ended(busy)); /* its query waits */
    server_answer_waiting();
    assert_int_equal(answer(busy), 1);
    pass_time(10100);
    assert_true(TURN_UNTIL(has_ended(busy)));
    close(fd);
    close(busy);
}

static void test_a_client_whose_query_was_dropped_is_idle(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 1, "w.example");
    ask(fd, 2, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 2));
    query_drop(container_of(list_first(&server.waiting), struct query, in_step), COUNTER_drops_policy);
    pass_time(10100);
    assert_false(has_ended(fd)); /* the other query waits */
    query_drop(container_of(list_first(&server.waiting), struct query, in_step), COUNTER_drops_policy);
    turn();
    pass_time(10100);
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
}

static void test_a_query_that_ends_while_it_is_parked_does_not_count(void **state)
{
    int fd = client();
    (void)state;
    for (uint16_t id = 0; id < 3; id++) {
        ask(fd, id, "e.example");
        assert_int_equal(answer(fd), id);
    }
    pass_time(10100);
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
}

static void test_another_configuration_holds_for_those_that_are_there(void **state)
{
    int fd = client();
    (void)state;
    pass_time(5000);
    server.config.limits.tcp_idle_ms = 20000;
    listeners_configure(listeners, LIMIT);
    pass_time(14000);
    assert_false(has_ended(fd));
    server.config.limits.tcp_idle_ms = 10000;
    listeners_configure(listeners, LIMIT);
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
    int first = client();
    listeners_configure(listeners, 1);
    int second = client();
    assert_true(TURN_UNTIL(has_ended(first)));
    close(first);
    close(second);
}

static void test_messages_without_a_response_do_not_count(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 1, "now.example");
    assert_int_equal(answer(fd), 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(has_ended(fd));
        pass_time(6000);
        assert_int_equal(send(fd, "\0\0", 2, MSG_NOSIGNAL), 2);
        turn();
    }
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
}

static void test_a_message_that_makes_no_progress_is_given_up(void **state)
{
    int silent = client(), slow = client();
    (void)state;
    assert_int_equal(send(silent, "\0\77", 2, 0), 2);
    assert_int_equal(send(slow, "\0", 1, 0), 1);
    for (int i = 0; i < 4; i++)
        turn();
    pass_time(3000);
    assert_int_equal(send(slow, "\77", 1, 0), 1);
    for (int i = 0; i < 4; i++)
        turn();
    pass_time(2100);
    assert_true(was_reset(silent));
    assert_false(was_reset(slow));
    assert_int_equal(counted(COUNTER_tcp_stalled), 1);
    pass_time(3000);
    assert_true(was_reset(slow));
    assert_int_equal(counted(COUNTER_tcp_stalled), 2);
    close(silent);
    close(slow);
}

/* Each byte is progress, but the query is never complete. */
static void test_a_message_that_never_ends_does_not_keep_a_client_from_being_idle(void **state)
{
    int slow = client(), honest = client();
    (void)state;
    assert_int_equal(send(slow, "\0\377", 2, 0), 2);
    for (int i = 0; i < 9; i++) {
        pass_time(1000);
        assert_int_equal(send(slow, "x", 1, MSG_NOSIGNAL), 1);
        turn();
    }
    ask(honest, 1, "now.example");
    assert_int_equal(answer(honest), 1);
    assert_false(has_ended(slow));
    pass_time(1100);
    assert_true(TURN_UNTIL(has_ended(slow)));
    assert_false(has_ended(honest));
    assert_int_equal(counted(COUNTER_tcp_stalled), 0);
    close(slow);
    close(honest);
}

/* --- readers --- */

/* Requests large responses until the server stops reading. */
static void ask_without_reading(int fd)
{
    uint8_t frame[2 + 512];
    size_t len = write_frame(frame, 1, "b4000.example"), sent = 0;
    for (int quiet = 0; quiet < 20;) {
        uint64_t before = counted(COUNTER_queries_received);
        for (int i = 0; i < 10; i++) {
            ssize_t count = send(fd, frame + sent, len - sent, MSG_NOSIGNAL);
            sent = count > 0 ? (sent + (size_t)count) % len : sent;
        }
        turn();
        quiet = counted(COUNTER_queries_received) == before ? quiet + 1 : 0;
    }
}

static void test_a_client_that_does_not_read_is_paused_and_then_reset(void **state)
{
    int fd = client_of_size(4096);
    (void)state;
    ask_without_reading(fd);
    uint64_t received = counted(COUNTER_queries_received);
    pass_time(4900);
    assert_int_equal(counted(COUNTER_queries_received), received);
    assert_int_equal(counted(COUNTER_tcp_stalled), 0);
    pass_time(5200);
    assert_int_equal(counted(COUNTER_tcp_stalled), 1);
    close(fd);
}

static void test_a_slow_reader_is_served(void **state)
{
    int fd = client_of_size(65536);
    static uint8_t bytes[1 << 20];
    (void)state;
    ask_without_reading(fd);
    uint64_t received = counted(COUNTER_queries_received);
    for (int i = 0; i < 4; i++) {
        assert_true(take(fd, bytes, sizeof bytes)); /* enough for the kernel to take more */
        pass_time(3000);
    }
    assert_int_equal(counted(COUNTER_tcp_stalled), 0);
    assert_true(counted(COUNTER_queries_received) > received);
    close(fd);
}

static void test_answers_to_queries_that_waited_are_bounded_too(void **state)
{
    int attacker = client_of_size(4096), other = client();
    (void)state;
    ask(other, 1, "w.example");
    for (uint16_t id = 0; id < 512; id++)
        ask(attacker, id, "wb4000.example");
    assert_true(TURN_UNTIL(server.waiting_count == 513));
    server_answer_waiting(); /* 32 MB for one client; a quarter of limits.tcp-output is built */
    assert_int_equal(counted(COUNTER_responses_deferred), 512 - 17);
    assert_int_equal(resolver_waiting(&server.resolver), 512 - 17);
    turn();
    assert_false(was_reset(attacker));
    for (int i = 0; i < 100; i++) { /* until the kernel's buffer is full */
        pass_time(10);
        server_answer_waiting();
    }
    pass_time(5100);
    pass_time(5100);
    assert_true(was_reset(attacker));
    assert_int_equal(counted(COUNTER_tcp_stalled), 1);
    assert_int_equal(answer(other), 1);
    assert_int_equal(resolver_waiting(&server.resolver), 0);
    close(attacker);
    close(other);
}

/* Each query that waited is answered, as fast as the client reads. */
static void test_a_reader_gets_all_deferred_responses(void **state)
{
    enum { QUERIES = 200 };
    static uint8_t message[MESSAGE_MAX];
    int fd = client_of_size(65536);
    bool seen[QUERIES] = {false};
    (void)state;
    for (uint16_t id = 0; id < QUERIES; id++)
        ask(fd, id, "wb4000.example");
    assert_true(TURN_UNTIL(server.waiting_count == QUERIES));
    server_answer_waiting();
    assert_in_range(counted(COUNTER_responses_deferred), QUERIES / 2, QUERIES);
    uint64_t until_ms = real_ms() + PATIENCE_MS;
    for (int i = 0; i < QUERIES; i++) {
        uint8_t prefix[2];
        while (!is_readable(fd) && real_ms() < until_ms) {
            pass_time(10); /* deferred queries are walked again, and wait in the step */
            server_answer_waiting();
        }
        assert_true(take(fd, prefix, 2) && take(fd, message, read_u16(prefix)));
        assert_in_range(read_u16(message), 0, QUERIES - 1);
        assert_false(seen[read_u16(message)]);
        seen[read_u16(message)] = true;
    }
    assert_int_equal(counted(COUNTER_tcp_stalled), 0);
    close(fd);
}

static void test_messages_begun_are_bounded_together(void **state)
{
    static const uint8_t begun[60000] = {0xFF, 0xFF};
    int fds[150];
    (void)state;
    limit_to(1000);
    for (int i = 0; i < 150; i++) { /* 9 MB */
        fds[i] = client();
        size_t sent = 0;
        while (sent < sizeof begun) {
            ssize_t count = send(fds[i], begun + sent, sizeof begun - sent, MSG_NOSIGNAL);
            sent += count > 0 ? (size_t)count : 0;
            turn();
        }
        for (int j = 0; j < 4; j++)
            turn();
    }
    assert_in_range(counted(COUNTER_tcp_evicted), 45, 60);
    assert_true(was_reset(fds[0])); /* without progress for the longest */
    assert_false(was_reset(fds[149]));
    for (int i = 0; i < 150; i++)
        close(fds[i]);
}

/* --- places --- */

static void test_the_client_idle_for_the_longest_makes_place(void **state)
{
    int fds[LIMIT];
    (void)state;
    for (int i = 0; i < LIMIT; i++)
        fds[i] = client();
    ask(fds[0], 1, "now.example");
    assert_int_equal(answer(fds[0]), 1);
    int late = client();
    ask(late, 2, "now.example");
    assert_int_equal(answer(late), 2);
    assert_true(has_ended(fds[1]));
    assert_false(has_ended(fds[0]));
    assert_false(has_ended(fds[2]));
    assert_int_equal(counted(COUNTER_tcp_evicted), 1);
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
    close(late);
}

static void test_a_stalled_client_makes_place_if_none_is_idle(void **state)
{
    int fds[LIMIT];
    (void)state;
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = client();
        assert_int_equal(send(fds[i], "\0\77", 2, 0), 2);
        for (int j = 0; j < 4; j++)
            turn();
    }
    int late = client();
    ask(late, 2, "now.example");
    assert_int_equal(answer(late), 2);
    assert_true(was_reset(fds[0]));
    assert_false(was_reset(fds[1]));
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
    close(late);
}

/* For some time; after that the one accepted first is closed for the new one. */
static void test_clients_that_wait_for_answers_keep_their_places(void **state)
{
    int fds[LIMIT], late[3];
    (void)state;
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = client();
        ask(fds[i], (uint16_t)i, "w.example");
    }
    assert_true(TURN_UNTIL(server.waiting_count == LIMIT));
    for (int i = 0; i < 3; i++) {
        late[i] = client_of_size(0);
        ask(late[i], (uint16_t)(100 + i), "now.example");
    }
    assert_true(TURN_UNTIL(counted(COUNTER_tcp_held) == 1));
    pass_time(450);
    assert_int_equal(counted(COUNTER_tcp_accepted), LIMIT);
    pass_time(30);
    assert_int_equal(counted(COUNTER_tcp_accepted), LIMIT);
    pass_time(30); /* the paused listener tries again */
    for (int i = 0; i < 3; i++)
        assert_int_equal(answer(late[i]), 100 + i);
    assert_true(was_reset(fds[0]));
    server_answer_waiting();
    for (int i = 3; i < LIMIT; i++)
        assert_int_equal(answer(fds[i]), i);
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
    for (int i = 0; i < 3; i++)
        close(late[i]);
}

static void test_a_flood_of_clients_lets_everybody_in(void **state)
{
    enum { FLOOD = 300 };
    int fds[FLOOD];
    (void)state;
    for (int i = 0; i < FLOOD; i++)
        fds[i] = client_of_size(0);
    int late = client_of_size(0);
    ask(late, 1, "now.example");
    for (int i = 0; i < 200 && counted(COUNTER_tcp_accepted) <= FLOOD; i++)
        pass_time(1);
    assert_int_equal(counted(COUNTER_tcp_accepted), FLOOD + 1);
    assert_int_equal(counted(COUNTER_tcp_evicted), FLOOD + 1 - LIMIT);
    assert_int_equal(answer(late), 1);
    for (int i = 0; i < FLOOD; i++)
        close(fds[i]);
    close(late);
}

static void test_resets_in_numbers_are_survived(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        int fd = client_of_size(0);
        if (i % 3)
            ask(fd, 1, i % 3 == 1 ? "w.example" : "b100.example");
        if (i % 5 == 0)
            turn();
        reset(fd);
    }
    int fd = client_of_size(0);
    ask(fd, 2, "now.example");
    for (int i = 0; i < 200 && !is_readable(fd); i++)
        pass_time(10);
    assert_int_equal(answer(fd), 2);
    close(fd);
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(resolver_waiting(&server.resolver), 0);
}

static void test_a_client_is_accepted_when_memory_is_back(void **state)
{
    (void)state;
    mem_fail_every(1);
    int fd = client_of_size(0);
    assert_true(TURN_UNTIL(counted(COUNTER_tcp_held) == 1));
    pass_time(100);
    assert_int_equal(counted(COUNTER_tcp_accepted), 0);
    mem_fail_every(0);
    pass_time(30);
    ask(fd, 4, "now.example");
    assert_int_equal(answer(fd), 4);
    close(fd);
}

static void test_each_failed_allocation_is_survived(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 12; n++) {
        mem_fail_at(n);
        int fd = client_of_size(0);
        ask(fd, 1, "now.example");
        ask(fd, 2, "w.example");
        (void)!send(fd, "\0\77half", 6, MSG_NOSIGNAL);
        for (int i = 0; i < 5; i++)
            pass_time(21);
        server_answer_waiting();
        turn();
        mem_fail_at(0);
        reset(fd);
        for (int i = 0; i < 5; i++)
            turn();
        assert_int_equal(resolver_waiting(&server.resolver), 0);
    }
    test_a_query_is_answered(NULL);
}

/* --- the end --- */

static void test_a_drain_lets_idle_clients_go_and_waits_for_the_others(void **state)
{
    int idle = client(), busy = client();
    (void)state;
    ask(busy, 1, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 1));
    listeners_stop(listeners);
    listeners_drain(listeners);
    assert_true(TURN_UNTIL(has_ended(idle)));
    assert_false(has_ended(busy));
    server_answer_waiting();
    assert_int_equal(answer(busy), 1);
    assert_true(TURN_UNTIL(has_ended(busy)));
    close(idle);
    close(busy);
}

/* More than one turn processes: the rest is in the read buffer when draining begins. */
static void test_a_drain_answers_all_that_was_read(void **state)
{
    enum { MANY = 1500 };
    static uint8_t frames[MANY * 64];
    int fd = client();
    size_t len = 0;
    (void)state;
    for (uint16_t id = 0; id < MANY; id++)
        len += write_frame(frames + len, id, "now.example");
    assert_int_equal(send(fd, frames, len, MSG_NOSIGNAL), len);
    uint64_t before = counted(COUNTER_queries_received);
    assert_true(TURN_UNTIL(counted(COUNTER_queries_received) > before));
    listeners_stop(listeners);
    listeners_drain(listeners);
    for (uint16_t id = 0; id < MANY; id++)
        assert_int_equal(answer(fd), id);
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
}

static void test_a_close_sends_pending_output(void **state)
{
    int fd = client();
    (void)state;
    ask(fd, 1, "w.example");
    assert_true(TURN_UNTIL(server.waiting_count == 1));
    server_answer_waiting();
    listeners_close(listeners);
    assert_int_equal(answer(fd), 1);
    assert_true(TURN_UNTIL(has_ended(fd)));
    close(fd);
}

static void test_a_listener_that_cannot_listen_leaves_the_descriptor(void **state)
{
    struct listener_spec spec = {kind_named("TCP"), address("127.0.0.1")};
    (void)state;
    int fd = socket_tcp(&spec.addr);
    mem_fail_at(1);
    assert_int_equal(listeners_open(listeners, &spec, fd), -ENOMEM);
    mem_fail_at(0);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_query_is_answered),
        TEST(test_queries_come_byte_by_byte),
        TEST(test_pipelined_queries_are_all_answered),
        TEST(test_answers_overtake_those_that_wait),
        TEST(test_more_misses_than_one_client_may_have_wait_their_turn),
        TEST(test_65000_queries_in_one_write),
        TEST(test_empty_messages_do_not_hold_the_loop),
        TEST(test_the_largest_answer),
        TEST(test_queries_before_the_half_close_are_answered),
        TEST(test_a_half_close_amid_a_message_ends_it),
        TEST(test_a_disconnected_client_is_not_waited_for),
        TEST(test_idle_clients_are_closed),
        TEST(test_a_client_whose_query_was_dropped_is_idle),
        TEST(test_a_query_that_ends_while_it_is_parked_does_not_count),
        TEST(test_another_configuration_holds_for_those_that_are_there),
        TEST(test_messages_without_a_response_do_not_count),
        TEST(test_a_message_that_makes_no_progress_is_given_up),
        TEST(test_a_client_that_does_not_read_is_paused_and_then_reset),
        TEST(test_a_slow_reader_is_served),
        TEST(test_answers_to_queries_that_waited_are_bounded_too),
        TEST(test_a_reader_gets_all_deferred_responses),
        TEST(test_a_message_that_never_ends_does_not_keep_a_client_from_being_idle),
        TEST(test_messages_begun_are_bounded_together),
        TEST(test_the_client_idle_for_the_longest_makes_place),
        TEST(test_a_stalled_client_makes_place_if_none_is_idle),
        TEST(test_clients_that_wait_for_answers_keep_their_places),
        TEST(test_a_flood_of_clients_lets_everybody_in),
        TEST(test_resets_in_numbers_are_survived),
        TEST(test_a_client_is_accepted_when_memory_is_back),
        TEST(test_each_failed_allocation_is_survived),
        TEST(test_a_drain_answers_all_that_was_read),
        TEST(test_a_drain_lets_idle_clients_go_and_waits_for_the_others),
        TEST(test_a_close_sends_pending_output),
        TEST(test_a_listener_that_cannot_listen_leaves_the_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
