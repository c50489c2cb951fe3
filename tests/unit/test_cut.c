/* SPDX-License-Identifier: MIT */
/* NXDOMAIN for the names below one that does not exist: which entries serve them, and the response built from an
 * entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "cache/cache.h"
#include "dns/codes.h"
#include "dns/rewrite.h"

static struct cache *cache;
static uint8_t out[MESSAGE_MAX];
static struct cache_found found;
static struct rewrite rewrite;
static struct answer_scratch scratch;

static int setup(void **state)
{
    (void)state;
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    cache = cache_new((size_t)64 << 20);
    cache_set_cut(cache, CUT_SECURE);
    return cache ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cache_free(cache);
    return 0;
}

static struct key key_of(const char *name, uint16_t type, uint8_t flags)
{
    struct key key = {.type = type, .class = CLASS_IN, .flags = flags, .group = 7};
    int len = name_from_text(key.name, name);
    assert_true(len > 0);
    key.name_len = (uint8_t)len;
    return key;
}

struct made {
    uint8_t wire[1024];
    uint16_t ttl_offsets[4];
    struct answer answer;
};

static void put_record(struct made *made, struct writer *writer, uint16_t owner, uint16_t type, uint32_t ttl,
                       const void *data, size_t len)
{
    writer_u16(writer, owner);
    writer_u16(writer, type);
    writer_u16(writer, CLASS_IN);
    made->ttl_offsets[made->answer.ttl_count++] = (uint16_t)writer_len(writer);
    writer_u32(writer, ttl);
    writer_u16(writer, (uint16_t)len);
    writer_bytes(writer, data, len);
}

/* NXDOMAIN with a SOA and a NSEC, whose owners and data point into the question; or an address. */
static void make(struct made *made, const struct key *key, bool exists, uint32_t ttl)
{
    struct writer writer = writer_over(made->wire, sizeof made->wire);
    uint16_t last = MESSAGE_HEADER, flags = FLAG_QR | FLAG_RD | FLAG_RA;
    uint8_t soa[24] = {0xc0, 0, 0xc0, 0};
    for (const uint8_t *at = key->name; *at && at[1 + *at]; at += 1 + *at)
        last = (uint16_t)(last + 1 + *at);
    soa[1] = soa[3] = (uint8_t)last;
    memset(&made->answer, 0, sizeof made->answer);
    writer_u16(&writer, 0);
    writer_u16(&writer, exists ? flags : flags | RCODE_NXDOMAIN);
    writer_u16(&writer, 1);
    writer_u16(&writer, exists ? 1 : 0);
    writer_u16(&writer, exists ? 0 : 2);
    writer_u16(&writer, 0);
    writer_bytes(&writer, key->name, key->name_len);
    writer_u16(&writer, key->type);
    writer_u16(&writer, key->class);
    if (exists) {
        put_record(made, &writer, 0xc000 | MESSAGE_HEADER, TYPE_A, ttl, "\1\2\3\4", 4);
    } else {
        put_record(made, &writer, 0xc000 | last, TYPE_SOA, ttl, soa, sizeof soa);
        put_record(made, &writer, 0xc000 | MESSAGE_HEADER, TYPE_NSEC, ttl, "\1z\0\0\1\x40", 6);
    }
    assert_false(writer.failed);
    made->answer.wire = made->wire;
    made->answer.len = writer_len(&writer);
    made->answer.additional = (uint16_t)made->answer.len;
    made->answer.rcode = exists ? RCODE_NOERROR : RCODE_NXDOMAIN;
    made->answer.ttl = ttl;
    made->answer.ttl_offsets = made->ttl_offsets;
}

static void put(const struct key *key, struct made *made, uint64_t now_ms)
{
    assert_int_equal(cache_put(cache, key, key_hash(key), &made->answer, now_ms, cache_epoch(cache)), 0);
}

static void put_denial(const char *name, uint8_t flags, bool authenticated, int ede, uint32_t ttl, uint64_t now_ms)
{
    struct key key = key_of(name, TYPE_A, flags);
    struct made made;
    make(&made, &key, false, ttl);
    made.answer.authenticated = authenticated;
    if (ede != EDE_NONE)
        ede_add(&made.answer.ede, (uint16_t)ede, NULL, 0);
    put(&key, &made, now_ms);
}

static void put_address(const char *name, uint8_t flags, uint32_t ttl, uint64_t now_ms)
{
    struct key key = key_of(name, TYPE_A, flags);
    struct made made;
    make(&made, &key, true, ttl);
    put(&key, &made, now_ms);
}

