/* Special-use names: answered here, never sent anywhere.
 *
 * Three kinds of zones:
 *   ABSENT  top-level names that do not exist in the root: NXDOMAIN for the name and all below, with the root's SOA
 *           (RFC 6761 sections 6.2 and 6.4, 6762, 7686, 9476; `internal` by ICANN's board, 2024)
 *   EMPTY   zones with an apex and nothing else: NXDOMAIN below, NODATA at the apex, with a SOA of their own
 *           (RFC 6303 sections 3 and 4, 7534, 7793, 8375, 9462)
 *   LOCAL   the loopback names: as EMPTY, with data (RFC 6761 section 6.3, RFC 6303 section 4.3)
 * The walk to the last label is all that an ordinary name pays.
 */
#include <string.h>
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"

#define NEGATIVE_TTL 10800 /* RFC 6303 section 3 */
#define LOCAL_TTL 604800

enum kind { ABSENT, EMPTY, LOCALHOST, LOOPBACK_V4, LOOPBACK_V6 };

struct zone {
    const char *apex; /* wire form; the literal's own NUL is the root label */
    enum kind kind;
};

#define LABEL_0_X8 "\1" "0" "\1" "0" "\1" "0" "\1" "0" "\1" "0" "\1" "0" "\1" "0" "\1" "0"
#define V4 "\7in-addr\4arpa"
#define V6 "\3ip6\4arpa"

static const struct zone toplevel[] = {
    {"\11localhost", LOCALHOST}, {"\7invalid", ABSENT}, {"\4test", ABSENT},    {"\5local", ABSENT},
    {"\5onion", ABSENT},         {"\3alt", ABSENT},     {"\10internal", ABSENT},
};

/* Below arpa. */
static const struct zone arpa[] = {
    {"\4home\4arpa", EMPTY},
    {"\10resolver\4arpa", EMPTY},
    {"\1" "0" V4, EMPTY},
    {"\2" "10" V4, EMPTY},
    {"\3" "127" V4, LOOPBACK_V4},
    {"\3" "254" "\3" "169" V4, EMPTY},
    {"\3" "168" "\3" "192" V4, EMPTY},
    {"\1" "2" "\1" "0" "\3" "192" V4, EMPTY},
    {"\3" "100" "\2" "51" "\3" "198" V4, EMPTY},
    {"\3" "113" "\1" "0" "\3" "203" V4, EMPTY},
    {"\3" "255" "\3" "255" "\3" "255" "\3" "255" V4, EMPTY},
    {LABEL_0_X8 LABEL_0_X8 LABEL_0_X8 LABEL_0_X8 V6, EMPTY},
    {"\1" "1" "\1" "0" "\1" "0" "\1" "0" "\1" "0" "\1" "0" "\1" "0" "\1" "0" LABEL_0_X8 LABEL_0_X8 LABEL_0_X8 V6, LOOPBACK_V6},
    {"\1" "d" "\1" "f" V6, EMPTY},
    {"\1" "8" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "9" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "a" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "b" "\1" "e" "\1" "f" V6, EMPTY},
    {"\1" "8" "\1" "b" "\1" "d" "\1" "0" "\1" "1" "\1" "0" "\1" "0" "\1" "2" V6, EMPTY},
};

/* Zones that are a run of second octets: 172.16.0.0/12 (RFC 1918), 100.64.0.0/10 (RFC 6598). */
static const struct range {
    const char *parent;
    unsigned first, last;
} ranges[] = {
    {"\3" "172" V4, 16, 31},
    {"\3" "100" V4, 64, 127},
};

/* Which zone a name is in, and how long the apex is (it is the name's end). */
struct place {
    enum kind kind;
    size_t apex_len;
};

static size_t apex_len(const char *apex)
{
    return strlen(apex) + 1;
}

static bool is_under(const struct key *key, const char *suffix)
{
    return name_is_under(key->name, key->name_len, (const uint8_t *)suffix, apex_len(suffix));
}

static bool find_in(const struct key *key, const struct zone *zones, size_t count, struct place *out)
{
    for (size_t i = 0; i < count; i++) {
        if (is_under(key, zones[i].apex)) {
            *out = (struct place){zones[i].kind, apex_len(zones[i].apex)};
            return true;
        }
    }
    return false;
}

/* The offset of the label that stands before the last `suffix_len` octets. The name is longer than that. */
static size_t label_before(const struct key *key, size_t suffix_len)
{
    size_t at = 0;
    while (at + 1 + key->name[at] + suffix_len < key->name_len)
        at += 1 + (size_t)key->name[at];
    return at;
}

