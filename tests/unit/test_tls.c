/* SPDX-License-Identifier: MIT */
/* TLS sessions against a GnuTLS server over memory: trust, resumption, and the bytes on the wire. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/mem.h"
#include "net/tls.h"
#include "net/verifytime.h"
#include "net/tls_private.h"
#include "tls_server.h"

#define NAME  "dns.test.example"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define DAY   86400

/* The trusted CA, a valid certificate issued by it, and a key for tickets; made once. */
static struct certificate authority, good;
static char *ca_file;
static gnutls_datum_t ticket_key;

static int make_world(void **state)
{
    (void)state;
    authority = certificate_make(&(struct certificate_spec){.common_name = "authority", .ca = true});
    good = certificate_make(&(struct certificate_spec){.sans = {"other.example", NAME}, .issuer = &authority});
    ca_file = certificate_file(&authority, 1);
    return gnutls_session_ticket_key_generate(&ticket_key);
}

static int unmake_world(void **state)
{
    (void)state;
    unlink(ca_file);
    free(ca_file);
    gnutls_free(ticket_key.data);
    certificate_free(&good);
    certificate_free(&authority);
    return 0;
}

/* --- one connection --- */

struct link {
    struct tls *tls;
    struct buffer output; /* from tls to the server */
    struct tls_server server;
    int result; /* of the client's last call */
};

static struct tls_trust *trust_with(const char *name, const struct tls_pin *pins, unsigned pin_count, unsigned version)
{
    struct tls_trust *trust = NULL;
    const struct tls_trust_options options = {
        .ca_file = ca_file, .tls_name = name, .pins = pins, .pin_count = pin_count, .min_version = version};
    assert_int_equal(tls_trust_new(&trust, &options), 0);
    return trust;
}

static struct tls_server_options serving(const struct certificate *chain, unsigned len)
{
    return (struct tls_server_options){.chain = chain, .chain_len = len, .ticket_key = &ticket_key, .alpn = "dot"};
}

static void to_server(struct link *link)
{
    struct buffer *output = &link->output;
    if (output->len > 0)
        assert_int_equal(buffer_append(&link->server.in, buffer_bytes(output).data, output->len), 0);
    buffer_consume(output, output->len);
}

/* Feeds the client what the server sent, in chunks of at most `chunk` bytes, until it is consumed or `done`. */
static void handshake_in_chunks(struct link *link, size_t chunk)
{
    link->result = tls_handshake(link->tls);
    while (link->result == -EAGAIN) {
        to_server(link);
        tls_server_step(&link->server);
        assert_true(link->server.out.len > 0);
        while (link->server.out.len > 0 && link->result == -EAGAIN) {
            struct bytes bytes = buffer_bytes(&link->server.out);
            uint8_t copy[65536];
            if (bytes.len > chunk)
                bytes.len = chunk;
            memcpy(copy, bytes.data, bytes.len);
            buffer_consume(&link->server.out, bytes.len);
            tls_input(link->tls, (struct bytes){copy, bytes.len});
            link->result = tls_handshake(link->tls);
            if (link->result == 0) /* tickets may follow */
                assert_int_equal(tls_read(link->tls, copy, sizeof copy), -EAGAIN);
        }
    }
    to_server(link);
    tls_server_step(&link->server);
}

/* A client and a server before their handshake. */
static void link_begin(struct link *link, struct tls_trust *trust, struct tls_tickets *tickets,
                       const struct tls_server_options *options)
{
    *link = (struct link){0};
    tls_server_init(&link->server, options);
    link->tls = tls_new(&(struct tls_client){trust, tickets, "dot"}, &link->output);
    assert_non_null(link->tls);
}

static void link_open(struct link *link, struct tls_trust *trust, struct tls_tickets *tickets,
                      const struct tls_server_options *options)
{
    link_begin(link, trust, tickets, options);
    handshake_in_chunks(link, 16384);
}

static void link_close(struct link *link)
{
    tls_free(link->tls);
    buffer_free(&link->output);
    tls_server_fini(&link->server);
}

/* Reads everything that the client can read now; the final -EAGAIN, 0 or error is in link->result. */
static size_t client_reads(struct link *link, uint8_t *out, size_t cap, size_t room)
{
    size_t len = 0;
    tls_input(link->tls, buffer_bytes(&link->server.out));
    while ((link->result = tls_read(link->tls, out + len, cap - len < room ? cap - len : room)) > 0)
        len += (size_t)link->result;
    buffer_consume(&link->server.out, link->server.out.len);
    return len;
}

static void assert_talks(struct link *link)
{
    uint8_t got[16];
    assert_int_equal(tls_write(link->tls, (const uint8_t *)"question", 8), 0);
    to_server(link);
    assert_int_equal(tls_server_receive(&link->server, got, sizeof got), 8);
    assert_memory_equal(got, "question", 8);
    tls_server_send(&link->server, "answer", 6);
    assert_int_equal(client_reads(link, got, sizeof got, sizeof got), 6);
    assert_memory_equal(got, "answer", 6);
    assert_int_equal(link->result, -EAGAIN);
}

/* The outcome of one handshake with such a server. */
static int outcome(struct tls_trust *trust, const struct tls_server_options *options)
{
    struct tls_tickets tickets = {0};
    struct link link;
    link_open(&link, trust, &tickets, options);
    int result = link.result;
    assert_true(result == 0 || tickets.count == 0);
    link_close(&link);
    tls_tickets_clear(&tickets);
    return result;
}

static int outcome_named(const char *name, const struct certificate_spec *spec)
{
    struct tls_trust *trust = trust_with(name, NULL, 0, 12);
    struct certificate leaf = certificate_make(spec);
    const struct tls_server_options options = serving(&leaf, 1);
    int result = outcome(trust, &options);
    certificate_free(&leaf);
    tls_trust_unref(trust);
    return result;
}

/* --- good sessions --- */