static bool is_cut(const char *name, uint8_t flags, uint64_t now_ms)
{
    struct key key = key_of(name, TYPE_AAAA, flags);
    return cache_get_above(cache, &key, now_ms, out, sizeof out, &found) == CACHE_HIT;
}

static void secure_denial_serves_all_below(void **state)
{
    (void)state;
    put_denial("gone.example", KEY_DO, true, EDE_NONE, 60, 0);
    assert_true(is_cut("a.gone.example", 0, 0));
    assert_true(is_cut("a.b.c.gone.example", KEY_DO, 59000));
    assert_int_equal(found.answer.ttl, 1);
    assert_false(is_cut("a.gone.example", 0, 60000));
    assert_false(is_cut("gone.example", 0, 0)); /* found by cache_get */
    assert_false(is_cut("agone.example", 0, 0));
    assert_false(is_cut("a.here.example", 0, 0));
}

static void other_denials_serve_their_own_name_only(void **state)
{
    (void)state;
    put_denial("plain.example", 0, false, EDE_NONE, 60, 0);
    put_denial("blocked.example", 0, true, EDE_BLOCKED, 60, 0);
    put_denial("censored.example", 0, true, EDE_CENSORED, 60, 0);
    put_denial("filtered.example", 0, true, EDE_FILTERED, 60, 0);
    put_denial("cd.example", KEY_CD, true, EDE_NONE, 60, 0);
    put_denial("without.example", 0, true, EDE_NONE, 60, 0);
    assert_false(is_cut("a.plain.example", 0, 0));
    assert_false(is_cut("a.blocked.example", 0, 0));
    assert_false(is_cut("a.censored.example", 0, 0));
    assert_false(is_cut("a.filtered.example", 0, 0));
    assert_false(is_cut("a.cd.example", 0, 0));
    assert_true(is_cut("a.cd.example", KEY_CD, 0));
    assert_true(is_cut("a.without.example", 0, 0));
    assert_false(is_cut("a.without.example", KEY_DO, 0)); /* the entry was queried without DO: it has no proof */
    cache_set_cut(cache, CUT_YES);
    assert_true(is_cut("a.plain.example", 0, 0));
    assert_false(is_cut("a.filtered.example", 0, 0));
    cache_set_cut(cache, CUT_NO);
    assert_false(is_cut("a.without.example", 0, 0));
}

static void entry_of_another_group_serves_nothing(void **state)
{
    (void)state;
    struct key key = key_of("a.gone.example", TYPE_A, 0);
    put_denial("gone.example", 0, true, EDE_NONE, 60, 0);
    key.group = 8;
    assert_int_equal(cache_get_above(cache, &key, 0, out, sizeof out, &found), CACHE_MISS);
}

static void a_name_below_that_exists_ends_it(void **state)
{
    (void)state;
    put_address("www.old.example", 0, 30, 0); /* before */
    put_denial("old.example", 0, true, EDE_NONE, 60, 0);
    assert_false(is_cut("a.old.example", 0, 0));
    assert_true(is_cut("a.old.example", 0, 31000)); /* it has expired */
    put_denial("new.example", 0, true, EDE_NONE, 60, 0);
    assert_true(is_cut("a.new.example", 0, 0));
    put_address("www.b.new.example", 0, 30, 0); /* after */
    assert_false(is_cut("a.new.example", 0, 0));
    put_denial("cd.example", 0, true, EDE_NONE, 60, 0);
    put_address("www.cd.example", KEY_CD, 30, 0); /* not validated by the server: does not count */
    assert_true(is_cut("a.cd.example", 0, 0));
}

static void a_flush_ends_it(void **state)
{
    (void)state;
    put_address("www.gone.example", 0, 300, 0);
    put_denial("gone.example", 0, true, EDE_NONE, 60, 0);
    cache_flush(cache);
    assert_false(is_cut("a.gone.example", 0, 0));
    put_denial("gone.example", 0, true, EDE_NONE, 60, 0); /* supersedes what was below */
    assert_true(is_cut("a.gone.example", 0, 0));
    assert_int_equal(cache_flush_name(cache, (const uint8_t *)"\4gone\7example", 14, false), 1);
    assert_false(is_cut("a.gone.example", 0, 0));
}

