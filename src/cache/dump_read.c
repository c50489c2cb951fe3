/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - A lock is held for one entry at a time.
 * - A block is used only after its digest has been verified, and a record only after its fields were read within
 *   their bounds, the strict walk has accepted the message, and ttl_apply has limited its TTL.
 */
#include "dump_format.h"

#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/io.h"
#include "base/mem.h"

#define AGE_MAX_MS    (UINT64_C(1) << 39) /* an entry cannot represent a larger age */
#define GROUP_FOREIGN UINT32_MAX

struct dump_reader {
    struct dump_job job;
    uint32_t group_ids[DUMP_GROUPS_MAX]; /* of the definitions in the file; or GROUP_FOREIGN */
    size_t group_count;
    uint64_t elapsed_ms; /* since the file was written */
    bool elapsed_known;
    struct dump_chain chain;
    uint8_t wire[MESSAGE_MAX];
    struct answer_scratch scratch;
    struct key key;
};

/* 0, ERROR_MALFORMED (fewer bytes), or a negative errno. */
static int read_whole(int fd, uint8_t *out, size_t len)
{
    int status = read_full(fd, out, len);
    return status == ERROR_CLOSED ? ERROR_MALFORMED : status;
}

/* Reads the next block and verifies its digest. */
static int read_block(struct dump_reader *dump, struct bytes *out)
{
    uint8_t prefix[BLOCK_PREFIX], digest[DIGEST_LEN];
    int status = read_whole(dump->job.fd, prefix, sizeof(prefix));
    size_t len = status == 0 ? read_u32(prefix) : 0;

    if (status == 0)
        status = len <= DUMP_BLOCK ? read_whole(dump->job.fd, dump->chain.bytes, len) : ERROR_MALFORMED;
    if (status < 0)
        return status;
    digest_bytes(digest, &dump->chain, DIGEST_LEN + len);
    if (memcmp(digest, prefix + 4, DIGEST_LEN) != 0)
        return ERROR_MALFORMED;
    memcpy(dump->chain.before, digest, DIGEST_LEN);
    *out = (struct bytes){dump->chain.bytes, len};
    return 0;
}

static uint32_t group_for(const struct dump_terms *terms, const uint8_t *definition)
{
    uint8_t ours[DIGEST_LEN];
    for (size_t i = 0; i < terms->group_count; i++) {
        dump_definition(terms, i, ours);
        if (memcmp(ours, definition, DIGEST_LEN) == 0)
            return terms->groups[i].id;
    }
    return GROUP_FOREIGN;
}

/* The elapsed time is unknown if the clock is earlier than this release or than the time in the file. One second is
 * added because both times were rounded down. */
static void note_time(struct dump_reader *dump, int64_t saved_s)
{
    int64_t now_s = clock_wall_s();
    dump->elapsed_known = saved_s >= BUILD_DATE_S && now_s >= saved_s;
    dump->elapsed_ms = dump->elapsed_known ? (uint64_t)(now_s - saved_s + 1) * 1000 : 0;
}

static int read_head(struct dump_reader *dump)
{
    uint8_t title[DUMP_TITLE_LEN];
    struct bytes block;
    int status = read_whole(dump->job.fd, title, DUMP_TITLE_LEN);

    if (status == 0 && memcmp(title, DUMP_TITLE, DUMP_TITLE_LEN) != 0)
        status = ERROR_MALFORMED;
    memset(dump->chain.before, 0, DIGEST_LEN);
    if (status == 0)
        status = read_block(dump, &block);
    if (status < 0)
        return status;
    struct cursor cursor = cursor_over(block);
    uint64_t saved_s = (uint64_t)cursor_u32(&cursor) << 32;
    saved_s |= cursor_u32(&cursor);
    dump->group_count = cursor_u16(&cursor);
    if (dump->group_count > DUMP_GROUPS_MAX || cursor_left(&cursor) != dump->group_count * DIGEST_LEN ||
        saved_s > INT64_MAX)
        return ERROR_MALFORMED;
    for (size_t i = 0; i < dump->group_count; i++)
        dump->group_ids[i] = group_for(dump->job.terms, cursor_take(&cursor, DIGEST_LEN));
    note_time(dump, (int64_t)saved_s);
    return 0;
}

struct dump_record {
    uint16_t len, group, rcode;
    uint8_t known; /* RECORD_... */
    uint32_t ttl, age_s;
    struct ede_list ede;
    const uint8_t *wire;
};

static int read_record(struct cursor *cursor, struct dump_record *out)
{
    out->len = cursor_u16(cursor);
    out->group = cursor_u16(cursor);
    out->known = cursor_u8(cursor);
    out->ttl = cursor_u32(cursor);
    out->age_s = cursor_u32(cursor);
    out->rcode = cursor_u16(cursor);
    if (ede_read(cursor, &out->ede) < 0)
        return ERROR_MALFORMED;
    out->wire = cursor_take(cursor, out->len);
    return out->wire && out->len >= MESSAGE_HEADER ? 0 : ERROR_MALFORMED;
}

