/* SPDX-License-Identifier: MIT */
/* Invariants: the message was walked, so the i-th offset is the TTL of the i-th record, and the counts of the
 * header give the beginnings of the sections; TYPE is four bytes before a TTL and RDLENGTH four bytes after it.
 * Names are never read here. As a safeguard counts are limited to ttl_count, and rdata is read only within `len`. */
#include "dns/ttl.h"

#include <ldns/rr.h>
#include <ldns/packet.h>
#include <ldns/wire2host.h>
#include "walk.h"

#define TTL_LARGEST 0x7fffffff /* RFC 2181 section 8 */
#define TTL_NONE    UINT32_MAX /* no record found yet */

static inline uint32_t lower_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The offsets of one section's TTLs. */
struct ttl_section {
    const uint16_t *at, *end;
};

/* The section that begins at `from` and has the count at `count_offset` in the header. */
static struct ttl_section section_from(const struct answer *answer, const uint16_t *from, unsigned count_offset)
{
    size_t left = (size_t)(answer->ttl_offsets + answer->ttl_count - from);
    size_t count = read_u16(answer->wire + count_offset);
    return (struct ttl_section){from, from + (count < left ? count : left)};
}

/* Limits the section's TTLs to the range (RFC 8767 section 4: the high bit means large) and returns the lowest.
 */
static uint32_t limit_section(uint8_t *wire, struct ttl_section section, uint32_t min, uint32_t max)
{
    uint32_t lowest = TTL_NONE;
    for (; section.at < section.end; section.at++) {
        uint32_t ttl = read_u32(wire + *section.at);
        if (ttl > 0 && ttl < min)
            ttl = min;
        if (ttl > max)
            ttl = max;
        write_u32(wire + *section.at, ttl);
        if (ttl < lowest)
            lowest = ttl;
    }
    return lowest;
}

static uint16_t record_type(const uint8_t *wire, uint16_t ttl_offset)
{
    return read_u16(wire + ttl_offset - 4);
}

/* True if the answer section has a record of the queried type: CNAME and DNAME records only continue the chain,
 * RRSIGs only accompany others. */
static bool is_positive(const uint8_t *wire, struct ttl_section answers, uint16_t qtype)
{
    if (qtype == LDNS_RR_TYPE_CNAME || qtype == LDNS_RR_TYPE_ANY)
        return answers.at < answers.end;
    for (; answers.at < answers.end; answers.at++) {
        if (read_u16(wire + *answers.at - 4) == qtype)
            return true;
    }
    return false;
}

/* The last field of a SOA's rdata (RFC 1035 section 3.3.13). */
static uint32_t soa_minimum(const struct answer *answer, uint16_t ttl_offset)
{
    size_t end = (size_t)ttl_offset + 6 + read_u16(answer->wire + ttl_offset + 4);
    return end <= answer->len ? read_u32(answer->wire + end - 4) : 0;
}

/* RFC 2308 section 5: a negative response is cached for the lower of its SOA's TTL and MINIMUM, at most for `most`,
 * and its SOA gets that TTL. Without SOA it is not cached. */
static uint32_t limit_negative(const struct answer *answer, struct ttl_section authority, uint32_t most)
{
    uint32_t ttl = TTL_NONE;
    for (const uint16_t *at = authority.at; at < authority.end; at++) {
        if (record_type(answer->wire, *at) == LDNS_RR_TYPE_SOA)
            ttl = lower_of(ttl, lower_of(read_u32(answer->wire + *at), soa_minimum(answer, *at)));
    }
    if (ttl == TTL_NONE)
        return 0;
    ttl = lower_of(ttl, most);
    for (const uint16_t *at = authority.at; at < authority.end; at++) {
        if (record_type(answer->wire, *at) == LDNS_RR_TYPE_SOA)
            write_u32(answer->wire + *at, ttl);
    }
    return ttl;
}

/* A response cannot be validated without all records of its proof, so it expires with the first record of the proof
 * that does. */
static uint32_t lowest_of_proofs(const uint8_t *wire, struct ttl_section authority)
{
    uint32_t lowest = TTL_NONE;
    for (; authority.at < authority.end; authority.at++)
        if (type_is_dnssec(record_type(wire, *authority.at)))
            lowest = lower_of(lowest, read_u32(wire + *authority.at));
    return lowest;
}

void ttl_apply(struct answer *answer, uint16_t qtype, const struct ttl_limits *limits)
{
    struct ttl_section answers = section_from(answer, answer->ttl_offsets, LDNS_ANCOUNT_OFF);
    struct ttl_section authority = section_from(answer, answers.end, LDNS_NSCOUNT_OFF);
    struct ttl_section additional = {authority.end, answer->ttl_offsets + answer->ttl_count};
    bool positive = answer->rcode == LDNS_RCODE_NOERROR && is_positive(answer->wire, answers, qtype);
    uint32_t min = positive ? limits->min : 0, max = limits->max < TTL_LARGEST ? limits->max : TTL_LARGEST;
    uint32_t lowest = limit_section(answer->wire, answers, min, max);
    limit_section(answer->wire, authority, min, max);
    limit_section(answer->wire, additional, 0, max);
    lowest = lower_of(lowest, lowest_of_proofs(answer->wire, authority));

    answer->ttl = 0;
    if (answer->truncated || (answer->rcode != LDNS_RCODE_NOERROR && answer->rcode != LDNS_RCODE_NXDOMAIN))
        return;
    if (positive)
        answer->ttl = lowest;
    else
        answer->ttl = limit_negative(answer, authority, lower_of(lowest, limits->negative_max));
}

