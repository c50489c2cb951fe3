/* SPDX-License-Identifier: MIT */
/* Writes a response anew, with some of its records left out or in another order.
 *
 * Does:    lists the records of a walked message, and writes the chosen ones into a message of its own. A name is compressed where an
 *          earlier copy of it was written, and where receivers must understand that (RFC 3597 section 4).
 * Owns:    nothing but the scratch that the caller lends; the new message and its TTL offsets lie in it until the next rewrite.
 * Threads: any, one scratch per thread.
 * RFC:     1035 section 4.1.4, 3597.
 */
#ifndef DOTSTUB_DNS_REWRITE_H
#define DOTSTUB_DNS_REWRITE_H

#include "dns/message.h"

/* Where one record of the message lies; offsets. */
struct message_record {
    uint16_t owner, fixed, end; /* owner name, TYPE, behind the data */
    uint16_t type;
    bool chosen; /* false after rewrite_list; for the caller */
};
#define RECORD_TTL   4  /* from `fixed` */
#define RECORD_RDATA 10 /* from `fixed` */

/* Compression pointers reach this far. */
#define REWRITE_REACH 0x4000

/* About 190 KiB, of which a rewrite touches some four times its message. */
struct rewrite {
    struct message_record record[MESSAGE_MAX_RECORDS];
    unsigned section_start[4]; /* indices of the first records of answer, authority and additional section; the end */
    uint16_t chosen[MESSAGE_MAX_RECORDS]; /* indices of the records to write, section by section */
    unsigned chosen_count[3];             /* by section: answer, authority, additional */
    uint16_t ttl_offsets[MESSAGE_MAX_RECORDS];
    uint16_t moved_to[REWRITE_REACH]; /* where the name at this offset of the old message was written; 0: nowhere yet */
    uint8_t out[MESSAGE_MAX];
};

/* Lists the records of a message that was walked. None is chosen. Without TTL offsets it reads the records one after the other. */
void rewrite_list(struct rewrite *rewrite, const struct answer *answer);
/* Chooses the record of this index; records are written in the order they are chosen, and sections are chosen in their order. */
void rewrite_choose(struct rewrite *rewrite, unsigned section, unsigned i);
/* Writes header, question and the chosen records. 0: `answer` is the new message; or ERROR_MALFORMED: it would be longer than
 * MESSAGE_MAX; `answer` is as before. */
int rewrite_chosen(struct rewrite *rewrite, struct answer *answer) MUST_CHECK;

/* True if a record of this type, in a response to a query of that, is only for clients with DO (RFC 4035 section 3.2.1). */
static inline bool rewrite_needs_dnssec_ok(uint16_t type, uint16_t qtype)
{
    return type_is_dnssec(type) && type != qtype && qtype != TYPE_ANY;
}

/* Records in a copy of a stored response that its client must not get. */
enum {
    SURPLUS_EXPIRED = 1, /* authority and additional records with TTL 0 */
    SURPLUS_DNSSEC = 2,  /* records that need DO */
};
/* Leaves these records out. A response that would become too long stays as it is. */
void rewrite_without(struct answer *answer, unsigned surplus, struct rewrite *scratch);

#endif
