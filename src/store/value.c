/* SPDX-License-Identifier: MIT */
/* The content: version, flags, verdict of a validator, flags of the key, rcode (2), TTL (4), number of extended errors, each as code
 * (2), length and text; length of the message (2), message. Another version is ignored. */
#include "value.h"

#include <string.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "dns/edit.h"

enum { VERSION = 1, FLAG_AUTHENTICATED = 1 };

size_t value_pack(uint8_t out[VALUE_MAX], const struct answer *answer, uint8_t key_flags, enum store_verdict verdict)
{
    struct writer writer = writer_over(out, VALUE_MAX);
    if (answer->len > VALUE_MESSAGE_MAX)
        return 0;
    writer_u8(&writer, VERSION);
    writer_u8(&writer, answer->authenticated ? FLAG_AUTHENTICATED : 0);
    writer_u8(&writer, (uint8_t)verdict);
    writer_u8(&writer, key_flags);
    writer_u16(&writer, answer->rcode);
    writer_u32(&writer, answer->ttl);
    ede_write(&writer, &answer->ede);
    writer_u16(&writer, (uint16_t)answer->len);
    writer_bytes(&writer, answer->wire, answer->len);
    return writer.failed ? 0 : writer_len(&writer);
}

/* Copies the message and walks it like a server's. */
static int walk(struct answer *answer, const uint8_t *wire, size_t len, const struct key *key, struct value_room *room)
{
    struct answer_transport transport;
    if (!wire || len < MESSAGE_HEADER || len > sizeof room->wire)
        return ERROR_MALFORMED;
    memcpy(room->wire, wire, len);
    if (message_walk_answer(room->wire, len, &room->scratch, answer, &transport) < 0 || answer->truncated ||
        !message_answers((struct bytes){answer->wire, answer->len}, key))
        return ERROR_MALFORMED;
    return 0;
}

/* Skips to the message. */
static int read_head(struct cursor *cursor, uint8_t *key_flags, struct ede_list *ede)
{
    if (cursor_u8(cursor) != VERSION)
        return ERROR_MALFORMED;
    (void)cursor_take(cursor, 2);
    *key_flags = cursor_u8(cursor);
    (void)cursor_take(cursor, 6);
    return ede_read(cursor, ede);
}

int value_key(struct bytes content, struct key *out)
{
    struct cursor cursor = cursor_over(content);
    struct ede_list ede;
    uint8_t flags;
    if (read_head(&cursor, &flags, &ede) < 0)
        return ERROR_MALFORMED;
    struct bytes message = {.len = cursor_u16(&cursor)};
    message.data = cursor_take(&cursor, message.len);
    if (!message.data || message.len < MESSAGE_HEADER || (flags & ~(KEY_DO | KEY_CD)))
        return ERROR_MALFORMED;
    size_t len = name_len((struct bytes){message.data + MESSAGE_HEADER, message.len - MESSAGE_HEADER});
    if (len == 0 || message.len - MESSAGE_HEADER < len + 4)
        return ERROR_MALFORMED;
    const uint8_t *after = message.data + MESSAGE_HEADER + len;
    *out =
        (struct key){.type = read_u16(after), .class = read_u16(after + 2), .flags = flags, .name_len = (uint8_t)len};
    name_lower(out->name, message.data + MESSAGE_HEADER, len);
    return 0;
}

int value_unpack(struct store_value *out, struct bytes content, const struct key *key, uint64_t age_ms,
                 struct value_room *room)
{
    struct cursor cursor = cursor_over(content);
    struct ede_list ede;
    if (cursor_u8(&cursor) != VERSION)
        return ERROR_MALFORMED;
    uint8_t flags = cursor_u8(&cursor), verdict = cursor_u8(&cursor);
    (void)cursor_u8(&cursor);
    uint16_t rcode = cursor_u16(&cursor);
    uint32_t ttl = cursor_u32(&cursor);
    if (ede_read(&cursor, &ede) < 0)
        return ERROR_MALFORMED;
    size_t len = cursor_u16(&cursor);
    const uint8_t *wire = cursor_take(&cursor, len);
    if (cursor_left(&cursor) > 0 || verdict > STORE_VERDICT_LAST || walk(&out->answer, wire, len, key, room) < 0)
        return ERROR_MALFORMED;
    if ((rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN) || out->answer.rcode != rcode)
        return ERROR_MALFORMED;
    uint64_t age_s = (age_ms + 999) / 1000;
    if (age_s < ttl)
        edit_age(out->answer.wire, out->answer.ttl_offsets, out->answer.ttl_count, (uint32_t)age_s);
    out->answer.authenticated = flags & FLAG_AUTHENTICATED;
    out->answer.ede = ede;
    out->answer.ttl = age_s < ttl ? ttl - (uint32_t)age_s : 0;
    out->ttl = ttl;
    out->verdict = (enum store_verdict)verdict;
    return 0;
}
