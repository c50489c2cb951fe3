/* SPDX-License-Identifier: MIT */
/* The denial cache: random zones with NSEC and NSEC3, whose records are learned in random order; each response that the
 * cache makes is compared with the zone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "dns/rewrite.h"
#include "dnssec/inside.h"
#include "dnssec/proofs.h"
#include "dnssec/wire.h"
#include "seeds.h"
#include "signer.h"

enum { NOW_MS = 1000000, LIFE = 300, SOON = 1000 };

static struct anchors *anchors;
static struct denials *denials;
static struct dnssec_context trust;
static struct denials_context context;
static struct signed_message message;
static uint8_t made[MESSAGE_MAX];

static int begin(void **state)
{
    (void)state;
    uint8_t ds[36] = {1, 2, 13, 2};
    assert_int_equal(hash_init(), 0);
    assert_int_equal(anchors_new(&anchors), 0);
    assert_int_equal(anchors_add(anchors, (const uint8_t *)"", 1, TYPE_DS, (struct bytes){ds, sizeof ds}), 0);
    assert_int_equal(denials_new(&denials, 1 << 20), 0);
    trust = (struct dnssec_context){.anchors = anchors, .now_ms = NOW_MS, .now_s = SIGNER_NOW};
    context = (struct denials_context){.group = 1, .epoch = 1, .now_ms = NOW_MS, .most_s = 3600};
    return 0;
}

static int end(void **state)
{
    (void)state;
    denials_free(denials);
    anchors_unref(anchors);
    return 0;
}

/* --- responses --- */

static void put(unsigned section, const uint8_t *owner, size_t len, uint16_t type, uint32_t ttl, struct bytes rdata)
{
    struct writer *writer = &message.writer;
    writer_bytes(writer, owner, len);
    writer_u16(writer, type);
    writer_u16(writer, CLASS_IN);
    writer_u32(writer, ttl);
    writer_u16(writer, (uint16_t)rdata.len);
    writer_bytes(writer, rdata.data, rdata.len);
    message.count[section]++;
}

/* The life of the records of a response. */
struct lives {
    uint32_t soa_ttl, minimum, soa_signature, ttl, signature;
};
static const struct lives ordinary = {LIFE, LIFE, LIFE, LIFE, LIFE};

static void put_soa(const char *apex, const struct lives *lives)
{
    uint8_t name[NAME_MAX_WIRE], rdata[64] = {1, 'n', 0, 1, 'h', 0};
    size_t len = signer_name(name, apex);
    write_u32(rdata + 6 + 16, lives->minimum);
    put(1, name, len, TYPE_SOA, lives->soa_ttl, (struct bytes){rdata, 26});
}

/* Learns the message as if it had been validated: each RRset of the authority section is secure, signed by the apex. */
static unsigned learn(const char *apex, const struct lives *lives)
{
    struct validation validation = {.qtype = TYPE_A};
    uint8_t name[NAME_MAX_WIRE];
    const struct answer *answer = message_end(&message);
    (void)signer_name(name, apex);
    if (rrsets_new(&validation.sets, answer) < 0)
        return 0; /* out of memory */
    for (unsigned i = 0; i < validation.sets->count; i++) {
        struct rrset *set = &validation.sets->set[i];
        set->status = RRSET_SECURE;
        set->apex_labels = (uint8_t)name_labels(name);
        set->life_s = set->type == TYPE_SOA ? lives->soa_signature : lives->signature;
    }
    unsigned count = denials_learn(denials, &validation, answer, &context);
    rrsets_free(validation.sets);
    return count;
}

static void start(const char *apex, const struct lives *lives)
{
    message_start(&message, "q.example.", TYPE_A, 0);
    put_soa(apex, lives);
}

static void put_nsec(const char *owner, const char *next, const uint8_t *types, uint32_t ttl)
{
    uint8_t name[NAME_MAX_WIRE], rdata[512];
    size_t len = signer_name(name, owner);
    put(1, name, len, TYPE_NSEC, ttl, signer_nsec(rdata, next, types));
}

static unsigned learn_nsec(const char *owner, const char *next, const uint8_t *types)
{
    start("example.", &ordinary);
    put_nsec(owner, next, types, LIFE);
    return learn("example.", &ordinary);
}

