/* SPDX-License-Identifier: MIT */
/* The list of a worker's listeners, with various kinds and addresses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include "server.h"
#include "listen/listener.h"

static struct listeners *listeners;

/* --- a kind that records its calls --- */

struct noting {
    struct listener listener;
    char told[16];
    unsigned count;
};

static struct noting noting[2];
static unsigned opened;
static int open_status;

static void note(struct listener *listener, char what)
{
    struct noting *one = container_of(listener, struct noting, listener);
    one->told[one->count++] = what;
}

static int noting_open(struct listener **out, struct listeners *all, int fd, const struct addr *addr)
{
    (void)fd;
    assert_ptr_equal(all, listeners);
    assert_int_equal(addr_port(addr), 53);
    if (open_status < 0)
        return open_status;
    *out = &noting[opened++].listener;
    return 0;
}

static void noting_configure(struct listener *listener)
{
    note(listener, 'c');
}

static void noting_stop(struct listener *listener)
{
    note(listener, 's');
}

static void noting_drain(struct listener *listener)
{
    note(listener, 'd');
}

static void noting_close(struct listener *listener)
{
    note(listener, 'x');
}

static void noting_serve(struct listener *listener)
{
    note(listener, 'v');
}

static const struct listener_kind with_all = {"ALL",        SOCK_STREAM, NULL,         noting_open, noting_configure,
                                              noting_serve, noting_stop, noting_drain, noting_close};
static const struct listener_kind with_few = {
    .name = "FEW", .type = SOCK_DGRAM, .open = noting_open, .stop = noting_stop, .close = noting_close};

/* --- scaffold --- */

static int setup(void **state)
{
    (void)state;
    server_open();
    memset(noting, 0, sizeof noting);
    opened = 0;
    open_status = 0;
    assert_int_equal(listeners_new(&listeners, &server.resolver, 8), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    listeners_close(listeners);
    for (int i = 0; i < 4; i++)
        turn();
    listeners_free(listeners);
    server_close();
    return 0;
}

/* Returns the address that it listens on. */
static struct addr listen_at(const char *kind, const char *text)
{
    struct listener_spec spec = {kind_named(kind), address(text)};
    int fd = spec.kind->type == SOCK_DGRAM ? socket_udp(&spec.addr) : socket_tcp(&spec.addr);
    assert_true(fd >= 0);
    spec.addr = bound_at(fd);
    assert_int_equal(listeners_open(listeners, &spec, fd), 0);
    return spec.addr;
}

static int connected(int type, const struct addr *to)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &to->sa, addr_len(to)), 0);
    return fd;
}

static void ask(int fd, int type)
{
    uint8_t frame[514];
    size_t len = write_question(frame + 2, 7, "now.example");
    write_u16(frame, (uint16_t)len);
    const uint8_t *from = type == SOCK_DGRAM ? frame + 2 : frame;
    len += type == SOCK_DGRAM ? 0 : 2;
    assert_int_equal(send(fd, from, len, 0), len);
}

static void expect_response(int fd, int type)
{
    uint8_t response[514];
    assert_true(TURN_UNTIL(is_readable(fd)));
    assert_true(recv(fd, response, sizeof response, 0) > MESSAGE_HEADER);
    assert_int_equal(read_u16(response + (type == SOCK_DGRAM ? 0 : 2)), 7);
}

/* --- tests --- */

static void test_the_table_names_each_kind_once(void **state)
{
    (void)state;
    for (size_t i = 0; listener_kinds[i]; i++) {
        const struct listener_kind *kind = listener_kinds[i];
        assert_ptr_equal(kind_named(kind->name), kind);
        assert_true(kind->type == SOCK_DGRAM || kind->type == SOCK_STREAM);
        assert_true(kind->addresses && kind->open && kind->stop && kind->close);
    }
}

/* Three sockets, each with another address. */
static void test_nothing_needs_a_pair(void **state)
{
    (void)state;
    struct addr at[] = {listen_at("UDP", "127.0.0.1"), listen_at("TCP", "127.0.0.2"), listen_at("UDP", "127.0.0.3")};
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < 3; i++) {
        int fd = connected(types[i], &at[i]);
        ask(fd, types[i]);
        expect_response(fd, types[i]);
        close(fd);
    }
}

