/* SPDX-License-Identifier: MIT */
/* The list of extended errors (RFC 8914) of a response.
 *
 * Invariant: a text in a list is valid UTF-8 of at most EDE_TEXT bytes, so it can be sent unchanged.
 */
#include <string.h>

#include "base/errors.h"
#include "dns/message.h"

/* Length of the UTF-8 character at the start of `text` (RFC 3629 section 4); 0 if there is none. */
static size_t utf8_len(const uint8_t *text, size_t len)
{
    /* For each range of first bytes: the number of following bytes, and the range of the second byte, which
     * excludes overlong forms, surrogates and code points above U+10FFFF. */
    static const struct {
        uint8_t from, to, more, low, high;
    } forms[] = {
        {0x00, 0x7F, 0, 0, 0},       {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF},
        {0xE1, 0xEC, 2, 0x80, 0xBF}, {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF},
        {0xF0, 0xF0, 3, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].from || text[0] > forms[i].to)
            continue;
        size_t more = forms[i].more;
        if (len < 1 + more || (more && (text[1] < forms[i].low || text[1] > forms[i].high)))
            return 0;
        for (size_t j = 2; j <= more; j++) {
            if ((text[j] & 0xC0) != 0x80)
                return 0;
        }
        return 1 + more;
    }
    return 0;
}

/* The length of the text in whole characters up to EDE_TEXT bytes; 0 if it is not UTF-8. */
static size_t kept_len(const uint8_t *text, size_t len)
{
    size_t kept = 0;
    while (kept < len) {
        size_t character = utf8_len(text + kept, len - kept);
        if (!character)
            return 0;
        if (kept + character > EDE_TEXT)
            break;
        kept += character;
    }
    return kept;
}

void ede_add(struct ede_list *list, uint16_t code, const char *text, size_t len)
{
    if (list->count == EDE_MAX)
        return;
    struct ede *ede = &list->item[list->count++];
    *ede = (struct ede){.code = code};
    if (!text)
        return;
    /* A sender may end its text with a NUL (RFC 8914 section 2). */
    ede->len = (uint8_t)kept_len((const uint8_t *)text, strnlen(text, len));
    memcpy(ede->text, text, ede->len);
}

void ede_add_first(struct ede_list *list, uint16_t code)
{
    if (list->count < EDE_MAX)
        list->count++;
    memmove(&list->item[1], &list->item[0], (list->count - 1) * sizeof(list->item[0]));
    list->item[0] = (struct ede){.code = code};
}

bool answer_is_verdict(const struct answer *answer)
{
    for (unsigned i = 0; i < answer->ede.count; i++) {
        uint16_t code = answer->ede.item[i].code;
        if (code == 1 || code == 2 || (code >= 5 && code <= 12) || (code >= 15 && code <= 18) || code == 27)
            return true;
    }
    return false;
}

void ede_write(struct writer *writer, const struct ede_list *list)
{
    writer_u8(writer, (uint8_t)list->count);
    for (unsigned i = 0; i < list->count; i++) {
        writer_u16(writer, list->item[i].code);
        writer_u8(writer, list->item[i].len);
        writer_bytes(writer, list->item[i].text, list->item[i].len);
    }
}

int ede_read(struct cursor *cursor, struct ede_list *out)
{
    unsigned count = cursor_u8(cursor);
    out->count = 0;
    if (count > EDE_MAX)
        return ERROR_MALFORMED;
    for (unsigned i = 0; i < count; i++) {
        uint16_t code = cursor_u16(cursor);
        uint8_t len = cursor_u8(cursor);
        const uint8_t *text = cursor_take(cursor, len);
        if (!text)
            return ERROR_MALFORMED;
        ede_add(out, code, (const char *)text, len);
    }
    return 0;
}
