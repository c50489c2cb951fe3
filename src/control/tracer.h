/* SPDX-License-Identifier: MIT */
/* Runs traces: each one is a mailbox item to a worker, which returns when the traced query has its response.
 *
 * Does:    Picks workers in turn; runs at most TRACER_MOST traces at once; gives up on a worker after
 *          TRACER_PATIENCE_MS.
 * Owns:    The items and their traces.
 * Threads: Main thread; a request item is opened on its worker's thread.
 */
#ifndef DOTSTUB_CONTROL_TRACER_H
#define DOTSTUB_CONTROL_TRACER_H

#include "control/ops.h"

enum {
    TRACER_MOST = 8,
    TRACER_PATIENCE_MS = 35000, /* above the largest limits.answer-by */
};

struct tracer {
    struct mailbox *reply_to;
    const struct control_ops *ops;
    void *context;
    unsigned workers, next_worker;
    struct timeouts patience;
    struct list jobs;
    bool closed;
};

void tracer_init(struct tracer *tracer, const struct control_setup *setup);
/* `client`: see struct trace. `told` runs once, possibly before this returns: with the finished trace, or with NULL if the worker does not reply or
 * the daemon stops. -EBUSY: TRACER_MOST traces run already; -ENOMEM. On error `told` does not run. */
int tracer_ask(struct tracer *tracer, const struct key *key, const struct addr *client,
               void (*told)(void *context, const struct trace *trace), void *context) MUST_CHECK;
/* Calls `told` with NULL for all traces, and posts no more items. */
void tracer_close(struct tracer *tracer);
/* Asserts that all items have returned. */
void tracer_fini(struct tracer *tracer);

#endif