static void test_places_are_shared(void **state)
{
    (void)state;
    struct addr one = listen_at("TCP", "127.0.0.1"), other = listen_at("TCP", "127.0.0.1");
    int fds[] = {connected(SOCK_STREAM, &one), connected(SOCK_STREAM, &other), connected(SOCK_STREAM, &other)};
    assert_true(TURN_UNTIL(listeners_clients(listeners) == 3));
    listeners_configure(listeners, 1);
    /* The client that has been idle for the longest time is closed for it. */
    int last = connected(SOCK_STREAM, &one);
    assert_true(TURN_UNTIL(is_readable(fds[0])));
    assert_true(TURN_UNTIL(counted(COUNTER_tcp_accepted) == 4));
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    close(last);
}

/* A listener is closed while the other's client is answered: only its own clients end with it. */
static void test_all_listeners_close_in_any_state(void **state)
{
    (void)state;
    struct addr udp = listen_at("UDP", "127.0.0.1"), tcp = listen_at("TCP", "127.0.0.1");
    int datagrams = connected(SOCK_DGRAM, &udp), client = connected(SOCK_STREAM, &tcp);
    ask(client, SOCK_STREAM);
    expect_response(client, SOCK_STREAM);
    listeners_stop(listeners);
    ask(datagrams, SOCK_DGRAM);
    ask(client, SOCK_STREAM); /* connected clients are still answered */
    expect_response(client, SOCK_STREAM);
    assert_false(is_readable(datagrams));
    listeners_drain(listeners);
    assert_true(TURN_UNTIL(listeners_clients(listeners) == 0));
    listeners_close(listeners);
    close(datagrams);
    close(client);
}

static void test_each_gets_the_calls_of_its_kind(void **state)
{
    (void)state;
    struct addr addr = address("127.0.0.1@53");
    assert_int_equal(listeners_open(listeners, &(struct listener_spec){&with_all, addr}, -1), 0);
    assert_int_equal(listeners_open(listeners, &(struct listener_spec){&with_few, addr}, -1), 0);
    open_status = -EADDRINUSE;
    assert_int_equal(listeners_open(listeners, &(struct listener_spec){&with_few, addr}, -1), -EADDRINUSE);
    listeners_configure(listeners, 8);
    listeners_stop(listeners);
    listeners_drain(listeners);
    listeners_close(listeners);
    listeners_close(listeners); /* no listener is left */
    assert_string_equal(noting[0].told, "csdx");
    assert_string_equal(noting[1].told, "sx");
}

/* 300 messages of one connection in one turn: datagrams are received twice in between. */
static void test_datagrams_are_received_between_messages(void **state)
{
    uint8_t frames[300 * 64];
    size_t len = 0;
    struct addr at = address("127.0.0.1@53");
    (void)state;
    assert_int_equal(listeners_open(listeners, &(struct listener_spec){&with_all, at}, -1), 0);
    at = listen_at("TCP", "127.0.0.1");
    int fd = connected(SOCK_STREAM, &at);
    assert_true(TURN_UNTIL(counted(COUNTER_tcp_accepted) == 1));
    for (uint16_t id = 0; id < 300; id++) {
        size_t message = write_question(frames + len + 2, id, "now.example");
        write_u16(frames + len, (uint16_t)message);
        len += 2 + message;
    }
    assert_int_equal(send(fd, frames, len, 0), len);
    assert_true(TURN_UNTIL(counted(COUNTER_queries_received) == 300));
    assert_string_equal(noting[0].told, "vv");
    close(fd);
}

static void test_without_memory_there_are_none(void **state)
{
    struct listeners *none = NULL;
    (void)state;
    for (unsigned i = 1; i <= 2; i++) {
        mem_fail_at(i);
        assert_int_equal(listeners_new(&none, &server.resolver, 8), -ENOMEM);
        mem_fail_at(0);
        assert_null(none);
    }
    listeners_free(none);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_table_names_each_kind_once),
        TEST(test_nothing_needs_a_pair),
        TEST(test_places_are_shared),
        TEST(test_all_listeners_close_in_any_state),
        TEST(test_each_gets_the_calls_of_its_kind),
        TEST(test_datagrams_are_received_between_messages),
        TEST(test_without_memory_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