static void deep_names_are_served_from_high_above(void **state)
{
    (void)state;
    char name[NAME_MAX_TEXT] = "";
    put_denial("8.b.d.0.1.0.0.2.ip6.arpa", 0, true, EDE_NONE, 60, 0);
    put_denial("x", 0, true, EDE_NONE, 60, 0);
    assert_true(is_cut("1.2.3.4.5.6.7.8.9.0.a.b.c.d.e.f.0.1.2.3.4.5.6.7.8.b.d.0.1.0.0.2.ip6.arpa", 0, 0));
    for (unsigned i = 0; i < 126; i++)
        strcat(name, "a.");
    strcat(name, "x");
    assert_true(is_cut(name, 0, 0));
    for (unsigned i = 0; i < 100; i++) { /* deeper than the cache searches: not found, and no crash */
        char *part = name + 2 * (125 - i);
        put_denial(part, 0, true, EDE_NONE, 60, 0);
        put_address(part, 0, 60, 0);
    }
}

/* The response has the new question, and its records are those of the entry, their pointers moved. */
static void response_is_whole(void **state)
{
    static const char *const names[] = {"a.gone.example", "a.b.c.gone.example"};
    (void)state;
    put_denial("gone.example", KEY_DO, true, EDE_NONE, 60, 0);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned flags = 0; flags <= KEY_DO; flags++) {
            struct key key = key_of(names[i], TYPE_DS, (uint8_t)flags);
            struct answer walked;
            char text[NAME_MAX_TEXT];
            assert_true(is_cut(names[i], key.flags, 10000));
            assert_int_equal(rewrite_denial(&found.answer, &key, found.surplus, &rewrite), 0);
            assert_true(message_answers((struct bytes){found.answer.wire, found.answer.len}, &key));
            assert_int_equal(message_own_answer(found.answer.wire, found.answer.len, &scratch, &walked), 0);
            assert_int_equal(walked.rcode, RCODE_NXDOMAIN);
            assert_int_equal(walked.ttl_count, flags ? 2 : 1); /* the NSEC needs DO */
            assert_int_equal(read_u32(walked.wire + walked.ttl_offsets[0]), 50);
            rewrite_list(&rewrite, &walked);
            for (unsigned r = 0; r < walked.ttl_count; r++) {
                struct key owner = key_of(r == 0 ? "example" : "gone.example", 0, 0);
                size_t at = rewrite.record[r].owner;
                assert_int_equal(walked.wire[at], 0xc0); /* compressed: it is the end of the question */
                at = walked.wire[at + 1];
                assert_string_equal(name_text(walked.wire + at, text), r == 0 ? "example." : "gone.example.");
                assert_int_equal(rewrite.record[r].type, r == 0 ? TYPE_SOA : TYPE_NSEC);
                assert_memory_equal(walked.wire + at, owner.name, owner.name_len);
            }
        }
    }
}

static void a_response_that_would_be_too_long_is_refused(void **state)
{
    static uint8_t wire[MESSAGE_MAX];
    static uint16_t ttl_offset;
    struct key key = key_of("gone.example", TYPE_A, 0), below = key_of("a.gone.example", TYPE_A, 0);
    struct made made;
    (void)state;
    make(&made, &key, false, 60);
    memcpy(wire, made.wire, MESSAGE_HEADER + key.name_len + 4u);
    wire[MESSAGE_HEADER - 3] = 1; /* one record of an unknown type, up to the end */
    struct writer writer = writer_over(wire, sizeof wire);
    (void)writer_take(&writer, MESSAGE_HEADER + key.name_len + 4u);
    writer_u16(&writer, 0xc000 | MESSAGE_HEADER);
    writer_u32(&writer, 65280u << 16 | CLASS_IN);
    ttl_offset = (uint16_t)writer_len(&writer);
    writer_u32(&writer, 60);
    writer_u16(&writer, (uint16_t)(sizeof wire - writer_len(&writer) - 2));
    struct answer answer = {
        .wire = wire, .len = sizeof wire, .rcode = RCODE_NXDOMAIN, .ttl_offsets = &ttl_offset, .ttl_count = 1};
    assert_true(rewrite_denial(&answer, &below, 0, &rewrite) < 0);
    assert_ptr_equal(answer.wire, wire);
    assert_int_equal(rewrite_denial(&answer, &key, 0, &rewrite), 0);
}

/* --- against a model --- */

#define ENTRIES 400

struct model_entry {
    struct key key;
    bool exists, authenticated, filtered;
    uint64_t until_ms;
};

static uint64_t random_state = UINT64_C(0x2545F4914F6CDD1D);

static unsigned below(unsigned bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % bound;
}

