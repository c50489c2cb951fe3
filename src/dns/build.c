/* SPDX-License-Identifier: MIT */
#include "dns/build.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "walk.h"

#define POINTER 0xc000

enum { REACH = 0x4000 /* of a pointer */ };
enum { SERIAL = 1, REFRESH = 3600, RETRY = 1200, EXPIRE = 604800 };

void build_begin(struct build *build, uint8_t *out, size_t cap, const struct key *key)
{
    static const uint8_t zeros[MESSAGE_HEADER] = {0};
    *build = (struct build){.writer = writer_over(out, cap < MESSAGE_MAX ? cap : MESSAGE_MAX), .class = key->class};
    writer_bytes(&build->writer, zeros, sizeof zeros);
    writer_bytes(&build->writer, key->name, key->name_len);
    writer_u16(&build->writer, key->type);
    writer_u16(&build->writer, key->class);
}

/* In its letter case, unless it repeats the last one. */
static void put_owner(struct build *build, const uint8_t *owner)
{
    struct writer *writer = &build->writer;
    if (build->owner && name_equal(build->owner, owner)) {
        writer_u16(writer, (uint16_t)(POINTER | (build->owner - writer->start)));
        return;
    }
    size_t len = name_len((struct bytes){owner, NAME_MAX_WIRE});
    uint8_t *at = writer_take(writer, len);
    if (at)
        memcpy(at, owner, len);
    if (at && at - writer->start < REACH)
        build->owner = at;
}

void build_record(struct build *build, enum build_section section, const uint8_t *owner, uint16_t type, uint32_t ttl,
                  const void *rdata, size_t len)
{
    struct writer *writer = &build->writer;
    if (owner)
        put_owner(build, owner);
    else
        writer_u16(writer, POINTER | MESSAGE_HEADER);
    writer_u16(writer, type);
    writer_u16(writer, build->class);
    writer_u32(writer, ttl);
    writer_u16(writer, (uint16_t)len);
    writer_bytes(writer, rdata, len);
    build->count[section]++;
}

void build_soa(struct build *build, enum build_section section, const uint8_t *zone, uint32_t ttl)
{
    static const uint8_t contact[] = "\6nobody\7invalid";
    uint8_t rdata[NAME_MAX_WIRE + sizeof contact + 20];
    struct writer writer = writer_over(rdata, sizeof rdata);
    writer_bytes(&writer, zone, name_len((struct bytes){zone, NAME_MAX_WIRE}));
    writer_bytes(&writer, contact, sizeof contact);
    writer_u32(&writer, SERIAL);
    writer_u32(&writer, REFRESH);
    writer_u32(&writer, RETRY);
    writer_u32(&writer, EXPIRE);
    writer_u32(&writer, ttl);
    build_record(build, section, zone, TYPE_SOA, ttl, rdata, writer_len(&writer));
}

/* --- records of another message --- */

/* Writes the name at `at` without pointers. Returns the offset behind it. */
static size_t expand(const uint8_t *wire, size_t at, struct writer *out)
{
    size_t end = name_end(wire, at);
    while (wire[at]) {
        if (wire[at] >= POINTER >> 8) {
            at = read_u16(wire + at) & (REACH - 1);
            continue;
        }
        writer_bytes(out, wire + at, 1 + (size_t)wire[at]);
        at += 1 + (size_t)wire[at];
    }
    writer_u8(out, 0);
    return end;
}

/* Copies the record at `at`. Returns the offset behind it. */
static size_t copy_record(struct build *build, enum build_section section, const uint8_t *wire, size_t at)
{
    uint8_t owner[NAME_MAX_WIRE];
    struct writer owner_writer = writer_over(owner, sizeof owner);
    size_t fixed = expand(wire, at, &owner_writer), names[RDATA_NAMES];
    uint16_t type = read_u16(wire + fixed);
    size_t end = fixed + RECORD_FIXED + read_u16(wire + fixed + RECORD_FIXED - 2);
    at = fixed + RECORD_FIXED;
    build_record(build, section, owner, type, read_u32(wire + fixed + 4), NULL, 0);
    uint8_t *start = build->writer.at;
    unsigned count = rdata_names(wire, type, at, names);
    for (unsigned i = 0; i < count; i++) {
        writer_bytes(&build->writer, wire + at, names[i] - at);
        at = expand(wire, names[i], &build->writer);
    }
    writer_bytes(&build->writer, wire + at, end - at);
    if (!build->writer.failed)
        write_u16(start - 2, (uint16_t)(build->writer.at - start));
    return end;
}

void build_append(struct build *build, const struct answer *from)
{
    size_t at = message_question_end(from);
    for (enum build_section section = BUILD_ANSWER; section <= BUILD_AUTHORITY; section++)
        for (unsigned left = read_u16(from->wire + MESSAGE_FLAGS + 4 + 2 * section); left > 0; left--)
            at = copy_record(build, section, from->wire, at);
}

int build_end(struct build *build, uint16_t rcode)
{
    uint8_t *out = build->writer.start;
    assert(rcode <= 15);
    if (build->writer.failed)
        return -ENOSPC;
    write_u16(out + MESSAGE_FLAGS, (uint16_t)(FLAG_QR | rcode));
    write_u16(out + MESSAGE_FLAGS + 2, 1);
    for (unsigned i = 0; i < 3; i++)
        write_u16(out + MESSAGE_FLAGS + 4 + 2 * i, build->count[i]);
    return (int)writer_len(&build->writer);
}
