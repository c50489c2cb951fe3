/* SPDX-License-Identifier: MIT */
/* Answers for tests of the cache: a key, and a message of A records whose address identifies the put. */
#ifndef DOTSTUB_TESTS_ANSWERS_H
#define DOTSTUB_TESTS_ANSWERS_H

#include <stdio.h>
#include <string.h>
#include "dns/key.h"
#include "dns/message.h"

struct sample {
    struct key key;
    uint64_t hash;
    struct answer answer;
    uint8_t wire[MESSAGE_MAX];
    uint16_t ttl_offsets[MESSAGE_MAX_RECORDS];
};

#define SAMPLE_RECORD 16 /* bytes of an A record with a compressed owner */

/* The key of name number `number`: "n0000001.example. IN A" for 1. */
static inline void sample_key(struct sample *sample, unsigned number)
{
    struct key *key = &sample->key;
    int digits = snprintf((char *)key->name + 1, 32, "n%07u", number);

    key->group = 0;
    key->type = 1;
    key->class = 1;
    key->flags = 0;
    key->name[0] = (uint8_t)digits;
    memcpy(key->name + 1 + digits, "\7example", 9);
    key->name_len = (uint8_t)(1 + digits + 9);
    sample->hash = key_hash(key);
}

/* An answer of `records` A records, each with the address `mark` and the time to live `ttl`, to sample->key.
 */
static inline void sample_answer(struct sample *sample, unsigned records, uint32_t mark, uint32_t ttl)
{
    const struct key *key = &sample->key;
    struct writer writer = writer_over(sample->wire, sizeof(sample->wire));

    writer_u16(&writer, 0x1234);
    writer_u16(&writer, FLAG_QR | FLAG_RD | FLAG_RA);
    writer_u16(&writer, 1);
    writer_u16(&writer, (uint16_t)records);
    writer_u32(&writer, 0);
    writer_bytes(&writer, key->name, key->name_len);
    writer_u16(&writer, key->type);
    writer_u16(&writer, key->class);
    for (unsigned i = 0; i < records; i++) {
        writer_u16(&writer, 0xc00c);
        writer_u32(&writer, 0x00010001);
        sample->ttl_offsets[i] = (uint16_t)writer_len(&writer);
        writer_u32(&writer, ttl);
        writer_u16(&writer, 4);
        writer_u32(&writer, mark);
    }
    memset(&sample->answer, 0, sizeof(sample->answer));
    sample->answer.wire = sample->wire;
    sample->answer.len = writer_len(&writer);
    sample->answer.additional = (uint16_t)writer_len(&writer);
    sample->answer.ttl = ttl;
    sample->answer.ttl_offsets = sample->ttl_offsets;
    sample->answer.ttl_count = records;
}

/* The mark and the time to live of record `i` of a message that sample_answer made for this key. */
static inline uint32_t sample_mark(const struct key *key, const uint8_t *wire, unsigned i)
{
    return read_u32(wire + MESSAGE_HEADER + key->name_len + 4 + i * SAMPLE_RECORD + 12);
}

static inline uint32_t sample_ttl(const struct key *key, const uint8_t *wire, unsigned i)
{
    return read_u32(wire + MESSAGE_HEADER + key->name_len + 4 + i * SAMPLE_RECORD + 6);
}

#endif
