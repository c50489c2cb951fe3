/* SPDX-License-Identifier: MIT */
/* hiredis parses; our functions for its objects copy each element into one list and one text, so that a reply costs no
 * allocation once both have grown. The memory of hiredis for one reply is bounded by `fed`. Its formatter allocates, prints
 * and copies each command, which took ten times the instructions of the functions below.
 *
 * Invariant: an object of hiredis is the index of an item plus 1. */
#include "resp.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"

#if HIREDIS_MAJOR >= 1
typedef size_t resp_count;
#else
typedef int resp_count;
#endif

struct resp {
    redisReader *reader;
    struct resp_item *items;
    uint32_t count, room;
    struct buffer text;
    size_t fed; /* bytes since the last complete reply */
    bool taken; /* `items` and `text` are of a complete reply */
    bool failed;
    bool excess; /* a limit was exceeded */
};

/* --- commands --- */

enum { LINE = 1 + DECIMAL_DIGITS + 2 }; /* "$5\r\n" */

/* Both return the place behind what they wrote. */
static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
    if (len > 0)
        memcpy(at, data, len);
    memcpy(at + len, "\r\n", 2);
    return at + len + 2;
}

static uint8_t *put_line(uint8_t *at, char type, size_t number)
{
    char digits[DECIMAL_DIGITS];
    struct bytes text = bytes_decimal(digits, number);
    *at = (uint8_t)type;
    return put(at + 1, text.data, text.len);
}

size_t resp_command_room(const struct bytes *arguments, unsigned count)
{
    size_t room = LINE;
    for (unsigned i = 0; i < count; i++)
        room += LINE + arguments[i].len + 2;
    return room;
}

size_t resp_command(uint8_t *out, const struct bytes *arguments, unsigned count)
{
    uint8_t *at = put_line(out, '*', count);
    for (unsigned i = 0; i < count; i++) {
        at = put_line(at, '$', arguments[i].len);
        at = put(at, arguments[i].data, arguments[i].len);
    }
    return (size_t)(at - out);
}

/* --- replies --- */

static void *item_add(const redisReadTask *task, enum resp_type type, const char *text, size_t len, int64_t integer)
{
    struct resp *resp = task->privdata;
    resp->excess |= resp->count >= RESP_ITEMS;
    if (resp->count == resp->room) {
        uint32_t room = resp->room ? resp->room * 2 : 16;
        struct resp_item *items = resp->excess ? NULL : mem_resize(resp->items, room * sizeof *resp->items);
        if (!items)
            return NULL;
        resp->items = items;
        resp->room = room;
    }
    struct resp_item *item = &resp->items[resp->count];
    *item = (struct resp_item){.type = type, .at = resp->text.len, .len = len, .integer = integer};
    if (text && len > 0 && buffer_append(&resp->text, text, len) < 0)
        return NULL;
    return (void *)(uintptr_t)++resp->count;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    enum resp_type type = task->type == REDIS_REPLY_STATUS  ? RESP_STATUS
                          : task->type == REDIS_REPLY_ERROR ? RESP_ERROR
                                                            : RESP_TEXT;
    return item_add(task, type, text, len, 0);
}

/* hiredis from 1.0 on has no limit of its own. */
static bool is_too_deep(const redisReadTask *task)
{
    unsigned depth = 1;
    for (task = task->parent; task && depth <= RESP_DEPTH; task = task->parent)
        depth++;
    return depth > RESP_DEPTH;
}

static void *create_array(const redisReadTask *task, resp_count elements)
{
    struct resp *resp = task->privdata;
    resp->excess |= (size_t)elements > RESP_ITEMS || is_too_deep(task); /* signed before 1.0 */
    if (resp->excess)
        return NULL;
    return item_add(task, RESP_ARRAY, NULL, (size_t)elements, 0);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    return item_add(task, RESP_INTEGER, NULL, 0, value);
}

static void *create_nil(const redisReadTask *task)
{
    return item_add(task, RESP_NIL, NULL, 0, 0);
}

static void free_object(void *object)
{
    (void)object;
}

/* Types of RESP 3, which we never ask for, stay NULL: the reader then refuses them. */
static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)task, (void)value, (void)text, (void)len;
    return NULL;
}

static void *create_bool(const redisReadTask *task, int value)
{
    (void)task, (void)value;
    return NULL;
}
#endif

struct resp *resp_new(void)
{
    struct resp *resp = mem_is_short() ? NULL : mem_zalloc(1, sizeof *resp);
#if HIREDIS_MAJOR >= 1
    functions.createDouble = create_double;
    functions.createBool = create_bool;
#endif
    if (!resp)
        return NULL;
    resp->reader = redisReaderCreateWithFunctions(&functions);
    if (!resp->reader) {
        mem_free(resp);
        return NULL;
    }
    resp->reader->privdata = resp;
    return resp;
}

void resp_free(struct resp *resp)
{
    if (!resp)
        return;
    redisReaderFree(resp->reader);
    buffer_free(&resp->text);
    mem_free(resp->items);
    mem_free(resp);
}

int resp_feed(struct resp *resp, struct bytes bytes)
{
    if (resp->failed || bytes.len > RESP_BYTES - resp->fed)
        return ERROR_MALFORMED;
    if (redisReaderFeed(resp->reader, (const char *)bytes.data, bytes.len) != REDIS_OK)
        return -ENOMEM;
    resp->fed += bytes.len;
    return 0;
}

/* Sets `after` of each item. An array's elements follow it; arrays are at most RESP_DEPTH deep. */
static uint32_t link_items(struct resp_item *items, uint32_t at, uint32_t count)
{
    uint32_t after = at + 1;
    for (size_t i = 0; items[at].type == RESP_ARRAY && i < items[at].len && after < count; i++)
        after = link_items(items, after, count);
    return items[at].after = after;
}

static void forget_reply(struct resp *resp)
{
    enum { KEPT = 65536 };
    resp->taken = false;
    resp->count = 0;
    buffer_consume(&resp->text, resp->text.len);
    if (resp->text.cap > KEPT)
        buffer_free(&resp->text);
}

int resp_next(struct resp *resp, struct resp_reply *out)
{
    void *reply = NULL;
    if (resp->failed)
        return ERROR_MALFORMED;
    if (resp->taken)
        forget_reply(resp);
    if (redisReaderGetReply(resp->reader, &reply) != REDIS_OK) {
        resp->failed = true;
        return resp->reader->err == REDIS_ERR_OOM && !resp->excess ? -ENOMEM : ERROR_MALFORMED;
    }
    if (!reply)
        return 0;
    resp->fed = resp->reader->len - resp->reader->pos;
    resp->taken = true;
    link_items(resp->items, 0, resp->count);
    *out = (struct resp_reply){.items = resp->items,
                               .count = resp->count,
                               .text = resp->text.start > 0 ? resp->text.data + resp->text.start : resp->text.data};
    return 1;
}

bool resp_begins(const struct resp_reply *reply, const struct resp_item *item, const char *word)
{
    size_t len = strlen(word);
    return (item->type == RESP_STATUS || item->type == RESP_ERROR || item->type == RESP_TEXT) && item->len >= len &&
           memcmp(resp_text(reply, item), word, len) == 0;
}
