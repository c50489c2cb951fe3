/* SPDX-License-Identifier: MIT */
/* Invariants of a buffer: start + len <= cap; start is 0 when len is; data is NULL exactly when cap is 0. */
#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"

enum { BUFFER_LEAST = 256 };

void writer_bytes(struct writer *writer, const void *data, size_t len)
{
    uint8_t *at = writer_take(writer, len);
    if (at && len > 0)
        memcpy(at, data, len);
}

void writer_u8(struct writer *writer, uint8_t value)
{
    uint8_t *at = writer_take(writer, 1);
    if (at)
        *at = value;
}

void writer_u16(struct writer *writer, uint16_t value)
{
    uint8_t *at = writer_take(writer, 2);
    if (at)
        write_u16(at, value);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    uint8_t *at = writer_take(writer, 4);
    if (at)
        write_u32(at, value);
}

static void move_to_front(struct buffer *buffer)
{
    memmove(buffer->data, buffer->data + buffer->start, buffer->len);
    buffer->start = 0;
}

static bool grow(struct buffer *buffer, size_t needed)
{
    size_t cap = buffer->cap <= SIZE_MAX / 2 ? buffer->cap * 2 : SIZE_MAX;
    if (cap < needed)
        cap = needed;
    if (cap < BUFFER_LEAST)
        cap = BUFFER_LEAST;
    uint8_t *data = mem_resize(buffer->data, cap);
    if (!data)
        return false;
    buffer->data = data;
    buffer->cap = cap;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t len)
{
    if (len > SIZE_MAX - buffer->start - buffer->len)
        return NULL;
    if (!buffer->data || buffer->cap - buffer->start - buffer->len < len) {
        /* Moving only once a quarter of the block is free keeps the cost per byte constant. */
        if (buffer->start > 0 && buffer->start >= buffer->cap / 4 && buffer->cap - buffer->len >= len)
            move_to_front(buffer);
        else if (!grow(buffer, buffer->start + buffer->len + len))
            return NULL;
    }
    return buffer->data + buffer->start + buffer->len;
}

void buffer_commit(struct buffer *buffer, size_t len)
{
    assert(len <= buffer->cap - buffer->start - buffer->len);
    buffer->len += len;
}

int buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t *room = buffer_reserve(buffer, len);
    if (!room)
        return -ENOMEM;
    memcpy(room, data, len);
    buffer->len += len;
    return 0;
}

void buffer_consume(struct buffer *buffer, size_t len)
{
    assert(len <= buffer->len);
    buffer->len -= len;
    buffer->start = buffer->len > 0 ? buffer->start + len : 0;
}

void buffer_free(struct buffer *buffer)
{
    mem_free(buffer->data);
    *buffer = (struct buffer){0};
}

struct bytes bytes_decimal(char out[DECIMAL_DIGITS], uint64_t number)
{
    char *at = out + DECIMAL_DIGITS;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return (struct bytes){(const uint8_t *)at, (size_t)(out + DECIMAL_DIGITS - at)};
}
