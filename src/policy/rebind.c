/* SPDX-License-Identifier: MIT */
/* Rebinding protection: with a public name whose addresses are private, a web page can reach devices of the local
 * network as if they were its own server. Such an answer is replaced by NODATA as a whole.
 *
 * Exempt are names with a route to other upstreams, names of rebind-allow, and 127.0.0.0/8 for names of DNS block
 * lists, which have such addresses (RFC 5782). Local data is answered by steps before this one, so its responses do
 * not come here. The query's name decides, not the owner of the records: an alias into an exempt domain is still a
 * public name.
 */
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/addresses.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "dns/suffixes.h"
#include "local.h"
#include "policy/steps.h"
#include "rebind.h"

/* The snapshot. */
struct rebind_rules {
    bool on_loopback;           /* also for clients on loopback */
    struct suffix_table *allow; /* NULL: none */
};

struct rebind {
    const struct rebind_rules *rules; /* NULL only while the step is left out */
};

/* --- the configuration --- */

static void release(void *snapshot)
{
    struct rebind_rules *rules = snapshot;
    suffix_table_free(rules->allow);
    mem_free(rules);
}

static bool is_repeated(const struct suffix *suffixes, size_t i)
{
    for (size_t earlier = 0; earlier < i; earlier++)
        if (name_equal(suffixes[earlier].name, suffixes[i].name))
            return true;
    return false;
}

static int make_table(struct suffix_table **out, char *const *texts, size_t count)
{
    if (count == 0)
        return 0;
    struct suffix *suffixes = mem_zalloc(count, sizeof *suffixes);
    uint8_t(*names)[NAME_MAX_WIRE] = mem_zalloc(count, sizeof *names);
    int status = -ENOMEM;
    size_t used = 0;
    if (!suffixes || !names)
        goto end;
    for (size_t i = 0; i < count; i++) {
        status = name_from_text(names[used], texts[i]);
        if (status < 0)
            goto end;
        suffixes[used].name = names[used];
        used += !is_repeated(suffixes, used);
    }
    status = suffix_table_new(out, suffixes, used);
end:
    mem_free(suffixes);
    mem_free(names);
    return status;
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    enum config_rebind wanted = config->rebind_protection;
    if (wanted == REBIND_NO || (wanted == REBIND_AUTO && !local_serves_beyond_loopback(config)))
        return 0;
    struct rebind_rules *rules = mem_zalloc(1, sizeof *rules);
    int status = rules ? make_table(&rules->allow, config->rebind_allow, config->rebind_allow_count) : -ENOMEM;
    if (status < 0) {
        mem_free(rules);
        return status;
    }
    rules->on_loopback = wanted == REBIND_YES;
    *snapshot = rules;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct rebind *rebind = state;
    rebind->rules = snapshot;
}

/* --- addresses --- */

enum { IPV4 = 4, LOOPBACK = 127 };

/* This host, private, shared address space, loopback, link-local (RFC 6890). */
static bool ipv4_is_private(const uint8_t *address)
{
    switch (address[0]) {
    case 0:
    case 10:
    case LOOPBACK:
        return true;
    case 100:
        return (address[1] & 0xC0) == 64;
    case 169:
        return address[1] == 254;
    case 172:
        return (address[1] & 0xF0) == 16;
    case 192:
        return address[1] == 168;
    default:
        return false;
    }
}

/* IPv4-compatible (including :: and ::1), IPv4-mapped, NAT64 (RFC 4291, 6052, 8215). */
static bool ipv6_embeds_ipv4(const uint8_t *address)
{
    static const uint8_t compatible[12] = {0}, mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    static const uint8_t nat64[12] = {0, 0x64, 0xFF, 0x9B}, local_nat64[6] = {0, 0x64, 0xFF, 0x9B, 0, 1};
    return memcmp(address, compatible, sizeof compatible) == 0 || memcmp(address, mapped, sizeof mapped) == 0 ||
           memcmp(address, nat64, sizeof nat64) == 0 || memcmp(address, local_nat64, sizeof local_nat64) == 0;
}

