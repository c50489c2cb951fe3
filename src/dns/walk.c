/* Names and records on the wire.
 *
 * Invariants:
 * - Where a name is known to start, name_at holds its length (low octet, 1 to 255) and the number of pointers
 * on its way to the root (high octet). Offsets are only ever added, and only for names that were read to
 * their end.
 * - No name reads a TTL: the octets of each are marked in name_at, since they change later (ttl.h).
 * - A chunk is what lies between two pointers. The chunk that a pointer leads to starts and ends before the
 * chunk that holds the pointer, so a chain of chunks ends, and the octets read for one name are disjoint.
 * - A chunk that was not known before is read once to measure it and once to remember it. So all names of a
 * message together cost at most two visits per octet, whatever the pointers do.
 * - Behind the OPT, every offset in name_at is a label of a name that stands there on its own: pointers into
 * other data are refused there, and none leads across the OPT. So it can be taken out and pointers be moved.
 */
#include "walk.h"

#include <ldns/ldns.h>
#include <string.h>

#include "dns/message.h"

#define LABEL_MAX 63
#define POINTER   0xC0 /* both upper bits of the first octet */
/* A name of 127 labels has use for no more; longer chains are made to cost other readers time. */
#define POINTERS_MAX 255
/* In name_at: this octet changes as the message ages, so no name may stand on it. No name has length 0. */
#define TTL_OCTET 0x0100

static size_t pointer_target(const uint8_t *at)
{
    return read_u16(at) & 0x3FFF;
}

void walk_start(struct walk *walk, struct bytes wire, uint16_t *name_at)
{
    memset(name_at, 0, wire.len * sizeof(*name_at));
    *walk = (struct walk){wire.data, wire.len, MESSAGE_HEADER, name_at, SIZE_MAX, SIZE_MAX};
}

/* May a pointer in the chunk that starts at `chunk` lead to `target`? */
static bool target_allowed(const struct walk *walk, size_t target, size_t chunk)
{
    if (target < MESSAGE_HEADER || target >= chunk)
        return false;
    return target < walk->opt_start || (target >= walk->opt_end && walk->name_at[target]);
}

/* Does a TTL lie in these octets? */
static bool holds_ttl(const struct walk *walk, size_t from, size_t to)
{
    while (from < to && walk->name_at[from] != TTL_OCTET)
        from++;
    return from < to;
}

/* Enters all labels and pointers of a name that was found good, up to what is known already. */
static void remember(struct walk *walk, size_t at, unsigned length, unsigned pointers)
{
    while (!walk->name_at[at]) {
        unsigned octet = walk->wire[at];
        walk->name_at[at] = (uint16_t)(pointers << 8 | length);
        if (octet >= POINTER) {
            at = pointer_target(walk->wire + at);
            pointers--;
        } else if (octet > 0) {
            at += 1 + octet;
            length -= 1 + octet;
        }
    }
}

bool walk_name(struct walk *walk, size_t end, bool may_point)
{
    size_t at = walk->at, chunk = at, after = 0;
    unsigned length = 0, pointers = 0;
    for (;;) {
        if (at >= end)
            return false;
        unsigned known = walk->name_at[at], octet = walk->wire[at];
        if (known == TTL_OCTET)
            return false;
        if (known) {
            length += known & 0xFF;
            pointers += known >> 8;
            break;
        }
        if (octet == 0) {
            length++;
            break;
        }
        if (octet <= LABEL_MAX) {
            if (after && holds_ttl(walk, at + 1, at + 1 + octet < end ? at + 1 + octet : end))
                return false;
            length += 1 + octet;
            at += 1 + octet;
        } else {
            if (octet < POINTER || !may_point || end - at < 2 || walk->name_at[at + 1] == TTL_OCTET)
                return false;
            if (!after)
                after = at + 2;
            at = pointer_target(walk->wire + at);
            if (!target_allowed(walk, at, chunk))
                return false;
            end = at < walk->opt_start && walk->opt_start < chunk ? walk->opt_start : chunk;
            chunk = at;
            pointers++;
        }
        if (length >= NAME_MAX_WIRE || pointers > POINTERS_MAX)
            return false;
    }
    if (length > NAME_MAX_WIRE || pointers > POINTERS_MAX)
        return false;
    remember(walk, walk->at, length, pointers);
    walk->at = after ? after : at + 1;
    return true;
}

/* The owner must be the root in one octet (RFC 6891 section 6.1.2), and there is one OPT at most
 * (section 6.1.1). */
static bool enter_opt(struct walk *walk, const struct record *record)
{
    if (record->fixed != record->owner + 1 || walk->opt_start != SIZE_MAX)
        return false;
    walk->opt_start = record->owner;
    walk->opt_end = walk->at = record->end;
    return true;
}

bool walk_record(struct walk *walk, struct record *out)
{
    size_t owner = walk->at;
    if (!walk_name(walk, walk->len, true) || walk->len - walk->at < RECORD_FIXED)
        return false;
    const uint8_t *fixed = walk->wire + walk->at;
    size_t rdata = walk->at + RECORD_FIXED, rdlength = read_u16(fixed + 8);
    if (walk->len - rdata < rdlength)
        return false;
    *out = (struct record){owner, walk->at, rdata, rdata + rdlength, read_u16(fixed), read_u16(fixed + 2)};
    walk->at = rdata;
    for (size_t at = out->fixed + 4; at < out->fixed + 8; at++)
        walk->name_at[at] = TTL_OCTET;
    return out->type == LDNS_RR_TYPE_OPT ? enter_opt(walk, out) : walk_rdata(walk, out->type, out->end);
}

bool record_signs_message(const struct walk *walk, const struct record *record)
{
    return record->type == LDNS_RR_TYPE_TSIG ||
           (record->type == LDNS_RR_TYPE_SIG && read_u16(walk->wire + record->rdata) == 0);
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
