/* SPDX-License-Identifier: MIT */
/* Records and zones of the configuration (`records`, `zones`).
 *
 * A CNAME or DNAME is followed here while its target is local data; a target elsewhere is looked up as if the client had
 * queried it, and the records of that response come behind the alias. Names of the step of hosts go before what a
 * wildcard or an absent name would give.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/build.h"
#include "dns/codes.h"
#include "dns/localdata.h"
#include "dns/rewrite.h"
#include "hosts.h"
#include "local.h"
#include "policy/steps.h"
#include "rebind.h"
#include "special.h"

enum {
    SOA_TTL = 300, /* of zones without a SOA record: how long clients remember that a name does not exist */
    ALIASES_MAX = 16,
    TYPE_OF_CNAME = 5,
    TYPE_OF_DNAME = 39
};

#define TARGET_FAILED "records: the target of the alias cannot be resolved"

struct records {
    const struct local_data *data; /* NULL only while the step is left out */
    struct local_filter filter;    /* a copy, which is in this worker's memory */
};

/* --- preparing --- */

static void tell_mistake(void *context, bool in_zones, size_t i, const char *why)
{
    fprintf(context, "%s: item %zu: %s\n", in_zones ? "zones" : "records", i + 1, why);
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    struct local_data *data = NULL;
    if (config->zone_count + config->record_count == 0)
        return 0;
    struct local_zone_text *zones = mem_zalloc(config->zone_count + 1, sizeof *zones);
    if (!zones)
        return -ENOMEM;
    for (size_t i = 0; i < config->zone_count; i++)
        zones[i] = (struct local_zone_text){config->zones[i].name, config->zones[i].type};
    const struct local_texts texts = {zones, config->zone_count, (const char *const *)config->records,
                                      config->record_count};
    int status = local_data_new(&data, &texts, tell_mistake, errors);
    mem_free(zones);
    if (status == 0)
        *snapshot = data;
    return status;
}

static void release(void *snapshot)
{
    local_data_free(snapshot);
}

/* --- building a response --- */

/* The walk along the aliases from the name of the query. */
struct alias_chain {
    struct query *query;
    const struct local_data *data;
    struct build build;
    struct key key; /* the name that was reached, and the rest of the query's key */
    unsigned aliases;
    uint16_t rcode;
};

enum chain_end {
    CHAIN_ENDED,   /* the response is complete */
    CHAIN_OUTSIDE, /* the name that was reached is not local */
    CHAIN_PASSED,  /* not even the name of the query is */
    CHAIN_REFUSED,
    CHAIN_BROKEN /* too many aliases */
};

static const uint8_t *owner_of(const struct alias_chain *chain)
{
    return chain->aliases == 0 ? NULL : chain->key.name;
}

static void add_soa(struct alias_chain *chain, enum build_section section, const struct local_found *found)
{
    const struct local_record *soa = found->soa;
    if (soa) {
        /* RFC 2308 section 3: the lower of its TTL and its last field */
        uint32_t minimum = read_u32(soa->rdata.data + soa->rdata.len - 4);
        uint32_t ttl = section == BUILD_AUTHORITY && minimum < soa->ttl ? minimum : soa->ttl;
        build_record(&chain->build, section, found->zone, TYPE_SOA, ttl, soa->rdata.data, soa->rdata.len);
    } else {
        build_soa(&chain->build, section, found->zone, SOA_TTL);
    }
}

static void add_records(struct alias_chain *chain, const struct local_found *found, const uint8_t *owner)
{
    for (unsigned i = 0; i < found->count; i++)
        build_record(&chain->build, BUILD_ANSWER, owner, found->records[i].type, found->records[i].ttl,
                     found->records[i].rdata.data, found->records[i].rdata.len);
}

/* Each zone has a SOA and a NS, its own ones or these. */
static bool add_of_apex(struct alias_chain *chain, const struct local_found *found)
{
    const struct key *key = &chain->key;
    size_t len = name_len((struct bytes){found->zone, NAME_MAX_WIRE});
    if (found->zone == key->name || len != key->name_len)
        return false;
    if (key->type == TYPE_SOA)
        add_soa(chain, BUILD_ANSWER, found);
    else if (key->type == TYPE_NS)
        build_record(&chain->build, BUILD_ANSWER, owner_of(chain), TYPE_NS, SOA_TTL, found->zone, len);
    return key->type == TYPE_SOA || key->type == TYPE_NS;
}

