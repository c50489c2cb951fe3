/* SPDX-License-Identifier: MIT */
/* The size of a certificate chain in ASN.1 elements, counted before the library parses it: the library's time is
 * quadratic in the number of elements of one list, such as the alternative names.
 *
 * Invariant: each step consumes at least one byte, and each byte is read at most DER_DEPTH times, so that the count
 * takes linear time for any message. */
#include "tls_private.h"

enum {
    DER_STRING = 0x04,
    DER_SEQUENCE = 0x30,
    DER_CONSTRUCTED = 0x20,
    DER_LONG_TAG = 0x1f,
    DER_DEPTH = 16, /* a certificate has a depth of 10 */
};

/* The contents of an element; malformed if it is longer than the input, or has a length that DER does not allow. */
static struct bytes take_contents(struct cursor *cursor)
{
    size_t len = cursor_u8(cursor), bytes = len & 0x7f;
    if (len == 0x80 || (len > 0x80 && bytes >= sizeof len))
        cursor->failed = true;
    if (len > 0x80)
        for (len = 0; bytes > 0; bytes--)
            len = len << 8 | cursor_u8(cursor);
    const uint8_t *data = cursor_take(cursor, len);
    return (struct bytes){data, data ? len : 0};
}

/* True for an element that contains others: a constructed one, or the value of an extension, which is a sequence in
 * an OCTET_STRING. Other strings that look like a sequence add only a few elements. */
static bool has_elements(uint8_t tag, struct bytes contents)
{
    return tag & DER_CONSTRUCTED || (tag == DER_STRING && contents.len > 0 && contents.data[0] == DER_SEQUENCE);
}

static unsigned count_elements(struct bytes der, unsigned depth)
{
    struct cursor cursor = cursor_over(der);
    unsigned count = 0;
    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        uint8_t tag = cursor_u8(&cursor);
        while ((tag & DER_LONG_TAG) == DER_LONG_TAG && cursor_u8(&cursor) & 0x80)
            ; /* skips the number of a long tag */
        struct bytes contents = take_contents(&cursor);
        count++;
        if (depth < DER_DEPTH && has_elements(tag, contents))
            count += count_elements(contents, depth + 1);
    }
    return count;
}

static struct bytes take_long(struct cursor *cursor)
{
    size_t len = (size_t)cursor_u8(cursor) << 16;
    len |= cursor_u16(cursor);
    const uint8_t *data = cursor_take(cursor, len);
    return (struct bytes){data, data ? len : 0};
}

/* RFC 8446 section 4.4.2, RFC 5246 section 7.4.2. */
unsigned tls_chain_elements(struct bytes message, bool tls13)
{
    struct cursor cursor = cursor_over(message);
    unsigned count = 0;
    if (tls13)
        (void)cursor_take(&cursor, cursor_u8(&cursor)); /* the request's context */
    struct cursor list = cursor_over(take_long(&cursor));
    while (cursor_left(&list) > 0) {
        struct bytes certificate = take_long(&list);
        count += count_elements(certificate, 0);
        if (tls13)
            (void)cursor_take(&list, cursor_u16(&list)); /* extensions */
        if (list.failed)
            break;
    }
    return count;
}
