/* SPDX-License-Identifier: MIT */
/* Invariants: ldns reads only what our own walk has accepted, and only a message's question and EDNS are
 * given to it, record by record: reading a whole message takes it eight allocations more. Of presentation
 * form ldns makes rdata; the message around it is written here, so nothing depends on what ldns says of its
 * own buffers. Whatever ldns gave is freed on each path. */
#include "dns/records.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <ldns/ldns.h>

#define LINE_MAX_TEXT       4096 /* one record in presentation form */
#define POINTER_TO_QUESTION (0xc000 | MESSAGE_HEADER)
#define OPT_FIXED           11     /* root, TYPE, CLASS, TTL, RDLENGTH */
#define OPT_DO              0x8000 /* in the TTL (RFC 6891 section 6.1.3) */

/* ldns calls a failed push into one of its lists an internal error. */
static bool memory_was_gone(ldns_status status)
{
    return status == LDNS_STATUS_MEM_ERR || status == LDNS_STATUS_INTERNAL_ERR;
}

/* The record at `at`; NULL: ldns refuses it, or has no memory. */
static ldns_rr *read_record(struct bytes wire, size_t at, ldns_pkt_section section, ldns_status *status)
{
    ldns_rr *record = NULL;
    *status = ldns_wire2rr(&record, wire.data, wire.len, &at, section);
    return *status == LDNS_STATUS_OK ? record : NULL;
}

static bool same_question(const ldns_rr *question, struct bytes wire, const struct request *request)
{
    const ldns_rdf *name = ldns_rr_owner(question);
    return ldns_rr_get_type(question) == (ldns_rr_type)request->type &&
           ldns_rr_get_class(question) == (ldns_rr_class)request->class && ldns_rdf_size(name) == request->name_len &&
           wire.len >= MESSAGE_HEADER + ldns_rdf_size(name) &&
           memcmp(ldns_rdf_data(name), wire.data + MESSAGE_HEADER, ldns_rdf_size(name)) == 0;
}

static bool agree_on_question(struct bytes wire, const struct request *request)
{
    ldns_status status;
    if (wire.len > request->question_end)
        wire.len = request->question_end;
    ldns_rr *question = read_record(wire, MESSAGE_HEADER, LDNS_SECTION_QUESTION, &status);
    bool agree = question ? same_question(question, wire, request) : memory_was_gone(status);
    ldns_rr_free(question);
    return agree;
}

/* The options are not ldns's business. */
static bool agree_on_opt(struct bytes wire, const struct request *request)
{
    uint8_t fixed[OPT_FIXED];
    ldns_status status;
    if (wire.len < request->opt_at + sizeof fixed)
        return false;
    memcpy(fixed, wire.data + request->opt_at, sizeof fixed - 2);
    write_u16(fixed + sizeof fixed - 2, 0);
    ldns_rr *opt = read_record((struct bytes){fixed, sizeof fixed}, 0, LDNS_SECTION_ADDITIONAL, &status);
    bool agree = opt ? ldns_rr_get_type(opt) == LDNS_RR_TYPE_OPT && !(ldns_rr_ttl(opt) & OPT_DO) == !request->dnssec_ok
                     : memory_was_gone(status);
    ldns_rr_free(opt);
    return agree;
}

static bool agree_on_counts(struct bytes wire, const struct request *request)
{
    return wire.len >= MESSAGE_HEADER && LDNS_QDCOUNT(wire.data) == 1 &&
           (!request->simple ||
            (LDNS_ANCOUNT(wire.data) == 0 && LDNS_NSCOUNT(wire.data) == 0 && LDNS_ARCOUNT(wire.data) == request->edns));
}

bool records_agree(struct bytes wire, const struct request *request)
{
    return agree_on_counts(wire, request) && agree_on_question(wire, request) &&
           (!request->edns || agree_on_opt(wire, request));
}

