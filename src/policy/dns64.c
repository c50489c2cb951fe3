/* SPDX-License-Identifier: MIT */
/* DNS64 (RFC 6147): for clients of a network that has only IPv6 and a NAT64 gateway, a name without IPv6 addresses gets
 * those that embed its IPv4 addresses in the gateway's prefix. The prefix is configured, or found as that of
 * ipv4only.arpa (RFC 7050).
 *
 * Invariants:
 *   - a response to a query for AAAA is replaced only by one with an address; else the client gets the original;
 *   - a query of a client that validates by itself (DO and CD) gets the original, too (section 5.5).
 *
 * The query for the IPv4 addresses goes through all steps (resolve/subquery), so that what applies to them applies to
 * the addresses that are made of them.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/synthesis.h"
#include "local.h"
#include "policy/steps.h"
#include "resolve/resolver.h"
#include "resolve/subquery.h"

enum {
    VIEWS = CONFIG_VIEWS_MAX + 1,
    NO_SOA_TTL = 600, /* seconds, section 5.1.7 */
    PTR_TTL = 3600,
    FOUND_MIN_S = 60, /* for how long a prefix, or that there is none, is remembered */
    FOUND_MAX_S = 86400,
    IPV6_LABELS = 34, /* nibbles, ip6, arpa */
};

/* The number that a subquery carries: its purpose, and the TTL that the original response allows. */
#define FIND_PREFIX UINT32_C(0x80000000)
#define FIND_NAME   UINT32_C(0x40000000)
#define TTL_MASK    UINT32_C(0x3FFFFFFF)

/* The snapshot. */
struct dns64_rules {
    bool discover;
    struct prefix prefix;
};

/* The prefix that was found for the clients of a view. */
struct dns64_found {
    uint64_t until_ms; /* 0: nothing yet */
    bool any;
    struct prefix prefix;
};

struct dns64 {
    const struct dns64_rules *rules; /* NULL while the step is left out */
    struct subqueries subqueries;
    uint8_t *kept; /* MESSAGE_MAX bytes: a response while a subquery runs */
    struct dns64_found found[VIEWS];
};

/* --- the configuration --- */

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    if (!config->dns64_prefix)
        return 0;
    struct dns64_rules *rules = mem_zalloc(1, sizeof *rules);
    if (!rules)
        return -ENOMEM;
    rules->discover = strcmp(config->dns64_prefix, "discover") == 0;
    if (!rules->discover && prefix_parse(&rules->prefix, config->dns64_prefix) < 0)
        assert(!"the configuration was checked");
    *snapshot = rules;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct dns64 *dns64 = state;
    dns64->rules = snapshot;
    memset(dns64->found, 0, sizeof dns64->found);
}

/* --- the prefix --- */

enum knowledge { PREFIX_NONE, PREFIX_KNOWN, PREFIX_WANTED };

static enum knowledge find_prefix(const struct dns64 *dns64, const struct query *query, const struct prefix **out)
{
    const struct dns64_found *found = &dns64->found[query->view % VIEWS];
    if (!dns64->rules)
        return PREFIX_NONE;
    *out = dns64->rules->discover ? &found->prefix : &dns64->rules->prefix;
    if (!dns64->rules->discover)
        return PREFIX_KNOWN;
    if (found->until_ms <= loop_now(query->resolver->loop))
        return PREFIX_WANTED;
    return found->any ? PREFIX_KNOWN : PREFIX_NONE;
}

static struct key prefix_key(void)
{
    static const uint8_t name[] = "\10ipv4only\4arpa";
    struct key key = {.type = TYPE_AAAA, .class = CLASS_IN, .name_len = sizeof name};
    memcpy(key.name, name, sizeof name);
    return key;
}

