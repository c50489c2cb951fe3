/* SPDX-License-Identifier: MIT */
/* Shares: the part of each limited resource that a client network uses.
 *
 * Does:    counts the waiting queries, lookups and connections of each client network (an IPv4 address, an IPv6
 *          /56) and finds the network that uses the most of a resource: at a limit it loses an item, so that no
 *          client can exhaust what all clients share. Also counts the unsent output and the waiting UDP queries of
 *          a network.
 * Owns:    the shares. Empty ones are freed when many others were added.
 * Threads: the worker's; each worker has its own.
 */
#ifndef DOTSTUB_RESOLVE_SHARE_H
#define DOTSTUB_RESOLVE_SHARE_H

#include "base/addr.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/table.h"

enum share_resource {
    SHARE_QUERIES, /* waiting queries */
    SHARE_LOOKUPS,
    SHARE_CLIENTS,    /* connections */
    SHARE_HANDSHAKES, /* connections whose TLS handshake is not done */
    SHARE_RESOURCES
};

/* The items of one resource. */
struct share_part {
    struct list items; /* the oldest first */
    unsigned count;
    struct list_link in_rank; /* the shares with about the same count */
};

struct share {
    struct table_link by_network;
    uint64_t network;
    struct share_part part[SHARE_RESOURCES];
    size_t output;               /* bytes of unsent responses on its connections */
    unsigned udp_waiting;        /* its waiting queries over UDP */
    uint64_t udp_burst_until_ms; /* end of the period in which many of them wait or have just waited */
    uint64_t udp_credit;         /* bytes that may still be sent to it in the burst */
};

/* Ranks by the length of the count in bits. Shares with a single item are in no rank. */
enum { SHARE_RANKS = 32 };

struct shares {
    struct slab slab;
    struct table by_network;
    size_t sweep_at;    /* the number of shares at which the empty ones are freed */
    struct share *last; /* the result of the last search; NULL: none */
    struct list ranks[SHARE_RESOURCES][SHARE_RANKS];
};

/* 0 or -ENOMEM. */
int shares_init(struct shares *shares) MUST_CHECK;
void shares_fini(struct shares *shares);

/* IPv4 addresses, also mapped ones, get a bit that no /56 has. */
static inline uint64_t share_network(const struct addr *client)
{
    const uint64_t ipv4 = UINT64_C(1) << 63;
    uint64_t half[2];
    if (client->sa.sa_family == AF_INET)
        return ipv4 | ntohl(client->in.sin_addr.s_addr);
    memcpy(half, &client->in6.sin6_addr, sizeof half);
    if (half[0] == 0 && be64toh(half[1]) >> 32 == ADDR_MAPPED >> 32)
        return ipv4 | (be64toh(half[1]) & UINT32_MAX);
    return be64toh(half[0]) >> 8; /* 56 bits: the longest prefix of a site (RFC 6177) */
}
/* Finds or makes the share of a network. NULL: out of memory. */
struct share *share_find(struct shares *shares, uint64_t network);
/* The share of this client's network. NULL: out of memory. An empty share is valid until the next call. */
static inline struct share *share_of(struct shares *shares, const struct addr *client)
{
    uint64_t network = share_network(client);
    return shares->last && shares->last->network == network ? shares->last : share_find(shares, network);
}

/* Moves a share to another rank: its count has grown to a power of two, or shrunk from one. */
void share_rank(struct shares *shares, struct share *share, enum share_resource resource);
static inline void share_rank_if_due(struct shares *shares, struct share *share, enum share_resource resource,
                                     unsigned larger)
{
    if (__builtin_expect((larger & (larger - 1)) == 0, 0) && larger > 1)
        share_rank(shares, share, resource);
}

/* Adds an item of the network, linked by `link`; or removes it. */
static inline void share_take(struct shares *shares, struct share *share, enum share_resource resource,
                              struct list_link *link)
{
    struct share_part *part = &share->part[resource];
    list_push_back(&part->items, link);
    part->count++;
    share_rank_if_due(shares, share, resource, part->count);
}
static inline void share_give(struct shares *shares, struct share *share, enum share_resource resource,
                              struct list_link *link)
{
    struct share_part *part = &share->part[resource];
    list_remove(link);
    share_rank_if_due(shares, share, resource, part->count--);
}

/* The share with the most items of the resource, if it has more than `share` would have with one more, else NULL.
 * The result may have up to half the largest count only: shares of one rank are not compared exactly. */
struct share *share_largest(const struct shares *shares, enum share_resource resource, const struct share *share);
/* The oldest item of a share; NULL: none. */
static inline struct list_link *share_oldest(const struct share *share, enum share_resource resource)
{
    return list_first(&share->part[resource].items);
}
/* The item to remove to make room for one of `share`: the oldest of the share with the most items. NULL: none. */
static inline struct list_link *share_to_lose(const struct shares *shares, enum share_resource resource,
                                              const struct share *share)
{
    const struct share *largest = share_largest(shares, resource, share);
    return largest ? share_oldest(largest, resource) : NULL;
}

#endif
