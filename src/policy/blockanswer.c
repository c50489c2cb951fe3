/* SPDX-License-Identifier: MIT */
/* Blocked names are queried often, so negative responses and addresses are written in wire form, with names that point
 * into the Question section. Local data of RPZ is rare, and goes through ldns. */
#include "blockanswer.h"

#include <string.h>
#include "base/mem.h"
#include "dns/aliases.h"
#include "dns/codes.h"
#include "dns/records.h"

enum { POINTER = 0xC000, RECORDS_MAX = 64, SECTION_ANSWER = 6, SECTION_AUTHORITY = 8 };

struct ede_list block_answer_ede(const struct block_rules *rules, const struct block_match *match)
{
    const struct block_rules_list *list = &rules->lists[match->list];
    struct ede_list ede = {.count = 0};
    ede_add(&ede, list->ede, list->source->name, strlen(list->source->name));
    return ede;
}

/* --- in wire form --- */

static void put_record(struct writer *writer, unsigned owner, uint16_t type, uint32_t ttl, const void *data, size_t len)
{
    writer_u16(writer, (uint16_t)(POINTER | owner));
    writer_u16(writer, type);
    writer_u16(writer, CLASS_IN);
    writer_u32(writer, ttl);
    writer_u16(writer, (uint16_t)len);
    writer_bytes(writer, data, len);
}

/* A SOA whose TTL and MINIMUM are block.ttl. `owner` is an offset in the Question section. */
static void put_soa(struct writer *writer, unsigned owner, uint32_t ttl)
{
    static const uint8_t mailbox[] = "\6nobody\7invalid";
    static const uint32_t times[] = {1, 3600, 1200, 604800};
    uint8_t data[2 + sizeof mailbox + 5 * 4];
    struct writer rdata = writer_over(data, sizeof data);
    writer_u16(&rdata, (uint16_t)(POINTER | owner));
    writer_bytes(&rdata, mailbox, sizeof mailbox);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        writer_u32(&rdata, times[i]);
    writer_u32(&rdata, ttl);
    put_record(writer, owner, TYPE_SOA, ttl, data, sizeof data);
}

static void end_message(struct answer *out, const struct writer *writer, unsigned section, unsigned count)
{
    write_u16(out->wire + section, (uint16_t)count);
    out->len += writer_len(writer);
    out->additional = (uint16_t)out->len;
}

static struct writer room_behind(const struct answer *answer)
{
    return writer_over(answer->wire + answer->len, MESSAGE_MAX - answer->len);
}

static struct answer negative(const struct query *query, uint16_t rcode, unsigned offset, uint32_t ttl,
                              const struct ede_list *ede)
{
    struct answer out = query_error_response(query, rcode, ede);
    struct writer writer = room_behind(&out);
    put_soa(&writer, MESSAGE_HEADER + offset, ttl);
    end_message(&out, &writer, SECTION_AUTHORITY, 1);
    return out;
}

static struct answer addresses(const struct query *query, const struct block_answer *answer, unsigned offset,
                               uint32_t ttl, const struct ede_list *ede)
{
    uint16_t type = query->key.type;
    unsigned count = type == TYPE_A ? answer->v4_count : type == TYPE_AAAA ? answer->v6_count : 0;
    if (count == 0)
        return negative(query, RCODE_NOERROR, offset, ttl, ede);
    struct answer out = query_error_response(query, RCODE_NOERROR, ede);
    struct writer writer = room_behind(&out);
    for (unsigned i = 0; i < count; i++)
        put_record(&writer, MESSAGE_HEADER, type, ttl, type == TYPE_A ? answer->v4[i] : answer->v6[i],
                   type == TYPE_A ? sizeof answer->v4[i] : sizeof answer->v6[i]);
    end_message(&out, &writer, SECTION_ANSWER, count);
    return out;
}

/* --- local data --- */

static size_t records_of(const struct block_rules *rules, const struct block_match *match,
                         const struct block_record **first)
{
    return block_list_records(&rules->lists[match->list].content->list, match->owner, !match->self, first);
}

static const char *text_of(const struct block_rules *rules, const struct block_match *match,
                           const struct block_record *record)
{
    return block_record_text(&rules->lists[match->list].content->list, record);
}

