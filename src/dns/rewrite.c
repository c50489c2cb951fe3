/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - The source was walked: pointers lead strictly backwards to valid names, RDLENGTH is consumed exactly.
 * - moved_to contains only offsets of labels already written, so every written pointer leads backwards.
 */
#include "dns/rewrite.h"

#include <ldns/ldns.h>
#include <string.h>

#include "base/errors.h"
#include "walk.h"

#define POINTER 0xC0

void rewrite_list(struct rewrite *rewrite, const struct answer *answer)
{
    const uint8_t *wire = answer->wire;
    unsigned *start = rewrite->section_start;
    start[0] = 0;
    for (unsigned section = 0; section < 3; section++)
        start[section + 1] = start[section] + read_u16(wire + LDNS_ANCOUNT_OFF + 2 * section);
    size_t owner = message_question_end(answer);
    for (unsigned i = 0; i < start[3]; i++) {
        size_t fixed = answer->ttl_offsets ? answer->ttl_offsets[i] - (size_t)RECORD_TTL : name_end(wire, owner);
        size_t end = fixed + RECORD_FIXED + read_u16(wire + fixed + RECORD_FIXED - 2);
        rewrite->record[i] =
            (struct message_record){(uint16_t)owner, (uint16_t)fixed, (uint16_t)end, read_u16(wire + fixed), false};
        owner = end;
    }
    memset(rewrite->chosen_count, 0, sizeof rewrite->chosen_count);
}

bool rewrite_has_proof(const struct rewrite *rewrite)
{
    bool soa = false, denial = false, signature = false;
    for (unsigned i = rewrite->section_start[1]; i < rewrite->section_start[2]; i++) {
        uint16_t type = rewrite->record[i].type;
        soa |= type == TYPE_SOA;
        denial |= type == TYPE_NSEC || type == TYPE_NSEC3;
        signature |= type == TYPE_RRSIG;
    }
    return soa && denial && signature;
}

void rewrite_choose(struct rewrite *rewrite, unsigned section, unsigned i)
{
    const unsigned *count = rewrite->chosen_count;
    rewrite->chosen[count[0] + count[1] + count[2]] = (uint16_t)i;
    rewrite->chosen_count[section]++;
    rewrite->record[i].chosen = true;
}

struct rewriting {
    struct rewrite *rewrite;
    const uint8_t *wire;
    const struct key *key; /* of the new Question section; NULL: unchanged */
    bool search;           /* for equal names that the message does not point to */
    struct writer writer;
};

static void note_moved(struct rewriting *job, size_t from)
{
    size_t to = writer_len(&job->writer);
    if (from < REWRITE_REACH && to < REWRITE_REACH)
        job->rewrite->moved_to[from] = (uint16_t)to;
}

static size_t follow(const uint8_t *wire, size_t at)
{
    while (wire[at] >= POINTER)
        at = read_u16(wire + at) & (REWRITE_REACH - 1);
    return at;
}

static size_t length_of(const uint8_t *wire, size_t at)
{
    size_t len = 1;
    for (at = follow(wire, at); wire[at]; at = follow(wire, at + 1 + wire[at]))
        len += 1 + (size_t)wire[at];
    return len;
}

/* Names that differ in letter case are not equal. */
static bool names_are_equal(const uint8_t *a, size_t a_at, const uint8_t *b, size_t b_at)
{
    for (;;) {
        a_at = follow(a, a_at);
        b_at = follow(b, b_at);
        if (memcmp(a + a_at, b + b_at, 1 + (size_t)a[a_at]) != 0)
            return false;
        if (a[a_at] == 0)
            return true;
        b_at += 1 + (size_t)b[b_at];
        a_at += 1 + (size_t)a[a_at];
    }
}

/* The offset of an equal name of this length in the new message; 0: there is none. Few labels have the same length, so
 * that a hostile message costs little more than another one. */
