/* SPDX-License-Identifier: MIT */
/* Special-use names: answered locally. An upstream gets only the name of a zone, in a query for its DS.
 *
 * The kinds of zones:
 *   ABSENT     top-level names that do not exist in the root: NXDOMAIN for the name and all below (RFC 6761
 *              sections 6.2 and 6.4, 6762, 7686, 9476; `internal` by ICANN's board, 2024), with the root's proof
 *              for clients that validate, else with a SOA owned by the top-level name: an unsigned SOA of the root
 *              would make some validators take the root for unsigned
 *   LOCALHOST  every name in it is this machine (RFC 6761 section 6.3)
 *   EMPTY      zones with an apex and nothing else: NXDOMAIN below (RFC 6303 sections 3 and 4, 6598, 7793, 8375,
 *              9665)
 *   LOOPBACK   as EMPTY, with one PTR record for 127.0.0.1 or ::1
 *   DISCOVERY  resolver.arpa: any name in it exists, without data (RFC 9462 section 6.4) except what the step of
 *              discovery answers
 * All but ABSENT have a SOA and a NS of their own (RFC 6303 section 3). For most ordinary names the step only finds
 * the last label and tests its first letter.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "local.h"
#include "policy/steps.h"
#include "presence.h"
#include "special.h"

#define LOCAL_TTL 10800 /* RFC 6303 section 3 */

enum kind { ABSENT, LOCALHOST, EMPTY, LOOPBACK, DISCOVERY };

struct zone {
    const char *apex; /* wire form; the literal's own NUL is the root label */
    enum kind kind;
};

/* clang-format off */
/* Digits are separate literals, otherwise they would be part of the octal escape before them. */
#define LABEL_0_X4 "\1" "0" "\1" "0" "\1" "0" "\1" "0"
#define LABEL_0_X16 LABEL_0_X4 LABEL_0_X4 LABEL_0_X4 LABEL_0_X4
#define V4 "\7in-addr\4arpa"
#define V6 "\3ip6\4arpa"
#define LOCALHOST_V4 "\1" "1" "\1" "0" "\1" "0" "\3" "127" V4
#define LOCALHOST_V6 "\1" "1" "\1" "0" "\1" "0" "\1" "0" LABEL_0_X4 LABEL_0_X4 LABEL_0_X4 LABEL_0_X16 V6

static const struct zone toplevel[] = {
    {"\11localhost", LOCALHOST}, {"\7invalid", ABSENT}, {"\4test", ABSENT},    {"\5local", ABSENT},
    {"\5onion", ABSENT},         {"\3alt", ABSENT},     {"\10internal", ABSENT},
};

/* Below arpa. */
static const struct zone arpa[] = {
    {"\4home\4arpa", EMPTY},
    {"\7service\4arpa", EMPTY},
    {"\10resolver\4arpa", DISCOVERY},
    {"\1" "0" V4, EMPTY},
    {"\2" "10" V4, EMPTY},
    {"\3" "127" V4, LOOPBACK},
    {"\3" "254" "\3" "169" V4, EMPTY},
    {"\3" "168" "\3" "192" V4, EMPTY},
    {"\1" "2" "\1" "0" "\3" "192" V4, EMPTY},
    {"\3" "100" "\2" "51" "\3" "198" V4, EMPTY},
    {"\3" "113" "\1" "0" "\3" "203" V4, EMPTY},
    {"\3" "255" "\3" "255" "\3" "255" "\3" "255" V4, EMPTY},
    {LABEL_0_X16 LABEL_0_X16 V6, EMPTY},
    {LOCALHOST_V6, LOOPBACK},
    {"\1" "d" "\1" "f" V6, EMPTY},
    {"\1" "8" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "9" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "a" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "b" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "8" "\1" "b" "\1" "d" "\1" "0" "\1" "1" "\1" "0" "\1" "0" "\1" "2" V6, EMPTY},
};
/* clang-format on */

/* Runs of EMPTY zones: 172.16.0.0/12 (RFC 1918), 100.64.0.0/10 (RFC 6598). */
static const struct range {
    const char *parent;
    int first, last;
} ranges[] = {
    {"\3"
     "172" V4,
     16, 31},
    {"\3"
     "100" V4,
     64, 127},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The zone of a name; the apex is a suffix of the name. */
struct place {
    enum kind kind;
    const uint8_t *apex;
};

static size_t literal_len(const char *name)
{
    return strlen(name) + 1;
}

/* Where `suffix` begins in the key's name; NULL: the name is not below it. */
static const uint8_t *end_that_is(const struct key *key, const char *suffix)
{
    size_t len = literal_len(suffix);
    return name_is_under(key->name, key->name_len, (const uint8_t *)suffix, len) ? key->name + key->name_len - len
                                                                                 : NULL;
}

static bool find_in(const struct key *key, const struct zone *zones, size_t count, struct place *out)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *apex = end_that_is(key, zones[i].apex);
        if (apex) {
            *out = (struct place){zones[i].kind, apex};
            return true;
        }
    }
    return false;
}

