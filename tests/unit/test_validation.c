/* SPDX-License-Identifier: MIT */
/* Validation of responses that are signed here; and hostile ones. BIND signs those of the integration tests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "dnssec/crypto.h"
#include "dnssec/validation.h"
#include "dnssec/wire.h"
#include "signer.h"

#define BYTES(...) ((struct bytes){(const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__}})
#define ADDRESS    BYTES(192, 0, 2, 1)
#define TYPES(...) ((const uint8_t[]){__VA_ARGS__, 0})

static struct signer root, example, child;
static struct anchors *anchors;
static struct signed_message message, other;
static struct validation *validation;
static struct dnssec_context context;
static unsigned pauses; /* of the latest run */

static struct bytes dnskey_of(const struct signer *signer)
{
    return (struct bytes){signer->dnskey, sizeof signer->dnskey};
}

static struct bytes ds_of(const struct signer *signer, uint8_t out[4 + CRYPTO_DIGEST_MAX])
{
    write_u16(out, signer->tag);
    out[2] = 13;
    out[3] = DIGEST_SHA256;
    return (struct bytes){out, 4 + crypto_digest(DIGEST_SHA256, (struct bytes){signer->zone, signer->zone_len},
                                                 dnskey_of(signer), out + 4)};
}

static int begin_all(void **state)
{
    (void)state;
    uint8_t ds[4 + CRYPTO_DIGEST_MAX];
    signer_make(&root, ".");
    signer_make(&example, "example.");
    signer_make(&child, "child.example.");
    assert_int_equal(anchors_new(&anchors), 0);
    assert_int_equal(anchors_add(anchors, root.zone, 1, TYPE_DS, ds_of(&root, ds)), 0);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    anchors_unref(anchors);
    gnutls_privkey_deinit(root.key);
    gnutls_privkey_deinit(example.key);
    gnutls_privkey_deinit(child.key);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    context = (struct dnssec_context){.anchors = anchors, .now_s = SIGNER_NOW};
    return 0;
}

static int end(void **state)
{
    (void)state;
    validation_free(validation);
    validation = NULL;
    return 0;
}

static enum dnssec_verdict run(const char *name, uint16_t type)
{
    struct key key = {.type = type, .class = CLASS_IN};
    key.name_len = (uint8_t)signer_name(key.name, name);
    enum dnssec_verdict verdict;
    if (!validation)
        validation = validation_new(&key);
    pauses = 0;
    while ((verdict = validation_run(validation, message_end(&message), &context)) == DNSSEC_PAUSE)
        pauses++;
    return verdict;
}

static const struct dnssec_result *result(void)
{
    return validation_result(validation);
}

static void needs(const char *name, uint16_t type)
{
    uint8_t wire[NAME_MAX_WIRE];
    assert_int_equal(result()->need_type, type);
    assert_int_equal(result()->need_len, signer_name(wire, name));
    assert_memory_equal(result()->need, wire, result()->need_len);
}

static void give(enum dnssec_verdict verdict)
{
    uint8_t name[NAME_MAX_WIRE];
    memcpy(name, result()->need, result()->need_len);
    assert_int_equal(validation_give(validation, name, result()->need_len, result()->need_type, verdict,
                                     message_end(&other), EDE_NONE, ""),
                     0);
}

static void give_keys(const struct signer *signer, unsigned copies)
{
    char text[NAME_MAX_TEXT];
    message_start(&other, name_text(signer->zone, text), TYPE_DNSKEY, 0);
    for (unsigned i = 0; i < copies; i++)
        message_record(&other, 0, name_text(signer->zone, text), TYPE_DNSKEY, dnskey_of(signer));
    give(DNSSEC_SECURE);
}

/* NODATA for the DS, by a NSEC record with these types. */
static void give_no_ds(const char *name, const uint8_t *types)
{
    uint8_t nsec[512];
    message_start(&other, name, TYPE_DS, 0);
    message_record(&other, 1, name, TYPE_NSEC, signer_nsec(nsec, "zzz.example.", types));
    give(DNSSEC_SECURE);
}

static void give_ds(const struct signer *signer)
{
    uint8_t ds[4 + CRYPTO_DIGEST_MAX];
    char text[NAME_MAX_TEXT];
    message_start(&other, name_text(signer->zone, text), TYPE_DS, 0);
    message_record(&other, 0, name_text(signer->zone, text), TYPE_DS, ds_of(signer, ds));
    give(DNSSEC_SECURE);
}

static void is_bogus(enum dnssec_verdict verdict, int code)
{
    assert_int_equal(verdict, DNSSEC_BOGUS);
    assert_int_equal(result()->ede_code, code);
}

/* --- data --- */