/* The number that a label spells, without leading zeros; -1: none. */
static int label_number(const uint8_t *label)
{
    int number = 0;
    if (label[0] == 0 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
        return -1;
    for (unsigned i = 1; i <= label[0]; i++) {
        if (label[i] < '0' || label[i] > '9')
            return -1;
        number = number * 10 + (label[i] - '0');
    }
    return number;
}

static bool find_range(const struct key *key, struct place *out)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        size_t parent_len = apex_len(ranges[i].parent);
        if (key->name_len <= parent_len || !is_under(key, ranges[i].parent))
            continue;
        size_t at = label_before(key, parent_len);
        int number = label_number(key->name + at);
        if (number < (int)ranges[i].first || number > (int)ranges[i].last)
            return false;
        *out = (struct place){EMPTY, key->name_len - at};
        return true;
    }
    return false;
}

/* The last label, as length and octets: what nearly every name is told apart by. */
static const uint8_t *last_label(const struct key *key)
{
    const uint8_t *at = key->name, *last = at;
    while (*at) {
        last = at;
        at += 1 + *at;
    }
    return last;
}

static bool find_place(const struct key *key, struct place *out)
{
    const uint8_t *last = last_label(key);
    if (*last == 4 && memcmp(last + 1, "arpa", 4) == 0)
        return find_in(key, arpa, sizeof arpa / sizeof *arpa, out) || find_range(key, out);
    for (size_t i = 0; i < sizeof toplevel / sizeof *toplevel; i++) {
        if (*last == (uint8_t)toplevel[i].apex[0] && memcmp(last, toplevel[i].apex, *last + 1u) == 0) {
            *out = (struct place){toplevel[i].kind, *last + 2u};
            return true;
        }
    }
    return false;
}

/* --- answers --- */

#define SOA_RDATA(mname) mname " nobody.invalid. 1 3600 1200 604800 10800"

static enum verdict answer_negative(struct query *query, uint16_t rcode, const char *apex)
{
    struct record_text soa = {apex, "SOA", NEGATIVE_TTL, SOA_RDATA("localhost.")};
    return local_answer(query, rcode, NULL, 0, &soa, 1);
}

static enum verdict answer_one(struct query *query, const char *type, const char *rdata)
{
    struct record_text record = {NULL, type, LOCAL_TTL, rdata};
    return local_answer(query, RCODE_NOERROR, &record, 1, NULL, 0);
}

/* What the apex of every zone of ours holds. */
static enum verdict answer_apex(struct query *query, const char *apex)
{
    if (query->request.type == TYPE_SOA)
        return answer_one(query, "SOA", SOA_RDATA("localhost."));
    if (query->request.type == TYPE_NS)
        return answer_one(query, "NS", "localhost.");
    return answer_negative(query, RCODE_NOERROR, apex);
}

/* localhost and everything below it is this machine. */
static enum verdict answer_localhost(struct query *query, bool at_apex, const char *apex)
{
    if (query->request.type == TYPE_A)
        return answer_one(query, "A", "127.0.0.1");
    if (query->request.type == TYPE_AAAA)
        return answer_one(query, "AAAA", "::1");
    return at_apex ? answer_apex(query, apex) : answer_negative(query, RCODE_NOERROR, apex);
}

static bool is_loopback_v4(const struct key *key)
{
    return name_equal(key->name, (const uint8_t *)"\1" "1" "\1" "0" "\1" "0" "\3" "127" V4);
}

/* _dns.resolver.arpa exists for discovery (RFC 9462 section 4): no designated resolvers here, so NODATA. */
static bool is_empty_node(const struct key *key)
{
    return name_equal(key->name, (const uint8_t *)"\4_dns\10resolver\4arpa");
}

/* A name between the apex and 1.0.0.127 exists without data (RFC 8020). */
static bool is_empty_non_terminal_v4(const struct key *key)
{
    return name_equal(key->name, (const uint8_t *)"\1" "0" "\3" "127" V4) ||
           name_equal(key->name, (const uint8_t *)"\1" "0" "\1" "0" "\3" "127" V4);
}

static enum verdict run(struct query *query)
{
    const struct key *key = &query->key;
    struct place place = {ABSENT, 0};
    char apex[NAME_MAX_TEXT];
    if (key->class != CLASS_IN || !find_place(key, &place))
        return NEXT;
    name_text(key->name + key->name_len - place.apex_len, apex);
    bool at_apex = place.apex_len == key->name_len;
    if (place.kind == ABSENT)
        return answer_negative(query, RCODE_NXDOMAIN, ".");
    if (place.kind == LOCALHOST)
        return answer_localhost(query, at_apex, apex);
    if (query->request.type == TYPE_PTR &&
        ((place.kind == LOOPBACK_V6 && at_apex) || (place.kind == LOOPBACK_V4 && is_loopback_v4(key))))
        return answer_one(query, "PTR", "localhost.");
    if (at_apex)
        return answer_apex(query, apex);
    bool exists = is_empty_node(key) ||
                  (place.kind == LOOPBACK_V4 && (is_loopback_v4(key) || is_empty_non_terminal_v4(key)));
    return answer_negative(query, exists ? RCODE_NOERROR : RCODE_NXDOMAIN, apex);
}

const struct step step_special = {"special", run};