/* True if the record bounds the TTL of the response, so both expire together. */
static bool bounds_life(uint16_t type, uint32_t ttl, uint32_t life)
{
    return ttl >= life && (type_is_dnssec(type) || type == LDNS_RR_TYPE_SOA);
}

bool ttl_set_stale(uint8_t *wire, const uint16_t *ttl_offsets, unsigned count, uint32_t life, uint32_t age,
                   uint32_t seconds)
{
    unsigned answers = read_u16(wire + LDNS_ANCOUNT_OFF);
    bool some_expired = false;
    for (unsigned i = 0; i < count; i++) {
        uint32_t ttl = read_u32(wire + ttl_offsets[i]);
        bool expired = i >= answers && ttl <= age && !bounds_life(record_type(wire, ttl_offsets[i]), ttl, life);
        write_u32(wire + ttl_offsets[i], expired ? 0 : seconds);
        some_expired |= expired;
    }
    return some_expired;
}

bool ttl_signature_expired(const struct answer *answer, int64_t wall_s)
{
    enum { EXPIRATION = 8 }; /* offset in the data */
    const uint8_t *wire = answer->wire;
    size_t owner = message_question_end(answer);
    unsigned left = 0;
    for (unsigned section = 0; section < 3; section++)
        left += read_u16(wire + LDNS_ANCOUNT_OFF + 2 * section);
    for (; left > 0; left--, owner = record_end(wire, owner)) {
        size_t fixed = name_end(wire, owner);
        if (read_u16(wire + fixed) == LDNS_RR_TYPE_RRSIG &&
            (int32_t)(read_u32(wire + fixed + RECORD_FIXED + EXPIRATION) - (uint32_t)wall_s) < 0)
            return true;
    }
    return false;
}

/* --- responses to clients --- */

/* Skips a name; what it points to does not matter. */
static void skip_name(struct cursor *cursor)
{
    while (!cursor->failed) {
        uint8_t len = cursor_u8(cursor);
        if (len >= 0xc0)
            (void)cursor_u8(cursor);
        if (len == 0 || len >= 0xc0)
            return;
        (void)cursor_take(cursor, len);
    }
}

/* Goes to the first record. The numbers of records in the answer and authority sections, and in all sections. */
static struct cursor begin_records(struct bytes message, unsigned *records, unsigned *all)
{
    struct cursor cursor = cursor_over(message);
    (void)cursor_u32(&cursor);
    unsigned questions = cursor_u16(&cursor);
    *records = cursor_u16(&cursor);
    *records += cursor_u16(&cursor);
    *all = *records + cursor_u16(&cursor);
    for (unsigned i = 0; i < questions && !cursor.failed; i++) {
        skip_name(&cursor);
        (void)cursor_u32(&cursor);
    }
    return cursor;
}

/* The offset of the next record's TTL; its end is next. */
static size_t next_ttl(struct cursor *cursor, uint16_t *type)
{
    skip_name(cursor);
    *type = cursor_u16(cursor);
    (void)cursor_u16(cursor);
    size_t at = cursor_offset(cursor);
    (void)cursor_u32(cursor);
    (void)cursor_take(cursor, cursor_u16(cursor));
    return at;
}

uint32_t ttl_smallest(struct bytes message)
{
    unsigned records, all;
    struct cursor cursor = begin_records(message, &records, &all);
    uint32_t smallest = UINT32_MAX;
    if (cursor.failed || records == 0)
        return 0;
    uint16_t flags = read_u16(message.data + MESSAGE_FLAGS), rcode = flags & 0x0f, type;
    if ((rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN) || (flags & FLAG_TC))
        return 0;
    for (unsigned i = 0; i < records && !cursor.failed; i++) {
        size_t at = next_ttl(&cursor, &type);
        if (!cursor.failed && read_u32(message.data + at) < smallest)
            smallest = read_u32(message.data + at);
    }
    return cursor.failed ? 0 : smallest;
}

void ttl_subtract(uint8_t *message, size_t len, uint32_t age)
{
    unsigned records, all;
    struct cursor cursor = begin_records((struct bytes){message, len}, &records, &all);
    for (unsigned i = 0; i < all && !cursor.failed; i++) {
        uint16_t type;
        size_t at = next_ttl(&cursor, &type);
        if (cursor.failed || type == TYPE_OPT)
            continue;
        uint32_t ttl = read_u32(message + at);
        write_u32(message + at, ttl > age ? ttl - age : 0);
    }
}

bool ttl_from_text(const char *text, uint64_t *out)
{
    static const char units[] = "smhdw";
    static const uint32_t seconds[] = {1, 60, 3600, 86400, 604800};
    uint64_t total = 0;
    if (!*text)
        return false;
    while (*text) {
        uint64_t number = 0;
        size_t digits = strspn(text, "0123456789");
        const char *unit = text[digits] ? strchr(units, text[digits] | 0x20) : units;
        if (digits == 0 || !unit)
            return false;
        for (size_t i = 0; i < digits && number <= UINT32_MAX; i++)
            number = number * 10 + (uint64_t)(text[i] - '0');
        total += number * seconds[unit - units];
        total = total > UINT32_MAX ? UINT64_C(1) << 32 : total;
        text += digits + (text[digits] != '\0');
    }
    *out = total;
    return true;
}
