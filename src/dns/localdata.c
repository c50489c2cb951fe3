/* SPDX-License-Identifier: MIT */
/* Nodes are the owners, the names between them and the apex of their zone (or the top-level name), and the apexes; so the
 * longest suffix of a name that is a node is its closest encloser (RFC 4592 section 3.3.1).
 *
 * Invariants: `records` is sorted by owner, type, and place in the configuration; each node has a range of it.
 */
#include "dns/localdata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/suffixes.h"
#include "dns/zonetext.h"

enum { TYPE_OF_CNAME = 5, TYPE_OF_DNAME = 39, RECORD_WHY = ZONE_TEXT_WHY + NAME_MAX_TEXT + 80 };

struct data_node {
    uint32_t first, count; /* of its records */
};

struct data_zone {
    const uint8_t *name;
    uint8_t len;
    enum local_zone type;
    const struct local_record *soa;
};

struct local_data {
    struct suffix_table *zones_by_name, *nodes_by_name;
    struct data_zone *zones;
    size_t zone_count;
    struct data_node *nodes;
    size_t node_count;
    struct local_record *records;
    size_t record_count;
    uint8_t *bytes; /* names of zones, data of records */
    struct local_filter filter;
};

/* --- reading --- */

struct data_parsed {
    size_t at; /* of the owner in the bytes; the data follows */
    size_t order, item;
    uint32_t ttl;
    uint16_t type, rdata_len;
    uint8_t owner_len;
    const uint8_t *owner, *rdata; /* set when all are read */
};

struct name_item {
    const uint8_t *name;
    uint8_t len;
};

struct data_making {
    struct local_data *data;
    const struct local_texts *texts;
    void (*tell)(void *context, bool in_zones, size_t i, const char *why);
    void *context;
    bool mistaken;
    struct buffer bytes;
    struct data_parsed *parsed;
    size_t count, cap, item;
    struct name_item *names; /* of nodes */
    size_t name_count, name_cap;
};

static void mistake(struct data_making *making, bool in_zones, size_t i, const char *why)
{
    making->mistaken = true;
    making->tell(making->context, in_zones, i, why);
}

static void mistake_of(struct data_making *making, const struct data_parsed *record, const char *rest)
{
    char why[RECORD_WHY], name[NAME_MAX_TEXT];
    snprintf(why, sizeof why, "%s %s", name_text(record->owner, name), rest);
    mistake(making, false, record->item, why);
}

static int grow(void **list, size_t *cap, size_t count, size_t size)
{
    size_t wanted = *cap ? 2 * *cap : 16;
    if (count < *cap)
        return 0;
    void *larger = mem_resize(*list, wanted * size);
    if (!larger)
        return -ENOMEM;
    *list = larger;
    *cap = wanted;
    return 0;
}

static int take_record(void *context, const struct zone_record *record)
{
    struct data_making *making = context;
    if (making->count >= LOCAL_RECORDS_MAX)
        return -ENOSPC;
    if (grow((void **)&making->parsed, &making->cap, making->count, sizeof *making->parsed) < 0)
        return -ENOMEM;
    making->parsed[making->count] = (struct data_parsed){.at = making->bytes.len,
                                                         .order = making->count,
                                                         .item = making->item,
                                                         .ttl = record->ttl,
                                                         .type = record->type,
                                                         .rdata_len = (uint16_t)record->rdata.len,
                                                         .owner_len = record->owner_len};
    making->count++;
    if (buffer_append(&making->bytes, record->owner, record->owner_len) < 0 ||
        buffer_append(&making->bytes, record->rdata.data, record->rdata.len) < 0)
        return -ENOMEM;
    return 0;
}

static int read_records(struct data_making *making)
{
    struct zone_text *zone = NULL;
    char why[ZONE_TEXT_WHY];
    int status = zone_text_new(&zone);
    for (making->item = 0; status == 0 && making->item < making->texts->record_count; making->item++) {
        status = zone_text_read(zone, making->texts->records[making->item], take_record, making, why);
        if (status == -EINVAL) {
            mistake(making, false, making->item, why);
            status = 0;
        } else if (status == -ENOSPC) {
            mistake(making, false, making->item, "there are too many records");
            break;
        }
    }
    zone_text_free(zone);
    return status == -ENOSPC ? 0 : status;
}

