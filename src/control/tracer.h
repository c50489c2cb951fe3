/* SPDX-License-Identifier: MIT */
/* Traces under way: each is an item to one worker, which comes back when the question has its answer.
 *
 * Does:    the workers take turns; at most TRACER_MOST at a time; who asks is told within TRACER_PATIENCE_MS that a worker hangs.
 * Owns:    the items with what is traced in them; a request belongs to who asks until `told`.
 * Threads: the main thread's; an item is opened on its worker's.
 */
#ifndef DOTSTUB_CONTROL_TRACER_H
#define DOTSTUB_CONTROL_TRACER_H

#include "control/ops.h"

enum {
    TRACER_MOST = 8,
    TRACER_PATIENCE_MS = 35000, /* longer than limits.answer-by can be */
};

struct tracer {
    struct mailbox *reply_to;
    const struct control_ops *ops;
    void *context;
    unsigned workers, next_worker;
    struct timeouts patience;
    struct list errands;
    bool closed;
};

void tracer_init(struct tracer *tracer, const struct control_setup *setup);
/* `told` runs once with what came of the question, or with NULL: nothing will; perhaps at once. -EBUSY: too many are under way;
 * -ENOMEM. */
int tracer_ask(struct tracer *tracer, const struct key *key, void (*told)(void *context, const struct trace *trace),
               void *context) MUST_CHECK;
/* Tells all who wait that nothing comes; no item is posted any more. */
void tracer_close(struct tracer *tracer);
/* All items are back, which is asserted. */
void tracer_fini(struct tracer *tracer);

#endif
