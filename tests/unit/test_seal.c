/* SPDX-License-Identifier: MIT */
/* Names of entries and sealed values: what a hostile store can do with them. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "store/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_MS    INT64_C(1700000000000)
#define FIRST     "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define SECOND    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
#define ALL_ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct bytes text_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct seal_keys keys_of(const char *text)
{
    struct seal_keys keys;
    const char *why;
    assert_int_equal(seal_keys_parse(&keys, text_of(text), &why), 0);
    return keys;
}

static void key_files_are_read_strictly(void **state)
{
    (void)state;
    struct seal_keys keys = {.count = 7};
    const char *why = NULL;
    static const char *const bad[] = {"",
                                      "\n# a comment\n",
                                      "short\n",
                                      "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5\n",
                                      ALL_ZEROS,
                                      FIRST " " SECOND,
                                      FIRST "\n" SECOND "\n" FIRST "\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why = NULL;
        assert_int_equal(seal_keys_parse(&keys, text_of(bad[i]), &why), -EINVAL);
        assert_non_null(why);
        assert_int_equal(keys.count, 7);
    }
    assert_int_equal(keys_of(FIRST).count, 1);
    assert_int_equal(keys_of("# of the fleet\r\n" FIRST "\r\n\n" SECOND "  \n").count, 2);
}

static void subkeys_differ(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST "\n" SECOND);
    const uint8_t *all[] = {keys.key[0].names, keys.key[0].values, keys.key[0].control, keys.key[0].nonces,
                            keys.key[1].names, keys.key[1].values, keys.key[1].control, keys.key[1].nonces};
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(all[i], all[j], SEAL_NONCE_KEY);
}

static void names_depend_on_key_and_kind(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST "\n" SECOND);
    uint8_t a[SEAL_NAME], b[SEAL_NAME];
    char text[SEAL_TEXT + 1];
    seal_name(a, &keys, 0, SEAL_ANSWER, text_of("www.example"));
    seal_name(b, &keys, 0, SEAL_ANSWER, text_of("www.example"));
    assert_memory_equal(a, b, SEAL_NAME);
    seal_name(b, &keys, 0, SEAL_ANSWER, text_of("www.examplf"));
    assert_memory_not_equal(a, b, SEAL_NAME);
    seal_name(b, &keys, 1, SEAL_ANSWER, text_of("www.example"));
    assert_memory_not_equal(a, b, SEAL_NAME);
    seal_name(b, &keys, 0, SEAL_LEASE, text_of("www.example"));
    assert_memory_not_equal(a, b, SEAL_NAME);
    seal_text(text, a);
    assert_int_equal(strlen(text), SEAL_TEXT);
    char expected[SEAL_TEXT + 1] = "dotstub:";
    for (int i = 0; i < 256; i += SEAL_NAME) {
        for (int j = 0; j < SEAL_NAME; j++)
            a[j] = (uint8_t)((i + j) * 167);
        seal_text(text, a);
        sodium_bin2base64(expected + 8, SEAL_TEXT + 1 - 8, a, SEAL_NAME, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        assert_string_equal(text, expected);
    }
    assert_memory_equal(text, "dotstub:", 8);
    assert_null(strstr(text, "example"));
    assert_int_equal(strspn(text + 8, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
}

/* A sealed value and the terms to open it with. */
struct sample {
    uint8_t name[SEAL_NAME], sealed[21000];
    size_t len;
};

static void sample_make(struct sample *sample, const struct seal_keys *keys, const char *of, const void *content,
                        size_t len)
{
    seal_name(sample->name, keys, 0, SEAL_ANSWER, text_of(of));
    const struct seal_terms terms = {
        .kind = SEAL_ANSWER, .name = sample->name, .sealed_ms = NOW_MS, .expires_ms = NOW_MS + 60000};
    sample->len = seal_len(len);
    assert_true(sample->len <= sizeof sample->sealed);
    seal(sample->sealed, keys, &terms, (struct bytes){content, len});
}