static int read_zones(struct data_making *making)
{
    struct local_data *data = making->data;
    data->zones = mem_zalloc(making->texts->zone_count + 1, sizeof *data->zones);
    if (!data->zones)
        return -ENOMEM;
    for (size_t i = 0; i < making->texts->zone_count; i++) {
        uint8_t name[NAME_MAX_WIRE];
        int len = name_from_text(name, making->texts->zones[i].name);
        if (len <= 1)
            mistake(making, true, i, "its name is not a domain name");
        data->zones[i] = (struct data_zone){.len = (uint8_t)(len > 1 ? len : 0), .type = making->texts->zones[i].type};
        if (len > 1 && buffer_append(&making->bytes, name, (size_t)len) < 0)
            return -ENOMEM;
    }
    data->zone_count = making->texts->zone_count;
    return 0;
}

/* From now on nothing is added to the bytes. */
static void point_to_bytes(struct data_making *making)
{
    struct local_data *data = making->data;
    const uint8_t *at = data->bytes = making->bytes.data; /* nothing was consumed, so it starts there */
    making->bytes = (struct buffer){.data = NULL};
    for (size_t i = 0; i < data->zone_count; i++) {
        data->zones[i].name = at;
        at += data->zones[i].len;
    }
    for (size_t i = 0; i < making->count; i++) {
        struct data_parsed *record = &making->parsed[i];
        record->owner = data->bytes + record->at;
        record->rdata = record->owner + record->owner_len;
    }
}

/* --- checks --- */

