/* SPDX-License-Identifier: MIT */
/* The format of a stored answer in a ring.
 *
 * Does:    packs an answer compactly, compares it with a key, unpacks it (in ring.c).
 * Owns:    nothing; an entry is memory of a ring.
 * Threads: none; the shard's lock is held.
 */
#ifndef DOTSTUB_CACHE_ENTRY_H
#define DOTSTUB_CACHE_ENTRY_H

#include <stdatomic.h>
#include "dns/key.h"
#include "dns/message.h"

#define ENTRY_HITS_MAX 3

/* Offsets and lengths in a ring are multiples of this number of bytes. */
#define ENTRY_UNIT 8

/* The TTL offsets are followed by the message without its id and, if `extra` is set, by members that most answers
 * do not need. A gap uses only the first eight bytes: `born` is its length in units. */
struct entry {
    uint64_t born : 40; /* milliseconds of the boot-time clock, modulo 2^40 */
    uint64_t len : 16;  /* of the message, including the id */
    uint64_t gap : 1;
    uint64_t hits : 2;  /* number of hits, up to ENTRY_HITS_MAX; decremented each time the entry is carried on */
    uint64_t flags : 2; /* flags of the key */
    uint64_t authenticated : 1;
    uint64_t truncated : 1;
    uint64_t extra : 1;
    _Atomic uint32_t next; /* link to the next older entry of the bucket */
    uint32_t hash;         /* the low half: the high bits chose the shard */
    uint32_t group;
    uint32_t ttl;
    uint16_t ttl_count : 13;
    uint16_t traits : 3; /* ENTRY_...; 0: a copy differs from the entry only in its age */
    uint16_t ttl_offsets[];
};

/* Reasons for which a copy may differ from its entry in more than its age. */
enum {
    ENTRY_UNEVEN = 1,  /* a record expires before the entry */
    ENTRY_ROTATES = 2, /* rotate_is_possible */
    ENTRY_DNSSEC = 4,  /* has records that need DO */
};

/* The number of units that the stored answer takes. */
uint32_t entry_units_for(const struct answer *answer);
/* The number of units of this entry or gap. */
uint32_t entry_units(const struct entry *entry);
/* The size of the largest possible entry. */
#define ENTRY_EXTRA_MAX (7 + EDE_MAX * (3 + EDE_TEXT))
#define ENTRY_UNITS_MAX                                                                                                \
    ((sizeof(struct entry) + 2 * MESSAGE_MAX_RECORDS + MESSAGE_MAX + ENTRY_EXTRA_MAX + ENTRY_UNIT - 1) / ENTRY_UNIT)

/* Writes the entry, except `next`. */
void entry_write(struct entry *entry, const struct key *key, uint64_t hash, const struct answer *answer, unsigned hits,
                 uint64_t now_ms);
void entry_write_gap(struct entry *entry, uint32_t units);
/* An entry was rewritten in a place of `units`: makes the rest of the place a gap. */
void entry_trim(struct entry *entry, uint32_t units);

/* True if the entry has this key, or this key with DO; the hash was compared before. */
bool entry_matches(const struct entry *entry, const struct key *key);
/* As answer_concerns; the name is in lower case. */
bool entry_concerns(const struct entry *entry, const uint8_t *name, size_t name_bytes, bool below);
/* Milliseconds since the entry was stored; 0 if another thread read the clock later than the caller. */
uint64_t entry_age(const struct entry *entry, uint64_t now_ms);
/* Changes the order of the copy's RRset, if the entry rotates. */
void entry_rotate(const struct entry *entry, uint8_t *out, uint32_t turn);
/* Copies the message to `out` (room for entry->len), with id 0 and TTLs as stored, and sets the members of
 * `answer`, except TTL and offsets. */
void entry_read(const struct entry *entry, uint8_t *out, struct answer *answer);

#endif