static enum seal_verdict sample_open(const struct sample *sample, const struct seal_keys *keys, unsigned which,
                                     enum seal_kind kind, int64_t now_ms, struct bytes *content)
{
    static uint8_t copy[21000];
    struct seal_terms terms = {.kind = kind, .name = sample->name};
    memcpy(copy, sample->sealed, sample->len);
    return unseal(copy, sample->len, keys, which, now_ms, &terms, content);
}

static void every_length_comes_back(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST);
    static uint8_t content[17000];
    static struct sample sample;
    struct bytes out;
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 7 + 0x80);
    for (size_t len = 0; len <= sizeof content; len += len < 1100 ? 1 : len < 8300 ? 97 : 401) {
        sample_make(&sample, &keys, "a", content, len);
        assert_int_equal(sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS, &out), SEAL_OPENED);
        assert_int_equal(out.len, len);
        assert_memory_equal(out.data, content, len);
    }
    assert_int_equal(seal_len(1), seal_len(120));
    assert_int_equal(seal_len(1000) % 128, (SEAL_HEADER + SEAL_TAG) % 128);
}

static void every_changed_bit_is_noticed(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST);
    static struct sample sample;
    struct bytes out;
    sample_make(&sample, &keys, "a", "content", 7);
    for (size_t bit = 0; bit < sample.len * 8; bit++) {
        sample.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum seal_verdict verdict = sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS, &out);
        assert_int_equal(verdict, bit < 16 ? SEAL_FOREIGN : SEAL_DAMAGED);
        sample.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = sample.len; len-- > 0;) {
        sample.len = len;
        assert_int_not_equal(sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS, &out), SEAL_OPENED);
    }
}

static void values_of_others_are_refused(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST), others = keys_of(SECOND);
    static struct sample sample, moved;
    struct bytes out;
    sample_make(&sample, &keys, "a", "content", 7);
    sample_make(&moved, &keys, "b", "content", 7);
    memcpy(moved.sealed, sample.sealed, sample.len);
    assert_int_equal(sample_open(&moved, &keys, 0, SEAL_ANSWER, NOW_MS, &out), SEAL_DAMAGED);
    assert_int_equal(sample_open(&sample, &others, 0, SEAL_ANSWER, NOW_MS, &out), SEAL_DAMAGED);
    assert_int_equal(sample_open(&sample, &keys, 0, SEAL_LEASE, NOW_MS, &out), SEAL_FOREIGN);
    sample.sealed[1] = SEAL_LEASE; /* the kind is bound as well */
    assert_int_equal(sample_open(&sample, &keys, 0, SEAL_LEASE, NOW_MS, &out), SEAL_DAMAGED);
}

static void a_value_has_its_time(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST);
    static struct sample sample;
    struct bytes out;
    sample_make(&sample, &keys, "a", "content", 7);
    assert_int_equal(sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS - 5000, &out), SEAL_OPENED);
    assert_int_equal(sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS - 5001, &out), SEAL_EARLY);
    assert_int_equal(sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS + 59999, &out), SEAL_OPENED);
    assert_int_equal(sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS + 60000, &out), SEAL_EXPIRED);
}

/* While keys change, some replicas still seal with the previous one. */
static void a_second_key_opens_only(void **state)
{
    (void)state;
    struct seal_keys old = keys_of(FIRST), both = keys_of(SECOND "\n" FIRST);
    static struct sample sample;
    uint8_t name[SEAL_NAME];
    struct bytes out;
    sample_make(&sample, &old, "a", "content", 7);
    seal_name(name, &both, 1, SEAL_ANSWER, text_of("a"));
    assert_memory_equal(name, sample.name, SEAL_NAME);
    assert_int_equal(sample_open(&sample, &both, 1, SEAL_ANSWER, NOW_MS, &out), SEAL_OPENED);
    assert_int_equal(sample_open(&sample, &both, 0, SEAL_ANSWER, NOW_MS, &out), SEAL_DAMAGED);
    sample_make(&sample, &both, "a", "content", 7);
    assert_int_equal(sample_open(&sample, &both, 0, SEAL_ANSWER, NOW_MS, &out), SEAL_OPENED);
    assert_int_equal(sample_open(&sample, &old, 0, SEAL_ANSWER, NOW_MS, &out), SEAL_DAMAGED);
}