/* The value of a decimal label without leading zeros; -1: not a number. */
static int label_number(const uint8_t *label)
{
    int number = 0;
    if (label[0] > 3 || (label[0] > 1 && label[1] == '0'))
        return -1;
    for (unsigned i = 1; i <= label[0]; i++) {
        if (label[i] < '0' || label[i] > '9')
            return -1;
        number = number * 10 + (label[i] - '0');
    }
    return number;
}

static bool find_in_range(const struct key *key, const struct range *range, struct place *out)
{
    const uint8_t *parent = end_that_is(key, range->parent), *label = key->name;
    if (!parent || parent == key->name)
        return false;
    while (label + 1 + *label != parent)
        label += 1 + *label;
    int number = label_number(label);
    if (number < range->first || number > range->last)
        return false;
    *out = (struct place){EMPTY, label};
    return true;
}

/* The top-level label, which rules out almost every name. */
static const uint8_t *last_label(const struct key *key)
{
    const uint8_t *at = key->name, *last = at;
    while (*at) {
        last = at;
        at += 1 + *at;
    }
    return last;
}

static bool find_toplevel(const uint8_t *last, struct place *out)
{
    for (size_t i = 0; i < COUNT(toplevel); i++) {
        if (*last == (uint8_t)toplevel[i].apex[0] && memcmp(last, toplevel[i].apex, 1 + (size_t)*last) == 0) {
            *out = (struct place){toplevel[i].kind, last};
            return true;
        }
    }
    return false;
}

static bool find_place(const struct key *key, const uint8_t *last, struct place *out)
{
    if (*last != 4 || memcmp(last + 1, "arpa", 4) != 0)
        return find_toplevel(last, out);
    return find_in(key, arpa, COUNT(arpa), out) || find_in_range(key, &ranges[0], out) ||
           find_in_range(key, &ranges[1], out);
}

/* --- answers --- */

#define SOA_TEXT (NAME_MAX_TEXT + 64)

/* Server of the zone: itself (RFC 6303 section 3). */
static struct record_text soa_record(const char *apex, char text[SOA_TEXT])
{
    snprintf(text, SOA_TEXT, "%s nobody.invalid. 1 3600 1200 604800 10800", apex);
    return (struct record_text){apex, "SOA", LOCAL_TTL, text};
}

static enum verdict answer_negative(struct query *query, uint16_t rcode, const char *apex)
{
    char text[SOA_TEXT];
    struct record_text soa = soa_record(apex, text);
    return local_answer(query, rcode, NULL, 0, &soa, 1);
}

static enum verdict answer_one(struct query *query, const char *type, const char *rdata)
{
    struct record_text record = {NULL, type, LOCAL_TTL, rdata};
    return local_answer(query, RCODE_NOERROR, &record, 1, NULL, 0);
}

static enum verdict answer_apex(struct query *query, const char *apex)
{
    char text[SOA_TEXT];
    struct record_text soa = soa_record(apex, text);
    if (query->key.type == TYPE_SOA)
        return answer_one(query, soa.type, soa.rdata);
    if (query->key.type == TYPE_NS)
        return answer_one(query, "NS", apex);
    return answer_negative(query, RCODE_NOERROR, apex);
}

/* True for the owner of the PTR record and the names between it and the apex (RFC 8020). */
static bool exists_in_loopback(const struct key *key)
{
    const uint8_t *v4 = (const uint8_t *)LOCALHOST_V4;
    return name_is_under(v4, sizeof LOCALHOST_V4, key->name, key->name_len);
}

static bool has_localhost_ptr(const struct key *key)
{
    return name_equal(key->name, (const uint8_t *)LOCALHOST_V4) || name_equal(key->name, (const uint8_t *)LOCALHOST_V6);
}

static enum verdict answer_from(struct query *query, enum kind kind, bool at_apex, const char *apex)
{
    const struct key *key = &query->key;
    bool exists = at_apex || kind == LOCALHOST || kind == DISCOVERY || (kind == LOOPBACK && exists_in_loopback(key));
    if (kind == LOCALHOST && key->type == TYPE_A)
        return answer_one(query, "A", "127.0.0.1");
    if (kind == LOCALHOST && key->type == TYPE_AAAA)
        return answer_one(query, "AAAA", "::1");
    if (kind == LOOPBACK && key->type == TYPE_PTR && has_localhost_ptr(key))
        return answer_one(query, "PTR", "localhost.");
    if (at_apex)
        return answer_apex(query, apex);
    return answer_negative(query, exists ? RCODE_NOERROR : RCODE_NXDOMAIN, apex);
}

/* --- the root's proof that a top-level name does not exist --- */

/* The proof is in the response to a query for the DS of the top-level name, which reveals nothing else to the
 * upstream, and also denies the names below. */