static void signed_data_is_secure(void **state)
{
    (void)state;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    message_record(&message, 1, "example.", TYPE_NS, BYTES(0));
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_NEED);
    needs("example.", TYPE_DNSKEY);
    give_keys(&example, 1);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_SECURE);
    assert_int_equal(result()->life_s, 300);
    assert_int_equal(result()->checks, 1);
    assert_true(validation_keeps(validation, 0) && validation_keeps(validation, 1));
    assert_false(validation_keeps(validation, 2)); /* nothing vouches for the NS */
}

/* Each run is a validation of its own. */
static enum dnssec_verdict run_again(const struct signer *signer)
{
    validation_free(validation);
    validation = NULL;
    (void)run("www.example.", TYPE_A);
    give_keys(signer, 1);
    return run("www.example.", TYPE_A);
}

static void a_signature_is_verified_once(void **state)
{
    (void)state;
    struct signer another = example;
    context.verified = verified_new();
    assert_non_null(context.verified);
    message_start(&message, "www.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(run_again(&example), DNSSEC_SECURE);
        assert_int_equal(result()->checks, i == 0);
        assert_int_equal(result()->remembered, i > 0);
    }
    another.dnskey[20] ^= 1; /* another key with the tag of the first one */
    another.dnskey[22] ^= 1;
    message.wire[message.answer.len - 1] ^= 1;
    is_bogus(run_again(&example), EDE_BOGUS);
    assert_int_equal(result()->remembered, 0);
    message.wire[message.answer.len - 1] ^= 1;
    assert_int_not_equal(run_again(&another), DNSSEC_SECURE);
    context.now_s = SIGNER_NOW + 5000; /* expired, although it is remembered */
    is_bogus(run_again(&example), EDE_SIGNATURE_EXPIRED);
    verified_free(context.verified);
}

static void changed_data_is_bogus(void **state)
{
    (void)state;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_record(&message, 0, "www.example.", TYPE_A, BYTES(192, 0, 2, 66));
    message_signature(&message, &example, 0, "www.example.", TYPE_A, ADDRESS, NULL);
    (void)run("www.example.", TYPE_A);
    give_keys(&example, 1);
    is_bogus(run("www.example.", TYPE_A), EDE_BOGUS);
}

static void an_added_record_is_bogus(void **state)
{
    (void)state;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    message_record(&message, 0, "www.example.", TYPE_A, BYTES(192, 0, 2, 66));
    (void)run("www.example.", TYPE_A);
    give_keys(&example, 1);
    is_bogus(run("www.example.", TYPE_A), EDE_BOGUS);
}

static void a_repeated_record_counts_once(void **state)
{
    (void)state;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
    (void)run("www.example.", TYPE_A);
    give_keys(&example, 1);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_SECURE);
}

static enum dnssec_verdict verdict_at(int32_t inception, int32_t expiration)
{
    const struct signing how = {.inception = (uint32_t)inception, .expiration = (uint32_t)expiration};
    message_start(&message, "www.example.", TYPE_A, 0);
    message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
    message_signature(&message, &example, 0, "www.example.", TYPE_A, ADDRESS, &how);
    end(NULL);
    (void)run("www.example.", TYPE_A);
    give_keys(&example, 1);
    return run("www.example.", TYPE_A);
}

static void times_have_a_tolerance_of_a_tenth(void **state)
{
    (void)state;
    assert_int_equal(verdict_at(-10000, 100), DNSSEC_SECURE);
    assert_int_equal(result()->life_s, 100);
    assert_int_equal(verdict_at(-11000, -1000), DNSSEC_SECURE);
    assert_int_equal(result()->life_s, 60);
    is_bogus(verdict_at(-11001, -1001), EDE_SIGNATURE_EXPIRED);
}

static void a_short_validity_has_60_seconds(void **state)
{
    (void)state;
    assert_int_equal(verdict_at(-160, -60), DNSSEC_SECURE);
    is_bogus(verdict_at(-161, -61), EDE_SIGNATURE_EXPIRED);
    assert_int_equal(verdict_at(60, 160), DNSSEC_SECURE);
    is_bogus(verdict_at(61, 161), EDE_SIGNATURE_NOT_YET_VALID);
    is_bogus(verdict_at(-86400 * 40 - 86401, -86401), EDE_SIGNATURE_EXPIRED); /* a day at most */
    is_bogus(verdict_at(100, -100), EDE_SIGNATURE_EXPIRED);
}

static void a_clock_that_may_be_behind_makes_data_insecure(void **state)
{
    (void)state;
    context.may_be_behind = true;
    assert_int_equal(verdict_at(100000, 200000), DNSSEC_INSECURE);
    assert_true(result()->unsettled);
    assert_int_equal(result()->ede_code, EDE_SIGNATURE_NOT_YET_VALID);
    is_bogus(verdict_at(-200000, -100000), EDE_SIGNATURE_EXPIRED);
}