#define TYPES(...) ((const uint8_t[]){__VA_ARGS__, 0})

/* --- queries --- */

static struct key key_of(const char *name, uint16_t type)
{
    struct key key = {.type = type, .class = CLASS_IN, .group = 1, .flags = KEY_DO};
    key.name_len = (uint8_t)signer_name(key.name, name);
    return key;
}

enum { NOTHING = -1 };

/* The RCODE of the response, which must be well-formed and have the SOA; NOTHING: there is none. */
static int answer_key(const struct key *key)
{
    static struct answer_scratch scratch;
    static struct rewrite rewrite;
    struct answer answer;
    size_t len = denials_answer(denials, key, &trust, &context, made);
    if (len == 0)
        return NOTHING;
    assert_int_equal(message_own_answer(made, len, &scratch, &answer), 0);
    assert_true(message_answers((struct bytes){made, len}, key));
    rewrite_list(&rewrite, &answer);
    unsigned soa = 0, proofs = 0;
    assert_int_equal(rewrite.section_start[1], 0);
    for (unsigned i = 0; i < rewrite.section_start[3]; i++) {
        soa += rewrite.record[i].type == TYPE_SOA;
        proofs += rewrite.record[i].type == TYPE_NSEC || rewrite.record[i].type == TYPE_NSEC3;
        assert_true(read_u32(made + rewrite.record[i].fixed + RECORD_TTL) <= LIFE);
    }
    assert_int_equal(soa, 1);
    assert_true(key->flags & KEY_DO ? proofs > 0 && proofs < 4 : proofs == 0);
    return answer.rcode;
}

static int ask(const char *name, uint16_t type)
{
    struct key key = key_of(name, type);
    return answer_key(&key);
}

static uint32_t ttl_of(const char *name)
{
    struct key key = key_of(name, TYPE_A);
    static struct answer_scratch scratch;
    struct answer answer;
    size_t len = denials_answer(denials, &key, &trust, &context, made);
    assert_true(len > 0 && message_own_answer(made, len, &scratch, &answer) == 0);
    return read_u32(made + answer.ttl_offsets[0]);
}

/* --- random zones --- */

enum { NAMES_MAX = 40, HASHES = 2 * NAMES_MAX };
static const uint16_t some_types[] = {TYPE_A, TYPE_TXT, TYPE_AAAA, TYPE_NS, TYPE_CNAME, TYPE_DNAME, TYPE_DS};

struct zone_name {
    char text[64];
    uint8_t name[NAME_MAX_WIRE], hash[CRYPTO_HASH];
    size_t len;
    uint8_t types[16]; /* ends with 0; none: an empty non-terminal */
    bool hidden;       /* below a delegation or a DNAME */
};
static struct zone_name names[NAMES_MAX * 3];
static unsigned name_count;

static bool has(const struct zone_name *name, uint16_t type)
{
    return type < 256 && strchr((const char *)name->types, type);
}

static struct zone_name *find(const uint8_t *name, size_t len)
{
    for (unsigned i = 0; i < name_count; i++)
        if (!names[i].hidden && names[i].len == len && memcmp(names[i].name, name, len) == 0)
            return &names[i];
    return NULL;
}

static struct zone_name *add(const char *text)
{
    uint8_t wire[NAME_MAX_WIRE];
    size_t len = signer_name(wire, text);
    struct zone_name *found = find(wire, len);
    if (found)
        return found;
    found = &names[name_count++];
    *found = (struct zone_name){.len = len};
    snprintf(found->text, sizeof found->text, "%s", text);
    memcpy(found->name, wire, len);
    return found;
}

/* A name of one to four labels below the apex. */
static const char *random_name(char out[64])
{
    static const char *const labels[] = {"a", "b", "c", "*", "d\\000", "zz"};
    out[0] = 0;
    for (unsigned i = 1 + below(4); i > 0; i--)
        snprintf(out + strlen(out), 64 - strlen(out), "%s.", labels[below(6)]);
    return strcat(out, "example.");
}

