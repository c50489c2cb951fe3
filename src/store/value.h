/* SPDX-License-Identifier: MIT */
/* The content of a stored response, before it is sealed.
 *
 * Does:    packs a response with what the cache needs; reads one back, as strictly as a message of a server.
 * Owns:    nothing; an unpacked answer points into the caller's memory.
 * Threads: any, one struct value_room per thread.
 */
#ifndef DOTSTUB_STORE_VALUE_H
#define DOTSTUB_STORE_VALUE_H

#include "dns/message.h"
#include "store/store.h"

enum {
    VALUE_MESSAGE_MAX = 16384, /* longer responses are not stored */
    VALUE_MAX = 11 + EDE_MAX * (3 + EDE_TEXT) + 2 + VALUE_MESSAGE_MAX,
};

/* Writes the content for this response, whose ttl counts from the seal time. Returns the length, or 0: too large. */
size_t value_pack(uint8_t out[VALUE_MAX], const struct answer *answer, uint8_t key_flags, enum store_verdict verdict);
/* Reads the key that the value belongs to, without its group. 0 or ERROR_MALFORMED. */
int value_key(struct bytes content, struct key *out) MUST_CHECK;

struct store_value {
    struct answer
        answer;   /* ttl: whole seconds that remain, and its TTLs lowered by the age; 0: expired, TTLs as sealed */
    uint32_t ttl; /* at the seal time */
    enum store_verdict verdict;
};

/* Memory of value_unpack. */
struct value_room {
    uint8_t wire[VALUE_MESSAGE_MAX];
    struct answer_scratch scratch;
};

/* `age_ms`: the time since it was sealed. 0 or ERROR_MALFORMED: not of this version, damaged, or not a response to this
 * key. */
int value_unpack(struct store_value *out, struct bytes content, const struct key *key, uint64_t age_ms,
                 struct value_room *room) MUST_CHECK;

#endif
