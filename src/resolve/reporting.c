/* SPDX-License-Identifier: MIT */
/* Reports of bogus data to the operators of zones: a query whose name has the report (RFC 9567).
 *
 * Invariants: the agent's name comes from a server that may be hostile, and so does the name of the data.
 *   - A report is sent only for a lookup of a client, of a name that no private or plain route serves, to an agent that no
 *     route of any view serves, in the group that has served the name: so it tells the upstream nothing new, and reaches
 *     no other.
 *   - Reports have no waiter, are not validated and cause no reports; each worker sends VALIDATOR_REPORTS_A_SECOND at most, and
 *     the same one only if its response is no longer in the cache, once in VALIDATOR_REPORTED_MS at most.
 */
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "refresh.h"
#include "validator.h"

/* --- the name --- */

static bool is_er(const uint8_t *label)
{
    static const uint8_t er[] = {3, '_', 'e', 'r'};
    return memcmp(label, er, sizeof er) == 0;
}

static bool has_er(const uint8_t *name)
{
    for (; *name; name += 1 + (size_t)*name)
        if (*name == 3 && is_er(name))
            return true;
    return false;
}

static void write_label(struct writer *writer, const char *text)
{
    size_t len = strlen(text);
    writer_u8(writer, (uint8_t)len);
    writer_bytes(writer, text, len);
}

static void write_number(struct writer *writer, unsigned number)
{
    char text[8];
    snprintf(text, sizeof text, "%u", number & 0xFFFF);
    write_label(writer, text);
}

size_t reporting_name(uint8_t out[NAME_MAX_WIRE], struct bytes qname, uint16_t qtype, unsigned ede_code,
                      struct bytes agent)
{
    struct writer writer = writer_over(out, NAME_MAX_WIRE);
    if (agent.len <= 1 || has_er(qname.data) || has_er(agent.data) ||
        name_is_under(qname.data, qname.len, agent.data, agent.len))
        return 0;
    write_label(&writer, "_er");
    write_number(&writer, qtype);
    writer_bytes(&writer, qname.data, qname.len - 1);
    write_number(&writer, ede_code);
    write_label(&writer, "_er");
    writer_bytes(&writer, agent.data, agent.len);
    return writer.failed ? 0 : writer_len(&writer);
}

/* --- limits --- */

/* The key of the report; false: none is to be sent. */
static bool make_key(const struct lookup *lookup, unsigned ede_code, struct key *out)
{
    const struct groups *groups = lookup->resolver->groups;
    const struct answer *answer = lookup->answer;
    struct bytes zone;
    struct key agent = {.type = TYPE_TXT, .class = CLASS_IN, .name_len = (uint8_t)answer->agent.len};
    if (lookup->stored || lookup->dependent || groups_is_unvouched(groups, &lookup->key, &zone))
        return false;
    memcpy(agent.name, answer->agent.data, answer->agent.len);
    if (groups_is_routed(groups, &agent)) /* in any view: clients of several ones may share the lookup */
        return false;
    *out = (struct key){.type = TYPE_TXT, .class = CLASS_IN, .flags = KEY_CD, .group = lookup->key.group};
    out->name_len = (uint8_t)reporting_name(out->name, (struct bytes){lookup->key.name, lookup->key.name_len},
                                            lookup->key.type, ede_code, answer->agent);
    return out->name_len > 0;
}

static bool is_known(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct cache_found found;
    return cache_get(resolver->cache, key, hash, loop_now(resolver->loop), CACHE_PEEK, 0, validator_of(resolver)->room,
                     MESSAGE_MAX, &found) == CACHE_HIT ||
           lookup_find(resolver, key, hash) || lookup_has_failed(resolver, key, hash);
}

/* False: the limit of this second is reached. */
static bool take_place(struct validator_reports *reports, uint64_t now_ms)
{
    if (reports->second != now_ms / 1000) {
        reports->second = now_ms / 1000;
        reports->sent = 0;
    }
    return reports->sent < VALIDATOR_REPORTS_A_SECOND && ++reports->sent;
}

static void send_report(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct validator_reports *reports = &validator_of(resolver)->reports;
    struct validator_told *told = &reports->sent_to[hash % VALIDATOR_REPORTS];
    uint64_t now_ms = loop_now(resolver->loop);
    struct lookup *lookup = NULL;
    if ((told->hash == hash && now_ms < told->until_ms) || is_known(resolver, key, hash))
        return;
    if (!take_place(reports, now_ms) || !lookup_new_refresh(resolver, key, hash, &lookup) || !lookup) {
        counter_add(resolver->counters, COUNTER_dnssec_reports_limited, 1);
        return;
    }
    *told = (struct validator_told){hash, now_ms + VALIDATOR_REPORTED_MS};
    counter_add(resolver->counters, COUNTER_dnssec_reports, 1);
    (void)lookup_advance(lookup, STAGE_ASK);
}

void reporting_bogus(struct lookup *lookup, unsigned ede_code)
{
    struct resolver *resolver = lookup->resolver;
    struct key key;
    if (resolver->config->dnssec.report_errors && lookup->answer->agent.len > 0 && make_key(lookup, ede_code, &key))
        send_report(resolver, &key, key_hash(&key));
}