/* Reads type and rdata; owner, TTL and class are not ldns's business. */
static int read_rdata(const struct record_text *record, ldns_rr **out)
{
    char line[LINE_MAX_TEXT];
    int len = snprintf(line, sizeof(line), ". 0 IN %s %s", record->type, record->rdata);
    if (len < 0 || (size_t)len >= sizeof(line))
        return -EINVAL;
    ldns_status status = ldns_rr_new_frm_str(out, line, 0, NULL, NULL);
    if (status != LDNS_STATUS_OK)
        return memory_was_gone(status) ? -ENOMEM : -EINVAL;
    if (ldns_rr_get_type(*out) == 0) { /* what ldns makes of a mnemonic that it does not know */
        ldns_rr_free(*out);
        return -EINVAL;
    }
    return 0;
}

static int write_owner(struct writer *writer, const char *owner)
{
    uint8_t name[NAME_MAX_WIRE];
    if (!owner) {
        writer_u16(writer, POINTER_TO_QUESTION);
        return 0;
    }
    int len = name_from_text(name, owner);
    if (len < 0)
        return len;
    writer_bytes(writer, name, (size_t)len);
    return 0;
}

static void write_rdata(struct writer *writer, const ldns_rr *rr)
{
    uint8_t *rdlength = writer_take(writer, 2);
    const uint8_t *start = writer->at;
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        writer_bytes(writer, ldns_rdf_data(ldns_rr_rdf(rr, i)), ldns_rdf_size(ldns_rr_rdf(rr, i)));
    if (rdlength)
        write_u16(rdlength, (uint16_t)(writer->at - start));
}

static int write_record(struct writer *writer, const struct record_text *record, uint16_t class)
{
    ldns_rr *rr = NULL;
    int error = write_owner(writer, record->owner);
    if (error)
        return error;
    error = read_rdata(record, &rr);
    if (error)
        return error;
    writer_u16(writer, (uint16_t)ldns_rr_get_type(rr));
    writer_u16(writer, class);
    writer_u32(writer, record->ttl);
    write_rdata(writer, rr);
    ldns_rr_free(rr);
    return 0;
}

static int write_section(struct writer *writer, const struct record_text *records, unsigned count, uint16_t class)
{
    for (unsigned i = 0; i < count; i++) {
        int error = write_record(writer, &records[i], class);
        if (error)
            return error;
    }
    return 0;
}

int records_answer(uint8_t *out, size_t cap, const struct key *key, uint16_t rcode, const struct record_text *answer,
                   unsigned answers, const struct record_text *authority, unsigned authorities)
{
    struct writer writer = writer_over(out, cap < MESSAGE_MAX ? cap : MESSAGE_MAX);
    assert(rcode <= 15);
    writer_u16(&writer, 0);
    writer_u16(&writer, (uint16_t)(FLAG_QR | rcode));
    writer_u16(&writer, 1);
    writer_u16(&writer, (uint16_t)answers);
    writer_u16(&writer, (uint16_t)authorities);
    writer_u16(&writer, 0);
    writer_bytes(&writer, key->name, key->name_len);
    writer_u16(&writer, key->type);
    writer_u16(&writer, key->class);
    int error = write_section(&writer, answer, answers, key->class);
    if (!error)
        error = write_section(&writer, authority, authorities, key->class);
    if (!error && writer.failed)
        error = -ENOSPC;
    return error ? error : (int)writer_len(&writer);
}

const char *records_type_text(uint16_t type, char out[TYPE_TEXT])
{
    char *mnemonic = ldns_rr_type2str((ldns_rr_type)type);
    if (mnemonic)
        snprintf(out, TYPE_TEXT, "%s", mnemonic);
    else
        snprintf(out, TYPE_TEXT, "TYPE%u", type);
    LDNS_FREE(mnemonic);
    return out;
}

int records_type_number(const char *text)
{
    ldns_rr_type type = ldns_get_rr_type_by_name(text);
    return type == 0 || (unsigned)type > UINT16_MAX ? -EINVAL : (int)type;
}

const char *records_rcode_text(uint16_t rcode, char out[RCODE_TEXT])
{
    const ldns_lookup_table *known = ldns_lookup_by_id(ldns_rcodes, rcode);
    if (known)
        snprintf(out, RCODE_TEXT, "%s", known->name);
    else
        snprintf(out, RCODE_TEXT, "RCODE%u", rcode);
    return out;
}
