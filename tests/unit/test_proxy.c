/* SPDX-License-Identifier: MIT */
/* PROXY headers, and which listeners require them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "../../src/listen/proxy.h"

enum { V4 = PROXY_HEADER + 12, V6 = PROXY_HEADER + 36 };

static uint8_t header[PROXY_MAX + 64];

/* A header with a block of `len` bytes; returns its length. */
static size_t write_header(uint8_t command, uint8_t family, size_t len)
{
    static const uint8_t start[12] = "\r\n\r\n\0\r\nQUIT\n";
    memset(header, 0, sizeof header);
    memcpy(header, start, sizeof start);
    header[12] = command;
    header[13] = family;
    header[14] = (uint8_t)(len >> 8);
    header[15] = (uint8_t)len;
    return PROXY_HEADER + len;
}

static size_t write_v4(void)
{
    size_t len = write_header(0x21, 0x11, 12);
    memcpy(header + PROXY_HEADER, "\xc0\0\2\7\xc0\0\2\1\x12\x34\0\x35", 12);
    return len;
}

static struct addr some(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(&addr, text, 0), 0);
    return addr;
}

/* Reads from a block of exactly this size, so that a sanitizer sees a read behind it. */
static int read_bytes(size_t len, struct addr *client)
{
    uint8_t *exact = len ? test_malloc(len) : NULL;
    if (len)
        memcpy(exact, header, len);
    int result = proxy_read((struct bytes){exact, len}, client);
    if (len)
        test_free(exact);
    return result;
}

static void expect(size_t len, int result, const char *client)
{
    struct addr is = some("198.51.100.1@7"), expected = some(client);
    assert_int_equal(read_bytes(len, &is), result);
    assert_true(addr_equal(&is, &expected));
}