static void go_to(struct alias_chain *chain, const uint8_t *name, size_t len)
{
    chain->key.name_len = (uint8_t)len;
    name_lower(chain->key.name, name, len);
    chain->aliases++;
}

/* CNAME: the rest of the walk is that of its target. */
static void follow(struct alias_chain *chain, const struct local_found *found)
{
    add_records(chain, found, owner_of(chain));
    go_to(chain, found->records->rdata.data, found->records->rdata.len);
}

/* DNAME: a CNAME for the name, whose end is replaced (RFC 6672 section 3.1). False: the name would be too long. */
static bool follow_subtree(struct alias_chain *chain, const struct local_found *found)
{
    uint8_t target[2 * NAME_MAX_WIRE];
    struct key *key = &chain->key;
    const struct bytes new = found->records->rdata;
    size_t kept = (size_t)(found->owner - key->name), len = kept + new.len;
    add_records(chain, found, found->owner);
    memcpy(target, key->name, kept);
    memcpy(target + kept, new.data, new.len);
    if (len > NAME_MAX_WIRE)
        return false;
    build_record(&chain->build, BUILD_ANSWER, owner_of(chain), TYPE_OF_CNAME, found->records->ttl, target, len);
    go_to(chain, target, len);
    return true;
}

/* The name is one of the step of hosts. */
static enum chain_end end_at_host(struct alias_chain *chain)
{
    const struct key *key = &chain->key;
    if (chain->aliases == 0)
        return CHAIN_PASSED;
    uint16_t before = chain->build.count[BUILD_ANSWER];
    hosts_add(chain->query, key->name, key->name_len, key->type, &chain->build, key->name);
    if (chain->build.count[BUILD_ANSWER] == before)
        build_soa(&chain->build, BUILD_AUTHORITY, key->name, 0);
    return CHAIN_ENDED;
}

static enum chain_end end_without(struct alias_chain *chain, enum local_result result, const struct local_found *found)
{
    if (result == LOCAL_PASS)
        return chain->aliases == 0 ? CHAIN_PASSED : CHAIN_OUTSIDE;
    if (result == LOCAL_NO_DATA && add_of_apex(chain, found))
        return CHAIN_ENDED;
    add_soa(chain, BUILD_AUTHORITY, found);
    chain->rcode = result == LOCAL_ABSENT ? RCODE_NXDOMAIN : RCODE_NOERROR;
    return CHAIN_ENDED;
}

static enum chain_end walk(struct alias_chain *chain)
{
    for (;;) {
        struct key *key = &chain->key;
        struct local_found found;
        enum local_result result = local_data_find(chain->data, key->name, key->name_len, key->type, &found);
        bool is_weak = found.wildcard || result == LOCAL_PASS || result == LOCAL_ABSENT || result == LOCAL_NO_DATA;
        if (result == LOCAL_REFUSED)
            return CHAIN_REFUSED;
        if (is_weak && key->type != TYPE_DS && hosts_has(chain->query, key->name, key->name_len))
            return end_at_host(chain);
        if (result == LOCAL_DATA)
            add_records(chain, &found, owner_of(chain));
        if (result == LOCAL_DATA)
            return CHAIN_ENDED;
        if (result != LOCAL_ALIAS && result != LOCAL_SUBTREE)
            return end_without(chain, result, &found);
        if (chain->aliases == ALIASES_MAX)
            return CHAIN_BROKEN;
        if (result == LOCAL_ALIAS) {
            follow(chain, &found);
        } else if (!follow_subtree(chain, &found)) {
            chain->rcode = RCODE_YXDOMAIN;
            return CHAIN_ENDED;
        }
    }
}

/* The response is built in `room` of RESOLVER_BIG bytes. */
static enum chain_end begin(struct alias_chain *chain, struct query *query, const struct local_data *data,
                            uint8_t *room, size_t cap)
{
    chain->query = query;
    chain->data = data;
    chain->aliases = 0;
    chain->rcode = RCODE_NOERROR;
    key_copy(&chain->key, &query->key);
    build_begin(&chain->build, room, cap, &query->key);
    return walk(chain);
}

static enum verdict finish(struct alias_chain *chain)
{
    counter_add(chain->query->resolver->counters, COUNTER_records_answered, 1);
    return local_send(chain->query, build_end(&chain->build, chain->rcode));
}

/* --- targets elsewhere --- */