/* One of some hundred names below "example". */
static void random_name(char text[64], unsigned labels)
{
    text[0] = '\0';
    for (unsigned i = 0; i < labels; i++)
        snprintf(text + strlen(text), 64 - strlen(text), "%c.", 'a' + (int)below(3));
    strcat(text, "example");
}

static bool is_below(const struct key *key, const struct key *above)
{
    return key->name_len > above->name_len && name_is_under(key->name, key->name_len, above->name, above->name_len);
}

/* Entries with another CD flag or group do not affect each other. */
static bool same_view(const struct key *a, const struct key *b)
{
    return a->group == b->group && ((a->flags ^ b->flags) & KEY_CD) == 0;
}

/* `entries`: all that were put; a later denial of a name replaces an earlier one. */
static bool model_cuts(const struct model_entry *entries, unsigned count, const struct key *key, uint64_t now_ms)
{
    for (unsigned i = 0; i < count; i++) {
        const struct model_entry *denial = &entries[i];
        bool serves = !denial->exists && denial->authenticated && !denial->filtered && now_ms < denial->until_ms &&
                      is_below(key, &denial->key) && same_view(key, &denial->key) &&
                      !(key->flags & ~denial->key.flags & KEY_DO);
        for (unsigned j = 0; serves && j < count; j++) {
            const struct model_entry *other = &entries[j];
            if (!same_view(&other->key, &denial->key))
                continue;
            if (other->exists && now_ms < other->until_ms && is_below(&other->key, &denial->key))
                serves = false; /* something below exists */
            if (!other->exists && j > i && other->key.name_len == denial->key.name_len &&
                memcmp(other->key.name, denial->key.name, denial->key.name_len) == 0)
                serves = false; /* replaced */
        }
        if (serves)
            return true;
    }
    return false;
}

static void put_random(struct model_entry *entry, uint64_t now_ms)
{
    char name[64];
    uint32_t ttl = 1 + below(60);
    struct made made;
    entry->exists = below(4) == 0;
    random_name(name, entry->exists ? 2 + below(3) : 1 + below(3));
    entry->key = key_of(name, TYPE_A, (uint8_t)below(4));
    entry->key.group = below(2);
    entry->authenticated = below(3) > 0;
    entry->filtered = below(5) == 0;
    entry->until_ms = now_ms + ttl * 1000;
    make(&made, &entry->key, entry->exists, ttl);
    made.answer.authenticated = entry->authenticated;
    if (entry->filtered)
        ede_add(&made.answer.ede, (uint16_t)(15 + below(3)), NULL, 0);
    put(&entry->key, &made, now_ms);
}

/* Hints have whole seconds, so the model is queried for the second after an entry has expired. */
static bool has_just_expired(const struct model_entry *entries, unsigned count, uint64_t now_ms)
{
    for (unsigned i = 0; i < count; i++)
        if (now_ms >= entries[i].until_ms && now_ms <= entries[i].until_ms + 1000)
            return true;
    return false;
}

static void cuts_are_those_of_the_model(void **state)
{
    static struct model_entry entries[ENTRIES];
    unsigned cuts = 0, missed = 0;
    (void)state;
    for (unsigned round = 0; round < 30; round++) {
        uint64_t now_ms = 1000000u * (round + 1);
        cache_flush(cache);
        for (unsigned count = 1; count <= ENTRIES; count++) {
            struct key key;
            char name[64];
            now_ms += below(1500);
            put_random(&entries[count - 1], now_ms);
            random_name(name, 1 + below(5));
            key = key_of(name, TYPE_DS, (uint8_t)below(4));
            key.group = below(2);
            bool expected = model_cuts(entries, count, &key, now_ms);
            bool got = cache_get_above(cache, &key, now_ms, out, sizeof out, &found) == CACHE_HIT;
            assert_false(got && !expected);
            cuts += got;
            missed += expected && !got && !has_just_expired(entries, count, now_ms);
        }
    }
    assert_true(cuts > 300);
    assert_true(missed <= cuts / 50); /* few of these names share a hint */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(secure_denial_serves_all_below),
        TEST(other_denials_serve_their_own_name_only),
        TEST(entry_of_another_group_serves_nothing),
        TEST(a_name_below_that_exists_ends_it),
        TEST(a_flush_ends_it),
        TEST(deep_names_are_served_from_high_above),
        TEST(response_is_whole),
        TEST(a_response_that_would_be_too_long_is_refused),
        TEST(cuts_are_those_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