/* --- unsigned data --- */

static void unsigned_data_is_insecure_only_below_an_insecure_delegation(void **state)
{
    (void)state;
    message_start(&message, "www.child.example.", TYPE_A, 0);
    message_record(&message, 0, "www.child.example.", TYPE_A, ADDRESS);
    assert_int_equal(run("www.child.example.", TYPE_A), DNSSEC_NEED);
    needs("example.", TYPE_DS);
    give_ds(&example);
    assert_int_equal(run("www.child.example.", TYPE_A), DNSSEC_NEED);
    needs("child.example.", TYPE_DS);
    give_no_ds("child.example.", TYPES(TYPE_NS, TYPE_RRSIG));
    assert_int_equal(run("www.child.example.", TYPE_A), DNSSEC_INSECURE);
}

/* RFC 4035 section 5.3.3: no longer than the signature of the alias. */
static void insecure_data_lives_no_longer_than_the_signed_alias(void **state)
{
    (void)state;
    const struct bytes alias =
        BYTES(3, 'w', 'w', 'w', 5, 'c', 'h', 'i', 'l', 'd', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0);
    const struct signing how = {.inception = (uint32_t)-10000, .expiration = 100};
    message_start(&message, "w.example.", TYPE_A, 0);
    message_record(&message, 0, "w.example.", TYPE_CNAME, alias);
    message_signature(&message, &example, 0, "w.example.", TYPE_CNAME, alias, &how);
    message_record(&message, 0, "www.child.example.", TYPE_A, ADDRESS);
    (void)run("w.example.", TYPE_A);
    give_keys(&example, 1);
    assert_int_equal(run("w.example.", TYPE_A), DNSSEC_NEED);
    needs("example.", TYPE_DS);
    give_ds(&example);
    assert_int_equal(run("w.example.", TYPE_A), DNSSEC_NEED);
    needs("child.example.", TYPE_DS);
    give_no_ds("child.example.", TYPES(TYPE_NS, TYPE_RRSIG));
    assert_int_equal(run("w.example.", TYPE_A), DNSSEC_INSECURE);
    assert_int_equal(result()->life_s, 100);
}

static void unsigned_data_of_a_signed_zone_is_bogus(void **state)
{
    (void)state;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
    (void)run("www.example.", TYPE_A);
    give_ds(&example);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_NEED);
    needs("www.example.", TYPE_DS);
    give_no_ds("www.example.", TYPES(TYPE_A, TYPE_RRSIG));
    is_bogus(run("www.example.", TYPE_A), EDE_RRSIGS_MISSING);
}

/* The DS query of a signed alias is answered with the insecure data of its target. */
static void an_alias_to_an_insecure_zone_makes_nothing_insecure(void **state)
{
    (void)state;
    message_start(&message, "x.alias.example.", TYPE_A, 0);
    message_record(&message, 0, "x.alias.example.", TYPE_A, ADDRESS);
    (void)run("x.alias.example.", TYPE_A);
    give_ds(&example);
    assert_int_equal(run("x.alias.example.", TYPE_A), DNSSEC_NEED);
    needs("alias.example.", TYPE_DS);
    message_start(&other, "alias.example.", TYPE_DS, 0);
    message_record(&other, 0, "alias.example.", TYPE_CNAME,
                   BYTES(1, 'x', 8, 'i', 'n', 's', 'e', 'c', 'u', 'r', 'e', 0));
    give(DNSSEC_INSECURE);
    assert_int_equal(run("x.alias.example.", TYPE_A), DNSSEC_NEED);
    needs("x.alias.example.", TYPE_DS);
    give_no_ds("x.alias.example.", TYPES(TYPE_A, TYPE_RRSIG));
    is_bogus(run("x.alias.example.", TYPE_A), EDE_RRSIGS_MISSING);
}

/* The owner of a NSEC3 record of this zone for a name, without salt and iterations. */
static void hashed_owner(char out[NAME_MAX_TEXT], const char *name, const char *zone)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint8_t wire[NAME_MAX_WIRE], hash[CRYPTO_HASH];
    assert_true(crypto_hash((struct bytes){wire, signer_name(wire, name)}, (struct bytes){NULL, 0}, 0, hash));
    for (unsigned i = 0; i < 32; i++)
        out[i] = digits[(hash[i * 5 / 8] << 8 | (i < 31 ? hash[i * 5 / 8 + 1] : 0)) >> (11 - i * 5 % 8) & 31];
    snprintf(out + 32, NAME_MAX_TEXT - 32, ".%s", zone);
}

