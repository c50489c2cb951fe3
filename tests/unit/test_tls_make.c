/* SPDX-License-Identifier: MIT */
/* Certificates of our own, and what is read from a chain. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/mem.h"
#include "net/tls_make.h"

static struct addr addresses[2];
static const struct tls_subject subject = {.name = "dns.home.arpa", .addresses = addresses, .address_count = 2};

static int setup(void **state)
{
    (void)state;
    return addr_parse(&addresses[0], "192.168.1.2", 0) < 0 || addr_parse(&addresses[1], "fd00::2", 0) < 0;
}

/* A file with this text; the path is the caller's (unlink, free). */
static char *file_with(const char *text)
{
    char *path = strdup("/tmp/dotstub-test-chain-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void a_chain_says_what_it_was_made_of(void **state)
{
    (void)state;
    struct tls_pair authority, own;
    struct tls_chain_facts facts;
    assert_int_equal(tls_make_authority(&authority, &subject), 0);
    assert_int_equal(tls_make_certificate(&own, &authority, &subject), 0);
    char *path = file_with(own.certificate);
    assert_int_equal(tls_chain_read(&facts, path), 0);
    assert_string_equal(facts.name, "dns.home.arpa");
    assert_int_equal(facts.address_count, 2);
    assert_true(addr_equal(&facts.addresses[0], &addresses[0]) && addr_equal(&facts.addresses[1], &addresses[1]));
    assert_string_equal(facts.authority, authority.certificate);
    int64_t left_s = facts.expires_s - time(NULL);
    assert_true(left_s > (TLS_MADE_DAYS - 1) * 86400 && left_s <= TLS_MADE_DAYS * 86400);
    mem_free(facts.authority);
    unlink(path);
    free(path);
    tls_pair_free(&own);
    tls_pair_free(&authority);
}

static void an_authority_is_limited_to_its_names(void **state)
{
    (void)state;
    struct tls_pair authority, own;
    struct addr other;
    assert_int_equal(tls_make_authority(&authority, &subject), 0);
    struct tls_subject wanted = {.name = "bank.example"};
    assert_int_equal(tls_make_certificate(&own, &authority, &wanted), -EKEYREJECTED);
    assert_null(own.certificate);
    assert_int_equal(addr_parse(&other, "192.168.1.3", 0), 0);
    wanted = (struct tls_subject){.name = "dns.home.arpa", .addresses = &other, .address_count = 1};
    assert_int_equal(tls_make_certificate(&own, &authority, &wanted), -EKEYREJECTED);
    assert_int_equal(addr_parse(&other, "2001:db8::1", 0), 0);
    assert_int_equal(tls_make_certificate(&own, &authority, &wanted), -EKEYREJECTED);
    wanted = (struct tls_subject){.name = "dns.home.arpa"};
    assert_int_equal(tls_make_certificate(&own, &authority, &wanted), 0);
    tls_pair_free(&own);
    tls_pair_free(&authority);
}

static void an_authority_without_addresses_permits_none(void **state)
{
    (void)state;
    struct tls_pair authority, own;
    assert_int_equal(tls_make_authority(&authority, &(struct tls_subject){.name = "dns.home.arpa"}), 0);
    assert_int_equal(tls_make_certificate(&own, &authority, &subject), -EKEYREJECTED);
    tls_pair_free(&authority);
}

static void the_key_of_another_authority_is_refused(void **state)
{
    (void)state;
    struct tls_pair first, second, own;
    assert_int_equal(tls_make_authority(&first, &subject), 0);
    assert_int_equal(tls_make_authority(&second, &subject), 0);
    const struct tls_pair mixed = {first.certificate, second.key};
    assert_int_equal(tls_make_certificate(&own, &mixed, &subject), -EINVAL);
    const struct tls_pair garbage = {first.certificate, first.certificate};
    assert_int_equal(tls_make_certificate(&own, &garbage, &subject), -EINVAL);
    tls_pair_free(&first);
    tls_pair_free(&second);
}

static void what_is_no_chain_is_refused(void **state)
{
    (void)state;
    struct tls_chain_facts facts;
    char *path = file_with("nothing\n");
    assert_int_equal(tls_chain_read(&facts, path), -EINVAL);
    unlink(path);
    assert_int_equal(tls_chain_read(&facts, path), -ENOENT);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_says_what_it_was_made_of),
        cmocka_unit_test(an_authority_is_limited_to_its_names),
        cmocka_unit_test(an_authority_without_addresses_permits_none),
        cmocka_unit_test(the_key_of_another_authority_is_refused),
        cmocka_unit_test(what_is_no_chain_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
