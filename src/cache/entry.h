/* SPDX-License-Identifier: MIT */
/* One stored answer, as it lies in a ring.
 *
 * Does:    packs an answer into as few bytes as it can, compares it with a key, unpacks it (in ring.c).
 * Owns:    nothing; an entry is a place in a ring.
 * Threads: none; the shard's lock is held.
 */
#ifndef DOTSTUB_CACHE_ENTRY_H
#define DOTSTUB_CACHE_ENTRY_H

#include <stdatomic.h>
#include "dns/key.h"
#include "dns/message.h"

#define ENTRY_HITS_MAX 3

/* Everything in a ring begins at a multiple of this and is that many bytes long. */
#define ENTRY_UNIT 8

/* Behind the TTL offsets follow the message without its id, then, if `extra` is set, what most answers do
 * without. Or the place is a gap, of which only the first eight bytes count: `born` says how many units it
 * spans. */
struct entry {
    uint64_t born : 40; /* milliseconds of the boot-time clock, modulo 2^40 */
    uint64_t len : 16;  /* of the message, the id counted */
    uint64_t gap : 1;
    uint64_t hits : 2;  /* times asked for, up to ENTRY_HITS_MAX; less one each time it is carried on */
    uint64_t flags : 2; /* of the key it was asked with */
    uint64_t authenticated : 1;
    uint64_t truncated : 1;
    uint64_t extra : 1;
    _Atomic uint32_t next; /* link to the next older entry of the bucket */
    uint32_t hash;         /* the low half: the high bits chose the shard */
    uint32_t group;
    uint32_t ttl;
    uint16_t ttl_count : 13;
    uint16_t traits : 3; /* ENTRY_...; 0: a copy is the entry, aged */
    uint16_t ttl_offsets[];
};

/* Reasons for which a copy may differ from its entry in more than its age. */
enum {
    ENTRY_UNEVEN = 1,  /* a record expires before the entry */
    ENTRY_ROTATES = 2, /* rotate_is_possible */
    ENTRY_DNSSEC = 4,  /* has records that need DO */
};

/* Units that the answer takes once stored. */
uint32_t entry_units_for(const struct answer *answer);
/* Units that this entry, or gap, takes. */
uint32_t entry_units(const struct entry *entry);
/* The largest entry there can be. */
#define ENTRY_EXTRA_MAX (7 + EDE_MAX * (3 + EDE_TEXT))
#define ENTRY_UNITS_MAX                                                                                                \
    ((sizeof(struct entry) + 2 * MESSAGE_MAX_RECORDS + MESSAGE_MAX + ENTRY_EXTRA_MAX + ENTRY_UNIT - 1) / ENTRY_UNIT)

/* Fills the place in, all but `next`. */
void entry_write(struct entry *entry, const struct key *key, uint64_t hash, const struct answer *answer, unsigned hits,
                 uint64_t now_ms);
void entry_write_gap(struct entry *entry, uint32_t units);
/* An entry was rewritten in a place of `units`: makes the rest of the place a gap. */
void entry_trim(struct entry *entry, uint32_t units);

/* True if it answers this question, or one that differs in having DO; the hash was compared before. */
bool entry_matches(const struct entry *entry, const struct key *key);
/* True if its question is about this name (in lower case), or with `below` about one under it. */
bool entry_is_for(const struct entry *entry, const uint8_t *name, size_t name_bytes, bool below);
/* Milliseconds since it was written; 0 if another thread read the clock later than the caller. */
uint64_t entry_age(const struct entry *entry, uint64_t now_ms);
/* Writes the copy's RRset in another order, if it rotates. */
void entry_rotate(const struct entry *entry, uint8_t *out, uint32_t turn);
/* Copies the message to `out` (room for entry->len), with id 0 and TTLs as stored, and says what is known of
 * it: all but its TTL; no offsets. */
void entry_read(const struct entry *entry, uint8_t *out, struct answer *answer);

#endif
