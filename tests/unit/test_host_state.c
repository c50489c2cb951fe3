/* SPDX-License-Identifier: MIT */
/* The addresses of a host over time, and their file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "daemon/hostfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct host_state fresh(void)
{
    return (struct host_state){.upstream = "a", .host = "a.example"};
}

static struct addr address(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(&addr, text, 0), 0);
    return addr;
}

static void answer(struct host_lookup *lookup, int family, uint32_t ttl, const char *const *texts)
{
    struct host_half *half = &lookup->halves[family];
    half->ttl = ttl;
    for (half->count = 0; texts[half->count]; half->count++)
        half->addresses[half->count] = address(texts[half->count]);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const none[] = {NULL};

static struct host_lookup lookup_of(uint32_t ttl, const char *const *v4, const char *const *v6)
{
    struct host_lookup lookup = {.host = "a.example"};
    answer(&lookup, HOST_V4, ttl, v4);
    answer(&lookup, HOST_V6, ttl, v6);
    return lookup;
}

static struct host_lookup failed(int status)
{
    struct host_lookup lookup = lookup_of(0, none, none);
    lookup.halves[HOST_V4].status = lookup.halves[HOST_V6].status = status;
    return lookup;
}

static void used(const struct host_state *state, const char *const *wanted)
{
    struct addr addresses[CONFIG_HOST_ADDRESSES];
    char text[ADDR_TEXT];
    size_t count = host_addresses(state, addresses), i = 0;
    for (; wanted[i]; i++)
        assert_string_equal(addr_format(&addresses[i], false, text), wanted[i]);
    assert_int_equal(count, i);
}

static void addresses_are_looked_up_before_their_ttl_ends(void **state)
{
    (void)state;
    static const struct {
        uint32_t ttl, wanted_s;
    } cases[] = {{0, 27}, {30, 27}, {100, 90}, {86400, 77760}, {UINT32_MAX, 77760}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host_state host = fresh();
        struct host_lookup lookup = lookup_of(cases[i].ttl, TEXTS("192.0.2.1"), none);
        assert_true(host_note(&host, &lookup, 5000));
        assert_int_equal(host.phase, HOST_KNOWN);
        assert_int_equal(host.due_ms, 5000 + cases[i].wanted_s * 1000);
        assert_int_equal(host.resolved_ms, 5000);
    }
}

static void the_order_of_addresses_does_not_count(void **state)
{
    (void)state;
    struct host_state host = fresh();
    struct host_lookup one = lookup_of(60, TEXTS("192.0.2.1", "192.0.2.2"), TEXTS("2001:db8::1"));
    struct host_lookup turned = lookup_of(60, TEXTS("192.0.2.2", "192.0.2.1"), TEXTS("2001:db8::1"));
    struct host_lookup other = lookup_of(60, TEXTS("192.0.2.2", "192.0.2.3"), TEXTS("2001:db8::1"));
    assert_true(host_note(&host, &one, 1));
    assert_false(host_note(&host, &turned, 2));
    used(&host, TEXTS("192.0.2.1", "192.0.2.2", "2001:db8::1"));
    assert_true(host_note(&host, &other, 3));
    used(&host, TEXTS("192.0.2.2", "192.0.2.3", "2001:db8::1"));
}

static void addresses_stay_while_lookups_fail(void **state)
{
    (void)state;
    struct host_state host = fresh();
    struct host_lookup good = lookup_of(60, TEXTS("192.0.2.1"), none), bad = failed(ERROR_UNANSWERED),
                       empty = lookup_of(60, none, none);
    static const uint64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    assert_true(host_note(&host, &good, 1));
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_false(host_note(&host, i % 2 ? &bad : &empty, 10));
        assert_int_equal(host.due_ms, 10 + waits[i]);
        assert_int_equal(host.error, i % 2 ? ERROR_UNANSWERED : ERROR_NO_ADDRESS);
        assert_int_equal(host.phase, HOST_KNOWN);
    }
    used(&host, TEXTS("192.0.2.1"));
    assert_false(host_note(&host, &good, 20));
    assert_int_equal(host.error, 0);
    assert_int_equal(host.failures, 0);
}

static void a_family_whose_lookup_failed_keeps_its_addresses(void **state)
{
    (void)state;
    struct host_state host = fresh();
    struct host_lookup good = lookup_of(600, TEXTS("192.0.2.1"), TEXTS("2001:db8::1")),
                       half = lookup_of(600, TEXTS("192.0.2.2"), none);
    assert_true(host_note(&host, &good, 1));
    half.halves[HOST_V6].status = ERROR_UNANSWERED;
    assert_true(host_note(&host, &half, 1000));
    used(&host, TEXTS("192.0.2.2", "2001:db8::1"));
    assert_int_equal(host.due_ms, 1000 + 27000); /* soon */
    half.halves[HOST_V6].status = 0;             /* it has none now */
    assert_true(host_note(&host, &half, 2000));
    used(&host, TEXTS("192.0.2.2"));
    assert_int_equal(host.due_ms, 2000 + 540000);
}

