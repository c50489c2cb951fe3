/* SPDX-License-Identifier: MIT */
/* Names in wire form.
 *
 * Invariant: length bytes are at most 63 and thus never ASCII letters: changing the letter case of every byte of a
 * name only changes its labels.
 */
#include "dns/name.h"

#include <errno.h>
#include <string.h>

#define LABEL_MAX 63

static uint8_t lower_1(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

size_t name_len(struct bytes bytes)
{
    size_t limit = bytes.len < NAME_MAX_WIRE ? bytes.len : NAME_MAX_WIRE;
    for (size_t at = 0; at < limit; at += 1 + (size_t)bytes.data[at]) {
        if (bytes.data[at] == 0)
            return at + 1;
        if (bytes.data[at] > LABEL_MAX)
            return 0;
    }
    return 0;
}

/* Eight bytes at a time: the upper bit of each byte of `letters` is set for A to Z. The last eight bytes may
 * overlap the previous ones, because lowering twice is harmless. */
void name_lower(uint8_t *out, const uint8_t *wire, size_t len)
{
    const uint64_t each = 0x0101010101010101;
    if (len < 8) {
        for (size_t at = 0; at < len; at++)
            out[at] = lower_1(wire[at]);
        return;
    }
    for (size_t at = 0, last = len - 8;; at = at + 8 < last ? at + 8 : last) {
        uint64_t bytes;
        memcpy(&bytes, wire + at, 8);
        uint64_t low_bits = bytes & (each * 0x7F);
        uint64_t from_a = low_bits + each * (0x80 - 'A');
        uint64_t past_z = low_bits + each * (0x7F - 'Z');
        uint64_t letters = (from_a ^ past_z) & ~bytes & (each * 0x80);
        bytes |= letters >> 2;
        memcpy(out + at, &bytes, 8);
        if (at == last)
            return;
    }
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
    for (;;) {
        size_t label = *a;
        if (*b != label)
            return false;
        if (label == 0)
            return true;
        for (size_t i = 1; i <= label; i++) {
            if (lower_1(a[i]) != lower_1(b[i]))
                return false;
        }
        a += 1 + label;
        b += 1 + label;
    }
}

bool name_is_under(const uint8_t *name, size_t name_bytes, const uint8_t *suffix, size_t suffix_bytes)
{
    while (name_bytes > suffix_bytes) {
        size_t label = 1 + (size_t)*name;
        name += label;
        name_bytes -= label;
    }
    return name_bytes == suffix_bytes && memcmp(name, suffix, suffix_bytes) == 0;
}

unsigned name_labels(const uint8_t *name)
{
    unsigned labels = 0;
    for (; *name; name += 1 + (size_t)*name)
        labels++;
    return labels;
}

/* One byte of a label in presentation form (RFC 1035 section 5.1); returns the end of the output. */
static char *put_byte(char *out, uint8_t byte)
{
    if (byte <= ' ' || byte >= 0x7F) {
        *out++ = '\\';
        *out++ = (char)('0' + byte / 100);
        *out++ = (char)('0' + byte / 10 % 10);
        *out++ = (char)('0' + byte % 10);
        return out;
    }
    if (strchr(".\\\"();@$", byte))
        *out++ = '\\';
    *out++ = (char)byte;
    return out;
}

const char *name_text(const uint8_t *name, char out[NAME_MAX_TEXT])
{
    char *at = out;
    if (!*name)
        *at++ = '.';
    for (; *name; name += 1 + (size_t)*name) {
        for (size_t i = 1; i <= *name; i++)
            at = put_byte(at, name[i]);
        *at++ = '.';
    }
    *at = '\0';
    return out;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One byte of a label from its text, "x", "\x" or "\123"; advances past it. -EINVAL for an incomplete escape. */
static int take_byte(const char **text)
{
    const char *at = *text;
    if (*at != '\\') {
        *text = at + 1;
        return (uint8_t)*at < 0x80 ? *at : -EINVAL;
    }
    at++;
    if (!is_digit(*at)) {
        *text = at + 1;
        return *at ? (uint8_t)*at : -EINVAL;
    }
    if (!is_digit(at[1]) || !is_digit(at[2]))
        return -EINVAL;
    int byte = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
    *text = at + 3;
    return byte <= 255 ? byte : -EINVAL;
}

/* One label up to its dot or the end of the text. Returns the number of bytes, or -EINVAL if it is empty, too long
 * or longer than `room`. */
static int take_label(const char **text, uint8_t *out, size_t room)
{
    size_t bytes = 0;
    while (**text && **text != '.') {
        int byte = take_byte(text);
        if (byte < 0 || bytes >= LABEL_MAX || bytes >= room)
            return -EINVAL;
        out[bytes++] = (uint8_t)byte;
    }
    return bytes ? (int)bytes : -EINVAL;
}

int name_from_text(uint8_t out[NAME_MAX_WIRE], const char *text)
{
    uint8_t name[NAME_MAX_WIRE];
    size_t len = 0;
    if (!*text)
        return -EINVAL;
    if (strcmp(text, ".") == 0)
        text++;
    while (*text) {
        if (len + 2 > NAME_MAX_WIRE)
            return -EINVAL;
        int label = take_label(&text, name + len + 1, NAME_MAX_WIRE - 2 - len); /* one byte is for the root */
        if (label < 0)
            return label;
        name[len] = (uint8_t)label;
        len += 1 + (size_t)label;
        if (*text == '.')
            text++;
    }
    name[len++] = 0;
    name_lower(out, name, len);
    return (int)len;
}
