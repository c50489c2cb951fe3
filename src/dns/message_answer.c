/* SPDX-License-Identifier: MIT */
/* Reading a server's message, and taking the OPT out of it.
 *
 * Invariants:
 * - Nothing is written, neither to the message nor to the results, before the whole message was found good.
 * - TTL offsets and section ends are those of the message without its OPT: whatever stands behind the OPT is
 *   entered with the OPT's length taken off.
 */
#include <assert.h>
#include <ldns/ldns.h>
#include <string.h>

#include "base/errors.h"
#include "dns/message.h"
#include "walk.h"

#define COUNTS 4 /* offset of the four counts in the header */
enum section { QUESTION, ANSWER, AUTHORITY, ADDITIONAL };

struct reading {
    struct walk walk;
    struct answer_scratch *scratch;
    struct answer answer;
    struct answer_transport transport;
};

static unsigned section_count(const uint8_t *wire, enum section section)
{
    return read_u16(wire + COUNTS + 2 * section);
}

static size_t opt_len(const struct walk *walk)
{
    return walk->opt_end - walk->opt_start;
}

/* An extended error without a code, or a timeout of another length than its own, says nothing. */
static void read_option(struct reading *reading, uint16_t code, struct bytes data)
{
    if (code == LDNS_EDNS_EDE && data.len >= 2)
        ede_add(&reading->answer.ede, read_u16(data.data), (const char *)data.data + 2, data.len - 2);
    if (code == LDNS_EDNS_KEEPALIVE && data.len == 2) {
        reading->transport.keepalive = true;
        reading->transport.keepalive_ms = read_u16(data.data) * 100u;
    }
}

static bool read_opt(struct reading *reading, const struct record_offsets *record)
{
    const uint8_t *wire = reading->walk.wire;
    struct cursor cursor = cursor_over((struct bytes){wire + record->rdata, record->end - record->rdata});
    uint16_t code;
    struct bytes data;
    while (opt_next(&cursor, &code, &data))
        read_option(reading, code, data);
    reading->answer.rcode |= (uint16_t)(opt_read(wire + record->fixed).upper_rcode << 4);
    reading->transport.edns = true;
    return !cursor.failed;
}

static bool read_record(struct reading *reading, enum section section)
{
    struct record_offsets record;
    if (!walk_record(&reading->walk, &record) || record_signs_message(&reading->walk, &record))
        return false;
    if (record.type == LDNS_RR_TYPE_OPT)
        return section == ADDITIONAL && read_opt(reading, &record);
    assert(reading->answer.ttl_count < MESSAGE_MAX_RECORDS);
    reading->scratch->ttl_offsets[reading->answer.ttl_count++] = (uint16_t)(record.fixed + 4 - opt_len(&reading->walk));
    return true;
}

static bool read_sections(struct reading *reading)
{
    for (enum section section = ANSWER; section <= ADDITIONAL; section++) {
        for (unsigned left = section_count(reading->walk.wire, section); left; left--) {
            if (!read_record(reading, section))
                return false;
        }
        reading->scratch->section_end[section] = (uint16_t)(reading->walk.at - opt_len(&reading->walk));
    }
    return reading->walk.at == reading->walk.len;
}

static bool read_question(struct reading *reading)
{
    struct walk *walk = &reading->walk;
    if (section_count(walk->wire, QUESTION) != 1 || !walk_name(walk, walk->len, false) ||
        walk->len - walk->at < QUESTION_FIXED)
        return false;
    walk->at += QUESTION_FIXED;
    reading->scratch->section_end[QUESTION] = (uint16_t)walk->at;
    return true;
}

/* Moves what follows the OPT over it. Pointers that lead behind the OPT are shortened first; there are some
 * only in names behind it, each of which the walk has entered. */
static size_t take_opt_out(const struct walk *walk, uint8_t *wire)
{
    if (opt_len(walk) == 0)
        return walk->len;
    for (size_t at = walk->opt_end; at < walk->len; at++) {
        if ((walk->name_at[at] & 0xFF) && wire[at] >= 0xC0 && (read_u16(wire + at) & 0x3FFF) >= walk->opt_end)
            write_u16(wire + at, (uint16_t)(read_u16(wire + at) - opt_len(walk)));
    }
    memmove(wire + walk->opt_start, wire + walk->opt_end, walk->len - walk->opt_end);
    write_u16(wire + COUNTS + 2 * ADDITIONAL, (uint16_t)(section_count(wire, ADDITIONAL) - 1));
    return walk->len - opt_len(walk);
}

int message_walk_answer(uint8_t *wire, size_t len, struct answer_scratch *scratch, struct answer *out,
                        struct answer_transport *transport)
{
    if (len < MESSAGE_HEADER || len > MESSAGE_MAX || !LDNS_QR_WIRE(wire) || LDNS_OPCODE_WIRE(wire) != LDNS_PACKET_QUERY)
        return ERROR_MALFORMED;
    struct reading reading = {.scratch = scratch};
    reading.answer.rcode = LDNS_RCODE_WIRE(wire);
    walk_start(&reading.walk, (struct bytes){wire, len}, scratch->name_at);
    if (!read_question(&reading) || !read_sections(&reading))
        return ERROR_MALFORMED;
    reading.answer.wire = wire;
    reading.answer.len = take_opt_out(&reading.walk, wire);
    reading.answer.additional = scratch->section_end[AUTHORITY];
    reading.answer.authenticated = LDNS_AD_WIRE(wire);
    reading.answer.truncated = LDNS_TC_WIRE(wire);
    reading.answer.ttl_offsets = scratch->ttl_offsets;
    *out = reading.answer;
    *transport = reading.transport;
    return 0;
}

int message_own_answer(uint8_t *wire, size_t len, struct answer_scratch *scratch, struct answer *out)
{
    struct answer_transport unused;
    return message_walk_answer(wire, len, scratch, out, &unused);
}

bool message_answers(struct bytes wire, const struct key *key)
{
    uint8_t name[NAME_MAX_WIRE];
    if (wire.len < MESSAGE_HEADER + key->name_len + (size_t)QUESTION_FIXED || section_count(wire.data, QUESTION) == 0)
        return false;
    const uint8_t *fixed = wire.data + MESSAGE_HEADER + key->name_len;
    if (read_u16(fixed) != key->type || read_u16(fixed + 2) != key->class)
        return false;
    name_lower(name, wire.data + MESSAGE_HEADER, key->name_len);
    return memcmp(name, key->name, key->name_len) == 0;
}
