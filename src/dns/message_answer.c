/* SPDX-License-Identifier: MIT */
/* Walks a server's message and removes the OPT and malformed records.
 *
 * Invariants:
 * - Neither the message nor the results are written before the whole message was checked.
 * - TTL offsets and section ends refer to the message without its OPT: offsets behind the OPT are reduced by its
 *   length.
 */
#include <assert.h>
#include <endian.h>
#include <ldns/ldns.h>
#include <string.h>

#include "base/errors.h"
#include "dns/message.h"
#include "dns/name.h"
#include "walk.h"

enum section { QUESTION, ANSWER, AUTHORITY, ADDITIONAL };

struct reading {
    struct walk walk;
    struct answer_scratch *scratch;
    struct answer_transport transport;
    uint16_t count[ADDITIONAL + 1]; /* records read, without the OPT */
    /* The last member, because its last member, the extended errors, is large and mostly unused. */
    struct answer answer;
};

/* The first one counts, if it is one whole name below the root. */
static void read_agent(struct reading *reading, struct bytes data)
{
    size_t len = name_len(data);
    if (reading->answer.agent.len > 0 || len != data.len || len <= 1)
        return;
    name_lower(reading->scratch->agent, data.data, len);
    reading->answer.agent = (struct bytes){reading->scratch->agent, len};
}

/* An extended error without a code, or a keepalive timeout of a wrong length, is ignored. */
static void read_option(struct reading *reading, uint16_t code, struct bytes data)
{
    if (code == LDNS_EDNS_EDE && data.len >= 2)
        ede_add(&reading->answer.ede, read_u16(data.data), (const char *)data.data + 2, data.len - 2);
    if (code == OPTION_CODE_REPORT)
        read_agent(reading, data);
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

/* Reads the Question section and the records. A malformed record in the authority or additional section ends the
 * message, if there are answers or the OPT was read: an OPT that was not read may have an extended response code.
 * Bytes behind the last record are ignored. `counts`: the four of the header, the first one uppermost. */
static bool read_sections(struct reading *reading, uint64_t counts)
{
    struct walk *walk = &reading->walk;
    struct answer_scratch *scratch = reading->scratch;
    unsigned *read = &reading->answer.ttl_count;
    bool whole = true;
    if (counts >> 48 != 1 || !walk_name(walk, walk->len, false) || walk->len - walk->at < QUESTION_FIXED)
        return false;
    walk->at += QUESTION_FIXED;
    scratch->section_end[QUESTION] = (uint16_t)walk->at;
    for (enum section section = ANSWER; section <= ADDITIONAL; section++) {
        unsigned before = *read;
        for (unsigned left = counts >> (48 - 16 * section) & 0xffff; whole && left; left--) {
            struct record_offsets record;
            size_t start = walk->at;
            bool good = walk_record(walk, &record) && !record_signs_message(walk, &record);
            if (good && record.type != LDNS_RR_TYPE_OPT) {
                assert(*read < MESSAGE_MAX_RECORDS);
                scratch->ttl_offsets[(*read)++] = (uint16_t)(record.fixed + 4 - (walk->opt_end - walk->opt_start));
                reading->answer.uncompressed |= walk_is_uncompressed(walk, record.owner);
            } else if (!good || section != ADDITIONAL || !read_opt(reading, &record)) {
                if (walk->opt_start == start) /* this record is the OPT */
                    walk->opt_start = walk->opt_end = SIZE_MAX;
                walk->at = start;
                whole = false;
            }
        }
        reading->count[section] = (uint16_t)(*read - before);
        if (!whole && (section == ANSWER || (reading->count[ANSWER] == 0 && !reading->transport.edns)))
            return false;
        scratch->section_end[section] = (uint16_t)(walk->at - (walk->opt_end - walk->opt_start));
    }
    walk->len = walk->at;
    return true;
}

/* Moves the records behind the OPT over it. First, pointers to offsets behind the OPT are adjusted; only names
 * behind it have such pointers, and the walk has recorded these names. */
static size_t take_opt_out(const struct walk *walk, uint8_t *wire)
{
    size_t opt_len = walk->opt_end - walk->opt_start;
    if (opt_len == 0)
        return walk->len;
    for (size_t at = walk->opt_end; at < walk->len; at++) {
        if ((walk->name_at[at] & 0xFF) && wire[at] >= 0xC0 && (read_u16(wire + at) & 0x3FFF) >= walk->opt_end)
            write_u16(wire + at, (uint16_t)(read_u16(wire + at) - opt_len));
    }
    memmove(wire + walk->opt_start, wire + walk->opt_end, walk->len - walk->opt_end);
    return walk->len - opt_len;
}

int message_walk_answer(uint8_t *wire, size_t len, struct answer_scratch *scratch, struct answer *out,
                        struct answer_transport *transport)
{
    if (len < MESSAGE_HEADER || len > MESSAGE_MAX || !LDNS_QR_WIRE(wire) || LDNS_OPCODE_WIRE(wire) != LDNS_PACKET_QUERY)
        return ERROR_MALFORMED;
    struct reading reading;
    uint64_t counts;
    memset(&reading, 0, offsetof(struct reading, answer.ede.item));
    reading.scratch = scratch;
    reading.answer.rcode = LDNS_RCODE_WIRE(wire);
    walk_start(&reading.walk, (struct bytes){wire, len}, scratch->name_at);
    memcpy(&counts, wire + LDNS_QDCOUNT_OFF, sizeof counts);
    if (!read_sections(&reading, be64toh(counts)))
        return ERROR_MALFORMED;
    reading.answer.wire = wire;
    reading.answer.len = take_opt_out(&reading.walk, wire);
    write_u16(wire + LDNS_NSCOUNT_OFF, reading.count[AUTHORITY]);
    write_u16(wire + LDNS_ARCOUNT_OFF, reading.count[ADDITIONAL]);
    reading.answer.additional = scratch->section_end[AUTHORITY];
    reading.answer.authenticated = LDNS_AD_WIRE(wire);
    reading.answer.truncated = LDNS_TC_WIRE(wire);
    reading.answer.ttl_offsets = scratch->ttl_offsets;
    memcpy(out, &reading.answer,
           offsetof(struct answer, ede.item) + reading.answer.ede.count * sizeof reading.answer.ede.item[0]);
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
    if (wire.len < MESSAGE_HEADER + key->name_len + (size_t)QUESTION_FIXED ||
        read_u16(wire.data + LDNS_QDCOUNT_OFF) == 0 ||
        read_u32(wire.data + MESSAGE_HEADER + key->name_len) != ((uint32_t)key->type << 16 | key->class))
        return false;
    name_lower(name, wire.data + MESSAGE_HEADER, key->name_len);
    return memcmp(name, key->name, key->name_len) == 0;
}

bool answer_is_referral(const struct answer *answer)
{
    unsigned count = read_u16(answer->wire + LDNS_NSCOUNT_OFF);
    bool has_servers = false;
    if (answer->rcode != LDNS_RCODE_NOERROR || read_u16(answer->wire + LDNS_ANCOUNT_OFF) > 0 ||
        read_u16(answer->wire + MESSAGE_FLAGS) & (FLAG_AA | FLAG_RA))
        return false;
    for (unsigned i = 0; i < count && i < answer->ttl_count; i++) {
        uint16_t type = read_u16(answer->wire + answer->ttl_offsets[i] - 4);
        if (type == LDNS_RR_TYPE_SOA)
            return false;
        has_servers |= type == LDNS_RR_TYPE_NS;
    }
    return has_servers;
}