/* Walks the response of a record as strictly as a server's message, and derives the key. 0 or ERROR_MALFORMED. */
static int walk_record(struct dump_reader *dump, const struct dump_record *record, struct answer *answer)
{
    struct answer_transport transport;
    struct request question = {.has_question = true};
    uint16_t low = record->wire[MESSAGE_FLAGS + 1] & 0x0f;

    memcpy(dump->wire, record->wire, record->len);
    int status = message_walk_answer(dump->wire, record->len, &dump->scratch, answer, &transport);
    if (status < 0)
        return status;
    if ((record->rcode & ~0xfffu) != 0 || (record->rcode & 0x0f) != low)
        return ERROR_MALFORMED;
    question.name_len = (uint8_t)name_len((struct bytes){answer->wire + MESSAGE_HEADER, answer->len - MESSAGE_HEADER});
    if (question.name_len == 0)
        return ERROR_MALFORMED;
    question.type = read_u16(answer->wire + MESSAGE_HEADER + question.name_len);
    question.class = read_u16(answer->wire + MESSAGE_HEADER + question.name_len + 2);
    message_request_key((struct bytes){answer->wire, answer->len}, &question, &dump->key);
    dump->key.group = dump->group_ids[record->group];
    dump->key.flags = record->known & (KEY_DO | KEY_CD);
    answer->rcode = record->rcode;
    answer->authenticated = record->known & RECORD_AD;
    answer->ede = record->ede;
    struct ttl_limits limits = dump->job.terms->limits;
    limits.min = 0; /* what the entry lives is not raised again */
    ttl_apply(answer, dump->key.type, &limits);
    if (answer->ttl > record->ttl)
        answer->ttl = record->ttl;
    return 0;
}

/* The current age of the record; AGE_MAX_MS: too old. */
static uint64_t age_of(const struct dump_reader *dump, const struct dump_record *record, const struct answer *answer)
{
    uint64_t life_ms = (uint64_t)answer->ttl * 1000;
    uint64_t age_ms = (uint64_t)record->age_s * 1000 + dump->elapsed_ms;

    if (!dump->elapsed_known && age_ms < life_ms)
        age_ms = life_ms;
    return age_ms < life_ms + (uint64_t)dump->job.terms->stale * 1000 && age_ms < AGE_MAX_MS ? age_ms : AGE_MAX_MS;
}

/* -ECANCELED if the cache was flushed meanwhile: flushed entries must not return. */
static int restore(struct dump_reader *dump, const struct dump_record *record, const struct answer *answer,
                   struct dump_count *count)
{
    uint64_t hash = key_hash(&dump->key), age_ms = age_of(dump, record, answer);
    struct shard *shard = shard_of(dump->job.cache, hash);
    bool taken = false;

    if (answer->ttl > 0 && age_ms < AGE_MAX_MS) {
        pthread_mutex_lock(&shard->lock);
        bool flushed = cache_epoch(dump->job.cache) != dump->job.epoch;
        if (!flushed)
            taken = shard_restore(shard, &dump->key, hash, answer, record->known & RECORD_MAIN,
                                  record->known >> RECORD_HITS & ENTRY_HITS_MAX, clock_ms() - age_ms);
        pthread_mutex_unlock(&shard->lock);
        if (flushed)
            return -ECANCELED;
        if (taken && age_ms < (uint64_t)answer->ttl * 1000)
            note_entry(dump->job.cache, &dump->key, answer, clock_ms() - age_ms + (uint64_t)answer->ttl * 1000);
    }
    count->taken += taken;
    count->left_out += !taken;
    return 0;
}

static int read_records(struct dump_reader *dump, struct bytes block, struct dump_count *count)
{
    struct cursor cursor = cursor_over(block);
    struct dump_record record;
    struct answer answer;
    int status = 0;

    while (status == 0 && cursor_left(&cursor) > 0) {
        status = read_record(&cursor, &record);
        if (status == 0 && record.group >= dump->group_count)
            status = ERROR_MALFORMED;
        if (status < 0)
            break;
        bool ours = dump->group_ids[record.group] != GROUP_FOREIGN;
        count->left_out += !ours;
        if (ours)
            status = walk_record(dump, &record, &answer);
        if (ours && status == 0)
            status = restore(dump, &record, &answer, count);
    }
    return status;
}

/* `count` NULL: only checks the file. */
static int read_all(struct dump_reader *dump, struct dump_count *count)
{
    struct bytes block = {NULL, 1};
    int status = read_head(dump);

    while (status == 0 && block.len > 0) {
        status = dump_given_up(&dump->job) ? -ECANCELED : read_block(dump, &block);
        if (status == 0 && count)
            status = read_records(dump, block, count);
    }
    return status;
}

int dump_read(struct cache *cache, const struct dump_terms *terms, int fd, struct dump_count *count)
{
    struct dump_reader *dump = mem_zalloc(1, sizeof(*dump));
    int status = 0;

    *count = (struct dump_count){0};
    if (!dump)
        return -ENOMEM;
    dump->job = dump_job_of(cache, terms, fd);
    if (lseek(fd, 0, SEEK_SET) == 0) {
        status = read_all(dump, NULL);
        if (status == 0 && lseek(fd, 0, SEEK_SET) < 0)
            status = -errno;
    }
    if (status == 0)
        status = read_all(dump, count);
    mem_free(dump);
    return status;
}
