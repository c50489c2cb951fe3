/* SPDX-License-Identifier: MIT */
/* Hosts, local zones and their records. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "config/validate.h"

struct records_checking {
    struct draft *draft;
    const struct mark *zones, *records; /* by index */
};

static void tell_mistake(void *context, bool in_zones, size_t i, const char *why)
{
    const struct records_checking *checking = context;
    report_at(checking->draft->report, in_zones ? checking->zones[i] : checking->records[i], "%s: %s",
              in_zones ? "zones" : "records", why);
}

/* 0; -EINVAL with reports; or -ENOMEM. */
static int check_with(struct records_checking *checking, const struct local_texts *texts)
{
    struct local_data *data = NULL;
    int status = local_data_new(&data, texts, tell_mistake, checking);
    local_data_free(data);
    return status;
}

static bool is_same(const struct value *a, const struct value *b)
{
    size_t len_a = a->text.len, len_b = b->text.len;
    len_a -= len_a > 1 && a->text.data[len_a - 1] == '.';
    len_b -= len_b > 1 && b->text.data[len_b - 1] == '.';
    return len_a == len_b && strncasecmp((const char *)a->text.data, (const char *)b->text.data, len_a) == 0;
}

/* A route for the same zone would never be used. */
static void check_routes(struct draft *draft, const struct value *name)
{
    for (const struct draft_item *route = draft_setting(draft, "forward")->items; route; route = route->next)
        for (const struct value *zone = draft_item_setting(route, "zones")->first; zone; zone = zone->next)
            if (is_same(zone, name))
                report_at(
                    draft->report, name->mark,
                    "zones: %s has a route in forward, too, which would never be used; remove one, or write type: "
                    "transparent",
                    (const char *)name->text.data);
}

/* The step of special-use names answers these. */
static void check_hosts(struct draft *draft)
{
    for (const struct draft_item *host = draft_setting(draft, "hosts.entries")->items; host; host = host->next) {
        const struct value *name = draft_item_setting(host, "name")->first;
        uint8_t wire[NAME_MAX_WIRE];
        static const uint8_t localhost[] = "\11localhost";
        int len = name ? name_from_text(wire, (const char *)name->text.data) : 0;
        if (len > 0 && name_is_under(wire, (size_t)len, localhost, sizeof localhost))
            report_at(draft->report, name->mark, "hosts.entries: %s always means this machine; use another name",
                      (const char *)name->text.data);
    }
}

static bool is_usable(const struct draft_item *zone)
{
    const struct setting *name = draft_item_setting(zone, "name"), *type = draft_item_setting(zone, "type");
    return name->first && !name->broken && !type->broken;
}

int validate_records(struct draft *draft)
{
    const struct setting *records = draft_setting(draft, "records"), *zones = draft_setting(draft, "zones");
    struct arena *arena = draft->arena;
    struct local_zone_text *zone_texts = arena_take(arena, (zones->count + 1) * sizeof *zone_texts);
    const char **texts = arena_take(arena, (records->count + 1) * sizeof *texts);
    struct mark *zone_marks = arena_take(arena, (zones->count + 1) * sizeof *zone_marks),
                *record_marks = arena_take(arena, (records->count + 1) * sizeof *record_marks);
    size_t zone_count = 0, record_count = 0;
    check_hosts(draft);
    if (!zone_texts || !texts || !zone_marks || !record_marks)
        return -ENOMEM;
    if (records->count + zones->count == 0 || records->broken || zones->broken)
        return 0;
    for (const struct draft_item *zone = zones->items; zone; zone = zone->next) {
        if (!is_usable(zone))
            return 0; /* reported */
        const struct value *name = draft_item_setting(zone, "name")->first;
        enum local_zone type = (enum local_zone)draft_item_setting(zone, "type")->first->number;
        zone_marks[zone_count] = name->mark;
        zone_texts[zone_count++] = (struct local_zone_text){(const char *)name->text.data, type};
        if (type != LOCAL_TRANSPARENT)
            check_routes(draft, name);
    }
    for (const struct value *record = records->first; record; record = record->next) {
        record_marks[record_count] = record->mark;
        texts[record_count++] = (const char *)record->text.data;
    }
    struct records_checking checking = {draft, zone_marks, record_marks};
    int status = check_with(&checking, &(struct local_texts){zone_texts, zone_count, texts, record_count});
    return status == -EINVAL ? 0 : status;
}
