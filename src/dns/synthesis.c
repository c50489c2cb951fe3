/* SPDX-License-Identifier: MIT */
/* Invariant: copied names are read from a message that was walked, so every pointer leads backwards. */
#include "dns/synthesis.h"

#include <ldns/ldns.h>
#include <string.h>

#include "dns/codes.h"
#include "walk.h"

#define POINTER    0xC0
#define REACH      0x4000
#define UNUSED     8  /* bits 64 to 71 of an address that embeds IPv4 */
#define SOA_FIXED  20 /* the numbers behind the two names */
#define ADDR_BYTES 16

/* --- addresses --- */

bool nat64_prefix_is_valid(const struct prefix *prefix)
{
    switch (prefix->bits) {
    case 32:
    case 40:
    case 48:
    case 56:
    case 64:
        return true;
    case 96:
        return prefix->bytes[UNUSED] == 0 && memcmp(prefix->bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) != 0;
    default:
        return false;
    }
}

void nat64_embed(const struct prefix *prefix, const uint8_t ipv4[4], uint8_t ipv6[16])
{
    unsigned at = prefix->bits / 8;
    memset(ipv6, 0, ADDR_BYTES);
    memcpy(ipv6, prefix->bytes, at);
    for (unsigned i = 0; i < 4; i++, at++) {
        at += at == UNUSED;
        ipv6[at] = ipv4[i];
    }
}

bool nat64_extract(const struct prefix *prefix, const uint8_t ipv6[16], uint8_t ipv4[4])
{
    unsigned at = prefix->bits / 8;
    if (memcmp(ipv6, prefix->bytes, at) != 0 || ipv6[UNUSED] != 0)
        return false;
    for (unsigned i = 0; i < 4; i++, at++) {
        at += at == UNUSED;
        ipv4[i] = ipv6[at];
    }
    return true;
}

bool nat64_discover(const uint8_t ipv6[16], struct prefix *out)
{
    static const uint8_t lengths[] = {32, 40, 48, 56, 64, 96};
    unsigned found = 0;
    for (unsigned i = 0; i < sizeof lengths; i++) {
        struct prefix prefix = {.bits = lengths[i]};
        uint8_t ipv4[4];
        memcpy(prefix.bytes, ipv6, prefix.bits / 8u);
        if (!nat64_prefix_is_valid(&prefix) || !nat64_extract(&prefix, ipv6, ipv4) ||
            memcmp(ipv4, "\xc0\0\0", 3) != 0 || (ipv4[3] != 170 && ipv4[3] != 171))
            continue;
        *out = prefix;
        found++;
    }
    return found == 1;
}

/* --- writing --- */

void synthesis_begin(struct synthesis *synthesis, uint8_t *out, size_t cap, const struct key *key, uint16_t rcode)
{
    *synthesis = (struct synthesis){
        .writer = writer_over(out, cap < MESSAGE_MAX ? cap : MESSAGE_MAX), .key = key, .ttl_max = UINT32_MAX};
    struct writer *writer = &synthesis->writer;
    writer_u16(writer, 0);
    writer_u16(writer, (uint16_t)(FLAG_QR | (rcode & 15)));
    writer_u16(writer, 1);
    writer_bytes(writer, "\0\0\0\0\0", 6);
    writer_bytes(writer, key->name, key->name_len);
    writer_u16(writer, key->type);
    writer_u16(writer, key->class);
}

void synthesis_alias(struct synthesis *synthesis, const uint8_t *target, size_t len, uint32_t ttl)
{
    struct writer *writer = &synthesis->writer;
    synthesis->owner_at = MESSAGE_HEADER;
    writer_u16(writer, POINTER << 8 | MESSAGE_HEADER);
    writer_u16(writer, LDNS_RR_TYPE_CNAME);
    writer_u16(writer, synthesis->key->class);
    writer_u32(writer, ttl);
    writer_u16(writer, (uint16_t)len);
    writer_bytes(writer, target, len);
    synthesis->count[0]++;
}

