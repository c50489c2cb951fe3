/* SPDX-License-Identifier: MIT */
/* The protocol of Redis and Valkey (RESP 2): the only file that knows hiredis.
 *
 * Does:    writes commands; splits what a server sends into replies, within limits of size and number of elements.
 * Owns:    struct resp its reader and the text of the latest reply.
 * Threads: one per struct resp.
 */
#ifndef DOTSTUB_STORE_RESP_H
#define DOTSTUB_STORE_RESP_H

#include "base/bytes.h"

enum {
    RESP_BYTES = 256 * 1024, /* a longer reply is an error */
    RESP_ITEMS = 8192,       /* a reply with more elements is an error */
    RESP_DEPTH = 7,          /* a reply with arrays nested deeper is an error */
};

/* The room that a command of `count` arguments needs. */
size_t resp_command_room(const struct bytes *arguments, unsigned count);
/* Writes it, and returns its length. */
size_t resp_command(uint8_t *out, const struct bytes *arguments, unsigned count);

enum resp_type { RESP_NIL, RESP_STATUS, RESP_ERROR, RESP_TEXT, RESP_INTEGER, RESP_ARRAY };

/* One element of a reply. Elements of an array follow it, in depth-first order. */
struct resp_item {
    enum resp_type type;
    uint32_t after; /* index of the first item behind this one and its elements */
    size_t at, len; /* of STATUS, ERROR and TEXT, see resp_text; of an array: len elements */
    int64_t integer;
};

struct resp_reply {
    struct resp_item *items; /* the first one is the reply */
    uint32_t count;
    uint8_t *text; /* writable until the next call of resp_next */
};

static inline uint8_t *resp_text(const struct resp_reply *reply, const struct resp_item *item)
{
    return reply->text + item->at;
}

/* True if the item is a text of any kind that begins with `word`. */
bool resp_begins(const struct resp_reply *reply, const struct resp_item *item, const char *word);

struct resp;
/* NULL when out of memory. */
struct resp *resp_new(void) MUST_CHECK;
/* NULL does nothing. */
void resp_free(struct resp *resp);
/* Takes bytes of the server. 0, ERROR_MALFORMED (too long without a reply) or -ENOMEM. */
int resp_feed(struct resp *resp, struct bytes bytes) MUST_CHECK;
/* 1 with the next reply, valid until the next call; 0: it is incomplete; ERROR_MALFORMED or -ENOMEM: nothing can be read
 * any more. */
int resp_next(struct resp *resp, struct resp_reply *out) MUST_CHECK;

#endif
