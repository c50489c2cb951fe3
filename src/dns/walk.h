/* SPDX-License-Identifier: MIT */
/* The walk shared by queries and responses: names, records, the data of records, EDNS options.
 *
 * Does:    reads a message from front to back, checks every byte, and records the offsets at which names start, so
 *          that no name is read twice.
 * Owns:    nothing; `name_at` is borrowed from the caller.
 * Threads: any.
 * RFC:     1035 section 4.1.4 (compression), 3597 section 4 (where it is allowed), 6891 section 6.1.2 (OPT).
 */
#ifndef DOTSTUB_DNS_WALK_H
#define DOTSTUB_DNS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/bytes.h"
#include "dns/message.h"
#include "dns/name.h"

#define QUESTION_FIXED 4  /* type, class */
#define RECORD_FIXED   10 /* type, class, TTL, RDLENGTH */

struct walk {
    const uint8_t *wire;
    size_t len; /* of the message, at most MESSAGE_MAX */
    size_t at;  /* the next byte */
    /* For each offset: 0, or length and number of pointers of the name that starts there (walk.c). */
    uint16_t *name_at;
    size_t opt_start, opt_end; /* the OPT record; SIZE_MAX: not found yet */
    bool may_be_empty;         /* records of any type may have no data, as in updates (RFC 2136 sections 2.4 and 2.5) */
};

struct record_offsets {
    size_t owner, fixed, rdata,
        end; /* offsets: owner name, type and the rest of the fixed part, data, behind the data */
    uint16_t type, class;
};

/* Begins at the Question section; clears the part of `name_at` for the length of the message. */
void walk_start(struct walk *walk, struct bytes wire, uint16_t *name_at);

/* Reads one name that ends at or before offset `end`. Pointers must lead strictly backwards, and are refused unless
 * `may_point`. False: invalid. */
bool walk_name(struct walk *walk, size_t end, bool may_point) MUST_CHECK;

/* True if the name at this offset, which was read, has labels and no pointer. */
static inline bool walk_is_uncompressed(const struct walk *walk, size_t at)
{
    return walk->name_at[at] > 1 && walk->name_at[at] <= NAME_MAX_WIRE;
}

/* Reads one record and checks its data. An OPT must have the root as owner and be the only one; the caller checks
 * its options. False: malformed. */
bool walk_record(struct walk *walk, struct record_offsets *out) MUST_CHECK;

/* True if the record signs the message, not the zone: TSIG (RFC 8945) or SIG(0) (RFC 2931 section 3). */
bool record_signs_message(const struct walk *walk, const struct record_offsets *record);

/* Reads the data of a record of this type, which must end exactly at offset `end`. Data of an unknown type is
 * opaque (RFC 3597 section 3). */
bool walk_rdata(struct walk *walk, uint16_t type, size_t end) MUST_CHECK;

/* Finds the names in the data of a record of this type that may be compressed, in a message that was walked. Gives
 * their number. */
#define RDATA_NAMES 2 /* at most */
unsigned rdata_names(const uint8_t *wire, uint16_t type, size_t rdata, size_t names[RDATA_NAMES]);
/* The offset behind the name at `at` in a message that was walked. */
size_t name_end(const uint8_t *wire, size_t at);

/* The offset behind the record at `at` in a message that was walked. */
static inline size_t record_end(const uint8_t *wire, size_t at)
{
    at = name_end(wire, at);
    return at + RECORD_FIXED + read_u16(wire + at + RECORD_FIXED - 2);
}

/* The offset behind the Question section of a message that was walked. */
static inline size_t message_question_end(const struct answer *answer)
{
    size_t at = MESSAGE_HEADER;
    while (answer->wire[at])
        at += 1 + (size_t)answer->wire[at];
    return at + 1 + QUESTION_FIXED;
}

/* The fixed part of an OPT (RFC 6891 section 6.1.3). */
struct opt {
    uint16_t udp_size;
    uint8_t upper_rcode, version;
    bool dnssec_ok;
};
struct opt opt_read(const uint8_t *fixed);

/* Reads the next option from a cursor over the OPT's data. False at the end, and if an option does not fit: then
 * cursor->failed is set. */
bool opt_next(struct cursor *cursor, uint16_t *code, struct bytes *data) MUST_CHECK;

#endif
