/* SPDX-License-Identifier: MIT */
/* Signed messages for tests: keys of zones, and records with signatures by them. */
#ifndef DOTSTUB_TESTS_SIGNER_H
#define DOTSTUB_TESTS_SIGNER_H

#include <assert.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "dns/codes.h"
#include "dns/message.h"
#include "dns/name.h"

#define SIGNER_NOW 1800000000 /* the time of all tests */

struct signer {
    uint8_t zone[NAME_MAX_WIRE];
    size_t zone_len;
    gnutls_privkey_t key;
    uint8_t dnskey[4 + 64];
    uint16_t tag;
};

static inline size_t signer_name(uint8_t out[NAME_MAX_WIRE], const char *text)
{
    int len = name_from_text(out, text);
    assert(len > 0);
    return (size_t)len;
}

/* Copies a number without its sign byte, or pads it. */
static inline void signer_number(uint8_t out[32], const gnutls_datum_t *number)
{
    size_t skip = number->size > 32 ? number->size - 32 : 0, len = number->size - skip;
    memset(out, 0, 32);
    memcpy(out + 32 - len, number->data + skip, len);
}

static inline void signer_make(struct signer *signer, const char *zone)
{
    gnutls_datum_t x, y;
    gnutls_ecc_curve_t curve;
    uint32_t sum = 0;
    signer->zone_len = signer_name(signer->zone, zone);
    assert(gnutls_privkey_init(&signer->key) == 0);
    assert(gnutls_privkey_generate(signer->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) ==
           0);
    assert(gnutls_privkey_export_ecc_raw(signer->key, &curve, &x, &y, NULL) == 0);
    memcpy(signer->dnskey, (uint8_t[]){1, 1, 3, 13}, 4);
    signer_number(signer->dnskey + 4, &x);
    signer_number(signer->dnskey + 36, &y);
    gnutls_free(x.data);
    gnutls_free(y.data);
    for (size_t i = 0; i < sizeof signer->dnskey; i++)
        sum += i & 1 ? signer->dnskey[i] : (uint32_t)signer->dnskey[i] << 8;
    signer->tag = (uint16_t)(sum + (sum >> 16));
}

/* A message that grows. */
struct signed_message {
    uint8_t wire[MESSAGE_MAX];
    struct writer writer;
    unsigned count[3];
    struct answer answer;
    struct answer_scratch scratch;
};

static inline void message_start(struct signed_message *message, const char *name, uint16_t type, uint16_t rcode)
{
    uint8_t wire[NAME_MAX_WIRE];
    message->writer = writer_over(message->wire, sizeof message->wire);
    memset(message->count, 0, sizeof message->count);
    writer_bytes(&message->writer, (uint8_t[]){0, 0, 0x80, (uint8_t)rcode, 0, 1, 0, 0, 0, 0, 0, 0}, 12);
    writer_bytes(&message->writer, wire, signer_name(wire, name));
    writer_u16(&message->writer, type);
    writer_u16(&message->writer, CLASS_IN);
}

static inline void message_record(struct signed_message *message, unsigned section, const char *owner, uint16_t type,
                                  struct bytes rdata)
{
    uint8_t name[NAME_MAX_WIRE];
    struct writer *writer = &message->writer;
    writer_bytes(writer, name, signer_name(name, owner));
    writer_u16(writer, type);
    writer_u16(writer, CLASS_IN);
    writer_u32(writer, 300);
    writer_u16(writer, (uint16_t)rdata.len);
    writer_bytes(writer, rdata.data, rdata.len);
    message->count[section]++;
}

struct signing {
    uint32_t inception, expiration; /* relative to SIGNER_NOW; both 0: from -1000 to 1000 */
    const char *from;               /* the wildcard that the owner is expanded from */
    uint16_t tag;                   /* 0: the key's */
    bool spoil;
};

/* Adds a signature of one record. */
static inline void message_signature(struct signed_message *message, const struct signer *signer, unsigned section,
                                     const char *owner, uint16_t type, struct bytes rdata, const struct signing *how)
{
    static const struct signing ordinary = {0};
    uint8_t data[4096], rrsig[512], name[NAME_MAX_WIRE], number[32];
    size_t name_len = signer_name(name, how && how->from ? how->from : owner);
    how = how ? how : &ordinary;
    bool usual = how->inception == 0 && how->expiration == 0;
    unsigned labels = name_labels(name) - (name[0] == 1 && name[1] == '*');
    struct writer head = writer_over(rrsig, sizeof rrsig);
    writer_u16(&head, type);
    writer_u8(&head, 13);
    writer_u8(&head, (uint8_t)labels);
    writer_u32(&head, 300);
    writer_u32(&head, SIGNER_NOW + (usual ? 1000 : how->expiration));
    writer_u32(&head, SIGNER_NOW + (usual ? (uint32_t)-1000 : how->inception));
    writer_u16(&head, how->tag ? how->tag : signer->tag);
    writer_bytes(&head, signer->zone, signer->zone_len);
    struct writer all = writer_over(data, sizeof data);
    writer_bytes(&all, rrsig, writer_len(&head));
    writer_bytes(&all, name, name_len);
    writer_u16(&all, type);
    writer_u16(&all, CLASS_IN);
    writer_u32(&all, 300);
    writer_u16(&all, (uint16_t)rdata.len);
    writer_bytes(&all, rdata.data, rdata.len);
    gnutls_datum_t input = {data, (unsigned)writer_len(&all)}, signature, r, s;
    assert(gnutls_privkey_sign_data2(signer->key, GNUTLS_SIGN_ECDSA_SHA256, 0, &input, &signature) == 0);
    assert(gnutls_decode_rs_value(&signature, &r, &s) == 0);
    signer_number(number, &r);
    number[5] ^= how->spoil;
    writer_bytes(&head, number, 32);
    signer_number(number, &s);
    writer_bytes(&head, number, 32);
    gnutls_free(signature.data);
    gnutls_free(r.data);
    gnutls_free(s.data);
    message_record(message, section, owner, TYPE_RRSIG, (struct bytes){rrsig, writer_len(&head)});
}

static inline void message_signed(struct signed_message *message, const struct signer *signer, unsigned section,
                                  const char *owner, uint16_t type, struct bytes rdata)
{
    message_record(message, section, owner, type, rdata);
    message_signature(message, signer, section, owner, type, rdata, NULL);
}

static inline const struct answer *message_end(struct signed_message *message)
{
    for (unsigned i = 0; i < 3; i++)
        write_u16(message->wire + MESSAGE_ANCOUNT + 2 * i, (uint16_t)message->count[i]);
    int status = message_own_answer(message->wire, writer_len(&message->writer), &message->scratch, &message->answer);
    assert(status == 0 && !message->writer.failed);
    (void)status;
    return &message->answer;
}

/* The data of a NSEC record: the next name, then types below 256, ending with 0. */
static inline struct bytes signer_nsec(uint8_t out[512], const char *next, const uint8_t *types)
{
    size_t len = signer_name(out, next);
    uint8_t *bitmap = out + len;
    memset(bitmap, 0, 34);
    bitmap[1] = 32;
    for (; *types; types++)
        bitmap[2 + *types / 8] |= (uint8_t)(0x80 >> (*types & 7));
    return (struct bytes){out, len + 34};
}

#endif