/* Unique local, link-local, and the deprecated site-local addresses (RFC 4193, 4291). */
static bool ipv6_is_private(const uint8_t *address)
{
    switch (address[0]) {
    case 0:
        return ipv6_embeds_ipv4(address) && ipv4_is_private(address + 12);
    case 0xFC:
    case 0xFD:
        return true;
    case 0xFE:
        return address[1] >= 0x80;
    default:
        return false;
    }
}

static bool is_private(const uint8_t *address, size_t len)
{
    return len == IPV4 ? ipv4_is_private(address) : ipv6_is_private(address);
}

static bool is_private_beyond_loopback(const uint8_t *address, size_t len)
{
    return is_private(address, len) && (len != IPV4 || address[0] != LOOPBACK);
}

/* --- names --- */

static bool label_is_byte(const uint8_t *label)
{
    unsigned value = 0;
    if (label[0] == 0 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
        return false;
    for (unsigned i = 1; i <= label[0]; i++) {
        if (label[i] < '0' || label[i] > '9')
            return false;
        value = value * 10 + (label[i] - '0');
    }
    return value <= 255;
}

static bool label_is_nibble(const uint8_t *label)
{
    return label[0] == 1 && ((label[1] >= '0' && label[1] <= '9') || (label[1] >= 'a' && label[1] <= 'f'));
}

/* The number of leading labels that pass the test. */
static unsigned count_labels(const uint8_t *name, bool (*fits)(const uint8_t *label))
{
    unsigned count = 0;
    for (; fits(name); name += 1 + (size_t)*name)
        count++;
    return count;
}

/* True for a reversed address before the name of a list (RFC 5782 sections 2.1 and 2.4). */
static bool is_block_list_query(const struct key *key)
{
    return count_labels(key->name, label_is_byte) >= 4 || count_labels(key->name, label_is_nibble) >= 32;
}

static bool is_exempt(const struct query *query, const struct key *key, const struct rebind_rules *rules)
{
    uint32_t value;
    size_t len;
    return (!rules->on_loopback && addr_is_loopback(&query->origin.client)) || query_has_route(query) ||
           (rules->allow && suffix_table_find(rules->allow, key->name, key->name_len, &value, &len));
}

/* --- responses --- */

static enum verdict replace(struct query *query, struct answer *response)
{
    static const char text[] = "private address in a public answer (rebind-protection)";
    struct ede_list ede = {.count = 0};
    counter_add(query->resolver->counters, COUNTER_responses_rebind, 1);
    ede_add(&ede, EDE_BLOCKED, text, sizeof text - 1);
    *response = query_error_response(query, RCODE_NOERROR, &ede);
    return REPLACED;
}

bool rebind_refuses(const struct query *query, const struct key *key, const struct answer *response)
{
    const struct rebind *rebind = resolver_step_state(query->resolver, &step_rebind);
    return rebind && rebind->rules && addresses_in_answer(response, is_private) &&
           !is_exempt(query, key, rebind->rules);
}

enum verdict rebind_replace(struct query *query)
{
    struct answer response;
    replace(query, &response);
    return query_answer(query, &response);
}

static enum verdict drop_additional(struct query *query, struct answer *response)
{
    query_own_response(query, response);
    rewrite_drop_additional(response);
    return REPLACED;
}

/* Most answers have no such address, so names are checked last. */
static enum verdict answer(struct query *query, struct answer *response, void *state)
{
    const struct rebind *rebind = state;
    bool in_answer = addresses_in_answer(response, is_private);
    if ((!in_answer && !addresses_in_additional(response, is_private)) || is_exempt(query, &query->key, rebind->rules))
        return NEXT;
    if (!in_answer)
        return drop_additional(query, response);
    if (is_block_list_query(&query->key) && !addresses_in_answer(response, is_private_beyond_loopback))
        return NEXT;
    return replace(query, response);
}

const struct step step_rebind = {
    .name = "rebind",
    .prepare = prepare,
    .release = release,
    .state_size = sizeof(struct rebind),
    .configure = configure,
    .answer = answer,
};