/* A NSEC3 record with a hash in another zone says nothing of a name: an attacker may own that zone. */
static void a_foreign_nsec3_record_makes_nothing_insecure(void **state)
{
    (void)state;
    static const char *const zones[] = {"evil.", "www.example.", "x.www.example."};
    uint8_t nsec[512], nsec3[5 + 21 + 3] = {1, 0, 0, 0, 0, 20, [26] = 0, 1, 0x20 /* NS */};
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        char owner[NAME_MAX_TEXT];
        message_start(&message, "www.example.", TYPE_A, 0);
        message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
        (void)run("www.example.", TYPE_A);
        give_ds(&example);
        assert_int_equal(run("www.example.", TYPE_A), DNSSEC_NEED);
        needs("www.example.", TYPE_DS);
        hashed_owner(owner, "www.example.", zones[i]);
        message_start(&other, "www.example.", TYPE_DS, 0);
        message_record(&other, 1, owner, TYPE_NSEC3, (struct bytes){nsec3, sizeof nsec3});
        message_record(&other, 1, "www.example.", TYPE_NSEC, signer_nsec(nsec, "zzz.example.", TYPES(TYPE_A)));
        give(DNSSEC_SECURE);
        is_bogus(run("www.example.", TYPE_A), EDE_RRSIGS_MISSING);
        end(NULL);
    }
}

/* ... and one in its own zone does. */
static void a_nsec3_record_shows_a_delegation(void **state)
{
    (void)state;
    uint8_t nsec3[5 + 21 + 3] = {1, 0, 0, 0, 0, 20, [26] = 0, 1, 0x20 /* NS */};
    char owner[NAME_MAX_TEXT];
    message_start(&message, "child.example.", TYPE_A, 0);
    message_record(&message, 0, "child.example.", TYPE_A, ADDRESS);
    (void)run("child.example.", TYPE_A);
    give_ds(&example);
    (void)run("child.example.", TYPE_A);
    hashed_owner(owner, "child.example.", "example.");
    message_start(&other, "child.example.", TYPE_DS, 0);
    message_record(&other, 1, owner, TYPE_NSEC3, (struct bytes){nsec3, sizeof nsec3});
    give(DNSSEC_SECURE);
    assert_int_equal(run("child.example.", TYPE_A), DNSSEC_INSECURE);
}

static void a_signer_without_a_zone_does_not_help(void **state)
{
    (void)state;
    message_start(&message, "www.child.example.", TYPE_A, 0);
    message_signed(&message, &child, 0, "www.child.example.", TYPE_A, ADDRESS);
    (void)run("www.child.example.", TYPE_A);
    needs("child.example.", TYPE_DNSKEY);
    message_start(&other, "child.example.", TYPE_DNSKEY, 0);
    give(DNSSEC_SECURE); /* NODATA */
    (void)run("www.child.example.", TYPE_A);
    give_ds(&example);
    (void)run("www.child.example.", TYPE_A);
    give_no_ds("child.example.", TYPES(TYPE_A));
    (void)run("www.child.example.", TYPE_A);
    give_no_ds("www.child.example.", TYPES(TYPE_A));
    is_bogus(run("www.child.example.", TYPE_A), EDE_NO_ZONE_KEY);
}

static void a_failed_lookup_is_bogus_with_its_reason(void **state)
{
    (void)state;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    (void)run("www.example.", TYPE_A);
    assert_int_equal(validation_give(validation, example.zone, example.zone_len, TYPE_DNSKEY, DNSSEC_BOGUS, NULL,
                                     EDE_NETWORK_ERROR, "no route"),
                     0);
    is_bogus(run("www.example.", TYPE_A), EDE_NETWORK_ERROR);
    assert_string_equal(result()->ede_text, "no route");
}

/* --- keys --- */

static void keys_need_an_anchor_or_a_ds(void **state)
{
    (void)state;
    message_start(&message, ".", TYPE_DNSKEY, 0);
    message_signed(&message, &root, 0, ".", TYPE_DNSKEY, dnskey_of(&root));
    assert_int_equal(run(".", TYPE_DNSKEY), DNSSEC_SECURE);
    end(NULL);
    message_start(&message, "example.", TYPE_DNSKEY, 0);
    message_signed(&message, &example, 0, "example.", TYPE_DNSKEY, dnskey_of(&example));
    assert_int_equal(run("example.", TYPE_DNSKEY), DNSSEC_NEED);
    needs("example.", TYPE_DS);
    give_ds(&example);
    assert_int_equal(run("example.", TYPE_DNSKEY), DNSSEC_SECURE);
    end(NULL);
    (void)run("example.", TYPE_DNSKEY);
    uint8_t ds[4 + CRYPTO_DIGEST_MAX];
    message_start(&other, "example.", TYPE_DS, 0);
    message_record(&other, 0, "example.", TYPE_DS, ds_of(&child, ds)); /* of another key */
    give(DNSSEC_SECURE);
    is_bogus(run("example.", TYPE_DNSKEY), EDE_DNSKEY_MISSING);
}

