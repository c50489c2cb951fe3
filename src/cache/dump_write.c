/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - A lock is held for one slice.
 * - The small rings are written first: an entry that moves to a main ring during the walk may be written twice (the
 *   reader skips the second copy), but is not lost. The walk takes a slice of each shard in turn, so that the file
 *   is roughly in the order of age, because successive entries are put into different shards.
 */
#include "dump_format.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"

struct dump_writer {
    struct dump_job job;
    struct writer block; /* over chain.bytes */
    struct dump_chain chain;
    alignas(struct entry) uint8_t slice[SHARD_COPY_MAX > SHARD_COPY ? SHARD_COPY_MAX : SHARD_COPY];
    uint8_t wire[MESSAGE_MAX];
};

static int block_end(struct dump_writer *dump)
{
    size_t len = writer_len(&dump->block);
    uint8_t prefix[BLOCK_PREFIX];

    assert(!dump->block.failed);
    write_u32(prefix, (uint32_t)len);
    digest_bytes(prefix + 4, &dump->chain, DIGEST_LEN + len);
    int status = write_full(dump->job.fd, prefix, sizeof(prefix));
    if (status == 0)
        status = write_full(dump->job.fd, dump->chain.bytes, len);
    memcpy(dump->chain.before, prefix + 4, DIGEST_LEN);
    dump->block = writer_over(dump->chain.bytes, DUMP_BLOCK);
    return status;
}

static int write_head(struct dump_writer *dump)
{
    const struct dump_terms *terms = dump->job.terms;
    uint64_t now_s = (uint64_t)clock_wall_s();
    int status = write_full(dump->job.fd, DUMP_TITLE, DUMP_TITLE_LEN);

    if (status < 0)
        return status;
    writer_u32(&dump->block, (uint32_t)(now_s >> 32));
    writer_u32(&dump->block, (uint32_t)now_s);
    writer_u16(&dump->block, (uint16_t)terms->group_count);
    for (size_t i = 0; i < terms->group_count; i++) {
        uint8_t definition[DIGEST_LEN];
        dump_definition(terms, i, definition);
        writer_bytes(&dump->block, definition, DIGEST_LEN);
    }
    return block_end(dump);
}

/* The age is rounded up, so that saving never makes an entry younger. */
static void write_record(struct dump_writer *dump, const struct entry *entry, size_t group, bool from_main,
                         uint64_t now_ms)
{
    struct writer *block = &dump->block;
    struct answer answer;
    uint64_t age_s = entry_age(entry, now_ms) / 1000 + 1;

    entry_read(entry, dump->wire, &answer);
    writer_u16(block, (uint16_t)answer.len);
    writer_u16(block, (uint16_t)group);
    writer_u8(block, (uint8_t)(entry->flags | (from_main ? RECORD_MAIN : 0) | (answer.authenticated ? RECORD_AD : 0) |
                               entry->hits << RECORD_HITS));
    writer_u32(block, entry->ttl);
    writer_u32(block, age_s < UINT32_MAX ? (uint32_t)age_s : UINT32_MAX);
    writer_u16(block, answer.rcode);
    ede_write(block, &answer.ede);
    writer_bytes(block, answer.wire, answer.len);
}

static int write_entry(struct dump_writer *dump, const struct entry *entry, bool from_main, uint64_t now_ms)
{
    const struct dump_terms *terms = dump->job.terms;
    size_t group = 0;
    int status = 0;

    while (group < terms->group_count && terms->groups[group].id != entry->group)
        group++;
    if (group == terms->group_count || entry_age(entry, now_ms) >= ((uint64_t)entry->ttl + terms->stale) * 1000)
        return 0;
    if (writer_len(&dump->block) + RECORD_MAX > DUMP_BLOCK)
        status = block_end(dump);
    if (status == 0)
        write_record(dump, entry, group, from_main, now_ms);
    return status;
}

/* Writes a slice of one shard; *more: this ring has further entries. */
static int write_slice(struct dump_writer *dump, struct shard *shard, bool from_main, uint64_t *position, bool *more)
{
    uint64_t now_ms = clock_ms();
    size_t len;
    int status = 0;

    pthread_mutex_lock(&shard->lock);
    bool left = shard_copy_slice(shard, from_main, position, dump->slice, &len);
    pthread_mutex_unlock(&shard->lock);
    *more |= left;
    for (size_t at = 0; status == 0 && at < len;) {
        const struct entry *entry = (const struct entry *)(const void *)(dump->slice + at);
        status = write_entry(dump, entry, from_main, now_ms);
        at += (size_t)entry_units(entry) * ENTRY_UNIT;
    }
    return status;
}

static int write_rings(struct dump_writer *dump, bool from_main)
{
    uint64_t positions[SHARDS_MAX] = {0};
    bool more = true;
    int status = 0;

    while (status == 0 && more) {
        more = false;
        for (unsigned i = 0; status == 0 && i < dump->job.cache->count; i++)
            status = dump_given_up(&dump->job)
                         ? -ECANCELED
                         : write_slice(dump, dump->job.cache->shard[i], from_main, &positions[i], &more);
    }
    return status;
}

int dump_write(struct cache *cache, const struct dump_terms *terms, int fd)
{
    struct dump_writer *dump = mem_zalloc(1, sizeof(*dump));

    assert(terms->group_count <= DUMP_GROUPS_MAX);
    if (!dump)
        return -ENOMEM;
    dump->job = dump_job_of(cache, terms, fd);
    dump->block = writer_over(dump->chain.bytes, DUMP_BLOCK);
    int status = write_head(dump);
    if (status < 0)
        goto end;
    status = write_rings(dump, false);
    if (status < 0)
        goto end;
    status = write_rings(dump, true);
    if (status < 0)
        goto end;
    if (writer_len(&dump->block) > 0 && (status = block_end(dump)) < 0)
        goto end;
    status = block_end(dump); /* an empty block marks the end of a complete file */
    if (status == 0 && dump_given_up(&dump->job))
        status = -ECANCELED;
end:
    mem_free(dump);
    return status;
}
