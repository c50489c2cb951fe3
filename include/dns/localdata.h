/* SPDX-License-Identifier: MIT */
/* Records and zones that the operator has defined.
 *
 * Does:    checks them against each other; finds what a name has: its records, or those of a wildcard, or nothing.
 * Owns:    copies of all of it. Immutable once made.
 * Threads: any.
 * RFC:     1034 section 4.3.2, 2181 section 10.1 (CNAME), 2308, 4035 section 3.1.4.1 (DS), 4592 (wildcards), 6672 (DNAME),
 *          8020.
 */
#ifndef DOTSTUB_DNS_LOCALDATA_H
#define DOTSTUB_DNS_LOCALDATA_H

#include <endian.h>
#include <stdbool.h>
#include <string.h>
#include "base/bytes.h"
#include "dns/name.h"

/* STATIC: names without records do not exist. NXDOMAIN: no name in the zone exists. REFUSE: queries for names in the zone are
 * refused. TRANSPARENT: names without records are resolved as if there were no zone. */
enum local_zone { LOCAL_STATIC, LOCAL_NXDOMAIN, LOCAL_REFUSE, LOCAL_TRANSPARENT };

struct local_zone_text {
    const char *name; /* presentation form */
    enum local_zone type;
};

struct local_texts {
    const struct local_zone_text *zones;
    size_t zone_count;
    const char *const *records; /* in zone-file syntax; $TTL and $ORIGIN hold for later ones */
    size_t record_count;
};

#define LOCAL_RECORDS_MAX 100000

struct local_data;

/* Calls `tell` for each mistake, with the index in zones or records and half a sentence. 0; -EINVAL: there are mistakes; or
 * -ENOMEM. */
int local_data_new(struct local_data **out, const struct local_texts *texts,
                   void (*tell)(void *context, bool in_zones, size_t i, const char *why), void *context) MUST_CHECK;
/* NULL does nothing. */
void local_data_free(struct local_data *data);

struct local_record {
    uint16_t type;
    uint32_t ttl;
    struct bytes rdata;
};

enum local_result {
    LOCAL_PASS,    /* the name is not defined here */
    LOCAL_REFUSED, /* the zone is refused */
    LOCAL_ABSENT,  /* the name does not exist */
    LOCAL_NO_DATA, /* the name has no records of the type */
    LOCAL_DATA,    /* all records of the type, or of any type for ANY */
    LOCAL_ALIAS,   /* one CNAME */
    LOCAL_SUBTREE  /* one DNAME, owned by a name above */
};

struct local_found {
    const uint8_t *zone;  /* the apex of the name's zone, or the name itself if it is in none; wire form */
    const uint8_t *owner; /* of a DNAME */
    const struct local_record *records, *soa; /* soa NULL: the zone has none */
    unsigned count;
    bool wildcard;
};

/* `name` is in lower case and stays valid while *out is used. */
enum local_result local_data_find(const struct local_data *data, const uint8_t *name, size_t len, uint16_t type,
                                  struct local_found *out);

/* A filter on the ends of names. */
struct local_filter {
    uint64_t ends[2][16]; /* a bit for each hash of the last 8 bytes, and of the last 4, of a name or zone */
    bool all, has_short;
};
const struct local_filter *local_data_filter(const struct local_data *data);

static inline unsigned local_hash_8(const uint8_t *end)
{
    uint64_t value;
    memcpy(&value, end - sizeof value, sizeof value);
    return (unsigned)(value * UINT64_C(0x9E3779B97F4A7C15) >> 54);
}

static inline unsigned local_hash_4(const uint8_t *end)
{
    uint32_t value;
    memcpy(&value, end - sizeof value, sizeof value);
    return (unsigned)(value * UINT64_C(0x9E3779B97F4A7C15) >> 54);
}

/* False: the name is neither defined nor in a zone. 8 bytes before the end of the name must be readable. */
static inline bool local_filter_may_hold(const struct local_filter *filter, const uint8_t *name, size_t len)
{
    const uint8_t *end = name + len;
    unsigned hash = local_hash_8(end);
    if (filter->all || (len >= 8 && filter->ends[0][hash / 64] >> hash % 64 & 1))
        return true;
    if (!filter->has_short || len < 4)
        return false;
    hash = local_hash_4(end);
    return filter->ends[1][hash / 64] >> hash % 64 & 1;
}

#endif