static void queries_wait_for_the_first_lookup_only(void **state)
{
    (void)state;
    struct host_state host = fresh();
    struct host_lookup bad = failed(-ECONNREFUSED), good = lookup_of(60, TEXTS("192.0.2.1"), none);
    assert_int_equal(host.phase, HOST_PENDING);
    assert_true(host_note(&host, &bad, 1));
    assert_int_equal(host.phase, HOST_FAILED);
    assert_false(host_note(&host, &bad, 2));
    assert_true(host_note(&host, &good, 3));
    assert_int_equal(host.phase, HOST_KNOWN);
}

static void useless_addresses_are_not_used(void **state)
{
    (void)state;
    static const char *const useless[] = {"127.0.0.1",  "0.0.0.0",         "0.1.2.3", "169.254.1.1",
                                          "224.0.0.1",  "255.255.255.255", "::",      "::1",
                                          "fe80::1%1",  "ff02::1%1",       "ff0e::1", "::ffff:192.0.2.1",
                                          "::192.0.2.1"};
    static const char *const useful[] = {"192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1"};
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
        struct addr addr = address(useless[i]);
        assert_false(host_address_is_usable(&addr));
    }
    for (size_t i = 0; i < sizeof useful / sizeof *useful; i++) {
        struct addr addr = address(useful[i]);
        assert_true(host_address_is_usable(&addr));
    }
}

/* --- the file --- */

static char directory[] = "/tmp/dotstub-hosts-XXXXXX";
static char path[sizeof directory + 8];

static int make_directory(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/hosts", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_two(void)
{
    struct host_state hosts[] = {
        fresh(), {.upstream = "b", .host = "b.example"}, {.upstream = "c", .host = "c.example"}};
    struct host_lookup one = lookup_of(60, TEXTS("192.0.2.1", "192.0.2.2"), TEXTS("2001:db8::1")),
                       other = lookup_of(60, TEXTS("192.0.2.3"), none);
    assert_true(host_note(&hosts[0], &one, 1));
    assert_true(host_note(&hosts[1], &other, 1));
    hostfile_write(path, hosts, 3);
}

static void the_file_is_read_back(void **state)
{
    (void)state;
    struct host_state hosts[] = {
        {.upstream = "b", .host = "b.example"}, {.upstream = "a", .host = "other.example"}, fresh()};
    write_two();
    hostfile_read(path, hosts, 3);
    used(&hosts[0], TEXTS("192.0.2.3"));
    used(&hosts[1], none);
    used(&hosts[2], TEXTS("192.0.2.1", "192.0.2.2", "2001:db8::1"));
    assert_int_equal(hosts[2].phase, HOST_KNOWN);
    assert_int_equal(hosts[2].resolved_ms, 0);
    assert_int_equal(hosts[1].phase, HOST_PENDING);
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
}

static void a_damaged_file_is_ignored(void **state)
{
    (void)state;
    write_two();
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    for (off_t at = 0; at < stat_of.st_size; at++) {
        struct host_state host = fresh();
        char byte;
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        hostfile_read(path, &host, 1);
        assert_int_equal(host.phase, HOST_PENDING);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
    for (off_t len = 0; len < stat_of.st_size; len++) {
        struct host_state host = fresh();
        write_two();
        assert_int_equal(truncate(path, len), 0);
        hostfile_read(path, &host, 1);
        assert_int_equal(host.phase, HOST_PENDING);
    }
    struct host_state host = fresh();
    write_two();
    assert_int_equal(chmod(path, 0640), 0);
    hostfile_read(path, &host, 1);
    assert_int_equal(host.phase, HOST_PENDING);
    assert_int_equal(chmod(path, 0600), 0);
    hostfile_read(path, &host, 1);
    assert_int_equal(host.phase, HOST_KNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_looked_up_before_their_ttl_ends),
        cmocka_unit_test(the_order_of_addresses_does_not_count),
        cmocka_unit_test(addresses_stay_while_lookups_fail),
        cmocka_unit_test(a_family_whose_lookup_failed_keeps_its_addresses),
        cmocka_unit_test(queries_wait_for_the_first_lookup_only),
        cmocka_unit_test(useless_addresses_are_not_used),
        cmocka_unit_test(the_file_is_read_back),
        cmocka_unit_test(a_damaged_file_is_ignored),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
