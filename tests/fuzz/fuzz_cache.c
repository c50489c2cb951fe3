/* SPDX-License-Identifier: MIT */
/* Puts any response that the walk accepts into a cache and gets it back: only its id, the letter case of its Question section and its
 * TTLs, reduced by its age, differ. Inputs share the cache, so that it evicts older entries. The first bytes of the input choose the
 * key's flags, the age, and further operations. */
#include "cache/cache.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "dns/ttl.h"
#include "fuzz.h"

#define STALE_TTL 30
#define ROOM      (4u << 20)

static struct cache *cache;
static struct answer_scratch scratch;
static struct answer_transport transport;
static uint8_t original[MESSAGE_MAX], out[MESSAGE_MAX];
static uint64_t now_ms = 1;

enum { WANT_STALE = 4, FLUSH_NAME = 8, FLUSH_ALL = 16 };

static void make_key(struct key *key, const struct answer *answer, uint8_t bits)
{
    size_t name = name_len((struct bytes){answer->wire + MESSAGE_HEADER, answer->len - MESSAGE_HEADER});
    const uint8_t *fixed = answer->wire + MESSAGE_HEADER + name;
    struct request request = {.name_len = (uint8_t)name,
                              .type = read_u16(fixed),
                              .class = read_u16(fixed + 2),
                              .dnssec_ok = bits & KEY_DO,
                              .flags = bits & KEY_CD ? FLAG_CD : 0};
    message_request_key((struct bytes){answer->wire, answer->len}, &request, key);
    MUST(message_answers((struct bytes){answer->wire, answer->len}, key));
}

/* In an expired entry records beside the answer may have expired, too: then they show 0. */
static bool is_aged(uint32_t shown, uint32_t ttl, uint32_t seconds, bool expired, bool is_answer)
{
    if (expired)
        return shown == STALE_TTL || (shown == 0 && ttl <= seconds && !is_answer);
    return shown == (ttl > seconds ? ttl - seconds : 0);
}

static void check_same(const struct key *key, const struct answer *answer, const struct cache_found *found,
                       uint32_t seconds, bool expired)
{
    MUST(found->answer.len == answer->len && found->answer.rcode == answer->rcode);
    MUST(found->answer.additional == answer->additional && found->answer.authenticated == answer->authenticated);
    MUST(found->answer.truncated == answer->truncated && found->original_ttl == answer->ttl);
    MUST(found->answer.ttl == (expired ? 0 : answer->ttl - seconds));
    MUST(found->answer.ede.count == answer->ede.count);
    for (unsigned i = 0; i < answer->ede.count; i++) {
        const struct ede *was = &answer->ede.item[i], *is = &found->answer.ede.item[i];
        MUST(is->code == was->code && is->len == was->len && memcmp(is->text, was->text, was->len) == 0);
    }
    bool partly_expired = false;
    for (unsigned i = 0; i < answer->ttl_count; i++) {
        uint16_t at = answer->ttl_offsets[i];
        MUST(is_aged(read_u32(out + at), read_u32(original + at), seconds, expired, i < read_u16(original + 6)));
        partly_expired |= read_u32(out + at) == 0;
        memcpy(out + at, original + at, 4);
    }
    MUST((found->surplus & SURPLUS_EXPIRED) == (partly_expired ? SURPLUS_EXPIRED : 0) && found->flags == key->flags);
    MUST(!(found->surplus & SURPLUS_DNSSEC) || !(key->flags & KEY_DO));
    if (answer->rcode == RCODE_NXDOMAIN) /* its entry serves all types */
        memcpy(out + MESSAGE_HEADER + key->name_len, original + MESSAGE_HEADER + key->name_len, 2);
    MUST(memcmp(out + 2, original + 2, answer->len - 2) == 0);
}

