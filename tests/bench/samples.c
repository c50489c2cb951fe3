/* SPDX-License-Identifier: MIT */
#include "samples.h"
#include "../tools/names.h"

static void put_record(struct sample *sample, struct writer *writer, unsigned index)
{
    writer_u16(writer, 0xC000 | MESSAGE_HEADER);
    writer_u32(writer, 0x00010001);
    sample->ttl_offsets[index] = (uint16_t)writer_len(writer);
    writer_u32(writer, 0);
    writer_u16(writer, 4);
    writer_u32(writer, 0xC0000200 + index);
}

static void make_key(struct sample *sample, uint32_t number)
{
    char text[QUERY_NAME];
    name_put(text, "%u.example", 10000000 + number);
    sample->key.group = 1;
    sample->key.type = sample->key.class = 1;
    sample->key.flags = 0;
    sample->key.name_len = (uint8_t)name_from_text(sample->key.name, text);
    sample->hash = key_hash(&sample->key);
}

void sample_make(struct sample *sample, uint32_t number, unsigned records, uint32_t ttl_s)
{
    struct writer writer = writer_over(sample->wire, sizeof sample->wire);
    make_key(sample, number);
    writer_u32(&writer, FLAG_QR | FLAG_RD | FLAG_RA);
    writer_u16(&writer, 1);
    writer_u16(&writer, (uint16_t)records);
    writer_u32(&writer, 0);
    writer_bytes(&writer, sample->key.name, sample->key.name_len);
    writer_u32(&writer, 0x00010001);
    for (unsigned i = 0; i < records; i++)
        put_record(sample, &writer, i);
    sample->answer = (struct answer){.wire = sample->wire,
                                     .len = writer_len(&writer),
                                     .additional = (uint16_t)writer_len(&writer),
                                     .ttl = ttl_s,
                                     .ttl_offsets = sample->ttl_offsets,
                                     .ttl_count = records};
}
