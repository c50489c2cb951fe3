/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - The stored question is the key's name, so it is in lower case, and the octets behind it are the key's
 *   type and class: an entry is found by exactly the question it answers.
 * - Time is kept modulo 2^40 ms and read as a signed difference, so an age is right as long as it is below
 *   2^39 ms: 17 years, however long the machine has been up.
 * - entry_units(entry) is entry_units_for(answer) of the answer it was written from, and nothing else tells
 *   its size.
 */
#include "cache/entry.h"

#include <assert.h>
#include <string.h>

#define ID_LEN    2
#define BORN_BITS 40
#define BORN_MASK ((UINT64_C(1) << BORN_BITS) - 1)

_Static_assert((KEY_DO | KEY_CD) == 3, "the flags of a key fit into two bits");
_Static_assert(ENTRY_EXTRA_MAX <= UINT8_MAX, "one octet says how long the extra part is");
_Static_assert(offsetof(struct entry, ttl_offsets) == 26, "the header has no padding before the offsets");

/* The extra part: its own length, rcode, offset of the additional section, extended errors. */
#define EXTRA_FIXED 6

static size_t extra_len(const struct answer *answer)
{
    bool derivable = answer->ede.count == 0 && answer->additional == answer->len &&
                     answer->rcode == (answer->wire[MESSAGE_FLAGS + 1] & 0x0f);
    size_t len = EXTRA_FIXED;

    if (derivable)
        return 0;
    assert(answer->ede.count <= EDE_MAX);
    for (unsigned i = 0; i < answer->ede.count; i++) {
        assert(answer->ede.item[i].len <= EDE_TEXT);
        len += 3 + (size_t)answer->ede.item[i].len;
    }
    return len;
}

static uint32_t units_of(size_t ttl_count, size_t len, size_t extra)
{
    size_t octets = offsetof(struct entry, ttl_offsets) + ttl_count * sizeof(uint16_t) + (len - ID_LEN) + extra;
    return (uint32_t)((octets + ENTRY_UNIT - 1) / ENTRY_UNIT);
}

uint32_t entry_units_for(const struct answer *answer)
{
    return units_of(answer->ttl_count, answer->len, extra_len(answer));
}

/* Where octet `offset` of the message lies; offset len is that of the extra part. */
static const uint8_t *octet_at(const struct entry *entry, size_t offset)
{
    return (const uint8_t *)(entry->ttl_offsets + entry->ttl_count) + offset - ID_LEN;
}

uint32_t entry_units(const struct entry *entry)
{
    if (entry->gap)
        return (uint32_t)entry->born;
    return units_of(entry->ttl_count, entry->len, entry->extra ? *octet_at(entry, entry->len) : 0);
}

static void write_extra(uint8_t *at, size_t len, const struct answer *answer)
{
    struct writer writer = writer_over(at, len);
    writer_u8(&writer, (uint8_t)len);
    writer_u16(&writer, answer->rcode);
    writer_u16(&writer, answer->additional);
    writer_u8(&writer, (uint8_t)answer->ede.count);
    for (unsigned i = 0; i < answer->ede.count; i++) {
        const struct ede *ede = &answer->ede.item[i];
        writer_u16(&writer, ede->code);
        writer_u8(&writer, ede->len);
        writer_bytes(&writer, ede->text, ede->len);
    }
    assert(!writer.failed);
}

void entry_write(struct entry *entry, const struct key *key, uint64_t hash, const struct answer *answer, unsigned hits,
                 uint64_t now_ms)
{
    size_t extra = extra_len(answer);
    uint8_t *message;

    entry->born = now_ms & BORN_MASK;
    entry->len = (uint16_t)answer->len;
    entry->gap = 0;
    entry->hits = hits & ENTRY_HITS_MAX;
    entry->flags = key->flags & 3u;
    entry->authenticated = answer->authenticated;
    entry->truncated = answer->truncated;
    entry->extra = extra > 0;
    entry->hash = (uint32_t)hash;
    entry->group = key->group;
    entry->ttl = answer->ttl;
    entry->ttl_count = (uint16_t)answer->ttl_count;
    if (answer->ttl_count > 0)
        memcpy(entry->ttl_offsets, answer->ttl_offsets, answer->ttl_count * sizeof(uint16_t));

    message = (uint8_t *)(entry->ttl_offsets + entry->ttl_count);
    memcpy(message, answer->wire + ID_LEN, answer->len - ID_LEN);
    memcpy(message + MESSAGE_HEADER - ID_LEN, key->name, key->name_len);
    if (extra > 0)
        write_extra(message + answer->len - ID_LEN, extra, answer);
}

void entry_write_gap(struct entry *entry, uint32_t units)
{
    entry->gap = 1;
    entry->born = units;
}

void entry_trim(struct entry *entry, uint32_t units)
{
    uint32_t kept = entry_units(entry);

    assert(kept <= units);
    if (kept < units)
        entry_write_gap((struct entry *)(void *)((uint8_t *)entry + (size_t)kept * ENTRY_UNIT), units - kept);
}

bool entry_matches(const struct entry *entry, const struct key *key)
{
    const uint8_t *name = (const uint8_t *)(entry->ttl_offsets + entry->ttl_count) + MESSAGE_HEADER - ID_LEN;

    if (entry->group != key->group || entry->flags != key->flags || entry->len < MESSAGE_HEADER + key->name_len + 4u)
        return false;
    return memcmp(name, key->name, key->name_len) == 0 &&
           read_u32(name + key->name_len) == ((uint32_t)key->type << 16 | key->class);
}

bool entry_is_for(const struct entry *entry, const uint8_t *name, size_t name_octets, bool below)
{
    const uint8_t *own = octet_at(entry, MESSAGE_HEADER);
    size_t octets = name_len((struct bytes){own, entry->len - MESSAGE_HEADER});

    if (below)
        return name_is_under(own, octets, name, name_octets);
    return octets == name_octets && memcmp(own, name, octets) == 0;
}

uint64_t entry_age(const struct entry *entry, uint64_t now_ms)
{
    uint64_t age = (now_ms - entry->born) & BORN_MASK;
    return age >> (BORN_BITS - 1) ? 0 : age;
}

static void read_extra(const uint8_t *at, struct answer *answer)
{
    struct cursor cursor = cursor_over((struct bytes){at + 1, *at - 1u});
    answer->rcode = cursor_u16(&cursor);
    answer->additional = cursor_u16(&cursor);
    answer->ede.count = cursor_u8(&cursor);
    for (unsigned i = 0; i < answer->ede.count; i++) {
        struct ede *ede = &answer->ede.item[i];
        ede->code = cursor_u16(&cursor);
        ede->len = cursor_u8(&cursor);
        memcpy(ede->text, cursor_take(&cursor, ede->len), ede->len);
    }
    assert(!cursor.failed);
}

void entry_read(const struct entry *entry, uint8_t *out, struct answer *answer)
{
    const uint8_t *message = (const uint8_t *)(entry->ttl_offsets + entry->ttl_count);
    out[0] = out[1] = 0;
    memcpy(out + ID_LEN, message, entry->len - ID_LEN);
    answer->wire = out;
    answer->len = entry->len;
    answer->rcode = out[MESSAGE_FLAGS + 1] & 0x0f;
    answer->additional = entry->len;
    answer->authenticated = entry->authenticated;
    answer->truncated = entry->truncated;
    answer->ttl_offsets = NULL;
    answer->ttl_count = 0;
    answer->ede.count = 0;
    if (entry->extra)
        read_extra(message + entry->len - ID_LEN, answer);
}
