/* SPDX-License-Identifier: MIT */
/* Invariants: no byte at or after `len` is read; a character is accepted whole or not at all. */
#include "config/text.h"

#include <stdint.h>

/* The length of the UTF-8 character at `at`, with its code point, or 0: overlong forms, surrogates and invalid
 * code points are refused. */
static size_t decode(const uint8_t *at, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf8 ? 4 : 0;
    if (size == 0 || size > len)
        return 0;
    if (size == 1) {
        *code = at[0];
        return 1;
    }
    uint32_t value = at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return size;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

enum text_fault text_check(const char *text, size_t len, bool lines, size_t *at)
{
    enum text_fault fault = TEXT_CLEAN;
    size_t offset = 0;
    while (offset < len) {
        uint32_t code = 0;
        size_t size = decode((const uint8_t *)text + offset, len - offset, &code);
        bool allowed = lines && (code == '\t' || code == '\n' || code == '\r');
        if (size == 0)
            fault = TEXT_NOT_UTF8;
        else if (is_control(code) && !allowed)
            fault = TEXT_CONTROL_CHARACTER;
        if (fault)
            break;
        offset += size;
    }
    *at = offset;
    return fault;
}