static bool is_below_end(const struct zone_name *name)
{
    for (unsigned i = 0; i < name_count; i++) {
        const struct zone_name *end = &names[i];
        if (end != name && end->len > 9 && name->len > end->len && (has(end, TYPE_NS) || has(end, TYPE_DNAME)) &&
            name_is_under(name->name, name->len, end->name, end->len))
            return true;
    }
    return false;
}

static void make_zone(void)
{
    char text[64];
    name_count = 0;
    strcpy((char *)add("example.")->types, "\6\2");
    for (unsigned i = below(NAMES_MAX); i > 0; i--) {
        struct zone_name *name = add(random_name(text));
        uint16_t type = some_types[below(7)];
        bool wild = name->text[0] == '*';
        if (name->types[0] || (wild && (type == TYPE_NS || type == TYPE_DNAME)) || type == TYPE_DS)
            continue;
        name->types[0] = (uint8_t)type;
        if (type == TYPE_NS && below(2))
            name->types[1] = TYPE_DS;
        else if (type == TYPE_A && below(2))
            name->types[1] = TYPE_TXT;
    }
    for (unsigned i = 0; i < name_count; i++)
        if (!names[i].types[0])
            names[i--] = names[--name_count];
    for (unsigned i = 0; i < name_count; i++)
        names[i].hidden = is_below_end(&names[i]);
    for (unsigned i = 0; i < name_count; i++)
        if (names[i].hidden)
            names[i--] = names[--name_count];
    unsigned own = name_count; /* then the empty non-terminals */
    for (unsigned i = 0; i < own; i++)
        for (const char *at = strchr(names[i].text, '.') + 1; names[i].len > 9 && strcmp(at, "example.") != 0;
             at = strchr(at, '.') + 1)
            add(at);
}

/* The truth: an RCODE of a negative response, or NOTHING. */
static int truth(const uint8_t *name, size_t len, uint16_t type)
{
    uint8_t wildcard[NAME_MAX_WIRE];
    const struct zone_name *closest = NULL;
    for (unsigned labels = 1; labels <= name_labels(name); labels++) {
        const uint8_t *at = canonical_ancestor(name, labels);
        const struct zone_name *found = find(at, len - (size_t)(at - name));
        if (!found)
            break;
        closest = found;
        if (labels > 1 && has(found, TYPE_NS))
            return at == name && type == TYPE_DS && !has(found, TYPE_DS) ? RCODE_NOERROR : NOTHING;
        if (at != name && has(found, TYPE_DNAME))
            return NOTHING;
        if (at == name)
            return has(found, type) || has(found, TYPE_CNAME) ? NOTHING : RCODE_NOERROR;
    }
    size_t wildcard_len = denial_wildcard(name, len, name_labels(closest->name), wildcard);
    const struct zone_name *source = find(wildcard, wildcard_len);
    if (!source)
        return RCODE_NXDOMAIN;
    return has(source, type) || has(source, TYPE_CNAME) ? NOTHING : RCODE_NOERROR;
}

static int by_name(const void *a, const void *b)
{
    return canonical_compare(((const struct zone_name *)a)->name, ((const struct zone_name *)b)->name);
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct zone_name *)a)->hash, ((const struct zone_name *)b)->hash, CRYPTO_HASH);
}

static const uint8_t *with_proof_types(const struct zone_name *name, uint8_t out[20], bool hashed)
{
    size_t len = strlen((const char *)name->types);
    memcpy(out, name->types, len);
    if (!hashed)
        out[len++] = TYPE_NSEC;
    if (len > 0)
        out[len++] = TYPE_RRSIG;
    out[len] = 0;
    return out;
}

static void put_hash(char out[33], const uint8_t hash[CRYPTO_HASH])
{
    for (unsigned i = 0; i < 32; i++) {
        unsigned value = 0;
        for (unsigned bit = 5 * i; bit < 5 * i + 5; bit++)
            value = value << 1 | (hash[bit / 8] >> (7 - bit % 8) & 1);
        out[i] = "0123456789abcdefghijklmnopqrstuv"[value];
    }
    out[32] = 0;
}

struct salting {
    uint8_t salt[4];
    unsigned len, iterations, flags;
};

