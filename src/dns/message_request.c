/* SPDX-License-Identifier: MIT */
/* Parses a client's message.
 *
 * Invariants:
 * - Verdicts have a fixed order: silence, opcode, format, EDNS version, signature. The EDNS members are set only if
 *   the whole message is well-formed, even if its counts are not those of a query.
 * - Bytes behind the last record are ignored.
 * - A plain query (one question, at most an OPT) is parsed without tables. Other records in the additional section
 *   are walked like those of responses.
 * - The name in the Question section is not compressed, since no name precedes it.
 */
#include <endian.h>
#include <ldns/ldns.h>
#include <string.h>

#include "dns/message.h"
#include "walk.h"

#define UDP_SIZE_MIN 512 /* RFC 6891 section 6.2.3 */

static bool read_question(struct bytes wire, struct request *request)
{
    size_t name = name_len((struct bytes){wire.data + MESSAGE_HEADER, wire.len - MESSAGE_HEADER});
    if (!name || wire.len - MESSAGE_HEADER - name < QUESTION_FIXED)
        return false;
    const uint8_t *fixed = wire.data + MESSAGE_HEADER + name;
    request->name_len = (uint8_t)name;
    request->type = read_u16(fixed);
    request->class = read_u16(fixed + 2);
    request->question_end = (uint16_t)(MESSAGE_HEADER + name + QUESTION_FIXED);
    return true;
}

/* The client's keepalive option is empty (RFC 7828 section 3.2.1). Not inlined: most queries have no options. */
static __attribute__((noinline)) void note_option(struct request *request, const uint8_t *wire, uint16_t code,
                                                  struct bytes data)
{
    if (code == LDNS_EDNS_KEEPALIVE && data.len == 0) {
        request->options |= REQUEST_KEEPALIVE;
    } else if (code == LDNS_EDNS_PADDING) {
        request->options |= REQUEST_PADDING;
    } else if (code == LDNS_EDNS_NSID) {
        request->options |= REQUEST_NSID;
    } else if (code == LDNS_EDNS_COOKIE && !(request->options & REQUEST_COOKIE)) {
        request->options |= REQUEST_COOKIE;
        request->cookie_at = (uint16_t)(data.data - wire);
    }
}

/* Reads the OPT. Unknown options are skipped, even duplicates. */
static enum request_verdict read_opt(struct request *request, const uint8_t *wire, size_t at, struct bytes options)
{
    struct opt opt = opt_read(wire + at + 1);
    struct cursor cursor = cursor_over(options);
    uint16_t code;
    struct bytes data;
    request->edns = true;
    request->dnssec_ok = opt.dnssec_ok;
    request->udp_size = opt.udp_size < UDP_SIZE_MIN ? UDP_SIZE_MIN : opt.udp_size;
    if (opt.version) /* its options may have another format */
        return REQUEST_BADVERS;
    while (opt_next(&cursor, &code, &data))
        note_option(request, wire, code, data);
    return cursor.failed ? REQUEST_FORMERR : REQUEST_OK;
}

/* The four counts of a header as one number, QDCOUNT uppermost. */
enum { COUNT_QUESTIONS = 48, COUNT_ANSWERS = 32, COUNT_AUTHORITIES = 16, COUNT_ADDITIONAL = 0 };

static unsigned count_of(uint64_t counts, unsigned section)
{
    return counts >> section & 0xffff;
}

static bool walk_questions(struct walk *walk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!walk_name(walk, walk->len, i > 0) || walk->len - walk->at < QUESTION_FIXED)
            return false;
        walk->at += QUESTION_FIXED;
    }
    return true;
}

/* Reads any questions and records in any section: rare, so the table is on the stack. */
static __attribute__((noinline)) enum request_verdict read_records(struct bytes wire, struct request *request,
                                                                   uint64_t counts)
{
    uint16_t name_at[MESSAGE_MAX];
    struct walk walk;
    struct record_offsets record;
    enum request_verdict verdict = REQUEST_OK;
    bool is_signed = false;
    walk_start(&walk, wire, name_at);
    walk.may_be_empty = request->opcode != LDNS_PACKET_QUERY;
    if (!walk_questions(&walk, count_of(counts, COUNT_QUESTIONS)))
        return REQUEST_FORMERR;
    unsigned before_additional = count_of(counts, COUNT_ANSWERS) + count_of(counts, COUNT_AUTHORITIES);
    for (unsigned i = 0; i < before_additional + count_of(counts, COUNT_ADDITIONAL); i++) {
        if (!walk_record(&walk, &record) || (record.type == LDNS_RR_TYPE_OPT && i < before_additional))
            return REQUEST_FORMERR;
        if (record.type == LDNS_RR_TYPE_OPT)
            verdict = read_opt(request, wire.data, record.owner,
                               (struct bytes){wire.data + record.rdata, record.end - record.rdata});
        is_signed = is_signed || record_signs_message(&walk, &record);
    }
    request->trailing = walk.at != wire.len;
    return verdict == REQUEST_OK && is_signed ? REQUEST_NOTIMP : verdict;
}

