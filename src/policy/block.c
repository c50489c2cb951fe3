/* SPDX-License-Identifier: MIT */
/* Block lists (block.lists): queries for blocked names get a local answer, and so do queries whose response leads to a
 * blocked name or address.
 *
 * The lists are read in `prepare`, off the path of queries; a list that cannot be used does not make it fail. For
 * most names that are not blocked, one hash and one word of the filter for each suffix decide. The cache holds what
 * the upstream said, so a name that is unblocked needs no flush.
 *
 * Blocked addresses are those of rpz-ip triggers. A name that a list lets pass (PASSTHRU, an exception) may lead to
 * blocked names and addresses.
 */
#include <errno.h>
#include "base/errors.h"
#include "blockanswer.h"
#include "dns/addresses.h"
#include "dns/aliases.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "policy/steps.h"

struct block {
    const struct block_rules *rules; /* NULL only while the step is left out */
};

/* --- the configuration --- */

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    struct block_rules *rules;
    (void)errors;
    int status = block_rules_new(&rules, config);
    if (status < 0)
        return status;
    *snapshot = rules;
    return block_rules_wait(rules) ? STEP_AGAIN : 0;
}

static void release(void *snapshot)
{
    block_rules_free(snapshot);
}

static void files(const struct config *config, void (*tell)(void *context, const char *path), void *context)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < config->block.list_count; i++) {
        block_source_path(path, config, &config->block.lists[i]);
        tell(context, path);
    }
}

static void configure(void *state, const void *snapshot)
{
    struct block *block = state;
    block->rules = snapshot;
}

/* The lists that apply to this query. */
static uint64_t lists_for(const struct block_rules *rules, const struct query *query)
{
    return rules->for_view[query->view];
}

/* --- local data with a CNAME --- */

#define NO_TARGET "no answer for the target of a block list's CNAME"

/* The response of a query whose target has this one. The query's step is configured anew by a reload, which may have
 * freed the rules, so that the rule is searched again. The CNAME has no signature, so no client gets those of the target. */
static enum verdict answer_with(struct query *query, struct answer *found)
{
    const struct block *block = resolver_step_state(query->resolver, &step_block);
    struct block_match match;
    uint8_t target[NAME_MAX_WIRE];
    struct answer answer;
    bool blocked = block->rules && block_rules_find(block->rules, lists_for(block->rules, query), query->key.name,
                                                    query->key.name_len, &match) == BLOCK_FATE_BLOCKED;
    if (!blocked || match.rule != RULE_DATA || block_answer_target(target, query, block->rules, &match) == 0)
        return query_give_up(query, ERROR_CONFIG, "block: the lists have changed");
    struct ede_list ede = block_answer_ede(block->rules, &match);
    rewrite_without(found, SURPLUS_DNSSEC, query->resolver->rewrite);
    if (block_answer_chain(&answer, query, &ede, target, block->rules->ttl, found))
        return query_answer(query, &answer);
    return query_give_up(query, -ENOMEM, "out of memory");
}

static void target_done(struct waiter *waiter, const struct answer *found)
{
    struct query *query = container_of(waiter, struct query, waiter);
    struct answer copy;
    if (!found) {
        query_error(query, RCODE_SERVFAIL, EDE_OTHER, NO_TARGET);
        return;
    }
    answer_assign(&copy, found);
    answer_with(query, &copy);
}

static enum verdict wait_for(struct query *query, const struct key *key, uint64_t hash)
{
    struct resolver *resolver = query->resolver;
    struct query *parked = query_park(query);
    if (!parked)
        return DROPPED;
    parked->waiter.done = target_done;
    parked->waiter.take_stale = NULL;
    if (!lookup_join(resolver, groups_find(resolver->groups, key->group), key, hash, &parked->waiter, parked->share))
        return query_give_up(parked, ERROR_LIMIT, "too many lookups");
    return WAITING;
}

/* The cache, then the upstreams, have the target's records. */
static enum verdict look_up_target(struct query *query, const uint8_t *target, size_t len)
{
    struct resolver *resolver = query->resolver;
    struct key key = {.type = query->key.type, .class = CLASS_IN, .name_len = (uint8_t)len};
    struct cache_found found;
    memcpy(key.name, target, len);
    key.group = groups_route(resolver->groups, query->view, &key);
    uint64_t hash = key_hash(&key);
    if (resolver->cache && cache_get(resolver->cache, &key, hash, loop_now(resolver->loop), CACHE_FRESH, 0,
                                     resolver->big, MESSAGE_MAX, &found) == CACHE_HIT)
        return answer_with(query, &found.answer);
    if (lookup_has_failed(resolver, &key, hash))
        return query_error(query, RCODE_SERVFAIL, EDE_CACHED_ERROR, NO_TARGET);
    return wait_for(query, &key, hash);
}

/* --- decisions --- */

/* Counts a response, or a query that is dropped. */
static void count_hit(const struct query *query, const struct block_rules *rules, const struct block_match *match)
{
    counter_add(query->resolver->counters, COUNTER_queries_blocked, 1);
    atomic_fetch_add_explicit(&rules->lists[match->list].source->hits, 1, memory_order_relaxed);
}