static void a_ds_of_unknown_algorithms_makes_a_zone_insecure(void **state)
{
    (void)state;
    message_start(&message, "example.", TYPE_DNSKEY, 0);
    message_signed(&message, &example, 0, "example.", TYPE_DNSKEY, dnskey_of(&example));
    (void)run("example.", TYPE_DNSKEY);
    message_start(&other, "example.", TYPE_DS, 0);
    message_record(&other, 0, "example.", TYPE_DS, BYTES(1, 2, 200, 2, 9, 9, 9, 9));
    give(DNSSEC_SECURE);
    assert_int_equal(run("example.", TYPE_DNSKEY), DNSSEC_INSECURE);
    assert_int_equal(result()->ede_code, EDE_DNSKEY_ALGORITHM);
}

static void a_revoked_key_is_not_used(void **state)
{
    (void)state;
    struct signer revoked = root;
    revoked.dnskey[1] |= DNSKEY_REVOKED;
    revoked.tag = dnskey_tag(dnskey_of(&revoked));
    message_start(&message, ".", TYPE_DNSKEY, 0);
    message_signed(&message, &revoked, 0, ".", TYPE_DNSKEY, dnskey_of(&revoked));
    is_bogus(run(".", TYPE_DNSKEY), EDE_DNSKEY_MISSING);
}

static void names_without_an_anchor_are_insecure(void **state)
{
    (void)state;
    struct anchors *set;
    uint8_t name[NAME_MAX_WIRE];
    size_t len = signer_name(name, "example.");
    assert_int_equal(anchors_new(&set), 0);
    assert_int_equal(anchors_copy(set, anchors), 0);
    assert_int_equal(anchors_add_negative(set, name, len, 1000), 0);
    context.anchors = set;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_INSECURE);
    end(NULL);
    context.now_ms = 1000; /* the negative anchor has ended */
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_NEED);
    end(NULL);
    context.within = (struct bytes){name, len}; /* a private route */
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_INSECURE);
    anchors_unref(set);
}

/* --- limits --- */

static void keys_of_one_tag_are_limited(void **state)
{
    (void)state;
    const struct signing how = {.spoil = true};
    message_start(&message, "www.example.", TYPE_A, 0);
    message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
    message_signature(&message, &example, 0, "www.example.", TYPE_A, ADDRESS, &how);
    (void)run("www.example.", TYPE_A);
    give_keys(&example, 40);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_BOGUS);
    assert_true(result()->limited);
    assert_int_equal(result()->checks, 4);
}

static void facts_hold_memory_for_their_records_only(void **state)
{
    (void)state;
    message_start(&message, "www.example.", TYPE_A, 0);
    message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
    (void)run("www.example.", TYPE_A);
    size_t before = result()->memory;
    give_no_ds("example.", TYPES(TYPE_NS, TYPE_RRSIG));
    assert_in_range(result()->memory - before, NAME_MAX_WIRE, 600);
    end(NULL);
    message_start(&message, "www.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_NEED);
    before = result()->memory;
    give_keys(&example, 100); /* more than a fact holds */
    assert_in_range(result()->memory - before, 64 * sizeof example.dnskey, 10000);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_SECURE);
}

static void signatures_are_limited(void **state)
{
    (void)state;
    const struct signing how = {.spoil = true};
    message_start(&message, "www.example.", TYPE_A, 0);
    message_record(&message, 0, "www.example.", TYPE_A, ADDRESS);
    for (unsigned i = 0; i < 60; i++)
        message_signature(&message, &example, 0, "www.example.", TYPE_A, ADDRESS, &how);
    (void)run("www.example.", TYPE_A);
    give_keys(&example, 1);
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_BOGUS);
    assert_true(result()->limited);
    assert_int_equal(result()->checks, 16);
    assert_int_equal(pauses, 2); /* after 6 of them each time */
}