/* True if exactly one record follows the Question section, an OPT with the root as owner. */
static bool only_opt_follows(struct bytes rest)
{
    return rest.len >= 1 + RECORD_FIXED && rest.data[0] == 0 && read_u16(rest.data + 1) == LDNS_RR_TYPE_OPT &&
           read_u16(rest.data + 9) == rest.len - 1 - RECORD_FIXED;
}

/* True if a query has answer or authority records, other than the SOA of an IXFR (RFC 1995 section 3). Other
 * opcodes may have any records. */
static bool has_sections_of_responses(const struct request *request, uint64_t counts)
{
    return request->opcode == LDNS_PACKET_QUERY &&
           (count_of(counts, COUNT_ANSWERS) > 0 ||
            (count_of(counts, COUNT_AUTHORITIES) > 0 && request->type != LDNS_RR_TYPE_IXFR));
}

/* Reads everything behind the Question section. */
static enum request_verdict read_rest(struct bytes wire, struct request *request, uint64_t counts)
{
    struct bytes rest = {wire.data + request->question_end, wire.len - request->question_end};
    uint64_t records = counts & ~(UINT64_C(0xffff) << COUNT_QUESTIONS);
    if (records == 0) {
        request->trailing = rest.len > 0;
        return REQUEST_OK;
    }
    if (records == UINT64_C(1) << COUNT_ADDITIONAL && only_opt_follows(rest))
        return read_opt(request, wire.data, request->question_end,
                        (struct bytes){rest.data + 1 + RECORD_FIXED, rest.len - 1 - RECORD_FIXED});
    return read_records(wire, request, counts);
}

static void forget_edns(struct request *request)
{
    request->edns = request->dnssec_ok = false;
    request->options = 0;
    request->udp_size = UDP_SIZE_MIN;
    request->cookie_at = 0;
}

/* The verdict on a message whose counts are not those of a query. */
static __attribute__((noinline, cold)) enum request_verdict
verdict_by_counts(const struct request *request, uint64_t counts, enum request_verdict verdict)
{
    bool asks_for_cookie = count_of(counts, COUNT_QUESTIONS) == 0 && (request->options & REQUEST_COOKIE);
    return verdict == REQUEST_OK && asks_for_cookie && !has_sections_of_responses(request, counts) ? REQUEST_NO_QUESTION
                                                                                                   : REQUEST_FORMERR;
}

enum request_verdict message_parse_request(struct bytes wire, struct request *out)
{
    if (wire.len < MESSAGE_HEADER || wire.len > MESSAGE_MAX || LDNS_QR_WIRE(wire.data))
        return REQUEST_SILENT;
    uint64_t counts;
    memcpy(&counts, wire.data + 4, sizeof counts);
    counts = be64toh(counts);
    *out = (struct request){
        .id = read_u16(wire.data),
        .flags = read_u16(wire.data + MESSAGE_FLAGS),
        .opcode = LDNS_OPCODE_WIRE(wire.data),
        .udp_size = UDP_SIZE_MIN,
    };
    out->has_question = counts >> COUNT_QUESTIONS > 0 && read_question(wire, out);
    bool one = out->has_question && counts >> COUNT_QUESTIONS == 1;
    enum request_verdict verdict = one ? read_rest(wire, out, counts) : read_records(wire, out, counts);
    if (verdict == REQUEST_FORMERR)
        forget_edns(out);
    else if (!one || has_sections_of_responses(out, counts))
        verdict = verdict_by_counts(out, counts, verdict);
    return out->opcode == LDNS_PACKET_QUERY ? verdict : REQUEST_NOTIMP;
}

void message_request_key(struct bytes wire, const struct request *request, struct key *out)
{
    out->group = 0;
    out->type = request->type;
    out->class = request->class;
    out->flags = (uint8_t)((request->dnssec_ok ? KEY_DO : 0) | (request->flags & FLAG_CD ? KEY_CD : 0));
    out->name_len = request->name_len;
    name_lower(out->name, wire.data + MESSAGE_HEADER, request->name_len);
}