/* A rule without a response: DROP and TCP-Only. NEXT: another rule. */
static enum verdict act(struct query *query, enum block_rule rule)
{
    if (rule == RULE_DROP)
        return query_drop(query, COUNTER_drops_blocked);
    if (rule == RULE_TCP)
        return query_truncated(query);
    return NEXT;
}

/* TCP-Only lets queries over TCP pass. */
static bool applies(const struct query *query, const struct block_match *match)
{
    return match->rule != RULE_TCP || !query->origin.tcp;
}

static __attribute__((noinline)) enum verdict answer_blocked(struct query *query, const struct block_rules *rules,
                                                             const struct block_match *match)
{
    uint8_t target[NAME_MAX_WIRE];
    struct answer answer;
    if (!applies(query, match))
        return NEXT;
    count_hit(query, rules, match);
    query->how = HOW_LOCAL;
    enum verdict verdict = act(query, match->rule);
    if (verdict != NEXT)
        return verdict;
    size_t len = match->rule == RULE_DATA ? block_answer_target(target, query, rules, match) : 0;
    if (len > 0)
        return look_up_target(query, target, len);
    if (!block_answer_build(&answer, query, rules, match))
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "out of memory");
    counter_add(query->resolver->counters, COUNTER_responses_local, 1);
    return query_answer(query, &answer);
}

static enum verdict run(struct query *query, void *state)
{
    const struct block *block = state;
    struct block_match match;
    enum block_fate fate =
        block_rules_find(block->rules, lists_for(block->rules, query), query->key.name, query->key.name_len, &match);
    if (fate != BLOCK_FATE_BLOCKED || query->key.class != CLASS_IN)
        return NEXT;
    return answer_blocked(query, block->rules, &match);
}

/* --- responses --- */

/* A response that is compared with the lists. */
struct looking {
    const struct block_rules *rules;
    uint64_t lists;
    struct block_match match;
};

static bool is_blocked_name(void *context, const uint8_t *name, size_t len)
{
    struct looking *looking = context;
    return block_rules_find(looking->rules, looking->lists, name, len, &looking->match) == BLOCK_FATE_BLOCKED;
}

static bool is_blocked_address(void *context, const uint8_t *address, size_t len)
{
    struct looking *looking = context;
    return block_rules_find_address(looking->rules, looking->lists, address, len, &looking->match) ==
           BLOCK_FATE_BLOCKED;
}

static bool is_let_pass(const struct query *query, const struct looking *looking)
{
    const struct key *key = &query->key;
    struct block_match match;
    return block_rules_except(looking->rules, key->name, key->name_len) ||
           block_rules_find(looking->rules, looking->lists, key->name, key->name_len, &match) == BLOCK_FATE_ALLOWED;
}

/* Local data with a CNAME gets no lookup of its own here: the client gets the CNAME. */
static enum verdict replace(struct query *query, struct answer *response, struct looking *looking)
{
    struct block_match *match = &looking->match;
    uint8_t target[NAME_MAX_WIRE];
    count_hit(query, looking->rules, match);
    enum verdict verdict = act(query, match->rule);
    if (verdict != NEXT)
        return verdict;
    match->offset = 0; /* the rule's name need not be in the question */
    bool built = false;
    if (match->rule == RULE_DATA && block_answer_target(target, query, looking->rules, match) > 0) {
        struct ede_list ede = block_answer_ede(looking->rules, match);
        built = block_answer_chain(response, query, &ede, target, looking->rules->ttl, NULL);
    } else {
        built = block_answer_build(response, query, looking->rules, match);
    }
    if (!built)
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "out of memory");
    return REPLACED;
}

/* False for most responses: the answer section has no alias, and no list has addresses. */
static inline bool may_lead_there(const struct query *query, const struct block_rules *rules,
                                  const struct answer *response)
{
    const uint8_t *record = response->wire + query->request.question_end; /* as long as that of the query */
    bool has_answer = read_u16(response->wire + 6) > 0;
    if (rules->with_networks || (has_answer && record[0] < 0xC0))
        return true;
    return has_answer && aliases_may_follow(read_u16(record + 2));
}

static enum verdict answer(struct query *query, struct answer *response, void *state)
{
    const struct block *block = state;
    if (!may_lead_there(query, block->rules, response))
        return NEXT;
    struct looking looking = {.rules = block->rules, .lists = lists_for(block->rules, query)};
    bool found = aliases_find(response, is_blocked_name, &looking);
    if (!found && (looking.rules->with_networks & looking.lists))
        found = addresses_test_in_answer(response, is_blocked_address, &looking);
    if (!found || query->key.class != CLASS_IN || is_let_pass(query, &looking) || !applies(query, &looking.match))
        return NEXT;
    return replace(query, response, &looking);
}

const struct step step_block = {
    .name = "block",
    .prepare = prepare,
    .release = release,
    .files = files,
    .state_size = sizeof(struct block),
    .configure = configure,
    .run = run,
    .answer = answer,
};