/* The hash of a large RRset costs more than a signature of the cheapest algorithm. */
static void checks_of_a_large_rrset_are_spread(void **state)
{
    (void)state;
    static uint8_t text[48000];
    const struct signing how = {.spoil = true};
    memset(text, 99, sizeof text); /* strings of 99 bytes */
    message_start(&message, "www.example.", TYPE_TXT, 0);
    message_record(&message, 0, "www.example.", TYPE_TXT, (struct bytes){text, sizeof text});
    for (unsigned i = 0; i < 16; i++)
        message_signature(&message, &example, 0, "www.example.", TYPE_TXT, ADDRESS, &how);
    (void)run("www.example.", TYPE_TXT);
    give_keys(&example, 1);
    assert_int_equal(run("www.example.", TYPE_TXT), DNSSEC_BOGUS);
    assert_int_equal(result()->checks, 16);
    assert_int_equal(pauses, 3); /* after 4 of them each time */
}

static void rrsets_are_limited(void **state)
{
    (void)state;
    char name[32];
    message_start(&message, "www.example.", TYPE_A, 0);
    for (unsigned i = 0; i < 65; i++) {
        snprintf(name, sizeof name, "x%u.example.", i);
        message_record(&message, 1, name, TYPE_NSEC, BYTES(0, 0, 1, 0x40));
    }
    assert_int_equal(run("www.example.", TYPE_A), DNSSEC_BOGUS);
    assert_true(result()->limited);
}

/* --- denials --- */

static void deny(const char *name, uint16_t type, uint16_t rcode)
{
    message_start(&message, name, type, rcode);
}

static void add_nsec(const char *owner, const char *next, const uint8_t *types)
{
    uint8_t nsec[512];
    message_signed(&message, &example, 1, owner, TYPE_NSEC, signer_nsec(nsec, next, types));
}

/* Runs with the keys of example; if the proof fails, no zone is insecure. */
static enum dnssec_verdict denied(const char *name, uint16_t type)
{
    enum dnssec_verdict verdict = run(name, type);
    for (unsigned i = 0; verdict == DNSSEC_NEED && i < 20; i++) {
        char text[NAME_MAX_TEXT];
        if (result()->need_type == TYPE_DNSKEY)
            give_keys(&example, 1);
        else if (result()->need_len == example.zone_len)
            give_ds(&example);
        else
            give_no_ds(name_text(result()->need, text), TYPES(TYPE_A));
        verdict = run(name, type);
    }
    return verdict;
}

static void nodata_needs_the_bitmap(void **state)
{
    (void)state;
    deny("www.example.", TYPE_TXT, 0);
    add_nsec("www.example.", "xxx.example.", TYPES(TYPE_A));
    assert_int_equal(denied("www.example.", TYPE_TXT), DNSSEC_SECURE);
    end(NULL);
    deny("www.example.", TYPE_A, 0);
    add_nsec("www.example.", "xxx.example.", TYPES(TYPE_A));
    is_bogus(denied("www.example.", TYPE_A), EDE_NSEC_MISSING);
    end(NULL);
    deny("www.example.", TYPE_TXT, 0);
    add_nsec("www.example.", "xxx.example.", TYPES(TYPE_CNAME));
    is_bogus(denied("www.example.", TYPE_TXT), EDE_NSEC_MISSING);
    end(NULL);
    deny("www.example.", TYPE_TXT, RCODE_NXDOMAIN); /* the name exists */
    add_nsec("www.example.", "xxx.example.", TYPES(TYPE_A));
    is_bogus(denied("www.example.", TYPE_TXT), EDE_NSEC_MISSING);
}

static void a_delegation_denies_its_ds_only(void **state)
{
    (void)state;
    deny("sub.example.", TYPE_DS, 0);
    add_nsec("sub.example.", "xxx.example.", TYPES(TYPE_NS));
    assert_int_equal(denied("sub.example.", TYPE_DS), DNSSEC_SECURE);
    end(NULL);
    deny("sub.example.", TYPE_A, 0);
    add_nsec("sub.example.", "xxx.example.", TYPES(TYPE_NS));
    is_bogus(denied("sub.example.", TYPE_A), EDE_NSEC_MISSING);
    end(NULL);
    deny("x.sub.example.", TYPE_A, RCODE_NXDOMAIN); /* a name below the delegation */
    add_nsec("sub.example.", "xxx.example.", TYPES(TYPE_NS));
    add_nsec("example.", "a.example.", TYPES(TYPE_SOA));
    is_bogus(denied("x.sub.example.", TYPE_A), EDE_NSEC_MISSING);
    end(NULL);
    deny("example.", TYPE_DS, 0); /* the child's own record */
    add_nsec("example.", "a.example.", TYPES(TYPE_NS, TYPE_SOA));
    assert_int_equal(denied("example.", TYPE_DS), DNSSEC_BOGUS);
}

