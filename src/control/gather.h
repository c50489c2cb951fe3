/* SPDX-License-Identifier: MIT */
/* Gathers reports from all workers by mailbox item and sums them.
 *
 * Does:    Runs one round of items at a time. A wait gets the sum of a round that began after gather_ask, or NULL if a
 *          worker has not replied within GATHER_PATIENCE_MS.
 * Owns:    The mailbox items and the reports that workers fill. The caller owns its wait.
 * Threads: Main thread; a request item is opened on its worker's thread.
 */
#ifndef DOTSTUB_CONTROL_GATHER_H
#define DOTSTUB_CONTROL_GATHER_H

#include "control/ops.h"

#define GATHER_PATIENCE_MS 2000

/* The sum over all workers. */
struct gather_sum {
    size_t waiting;
    uint64_t counters[COUNTER_COUNT];
    struct tally tally;
    unsigned tcp_clients;
    struct server_report *servers;
    size_t server_count;
    /* Room for STORE_SERVERS_MAX once a configuration has a store. The counts are of all workers, the state is the worst. */
    struct store_server_report *stores;
    size_t store_count;
    const struct record **records; /* if a wait asked for them: of all workers, newest first */
    size_t record_count;
};

struct gather_wait {
    struct list_link link;
    struct timeout patience;
    bool with_records;
    /* `sum` NULL: a worker did not reply in time, or the daemon stops. */
    void (*done)(struct gather_wait *wait, const struct gather_sum *sum);
};

struct gather_part;
struct gather {
    struct mailbox *reply_to;
    const struct control_ops *ops;
    void *context;
    unsigned workers;
    struct gather_part *parts;
    unsigned items;            /* posted and not returned yet */
    struct list waiting, next; /* waits served by this round; by the next one */
    struct timeouts patience;
    struct gather_sum sum;
    size_t room;    /* capacity of the arrays of servers in `sum` and `parts` */
    size_t servers; /* servers in the current routes */
    bool has_store; /* in the current configuration */
    bool closed;
};

/* 0 or -ENOMEM. */
int gather_init(struct gather *gather, const struct control_setup *setup) MUST_CHECK;
/* New routes, and their configuration, apply from the next round on. Call it after their items were posted to the workers. */
void gather_configure(struct gather *gather, const struct routes *routes);
/* wait->done runs later, or at once if `gather` is closed. */
void gather_ask(struct gather *gather, struct gather_wait *wait);
/* Ends all waits with NULL, and posts no more items. */
void gather_close(struct gather *gather);
/* Asserts that all items have returned. */
void gather_fini(struct gather *gather);

/* Adds one worker's report of a server to the sum. */
void gather_merge(struct server_report *sum, const struct server_report *one);

#endif
