/* SPDX-License-Identifier: MIT */
#include "rrsets.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "canonical.h"
#include "wire.h"

struct grouping {
    struct rrsets *sets;
    const uint8_t *wire;
    unsigned work;
    int status;
};

static bool is_set(struct grouping *grouping, const struct rrset *set, unsigned section, const uint8_t *owner,
                   size_t len, uint16_t type)
{
    grouping->work++;
    return set->type == type && set->section == section && set->owner_len == len && memcmp(set->owner, owner, len) == 0;
}

/* The records of a RRset are mostly adjacent. */
static struct rrset *find(struct grouping *grouping, unsigned section, const uint8_t *owner, size_t len, uint16_t type)
{
    struct rrsets *sets = grouping->sets;
    for (unsigned i = sets->count; i-- > 0;)
        if (is_set(grouping, &sets->set[i], section, owner, len, type))
            return &sets->set[i];
    return NULL;
}

static struct rrset *add(struct rrsets *sets, unsigned section, const uint8_t *owner, size_t len, uint16_t type)
{
    if (sets->count == RRSETS_MAX)
        return NULL;
    struct rrset *set = &sets->set[sets->count++];
    memset(set, 0, sizeof *set);
    memcpy(set->owner, owner, len);
    set->owner_len = (uint8_t)len;
    set->labels = (uint8_t)name_labels(owner);
    set->section = (uint8_t)section;
    set->type = type;
    set->first = set->last = set->first_sig = set->last_sig = RRSET_NONE;
    return set;
}

static void append(struct rrsets *sets, unsigned i, uint16_t *first, uint16_t *last, uint16_t *count)
{
    if (*last == RRSET_NONE)
        *first = (uint16_t)i;
    else
        sets->record[*last].next = (uint16_t)i;
    *last = (uint16_t)i;
    ++*count;
}

/* `signatures`: the pass that adds RRSIG records to the RRsets that they cover; the pass before adds all others. */
static void group_record(struct grouping *grouping, unsigned i, unsigned section, size_t owner_at, bool signatures)
{
    struct rrsets *sets = grouping->sets;
    struct rrset_record *record = &sets->record[i];
    const uint8_t *fixed = grouping->wire + record->fixed;
    uint8_t owner[NAME_MAX_WIRE];
    uint16_t type = read_u16(fixed);
    bool is_signature = type == TYPE_RRSIG;
    if (is_signature != signatures || read_u16(fixed + 2) != CLASS_IN)
        return;
    struct bytes rdata = rrset_rdata(grouping->wire, record);
    if (is_signature && rdata.len <= RRSIG_SIGNER)
        return;
    size_t len = canonical_name(grouping->wire, owner_at, owner);
    type = is_signature ? read_u16(rdata.data) : type;
    struct rrset *set = find(grouping, section, owner, len, type);
    if (!set && !is_signature && !(set = add(sets, section, owner, len, type)))
        grouping->status = -E2BIG;
    if (!set || (is_signature && set->sig_count == RRSET_SIGNATURES))
        return;
    record->set = (uint8_t)(set - sets->set);
    if (is_signature)
        append(sets, i, &set->first_sig, &set->last_sig, &set->sig_count);
    else
        append(sets, i, &set->first, &set->last, &set->count);
}

static void group_all(struct grouping *grouping, unsigned answers, bool signatures)
{
    struct rrsets *sets = grouping->sets;
    size_t at = MESSAGE_HEADER;
    at = canonical_name_end(grouping->wire, at) + 4;
    for (unsigned i = 0; grouping->status == 0 && i < sets->record_count; i++) {
        size_t fixed = canonical_name_end(grouping->wire, at);
        sets->record[i].fixed = (uint16_t)fixed;
        group_record(grouping, i, i >= answers, at, signatures);
        if (grouping->work > RRSETS_WORK)
            grouping->status = -E2BIG;
        at = fixed + 10 + read_u16(grouping->wire + fixed + 8);
    }
}

static size_t sets_at(unsigned records)
{
    const size_t alignment = _Alignof(struct rrset);
    size_t at = sizeof(struct rrsets) + records * sizeof(struct rrset_record);
    return (at + alignment - 1) / alignment * alignment;
}

static void place_sets(struct rrsets *sets, unsigned records)
{
    sets->set = (struct rrset *)((uint8_t *)sets + sets_at(records));
}

size_t rrsets_bytes(const struct rrsets *sets)
{
    return sets_at(sets->record_count) + sets->count * sizeof *sets->set;
}

/* Many validations may wait at a time, and most responses have few RRsets. */
static struct rrsets *shrink(struct rrsets *sets)
{
    struct rrsets *smaller = mem_resize(sets, rrsets_bytes(sets));
    sets = smaller ? smaller : sets;
    place_sets(sets, sets->record_count);
    return sets;
}

int rrsets_new(struct rrsets **out, const struct answer *answer)
{
    unsigned answers = read_u16(answer->wire + MESSAGE_ANCOUNT);
    unsigned count = answers + read_u16(answer->wire + MESSAGE_ANCOUNT + 2);
    if (count > MESSAGE_MAX_RECORDS)
        return -E2BIG;
    struct rrsets *sets = mem_alloc(sets_at(count) + RRSETS_MAX * sizeof *sets->set);
    if (!sets)
        return -ENOMEM;
    place_sets(sets, count);
    struct grouping grouping = {.sets = sets, .wire = answer->wire};
    sets->count = 0;
    sets->record_count = count;
    for (unsigned i = 0; i < count; i++)
        sets->record[i] = (struct rrset_record){0, RRSET_NONE, RRSETS_MAX};
    group_all(&grouping, answers, false);
    group_all(&grouping, answers, true);
    if (grouping.status < 0)
        mem_free(sets);
    else
        *out = shrink(sets);
    return grouping.status;
}

void rrsets_free(struct rrsets *sets)
{
    mem_free(sets);
}

struct rrset *rrsets_find(struct rrsets *sets, unsigned section, const uint8_t *owner, size_t len, uint16_t type)
{
    for (unsigned i = 0; i < sets->count; i++) {
        struct rrset *set = &sets->set[i];
        if (set->type == type && set->section == section && set->owner_len == len &&
            memcmp(set->owner, owner, len) == 0)
            return set;
    }
    return NULL;
}
