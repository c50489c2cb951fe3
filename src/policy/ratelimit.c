/* SPDX-License-Identifier: MIT */
/* Limits the responses to each network whose addresses may be forged, so that this server cannot be used to flood a
 * third party.
 *
 * Above the limit no query is dropped: the response makes an honest client retry over TCP or with a cookie.
 *
 * Each network has a time up to which its responses have used its allowance (GCRA, a leaky bucket): a response
 * advances it by the interval of the allowed rate, and is refused if it would then be more than BURST ahead of now.
 *
 * Invariants:
 *   - The table has a fixed size. A new network replaces the one in its set with the lowest time, so it does not
 *     replace a network that is being limited.
 *   - The network that was looked up last is the first of its set.
 */
#include <errno.h>
#include "base/mem.h"
#include "policy/steps.h"
#include "resolve/query.h"

#define UNITS 20 /* bits: time is counted in milliseconds / 2^20 */
#define BURST (UINT64_C(1000) << UNITS)

enum {
    SETS_BITS = 10,
    WAYS = 4,
    IPV4_BITS = 24, /* length of a network's prefix */
    IPV6_BITS = 56,
};

/* The snapshot. */
struct limit_rules {
    uint64_t cost; /* the time of one response */
};

struct network {
    uint64_t id;
    uint64_t used_to;
};

struct limiter {
    struct loop *loop;
    uint64_t cost;   /* of the rules in force */
    uint64_t most;   /* how far ahead of now a network's time may be before a response */
    uint64_t factor; /* the key of the hash */
    struct network sets[1 << SETS_BITS][WAYS];
};

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    if (config->rate_limit_responses == 0)
        return 0;
    struct limit_rules *rules = mem_alloc(sizeof *rules);
    if (!rules)
        return -ENOMEM;
    rules->cost = BURST / config->rate_limit_responses;
    *snapshot = rules;
    return 0;
}

static int init(struct resolver *resolver, void *state)
{
    struct limiter *limiter = state;
    limiter->loop = resolver->loop;
    limiter->factor = (uint64_t)random_below(0) << 32 | random_below(0) | 1;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct limiter *limiter = state;
    const struct limit_rules *rules = snapshot;
    limiter->cost = rules ? rules->cost : 0;
    limiter->most = BURST - limiter->cost;
}

/* The network in memory order, with the host bits set: an IPv4 network fills the lower half, and no network of
 * global IPv6 addresses has an upper half of 0. */
static inline uint64_t network_of_ipv4(in_addr_t address)
{
    return address | htonl(UINT32_MAX >> IPV4_BITS);
}

static uint64_t network_of(const struct addr *client)
{
    uint64_t halves[2];
    if (client->sa.sa_family == AF_INET)
        return network_of_ipv4(client->in.sin_addr.s_addr);
    memcpy(halves, &client->in6.sin6_addr, sizeof halves);
    if (halves[0] == 0 && be64toh(halves[1]) >> 32 == ADDR_MAPPED >> 32)
        return network_of_ipv4(htonl((uint32_t)be64toh(halves[1])));
    return halves[0] | htobe64(UINT64_MAX >> IPV6_BITS);
}

/* The hash is a multiplication by a secret number: an attacker cannot choose networks that share a set. */
static inline struct network *set_of(struct limiter *limiter, uint64_t id)
{
    return limiter->sets[limiter->factor * id >> (64 - SETS_BITS)];
}

/* Finds or adds the network and makes it the first of its set. */
static void fetch_network(struct network set[WAYS], uint64_t id)
{
    unsigned found = 0;
    for (unsigned i = 1; i < WAYS && set[found].id != id; i++)
        if (set[i].id == id || set[i].used_to < set[found].used_to)
            found = i;
    struct network network = set[found].id == id ? set[found] : (struct network){id, 0};
    set[found] = set[0];
    set[0] = network;
}

/* Counts a response; false: above the limit. */
static inline bool take_response(const struct limiter *limiter, struct network *network, uint64_t now_ms)
{
    uint64_t now = now_ms << UNITS, used_to = network->used_to > now ? network->used_to : now;
    if (used_to - now > limiter->most)
        return false;
    network->used_to = used_to + limiter->cost;
    return true;
}

static __attribute__((noinline)) enum verdict run_any(struct query *query, struct limiter *limiter)
{
    if (!query_may_be_forged(query))
        return NEXT;
    uint64_t id = network_of(&query->origin.client);
    struct network *set = set_of(limiter, id);
    fetch_network(set, id);
    if (take_response(limiter, set, loop_now(limiter->loop)) || !query_client_allowed(query))
        return NEXT; /* others are refused in the next step */
    counter_add(query->resolver->counters, COUNTER_responses_limited, 1);
    return query_demand_proof(query);
}

static enum verdict run(struct query *query, void *state);

/* For the first query of a turn of the loop, which has not read the clock yet. */
static __attribute__((noinline)) enum verdict run_with_clock(struct query *query, struct limiter *limiter)
{
    (void)loop_now(limiter->loop);
    return run(query, limiter);
}

/* Inline for most queries, those of an IPv4 network that is the first of its set: a call would have to save
 * registers. */
static enum verdict run(struct query *query, void *state)
{
    struct limiter *limiter = state;
    const struct addr *client = &query->origin.client;
    if (query->origin.tcp)
        return NEXT;
    if (!limiter->loop->now_ms)
        return run_with_clock(query, limiter);
    uint64_t id = network_of_ipv4(client->in.sin_addr.s_addr), now_ms = limiter->loop->now_ms;
    struct network *set = set_of(limiter, id);
    if (client->sa.sa_family == AF_INET && set->id == id && !query->address_proven &&
        take_response(limiter, set, now_ms))
        return NEXT;
    return run_any(query, limiter);
}

const struct step step_rate_limit = {
    .name = "rate limit",
    .prepare = prepare,
    .release = mem_free,
    .state_size = sizeof(struct limiter),
    .init = init,
    .configure = configure,
    .run = run,
};
