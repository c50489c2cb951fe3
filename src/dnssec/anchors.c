/* SPDX-License-Identifier: MIT */
#include "dnssec/anchors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dns/codes.h"
#include "dns/zonetext.h"
#include "wire.h"

/* The keys that IANA publishes as root-anchors.xml: KSK-2017 and KSK-2024. */
static const char root_text[] = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
                                ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";

int anchors_new(struct anchors **out)
{
    struct anchors *anchors = mem_zalloc(1, sizeof *anchors);
    if (!anchors)
        return -ENOMEM;
    atomic_init(&anchors->refs, 1);
    *out = anchors;
    return 0;
}

struct anchors *anchors_ref(struct anchors *anchors)
{
    atomic_fetch_add_explicit(&anchors->refs, 1, memory_order_relaxed);
    return anchors;
}

void anchors_unref(struct anchors *anchors)
{
    if (!anchors || atomic_fetch_sub_explicit(&anchors->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < anchors->count; i++)
        for (unsigned k = 0; k < anchors->list[i].count; k++)
            mem_free((void *)anchors->list[i].records[k].rdata.data);
    mem_free(anchors->list);
    mem_free(anchors);
}

const struct anchor *anchors_find(const struct anchors *anchors, const uint8_t *name, size_t len, bool negative)
{
    for (size_t i = 0; i < anchors->count; i++) {
        const struct anchor *anchor = &anchors->list[i];
        if (anchor->negative == negative && anchor->len == len && memcmp(anchor->name, name, len) == 0)
            return anchor;
    }
    return NULL;
}

static int find_or_add(struct anchors *anchors, const uint8_t *name, size_t len, bool negative, struct anchor **out)
{
    struct anchor *found = (struct anchor *)anchors_find(anchors, name, len, negative);
    if (!found && anchors->count == ANCHORS_MAX)
        return -E2BIG;
    if (!found && anchors->count == anchors->room) {
        size_t room = anchors->room ? 2 * anchors->room : 4;
        struct anchor *list = mem_zalloc(room, sizeof *list);
        if (!list)
            return -ENOMEM;
        if (anchors->count > 0)
            memcpy(list, anchors->list, anchors->count * sizeof *list);
        mem_free(anchors->list);
        anchors->list = list;
        anchors->room = room;
    }
    if (!found) {
        found = &anchors->list[anchors->count++];
        *found = (struct anchor){.len = (uint8_t)len, .negative = negative};
        memcpy(found->name, name, len);
    }
    *out = found;
    return 0;
}

static bool has_record(const struct anchor *anchor, const struct anchor_record *record)
{
    for (unsigned i = 0; i < anchor->count; i++) {
        const struct anchor_record *one = &anchor->records[i];
        if (one->type == record->type && one->rdata.len == record->rdata.len &&
            memcmp(one->rdata.data, record->rdata.data, record->rdata.len) == 0)
            return true;
    }
    return false;
}

int anchors_add(struct anchors *anchors, const uint8_t *name, size_t len, uint16_t type, struct bytes rdata)
{
    struct anchor *anchor = NULL;
    int status = find_or_add(anchors, name, len, false, &anchor);
    if (status < 0)
        return status;
    if (has_record(anchor, &(struct anchor_record){type, rdata}))
        return 0;
    if (anchor->count == ANCHOR_RECORDS_MAX)
        return -E2BIG;
    uint8_t *copy = mem_alloc(rdata.len);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, rdata.data, rdata.len);
    anchor->records[anchor->count++] = (struct anchor_record){type, {copy, rdata.len}};
    return 0;
}

int anchors_add_negative(struct anchors *anchors, const uint8_t *name, size_t len, uint64_t until_ms)
{
    struct anchor *anchor = NULL;
    int status = find_or_add(anchors, name, len, true, &anchor);
    if (status == 0)
        anchor->until_ms = until_ms;
    return status;
}

static int copy(struct anchors *anchors, const struct anchors *from, bool root)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < from->count; i++) {
        const struct anchor *anchor = &from->list[i];
        if (!root && !anchor->negative && anchor->len == 1)
            continue;
        if (anchor->negative)
            status = anchors_add_negative(anchors, anchor->name, anchor->len, anchor->until_ms);
        for (unsigned k = 0; status == 0 && k < anchor->count; k++)
            status = anchors_add(anchors, anchor->name, anchor->len, anchor->records[k].type, anchor->records[k].rdata);
    }
    return status;
}

