/* SPDX-License-Identifier: MIT */
/* Invariant: ldns only converts presentation form to rdata; the rest of the message is written here, so ldns's
 * buffer status does not matter. Objects of ldns are freed on each path. */
#include "dns/records.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <ldns/ldns.h>

#define LINE_MAX_TEXT       4096 /* one record in presentation form */
#define POINTER_TO_QUESTION (0xc000 | MESSAGE_HEADER)

/* ldns reports a failed allocation in one of its lists as an internal error. */
static bool memory_was_gone(ldns_status status)
{
    return status == LDNS_STATUS_MEM_ERR || status == LDNS_STATUS_INTERNAL_ERR;
}

/* Lets ldns parse type and rdata only, without owner, TTL and class. */
static int read_rdata(const struct record_text *record, ldns_rr **out)
{
    char line[LINE_MAX_TEXT];
    int len = snprintf(line, sizeof(line), ". 0 IN %s %s", record->type, record->rdata);
    if (len < 0 || (size_t)len >= sizeof(line))
        return -EINVAL;
    ldns_status status = ldns_rr_new_frm_str(out, line, 0, NULL, NULL);
    if (status != LDNS_STATUS_OK)
        return memory_was_gone(status) ? -ENOMEM : -EINVAL;
    if (ldns_rr_get_type(*out) == 0) { /* ldns's result for an unknown mnemonic */
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

/* --- records as text --- */

/* The data without owner, TTL, class and type. NULL: out of memory. */
static char *rdata_text(const ldns_rr *rr)
{
    char *text = NULL;
    ldns_buffer *buffer = ldns_buffer_new(LINE_MAX_TEXT);
    if (!buffer)
        return NULL;
    ldns_status status = LDNS_STATUS_OK;
    for (size_t i = 0; i < ldns_rr_rd_count(rr) && status == LDNS_STATUS_OK; i++) {
        if (i > 0)
            ldns_buffer_printf(buffer, " ");
        status = ldns_rdf2buffer_str(buffer, ldns_rr_rdf(rr, i));
    }
    if (status == LDNS_STATUS_OK)
        text = ldns_buffer_export2str(buffer);
    ldns_buffer_free(buffer);
    return text;
}

static int tell_record(const char *section, const ldns_rr *rr,
                       void (*tell)(void *context, const struct record_view *record), void *context)
{
    char type[TYPE_TEXT];
    char *owner = ldns_rdf2str(ldns_rr_owner(rr)), *rdata = rdata_text(rr);
    const struct record_view record = {section, owner, records_type_text((uint16_t)ldns_rr_get_type(rr), type), rdata,
                                       ldns_rr_ttl(rr)};
    bool whole = owner && rdata;
    if (whole)
        tell(context, &record);
    LDNS_FREE(owner);
    LDNS_FREE(rdata);
    return whole ? 0 : -ENOMEM;
}

int records_each(struct bytes message, void (*tell)(void *context, const struct record_view *record), void *context)
{
    static const struct {
        const char *name;
        ldns_pkt_section section;
    } sections[] = {{"answer", LDNS_SECTION_ANSWER},
                    {"authority", LDNS_SECTION_AUTHORITY},
                    {"additional", LDNS_SECTION_ADDITIONAL}};
    ldns_pkt *packet = NULL;
    ldns_status parsed = ldns_wire2pkt(&packet, message.data, message.len);
    int status = parsed == LDNS_STATUS_OK ? 0 : memory_was_gone(parsed) ? -ENOMEM : -EINVAL;
    for (size_t i = 0; i < sizeof sections / sizeof *sections && status == 0; i++) {
        ldns_rr_list *list = ldns_pkt_get_section_clone(packet, sections[i].section);
        for (size_t r = 0; list && r < ldns_rr_list_rr_count(list) && status == 0; r++)
            status = tell_record(sections[i].name, ldns_rr_list_rr(list, r), tell, context);
        ldns_rr_list_deep_free(list);
    }
    ldns_pkt_free(packet);
    return status;
}