size_t block_answer_target(uint8_t out[NAME_MAX_WIRE], const struct query *query, const struct block_rules *rules,
                           const struct block_match *match)
{
    const struct block_record *record;
    const struct key *key = &query->key;
    size_t count = records_of(rules, match, &record), before = (size_t)key->name_len - 1;
    while (count > 0 && record->type != ALIAS_CNAME)
        record++, count--;
    if (count == 0 || key->type == ALIAS_CNAME)
        return 0;
    int len = name_from_text(out, text_of(rules, match, record));
    if (len < 0 || !record->keep_labels)
        return len < 0 ? 0 : (size_t)len;
    if ((size_t)len + before > NAME_MAX_WIRE)
        return 0;
    memmove(out + before, out, (size_t)len);
    memcpy(out, key->name, before);
    return (size_t)len + before;
}

/* Gives the response to `records`. */
static bool build_records(struct answer *out, const struct query *query, uint16_t rcode,
                          const struct record_text *records, unsigned count, const struct ede_list *ede)
{
    const struct resolver *resolver = query->resolver;
    int len = records_answer(resolver->big, RESOLVER_BIG, &query->key, rcode, records, count, NULL, 0);
    if (len < 0 || message_own_answer(resolver->big, (size_t)len, resolver->scratch, out) < 0)
        return false;
    out->ede = *ede;
    return true;
}

static bool build_data(struct answer *out, const struct query *query, const struct block_rules *rules,
                       const struct block_match *match, const struct ede_list *ede)
{
    struct record_text texts[RECORDS_MAX];
    char type[TYPE_TEXT];
    const struct block_record *record;
    size_t count = records_of(rules, match, &record);
    unsigned used = 0;
    records_type_text(query->key.type, type);
    for (size_t i = 0; i < count && used < RECORDS_MAX; i++)
        if (record[i].type == query->key.type)
            texts[used++] = (struct record_text){NULL, type, record[i].ttl, text_of(rules, match, &record[i])};
    if (used > 0)
        return build_records(out, query, RCODE_NOERROR, texts, used, ede);
    *out = negative(query, RCODE_NOERROR, match->offset, rules->ttl, ede);
    return true;
}

/* The answer records of a response, as texts. */
struct copied {
    struct record_text records[RECORDS_MAX];
    unsigned count;
    size_t used;
    char text[32768];
};

static const char *keep_text(struct copied *copied, const char *text)
{
    size_t len = strlen(text) + 1;
    if (len > sizeof copied->text - copied->used)
        return NULL;
    char *kept = copied->text + copied->used;
    copied->used += len;
    return memcpy(kept, text, len);
}

static void copy_record(void *context, const struct record_view *record)
{
    struct copied *copied = context;
    if (strcmp(record->section, "answer") != 0 || copied->count == RECORDS_MAX)
        return;
    struct record_text text = {.owner = keep_text(copied, record->owner),
                               .type = keep_text(copied, record->type),
                               .ttl = record->ttl,
                               .rdata = keep_text(copied, record->rdata)};
    if (text.owner && text.type && text.rdata)
        copied->records[copied->count++] = text;
}

bool block_answer_chain(struct answer *out, const struct query *query, const struct ede_list *ede,
                        const uint8_t *target, uint32_t ttl, const struct answer *found)
{
    struct copied *copied = mem_alloc(sizeof *copied);
    char name[NAME_MAX_TEXT];
    if (!copied)
        return false;
    copied->used = 0;
    copied->count = 1;
    copied->records[0] = (struct record_text){NULL, "CNAME", ttl, name_text(target, name)};
    bool built = !found || records_each((struct bytes){found->wire, found->len}, copy_record, copied) == 0;
    built = built &&
            build_records(out, query, found ? found->rcode & 15 : RCODE_NOERROR, copied->records, copied->count, ede);
    mem_free(copied);
    return built;
}

/* --- all --- */

bool block_answer_build(struct answer *out, const struct query *query, const struct block_rules *rules,
                        const struct block_match *match)
{
    const struct block_answer *answer = &rules->lists[match->list].answer;
    struct ede_list ede = block_answer_ede(rules, match);
    if (match->rule == RULE_DATA)
        return build_data(out, query, rules, match, &ede);
    bool as_configured = match->rule == RULE_BLOCK;
    if (as_configured && answer->kind == ANSWER_ADDRESSES) {
        *out = addresses(query, answer, match->offset, rules->ttl, &ede);
        return true;
    }
    bool exists = as_configured ? answer->kind == ANSWER_NODATA : match->rule == RULE_NODATA;
    *out = negative(query, exists ? RCODE_NOERROR : RCODE_NXDOMAIN, match->offset, rules->ttl, &ede);
    return true;
}
