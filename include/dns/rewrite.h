/* SPDX-License-Identifier: MIT */
/* Rewrites a response without some of its records, or in another order.
 *
 * Does:    lists the records of a walked message, and writes the chosen ones into a message of its own. A name is
 *          compressed if an earlier copy of it was written, and if receivers must understand that (RFC 3597 section
 *          4).
 * Owns:    nothing; the new message and its TTL offsets are in the caller's scratch until the next rewrite.
 * Threads: any, one scratch per thread.
 * RFC:     1035 section 4.1.4, 3597.
 */
#ifndef DOTSTUB_DNS_REWRITE_H
#define DOTSTUB_DNS_REWRITE_H

#include "dns/message.h"

/* The offsets of one record in the message. */
struct message_record {
    uint16_t owner, fixed, end; /* of the owner name, of TYPE, behind the data */
    uint16_t type;
    bool chosen; /* false after rewrite_list; for the caller */
};
#define RECORD_TTL   4  /* from `fixed` */
#define RECORD_RDATA 10 /* from `fixed` */

/* Compression pointers can refer to offsets below this. */
#define REWRITE_REACH 0x4000

/* A label written into the new message: its offset, and the length of the name that starts with it. */
struct rewrite_label {
    uint16_t at, len;
};
#define REWRITE_LABELS 64

/* About 190 KiB, of which a rewrite uses about four times the length of its message. */
struct rewrite {
    struct message_record record[MESSAGE_MAX_RECORDS];
    /* Indices of the first records of answer, authority and additional section, and the end. */
    unsigned section_start[4];
    uint16_t chosen[MESSAGE_MAX_RECORDS]; /* indices of the records to write, section by section */
    unsigned chosen_count[3];             /* by section: answer, authority, additional */
    uint16_t ttl_offsets[MESSAGE_MAX_RECORDS];
    /* For a name's offset in the old message its offset in the new one; 0: not written yet. */
    uint16_t moved_to[REWRITE_REACH];
    struct rewrite_label label[REWRITE_LABELS]; /* the first ones; only for rewrite_compress */
    unsigned label_count;
    uint8_t out[MESSAGE_MAX];
};

/* Lists the records of a message that was walked. None is chosen. If the message has no TTL offsets, it reads the
 * records in sequence. */
void rewrite_list(struct rewrite *rewrite, const struct answer *answer);
/* True if the listed authority section has a SOA, a NSEC or NSEC3, and a signature. */
bool rewrite_has_proof(const struct rewrite *rewrite);
/* Chooses the record of this index; records are written in the order in which they are chosen; all of a section
 * must be chosen before the next section. */
void rewrite_choose(struct rewrite *rewrite, unsigned section, unsigned i);
/* Writes header, Question section and the chosen records. 0: `answer` is the new message. ERROR_MALFORMED: it would
 * be longer than MESSAGE_MAX, and `answer` is unchanged. */
int rewrite_chosen(struct rewrite *rewrite, struct answer *answer) MUST_CHECK;

/* True if a record of type `type` in a response to a query of type `qtype` is only for clients with DO (RFC 4035
 * section 3.2.1). */
static inline bool rewrite_needs_dnssec_ok(uint16_t type, uint16_t qtype)
{
    return type_is_dnssec(type) && type != qtype && qtype != TYPE_ANY;
}

/* Records in a copy of a stored response that its client must not get. */
enum {
    SURPLUS_EXPIRED = 1, /* authority and additional records with TTL 0 */
    SURPLUS_DNSSEC = 2,  /* records that need DO */
};
/* Replaces names of a walked message by pointers to equal names before them, for servers that do not compress:
 * it compares with the first REWRITE_LABELS labels, and letter case counts. False: `answer` is unchanged, since it would
 * not be shorter. */
bool rewrite_compress(struct answer *answer, struct rewrite *scratch);
/* Removes the additional section. Modifies the message of `answer`. */
void rewrite_drop_additional(struct answer *answer);
/* Removes these records. A response that would become too long is not changed. */
void rewrite_without(struct answer *answer, unsigned surplus, struct rewrite *scratch);
/* Converts a negative response for a name above this key's to one for the key: replaces the Question section, and
 * keeps the authority section without surplus records. 0, or ERROR_MALFORMED (it would be too long). */
int rewrite_denial(struct answer *answer, const struct key *key, unsigned surplus, struct rewrite *scratch) MUST_CHECK;

#endif
