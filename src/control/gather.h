/* SPDX-License-Identifier: MIT */
/* Asking all workers at once what they know, by item.
 *
 * Does:    one round of items at a time; whoever asks gets the sum of a round that began after it asked, or is told after
 *          GATHER_PATIENCE_MS that some worker does not answer.
 * Owns:    the letters and the copies that the workers fill; a wait belongs to who asks.
 * Threads: the main thread's; an item is opened on its worker's.
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
    const struct record **records; /* where they were asked for: of all workers, the newest first */
    size_t record_count;
};

struct gather_wait {
    struct list_link link;
    struct timeout patience;
    bool with_records;
    /* NULL: no answer from some worker in time, or the daemon is stopping. */
    void (*done)(struct gather_wait *wait, const struct gather_sum *sum);
};

struct gather_part;
struct gather {
    struct mailbox *reply_to;
    const struct control_ops *ops;
    void *context;
    unsigned workers;
    struct gather_part *parts;
    unsigned items;            /* not back yet */
    struct list waiting, next; /* for the end of this round; for the next one */
    struct timeouts patience;
    struct gather_sum sum;
    size_t room;    /* servers that fit in sum and parts */
    size_t servers; /* servers there are */
    bool closed;
};

/* 0 or -ENOMEM. */
int gather_init(struct gather *gather, const struct control_setup *setup) MUST_CHECK;
/* The next rounds are of other routes; the letters that bring them to the workers have been posted. */
void gather_configure(struct gather *gather, const struct routes *routes);
/* `done` runs later, or, when the gather is closed, at once. */
void gather_ask(struct gather *gather, struct gather_wait *wait);
/* Tells all who wait that nothing comes; no item is posted any more. */
void gather_close(struct gather *gather);
/* All items are back, which is asserted. */
void gather_fini(struct gather *gather);

/* Adds what one worker knows of a server to what others know of it. */
void gather_merge(struct server_report *sum, const struct server_report *one);

#endif