static uint16_t find_written(const struct rewriting *job, size_t at, size_t len)
{
    const struct rewrite *rewrite = job->rewrite;
    for (unsigned i = 0; !job->writer.failed && i < rewrite->label_count; i++)
        if (rewrite->label[i].len == len && names_are_equal(job->wire, at, rewrite->out, rewrite->label[i].at))
            return rewrite->label[i].at;
    return 0;
}

static void note_label(struct rewriting *job, size_t len)
{
    struct rewrite *rewrite = job->rewrite;
    size_t to = writer_len(&job->writer);
    if (to < REWRITE_REACH && rewrite->label_count < REWRITE_LABELS)
        rewrite->label[rewrite->label_count++] = (struct rewrite_label){(uint16_t)to, (uint16_t)len};
}

static void put_name(struct rewriting *job, size_t at, bool compress)
{
    size_t left = job->search ? length_of(job->wire, at) : 0;
    for (;;) {
        const uint8_t *label = job->wire + at;
        uint16_t written = 0;
        if (*label >= POINTER) {
            at = read_u16(label) & (REWRITE_REACH - 1);
            continue;
        }
        if (*label == 0) {
            writer_u8(&job->writer, 0);
            return;
        }
        if (compress && at < REWRITE_REACH)
            written = job->rewrite->moved_to[at];
        if (compress && job->search && !written)
            written = find_written(job, at, left);
        if (written) {
            writer_u16(&job->writer, (uint16_t)(POINTER << 8 | written));
            return;
        }
        note_moved(job, at);
        if (job->search)
            note_label(job, left);
        writer_bytes(&job->writer, label, 1 + (size_t)*label);
        at += 1 + (size_t)*label;
        left -= 1 + (size_t)*label;
    }
}

/* The old name is a suffix of the new one, so the records' pointers to it refer to that suffix. */
static void put_new_question(struct rewriting *job)
{
    const struct key *key = job->key;
    size_t old_len = name_end(job->wire, MESSAGE_HEADER) - MESSAGE_HEADER;
    writer_bytes(&job->writer, job->wire, MESSAGE_HEADER);
    writer_bytes(&job->writer, key->name, key->name_len - old_len);
    put_name(job, MESSAGE_HEADER, false);
    writer_u16(&job->writer, key->type);
    writer_u16(&job->writer, key->class);
}

static void put_question(struct rewriting *job)
{
    size_t at = MESSAGE_HEADER;
    writer_bytes(&job->writer, job->wire, MESSAGE_HEADER);
    put_name(job, at, false);
    while (job->wire[at])
        at += 1 + (size_t)job->wire[at];
    writer_bytes(&job->writer, job->wire + at + 1, QUESTION_FIXED);
}

/* RFC 3597 section 4: only names in these types may be compressed. */
static bool may_compress(uint16_t type)
{
    return type <= LDNS_RR_TYPE_MX && type != LDNS_RR_TYPE_A;
}

/* Copies the data; only its compressible names are rewritten. */
static void put_data(struct rewriting *job, const struct message_record *record)
{
    size_t at = record->fixed + (size_t)RECORD_RDATA, names[RDATA_NAMES];
    unsigned count = rdata_names(job->wire, record->type, at, names);
    for (unsigned i = 0; i < count; i++) {
        writer_bytes(&job->writer, job->wire + at, names[i] - at);
        put_name(job, names[i], may_compress(record->type));
        at = name_end(job->wire, names[i]);
    }
    writer_bytes(&job->writer, job->wire + at, record->end - at);
}

/* Returns the offset of the record's TTL. */
static uint16_t put_record(struct rewriting *job, const struct message_record *record)
{
    put_name(job, record->owner, true);
    size_t ttl = writer_len(&job->writer) + RECORD_TTL;
    writer_bytes(&job->writer, job->wire + record->fixed, RECORD_FIXED);
    size_t start = writer_len(&job->writer);
    put_data(job, record);
    if (!job->writer.failed)
        write_u16(job->writer.start + start - 2, (uint16_t)(writer_len(&job->writer) - start));
    return (uint16_t)ttl;
}