static void get_back(const struct key *key, const struct answer *answer, uint32_t seconds, enum cache_want want)
{
    struct cache_found found;
    uint64_t then_ms = now_ms + (uint64_t)seconds * 1000, hash = key_hash(key);
    bool expired = seconds >= answer->ttl;
    enum cache_result result = cache_get(cache, key, hash, then_ms, want, STALE_TTL, out, MESSAGE_MAX, &found);
    MUST(result == (!expired ? CACHE_HIT : want != CACHE_FRESH ? CACHE_EXPIRED : CACHE_MISS));
    if (result == CACHE_MISS)
        return;
    check_same(key, answer, &found, seconds, expired);
    MUST(cache_get(cache, key, hash, then_ms, want, STALE_TTL, out, answer->len - 1, &found) == CACHE_TOO_BIG);
}

/* An NXDOMAIN becomes the response to a query for a name below its own; that one is good, too. */
static void deny_below(const struct key *key, uint32_t seconds)
{
    static struct answer_scratch below_scratch;
    static struct rewrite rewrite;
    struct cache_found found;
    struct answer walked;
    struct key below = {.type = TYPE_DS, .flags = key->flags, .class = key->class, .group = key->group};
    if (key->name_len + 2u > NAME_MAX_WIRE)
        return;
    memcpy(below.name, "\1x", 2);
    memcpy(below.name + 2, key->name, key->name_len);
    below.name_len = (uint8_t)(2 + key->name_len);
    if (cache_get_above(cache, &below, now_ms + (uint64_t)seconds * 1000, out, MESSAGE_MAX, &found) != CACHE_HIT ||
        rewrite_denial(&found.answer, &below, found.surplus, &rewrite) < 0)
        return;
    MUST(message_answers((struct bytes){found.answer.wire, found.answer.len}, &below));
    MUST(message_own_answer(found.answer.wire, found.answer.len, &below_scratch, &walked) == 0);
    MUST(walked.rcode == RCODE_NXDOMAIN && read_u16(walked.wire + 6) == 0 && walked.len == found.answer.len);
}

static void forget(const struct key *key, bool all)
{
    struct cache_found found;
    if (all)
        cache_flush(cache);
    else
        MUST(cache_flush_name(cache, key->name, key->name_len, false) > 0);
    MUST(cache_get(cache, key, key_hash(key), now_ms, CACHE_STALE, STALE_TTL, out, MESSAGE_MAX, &found) == CACHE_MISS);
}

static void keep(struct answer *answer, uint8_t bits, uint32_t seconds)
{
    static const struct ttl_limits limits = {0, 7 * 86400, 86400};
    struct key key;
    make_key(&key, answer, bits);
    if (key.type == TYPE_NONE) /* refused by a step before the cache, which uses the type for denials */
        return;
    ttl_apply(answer, key.type, &limits);
    answer->ttl += answer->ttl == 0;
    memcpy(original, answer->wire, answer->len);
    memcpy(original + MESSAGE_HEADER, key.name, key.name_len); /* the cache stores the name in lower case */
    uint64_t epoch = cache_epoch(cache);
    MUST(cache_put(cache, &key, key_hash(&key), answer, now_ms, epoch) == 0);
    get_back(&key, answer, seconds, bits & WANT_STALE);
    deny_below(&key, seconds);
    if (!(bits & (FLUSH_NAME | FLUSH_ALL)))
        return;
    forget(&key, bits & FLUSH_ALL);
    MUST(cache_put(cache, &key, key_hash(&key), answer, now_ms, epoch) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size});
    uint8_t bits = cursor_u8(&cursor);
    uint32_t seconds = cursor_u32(&cursor) >> 8; /* half a year */
    size_t len = cursor_left(&cursor);
    struct answer answer;
    if (cursor.failed || len > MESSAGE_MAX)
        return 0;
    if (!cache) {
        MUST(hash_init() == 0);
        cache = cache_new(ROOM);
        MUST(cache);
        cache_set_cut(cache, CUT_YES);
    }
    uint8_t *wire = exact_copy(cursor.at, len);
    if (message_walk_answer(wire, len, &scratch, &answer, &transport) == 0)
        keep(&answer, bits, seconds);
    free(wire);
    now_ms += 1000;
    return 0;
}
