/* SPDX-License-Identifier: MIT */
/* Lookups that wait for lookups.
 *
 * Invariant: the depth grows along each wait and is at most LOOKUP_DEPTH. So chains of waits are short, and
 * lookup_may_be_at detects a wait that would close a cycle.
 */
#include "base/errors.h"
#include "lookup.h"

static struct lookup *awaited(struct list_link *in_parent)
{
    return container_of(in_parent, struct lookup_wait, in_parent)->waiter.lookup;
}

/* True if the lookup can have this depth, so that no lookup that it waits for, directly or not, exceeds
 * LOOKUP_DEPTH or is `parent`. A lookup that already is that deep was checked before. */
static bool lookup_may_be_at(const struct lookup *lookup, unsigned depth, const struct lookup *parent)
{
    if (lookup == parent || depth > LOOKUP_DEPTH)
        return false;
    if (lookup->depth >= depth)
        return true;
    list_for_each(link, &lookup->waits)
        if (!lookup_may_be_at(awaited(link), depth + 1, parent))
            return false;
    return true;
}

static void lookup_deepen(struct lookup *lookup, unsigned depth)
{
    if (lookup->depth >= depth)
        return;
    lookup->depth = (uint8_t)depth;
    list_for_each(link, &lookup->waits)
        lookup_deepen(awaited(link), depth + 1);
}

static void wait_done(struct waiter *waiter, const struct answer *answer)
{
    struct lookup_wait *wait = container_of(waiter, struct lookup_wait, waiter);
    list_remove(&wait->in_parent);
    wait->done(wait, answer);
}

int lookup_await(struct lookup *parent, struct lookup_wait *wait, const struct key *key)
{
    struct resolver *resolver = parent->resolver;
    uint64_t hash = key_hash(key);
    struct lookup *lookup = lookup_find(resolver, key, hash);
    bool is_new = !lookup;
    unsigned depth = parent->depth + 1u;
    if (resolver->stopping || depth > LOOKUP_DEPTH || (lookup && !lookup_may_be_at(lookup, depth, parent)))
        return ERROR_LIMIT;
    /* A group that a reload has replaced serves the lookups that were begun with it. */
    struct group *group = key->group == parent->key.group ? parent->group : groups_find(resolver->groups, key->group);
    if (!group)
        return ERROR_NO_SERVER;
    if (is_new)
        lookup = lookup_new(resolver, group, key, hash, depth);
    if (!lookup)
        return ERROR_LIMIT;
    lookup_deepen(lookup, depth);
    wait->parent = parent;
    wait->waiter = (struct waiter){.lookup = lookup, .done = wait_done};
    list_push_back(&lookup->waiters, &wait->waiter.link);
    list_push_back(&parent->waits, &wait->in_parent);
    counter_add(resolver->counters, is_new ? COUNTER_lookups_started : COUNTER_lookups_joined, 1);
    if (is_new)
        (void)lookup_advance(lookup, STAGE_STORE);
    return 0;
}

void lookup_stop_waiting(struct lookup_wait *wait)
{
    list_remove(&wait->waiter.link);
    list_remove(&wait->in_parent);
}
