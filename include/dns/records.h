/* SPDX-License-Identifier: MIT */
/* Building answers of our own and reading messages with ldns, where speed does not count.
 *
 * Does:    holds the second reader of a query, and builds local answers (special names, ANY, CHAOS) from records in
 *          presentation form.
 * Threads: any.
 * RFC:     1035, 2308 (negative answers), 8482 (ANY).
 */
#ifndef DOTSTUB_DNS_RECORDS_H
#define DOTSTUB_DNS_RECORDS_H

#include "dns/message.h"

/* True unless ldns reads other counts, another question or DO bit than `request` says, or refuses either record. It is given the
 * question and the OPT without its options: nobody uses the rest, and what it costs ldns is the sender's choice. A failed
 * allocation inside ldns is no verdict: true. */
bool records_agree(struct bytes wire, const struct request *request);

/* One record of an answer: `owner` NULL means the name asked. */
struct record_text {
    const char *owner;
    const char *type;
    uint32_t ttl;
    const char *rdata; /* presentation form */
};

/* Builds an answer without OPT to the key's question (class as in the key) with the given answer and authority records
 * in `out`; rcode is at most 15. Gives the length, or negative: -EINVAL for records that ldns cannot read, -ENOMEM,
 * -ENOSPC. */
int records_answer(uint8_t *out, size_t cap, const struct key *key, uint16_t rcode, const struct record_text *answer,
                   unsigned answers, const struct record_text *authority, unsigned authorities) MUST_CHECK;

/* "AAAA", "TYPE65280": the mnemonic of a type, for logs and texts; gives `out`. */
#define TYPE_TEXT 16
const char *records_type_text(uint16_t type, char out[TYPE_TEXT]);
/* The other way, letter case ignored; -EINVAL for what is no type. */
int records_type_number(const char *text) MUST_CHECK;
/* "NXDOMAIN", "RCODE4000": likewise for response codes. */
#define RCODE_TEXT 16
const char *records_rcode_text(uint16_t rcode, char out[RCODE_TEXT]);

#endif