static void put_nsec3(const struct zone_name *name, const struct zone_name *next, const struct salting *salting)
{
    char owner[64], hash[33];
    uint8_t wire[NAME_MAX_WIRE], rdata[600], types[20], bitmap[512];
    struct writer writer = writer_over(rdata, sizeof rdata);
    put_hash(hash, name->hash);
    snprintf(owner, sizeof owner, "%s.example.", hash);
    size_t len = signer_name(wire, owner);
    writer_u8(&writer, 1);
    writer_u8(&writer, (uint8_t)salting->flags);
    writer_u16(&writer, (uint16_t)salting->iterations);
    writer_u8(&writer, (uint8_t)salting->len);
    writer_bytes(&writer, salting->salt, salting->len);
    writer_u8(&writer, CRYPTO_HASH);
    writer_bytes(&writer, next->hash, CRYPTO_HASH);
    struct bytes nsec = signer_nsec(bitmap, ".", with_proof_types(name, types, true));
    writer_bytes(&writer, nsec.data + 1, nsec.len - 1);
    put(1, wire, len, TYPE_NSEC3, LIFE, (struct bytes){rdata, writer_len(&writer)});
}

/* Learns a record of the chain. */
static void learn_record(unsigned i, unsigned count, const struct salting *salting)
{
    uint8_t types[20];
    start("example.", &ordinary);
    if (salting)
        put_nsec3(&names[i], &names[(i + 1) % count], salting);
    else
        put_nsec(names[i].text, names[(i + 1) % count].text, with_proof_types(&names[i], types, false), LIFE);
    (void)learn("example.", &ordinary);
}

/* Asks for random names and names of the zone. `whole`: all records are known, so each denial must be found. */
static unsigned compare_with_truth(unsigned count, bool whole)
{
    char text[64];
    unsigned denied = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *name = below(2) ? random_name(text) : names[below(name_count)].text;
        uint16_t type = some_types[below(7)];
        struct key key = key_of(name, type);
        if (below(4) == 0)
            key.flags = 0;
        if (type == TYPE_DS && key.name_len == 9)
            continue; /* its parent's */
        int expected = truth(key.name, key.name_len, type), found = answer_key(&key);
        if (found != expected && (found != NOTHING || whole)) {
            fprintf(stderr, "%s type %u: %d instead of %d\n", name, type, found, expected);
            abort();
        }
        denied += found != NOTHING;
    }
    return denied;
}

static unsigned denied;

static void compare_zone(bool hashed)
{
    struct salting salting = {{1, 2, 3, 4}, below(5), below(3), 0};
    unsigned count = 0;
    make_zone();
    denials_clear(denials);
    for (unsigned i = 0; i < name_count; i++)
        assert_true(crypto_hash((struct bytes){names[i].name, names[i].len}, (struct bytes){salting.salt, salting.len},
                                salting.iterations, names[i].hash));
    if (!hashed) { /* empty non-terminals have no NSEC */
        struct zone_name swap;
        for (unsigned i = 0; i < name_count; i++)
            if (names[i].types[0]) {
                swap = names[count];
                names[count++] = names[i];
                names[i] = swap;
            }
        qsort(names, count, sizeof *names, by_name);
    } else {
        count = name_count;
        qsort(names, count, sizeof *names, by_hash);
    }
    for (unsigned i = 0; i < count; i++) {
        learn_record(below(count), count, hashed ? &salting : NULL);
        denied += compare_with_truth(4, false);
    }
    for (unsigned i = 0; i < count; i++)
        learn_record(i, count, hashed ? &salting : NULL);
    assert_int_equal(denials_stats(denials).records, count);
    denied += compare_with_truth(60, true);
}

static void compare_nsec(void **state)
{
    (void)state;
    compare_zone(false);
}

static void compare_nsec3(void **state)
{
    (void)state;
    compare_zone(true);
}

static void zones_with_nsec(void **state)
{
    denied = 0;
    for_each_seed(300, compare_nsec, state);
    assert_true(denied > 0);
}

static void zones_with_nsec3(void **state)
{
    denied = 0;
    for_each_seed(150, compare_nsec3, state);
    assert_true(denied > 0);
}

