/* Invariants:
 * - A lock is held for one slice, or for one entry that is put in.
 * - The small rings come first: an entry that is carried into a main ring while the walk goes on may come twice (the second is
 *   left out when it is read), but does not get lost. Slices are taken of each shard in turn, so that the file is in the order of
 *   age as well as it can be: where entries are put is another shard each.
 * - Nothing is used of a block before its digest was right, and nothing of a record before the strict walk has accepted the
 *   message, its own fields were read inside their bounds, and ttl_apply has lowered its life.
 */
#include "cache/dump.h"

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/mem.h"
#include "cache/inside.h"

#define TITLE     "dotstub cache 1\n"
#define TITLE_LEN (sizeof(TITLE) - 1)

#define DUMP_BLOCK   ((size_t)128 << 10)
#define BLOCK_PREFIX (4 + DIGEST_LEN)
#define RECORD_FIXED 16
#define RECORD_MAX   (RECORD_FIXED + EDE_MAX * (3 + EDE_TEXT) + MESSAGE_MAX)
#define AGE_MAX_MS   (UINT64_C(1) << 39) /* more is not told apart by an entry */

/* The octet of a record that says what is known besides. */
enum { RECORD_MAIN = 0x04, RECORD_AD = 0x08, RECORD_HITS = 4 /* shift; the two lowest bits are the key's flags */ };

_Static_assert((KEY_DO | KEY_CD) < RECORD_MAIN && ENTRY_HITS_MAX < 4, "all of it fits into one octet");
_Static_assert(RECORD_MAX <= DUMP_BLOCK && 10 + DUMP_GROUPS_MAX * DIGEST_LEN <= DUMP_BLOCK, "a block takes any record");

/* One that is being written or read. The digest of a block is that of the one before and its octets, which lie in a row here. */
struct dump {
    struct cache *cache;
    const struct dump_terms *terms;
    int fd;
    uint64_t epoch;
    uint32_t group_ids[DUMP_GROUPS_MAX]; /* reading: of the file's definitions; -1: not ours */
    size_t group_count;
    uint64_t elapsed_ms; /* reading: since it was written; */
    bool elapsed_known;
    struct writer block; /* writing: over `octets` */
    struct {
        uint8_t before[DIGEST_LEN], octets[DUMP_BLOCK];
    } chained;
    uint8_t slice[SHARD_COPY_MAX > SHARD_COPY ? SHARD_COPY_MAX : SHARD_COPY];
    uint8_t wire[MESSAGE_MAX];
    struct answer_scratch scratch;
    struct key key; /* reading: zeroed behind what is used */
};

#define GROUP_FOREIGN UINT32_MAX

static bool given_up(const struct dump *dump)
{
    return atomic_load_explicit(dump->terms->stop, memory_order_relaxed) || cache_epoch(dump->cache) != dump->epoch;
}

static struct dump *dump_new(struct cache *cache, const struct dump_terms *terms, int fd)
{
    struct dump *dump = mem_zalloc(1, sizeof(*dump));

    assert(terms->group_count <= DUMP_GROUPS_MAX);
    if (!dump)
        return NULL;
    dump->cache = cache;
    dump->terms = terms;
    dump->fd = fd;
    dump->epoch = cache_epoch(cache);
    dump->block = writer_over(dump->chained.octets, DUMP_BLOCK);
    return dump;
}

/* --- writing --- */

static int block_end(struct dump *dump)
{
    size_t len = writer_len(&dump->block);
    uint8_t prefix[BLOCK_PREFIX];

    assert(!dump->block.failed);
    write_u32(prefix, (uint32_t)len);
    digest_bytes(prefix + 4, &dump->chained, DIGEST_LEN + len);
    int status = file_write(dump->fd, prefix, sizeof(prefix));
    if (status == 0)
        status = file_write(dump->fd, dump->chained.octets, len);
    memcpy(dump->chained.before, prefix + 4, DIGEST_LEN);
    dump->block = writer_over(dump->chained.octets, DUMP_BLOCK);
    return status;
}

static int write_head(struct dump *dump)
{
    const struct dump_terms *terms = dump->terms;
    uint64_t now_s = (uint64_t)clock_wall_s();
    int status = file_write(dump->fd, TITLE, TITLE_LEN);

    if (status < 0)
        return status;
    writer_u32(&dump->block, (uint32_t)(now_s >> 32));
    writer_u32(&dump->block, (uint32_t)now_s);
    writer_u16(&dump->block, (uint16_t)terms->group_count);
    for (size_t i = 0; i < terms->group_count; i++)
        writer_bytes(&dump->block, terms->groups[i].definition, DIGEST_LEN);
    return block_end(dump);
}