int anchors_copy(struct anchors *anchors, const struct anchors *from)
{
    return copy(anchors, from, true);
}

int anchors_copy_below_root(struct anchors *anchors, const struct anchors *from)
{
    return copy(anchors, from, false);
}

/* Records of one anchor differ from each other. */
static bool has_all(const struct anchors *anchors, const struct anchors *of)
{
    for (size_t i = 0; i < of->count; i++) {
        const struct anchor *anchor = &of->list[i];
        if (anchor->negative)
            continue;
        const struct anchor *found = anchors_find(anchors, anchor->name, anchor->len, false);
        if (!found || found->count != anchor->count)
            return false;
        for (unsigned k = 0; k < anchor->count; k++)
            if (!has_record(found, &anchor->records[k]))
                return false;
    }
    return true;
}

bool anchors_agree(const struct anchors *a, const struct anchors *b)
{
    return has_all(a, b) && has_all(b, a);
}

static void add_digest(uint8_t out[DIGEST_LEN], const struct anchor *anchor, const struct anchor_record *record)
{
    uint8_t of_record[DIGEST_LEN], all[NAME_MAX_WIRE + 2 + DIGEST_LEN];
    struct writer writer = writer_over(all, sizeof all);
    digest_bytes(of_record, record->rdata.data, record->rdata.len);
    writer_bytes(&writer, anchor->name, anchor->len);
    writer_u16(&writer, record->type);
    writer_bytes(&writer, of_record, DIGEST_LEN);
    digest_bytes(of_record, all, writer_len(&writer));
    for (unsigned i = 0; i < DIGEST_LEN; i++)
        out[i] ^= of_record[i];
}

void anchors_digest(const struct anchors *anchors, uint8_t out[DIGEST_LEN])
{
    memset(out, 0, DIGEST_LEN);
    for (size_t i = 0; i < anchors->count; i++)
        for (unsigned k = 0; k < anchors->list[i].count; k++)
            add_digest(out, &anchors->list[i], &anchors->list[i].records[k]);
}

struct anchors_reading {
    struct anchors *anchors;
    unsigned count;
    bool strange; /* there was a record of another type */
};

static int take_record(void *context, const struct zone_record *record)
{
    struct anchors_reading *reading = context;
    if (record->type != TYPE_DS && record->type != TYPE_DNSKEY) {
        reading->strange = true;
        return -EINVAL;
    }
    reading->count++;
    if (record->rdata.len <= 4 || (record->type == TYPE_DNSKEY && !dnskey_is_usable(record->rdata)))
        return 0;
    return anchors_add(reading->anchors, record->owner, record->owner_len, record->type, record->rdata);
}

int anchors_read(struct anchors *anchors, const char *text, char why[ANCHORS_WHY])
{
    struct anchors_reading reading = {.anchors = anchors};
    struct zone_text *zone;
    char reason[ZONE_TEXT_WHY] = "";
    int status = zone_text_new(&zone);
    if (status < 0)
        return status;
    status = zone_text_read(zone, text, take_record, &reading, reason);
    zone_text_free(zone);
    if (status == 0 && reading.count == 0)
        status = -EINVAL;
    if (status == -EINVAL)
        snprintf(why, ANCHORS_WHY, "%s",
                 reading.strange                    ? "a trust anchor is a DS or DNSKEY record"
                 : reading.count == 0 && !reason[0] ? "there is no DS or DNSKEY record in it"
                                                    : reason);
    return status;
}

int anchors_add_root(struct anchors *anchors)
{
    char why[ANCHORS_WHY];
    if (anchors_find(anchors, (const uint8_t *)"", 1, false))
        return 0;
    return anchors_read(anchors, root_text, why);
}

const struct anchor *anchors_closest(const struct anchors *anchors, const uint8_t *name, size_t len, uint64_t now_ms)
{
    const struct anchor *best = NULL;
    for (size_t i = 0; i < anchors->count; i++) {
        const struct anchor *anchor = &anchors->list[i];
        if ((anchor->negative && anchor->until_ms && now_ms >= anchor->until_ms) ||
            !name_is_under(name, len, anchor->name, anchor->len))
            continue;
        if (!best || anchor->len > best->len || (anchor->len == best->len && anchor->negative))
            best = anchor;
    }
    return best;
}