/* --- single rules --- */

static void a_denied_name_needs_its_wildcard(void **state)
{
    (void)state;
    assert_int_equal(learn_nsec("b.example.", "d.example.", TYPES(TYPE_A)), 1);
    assert_int_equal(ask("c.example.", TYPE_A), NOTHING); /* *.example. may exist */
    assert_int_equal(ask("b.example.", TYPE_TXT), RCODE_NOERROR);
    assert_int_equal(learn_nsec("example.", "a.example.", TYPES(TYPE_SOA, TYPE_NS)), 1);
    assert_int_equal(ask("c.example.", TYPE_A), RCODE_NXDOMAIN);
    assert_int_equal(ask("x.y.c.example.", TYPE_A), RCODE_NXDOMAIN);
    assert_int_equal(ask("x.b.example.", TYPE_A), RCODE_NXDOMAIN); /* *.b.example. is denied by the same record */
}

static void nothing_is_denied_below_delegations_and_dnames(void **state)
{
    (void)state;
    (void)learn_nsec("example.", "b.example.", TYPES(TYPE_SOA));
    (void)learn_nsec("b.example.", "d.example.", TYPES(TYPE_NS));
    (void)learn_nsec("d.example.", "f.example.", TYPES(TYPE_DNAME));
    assert_int_equal(ask("x.b.example.", TYPE_A), NOTHING);
    assert_int_equal(ask("b.example.", TYPE_A), NOTHING);
    assert_int_equal(ask("b.example.", TYPE_DS), RCODE_NOERROR);
    assert_int_equal(ask("x.d.example.", TYPE_A), NOTHING);
    assert_int_equal(ask("d.example.", TYPE_A), RCODE_NOERROR);
    assert_int_equal(ask("c.example.", TYPE_A), RCODE_NXDOMAIN);
}

static void the_apex_says_nothing_of_its_ds(void **state)
{
    (void)state;
    (void)learn_nsec("example.", "b.example.", TYPES(TYPE_SOA));
    assert_int_equal(ask("example.", TYPE_DS), NOTHING);
    assert_int_equal(ask("example.", TYPE_A), RCODE_NOERROR);
}

static void the_shortest_life_counts(void **state)
{
    static const struct lives lives[] = {{17, 100, 100, 100, 100},
                                         {100, 17, 100, 100, 100},
                                         {100, 100, 17, 100, 100},
                                         {100, 100, 100, 17, 100},
                                         {100, 100, 100, 100, 17}};
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        const struct lives *one = i < 5 ? &lives[i] : &ordinary;
        denials_clear(denials);
        context.most_s = i < 5 ? 3600 : 17;
        start("example.", one);
        put_nsec("example.", "b.example.", TYPES(TYPE_SOA), one->ttl);
        assert_int_equal(learn("example.", one), 1);
        assert_int_equal(ttl_of("a.example."), 17);
        context.now_ms = NOW_MS + 16000;
        assert_int_equal(ttl_of("a.example."), 1);
        context.now_ms = NOW_MS + 17000;
        assert_int_equal(ask("a.example.", TYPE_A), NOTHING);
        context.now_ms = NOW_MS;
    }
}

static void records_without_a_life_are_not_kept(void **state)
{
    static const struct lives huge = {LIFE, LIFE, LIFE, 0x80000001, LIFE}, none = {LIFE, 0, LIFE, LIFE, LIFE};
    (void)state;
    start("example.", &huge);
    put_nsec("example.", "b.example.", TYPES(TYPE_SOA), huge.ttl);
    assert_int_equal(learn("example.", &huge), 0);
    start("example.", &none);
    put_nsec("example.", "b.example.", TYPES(TYPE_SOA), LIFE);
    assert_int_equal(learn("example.", &none), 0);
    assert_int_equal(denials_stats(denials).zones, 0);
    assert_int_equal(denials_stats(denials).bytes, 0);
}

static void records_without_the_soa_of_their_zone_are_not_kept(void **state)
{
    (void)state;
    start("other.", &ordinary);
    put_nsec("example.", "b.example.", TYPES(TYPE_SOA), LIFE);
    assert_int_equal(learn("example.", &ordinary), 0);
}

