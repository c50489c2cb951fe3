/* SPDX-License-Identifier: MIT */
/* DNSKEY RRsets of a root with any number of key-signing keys, signed at `now_s`, as messages and sightings. */
#ifndef DOTSTUB_TESTS_ROOT_SIGNER_H
#define DOTSTUB_TESTS_ROOT_SIGNER_H

#include "dnssec/sighting.h"
#include "dnssec/wire.h"
#include "signer.h"

enum { DAY = 86400, VALIDITY = 20 * DAY, TTL = 172800 };

/* A KSK of the root, in one of its two forms. */
struct ksk {
    struct signer signer;
    bool revoked;
};

static int64_t now_s;

static inline struct bytes key_of(const struct ksk *ksk)
{
    return (struct bytes){ksk->signer.dnskey, sizeof ksk->signer.dnskey};
}

static inline void set_flags(struct ksk *ksk, uint16_t flags)
{
    write_u16(ksk->signer.dnskey, flags);
    ksk->signer.tag = dnskey_tag(key_of(ksk));
    ksk->revoked = flags & DNSKEY_REVOKED;
}

static inline void make_key(struct ksk *ksk)
{
    signer_make(&ksk->signer, ".");
    set_flags(ksk, 0x0101);
}

/* The same key with the bit REVOKE. */
static inline struct ksk revoked(const struct ksk *ksk)
{
    struct ksk form = *ksk;
    set_flags(&form, 0x0181);
    return form;
}

/* --- messages --- */

struct set {
    const struct ksk *keys[SIGHTING_KEYS + 4];
    const struct ksk *signers[SIGHTING_KEYS + 4];
    int64_t from_s, until_s; /* of the signatures; 0: around the time of the sighting */
    bool spoil;
    unsigned copies; /* of the first signature */
};

static inline int compare_keys(const void *a, const void *b)
{
    const struct ksk *const *left = a, *const *right = b;
    return memcmp((*left)->signer.dnskey, (*right)->signer.dnskey, sizeof(*left)->signer.dnskey);
}

static inline void sign_data(const struct ksk *ksk, const uint8_t *data, size_t len, bool spoil, struct writer *out)
{
    gnutls_datum_t input = {(uint8_t *)data, (unsigned)len}, signature, r, s;
    uint8_t number[32];
    assert_int_equal(gnutls_privkey_sign_data2(ksk->signer.key, GNUTLS_SIGN_ECDSA_SHA256, 0, &input, &signature), 0);
    assert_int_equal(gnutls_decode_rs_value(&signature, &r, &s), 0);
    signer_number(number, &r);
    number[5] ^= spoil;
    writer_bytes(out, number, 32);
    signer_number(number, &s);
    writer_bytes(out, number, 32);
    gnutls_free(signature.data);
    gnutls_free(r.data);
    gnutls_free(s.data);
}

/* The RRSIG of the set by one key. */
static inline size_t sign_set(const struct set *set, const struct ksk *ksk, uint8_t out[512])
{
    const struct ksk *sorted[SIGHTING_KEYS + 4];
    static uint8_t data[8192];
    unsigned count = 0;
    while (set->keys[count]) {
        sorted[count] = set->keys[count];
        count++;
    }
    qsort(sorted, count, sizeof *sorted, compare_keys);
    struct writer head = writer_over(out, 512), all = writer_over(data, sizeof data);
    writer_u16(&head, TYPE_DNSKEY);
    writer_u8(&head, 13);
    writer_u8(&head, 0);
    writer_u32(&head, TTL);
    writer_u32(&head, (uint32_t)(set->until_s ? set->until_s : now_s + VALIDITY));
    writer_u32(&head, (uint32_t)(set->from_s ? set->from_s : now_s - DAY));
    writer_u16(&head, ksk->signer.tag);
    writer_u8(&head, 0);
    writer_bytes(&all, out, writer_len(&head));
    for (unsigned i = 0; i < count; i++) {
        writer_u8(&all, 0);
        writer_u16(&all, TYPE_DNSKEY);
        writer_u16(&all, CLASS_IN);
        writer_u32(&all, TTL);
        writer_u16(&all, sizeof ksk->signer.dnskey);
        writer_bytes(&all, sorted[i]->signer.dnskey, sizeof ksk->signer.dnskey);
    }
    assert_false(all.failed);
    sign_data(ksk, data, writer_len(&all), set->spoil, &head);
    return writer_len(&head);
}

static inline struct bytes message_of(const struct set *set)
{
    static struct signed_message message;
    uint8_t rrsig[512];
    message_start(&message, ".", TYPE_DNSKEY, 0);
    for (unsigned i = 0; set->keys[i]; i++)
        message_record(&message, 0, ".", TYPE_DNSKEY, key_of(set->keys[i]));
    for (unsigned i = 0; set->signers[i]; i++)
        for (unsigned copy = 0; copy < (i == 0 && set->copies ? set->copies : 1); copy++)
            message_record(&message, 0, ".", TYPE_RRSIG, (struct bytes){rrsig, sign_set(set, set->signers[i], rrsig)});
    const struct answer *answer = message_end(&message);
    return (struct bytes){answer->wire, answer->len};
}

static inline struct sighting *sighting_of(const struct set *set)
{
    struct sighting *sighting;
    assert_int_equal(sighting_new(&sighting, message_of(set), now_s), 0);
    return sighting;
}

#define KEYS(...)    .keys = {__VA_ARGS__}
#define SIGNERS(...) .signers = {__VA_ARGS__}
#endif