/* Reads the prefix from the first address that has one. */
static void note_prefix(struct dns64 *dns64, const struct query *query, const struct answer *answer)
{
    struct dns64_found *found = &dns64->found[query->view % VIEWS];
    struct rewrite *rewrite = query->resolver->rewrite;
    uint32_t ttl = FOUND_MIN_S;
    *found = (struct dns64_found){.any = false};
    if (answer && answer->wire && answer_is_conclusive(answer)) {
        ttl = synthesis_negative_ttl(answer, rewrite, FOUND_MIN_S);
        rewrite_list(rewrite, answer);
        for (unsigned i = 0; !found->any && i < rewrite->section_start[1]; i++) {
            const struct message_record *record = &rewrite->record[i];
            const uint8_t *data = answer->wire + record->fixed + RECORD_RDATA;
            if (record->type != TYPE_AAAA || record->end - record->fixed != RECORD_RDATA + 16)
                continue;
            ttl = read_u32(answer->wire + record->fixed + RECORD_TTL);
            found->any = nat64_discover(data, &found->prefix);
        }
    }
    ttl = ttl < FOUND_MIN_S ? FOUND_MIN_S : ttl > FOUND_MAX_S ? FOUND_MAX_S : ttl;
    found->until_ms = loop_now(query->resolver->loop) + UINT64_C(1000) * ttl;
}

/* --- IPv6 addresses --- */

/* Addresses of private networks are not reachable through the gateway of another network, and must not be in the
 * well-known prefix (RFC 6052 section 3.1). */
static bool is_private(const uint8_t *ipv4)
{
    switch (ipv4[0]) {
    case 0:
    case 10:
    case 127:
        return true;
    case 100:
        return (ipv4[1] & 0xC0) == 64;
    case 169:
        return ipv4[1] == 254;
    case 172:
        return (ipv4[1] & 0xF0) == 16;
    case 192:
        return ipv4[1] == 168;
    default:
        return ipv4[0] >= 224;
    }
}

static bool is_well_known(const struct prefix *prefix)
{
    static const uint8_t bytes[12] = {0, 0x64, 0xFF, 0x9B};
    return prefix->bits == 96 && memcmp(prefix->bytes, bytes, sizeof bytes) == 0;
}

static struct key ipv4_key(const struct query *query)
{
    struct key key;
    key_copy(&key, &query->key);
    key.type = TYPE_A;
    key.flags &= KEY_CD;
    return key;
}

/* Makes a response in the resolver's room from one with IPv4 addresses. False: it has none that can be used. */
static bool synthesize(const struct query *query, const struct prefix *prefix, const struct answer *ipv4,
                       uint32_t ttl_max, struct answer *out)
{
    struct resolver *resolver = query->resolver;
    struct synthesis synthesis;
    if (!ipv4 || !ipv4->wire || ipv4->rcode != RCODE_NOERROR)
        return false;
    synthesis_begin(&synthesis, resolver->big, RESOLVER_BIG, &query->key, RCODE_NOERROR);
    synthesis.prefix = prefix;
    synthesis.ttl_max = ttl_max;
    synthesis.excluded = is_well_known(prefix) || !query_has_route(query) ? is_private : NULL;
    unsigned addresses = synthesis_copy_answer(&synthesis, ipv4, resolver->rewrite);
    size_t len = addresses > 0 ? synthesis_end(&synthesis) : 0;
    if (len == 0 || message_own_answer(resolver->big, len, resolver->scratch, out) < 0)
        return false;
    counter_add(resolver->counters, COUNTER_responses_dns64, 1);
    return true;
}

/* --- IPv4 addresses of a query that has waited --- */

/* The next subquery of a parked query; without one the original response is sent. */
static enum verdict ask_for_addresses(struct dns64 *dns64, struct query *query, uint32_t ttl)
{
    struct key key = ipv4_key(query);
    if (!subquery_defer(&dns64->subqueries, query, &key, ttl))
        query_resume(query);
    return WAITING;
}

static enum verdict addresses_done(struct dns64 *dns64, struct query *query, const struct answer *answer, uint32_t ttl)
{
    const struct prefix *prefix;
    struct answer made;
    if (find_prefix(dns64, query, &prefix) == PREFIX_NONE || !synthesize(query, prefix, answer, ttl, &made)) {
        query_resume(query);
        return WAITING;
    }
    query->how = HOW_MISS;
    return query_answer(query, &made);
}

static enum verdict name_done(struct query *query, const struct answer *answer);

static enum verdict done(struct query *query, const struct answer *answer, unsigned data, void *context)
{
    struct dns64 *dns64 = context;
    const struct prefix *prefix;
    if (data & FIND_NAME)
        return name_done(query, answer);
    if (!(data & FIND_PREFIX))
        return addresses_done(dns64, query, answer, data & TTL_MASK);
    note_prefix(dns64, query, answer);
    if (find_prefix(dns64, query, &prefix) == PREFIX_KNOWN)
        return ask_for_addresses(dns64, query, data & TTL_MASK);
    query_resume(query);
    return WAITING;
}

