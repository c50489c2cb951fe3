/* SPDX-License-Identifier: MIT */
/* Byte ranges: a borrowed view, a bounds-checked reader and writer, and an owning buffer.
 *
 * Does:    keeps every access to wire data within its bounds. Errors are sticky, so that a walk needs one check at
 *          its end.
 * Owns:    only struct buffer owns memory; the others borrow it.
 * Threads: none.
 */
#ifndef DOTSTUB_BASE_BYTES_H
#define DOTSTUB_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"

/* A borrowed view, valid as long as its owner promises. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

/* Big-endian access; the caller has checked the bounds. */
static inline uint16_t read_u16(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

static inline uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void write_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void write_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* Reads bytes in order. The first read past the end sets `failed`; it stays set, and every further read returns 0. */
struct cursor {
    const uint8_t *start, *at, *end;
    bool failed;
};

static inline struct cursor cursor_over(struct bytes bytes)
{
    /* The view may be NULL, but adding even 0 to a null pointer is undefined. */
    const uint8_t *data = bytes.data ? bytes.data : (const uint8_t *)"";
    return (struct cursor){data, data, data + bytes.len, false};
}

static inline size_t cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline size_t cursor_offset(const struct cursor *cursor)
{
    return (size_t)(cursor->at - cursor->start);
}

/* Returns a pointer to the next `len` bytes and advances past them; NULL, with `failed` set, if there are fewer. */
static inline const uint8_t *cursor_take(struct cursor *cursor, size_t len)
{
    const uint8_t *at = cursor->at;
    if (cursor->failed || cursor_left(cursor) < len) {
        cursor->failed = true;
        return NULL;
    }
    cursor->at += len;
    return at;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
    const uint8_t *at = cursor_take(cursor, 1);
    return at ? *at : 0;
}

static inline uint16_t cursor_u16(struct cursor *cursor)
{
    const uint8_t *at = cursor_take(cursor, 2);
    return at ? read_u16(at) : 0;
}

static inline uint32_t cursor_u32(struct cursor *cursor)
{
    const uint8_t *at = cursor_take(cursor, 4);
    return at ? read_u32(at) : 0;
}

/* Writes bytes in order into a borrowed block. The first write that does not fit sets `failed`; nothing is written
 * after it. */
struct writer {
    uint8_t *start, *at, *end;
    bool failed;
};

static inline struct writer writer_over(uint8_t *data, size_t cap)
{
    return (struct writer){data, data, data + cap, false};
}

static inline size_t writer_len(const struct writer *writer)
{
    return (size_t)(writer->at - writer->start);
}

/* Returns room for `len` bytes and advances past it; NULL, with `failed` set, if it does not fit. */
static inline uint8_t *writer_take(struct writer *writer, size_t len)
{
    uint8_t *at = writer->at;
    if (writer->failed || (size_t)(writer->end - writer->at) < len) {
        writer->failed = true;
        return NULL;
    }
    writer->at += len;
    return at;
}

void writer_bytes(struct writer *writer, const void *data, size_t len);
void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);

/* An owning buffer that grows. A zeroed struct is an empty buffer. The data is data[start .. start+len). */
struct buffer {
    uint8_t *data;
    size_t start, len, cap;
};

/* Makes room for `len` more bytes behind the data and returns a pointer to it, valid until the next call; NULL
 * when out of memory (the buffer is unchanged). */
uint8_t *buffer_reserve(struct buffer *buffer, size_t len) MUST_CHECK;
/* Appends the first `len` bytes of the reserved room to the data. */
void buffer_commit(struct buffer *buffer, size_t len);
/* Appends a copy. 0, or -ENOMEM with the buffer unchanged. */
int buffer_append(struct buffer *buffer, const void *data, size_t len) MUST_CHECK;
/* Removes `len` bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t len);
/* Frees the memory; the buffer is empty and can be used again. */
void buffer_free(struct buffer *buffer);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->start > 0 ? buffer->data + buffer->start : buffer->data, buffer->len};
}

#define DECIMAL_DIGITS 20
/* The decimal digits of a number, at the end of `out`, without NUL: for texts that each query needs, since snprintf takes
 * 600 instructions. */
struct bytes bytes_decimal(char out[DECIMAL_DIGITS], uint64_t number);

#endif
