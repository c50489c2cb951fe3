/* SPDX-License-Identifier: MIT */
/* Invariants: `used` is a multiple of the alignment; only the first block still has room to hand out. */
#include "config/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"

#define BLOCK_SIZE 4000

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) uint8_t data[];
};

static bool block_added(struct arena *arena, size_t size)
{
    struct arena_block *block = mem_zalloc(1, sizeof(*block) + size);
    if (!block)
        return false;
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return true;
}

void *arena_take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        if (!block_added(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE))
            return NULL;
        block = arena->blocks;
    }
    void *taken = block->data + block->used;
    block->used += size;
    return taken;
}

char *arena_text(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_take(arena, len + 1);
    if (copy && len)
        memcpy(copy, text, len);
    return copy;
}

char *arena_print(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_take(arena, (size_t)len + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        mem_free(block);
    }
    arena->blocks = NULL;
}