/* --- the `answer` pass --- */

/* An IPv4-mapped address is of no use to a client (section 5.1.4). */
static bool has_ipv6(const struct answer *response, struct rewrite *rewrite)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    rewrite_list(rewrite, response);
    for (unsigned i = 0; i < rewrite->section_start[1]; i++)
        if (rewrite->record[i].type == TYPE_AAAA &&
            memcmp(response->wire + rewrite->record[i].fixed + RECORD_RDATA, mapped, sizeof mapped) != 0)
            return true;
    return false;
}

static bool is_for(const struct dns64 *dns64, const struct query *query, const struct answer *response)
{
    const struct key *key = &query->key, wanted = prefix_key();
    bool validates = query->request.dnssec_ok && (key->flags & KEY_CD);
    if (key->type != TYPE_AAAA || key->class != CLASS_IN || response->rcode == RCODE_NXDOMAIN || validates ||
        !(query->request.flags & FLAG_RD))
        return false;
    if (dns64->rules->discover && key->name_len == wanted.name_len &&
        memcmp(key->name, wanted.name, key->name_len) == 0)
        return false;
    return response->rcode != RCODE_NOERROR || !has_ipv6(response, query->resolver->rewrite);
}

/* Runs the subqueries of a query that does not wait yet: most responses come from the cache. */
static enum verdict ask_at_once(struct dns64 *dns64, struct query *query, uint32_t ttl, struct answer *out)
{
    const struct prefix *prefix;
    struct answer answer;
    enum knowledge known = find_prefix(dns64, query, &prefix);
    if (known == PREFIX_WANTED) {
        struct key key = prefix_key();
        enum verdict verdict = subquery_ask(&dns64->subqueries, query, &key, ttl | FIND_PREFIX, &answer);
        if (verdict != NEXT)
            return verdict;
        note_prefix(dns64, query, &answer);
        known = find_prefix(dns64, query, &prefix);
    }
    if (known != PREFIX_KNOWN)
        return NEXT;
    struct key key = ipv4_key(query);
    enum verdict verdict = subquery_ask(&dns64->subqueries, query, &key, ttl, &answer);
    if (verdict != NEXT)
        return verdict;
    return synthesize(query, prefix, &answer, ttl, out) ? REPLACED : NEXT;
}

/* In the pass of a query that waits, no other query may run. */
static enum verdict ask_later(struct dns64 *dns64, struct query *query, uint32_t ttl)
{
    const struct prefix *prefix;
    enum knowledge known = find_prefix(dns64, query, &prefix);
    struct key key = known == PREFIX_WANTED ? prefix_key() : ipv4_key(query);
    if (known == PREFIX_NONE ||
        !subquery_defer(&dns64->subqueries, query, &key, known == PREFIX_WANTED ? ttl | FIND_PREFIX : ttl))
        return NEXT;
    return WAITING;
}

static enum verdict answer(struct query *query, struct answer *response, void *state)
{
    struct dns64 *dns64 = state;
    struct answer made;
    const struct prefix *prefix;
    if (!is_for(dns64, query, response) || find_prefix(dns64, query, &prefix) == PREFIX_NONE)
        return NEXT;
    uint32_t ttl = synthesis_negative_ttl(response, query->resolver->rewrite, NO_SOA_TTL) & TTL_MASK;
    if (query->parked)
        return ask_later(dns64, query, ttl);
    memcpy(dns64->kept, response->wire, response->len);
    enum verdict verdict = ask_at_once(dns64, query, ttl, &made);
    if (verdict == REPLACED) {
        *response = made;
    } else if (verdict == WAITING || verdict == NEXT) {
        /* The subquery used the resolver's room, and may have ended another query, whose response is where this one
         * was. */
        response->wire = dns64->kept;
        response->ttl_offsets = NULL;
        response->ttl_count = 0;
        if (verdict == WAITING)
            return WAITING;
        query_own_response(query, response);
    }
    return verdict == NEXT ? REPLACED : verdict;
}

/* --- names of addresses (section 5.3.1) --- */