static int rewrite_with(struct rewrite *rewrite, const struct key *key, bool search, struct answer *answer)
{
    struct rewriting job = {rewrite, answer->wire, key, search, writer_over(rewrite->out, sizeof rewrite->out)};
    size_t reached = answer->len < REWRITE_REACH ? answer->len : REWRITE_REACH, additional = 0;
    unsigned count = 0;
    memset(rewrite->moved_to, 0, reached * sizeof *rewrite->moved_to);
    rewrite->label_count = 0;
    if (key)
        put_new_question(&job);
    else
        put_question(&job);
    for (unsigned section = 0; section < 3; section++) {
        unsigned end = count + rewrite->chosen_count[section];
        additional = writer_len(&job.writer);
        for (; count < end; count++)
            rewrite->ttl_offsets[count] = put_record(&job, &rewrite->record[rewrite->chosen[count]]);
    }
    if (job.writer.failed)
        return ERROR_MALFORMED;
    for (unsigned section = 0; section < 3; section++)
        write_u16(rewrite->out + LDNS_ANCOUNT_OFF + 2 * section, (uint16_t)rewrite->chosen_count[section]);
    answer->wire = rewrite->out;
    answer->len = writer_len(&job.writer);
    answer->additional = (uint16_t)additional;
    answer->ttl_offsets = rewrite->ttl_offsets;
    answer->ttl_count = count;
    return 0;
}

int rewrite_chosen(struct rewrite *rewrite, struct answer *answer)
{
    return rewrite_with(rewrite, NULL, false, answer);
}

static bool is_surplus(const struct rewrite *rewrite, const uint8_t *wire, unsigned i, unsigned surplus, uint16_t qtype)
{
    const struct message_record *record = &rewrite->record[i];
    if ((surplus & SURPLUS_DNSSEC) && rewrite_needs_dnssec_ok(record->type, qtype))
        return true;
    return (surplus & SURPLUS_EXPIRED) && i >= rewrite->section_start[1] &&
           read_u32(wire + record->fixed + RECORD_TTL) == 0;
}

void rewrite_without(struct answer *answer, unsigned surplus, struct rewrite *scratch)
{
    uint16_t qtype = read_u16(answer->wire + message_question_end(answer) - QUESTION_FIXED);
    rewrite_list(scratch, answer);
    for (unsigned section = 0; section < 3; section++)
        for (unsigned i = scratch->section_start[section]; i < scratch->section_start[section + 1]; i++)
            if (!is_surplus(scratch, answer->wire, i, surplus, qtype))
                rewrite_choose(scratch, section, i);
    int status = rewrite_chosen(scratch, answer);
    (void)status;
}

int rewrite_denial(struct answer *answer, const struct key *key, unsigned surplus, struct rewrite *scratch)
{
    rewrite_list(scratch, answer);
    for (unsigned i = scratch->section_start[1]; i < scratch->section_start[2]; i++)
        if (!is_surplus(scratch, answer->wire, i, surplus, key->type))
            rewrite_choose(scratch, 1, i);
    return rewrite_with(scratch, key, false, answer);
}

bool rewrite_compress(struct answer *answer, struct rewrite *scratch)
{
    struct answer shorter;
    answer_assign(&shorter, answer);
    rewrite_list(scratch, answer);
    for (unsigned section = 0; section < 3; section++)
        for (unsigned i = scratch->section_start[section]; i < scratch->section_start[section + 1]; i++)
            rewrite_choose(scratch, section, i);
    if (rewrite_with(scratch, NULL, true, &shorter) < 0 || shorter.len >= answer->len)
        return false;
    answer_assign(answer, &shorter);
    return true;
}

void rewrite_drop_additional(struct answer *answer)
{
    answer->len = answer->additional;
    write_u16(answer->wire + LDNS_ARCOUNT_OFF, 0);
}