static void opens_and_talks(const char *priority, const char *version)
{
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct tls_server_options options = serving(&good, 1);
    struct tls_facts facts;
    struct link link;
    options.priority = priority;
    link_open(&link, trust, &tickets, &options);
    assert_int_equal(link.result, 0);
    assert_true(link.server.done);
    assert_string_equal(link.server.server_name, NAME);
    assert_talks(&link);
    tls_get_facts(link.tls, &facts);
    assert_string_equal(facts.version, version);
    assert_string_equal(facts.alpn, "dot");
    assert_string_equal(facts.certificate.name, "other.example");
    assert_int_equal(facts.certificate.expires_s, gnutls_x509_crt_get_expiration_time(good.crt));
    assert_true(facts.cipher[0]);
    assert_false(facts.resumed);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static void talks_tls13(void **state)
{
    (void)state;
    opens_and_talks(NULL, "TLS1.3");
}

static void talks_tls12(void **state)
{
    (void)state;
    opens_and_talks(TLS12, "TLS1.2");
}

static void alpn_is_not_required(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_server_options options = serving(&good, 1);
    options.alpn = NULL;
    assert_int_equal(outcome(trust, &options), 0);
    tls_trust_unref(trust);
}

static void bytes_may_come_one_at_a_time(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t got[64];
    size_t len = 0;
    link_begin(&link, trust, &tickets, &options);
    handshake_in_chunks(&link, 1);
    assert_int_equal(link.result, 0);
    tls_server_send(&link.server, "slow", 4);
    for (size_t i = 0; i < link.server.out.len; i++) {
        uint8_t byte = buffer_bytes(&link.server.out).data[i];
        tls_input(link.tls, (struct bytes){&byte, 1});
        int result = tls_read(link.tls, got + len, sizeof got - len);
        assert_true(result > 0 || result == -EAGAIN);
        len += result > 0 ? (size_t)result : 0;
    }
    assert_int_equal(len, 4);
    assert_memory_equal(got, "slow", 4);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static void large_writes_and_reads_arrive_whole(void **state)
{
    (void)state;
    enum { SIZE = 70000 };
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t *sent = calloc(1, SIZE), *got = calloc(1, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 7);
    link_open(&link, trust, &tickets, &options);
    assert_int_equal(tls_write(link.tls, sent, SIZE), 0);
    to_server(&link);
    size_t len = 0;
    for (ssize_t count; (count = tls_server_receive(&link.server, got + len, SIZE - len)) > 0;)
        len += (size_t)count;
    assert_int_equal(len, SIZE);
    assert_memory_equal(got, sent, SIZE);
    memset(got, 0, SIZE);
    tls_server_send(&link.server, sent, SIZE);
    assert_int_equal(client_reads(&link, got, SIZE, 1000), SIZE);
    assert_memory_equal(got, sent, SIZE);
    free(sent);
    free(got);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

/* Tickets, key updates and empty records between data make the library return E_AGAIN while more records follow. */
static void reads_on_behind_tickets_and_key_updates(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t got[64];
    link_open(&link, trust, &tickets, &options);
    tls_server_send(&link.server, "one ", 4);
    assert_int_equal(gnutls_session_ticket_send(link.server.session, 2, 0), 0);
    tls_server_send(&link.server, "two ", 4);
    assert_int_equal(gnutls_session_key_update(link.server.session, GNUTLS_KU_PEER), 0);
    tls_server_send(&link.server, "three", 5);
    assert_int_equal(client_reads(&link, got, sizeof got, sizeof got), 13);
    assert_memory_equal(got, "one two three", 13);
    assert_int_equal(link.result, -EAGAIN);
    assert_talks(&link);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static void close_notify_is_reported_after_the_data(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t got[64];
    link_open(&link, trust, &tickets, &options);
    tls_server_send(&link.server, "last", 4);
    gnutls_bye(link.server.session, GNUTLS_SHUT_WR);
    assert_int_equal(client_reads(&link, got, sizeof got, sizeof got), 4);
    assert_int_equal(link.result, 0);
    assert_int_equal(tls_read(link.tls, got, sizeof got), 0);
    tls_bye(link.tls);
    to_server(&link);
    assert_int_equal(tls_server_receive(&link.server, got, sizeof got), 0);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

/* --- what breaks a session --- */

static void a_flipped_bit_ends_the_session_behind_the_good_records(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t got[64];
    link_open(&link, trust, &tickets, &options);
    tls_server_send(&link.server, "good", 4);
    tls_server_send(&link.server, "evil", 4);
    link.server.out.data[link.server.out.start + link.server.out.len - 3] ^= 4;
    assert_int_equal(client_reads(&link, got, sizeof got, sizeof got), 4);
    assert_memory_equal(got, "good", 4);
    assert_int_equal(link.result, ERROR_TLS_PROTOCOL);
    assert_int_equal(tls_read(link.tls, got, sizeof got), ERROR_TLS_PROTOCOL);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static int answered_with(const void *bytes, size_t len)
{
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct buffer output = {0};
    struct tls *tls = tls_new(&(struct tls_client){trust, &tickets, "dot"}, &output);
    assert_int_equal(tls_handshake(tls), -EAGAIN);
    tls_input(tls, (struct bytes){bytes, len});
    int result = tls_handshake(tls);
    assert_int_equal(tls_handshake(tls), result);
    tls_free(tls);
    buffer_free(&output);
    tls_trust_unref(trust);
    return result;
}

static void garbage_in_the_handshake_is_a_protocol_error(void **state)
{
    (void)state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    static const uint8_t plain_dns[] = {0, 12, 0x12, 0x34, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};
    assert_int_equal(answered_with(http, sizeof http - 1), ERROR_TLS_PROTOCOL);
    assert_int_equal(answered_with(plain_dns, sizeof plain_dns), ERROR_TLS_PROTOCOL);
    assert_int_equal(answered_with(alert, sizeof alert), ERROR_TLS_ALERT);
    alert[6] = 120; /* no_application_protocol */
    assert_int_equal(answered_with(alert, sizeof alert), ERROR_TLS_ALPN);
}

/* The ServerHello is given as bytes, because GnuTLS may be configured for the whole system not to speak TLS 1.1. */
static void tls_1_1_is_refused(void **state)
{
    (void)state;
    uint8_t hello[5 + 4 + 2 + 32 + 1 + 2 + 1] = {22, 3, 2, 0, sizeof hello - 5, 2, 0, 0, sizeof hello - 9, 3, 2};
    memset(hello + 11, 0x5a, 32);
    hello[44] = 0xc0; /* TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA */
    hello[45] = 0x09;
    assert_int_equal(answered_with(hello, sizeof hello), ERROR_TLS_PROTOCOL);
    hello[10] = 3; /* as TLS 1.2 it is accepted */
    assert_int_equal(answered_with(hello, sizeof hello), -EAGAIN);
}

static void tls_1_2_is_refused_where_1_3_is_required(void **state)
{
    (void)state;
    struct tls_trust *any = trust_with(NAME, NULL, 0, 12), *newest = trust_with(NAME, NULL, 0, 13);
    struct tls_server_options options = serving(&good, 1);
    options.priority = TLS12;
    assert_int_not_equal(outcome(newest, &options), 0);
    assert_int_equal(outcome(any, &options), 0);
    options.priority = NULL;
    assert_int_equal(outcome(newest, &options), 0);
    tls_trust_unref(any);
    tls_trust_unref(newest);
}

static void renegotiation_is_refused(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t got[64];
    options.priority = TLS12;
    link_open(&link, trust, &tickets, &options);
    assert_talks(&link);
    assert_int_equal(gnutls_rehandshake(link.server.session), 0);
    assert_int_equal(client_reads(&link, got, sizeof got, sizeof got), 0);
    assert_int_equal(link.result, ERROR_TLS_PROTOCOL);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

/* --- certificates --- */

static void bad_certificates_are_refused(void **state)
{
    (void)state;
    struct certificate stranger = certificate_make(&(struct certificate_spec){.ca = true});
    clock_fake(1000 * 1000, clock_wall_s()); /* the real one is doubted just after a boot */
    const struct {
        const char *what;
        int expected;
        struct certificate_spec spec;
    } cases[] = {
        {"good", 0, {.sans = {NAME}, .issuer = &authority}},
        {"good, for servers", 0, {.sans = {NAME}, .issuer = &authority, .purpose = GNUTLS_KP_TLS_WWW_SERVER}},
        {"good, RSA 2048", 0, {.sans = {NAME}, .issuer = &authority, .rsa_bits = 2048}},
        {"another name", ERROR_TLS_NAME, {.sans = {"other.example"}, .issuer = &authority}},
        {"expired", ERROR_TLS_EXPIRED, {.sans = {NAME}, .issuer = &authority, .from_s = -2 * DAY, .until_s = -DAY}},
        {"not yet valid", ERROR_TLS_NOT_YET, {.sans = {NAME}, .issuer = &authority, .from_s = DAY, .until_s = 2 * DAY}},
        {"self-signed", ERROR_TLS_UNTRUSTED, {.sans = {NAME}}},
        {"another authority", ERROR_TLS_UNTRUSTED, {.sans = {NAME}, .issuer = &stranger}},
        {"for clients only",
         ERROR_TLS_UNTRUSTED,
         {.sans = {NAME}, .issuer = &authority, .purpose = GNUTLS_KP_TLS_WWW_CLIENT}},
        {"RSA 1024", ERROR_TLS_WEAK, {.sans = {NAME}, .issuer = &authority, .rsa_bits = 1024}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int result = outcome_named(NAME, &cases[i].spec);
        if (result != cases[i].expected)
            fail_msg("%s: %d, expected %d", cases[i].what, result, cases[i].expected);
    }
    clock_real();
    certificate_free(&stranger);
}

/* leaf <- intermediate of this kind <- authority */
static int outcome_below(const struct certificate_spec *intermediate_spec)
{
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct certificate chain[2];
    chain[1] = certificate_make(intermediate_spec);
    chain[0] = certificate_make(&(struct certificate_spec){.sans = {NAME}, .issuer = &chain[1]});
    const struct tls_server_options options = serving(chain, 2);
    int result = outcome(trust, &options);
    certificate_free(&chain[0]);
    certificate_free(&chain[1]);
    tls_trust_unref(trust);
    return result;
}

static unsigned elements(const void *message, size_t len, bool tls13)
{
    uint8_t *copy = malloc(len ? len : 1); /* of exactly this size */
    assert_non_null(copy);
    memcpy(copy, message, len);
    unsigned count = tls_chain_elements((struct bytes){copy, len}, tls13);
    free(copy);
    return count;
}

static void elements_of_a_chain_are_counted(void **state)
{
    (void)state;
    /* One certificate: a sequence of NULL and a string of bytes that holds a sequence of two NULLs. */
    static const char tls12[] = "\0\0\x1e\0\0\xc\x30\xa\5\0\4\6\x30\4\5\0\5\0\0\0\xc\x30\xa\5\0\4\6\x30\4\5\0\5\0";
    static const char tls13[] = "\2ab\0\0\x14\0\0\xc\x30\xa\5\0\4\6\x30\4\5\0\5\0\0\3abc";
    assert_int_equal(elements(tls12, sizeof tls12 - 1, false), 12);
    assert_int_equal(elements(tls13, sizeof tls13 - 1, true), 6);
    for (size_t len = 0; len < sizeof tls13 - 1; len++) /* cut anywhere */
        assert_in_range(elements(tls13, len, true), 0, 6);
    /* Lengths in several bytes; a long tag; an unending length. */
    assert_int_equal(elements("\0\0\xd\0\0\xa\x30\x82\0\6\x1f\x81\1\2\5\0", 16, false), 2);
    assert_int_equal(elements("\0\0\7\0\0\4\x30\x80\5\0", 10, false), 1);
    assert_int_equal(elements("\0\0\xc\0\0\x9\x30\x88\xff\xff\xff\xff\xff\xff\xff", 15, false), 1);
    assert_int_equal(elements("", 0, true), 0);
}

/* Whatever the bytes are, the count ends soon. */
static void elements_of_garbage_are_counted(void **state)
{
    (void)state;
    uint8_t garbage[16384 + 6] = {0, 0x40, 3, 0, 0x40, 0};
    static const uint8_t fillings[] = {0x00, 0x30, 0x04, 0x1f, 0x3f, 0x80, 0xff};
    for (size_t i = 0; i < sizeof fillings; i++) {
        memset(garbage + 6, fillings[i], sizeof garbage - 6);
        assert_in_range(elements(garbage, sizeof garbage, false), 1, 16384);
    }
    for (unsigned round = 0; round < 200; round++) {
        for (size_t i = 6; i < sizeof garbage; i++)
            garbage[i] = (uint8_t)random_below(round % 2 ? 256 : 64);
        assert_in_range(elements(garbage, sizeof garbage, false), 1, 16 * 16384);
    }
}

/* A ServerHello of 100,000 bytes that never ends, in records of 1 KiB. */
static void a_large_handshake_is_refused(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct buffer output = {0};
    struct tls *tls = tls_new(&(struct tls_client){trust, &tickets, "dot"}, &output);
    uint8_t record[5 + 1024] = {22, 3, 3, 4, 0, 2, 1, 0x86, 0xA0, 3, 3};
    size_t fed = 0;
    int result = tls_handshake(tls);
    while (result == -EAGAIN && fed < 100000) {
        tls_input(tls, (struct bytes){record, sizeof record});
        result = tls_handshake(tls);
        fed += sizeof record;
        memset(record + 5, 0, 1024);
    }
    assert_int_equal(result, ERROR_TLS_SIZE);
    assert_in_range(fed, 65536, 65536 + sizeof record);
    tls_free(tls);
    buffer_free(&output);
    tls_trust_unref(trust);
}

static void bad_issuers_are_refused(void **state)
{
    (void)state;
    assert_int_equal(outcome_below(&(struct certificate_spec){.ca = true, .issuer = &authority}), 0);
    assert_int_equal(outcome_below(&(struct certificate_spec){.issuer = &authority}), ERROR_TLS_UNTRUSTED);
    assert_int_equal(outcome_below(&(struct certificate_spec){
                         .ca = true, .issuer = &authority, .from_s = -2 * DAY, .until_s = -DAY}),
                     ERROR_TLS_EXPIRED);
    assert_int_equal(
        outcome_below(&(struct certificate_spec){.ca = true, .issuer = &authority, .permitted = "test.example"}), 0);
    assert_int_equal(
        outcome_below(&(struct certificate_spec){.ca = true, .issuer = &authority, .permitted = "else.example"}),
        ERROR_TLS_UNTRUSTED);
}

/* Otherwise the library would use the key, however long that takes, before its owner is known. */
static void a_key_with_a_huge_exponent_is_not_used(void **state)
{
    (void)state;
    struct certificate_spec spec = {.sans = {NAME}, .issuer = &authority, .rsa_bits = 2048};
    struct certificate slow;
    spec.swapped_exponents = true;
    slow = certificate_make(&spec);
    struct tls_pin pin = certificate_pin(&slow);
    struct tls_trust *trust = trust_with(NULL, &pin, 1, 12);
    struct tls_server_options options = serving(&slow, 1);
    assert_int_equal(outcome(trust, &options), ERROR_TLS_UNTRUSTED);
    options.priority = TLS12;
    assert_int_equal(outcome(trust, &options), ERROR_TLS_UNTRUSTED);
    tls_trust_unref(trust);
    certificate_free(&slow);
}

static void keys_are_exchanged_on_curves_only(void **state)
{
    (void)state;
    static const char *const finite[] = {"NORMAL:-GROUP-EC-ALL", TLS12 ":-KX-ALL:+DHE-RSA:+RSA:+DHE-DSS"};
    struct certificate rsa = certificate_make(
        &(struct certificate_spec){.sans = {NAME}, .issuer = &authority, .rsa_bits = 2048, .enciphers = true});
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_server_options options = serving(&rsa, 1);
    assert_int_equal(outcome(trust, &options), 0);
    for (size_t i = 0; i < 2; i++) {
        options.priority = finite[i];
        assert_int_not_equal(outcome(trust, &options), 0);
    }
    tls_trust_unref(trust);
    certificate_free(&rsa);
}

static void names_must_match_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *name, *san;
        int expected;
    } cases[] = {
        {"dns.example.com", "dns.example.com", 0},
        {"dns.example.com", "DNS.Example.COM", 0},
        {"dns.example.com", "*.example.com", 0},
        {"dns.example.com", "example.com", ERROR_TLS_NAME},
        {"dns.example.com", "a.dns.example.com", ERROR_TLS_NAME},
        {"dns.example.com", "xdns.example.com", ERROR_TLS_NAME},
        {"dns.example.com", "dns.example.co", ERROR_TLS_NAME},
        {"dns.example.com", "dns.example.com.evil.org", ERROR_TLS_NAME},
        {"dns.example.com", "*.com", ERROR_TLS_NAME},
        {"dns.example.com", "*", ERROR_TLS_NAME},
        {"dns.example.com", "*.*.com", ERROR_TLS_NAME},
        {"dns.example.com", "d*.example.com", ERROR_TLS_NAME},
        {"dns.example.com", "dns.*.com", ERROR_TLS_NAME},
        {"a.dns.example.com", "*.example.com", ERROR_TLS_NAME},
        {"example.com", "*.example.com", ERROR_TLS_NAME},
        {"example.com", "*.com", ERROR_TLS_NAME},
        {"192.0.2.1", "192.0.2.1", ERROR_TLS_NAME}, /* an address as a DNS name does not match */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int result =
            outcome_named(cases[i].name, &(struct certificate_spec){.sans = {cases[i].san}, .issuer = &authority});
        if (result != cases[i].expected)
            fail_msg("%s against %s: %d, expected %d", cases[i].name, cases[i].san, result, cases[i].expected);
    }
}

static void a_common_name_is_not_enough(void **state)
{
    (void)state;
    assert_int_equal(outcome_named(NAME, &(struct certificate_spec){.common_name = NAME, .issuer = &authority}),
                     ERROR_TLS_NAME);
}

static void odd_alternative_names_are_refused(void **state)
{
    (void)state;
    static const char with_nul[] = NAME "\0.evil.example";
    static char oversize[1000];
    memset(oversize, 'a', sizeof oversize);
    memcpy(oversize, NAME, sizeof NAME - 1);
    for (size_t i = 60; i < sizeof oversize; i += 60)
        oversize[i] = '.';
    struct certificate_spec spec = {.common_name = NAME, .issuer = &authority};
    spec.raw_san = (struct bytes){(const uint8_t *)with_nul, sizeof with_nul - 1};
    assert_int_equal(outcome_named(NAME, &spec), ERROR_TLS_NAME);
    spec.sans[0] = NAME;
    assert_int_equal(outcome_named(NAME, &spec), ERROR_TLS_NAME);
    spec.raw_san = (struct bytes){(const uint8_t *)oversize, sizeof oversize};
    assert_int_equal(outcome_named(NAME, &spec), ERROR_TLS_NAME);
    spec.sans[0] = NULL;
    assert_int_equal(outcome_named(NAME, &spec), ERROR_TLS_NAME);
}

static void an_address_as_name_needs_an_address_in_the_certificate(void **state)
{
    (void)state;
    const struct certificate_spec spec = {.address_san = "192.0.2.1", .issuer = &authority};
    assert_int_equal(outcome_named("192.0.2.1", &spec), 0);
    assert_int_equal(outcome_named("192.0.2.2", &spec), ERROR_TLS_NAME);
}

/* Of a file that cannot be read any more. */
static void a_trust_for_another_name(void **state)
{
    (void)state;
    char *path = certificate_file(&authority, 1);
    struct tls_trust *like = NULL, *named = NULL;
    const struct tls_server_options options = serving(&good, 1);
    const struct tls_trust_options elsewhere = {.ca_file = path, .tls_name = "else.example", .min_version = 12};
    assert_int_equal(tls_trust_new(&like, &elsewhere), 0);
    unlink(path);
    assert_int_equal(tls_trust_with_name(&named, like, NAME), 0);
    assert_int_equal(outcome(like, &options), ERROR_TLS_NAME);
    assert_int_equal(outcome(named, &options), 0);
    tls_trust_unref(like);
    assert_int_equal(outcome(named, &options), 0);
    tls_trust_unref(named);
    free(path);
}

/* --- pins --- */

static void a_pin_alone_checks_only_the_key(void **state)
{
    (void)state;
    struct certificate odd =
        certificate_make(&(struct certificate_spec){.sans = {"nobody.example"}, .from_s = -2 * DAY, .until_s = -DAY});
    struct tls_pin pins[2] = {{{1}}, certificate_pin(&odd)};
    struct tls_trust *right = trust_with(NULL, pins, 2, 12), *wrong = trust_with(NULL, pins, 1, 12);
    const struct tls_server_options options = serving(&odd, 1);
    assert_int_equal(outcome(right, &options), 0);
    assert_int_equal(outcome(wrong, &options), ERROR_TLS_PIN);
    tls_trust_unref(right);
    tls_trust_unref(wrong);
    certificate_free(&odd);
}

static void name_and_pin_must_both_hold(void **state)
{
    (void)state;
    struct tls_pin right_pin = certificate_pin(&good), wrong_pin = {{1}};
    const struct tls_server_options options = serving(&good, 1);
    const struct {
        const char *name;
        struct tls_pin pin;
        int expected;
    } cases[] = {
        {NAME, right_pin, 0},
        {NAME, wrong_pin, ERROR_TLS_PIN},
        {"else.example", right_pin, ERROR_TLS_NAME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_trust *trust = trust_with(cases[i].name, &cases[i].pin, 1, 12);
        assert_int_equal(outcome(trust, &options), cases[i].expected);
        tls_trust_unref(trust);
    }
}

/* --- resumption --- */

/* Opens a session, reads its tickets and closes it; true if it was resumed. */
static bool session_resumes(struct tls_trust *trust, struct tls_tickets *tickets,
                            const struct tls_server_options *options)
{
    struct link link;
    struct tls_facts facts;
    link_open(&link, trust, tickets, options);
    assert_int_equal(link.result, 0);
    assert_talks(&link);
    tls_get_facts(link.tls, &facts);
    assert_string_equal(facts.certificate.name, "other.example");
    link_close(&link);
    return facts.resumed;
}

static void resumes(const char *priority, unsigned tickets_after_one)
{
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct tls_server_options options = serving(&good, 1);
    options.priority = priority;
    assert_false(session_resumes(trust, &tickets, &options));
    assert_int_equal(tickets.count, tickets_after_one);
    assert_int_equal(tickets.item[0].tls13, !priority);
    assert_true(session_resumes(trust, &tickets, &options));
    assert_true(session_resumes(trust, &tickets, &options));
    tls_tickets_clear(&tickets);
    assert_false(session_resumes(trust, &tickets, &options));
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static void linkable_tickets_are_dropped_and_the_others_stay_in_order(void **state)
{
    (void)state;
    struct tls_tickets tickets = {0};
    for (int i = 0; i < 4; i++)
        tls_tickets_put(&tickets, &(char){(char)('a' + i)}, 1, UINT64_MAX, i % 2 == 1);
    tls_tickets_drop_linkable(&tickets);
    assert_int_equal(tickets.count, 2);
    assert_true(tickets.item[0].tls13 && tickets.item[0].data[0] == 'b');
    assert_true(tickets.item[1].tls13 && tickets.item[1].data[0] == 'd');
    tls_tickets_clear(&tickets);
    tls_tickets_put(&tickets, "x", 1, UINT64_MAX, false);
    tls_tickets_drop_linkable(&tickets);
    assert_int_equal(tickets.count, 0);
}

static void identity_of(uint8_t out[DIGEST_LEN], const struct tls_trust_options *options)
{
    struct tls_trust *trust = NULL;
    assert_int_equal(tls_trust_new(&trust, options), 0);
    tls_trust_identity(trust, out);
    tls_trust_unref(trust);
}

#define TRUST(file, name, some_pins, count, version)                                                                   \
    {                                                                                                                  \
        .ca_file = (file), .tls_name = (name), .pins = (some_pins), .pin_count = (count), .min_version = (version)     \
    }

static void equal_trusts_have_one_identity(void **state)
{
    char *others = certificate_file((const struct certificate[]){authority, good}, 2);
    char *same = certificate_file(&authority, 1);
    const struct tls_pin pins[] = {{{1}}, {{2}}};
    const struct tls_trust_options base = TRUST(ca_file, NAME, pins, 1, 12);
    const struct tls_trust_options different[] = {
        TRUST(others, NAME, pins, 1, 12),  TRUST(ca_file, "else.example", pins, 1, 12),
        TRUST(ca_file, NAME, pins, 2, 12), TRUST(ca_file, NAME, pins + 1, 1, 12),
        TRUST(ca_file, NAME, NULL, 0, 12), TRUST(ca_file, NAME, pins, 1, 13),
        TRUST(ca_file, NULL, pins, 1, 12),
    };
    uint8_t first[DIGEST_LEN], second[DIGEST_LEN];
    (void)state;
    identity_of(first, &base);
    identity_of(second,
                &(struct tls_trust_options)TRUST(same, NAME, pins, 1, 12)); /* the same certificates in another file */
    assert_memory_equal(first, second, DIGEST_LEN);
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        identity_of(second, &different[i]);
        assert_memory_not_equal(first, second, DIGEST_LEN);
    }
    unlink(others);
    unlink(same);
    free(others);
    free(same);
}

static void tls13_sessions_are_resumed(void **state)
{
    (void)state;
    resumes(NULL, 2);
}

static void tls12_sessions_are_resumed(void **state)
{
    (void)state;
    resumes(TLS12, 1);
}

static void tls12_sessions_are_resumed_by_id(void **state)
{
    (void)state;
    gnutls_datum_t kept = {0};
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct tls_server_options options = serving(&good, 1);
    options.priority = TLS12;
    options.ticket_key = NULL;
    options.kept = &kept;
    assert_false(session_resumes(trust, &tickets, &options));
    assert_true(session_resumes(trust, &tickets, &options));
    assert_true(session_resumes(trust, &tickets, &options));
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
    gnutls_free(kept.data);
}

static void a_refused_certificate_is_reported(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with("else.example", NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t got[16];
    link_open(&link, trust, &tickets, &options);
    assert_int_equal(link.result, ERROR_TLS_NAME);
    assert_int_equal(tls_server_receive(&link.server, got, sizeof got), GNUTLS_E_FATAL_ALERT_RECEIVED);
    assert_int_equal(gnutls_alert_get(link.server.session), GNUTLS_A_BAD_CERTIFICATE);
    link_close(&link);
    tls_trust_unref(trust);
}

static void a_ticket_is_used_once(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    session_resumes(trust, &tickets, &options);
    unsigned before = tickets.count;
    struct buffer output = {0};
    struct tls *first = tls_new(&(struct tls_client){trust, &tickets, "dot"}, &output);
    assert_int_equal(tickets.count, before); /* a failed dial uses no ticket */
    assert_int_equal(tls_handshake(first), -EAGAIN);
    assert_int_equal(tickets.count, before - 1);
    tls_free(first);
    buffer_free(&output);
    assert_int_equal(tickets.count, before - 1);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static void a_ticket_that_the_server_does_not_know_costs_a_full_handshake(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct tls_server_options options = serving(&good, 1);
    gnutls_datum_t other_key;
    assert_int_equal(gnutls_session_ticket_key_generate(&other_key), 0);
    session_resumes(trust, &tickets, &options);
    options.ticket_key = &other_key;
    assert_false(session_resumes(trust, &tickets, &options));
    tls_tickets_clear(&tickets);
    tls_tickets_put(&tickets, "no ticket at all", 16, UINT64_MAX, true);
    assert_false(session_resumes(trust, &tickets, &options));
    tls_tickets_clear(&tickets);
    gnutls_free(other_key.data);
    tls_trust_unref(trust);
}

/* A resumed handshake has no certificate; the one stored in the session is verified by the current trust. */
static void a_resumed_session_is_verified_again(const char *priority)
{
    struct tls_pin wrong_pin = {{1}};
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_trust *others[] = {trust_with(NAME, &wrong_pin, 1, 12), trust_with("else.example", NULL, 0, 12)};
    static const int expected[] = {ERROR_TLS_PIN, ERROR_TLS_NAME};
    struct tls_server_options options = serving(&good, 1);
    options.priority = priority;
    for (size_t i = 0; i < 2; i++) {
        struct tls_tickets tickets = {0};
        struct link link;
        session_resumes(trust, &tickets, &options);
        link_open(&link, others[i], &tickets, &options);
        assert_int_equal(link.result, expected[i]);
        link_close(&link);
        tls_tickets_clear(&tickets);
        tls_trust_unref(others[i]);
    }
    tls_trust_unref(trust);
}

/* The description of the certificate tells whether it was taken from the store or read again. */
static void assert_resumed_with(struct tls_trust *trust, struct tls_tickets *tickets, const char *name)
{
    struct tls_server_options options = serving(&good, 1);
    struct tls_facts facts;
    struct link link;
    link_open(&link, trust, tickets, &options);
    assert_int_equal(link.result, 0);
    tls_get_facts(link.tls, &facts);
    assert_true(facts.resumed);
    assert_string_equal(facts.certificate.name, name);
    assert_talks(&link);
    link_close(&link);
}

static void a_chain_is_not_verified_twice_within_a_minute(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_server_options options = serving(&good, 1);
    struct tls_tickets tickets = {.count = 0};
    session_resumes(trust, &tickets, &options);
    assert_true(tickets.verified.at_s);
    strcpy(tickets.verified.certificate.name, "noted");
    static const struct {
        int64_t age_s;
        const char *name;
    } cases[] = {{TLS_VERIFIED_S - 10, "noted"}, {TLS_VERIFIED_S, "other.example"}, {-10, "other.example"}};
    for (size_t i = 0; i < 3; i++) {
        strcpy(tickets.verified.certificate.name, "noted");
        tickets.verified.at_s = verifytime_now() - cases[i].age_s;
        assert_resumed_with(trust, &tickets, cases[i].name);
    }
    uint8_t *bound[] = {tickets.verified.chain, tickets.verified.trust, tickets.verified.store};
    for (size_t i = 0; i < 3; i++) {
        strcpy(tickets.verified.certificate.name, "noted");
        bound[i][0] ^= 1;
        assert_resumed_with(trust, &tickets, "other.example");
    }
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static void resumed_tls13_sessions_are_verified_again(void **state)
{
    (void)state;
    a_resumed_session_is_verified_again(NULL);
}

static void resumed_tls12_sessions_are_verified_again(void **state)
{
    (void)state;
    a_resumed_session_is_verified_again(TLS12);
}

static void tickets_of_a_session_are_limited(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    uint8_t got[16];
    link_open(&link, trust, &tickets, &options);
    client_reads(&link, got, sizeof got, sizeof got);
    for (unsigned i = 0; i < 10; i++) {
        tls_tickets_clear(&tickets);
        assert_int_equal(gnutls_session_ticket_send(link.server.session, 1, 0), 0);
        client_reads(&link, got, sizeof got, sizeof got);
    }
    assert_int_equal(tickets.count, 0);
    assert_talks(&link);
    link_close(&link);
    tls_trust_unref(trust);
}

/* --- the ticket store --- */

static void the_store_keeps_the_newest_and_gives_them_first(void **state)
{
    (void)state;
    struct tls_tickets tickets = {0};
    size_t len;
    uint64_t expires_ms;
    for (uint8_t i = 0; i < TLS_TICKETS + 2; i++)
        tls_tickets_put(&tickets, &i, 1, UINT64_MAX - i, true);
    for (unsigned i = TLS_TICKETS + 1; i >= 2; i--) {
        uint8_t *ticket = tls_tickets_take(&tickets, &len, &expires_ms);
        assert_non_null(ticket);
        assert_int_equal(len, 1);
        assert_int_equal(*ticket, i);
        assert_true(expires_ms == UINT64_MAX - i);
        mem_free(ticket);
    }
    assert_null(tls_tickets_take(&tickets, &len, &expires_ms));
}

static void the_store_gives_no_expired_ticket(void **state)
{
    (void)state;
    struct tls_tickets tickets = {0};
    size_t len;
    uint64_t expires_ms;
    clock_fake(1000 * 1000, 0);
    tls_tickets_put(&tickets, "a", 1, 5000, true);
    tls_tickets_put(&tickets, "b", 1, 1001, true);
    clock_fake(1001 * 1000, 0);
    uint8_t *ticket = tls_tickets_take(&tickets, &len, &expires_ms);
    assert_non_null(ticket);
    assert_int_equal(*ticket, 'a');
    mem_free(ticket);
    tls_tickets_put(&tickets, "c", 1, 1001, true);
    assert_null(tls_tickets_take(&tickets, &len, &expires_ms));
    clock_real();
}

static void a_ticket_lives_as_long_as_the_server_says_and_seven_days_at_most(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct tls_server_options options = serving(&good, 1);
    options.life_s = 5;
    clock_fake(1000 * 1000, clock_wall_s());
    session_resumes(trust, &tickets, &options);
    assert_true(tickets.count > 0);
    assert_true(tickets.item[0].expires_ms == 1000 + 5000);
    options.life_s = 30 * DAY;
    tls_tickets_clear(&tickets);
    session_resumes(trust, &tickets, &options);
    assert_true(tickets.item[0].expires_ms == 1000 + 7 * DAY * 1000ull);
    clock_real();
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

/* --- trust --- */

static int trust_result(const char *file, const char *name)
{
    struct tls_trust *trust = NULL;
    int result =
        tls_trust_new(&trust, &(struct tls_trust_options){.ca_file = file, .tls_name = name, .min_version = 12});
    assert_true((result == 0) == (trust != NULL));
    tls_trust_unref(trust);
    return result;
}

static void a_trust_needs_a_name_or_a_pin_and_a_ca(void **state)
{
    (void)state;
    char *empty = certificate_file(NULL, 0);
    assert_int_equal(trust_result(ca_file, NULL), -EINVAL);
    assert_int_equal(trust_result("/nowhere/ca.pem", NAME), -ENOENT);
    assert_int_equal(trust_result("/tmp", NAME), -EISDIR);
    assert_int_equal(trust_result("/dev/null", NAME), -EINVAL);
    assert_int_equal(trust_result(empty, NAME), -ENOENT);
    assert_int_equal(trust_result(ca_file, NAME), 0);
    unlink(empty);
    free(empty);
}

static void a_pin_alone_needs_no_ca(void **state)
{
    (void)state;
    struct tls_trust *trust = NULL;
    struct tls_pin pin = {{0}};
    const struct tls_trust_options options = {.ca_file = "/nowhere", .pins = &pin, .pin_count = 1, .min_version = 12};
    assert_int_equal(tls_trust_new(&trust, &options), 0);
    tls_trust_unref(trust);
}

static void a_ca_file_is_loaded_once_until_it_changes(void **state)
{
    (void)state;
    char *path = certificate_file(&authority, 1);
    struct tls_trust *trusts[3];
    const struct tls_trust_options options = {.ca_file = path, .tls_name = NAME, .min_version = 12};
    assert_int_equal(tls_trust_new(&trusts[0], &options), 0);
    assert_int_equal(tls_trust_new(&trusts[1], &options), 0);
    assert_ptr_equal(trusts[0]->store, trusts[1]->store);
    char *replaced = certificate_file(&good, 1);
    assert_int_equal(rename(replaced, path), 0);
    assert_int_equal(tls_trust_new(&trusts[2], &options), 0);
    assert_ptr_not_equal(trusts[0]->store, trusts[2]->store);
    for (size_t i = 0; i < 3; i++)
        tls_trust_unref(trusts[i]);
    unlink(path);
    free(path);
    free(replaced);
}

static void replace_file(const char *path, const struct certificate *certificates, size_t count)
{
    char *replaced = certificate_file(certificates, count);
    assert_int_equal(rename(replaced, path), 0);
    free(replaced);
}

static void a_ca_file_that_changed_is_loaded_again_when_a_peer_is_not_trusted(void **state)
{
    (void)state;
    struct certificate other = certificate_make(&(struct certificate_spec){.common_name = "other", .ca = true});
    struct certificate leaf = certificate_make(&(struct certificate_spec){.sans = {NAME}, .issuer = &other});
    char *path = certificate_file(&authority, 1);
    struct tls_trust *trust = NULL;
    uint8_t before[DIGEST_LEN], after[DIGEST_LEN];
    const struct tls_server_options old = serving(&good, 1), new = serving(&leaf, 1);
    const int64_t now_s = time(NULL);
    clock_fake(1000 * 1000, now_s);
    assert_int_equal(
        tls_trust_new(&trust, &(struct tls_trust_options){.ca_file = path, .tls_name = NAME, .min_version = 12}), 0);
    tls_trust_identity(trust, before);
    assert_int_equal(outcome(trust, &old), 0);
    assert_int_equal(outcome(trust, &new), ERROR_TLS_UNTRUSTED);
    replace_file(path, &other, 1);
    assert_int_equal(outcome(trust, &new), ERROR_TLS_UNTRUSTED); /* the file was checked less than a minute ago */
    clock_fake(62 * 1000 * 1000, now_s);
    assert_int_equal(outcome(trust, &new), 0);
    assert_int_equal(outcome(trust, &old), ERROR_TLS_UNTRUSTED); /* the root was removed from the file */
    tls_trust_identity(trust, after);
    assert_memory_not_equal(before, after, DIGEST_LEN);
    replace_file(path, NULL, 0);
    clock_fake(130 * 1000 * 1000ull, now_s);
    assert_int_equal(outcome(trust, &old), ERROR_TLS_UNTRUSTED);
    assert_int_equal(outcome(trust, &new), 0); /* a file without certificates replaces nothing */
    clock_real();
    tls_trust_unref(trust);
    certificate_free(&leaf);
    certificate_free(&other);
    unlink(path);
    free(path);
}

/* --- our certificate --- */

/* Replaces `path` by the key of the certificate. */
static void write_key(const char *path, const struct certificate *certificate)
{
    gnutls_datum_t pem;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(gnutls_x509_privkey_export2(certificate->key, GNUTLS_X509_FMT_PEM, &pem), 0);
    assert_int_equal(fwrite(pem.data, 1, pem.size, file), pem.size);
    gnutls_free(pem.data);
    assert_int_equal(fclose(file), 0);
}

/* The outcome of a handshake with a server that wants a certificate, which is `shown` (NULL: none). */
static int shows(struct tls_trust *trust, struct tls_tickets *tickets, const struct certificate *shown, bool resumed)
{
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    unsigned count = 0;
    link_begin(&link, trust, tickets, &options);
    gnutls_certificate_server_set_request(link.server.session, GNUTLS_CERT_REQUEST);
    handshake_in_chunks(&link, 16384);
    int result = link.result;
    if (result == 0) {
        const gnutls_datum_t *chain = gnutls_certificate_get_peers(link.server.session, &count);
        gnutls_datum_t der = {NULL, 0};
        assert_int_equal(count, shown ? 1 : 0);
        assert_int_equal(gnutls_session_is_resumed(link.server.session) != 0, resumed);
        if (shown) {
            assert_int_equal(gnutls_x509_crt_export2(shown->crt, GNUTLS_X509_FMT_DER, &der), 0);
            assert_int_equal(der.size, chain->size);
            assert_memory_equal(der.data, chain->data, der.size);
        }
        gnutls_free(der.data);
        assert_talks(&link);
    }
    link_close(&link);
    return result;
}

static void our_certificate_is_shown_and_loaded_again(void **state)
{
    (void)state;
    const struct certificate_spec spec = {
        .common_name = "us", .purpose = GNUTLS_KP_TLS_WWW_CLIENT, .issuer = &authority};
    struct certificate first = certificate_make(&spec), second = certificate_make(&spec);
    char *chain = certificate_file(&first, 1), *key = certificate_file(NULL, 0);
    struct tls_tickets tickets = {0};
    struct tls_trust *trust = NULL, *plain = trust_with(NAME, NULL, 0, 12);
    int error = 0;
    const struct tls_trust_options options = {.ca_file = ca_file,
                                              .tls_name = NAME,
                                              .min_version = 12,
                                              .certificate = chain,
                                              .key = key,
                                              .certificate_error = &error};
    uint8_t before[DIGEST_LEN], after[DIGEST_LEN];
    const int64_t now_s = time(NULL);
    clock_fake(1000 * 1000, now_s);
    assert_int_equal(shows(plain, &tickets, NULL, false), 0);
    tls_tickets_clear(&tickets);
    write_key(key, &second);
    assert_int_equal(tls_trust_new(&trust, &options), ERROR_TLS_NO_CERTIFICATE);
    assert_int_equal(error, -EKEYREJECTED);
    write_key(key, &first);
    assert_int_equal(tls_trust_new(&trust, &options), 0);
    tls_trust_identity(trust, before);
    assert_int_equal(shows(trust, &tickets, &first, false), 0);
    assert_int_equal(shows(trust, &tickets, &first, true), 0);
    replace_file(chain, &second, 1); /* the key follows later */
    clock_fake(62 * 1000 * 1000, now_s);
    assert_int_equal(shows(trust, &tickets, &first, true), 0);
    write_key(key, &second);
    clock_fake(64 * 1000 * 1000, now_s);
    assert_int_equal(shows(trust, &tickets, &first, true), 0); /* looked at less than 3 s ago */
    clock_fake(66 * 1000 * 1000, now_s);
    assert_int_equal(shows(trust, &tickets, &second, false), 0); /* the ticket stood for the old one */
    assert_int_equal(shows(trust, &tickets, &second, true), 0);
    tls_trust_identity(trust, after);
    assert_memory_not_equal(before, after, DIGEST_LEN);
    clock_real();
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
    tls_trust_unref(plain);
    certificate_free(&first);
    certificate_free(&second);
    unlink(chain);
    unlink(key);
    free(chain);
    free(key);
}

static void without_our_certificate_no_handshake_begins(void **state)
{
    (void)state;
    struct certificate own = certificate_make(&(struct certificate_spec){.common_name = "us", .issuer = &authority});
    char *chain = certificate_file(&own, 1), *key = certificate_file(NULL, 0);
    struct tls_tickets tickets = {0};
    struct tls_trust *trust = NULL;
    int error = 0;
    const struct tls_trust_options options = {.ca_file = ca_file,
                                              .tls_name = NAME,
                                              .min_version = 12,
                                              .ca_may_be_missing = true,
                                              .certificate = chain,
                                              .key = key,
                                              .certificate_error = &error};
    const int64_t now_s = time(NULL);
    unlink(key);
    clock_fake(1000 * 1000, now_s);
    assert_int_equal(tls_trust_new(&trust, &options), 0);
    assert_int_equal(error, -ENOENT);
    assert_int_equal(tls_trust_lacks_certificate(trust), -ENOENT);
    assert_int_equal(shows(trust, &tickets, NULL, false), ERROR_TLS_NO_CERTIFICATE);
    write_key(key, &own);
    clock_fake(5 * 1000 * 1000, now_s);
    assert_int_equal(shows(trust, &tickets, &own, false), 0);
    assert_int_equal(tls_trust_lacks_certificate(trust), 0);
    clock_real();
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
    certificate_free(&own);
    unlink(chain);
    unlink(key);
    free(chain);
    free(key);
}

static void the_same_certificates_in_another_file_are_the_same_store(void **state)
{
    (void)state;
    char *path = certificate_file(&authority, 1);
    struct tls_trust *trusts[2];
    const struct tls_trust_options options = {.ca_file = path, .tls_name = NAME, .min_version = 12};
    assert_int_equal(tls_trust_new(&trusts[0], &options), 0);
    replace_file(path, &authority, 1);
    assert_int_equal(tls_trust_new(&trusts[1], &options), 0);
    assert_ptr_equal(trusts[0]->store, trusts[1]->store);
    tls_trust_unref(trusts[0]);
    tls_trust_unref(trusts[1]);
    unlink(path);
    free(path);
}

/* One certificate of the CA has expired, another one has not. */
static void an_expired_certificate_beside_a_valid_one_is_ignored(void **state)
{
    (void)state;
    struct certificate old = certificate_make(&(struct certificate_spec){.common_name = "old root", .ca = true});
    struct certificate valid = certificate_make(&(struct certificate_spec){.common_name = "new root", .ca = true});
    struct certificate crossed = certificate_make(&(struct certificate_spec){
        .common_name = "new root", .ca = true, .issuer = &old, .from_s = -2 * DAY, .until_s = -DAY, .key_of = &valid});
    struct certificate leaf = certificate_make(&(struct certificate_spec){.sans = {NAME}, .issuer = &valid});
    const struct certificate chain[] = {leaf, crossed};
    const struct tls_server_options options = serving(chain, 2), short_chain = serving(&leaf, 1);
    const struct certificate orders[][3] = {{crossed, valid, old}, {old, valid, crossed}, {valid, crossed, old}};
    for (size_t i = 0; i < 3; i++) {
        char *path = certificate_file(orders[i], 3);
        struct tls_trust *trust = NULL;
        assert_int_equal(
            tls_trust_new(&trust, &(struct tls_trust_options){.ca_file = path, .tls_name = NAME, .min_version = 12}),
            0);
        assert_int_equal(outcome(trust, &options), 0);
        assert_int_equal(outcome(trust, &short_chain), 0);
        tls_trust_unref(trust);
        unlink(path);
        free(path);
    }
    certificate_free(&leaf);
    certificate_free(&crossed);
    certificate_free(&valid);
    certificate_free(&old);
}

/* The outcome for a server with this chain and a client with these CA certificates. */
static int outcome_trusting(const struct certificate *authorities, size_t authority_count,
                            const struct certificate *chain, unsigned len)
{
    struct tls_trust *trust = NULL;
    const struct tls_server_options options = serving(chain, len);
    char *path = certificate_file(authorities, authority_count);
    assert_int_equal(
        tls_trust_new(&trust, &(struct tls_trust_options){.ca_file = path, .tls_name = NAME, .min_version = 12}), 0);
    int result = outcome(trust, &options);
    tls_trust_unref(trust);
    unlink(path);
    free(path);
    return result;
}

static void the_issuer_is_found_among_many(void **state)
{
    (void)state;
    enum { COUNT = 40, ISSUER = 23 };
    struct certificate all[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "root %zu", i);
        all[i] = certificate_make(&(struct certificate_spec){.common_name = name, .ca = true});
    }
    struct certificate impostor = certificate_make(&(struct certificate_spec){.common_name = "root 23", .ca = true});
    struct certificate leaf = certificate_make(&(struct certificate_spec){.sans = {NAME}, .issuer = &all[ISSUER]});
    struct certificate forged[] = {certificate_make(&(struct certificate_spec){.sans = {NAME}, .issuer = &impostor}),
                                   impostor};
    assert_int_equal(outcome_trusting(all, COUNT, &leaf, 1), 0);
    assert_int_equal(outcome_trusting(all, ISSUER, &leaf, 1), ERROR_TLS_UNTRUSTED);
    assert_int_equal(outcome_trusting(all, COUNT, forged, 1), ERROR_TLS_UNTRUSTED);
    assert_int_equal(outcome_trusting(all, COUNT, forged, 2), ERROR_TLS_UNTRUSTED);
    for (size_t i = 0; i < COUNT; i++)
        certificate_free(&all[i]);
    certificate_free(&forged[0]);
    certificate_free(&impostor);
    certificate_free(&leaf);
}

static void an_intermediate_can_be_trusted_without_its_root(void **state)
{
    (void)state;
    struct certificate middle =
        certificate_make(&(struct certificate_spec){.common_name = "middle", .ca = true, .issuer = &authority});
    struct certificate chain[] = {certificate_make(&(struct certificate_spec){.sans = {NAME}, .issuer = &middle}),
                                  middle, authority};
    for (unsigned len = 1; len <= 3; len++)
        assert_int_equal(outcome_trusting(&middle, 1, chain, len), 0);
    assert_int_equal(outcome_trusting(&authority, 1, chain, 2), 0);
    assert_int_equal(outcome_trusting(&authority, 1, chain, 1), ERROR_TLS_UNTRUSTED);
    certificate_free(&chain[0]);
    certificate_free(&middle);
}

static void the_order_of_a_ca_file_does_not_matter(void **state)
{
    (void)state;
    struct certificate other = certificate_make(&(struct certificate_spec){.common_name = "other", .ca = true});
    const struct certificate orders[][2] = {{authority, other}, {other, authority}};
    uint8_t identities[2][DIGEST_LEN];
    for (size_t i = 0; i < 2; i++) {
        char *path = certificate_file(orders[i], 2);
        struct tls_trust *trust = NULL;
        const struct tls_trust_options options = {.ca_file = path, .tls_name = NAME, .min_version = 12};
        assert_int_equal(tls_trust_new(&trust, &options), 0);
        tls_trust_identity(trust, identities[i]);
        tls_trust_unref(trust);
        unlink(path);
        free(path);
    }
    assert_memory_equal(identities[0], identities[1], DIGEST_LEN);
    certificate_free(&other);
}

/* Comments, other blocks, a certificate that was cut off, and line ends of another system. */
static void what_is_no_certificate_in_a_ca_file_is_left_out(void **state)
{
    (void)state;
    static const char before[] = "# ours\r\n-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
                                 "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n";
    static const char after[] = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgI";
    struct tls_trust *trust = NULL;
    gnutls_datum_t pem;
    const struct tls_server_options options = serving(&good, 1);
    char *path = certificate_file(NULL, 0);
    FILE *file = fopen(path, "w");
    assert_int_equal(gnutls_x509_crt_export2(authority.crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    fprintf(file, "%s%.*s%s", before, (int)pem.size, (const char *)pem.data, after);
    fclose(file);
    assert_int_equal(
        tls_trust_new(&trust, &(struct tls_trust_options){.ca_file = path, .tls_name = NAME, .min_version = 12}), 0);
    assert_int_equal(outcome(trust, &options), 0);
    tls_trust_unref(trust);
    file = fopen(path, "w");
    fprintf(file, "%s%s", before, after);
    fclose(file);
    assert_int_equal(trust_result(path, NAME), -ENOENT);
    unlink(path);
    free(path);
    gnutls_free(pem.data);
}

static void a_session_keeps_its_trust(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    link_begin(&link, trust, &tickets, &options);
    tls_trust_unref(tls_trust_ref(trust));
    tls_trust_unref(trust);
    handshake_in_chunks(&link, 16384);
    assert_int_equal(link.result, 0);
    assert_talks(&link);
    link_close(&link);
    tls_tickets_clear(&tickets);
}

/* --- memory --- */

static void a_trust_survives_each_failed_allocation(void **state)
{
    (void)state;
    struct tls_pin pin = certificate_pin(&good);
    const struct tls_trust_options options = {
        .ca_file = ca_file, .tls_name = NAME, .pins = &pin, .pin_count = 1, .min_version = 12};
    int result = -ENOMEM;
    for (unsigned long n = 1; result == -ENOMEM; n++) {
        struct tls_trust *trust = NULL;
        mem_fail_at(n);
        result = tls_trust_new(&trust, &options);
        assert_true((result == 0) == (mem_asked() < n));
        tls_trust_unref(trust);
    }
    mem_fail_at(0);
    assert_int_equal(result, 0);
}

static void a_session_out_of_memory_fails_with_that_error(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        struct buffer output = {0};
        mem_fail_at(n);
        struct tls *tls = tls_new(&(struct tls_client){trust, &tickets, "dot"}, &output);
        int result = tls ? tls_handshake(tls) : -ENOMEM;
        failed = mem_asked() >= n;
        mem_fail_at(0);
        assert_int_equal(result, failed ? -ENOMEM : -EAGAIN);
        if (tls && failed)
            assert_int_equal(tls_handshake(tls), -ENOMEM);
        tls_free(tls);
        buffer_free(&output);
    }
    tls_trust_unref(trust);
}

static void no_session_is_begun_while_memory_is_short(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    struct buffer output = {0};
    mem_set_short(true);
    struct tls *tls = tls_new(&(struct tls_client){trust, &tickets, "dot"}, &output);
    mem_set_short(false);
    assert_null(tls);
    tls_trust_unref(trust);
}

static void out_of_memory_to_write_a_session_ends(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    struct tls_tickets tickets = {0};
    const struct tls_server_options options = serving(&good, 1);
    struct link link;
    link_open(&link, trust, &tickets, &options);
    buffer_free(&link.output);
    mem_fail_at(1);
    assert_int_equal(tls_write(link.tls, (const uint8_t *)"x", 1), -ENOMEM);
    mem_fail_at(0);
    link_close(&link);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
}

static void out_of_memory_only_a_ticket_is_lost(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_with(NAME, NULL, 0, 12);
    const struct tls_server_options options = serving(&good, 1);
    for (unsigned long n = 1; n <= 2; n++) {
        struct tls_tickets tickets = {0};
        struct link link;
        uint8_t got[16];
        link_open(&link, trust, &tickets, &options);
        tls_tickets_clear(&tickets);
        assert_int_equal(gnutls_session_ticket_send(link.server.session, 2, 0), 0);
        mem_fail_at(n);
        client_reads(&link, got, sizeof got, sizeof got);
        mem_fail_at(0);
        assert_int_equal(tickets.count, 1);
        assert_talks(&link);
        link_close(&link);
        tls_tickets_clear(&tickets);
    }
    tls_trust_unref(trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linkable_tickets_are_dropped_and_the_others_stay_in_order),
        cmocka_unit_test(talks_tls13),
        cmocka_unit_test(talks_tls12),
        cmocka_unit_test(alpn_is_not_required),
        cmocka_unit_test(bytes_may_come_one_at_a_time),
        cmocka_unit_test(large_writes_and_reads_arrive_whole),
        cmocka_unit_test(reads_on_behind_tickets_and_key_updates),
        cmocka_unit_test(close_notify_is_reported_after_the_data),
        cmocka_unit_test(a_flipped_bit_ends_the_session_behind_the_good_records),
        cmocka_unit_test(garbage_in_the_handshake_is_a_protocol_error),
        cmocka_unit_test(tls_1_1_is_refused),
        cmocka_unit_test(tls_1_2_is_refused_where_1_3_is_required),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(bad_certificates_are_refused),
        cmocka_unit_test(elements_of_a_chain_are_counted),
        cmocka_unit_test(elements_of_garbage_are_counted),
        cmocka_unit_test(a_large_handshake_is_refused),
        cmocka_unit_test(bad_issuers_are_refused),
        cmocka_unit_test(a_key_with_a_huge_exponent_is_not_used),
        cmocka_unit_test(keys_are_exchanged_on_curves_only),
        cmocka_unit_test(names_must_match_strictly),
        cmocka_unit_test(a_common_name_is_not_enough),
        cmocka_unit_test(odd_alternative_names_are_refused),
        cmocka_unit_test(an_address_as_name_needs_an_address_in_the_certificate),
        cmocka_unit_test(a_trust_for_another_name),
        cmocka_unit_test(a_pin_alone_checks_only_the_key),
        cmocka_unit_test(name_and_pin_must_both_hold),
        cmocka_unit_test(equal_trusts_have_one_identity),
        cmocka_unit_test(tls13_sessions_are_resumed),
        cmocka_unit_test(tls12_sessions_are_resumed),
        cmocka_unit_test(tls12_sessions_are_resumed_by_id),
        cmocka_unit_test(a_refused_certificate_is_reported),
        cmocka_unit_test(a_ticket_is_used_once),
        cmocka_unit_test(a_ticket_that_the_server_does_not_know_costs_a_full_handshake),
        cmocka_unit_test(a_chain_is_not_verified_twice_within_a_minute),
        cmocka_unit_test(resumed_tls13_sessions_are_verified_again),
        cmocka_unit_test(resumed_tls12_sessions_are_verified_again),
        cmocka_unit_test(tickets_of_a_session_are_limited),
        cmocka_unit_test(the_store_keeps_the_newest_and_gives_them_first),
        cmocka_unit_test(the_store_gives_no_expired_ticket),
        cmocka_unit_test(a_ticket_lives_as_long_as_the_server_says_and_seven_days_at_most),
        cmocka_unit_test(a_trust_needs_a_name_or_a_pin_and_a_ca),
        cmocka_unit_test(a_pin_alone_needs_no_ca),
        cmocka_unit_test(a_ca_file_is_loaded_once_until_it_changes),
        cmocka_unit_test(a_ca_file_that_changed_is_loaded_again_when_a_peer_is_not_trusted),
        cmocka_unit_test(our_certificate_is_shown_and_loaded_again),
        cmocka_unit_test(without_our_certificate_no_handshake_begins),
        cmocka_unit_test(the_same_certificates_in_another_file_are_the_same_store),
        cmocka_unit_test(an_expired_certificate_beside_a_valid_one_is_ignored),
        cmocka_unit_test(the_issuer_is_found_among_many),
        cmocka_unit_test(an_intermediate_can_be_trusted_without_its_root),
        cmocka_unit_test(the_order_of_a_ca_file_does_not_matter),
        cmocka_unit_test(what_is_no_certificate_in_a_ca_file_is_left_out),
        cmocka_unit_test(a_session_keeps_its_trust),
        cmocka_unit_test(a_trust_survives_each_failed_allocation),
        cmocka_unit_test(a_session_out_of_memory_fails_with_that_error),
        cmocka_unit_test(no_session_is_begun_while_memory_is_short),
        cmocka_unit_test(out_of_memory_to_write_a_session_ends),
        cmocka_unit_test(out_of_memory_only_a_ticket_is_lost),
    };
    return cmocka_run_group_tests(tests, make_world, unmake_world);
}