/* No replica with the key seals such a value. */
static void bad_padding_is_refused(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST);
    static struct sample sample;
    struct bytes out;
    for (int with = 0; with < 3; with++) {
        uint8_t associated[18 + SEAL_NAME], *text = sample.sealed + SEAL_HEADER;
        sample_make(&sample, &keys, "a", "content", 7);
        memcpy(associated, sample.sealed, 18);
        memcpy(associated + 18, sample.name, SEAL_NAME);
        memset(text, 0, 128);
        if (with > 0)
            text[0] = with == 1 ? 0x80 : 0x81;
        crypto_aead_xchacha20poly1305_ietf_encrypt(text, NULL, text, 128, associated, sizeof associated, NULL,
                                                   text - 24, keys.key[0].values);
        assert_int_equal(sample_open(&sample, &keys, 0, SEAL_ANSWER, NOW_MS, &out),
                         with == 1 ? SEAL_OPENED : SEAL_DAMAGED);
    }
    assert_int_equal(out.len, 0);
}

/* Each difference changes the hash in the nonce; another millisecond changes the random part. */
static void no_nonce_is_used_twice(void **state)
{
    (void)state;
    struct seal_keys keys = keys_of(FIRST), others = keys_of(SECOND);
    static uint8_t content[300], sealed[2 * 8 * sizeof content][SEAL_HEADER + 384 + SEAL_TAG];
    uint8_t names[2][SEAL_NAME] = {{1}, {2}};
    const struct seal_terms terms[] = {{SEAL_ANSWER, names[0], NOW_MS, NOW_MS + 60000},
                                       {SEAL_POPULAR, names[0], NOW_MS, NOW_MS + 60000},
                                       {SEAL_ANSWER, names[1], NOW_MS, NOW_MS + 60000},
                                       {SEAL_ANSWER, names[0], NOW_MS, NOW_MS + 60001},
                                       {SEAL_ANSWER, names[0], NOW_MS + 1, NOW_MS + 60000}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
        for (size_t len = 0; len < sizeof content; len += 50)
            seal(sealed[count++], &keys, &terms[i], (struct bytes){content, len});
    seal(sealed[count++], &others, &terms[0], (struct bytes){content, 50});
    for (size_t i = 0; i < sizeof content * 8; i++) {
        content[i / 8] ^= (uint8_t)(1 << i % 8);
        seal(sealed[count++], &keys, &terms[0], (struct bytes){content, sizeof content});
        content[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(sealed[i] + 26, sealed[j] + 26, 16); /* without the random bytes */
    seal(sealed[count], &keys, &terms[4], (struct bytes){content, 0});   /* another millisecond */
    seal(sealed[count], &keys, &terms[0], (struct bytes){content, 0});
    assert_memory_equal(sealed[count], sealed[0], 18);
    assert_memory_not_equal(sealed[count] + 18, sealed[0] + 18, 8);
    assert_memory_equal(sealed[count] + 26, sealed[0] + 26, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_files_are_read_strictly),  cmocka_unit_test(subkeys_differ),
        cmocka_unit_test(names_depend_on_key_and_kind), cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(every_changed_bit_is_noticed), cmocka_unit_test(values_of_others_are_refused),
        cmocka_unit_test(a_value_has_its_time),         cmocka_unit_test(a_second_key_opens_only),
        cmocka_unit_test(bad_padding_is_refused),       cmocka_unit_test(no_nonce_is_used_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
