/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - an errand is in the list from the posting of its item until that is back, whoever still waits for it;
 *   - its trace is touched by its worker only in between.
 */
#include "tracer.h"
#include <assert.h>
#include <errno.h>
#include "base/mem.h"

struct errand {
    struct list_link in_tracer;
    struct tracer *tracer;
    struct mailbox_item request, reply;
    struct timeout patience;
    void (*told)(void *context, const struct trace *trace); /* NULL: it was */
    void *context;
    struct trace trace;
};

static void errand_tell(struct errand *errand, const struct trace *trace)
{
    void (*told)(void *context, const struct trace *trace) = errand->told;
    timeout_stop(&errand->patience);
    errand->told = NULL;
    if (told)
        told(errand->context, trace);
}

static void patience_over(struct timeout *timeout)
{
    errand_tell(container_of(timeout, struct errand, patience), NULL);
}

/* On the worker's thread. */
static void traced(struct trace *trace)
{
    struct errand *errand = container_of(trace, struct errand, trace);
    mailbox_post(errand->tracer->reply_to, &errand->reply);
}

static void open_request(struct mailbox_item *item, void *reader)
{
    struct errand *errand = container_of(item, struct errand, request);
    errand->tracer->ops->trace(reader, &errand->trace);
}

static void open_reply(struct mailbox_item *item, void *reader)
{
    struct errand *errand = container_of(item, struct errand, reply);
    (void)reader;
    list_remove(&errand->in_tracer);
    errand_tell(errand, &errand->trace);
    mem_free(errand);
}

static unsigned errands_under_way(const struct tracer *tracer)
{
    unsigned count = 0;
    list_for_each(link, &tracer->errands)
        count++;
    return count;
}

int tracer_ask(struct tracer *tracer, const struct key *key, void (*told)(void *context, const struct trace *trace),
               void *context)
{
    if (tracer->closed) {
        told(context, NULL);
        return 0;
    }
    if (errands_under_way(tracer) >= TRACER_MOST)
        return -EBUSY;
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    if (!errand)
        return -ENOMEM;
    errand->tracer = tracer;
    errand->request.open = open_request;
    errand->reply.open = open_reply;
    errand->told = told;
    errand->context = context;
    errand->trace.key = *key;
    errand->trace.done = traced;
    list_push_back(&tracer->errands, &errand->in_tracer);
    timeout_start(&tracer->patience, &errand->patience);
    tracer->ops->post(tracer->context, tracer->next_worker++ % tracer->workers, &errand->request);
    return 0;
}

void tracer_init(struct tracer *tracer, const struct control_setup *setup)
{
    *tracer = (struct tracer){
        .reply_to = setup->mailbox, .ops = setup->ops, .context = setup->context, .workers = setup->config->workers};
    list_init(&tracer->errands);
    timeouts_init(&tracer->patience, setup->loop, TRACER_PATIENCE_MS, patience_over);
}

void tracer_close(struct tracer *tracer)
{
    tracer->closed = true;
    list_for_each(link, &tracer->errands)
        errand_tell(container_of(link, struct errand, in_tracer), NULL);
}

void tracer_fini(struct tracer *tracer)
{
    assert(list_empty(&tracer->errands));
    timeouts_fini(&tracer->patience);
}
