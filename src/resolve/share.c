/* SPDX-License-Identifier: MIT */
/* Invariant: a part with more than one item is in the rank of the bit length of its count, any other in no rank. */
#include "resolve/share.h"

#include "base/hash.h"

enum {
    SWEEP_MIN = 512,        /* shares */
    LARGEST_LOOKED_AT = 16, /* shares of the highest rank that are compared */
};

int shares_init(struct shares *shares)
{
    *shares = (struct shares){.sweep_at = SWEEP_MIN};
    for (unsigned resource = 0; resource < SHARE_RESOURCES; resource++)
        for (unsigned rank = 0; rank < SHARE_RANKS; rank++)
            list_init(&shares->ranks[resource][rank]);
    slab_init(&shares->slab, sizeof(struct share), sizeof(struct share), SIZE_MAX); /* the items are limited */
    return table_init(&shares->by_network, 64);
}

void shares_fini(struct shares *shares)
{
    table_fini(&shares->by_network);
    slab_fini(&shares->slab);
}

static bool is_empty(const struct share *share)
{
    for (unsigned resource = 0; resource < SHARE_RESOURCES; resource++)
        if (share->part[resource].count > 0)
            return false;
    return true;
}

/* The next sweep runs at twice the number of shares in use now, so that the cost of sweeps is constant per new
 * share. */
static void sweep(struct shares *shares)
{
    const struct table *table = &shares->by_network;
    for (size_t i = 0; i <= table->mask; i++) {
        for (struct table_link *link = table->buckets[i], *next; link; link = next) {
            struct share *share = container_of(link, struct share, by_network);
            next = link->next;
            if (!is_empty(share))
                continue;
            table_remove(&shares->by_network, link);
            slab_give(&shares->slab, share);
        }
    }
    shares->sweep_at = table->count > SWEEP_MIN / 2 ? 2 * table->count : SWEEP_MIN;
}

static struct share *share_new(struct shares *shares, uint64_t network, uint64_t hash)
{
    if (shares->by_network.count >= shares->sweep_at)
        sweep(shares);
    struct share *share = slab_take(&shares->slab);
    if (!share)
        return NULL;
    share->network = network;
    for (unsigned resource = 0; resource < SHARE_RESOURCES; resource++)
        list_init(&share->part[resource].items);
    table_insert(&shares->by_network, &share->by_network, hash);
    return share;
}

struct share *share_find(struct shares *shares, uint64_t network)
{
    uint64_t hash = hash_bytes(&network, sizeof network);
    struct share *share = NULL;
    for (struct table_link *link = table_first(&shares->by_network, hash); link && !share; link = table_next(link))
        if (container_of(link, struct share, by_network)->network == network)
            share = container_of(link, struct share, by_network);
    if (!share)
        share = share_new(shares, network, hash);
    shares->last = share;
    return share;
}

static unsigned rank_of(unsigned count)
{
    return 31 - (unsigned)__builtin_clz(count);
}

void share_rank(struct shares *shares, struct share *share, enum share_resource resource)
{
    struct share_part *part = &share->part[resource];
    list_remove(&part->in_rank);
    if (part->count > 1)
        list_push_back(&shares->ranks[resource][rank_of(part->count)], &part->in_rank);
}

static struct share *largest_of(const struct list *rank, enum share_resource resource)
{
    struct share *largest = NULL;
    unsigned seen = 0;
    list_for_each(link, rank) {
        struct share *share = container_of(link, struct share, part[resource].in_rank);
        if (!largest || share->part[resource].count > largest->part[resource].count)
            largest = share;
        if (++seen == LARGEST_LOOKED_AT)
            break;
    }
    return largest;
}

struct share *share_largest(const struct shares *shares, enum share_resource resource, const struct share *share)
{
    struct share *largest = NULL;
    for (unsigned rank = SHARE_RANKS; rank-- > 0 && !largest;)
        largest = largest_of(&shares->ranks[resource][rank], resource);
    return largest && largest->part[resource].count > share->part[resource].count + 1 ? largest : NULL;
}