static void put_name(struct writer *writer, const uint8_t *wire, size_t at)
{
    while (wire[at] != 0) {
        if (wire[at] >= POINTER) {
            at = read_u16(wire + at) & (REACH - 1);
            continue;
        }
        writer_bytes(writer, wire + at, 1 + (size_t)wire[at]);
        at += 1 + (size_t)wire[at];
    }
    writer_u8(writer, 0);
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* True if the two names, of which both may be compressed, are equal. Lengths of labels are below 'A'. */
static bool are_equal(const uint8_t *a, size_t at_a, const uint8_t *b, size_t at_b)
{
    for (;;) {
        while (a[at_a] >= POINTER)
            at_a = read_u16(a + at_a) & (REACH - 1);
        while (b[at_b] >= POINTER)
            at_b = read_u16(b + at_b) & (REACH - 1);
        size_t len = 1 + (size_t)a[at_a];
        if (a[at_a] != b[at_b])
            return false;
        if (len == 1)
            return true;
        for (size_t i = 1; i < len; i++)
            if (lower(a[at_a + i]) != lower(b[at_b + i]))
                return false;
        at_a += len;
        at_b += len;
    }
}

static void put_owner(struct synthesis *synthesis, const uint8_t *wire, size_t at)
{
    struct writer *writer = &synthesis->writer;
    size_t here = writer_len(writer);
    if (writer->failed)
        return;
    if (are_equal(writer->start, MESSAGE_HEADER, wire, at))
        synthesis->owner_at = MESSAGE_HEADER;
    else if (!synthesis->owner_at || synthesis->owner_at >= REACH ||
             !are_equal(writer->start, synthesis->owner_at, wire, at))
        synthesis->owner_at = here;
    if (synthesis->owner_at == here)
        put_name(writer, wire, at);
    else
        writer_u16(writer, (uint16_t)(POINTER << 8 | synthesis->owner_at));
}

static void put_data(struct writer *writer, const uint8_t *wire, const struct message_record *record)
{
    size_t at = record->fixed + (size_t)RECORD_RDATA, names[RDATA_NAMES];
    unsigned count = rdata_names(wire, record->type, at, names);
    for (unsigned i = 0; i < count; i++) {
        writer_bytes(writer, wire + at, names[i] - at);
        put_name(writer, wire, names[i]);
        at = name_end(wire, names[i]);
    }
    writer_bytes(writer, wire + at, record->end - at);
}

/* `ipv6` NULL: the record's own data. */
static void put_record(struct synthesis *synthesis, const uint8_t *wire, const struct message_record *record,
                       const uint8_t *ipv6)
{
    struct writer *writer = &synthesis->writer;
    uint32_t ttl = read_u32(wire + record->fixed + RECORD_TTL);
    put_owner(synthesis, wire, record->owner);
    writer_u16(writer, ipv6 ? TYPE_AAAA : record->type);
    writer_u16(writer, read_u16(wire + record->fixed + 2));
    writer_u32(writer, ttl < synthesis->ttl_max ? ttl : synthesis->ttl_max);
    size_t start = writer_len(writer) + 2;
    writer_u16(writer, 0);
    if (ipv6)
        writer_bytes(writer, ipv6, ADDR_BYTES);
    else
        put_data(writer, wire, record);
    if (!writer->failed)
        write_u16(writer->start + start - 2, (uint16_t)(writer_len(writer) - start));
}

static void put_embedded(struct synthesis *synthesis, const uint8_t *wire, const struct message_record *record,
                         unsigned *addresses)
{
    const uint8_t *ipv4 = wire + record->fixed + RECORD_RDATA;
    uint8_t ipv6[ADDR_BYTES];
    if (synthesis->excluded && synthesis->excluded(ipv4))
        return;
    nat64_embed(synthesis->prefix, ipv4, ipv6);
    put_record(synthesis, wire, record, ipv6);
    synthesis->count[0]++;
    ++*addresses;
}

unsigned synthesis_copy_answer(struct synthesis *synthesis, const struct answer *from, struct rewrite *rewrite)
{
    unsigned addresses = 0;
    rewrite_list(rewrite, from);
    for (unsigned i = 0; i < rewrite->section_start[1]; i++) {
        const struct message_record *record = &rewrite->record[i];
        if (type_is_dnssec(record->type))
            continue;
        if (synthesis->prefix && record->type == TYPE_A) {
            put_embedded(synthesis, from->wire, record, &addresses);
            continue;
        }
        put_record(synthesis, from->wire, record, NULL);
        synthesis->count[0]++;
        addresses += record->type == TYPE_A || record->type == TYPE_AAAA;
    }
    return addresses;
}

void synthesis_copy_soa(struct synthesis *synthesis, const struct answer *from, struct rewrite *rewrite)
{
    rewrite_list(rewrite, from);
    for (unsigned i = rewrite->section_start[1]; i < rewrite->section_start[2]; i++) {
        if (rewrite->record[i].type != TYPE_SOA)
            continue;
        put_record(synthesis, from->wire, &rewrite->record[i], NULL);
        synthesis->count[1]++;
        return;
    }
}

size_t synthesis_end(struct synthesis *synthesis)
{
    if (synthesis->writer.failed)
        return 0;
    write_u16(synthesis->writer.start + LDNS_ANCOUNT_OFF, (uint16_t)synthesis->count[0]);
    write_u16(synthesis->writer.start + LDNS_NSCOUNT_OFF, (uint16_t)synthesis->count[1]);
    return writer_len(&synthesis->writer);
}

uint32_t synthesis_negative_ttl(const struct answer *answer, struct rewrite *rewrite, uint32_t other)
{
    rewrite_list(rewrite, answer);
    for (unsigned i = rewrite->section_start[1]; i < rewrite->section_start[2]; i++) {
        const struct message_record *record = &rewrite->record[i];
        if (record->type != TYPE_SOA || record->end - record->fixed < RECORD_RDATA + SOA_FIXED)
            continue;
        uint32_t ttl = read_u32(answer->wire + record->fixed + RECORD_TTL);
        uint32_t minimum = read_u32(answer->wire + record->end - 4);
        return ttl < minimum ? ttl : minimum;
    }
    return other;
}
