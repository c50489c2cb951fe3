/* SPDX-License-Identifier: MIT */
/* Builds responses of our own with ldns, where speed does not matter.
 *
 * Does:    builds local answers (special names, ANY, CHAOS) from records in presentation form; names of types and
 *          rcodes.
 * Threads: any.
 * RFC:     1035, 2308 (negative answers), 8482 (ANY).
 */
#ifndef DOTSTUB_DNS_RECORDS_H
#define DOTSTUB_DNS_RECORDS_H

#include "dns/message.h"

/* One record of an answer: `owner` NULL: the name of the query. */
struct record_text {
    const char *owner;
    const char *type;
    uint32_t ttl;
    const char *rdata; /* presentation form */
};

/* Builds a response without OPT for the key, with the given answer and authority records, in `out`; rcode is at
 * most 15. Returns the length, or negative: -EINVAL (ldns cannot parse a record), -ENOMEM, -ENOSPC. */
int records_answer(uint8_t *out, size_t cap, const struct key *key, uint16_t rcode, const struct record_text *answer,
                   unsigned answers, const struct record_text *authority, unsigned authorities) MUST_CHECK;

/* "AAAA", "TYPE65280": the mnemonic of a type, for logs and texts; returns `out`. */
#define TYPE_TEXT 16
const char *records_type_text(uint16_t type, char out[TYPE_TEXT]);
/* The reverse, ignoring letter case; -EINVAL if the text is not a type. */
int records_type_number(const char *text) MUST_CHECK;
/* "NXDOMAIN", "RCODE4000": likewise for response codes. */
#define RCODE_TEXT 16
const char *records_rcode_text(uint16_t rcode, char out[RCODE_TEXT]);

/* One record of a message, as text; other bytes than printable ASCII are escaped (RFC 1035 section 5.1). */
struct record_view {
    const char *section; /* "answer", "authority" or "additional" */
    const char *owner, *type, *rdata;
    uint32_t ttl;
};
/* Calls `tell` for each record but OPT of a message that a strict walk has accepted. 0; -EINVAL: ldns cannot read a record; or
 * -ENOMEM. The records before that one have been told. */
int records_each(struct bytes message, void (*tell)(void *context, const struct record_view *record),
                 void *context) MUST_CHECK;

#endif