/* The age is rounded up: nothing grows younger by being saved. */
static void write_record(struct dump *dump, const struct entry *entry, size_t group, bool from_main, uint64_t now_ms)
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
    writer_u8(block, (uint8_t)answer.ede.count);
    for (unsigned i = 0; i < answer.ede.count; i++) {
        writer_u16(block, answer.ede.item[i].code);
        writer_u8(block, answer.ede.item[i].len);
        writer_bytes(block, answer.ede.item[i].text, answer.ede.item[i].len);
    }
    writer_bytes(block, answer.wire, answer.len);
}

static int write_entry(struct dump *dump, const struct entry *entry, bool from_main, uint64_t now_ms)
{
    const struct dump_terms *terms = dump->terms;
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

/* Of one shard; *more: there is something left in this ring. */
static int write_slice(struct dump *dump, struct shard *shard, bool from_main, uint64_t *position, bool *more)
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

static int write_rings(struct dump *dump, bool from_main)
{
    uint64_t positions[SHARDS_MAX] = {0};
    bool more = true;
    int status = 0;

    while (status == 0 && more) {
        more = false;
        for (unsigned i = 0; status == 0 && i < dump->cache->count; i++)
            status = given_up(dump) ? -ECANCELED
                                    : write_slice(dump, dump->cache->shard[i], from_main, &positions[i], &more);
    }
    return status;
}

int dump_write(struct cache *cache, const struct dump_terms *terms, int fd)
{
    struct dump *dump = dump_new(cache, terms, fd);

    if (!dump)
        return -ENOMEM;
    int status = write_head(dump);
    if (status == 0)
        status = write_rings(dump, false);
    if (status == 0)
        status = write_rings(dump, true);
    if (status == 0 && writer_len(&dump->block) > 0)
        status = block_end(dump);
    if (status == 0)
        status = block_end(dump); /* empty: nothing is missing */
    if (status == 0 && given_up(dump))
        status = -ECANCELED;
    mem_free(dump);
    return status;
}

/* --- reading --- */

/* All of it, or ERROR_MALFORMED, or a negative errno. */
static int read_whole(int fd, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got = read(fd, out, len);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            return ERROR_MALFORMED;
        out += got > 0 ? got : 0;
        len -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* The next block, if its digest is right. */
static int read_block(struct dump *dump, struct bytes *out)
{
    uint8_t prefix[BLOCK_PREFIX], digest[DIGEST_LEN];
    int status = read_whole(dump->fd, prefix, sizeof(prefix));
    size_t len = status == 0 ? read_u32(prefix) : 0;

    if (status == 0)
        status = len <= DUMP_BLOCK ? read_whole(dump->fd, dump->chained.octets, len) : ERROR_MALFORMED;
    if (status < 0)
        return status;
    digest_bytes(digest, &dump->chained, DIGEST_LEN + len);
    if (memcmp(digest, prefix + 4, DIGEST_LEN) != 0)
        return ERROR_MALFORMED;
    memcpy(dump->chained.before, digest, DIGEST_LEN);
    *out = (struct bytes){dump->chained.octets, len};
    return 0;
}

static uint32_t group_for(const struct dump_terms *terms, const uint8_t *definition)
{
    for (size_t i = 0; i < terms->group_count; i++)
        if (memcmp(terms->groups[i].definition, definition, DIGEST_LEN) == 0)
            return terms->groups[i].id;
    return GROUP_FOREIGN;
}

/* A clock that is behind this release, or behind what it was when the file was written, tells nothing. A second is added, since
 * both times were rounded down. */
static void note_time(struct dump *dump, int64_t saved_s)
{
    int64_t now_s = clock_wall_s();
    dump->elapsed_known = saved_s >= BUILD_DATE_S && now_s >= saved_s;
    dump->elapsed_ms = dump->elapsed_known ? (uint64_t)(now_s - saved_s + 1) * 1000 : 0;
}

static int read_head(struct dump *dump)
{
    uint8_t title[TITLE_LEN];
    struct bytes block;
    int status = read_whole(dump->fd, title, TITLE_LEN);

    if (status == 0 && memcmp(title, TITLE, TITLE_LEN) != 0)
        status = ERROR_MALFORMED;
    memset(dump->chained.before, 0, DIGEST_LEN);
    if (status == 0)
        status = read_block(dump, &block);
    if (status < 0)
        return status;
    struct cursor cursor = cursor_over(block);
    uint64_t saved_s = (uint64_t)cursor_u32(&cursor) << 32;
    saved_s |= cursor_u32(&cursor);
    dump->group_count = cursor_u16(&cursor);
    if (dump->group_count > DUMP_GROUPS_MAX || cursor_left(&cursor) != dump->group_count * DIGEST_LEN || saved_s > INT64_MAX)
        return ERROR_MALFORMED;
    for (size_t i = 0; i < dump->group_count; i++)
        dump->group_ids[i] = group_for(dump->terms, cursor_take(&cursor, DIGEST_LEN));
    note_time(dump, (int64_t)saved_s);
    return 0;
}

struct record {
    uint16_t len, group, rcode;
    uint8_t known; /* RECORD_... */
    uint32_t ttl, age_s;
    struct ede_list ede;
    const uint8_t *wire;
};

static int read_record(struct cursor *cursor, struct record *out)
{
    out->len = cursor_u16(cursor);
    out->group = cursor_u16(cursor);
    out->known = cursor_u8(cursor);
    out->ttl = cursor_u32(cursor);
    out->age_s = cursor_u32(cursor);
    out->rcode = cursor_u16(cursor);
    unsigned count = cursor_u8(cursor);
    out->ede.count = 0;
    if (count > EDE_MAX)
        return ERROR_MALFORMED;
    for (unsigned i = 0; i < count; i++) {
        uint16_t code = cursor_u16(cursor);
        uint8_t len = cursor_u8(cursor);
        const uint8_t *text = cursor_take(cursor, len);
        if (!text)
            return ERROR_MALFORMED;
        ede_add(&out->ede, code, (const char *)text, len);
    }
    out->wire = cursor_take(cursor, out->len);
    return out->wire && out->len >= MESSAGE_HEADER ? 0 : ERROR_MALFORMED;
}

/* Makes an answer and its key of what the file says, as if it came from a server: 0 or ERROR_MALFORMED. */
static int walk_record(struct dump *dump, const struct record *record, struct answer *answer)
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
    ttl_apply(answer, dump->key.type, &dump->terms->limits);
    if (answer->ttl > record->ttl)
        answer->ttl = record->ttl;
    return 0;
}

/* How old it is now; or AGE_MAX_MS: too old. */
static uint64_t age_of(const struct dump *dump, const struct record *record, const struct answer *answer)
{
    uint64_t life_ms = (uint64_t)answer->ttl * 1000;
    uint64_t age_ms = (uint64_t)record->age_s * 1000 + dump->elapsed_ms;

    if (!dump->elapsed_known && age_ms < life_ms)
        age_ms = life_ms;
    return age_ms < life_ms + (uint64_t)dump->terms->stale * 1000 && age_ms < AGE_MAX_MS ? age_ms : AGE_MAX_MS;
}

/* A flush between makes it -ECANCELED: nothing from before it comes back. */
static int restore(struct dump *dump, const struct record *record, const struct answer *answer, struct dump_count *count)
{
    uint64_t hash = key_hash(&dump->key), age_ms = age_of(dump, record, answer);
    struct shard *shard = shard_of(dump->cache, hash);
    bool taken = false;

    if (answer->ttl > 0 && age_ms < AGE_MAX_MS) {
        pthread_mutex_lock(&shard->lock);
        bool flushed = cache_epoch(dump->cache) != dump->epoch;
        if (!flushed)
            taken = shard_restore(shard, &dump->key, hash, answer, record->known & RECORD_MAIN,
                                  record->known >> RECORD_HITS & ENTRY_HITS_MAX, clock_ms() - age_ms);
        pthread_mutex_unlock(&shard->lock);
        if (flushed)
            return -ECANCELED;
    }
    count->taken += taken;
    count->left_out += !taken;
    return 0;
}

static int read_records(struct dump *dump, struct bytes block, struct dump_count *count)
{
    struct cursor cursor = cursor_over(block);
    struct record record;
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

/* Without `count` the file is only looked through. */
static int read_all(struct dump *dump, struct dump_count *count)
{
    struct bytes block = {NULL, 1};
    int status = read_head(dump);

    while (status == 0 && block.len > 0) {
        status = given_up(dump) ? -ECANCELED : read_block(dump, &block);
        if (status == 0 && count)
            status = read_records(dump, block, count);
    }
    return status;
}

int dump_read(struct cache *cache, const struct dump_terms *terms, int fd, struct dump_count *count)
{
    struct dump *dump = dump_new(cache, terms, fd);
    int status = 0;

    *count = (struct dump_count){0};
    if (!dump)
        return -ENOMEM;
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
