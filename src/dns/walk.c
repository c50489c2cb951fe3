/* SPDX-License-Identifier: MIT */
/* Names and records on the wire.
 *
 * Invariants:
 * - For each offset at which a name is known to start, name_at holds its length (low byte, 1 to 255) and the number
 *   of pointers up to the root (high byte). Offsets are only added, and only after a name was read to its end.
 * - No name includes a byte of a TTL: TTLs are marked in name_at, because they change later (ttl.h).
 * - A chunk is the part of a name between two pointers. The target chunk of a pointer starts and ends before the
 *   chunk with the pointer, so a chain of chunks ends, and the chunks of a name are disjoint.
 * - An unknown label is read once to measure it and once to record it. So all names of a message together cost at
 *   most one visit per byte of the message.
 * - Behind the OPT, each offset in name_at is a label of an owner name or of a name field: pointers into other data
 *   are refused there, and no name extends across the OPT. So the OPT can be removed and pointers adjusted.
 */
#include "walk.h"

#include <ldns/ldns.h>
#include <string.h>

#include "dns/message.h"

#define LABEL_MAX 63
#define POINTER   0xC0 /* both upper bits of the first byte */
/* A name of 127 labels needs no more; longer chains only waste the time of parsers. */
#define POINTERS_MAX 255
/* In name_at: this byte belongs to a TTL, which changes as the message ages, so no name may include it. No name has
 * length 0. */
#define TTL_BYTE 0x0100

void walk_start(struct walk *walk, struct bytes wire, uint16_t *name_at)
{
    memset(name_at, 0, wire.len * sizeof(*name_at));
    *walk = (struct walk){wire.data, wire.len, MESSAGE_HEADER, name_at, SIZE_MAX, SIZE_MAX, false};
}

/* The state while one name is read: the next byte, the bounds of its chunk, the counts so far. */
struct name_reading {
    size_t at, chunk, end;
    size_t after; /* offset behind the name, known from its first pointer on */
    unsigned length, pointers;
};

/* Moves from a pointer to its target, if the target is permitted. */
static bool follow_pointer(const struct walk *walk, struct name_reading *name)
{
    if (walk->wire[name->at] < POINTER || name->end - name->at < 2 || walk->name_at[name->at + 1] == TTL_BYTE)
        return false;
    size_t target = read_u16(walk->wire + name->at) & 0x3FFF;
    if (target < MESSAGE_HEADER || target >= name->chunk)
        return false;
    if (target >= walk->opt_start && (target < walk->opt_end || !walk->name_at[target]))
        return false;
    if (!name->after)
        name->after = name->at + 2;
    name->end = target < walk->opt_start && walk->opt_start < name->chunk ? walk->opt_start : name->chunk;
    name->at = name->chunk = target;
    name->pointers++;
    return true;
}

/* Moves past a label. Before the first pointer no byte can have been marked. */
static bool step_over_label(const struct walk *walk, struct name_reading *name)
{
    size_t next = name->at + 1 + walk->wire[name->at];
    if (next > name->end)
        return false;
    for (size_t at = name->at + 1; name->after && at < next; at++) {
        if (walk->name_at[at] == TTL_BYTE)
            return false;
    }
    name->length += (unsigned)(next - name->at);
    name->at = next;
    return true;
}

/* Records all labels and pointers of a valid name, up to the part that is already known. */
static void remember(struct walk *walk, size_t at, unsigned length, unsigned pointers)
{
    while (!walk->name_at[at]) {
        unsigned byte = walk->wire[at];
        walk->name_at[at] = (uint16_t)(pointers << 8 | length);
        if (byte >= POINTER) {
            at = read_u16(walk->wire + at) & 0x3FFF;
            pointers--;
        } else if (byte > 0) {
            at += 1 + byte;
            length -= 1 + byte;
        }
    }
}

/* Reads up to the root, or up to the start of a known name. */
bool walk_name(struct walk *walk, size_t end, bool may_point)
{
    struct name_reading name = {.at = walk->at, .chunk = walk->at, .end = end};
    unsigned known, byte;
    for (;;) {
        if (name.at >= name.end || name.length >= NAME_MAX_WIRE || name.pointers > POINTERS_MAX)
            return false;
        known = walk->name_at[name.at];
        byte = walk->wire[name.at];
        if (known == TTL_BYTE)
            return false;
        if (known || byte == 0)
            break;
        if (byte <= LABEL_MAX ? !step_over_label(walk, &name) : !may_point || !follow_pointer(walk, &name))
            return false;
    }
    name.length += known ? known & 0xFF : 1;
    name.pointers += known >> 8;
    if (name.length > NAME_MAX_WIRE || name.pointers > POINTERS_MAX)
        return false;
    remember(walk, walk->at, name.length, name.pointers);
    walk->at = name.after ? name.after : name.at + 1;
    return true;
}

bool walk_record(struct walk *walk, struct record_offsets *out)
{
    size_t owner = walk->at;
    if (!walk_name(walk, walk->len, true) || walk->len - walk->at < RECORD_FIXED)
        return false;
    const uint8_t *fixed = walk->wire + walk->at;
    size_t rdata = walk->at + RECORD_FIXED, rdlength = read_u16(fixed + 8);
    if (walk->len - rdata < rdlength)
        return false;
    *out = (struct record_offsets){owner, walk->at, rdata, rdata + rdlength, read_u16(fixed), read_u16(fixed + 2)};
    walk->at = rdata;
    for (size_t at = out->fixed + 4; at < out->fixed + 8; at++)
        walk->name_at[at] = TTL_BYTE;
    if (out->type == LDNS_RR_TYPE_OPT) {
        /* Its owner must be the root in one byte (RFC 6891 section 6.1.2), and there is one at most (section 6.1.1). */
        if (out->fixed != owner + 1 || walk->opt_start != SIZE_MAX)
            return false;
        walk->opt_start = owner;
        walk->opt_end = walk->at = out->end;
        return true;
    }
    if (out->type == LDNS_RR_TYPE_A && rdlength == 4) { /* the most frequent type does not need its layout */
        walk->at = out->end;
        return true;
    }
    return (walk->may_be_empty && rdlength == 0) || walk_rdata(walk, out->type, out->end);
}

bool record_signs_message(const struct walk *walk, const struct record_offsets *record)
{
    return record->type == LDNS_RR_TYPE_TSIG ||
           (record->type == LDNS_RR_TYPE_SIG && record->end - record->rdata >= 2 && /* empty in some updates */
            read_u16(walk->wire + record->rdata) == 0);
}

struct opt opt_read(const uint8_t *fixed)
{
    return (struct opt){read_u16(fixed + 2), fixed[4], fixed[5], (fixed[6] & 0x80) != 0};
}

bool opt_next(struct cursor *cursor, uint16_t *code, struct bytes *data)
{
    if (cursor_left(cursor) == 0)
        return false;
    *code = cursor_u16(cursor);
    data->len = cursor_u16(cursor);
    data->data = cursor_take(cursor, data->len);
    return !cursor->failed;
}