static void others_do_not_get_it(void **state)
{
    (void)state;
    uint8_t name[NAME_MAX_WIRE];
    (void)learn_nsec("example.", "b.example.", TYPES(TYPE_SOA));
    struct key key = key_of("a.example.", TYPE_A);
    assert_int_equal(answer_key(&key), RCODE_NXDOMAIN);
    key.flags |= KEY_CD;
    assert_int_equal(answer_key(&key), NOTHING);
    key.flags = KEY_DO;
    key.class = CLASS_CH;
    assert_int_equal(answer_key(&key), NOTHING);
    context.group = 2;
    assert_int_equal(ask("a.example.", TYPE_A), NOTHING);
    context.group = 1;
    assert_int_equal(ask("a.example.", TYPE_ANY), NOTHING);
    trust.within = (struct bytes){(const uint8_t *)"\5other", 7};
    assert_int_equal(ask("a.example.", TYPE_A), NOTHING);
    trust.within.len = 0;
    size_t len = signer_name(name, "a.example.");
    assert_int_equal(anchors_add_negative(anchors, name, len, NOW_MS + SOON), 0);
    assert_int_equal(ask("a.example.", TYPE_A), NOTHING);
    assert_int_equal(ask("x.a.example.", TYPE_A), NOTHING);
    trust.now_ms = NOW_MS + SOON; /* the negative anchor has ended */
    assert_int_equal(ask("a.example.", TYPE_A), RCODE_NXDOMAIN);
}

static void an_anchor_below_the_zone_excludes_it(void **state)
{
    (void)state;
    uint8_t name[NAME_MAX_WIRE], ds[36] = {1, 2, 13, 2};
    size_t len = signer_name(name, "a.example.");
    (void)learn_nsec("example.", "b.example.", TYPES(TYPE_SOA));
    assert_int_equal(ask("x.a.example.", TYPE_A), RCODE_NXDOMAIN);
    assert_int_equal(anchors_add(anchors, name, len, TYPE_DS, (struct bytes){ds, sizeof ds}), 0);
    assert_int_equal(ask("x.a.example.", TYPE_A), NOTHING);
}

static void a_flush_drops_all(void **state)
{
    (void)state;
    (void)learn_nsec("example.", "b.example.", TYPES(TYPE_SOA));
    context.epoch++;
    assert_int_equal(ask("a.example.", TYPE_A), NOTHING);
    assert_int_equal(denials_stats(denials).bytes, 0);
}

static void compact_records_deny_their_name_only(void **state)
{
    (void)state;
    (void)learn_nsec("example.", "b.example.", TYPES(TYPE_SOA));
    (void)learn_nsec("g.example.", "\\000.g.example.", TYPES(TYPE_NXNAME));
    (void)learn_nsec("h.example.", "\\000.h.example.", TYPES(TYPE_A));
    (void)learn_nsec("*.example.", "\\000.*.example.", TYPES(TYPE_A));
    (void)learn_nsec("k.example.", "z.example.", TYPES(TYPE_NXNAME)); /* a server that does not understand it */
    assert_int_equal(ask("g.example.", TYPE_A), RCODE_NOERROR);
    assert_int_equal(ask("h.example.", TYPE_TXT), RCODE_NOERROR);
    assert_int_equal(ask("h.example.", TYPE_A), NOTHING);
    assert_int_equal(ask("x.g.example.", TYPE_A), NOTHING);
    assert_int_equal(ask("\\000.g.example.", TYPE_A), NOTHING);
    assert_int_equal(ask("m.example.", TYPE_TXT), NOTHING);
    assert_int_equal(ask("a.example.", TYPE_TXT), NOTHING); /* *.example. exists */
    assert_int_equal(ask("*.example.", TYPE_TXT), RCODE_NOERROR);
}

static void opt_out_is_not_kept(void **state)
{
    (void)state;
    struct salting salting = {{0}, 0, 0, NSEC3_OPT_OUT}, many = {{0}, 0, DENIAL_ITERATIONS + 1, 0};
    start("example.", &ordinary);
    name_count = 0;
    put_nsec3(add("example."), &names[0], &salting);
    assert_int_equal(learn("example.", &ordinary), 0);
    start("example.", &ordinary);
    put_nsec3(&names[0], &names[0], &many);
    assert_int_equal(learn("example.", &ordinary), 0);
}

