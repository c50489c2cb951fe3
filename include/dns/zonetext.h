/* SPDX-License-Identifier: MIT */
/* Reads records in zone-file syntax.
 *
 * Does:    $TTL, $ORIGIN, owners left out, parentheses and comments as in RFC 1035 section 5; names are absolute unless
 *          $ORIGIN says otherwise; without a TTL a record has one hour. Class IN only, no meta types. The data of each
 *          record passes the strict walk.
 * Owns:    what one text leaves for the next: $TTL, $ORIGIN and the last owner.
 * Threads: any, one at a time.
 * RFC:     1035 section 5, 2308 section 4 ($TTL), 3597.
 */
#ifndef DOTSTUB_DNS_ZONETEXT_H
#define DOTSTUB_DNS_ZONETEXT_H

#include "dns/name.h"

struct zone_record {
    uint8_t owner[NAME_MAX_WIRE]; /* in lower case */
    uint8_t owner_len;
    uint16_t type;
    uint32_t ttl;
    struct bytes rdata; /* borrowed until `take` returns */
};

struct zone_text;

/* 0 or -ENOMEM. */
int zone_text_new(struct zone_text **out) MUST_CHECK;
/* NULL does nothing. */
void zone_text_free(struct zone_text *zone);
/* Calls `take` for each record of the text. 0; -EINVAL with the reason in `why`; -ENOMEM; or the first negative result of
 * `take`. */
#define ZONE_TEXT_WHY 160
int zone_text_read(struct zone_text *zone, const char *text,
                   int (*take)(void *context, const struct zone_record *record), void *context,
                   char why[ZONE_TEXT_WHY]) MUST_CHECK;

#endif