/* The aliases are walked again, because the response with the target may be where they were built. */
static enum verdict send_with(struct query *query, const struct answer *target)
{
    struct resolver *resolver = query->resolver;
    const struct records *records = resolver_step_state(resolver, &step_records);
    struct rewrite *rewrite = resolver->rewrite;
    struct alias_chain chain;
    if (!records || !records->data ||
        begin(&chain, query, records->data, rewrite->out, sizeof rewrite->out) != CHAIN_OUTSIDE ||
        !name_equal(chain.key.name, target->wire + MESSAGE_HEADER))
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "the records have changed meanwhile");
    chain.key.group = groups_route(resolver->groups, query->view, &chain.key);
    if (rebind_refuses(query, &chain.key, target))
        return rebind_replace(query);
    build_append(&chain.build, target);
    counter_add(resolver->counters, COUNTER_records_answered, 1);
    int len = build_end(&chain.build, target->rcode <= 15 ? target->rcode : RCODE_SERVFAIL);
    if (len > 0)
        memcpy(resolver->big, rewrite->out, (size_t)len);
    return local_send(query, len);
}

/* Without records that the client must not get. */
static enum verdict send_without(struct query *query, struct answer *target, unsigned surplus)
{
    if (surplus)
        rewrite_without(target, surplus, query->resolver->rewrite);
    query_own_response(query, target); /* the response is built in the room of the rewrite */
    target->ttl_offsets = NULL;
    return send_with(query, target);
}

static void target_done(struct waiter *waiter, const struct answer *answer)
{
    struct query *query = container_of(waiter, struct query, waiter);
    struct answer copy;
    if (!answer) {
        query_give_up(query, ERROR_NO_SERVER, TARGET_FAILED);
        return;
    }
    answer_assign(&copy, answer);
    /* A lookup whose response is validated has signatures, whatever the client wants. */
    send_without(query, &copy, query->key.flags & KEY_DO ? 0 : SURPLUS_DNSSEC);
}

static enum verdict wait_for(struct query *query, const struct key *key, uint64_t hash)
{
    struct resolver *resolver = query->resolver;
    struct query *parked = query_park(query);
    if (!parked)
        return DROPPED;
    parked->waiter.done = target_done;
    parked->waiter.take_stale = NULL; /* expired data of the target is not used */
    if (!lookup_join(resolver, groups_find(resolver->groups, key->group), key, hash, &parked->waiter, parked->share))
        return query_give_up(parked, ERROR_LIMIT, "too many lookups");
    return WAITING;
}

/* The cache, then the upstreams, have the name that the walk has reached. */
static enum verdict look_up(struct alias_chain *chain)
{
    struct query *query = chain->query;
    struct resolver *resolver = query->resolver;
    struct key *key = &chain->key;
    struct cache_found found;
    if (special_has(query, key) || !(query->request.flags & FLAG_RD))
        return finish(chain);
    key->group = groups_route(resolver->groups, query->view, key);
    uint64_t hash = key_hash(key);
    if (resolver->cache && cache_get(resolver->cache, key, hash, loop_now(resolver->loop), CACHE_FRESH, 0,
                                     resolver->big, MESSAGE_MAX, &found) == CACHE_HIT)
        return send_without(query, &found.answer, found.surplus);
    if (lookup_has_failed(resolver, key, hash))
        return query_error(query, RCODE_SERVFAIL, EDE_CACHED_ERROR, TARGET_FAILED);
    return wait_for(query, key, hash);
}

/* --- the step --- */

static void configure(void *state, const void *snapshot)
{
    struct records *records = state;
    records->data = snapshot;
    if (snapshot)
        records->filter = *local_data_filter(snapshot);
}

static __attribute__((noinline)) enum verdict look(struct query *query, const struct local_data *data)
{
    struct alias_chain chain;
    if (query->key.class != CLASS_IN)
        return NEXT;
    switch (begin(&chain, query, data, query->resolver->big, RESOLVER_BIG)) {
    case CHAIN_PASSED:
        return NEXT;
    case CHAIN_REFUSED:
        return query_error(query, RCODE_REFUSED, EDE_NONE, NULL);
    case CHAIN_BROKEN:
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "records: too many aliases, or aliases in a circle");
    case CHAIN_OUTSIDE:
        return look_up(&chain);
    default:
        return finish(&chain);
    }
}

static enum verdict run(struct query *query, void *state)
{
    const struct records *records = state;
    return local_filter_may_hold(&records->filter, query->key.name, query->key.name_len) ? look(query, records->data)
                                                                                         : NEXT;
}

const struct step step_records = {
    .name = "records",
    .prepare = prepare,
    .release = release,
    .state_size = sizeof(struct records),
    .configure = configure,
    .run = run,
};