static void another_salt_replaces_the_records(void **state)
{
    (void)state;
    struct salting salting = {{1}, 1, 0, 0}, other = {{2}, 1, 0, 0};
    name_count = 0;
    make_zone();
    start("example.", &ordinary);
    put_nsec3(&names[0], &names[0], &salting);
    assert_int_equal(learn("example.", &ordinary), 1);
    memset(names[0].hash, 7, CRYPTO_HASH);
    start("example.", &ordinary);
    put_nsec3(&names[0], &names[0], &other);
    assert_int_equal(learn("example.", &ordinary), 1);
    assert_int_equal(denials_stats(denials).records, 1);
    assert_int_equal(denials_stats(denials).zones, 1);
}

static void the_hashes_of_a_query_are_limited(void **state)
{
    (void)state;
    struct salting salting = {{1}, 1, 40, 0};
    name_count = 0;
    struct zone_name *apex = add("example.");
    strcpy((char *)apex->types, "\6\2");
    assert_true(crypto_hash((struct bytes){apex->name, apex->len}, (struct bytes){salting.salt, 1}, 40, apex->hash));
    start("example.", &ordinary);
    put_nsec3(apex, apex, &salting);
    assert_int_equal(learn("example.", &ordinary), 1);
    assert_int_equal(ask("a.example.", TYPE_A), RCODE_NXDOMAIN); /* 3 x 41 */
    assert_int_equal(ask("c.b.a.example.", TYPE_A), NOTHING);
}

static void memory_is_limited(void **state)
{
    (void)state;
    char owner[64], next[64];
    size_t most = 64 * 1024;
    denials_free(denials);
    assert_int_equal(denials_new(&denials, most), 0);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(owner, sizeof owner, "n%04u.example.", i * 2);
        snprintf(next, sizeof next, "n%04u.example.", i * 2 + 2);
        assert_int_equal(learn_nsec(owner, next, TYPES(TYPE_A)), 1);
        assert_true(denials_stats(denials).bytes <= most);
        assert_int_equal(ask("n0000.example.", TYPE_TXT), RCODE_NOERROR); /* the record in use stays */
    }
    struct denials_stats stats = denials_stats(denials);
    assert_true(stats.records > 100 && stats.records + stats.evicted == 5000);
    assert_int_equal(ask("n9998.example.", TYPE_TXT), RCODE_NOERROR);
    assert_int_equal(ask("n0100.example.", TYPE_TXT), NOTHING);
    denials_clear(denials);
    assert_int_equal(denials_stats(denials).bytes, 0);
}

static void lack_of_memory_is_survived(void **state)
{
    (void)state;
    struct salting salting = {{1}, 1, 0, 0};
    for (unsigned i = 1; i < 12; i++) {
        denials_clear(denials);
        make_zone();
        mem_fail_at(i);
        (void)learn_nsec("example.", "b.example.", TYPES(TYPE_SOA));
        start("example.", &ordinary);
        put_nsec3(&names[0], &names[0], &salting);
        (void)learn("example.", &ordinary);
        mem_fail_at(0);
        (void)ask("a.example.", TYPE_A);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(zones_with_nsec),
        TEST(zones_with_nsec3),
        TEST(a_denied_name_needs_its_wildcard),
        TEST(nothing_is_denied_below_delegations_and_dnames),
        TEST(the_apex_says_nothing_of_its_ds),
        TEST(the_shortest_life_counts),
        TEST(records_without_a_life_are_not_kept),
        TEST(records_without_the_soa_of_their_zone_are_not_kept),
        TEST(others_do_not_get_it),
        TEST(an_anchor_below_the_zone_excludes_it),
        TEST(a_flush_drops_all),
        TEST(compact_records_deny_their_name_only),
        TEST(opt_out_is_not_kept),
        TEST(another_salt_replaces_the_records),
        TEST(the_hashes_of_a_query_are_limited),
        TEST(memory_is_limited),
        TEST(lack_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
