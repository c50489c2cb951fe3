/* SPDX-License-Identifier: MIT */
/* Loads a saved cache from an untrusted file: unchanged, and with valid digests (then the input consists of blocks, each with two bytes
 * of length and its content). All loaded entries can be saved and loaded again. */
#include "../../src/cache/dump_format.h"
#include "fuzz.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/io.h"

static struct cache *first, *second;
static atomic_bool stop;
static const struct key_group group = {0, "0123456789abcde"};
static const struct dump_terms terms = {.groups = &group,
                                        .group_count = 1,
                                        .limits = {.min = 0, .max = 86400, .negative_max = 3600},
                                        .stale = UINT32_C(30) * 86400,
                                        .stop = &stop};

static void write_all(int fd, const void *data, size_t len)
{
    MUST(write_full(fd, data, len) == 0);
}

static void write_block(int fd, uint8_t *before, const uint8_t *data, size_t len)
{
    uint8_t length[4];
    uint8_t *chained = malloc(DIGEST_LEN + len);
    MUST(chained);
    memcpy(chained, before, DIGEST_LEN);
    if (len > 0)
        memcpy(chained + DIGEST_LEN, data, len);
    digest_bytes(before, chained, DIGEST_LEN + len);
    free(chained);
    write_u32(length, (uint32_t)len);
    write_all(fd, length, sizeof length);
    write_all(fd, before, DIGEST_LEN);
    write_all(fd, data, len);
}

static void write_with_digests(int fd, struct bytes input)
{
    uint8_t before[DIGEST_LEN] = {0};
    struct cursor cursor = cursor_over(input);
    write_all(fd, DUMP_TITLE, DUMP_TITLE_LEN);
    while (cursor_left(&cursor) > 2) {
        size_t len = cursor_u16(&cursor);
        if (len > cursor_left(&cursor))
            len = cursor_left(&cursor);
        write_block(fd, before, cursor_take(&cursor, len), len);
    }
    write_block(fd, before, NULL, 0);
}

static void read_again(uint64_t taken)
{
    struct dump_count count;
    struct cache_stats stats;
    int fd = memfd_create("again", MFD_CLOEXEC);
    MUST(fd >= 0);
    cache_flush(second);
    cache_stats(first, &stats);
    MUST(stats.entries <= taken);
    MUST(dump_write(first, &terms, fd) == 0);
    MUST(dump_read(second, &terms, fd, &count) == 0);
    MUST(count.taken + count.left_out <= stats.entries);
    close(fd);
}

static void try_file(struct bytes input, bool with_digests)
{
    struct dump_count count;
    int fd = memfd_create("dump", MFD_CLOEXEC);
    MUST(fd >= 0);
    cache_flush(first);
    if (with_digests)
        write_with_digests(fd, input);
    else
        write_all(fd, input.data, input.len);
    int status = dump_read(first, &terms, fd, &count);
    MUST(status <= 0);
    close(fd);
    read_again(count.taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!first) {
        hash_init_fixed((const uint8_t *)"0123456789abcdef");
        first = cache_new(4 << 20);
        second = cache_new(4 << 20);
        MUST(first && second);
    }
    try_file((struct bytes){data, size}, false);
    try_file((struct bytes){data, size}, true);
    return 0;
}