static int nibble(const uint8_t *label)
{
    if (label[0] != 1)
        return -1;
    if (label[1] >= '0' && label[1] <= '9')
        return label[1] - '0';
    return label[1] >= 'a' && label[1] <= 'f' ? label[1] - 'a' + 10 : -1;
}

/* Reads the address of a name below ip6.arpa with all nibbles. */
static bool read_reversed(const struct key *key, uint8_t ipv6[16])
{
    static const uint8_t suffix[] = "\3ip6\4arpa";
    const uint8_t *at = key->name;
    if (key->name_len != 64 + sizeof suffix)
        return false;
    for (unsigned i = 0; i < 32; i++, at += 2) {
        int value = nibble(at);
        if (value < 0)
            return false;
        uint8_t *byte = &ipv6[15 - i / 2];
        *byte = (uint8_t)(i % 2 ? *byte | value << 4 : value);
    }
    return memcmp(at, suffix, sizeof suffix) == 0;
}

static bool make_name_key(struct key *out, const struct query *query, const uint8_t ipv6[16],
                          const struct prefix *prefix)
{
    uint8_t ipv4[4];
    char text[32];
    if (!nat64_extract(prefix, ipv6, ipv4))
        return false;
    snprintf(text, sizeof text, "%u.%u.%u.%u.in-addr.arpa", ipv4[3], ipv4[2], ipv4[1], ipv4[0]);
    *out = (struct key){.type = query->key.type, .class = CLASS_IN, .flags = query->key.flags & KEY_CD};
    int len = name_from_text(out->name, text);
    assert(len > 0);
    out->name_len = (uint8_t)len;
    return true;
}

/* The response says which name it is for. */
static enum verdict name_done(struct query *query, const struct answer *answer)
{
    if (!answer || !answer->wire || !answer_is_conclusive(answer))
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "no answer for the name of the IPv4 address");
    uint8_t target[NAME_MAX_WIRE];
    size_t len = name_len((struct bytes){answer->wire + MESSAGE_HEADER, answer->len - MESSAGE_HEADER});
    assert(len > 0 && len <= sizeof target);
    name_lower(target, answer->wire + MESSAGE_HEADER, len);
    counter_add(query->resolver->counters, COUNTER_responses_dns64_ptr, 1);
    return local_alias(query, target, len, PTR_TTL, answer);
}

static enum verdict run_names(struct query *query, void *state)
{
    const struct prefix *prefix;
    struct answer answer;
    struct key key;
    uint8_t ipv6[16];
    (void)state;
    if (query->key.type != TYPE_PTR || query->key.class != CLASS_IN || !(query->request.flags & FLAG_RD))
        return NEXT;
    struct dns64 *dns64 = resolver_step_state(query->resolver, &step_dns64);
    if (find_prefix(dns64, query, &prefix) != PREFIX_KNOWN || !read_reversed(&query->key, ipv6) ||
        !make_name_key(&key, query, ipv6, prefix))
        return NEXT;
    enum verdict verdict = subquery_ask(&dns64->subqueries, query, &key, FIND_NAME, &answer);
    return verdict == NEXT ? name_done(query, &answer) : verdict;
}

/* --- the steps --- */

static void fini(void *state)
{
    struct dns64 *dns64 = state;
    subqueries_fini(&dns64->subqueries);
    mem_free(dns64->kept);
}

static int init(struct resolver *resolver, void *state)
{
    struct dns64 *dns64 = state;
    dns64->kept = mem_alloc(MESSAGE_MAX);
    int status = dns64->kept ? subqueries_init(&dns64->subqueries, resolver, done, dns64) : -ENOMEM;
    if (status < 0)
        mem_free(dns64->kept);
    return status;
}

const struct step step_dns64 = {
    .name = "dns64",
    .prepare = prepare,
    .release = mem_free,
    .state_size = sizeof(struct dns64),
    .init = init,
    .configure = configure,
    .answer = answer,
    .fini = fini,
};

static int prepare_names(const struct config *config, void **snapshot, FILE *errors)
{
    static const char wanted_mark;
    (void)errors;
    *snapshot = config->dns64_prefix ? (void *)&wanted_mark : NULL;
    return 0;
}

const struct step step_dns64_names = {.name = "dns64-names", .prepare = prepare_names, .run = run_names};