static struct key proof_key(const struct query *query, const uint8_t *apex)
{
    struct key key = {.type = TYPE_DS, .flags = KEY_DO, .class = CLASS_IN};
    key.name_len = (uint8_t)(query->key.name + query->key.name_len - apex);
    memcpy(key.name, apex, key.name_len);
    key.group = groups_route(query->resolver->groups, query->view, &key);
    return key;
}

static enum verdict answer_unproven(struct query *query)
{
    char apex[NAME_MAX_TEXT];
    return answer_negative(query, RCODE_NXDOMAIN, name_text(last_label(&query->key), apex));
}

/* `proof`: the upstream's response, not in resolver->rewrite. */
static enum verdict answer_proven(struct query *query, const struct answer *proof)
{
    struct rewrite *rewrite = query->resolver->rewrite;
    struct answer answer = *proof;
    rewrite_list(rewrite, &answer);
    if (answer.rcode != RCODE_NXDOMAIN || !rewrite_has_proof(rewrite) ||
        rewrite_denial(&answer, &query->key, 0, rewrite) < 0)
        return answer_unproven(query);
    answer.ede.count = 0;
    counter_add(query->resolver->counters, COUNTER_responses_local, 1);
    query->how = HOW_LOCAL;
    return query_answer(query, &answer);
}

static void proof_done(struct waiter *waiter, const struct answer *answer)
{
    struct query *query = container_of(waiter, struct query, waiter);
    if (answer)
        answer_proven(query, answer);
    else
        answer_unproven(query);
}

static bool proof_is_late(struct waiter *waiter)
{
    answer_unproven(container_of(waiter, struct query, waiter));
    return true;
}

static enum verdict wait_for_proof(struct query *query, const struct key *key, uint64_t hash)
{
    struct resolver *resolver = query->resolver;
    struct query *parked = query_park(query);
    if (!parked)
        return DROPPED;
    parked->waiter.done = proof_done;
    parked->waiter.take_stale = proof_is_late;
    if (!lookup_join(resolver, groups_find(resolver->groups, key->group), key, hash, &parked->waiter, parked->share))
        return answer_unproven(parked);
    return WAITING;
}

static enum verdict answer_absent(struct query *query, const uint8_t *apex)
{
    struct resolver *resolver = query->resolver;
    struct cache_found found;
    if (!(query->key.flags & KEY_DO) || query->key.class != CLASS_IN || !resolver->config->special_proof)
        return answer_unproven(query);
    struct key key = proof_key(query, apex);
    uint64_t hash = key_hash(&key);
    if (cache_get(resolver->cache, &key, hash, loop_now(resolver->loop), CACHE_FRESH, 0, resolver->big, MESSAGE_MAX,
                  &found) == CACHE_HIT)
        return answer_proven(query, &found.answer);
    if (!(query->request.flags & FLAG_RD) || lookup_is_failing(resolver, &key, hash))
        return answer_unproven(query);
    return wait_for_proof(query, &key, hash);
}

/* --- the step --- */

struct special {
    /* Indexed by the low bits of a character: true if some zone's top-level name begins with it. */
    bool initials[32];
};

static int init(struct resolver *resolver, void *state)
{
    struct special *special = state;
    (void)resolver;
    for (size_t i = 0; i < COUNT(toplevel); i++)
        special->initials[toplevel[i].apex[1] & 31] = true;
    special->initials['a' & 31] = true; /* arpa */
    return 0;
}

bool special_has(const struct query *query, const struct key *key)
{
    struct place place;
    const uint8_t *last = last_label(key);
    return *last != 0 && find_place(key, last, &place) &&
           !groups_has_route_within(query->resolver->groups, query->view, key, place.apex);
}

static enum verdict run(struct query *query, void *state)
{
    const struct special *special = state;
    const struct key *key = &query->key;
    const uint8_t *last = last_label(key);
    struct place place = {ABSENT, NULL};
    char apex[NAME_MAX_TEXT];
    if (*last == 0 || !special->initials[last[1] & 31] || !find_place(key, last, &place))
        return NEXT;
    if (groups_has_route_within(query->resolver->groups, query->view, key, place.apex))
        return NEXT;
    bool at_apex = place.apex == key->name;
    if (place.kind == ABSENT && presence_is_asked(key))
        return presence_answer(query);
    /* The DS of a zone, or the proof of its absence, is in the parent zone, and a validating client needs it (RFC
     * 4035 section 3.1.4.1, RFC 8375 section 4). The query reveals only the name of the zone. */
    if (at_apex && key->type == TYPE_DS)
        return NEXT;
    if (place.kind == ABSENT)
        return answer_absent(query, place.apex);
    return answer_from(query, place.kind, at_apex, name_text(place.apex, apex));
}

const struct step step_special = {.name = "special", .state_size = sizeof(struct special), .init = init, .run = run};