static void nxdomain_needs_the_wildcard_denied(void **state)
{
    (void)state;
    deny("gone.example.", TYPE_A, RCODE_NXDOMAIN);
    add_nsec("foo.example.", "hoo.example.", TYPES(TYPE_A));
    is_bogus(denied("gone.example.", TYPE_A), EDE_NSEC_MISSING);
    end(NULL);
    deny("gone.example.", TYPE_A, RCODE_NXDOMAIN);
    add_nsec("foo.example.", "hoo.example.", TYPES(TYPE_A));
    add_nsec("example.", "a.example.", TYPES(TYPE_SOA));
    assert_int_equal(denied("gone.example.", TYPE_A), DNSSEC_SECURE);
    end(NULL);
    deny("ent.example.", TYPE_A, 0); /* an empty non-terminal */
    add_nsec("d.example.", "a.ent.example.", TYPES(TYPE_A));
    assert_int_equal(denied("ent.example.", TYPE_A), DNSSEC_SECURE);
    end(NULL);
    deny("ent.example.", TYPE_A, RCODE_NXDOMAIN);
    add_nsec("d.example.", "a.ent.example.", TYPES(TYPE_A));
    add_nsec("example.", "a.example.", TYPES(TYPE_SOA));
    is_bogus(denied("ent.example.", TYPE_A), EDE_NSEC_MISSING);
}

/* The records of an insecure zone are no part of a secure response. */
static void an_insecure_record_beside_a_proof_is_left_out(void **state)
{
    (void)state;
    uint8_t nsec[512];
    deny("www.example.", TYPE_TXT, 0);
    message_record(&message, 1, "x.child.example.", TYPE_NSEC, signer_nsec(nsec, "y.child.example.", TYPES(TYPE_NS)));
    add_nsec("www.example.", "xxx.example.", TYPES(TYPE_A));
    (void)run("www.example.", TYPE_TXT);
    give_ds(&example);
    (void)run("www.example.", TYPE_TXT);
    needs("child.example.", TYPE_DS);
    give_no_ds("child.example.", TYPES(TYPE_NS));
    (void)run("www.example.", TYPE_TXT);
    give_keys(&example, 1);
    assert_int_equal(run("www.example.", TYPE_TXT), DNSSEC_SECURE);
    assert_false(validation_keeps(validation, 0));
    assert_true(validation_keeps(validation, 1) && validation_keeps(validation, 2));
}

static void compact_denial_is_of_one_name(void **state)
{
    (void)state;
    deny("gone.example.", TYPE_A, 0);
    add_nsec("gone.example.", "\\000.gone.example.", TYPES(TYPE_RRSIG, TYPE_NSEC, TYPE_NXNAME));
    assert_int_equal(denied("gone.example.", TYPE_A), DNSSEC_SECURE);
    end(NULL);
    deny("gone.example.", TYPE_A, RCODE_NXDOMAIN);
    add_nsec("gone.example.", "\\000.gone.example.", TYPES(TYPE_RRSIG, TYPE_NSEC, TYPE_NXNAME));
    assert_int_equal(denied("gone.example.", TYPE_A), DNSSEC_SECURE);
}

static void add_expanded(const char *owner, const char *from)
{
    const struct signing how = {.from = from};
    message_record(&message, 0, owner, TYPE_A, ADDRESS);
    message_signature(&message, &example, 0, owner, TYPE_A, ADDRESS, &how);
}

static void a_wildcard_needs_a_proof(void **state)
{
    (void)state;
    deny("x.w.example.", TYPE_A, 0);
    add_expanded("x.w.example.", "*.w.example.");
    is_bogus(denied("x.w.example.", TYPE_A), EDE_NSEC_MISSING);
    end(NULL);
    deny("x.w.example.", TYPE_A, 0);
    add_expanded("x.w.example.", "*.w.example.");
    add_nsec("*.w.example.", "z.example.", TYPES(TYPE_A));
    assert_int_equal(denied("x.w.example.", TYPE_A), DNSSEC_SECURE);
    end(NULL);
    deny("x.w.example.", TYPE_A, 0); /* w.example exists: the wildcard above it does not apply */
    add_expanded("x.w.example.", "*.example.");
    add_nsec("*.w.example.", "z.example.", TYPES(TYPE_A));
    is_bogus(denied("x.w.example.", TYPE_A), EDE_NSEC_MISSING);
}

/* --- aliases --- */