static int compare_names(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

static int compare_parsed(const void *a, const void *b)
{
    const struct data_parsed *x = a, *y = b;
    int order = compare_names(x->owner, x->owner_len, y->owner, y->owner_len);
    if (order == 0 && x->type != y->type)
        order = x->type < y->type ? -1 : 1;
    return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

static bool is_same_owner(const struct data_parsed *a, const struct data_parsed *b)
{
    return compare_names(a->owner, a->owner_len, b->owner, b->owner_len) == 0;
}

static void check_zones(struct data_making *making)
{
    const struct local_data *data = making->data;
    for (size_t i = 0; i < data->zone_count; i++)
        for (size_t j = 0; j < i; j++)
            if (data->zones[i].len > 0 &&
                compare_names(data->zones[i].name, data->zones[i].len, data->zones[j].name, data->zones[j].len) == 0) {
                mistake(making, true, i, "this zone is there already; remove one");
                break;
            }
}

/* The zone of the name; NULL: none. */
static const struct data_zone *zone_of(const struct local_data *data, const uint8_t *name, size_t len)
{
    uint32_t value;
    size_t found;
    return data->zone_count > 0 && suffix_table_find(data->zones_by_name, name, len, &value, &found)
               ? &data->zones[value]
               : NULL;
}

static bool is_apex(const struct data_zone *zone, const struct data_parsed *record)
{
    return zone && zone->len == record->owner_len;
}

static void check_place(struct data_making *making, const struct data_parsed *record)
{
    const struct local_data *data = making->data;
    const struct data_zone *zone = zone_of(data, record->owner, record->owner_len);
    if (!zone && data->zone_count > 0)
        mistake_of(making, record,
                   "is in none of zones; add its zone there, with type: transparent if other names in "
                   "it are to be resolved");
    else if (zone && zone->type == LOCAL_NXDOMAIN)
        mistake_of(making, record, "is in a zone with type: nxdomain; make it static or remove the record");
    else if (zone && zone->type == LOCAL_REFUSE)
        mistake_of(making, record, "is in a zone with type: refuse; make it static or remove the record");
    else if (record->type == TYPE_SOA && !is_apex(zone, record))
        mistake_of(making, record, "has a SOA record and is not one of zones");
    else if (record->type == TYPE_NS && zone && !is_apex(zone, record))
        mistake_of(making, record,
                   "would be delegated by its NS record; write a route in forward, or a zone of its own");
}

static void check_owner(struct data_making *making, const struct data_parsed *first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct data_parsed *record = &first[i];
        check_place(making, record);
        bool repeats = i > 0 && record[-1].type == record->type;
        if (record->type == TYPE_OF_CNAME && count > 1)
            mistake_of(making, record, "has a CNAME record and others; a CNAME must be alone");
        else if (record->type == TYPE_OF_DNAME && repeats)
            mistake_of(making, record, "has two DNAME records; remove one");
        else if (record->type == TYPE_SOA && repeats)
            mistake_of(making, record, "has two SOA records; remove one");
        else if (record->type == TYPE_OF_DNAME && record->owner[0] == 1 && record->owner[1] == '*')
            mistake_of(making, record, "is a wildcard, which cannot have a DNAME record");
    }
}

static void check_records(struct data_making *making)
{
    for (size_t first = 0, end; first < making->count; first = end) {
        for (end = first + 1; end < making->count && is_same_owner(&making->parsed[first], &making->parsed[end]);)
            end++;
        check_owner(making, &making->parsed[first], end - first);
    }
}

/* No name below a DNAME has records (RFC 6672 section 2.4). */
static void check_below_dnames(struct data_making *making)
{
    for (size_t i = 0; i < making->count; i++)
        for (size_t d = 0; making->parsed[i].type == TYPE_OF_DNAME && d < making->count; d++)
            if (making->parsed[d].owner_len > making->parsed[i].owner_len &&
                name_is_under(making->parsed[d].owner, making->parsed[d].owner_len, making->parsed[i].owner,
                              making->parsed[i].owner_len))
                mistake_of(making, &making->parsed[d], "is below a name with a DNAME record");
}

/* --- tables --- */

static int add_name(struct data_making *making, const uint8_t *name, size_t len)
{
    if (grow((void **)&making->names, &making->name_cap, making->name_count, sizeof *making->names) < 0)
        return -ENOMEM;
    making->names[making->name_count++] = (struct name_item){name, (uint8_t)len};
    return 0;
}

/* The owner and the names above it, up to those of its zone, or up to the top-level name. */
static int add_names(struct data_making *making, const struct data_parsed *record)
{
    const struct data_zone *zone = zone_of(making->data, record->owner, record->owner_len);
    size_t end = zone ? zone->len : 1;
    int status = 0;
    size_t len = record->owner_len;
    for (const uint8_t *name = record->owner; status == 0 && len > end; name += 1 + (size_t)*name) {
        status = add_name(making, name, len);
        len -= 1 + (size_t)*name;
    }
    return status;
}

static int compare_items(const void *a, const void *b)
{
    const struct name_item *x = a, *y = b;
    return compare_names(x->name, x->len, y->name, y->len);
}

static int list_names(struct data_making *making)
{
    const struct local_data *data = making->data;
    int status = 0;
    for (size_t i = 0; status == 0 && i < making->count; i++)
        if (i == 0 || !is_same_owner(&making->parsed[i - 1], &making->parsed[i]))
            status = add_names(making, &making->parsed[i]);
    for (size_t i = 0; status == 0 && i < data->zone_count; i++)
        status = add_name(making, data->zones[i].name, data->zones[i].len);
    if (status == 0 && making->name_count > 0)
        qsort(making->names, making->name_count, sizeof *making->names, compare_items);
    size_t kept = 0;
    for (size_t i = 0; status == 0 && i < making->name_count; i++)
        if (kept == 0 || compare_items(&making->names[kept - 1], &making->names[i]) != 0)
            making->names[kept++] = making->names[i];
    making->name_count = kept;
    return status;
}

static int make_zone_table(struct data_making *making)
{
    struct local_data *data = making->data;
    struct suffix *suffixes = mem_zalloc(data->zone_count + 1, sizeof *suffixes);
    if (!suffixes)
        return -ENOMEM;
    for (size_t i = 0; i < data->zone_count; i++)
        suffixes[i] = (struct suffix){data->zones[i].name, (uint32_t)i};
    int status = suffix_table_new(&data->zones_by_name, suffixes, data->zone_count);
    mem_free(suffixes);
    return status;
}

/* Both lists are sorted alike. */
static int make_nodes(struct data_making *making)
{
    struct local_data *data = making->data;
    struct suffix *suffixes = mem_zalloc(making->name_count + 1, sizeof *suffixes);
    data->nodes = mem_zalloc(making->name_count + 1, sizeof *data->nodes);
    int status = suffixes && data->nodes ? 0 : -ENOMEM;
    size_t at = 0;
    for (size_t i = 0; status == 0 && i < making->name_count; i++) {
        const struct name_item *name = &making->names[i];
        suffixes[i] = (struct suffix){name->name, (uint32_t)i};
        data->nodes[i].first = (uint32_t)at;
        while (at < making->count &&
               compare_names(making->parsed[at].owner, making->parsed[at].owner_len, name->name, name->len) == 0)
            at++;
        data->nodes[i].count = (uint32_t)(at - data->nodes[i].first);
    }
    data->node_count = making->name_count;
    if (status == 0)
        status = suffix_table_new(&data->nodes_by_name, suffixes, making->name_count);
    mem_free(suffixes);
    return status;
}

static int make_records(struct data_making *making)
{
    struct local_data *data = making->data;
    data->records = mem_zalloc(making->count + 1, sizeof *data->records);
    if (!data->records)
        return -ENOMEM;
    for (size_t i = 0; i < making->count; i++) {
        const struct data_parsed *from = &making->parsed[i];
        const struct data_zone *zone = zone_of(data, from->owner, from->owner_len);
        data->records[i] = (struct local_record){from->type, from->ttl, {from->rdata, from->rdata_len}};
        if (zone && from->type == TYPE_SOA)
            data->zones[zone - data->zones].soa = &data->records[i];
    }
    data->record_count = making->count;
    return 0;
}

static void add_to_filter(struct local_filter *filter, const uint8_t *name, size_t len)
{
    unsigned hash = len >= 8 ? local_hash_8(name + len) : len >= 4 ? local_hash_4(name + len) : 0;
    filter->ends[len < 8][hash / 64] |= UINT64_C(1) << hash % 64;
    filter->has_short |= len < 8;
    filter->all |= len < 4;
}

/* Of a wildcard the names that it stands for count. */
static void make_filter(struct data_making *making)
{
    struct local_data *data = making->data;
    for (size_t i = 0; i < data->zone_count; i++)
        add_to_filter(&data->filter, data->zones[i].name, data->zones[i].len);
    for (size_t i = 0; data->zone_count == 0 && i < making->count; i++) {
        const struct data_parsed *record = &making->parsed[i];
        size_t skipped = record->owner[0] == 1 && record->owner[1] == '*' ? 2 : 0;
        add_to_filter(&data->filter, record->owner + skipped, record->owner_len - skipped);
    }
}

static int make(struct data_making *making)
{
    int status = read_zones(making);
    if (status == 0)
        status = read_records(making);
    if (status < 0)
        return status;
    point_to_bytes(making);
    check_zones(making);
    if (making->mistaken)
        return -EINVAL;
    if (making->count > 0)
        qsort(making->parsed, making->count, sizeof *making->parsed, compare_parsed);
    status = make_zone_table(making);
    if (status < 0)
        return status;
    check_records(making);
    check_below_dnames(making);
    if (making->mistaken)
        return -EINVAL;
    status = list_names(making);
    if (status == 0)
        status = make_nodes(making);
    if (status == 0)
        status = make_records(making);
    if (status == 0)
        make_filter(making);
    return status;
}

int local_data_new(struct local_data **out, const struct local_texts *texts,
                   void (*tell)(void *context, bool in_zones, size_t i, const char *why), void *context)
{
    struct data_making making = {.texts = texts, .tell = tell, .context = context};
    making.data = mem_zalloc(1, sizeof *making.data);
    int status = making.data ? make(&making) : -ENOMEM;
    mem_free(making.parsed);
    mem_free(making.names);
    buffer_free(&making.bytes);
    if (status == 0)
        *out = making.data;
    else
        local_data_free(making.data);
    return status;
}

void local_data_free(struct local_data *data)
{
    if (!data)
        return;
    suffix_table_free(data->zones_by_name);
    suffix_table_free(data->nodes_by_name);
    mem_free(data->zones);
    mem_free(data->nodes);
    mem_free(data->records);
    mem_free(data->bytes);
    mem_free(data);
}

const struct local_filter *local_data_filter(const struct local_data *data)
{
    return &data->filter;
}

/* --- searches --- */

static const struct data_node *node_of(const struct local_data *data, const uint8_t *name, size_t len, size_t *found)
{
    uint32_t value;
    return suffix_table_find(data->nodes_by_name, name, len, &value, found) ? &data->nodes[value] : NULL;
}

/* The records of a type in a node, or all for ANY; sets the count. */
static const struct local_record *records_of(const struct local_data *data, const struct data_node *node, uint16_t type,
                                             unsigned *count)
{
    const struct local_record *first = &data->records[node->first], *end = first + node->count;
    *count = 0;
    while (first < end && first->type != type && type != TYPE_ANY)
        first++;
    while (first + *count < end && (first[*count].type == type || type == TYPE_ANY))
        ++*count;
    return first;
}

/* The wildcard below the closest encloser, of `len` bytes; NULL: none. */
static const struct data_node *wildcard_below(const struct local_data *data, const uint8_t *encloser, size_t len)
{
    uint8_t name[NAME_MAX_WIRE + 2] = {1, '*'};
    size_t found;
    memcpy(name + 2, encloser, len);
    const struct data_node *node = len + 2 <= NAME_MAX_WIRE ? node_of(data, name, len + 2, &found) : NULL;
    return node && found == len + 2 ? node : NULL;
}

static enum local_result result_of(const struct local_data *data, const struct data_node *node,
                                   const struct data_zone *zone, uint16_t type, struct local_found *out)
{
    out->records = records_of(data, node, type, &out->count);
    if (out->count > 0)
        return LOCAL_DATA;
    out->records = records_of(data, node, TYPE_OF_CNAME, &out->count);
    if (out->count > 0)
        return LOCAL_ALIAS;
    bool passes = !zone || zone->type == LOCAL_TRANSPARENT;
    /* The DS of a name without a zone belongs to the zone above; a name without records only has names below it. */
    return passes && (node->count == 0 || type == TYPE_DS) ? LOCAL_PASS : LOCAL_NO_DATA;
}

/* The zone above the apex decides about its DS. */
static const struct data_zone *zone_for(const struct local_data *data, const uint8_t *name, size_t len, uint16_t type,
                                        bool *is_outside)
{
    const struct data_zone *zone = zone_of(data, name, len);
    *is_outside = false;
    if (!zone || zone->len != len || type != TYPE_DS)
        return zone;
    size_t label = 1 + (size_t)*name;
    zone = zone_of(data, name + label, len - label);
    *is_outside = !zone;
    return zone;
}

enum local_result local_data_find(const struct local_data *data, const uint8_t *name, size_t len, uint16_t type,
                                  struct local_found *out)
{
    bool is_outside;
    size_t found;
    const struct data_zone *zone = zone_for(data, name, len, type, &is_outside);
    *out = (struct local_found){.zone = zone ? zone->name : name, .soa = zone ? zone->soa : NULL};
    if (is_outside)
        return LOCAL_PASS;
    if (zone && zone->type == LOCAL_REFUSE)
        return LOCAL_REFUSED;
    if (zone && zone->type == LOCAL_NXDOMAIN)
        return LOCAL_ABSENT;
    const struct data_node *node = node_of(data, name, len, &found);
    if (node && found == len)
        return result_of(data, node, zone, type, out);
    const uint8_t *encloser = name + len - found;
    if (node) {
        out->records = records_of(data, node, TYPE_OF_DNAME, &out->count);
        out->owner = encloser;
        if (out->count > 0)
            return LOCAL_SUBTREE;
        const struct data_node *wildcard = wildcard_below(data, encloser, found);
        out->wildcard = wildcard != NULL;
        if (wildcard)
            return result_of(data, wildcard, zone, type, out);
    }
    return zone && zone->type == LOCAL_STATIC ? LOCAL_ABSENT : LOCAL_PASS;
}