static void the_client_is_the_source(void **state)
{
    (void)state;
    expect(write_v4(), V4, "192.0.2.7@4660");
    header[13] = 0x12; /* DGRAM */
    expect(V4, V4, "192.0.2.7@4660");
    (void)write_header(0x21, 0x21, 36);
    memcpy(header + PROXY_HEADER, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    memcpy(header + PROXY_HEADER + 32, "\0\7", 2);
    expect(V6, V6, "2001:db8::1@7");
}

static void the_first_part_of_a_header_is_incomplete(void **state)
{
    (void)state;
    size_t len = write_v4();
    for (size_t part = 0; part < len; part++)
        expect(part, 0, "198.51.100.1@7");
    for (size_t more = 0; more < 40; more++)
        expect(len + more, V4, "192.0.2.7@4660");
}

static void each_wrong_byte_of_the_signature_is_refused_at_once(void **state)
{
    (void)state;
    for (size_t at = 0; at < 12; at++) {
        write_v4();
        header[at] ^= 0x20;
        expect(at, 0, "198.51.100.1@7");
        for (size_t len = at + 1; len <= V4; len++)
            expect(len, -EBADMSG, "198.51.100.1@7");
    }
}

static void local_leaves_the_client(void **state)
{
    (void)state;
    expect(write_header(0x20, 0x00, 0), PROXY_HEADER, "198.51.100.1@7");
    write_v4();
    header[12] = 0x20;
    expect(V4, V4, "198.51.100.1@7");
    expect(write_header(0x20, 0xff, 7), PROXY_HEADER + 7, "198.51.100.1@7");
}

static void other_versions_commands_and_families_are_refused(void **state)
{
    (void)state;
    for (unsigned command = 0; command < 256; command++) {
        write_v4();
        header[12] = (uint8_t)command;
        int result = command == 0x20 || command == 0x21 ? V4 : -EBADMSG;
        expect(V4, result, command == 0x21 ? "192.0.2.7@4660" : "198.51.100.1@7");
    }
    for (unsigned family = 0; family < 256; family++) {
        write_v4();
        header[13] = (uint8_t)family;
        bool fine = family == 0x11 || family == 0x12;
        expect(V4, fine ? V4 : -EBADMSG, fine ? "192.0.2.7@4660" : "198.51.100.1@7");
    }
}

static void the_block_holds_the_addresses(void **state)
{
    (void)state;
    for (size_t len = 0; len < 12; len++)
        expect(write_header(0x21, 0x11, len), -EBADMSG, "198.51.100.1@7");
    for (size_t len = 0; len < 36; len++)
        expect(write_header(0x21, 0x21, len), -EBADMSG, "198.51.100.1@7");
}

static void the_length_is_bounded(void **state)
{
    (void)state;
    expect(write_header(0x20, 0, PROXY_MAX - PROXY_HEADER), PROXY_MAX, "198.51.100.1@7");
    write_header(0x20, 0, PROXY_MAX - PROXY_HEADER + 1);
    expect(PROXY_HEADER, -EBADMSG, "198.51.100.1@7"); /* before the rest is there */
    write_header(0x21, 0x11, 0xffff);
    expect(PROXY_HEADER, -EBADMSG, "198.51.100.1@7");
}

/* --- listeners --- */

static struct addr listed[2];
static struct prefix from, private;
static struct config config;

static void configure(const char *first, const char *second, const char *private_network)
{
    config = (struct config){.proxy_protocol = {.from = &from, .from_count = 1, .listen = listed, .private = &private}};
    assert_int_equal(prefix_parse(&from, "10.0.0.2"), 0);
    if (first)
        listed[config.proxy_protocol.listen_count++] = some(first);
    if (second)
        listed[config.proxy_protocol.listen_count++] = some(second);
    if (private_network)
        assert_int_equal(prefix_parse(&private, private_network), 0);
    config.proxy_protocol.private_count = private_network != NULL;
}

static enum proxy_use use(const char *listener, int type)
{
    struct addr addr = some(listener);
    return proxy_use(&config, &addr, type);
}

static void listeners_without_a_list(void **state)
{
    (void)state;
    configure(NULL, NULL, NULL);
    assert_int_equal(use("10.0.0.1@53", SOCK_STREAM), PROXY_ON);
    assert_int_equal(use("10.0.0.1@53", SOCK_DGRAM), PROXY_REFUSE);
    assert_int_equal(use("127.0.0.1@53", SOCK_DGRAM), PROXY_ON);
    assert_int_equal(use("::1@53", SOCK_DGRAM), PROXY_ON);
    config.proxy_protocol.from_count = 0;
    assert_int_equal(use("10.0.0.1@53", SOCK_DGRAM), PROXY_OFF);
}

static void listed_listeners(void **state)
{
    (void)state;
    configure("10.0.0.1", "10.0.0.3@853", "10.0.0.0/24");
    assert_int_equal(use("10.0.0.1@53", SOCK_DGRAM), PROXY_ON);
    assert_int_equal(use("10.0.0.1@853", SOCK_STREAM), PROXY_ON);
    assert_int_equal(use("10.0.0.3@853", SOCK_STREAM), PROXY_ON);
    assert_int_equal(use("10.0.0.3@53", SOCK_DGRAM), PROXY_OFF);
    assert_int_equal(use("10.0.0.4@853", SOCK_STREAM), PROXY_OFF);
    configure("0.0.0.0@853", "::@853", NULL);
    assert_int_equal(use("0.0.0.0@853", SOCK_STREAM), PROXY_ON);
    assert_int_equal(use("192.0.2.1@853", SOCK_STREAM), PROXY_ON);
    assert_int_equal(use("2001:db8::1@853", SOCK_STREAM), PROXY_ON);
    assert_int_equal(use("192.0.2.1@53", SOCK_STREAM), PROXY_OFF);
}

static void a_wildcard_is_never_private(void **state)
{
    (void)state;
    configure(NULL, NULL, "0.0.0.0/0");
    assert_int_equal(use("0.0.0.0@53", SOCK_DGRAM), PROXY_REFUSE);
    assert_int_equal(use("192.0.2.1@53", SOCK_DGRAM), PROXY_ON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_the_source),
        cmocka_unit_test(the_first_part_of_a_header_is_incomplete),
        cmocka_unit_test(each_wrong_byte_of_the_signature_is_refused_at_once),
        cmocka_unit_test(local_leaves_the_client),
        cmocka_unit_test(other_versions_commands_and_families_are_refused),
        cmocka_unit_test(the_block_holds_the_addresses),
        cmocka_unit_test(the_length_is_bounded),
        cmocka_unit_test(listeners_without_a_list),
        cmocka_unit_test(listed_listeners),
        cmocka_unit_test(a_wildcard_is_never_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