static void each_link_is_checked(void **state)
{
    (void)state;
    struct bytes target = BYTES(3, 'w', 'w', 'w', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0);
    message_start(&message, "a.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "a.example.", TYPE_CNAME, target);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    assert_int_equal(denied("a.example.", TYPE_A), DNSSEC_SECURE);
    end(NULL);
    message_start(&message, "a.example.", TYPE_A, 0);
    message_record(&message, 0, "a.example.", TYPE_CNAME, target);
    message_signed(&message, &example, 0, "www.example.", TYPE_A, ADDRESS);
    is_bogus(denied("a.example.", TYPE_A), EDE_RRSIGS_MISSING);
    end(NULL);
    message_start(&message, "x.d.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "d.example.", TYPE_DNAME, BYTES(7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0));
    message_record(&message, 0, "x.d.example.", TYPE_CNAME, BYTES(1, 'x', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0));
    message_signed(&message, &example, 0, "x.example.", TYPE_A, ADDRESS);
    assert_int_equal(denied("x.d.example.", TYPE_A), DNSSEC_SECURE);
    end(NULL);
    message_start(&message, "x.d.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "d.example.", TYPE_DNAME, BYTES(7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0));
    message_record(&message, 0, "x.d.example.", TYPE_CNAME, BYTES(1, 'y', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0));
    message_signed(&message, &example, 0, "y.example.", TYPE_A, ADDRESS);
    is_bogus(denied("x.d.example.", TYPE_A), EDE_BOGUS);
}

static void a_loop_of_aliases_ends(void **state)
{
    (void)state;
    message_start(&message, "a.example.", TYPE_A, 0);
    message_signed(&message, &example, 0, "a.example.", TYPE_CNAME,
                   BYTES(1, 'a', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0));
    assert_int_equal(denied("a.example.", TYPE_A), DNSSEC_BOGUS);
    assert_true(result()->limited);
}

/* --- anchors --- */

static void anchors_are_read(void **state)
{
    (void)state;
    struct anchors *set;
    char why[ANCHORS_WHY];
    uint8_t name[NAME_MAX_WIRE];
    assert_int_equal(anchors_new(&set), 0);
    assert_int_equal(anchors_add_root(set), 0);
    const struct anchor *built_in = anchors_find(set, (const uint8_t *)"", 1, false);
    assert_int_equal(built_in->count, 2);
    assert_int_equal(read_u16(built_in->records[0].rdata.data), 20326);
    assert_int_equal(read_u16(built_in->records[1].rdata.data), 38696);
    assert_int_equal(anchors_read(set, "www.example. IN A 192.0.2.1\n", why), -EINVAL);
    assert_non_null(strstr(why, "DS or DNSKEY"));
    assert_int_equal(anchors_read(set, "; nothing\n", why), -EINVAL);
    assert_int_equal(anchors_read(set, "corp.example. IN DS 1 13 2 0123\n", why), 0);
    size_t len = signer_name(name, "a.b.corp.example.");
    assert_int_equal(anchors_closest(set, name, len, 0)->len, 14);
    len = signer_name(name, "xcorp.example.");
    assert_int_equal(anchors_closest(set, name, len, 0)->len, 1);
    anchors_unref(set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(signed_data_is_secure),
        TEST(a_signature_is_verified_once),
        TEST(changed_data_is_bogus),
        TEST(an_added_record_is_bogus),
        TEST(a_repeated_record_counts_once),
        TEST(times_have_a_tolerance_of_a_tenth),
        TEST(a_short_validity_has_60_seconds),
        TEST(a_clock_that_may_be_behind_makes_data_insecure),
        TEST(unsigned_data_is_insecure_only_below_an_insecure_delegation),
        TEST(insecure_data_lives_no_longer_than_the_signed_alias),
        TEST(unsigned_data_of_a_signed_zone_is_bogus),
        TEST(an_alias_to_an_insecure_zone_makes_nothing_insecure),
        TEST(a_foreign_nsec3_record_makes_nothing_insecure),
        TEST(a_nsec3_record_shows_a_delegation),
        TEST(a_signer_without_a_zone_does_not_help),
        TEST(a_failed_lookup_is_bogus_with_its_reason),
        TEST(keys_need_an_anchor_or_a_ds),
        TEST(a_ds_of_unknown_algorithms_makes_a_zone_insecure),
        TEST(a_revoked_key_is_not_used),
        TEST(names_without_an_anchor_are_insecure),
        TEST(keys_of_one_tag_are_limited),
        TEST(facts_hold_memory_for_their_records_only),
        TEST(signatures_are_limited),
        TEST(checks_of_a_large_rrset_are_spread),
        TEST(rrsets_are_limited),
        TEST(nodata_needs_the_bitmap),
        TEST(a_delegation_denies_its_ds_only),
        TEST(nxdomain_needs_the_wildcard_denied),
        TEST(an_insecure_record_beside_a_proof_is_left_out),
        TEST(compact_denial_is_of_one_name),
        TEST(a_wildcard_needs_a_proof),
        TEST(each_link_is_checked),
        TEST(a_loop_of_aliases_ends),
        TEST(anchors_are_read),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
