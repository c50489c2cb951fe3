/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - a job is in the list from the posting of its item until the reply, even if its caller no longer waits;
 *   - its trace belongs to the worker during that time.
 */
#include "tracer.h"
#include <assert.h>
#include <errno.h>
#include "base/mem.h"

struct job {
    struct list_link in_tracer;
    struct tracer *tracer;
    struct mailbox_item request, reply;
    struct timeout patience;
    void (*told)(void *context, const struct trace *trace); /* NULL: it has run */
    void *context;
    struct trace trace;
};

static void job_tell(struct job *job, const struct trace *trace)
{
    void (*told)(void *context, const struct trace *trace) = job->told;
    timeout_stop(&job->patience);
    job->told = NULL;
    if (told)
        told(job->context, trace);
}

static void patience_over(struct timeout *timeout)
{
    job_tell(container_of(timeout, struct job, patience), NULL);
}

/* Runs on the worker's thread. */
static void traced(struct trace *trace)
{
    struct job *job = container_of(trace, struct job, trace);
    mailbox_post(job->tracer->reply_to, &job->reply);
}

static void open_request(struct mailbox_item *item, void *reader)
{
    struct job *job = container_of(item, struct job, request);
    job->tracer->ops->trace(reader, &job->trace);
}

static void open_reply(struct mailbox_item *item, void *reader)
{
    struct job *job = container_of(item, struct job, reply);
    (void)reader;
    list_remove(&job->in_tracer);
    job_tell(job, &job->trace);
    mem_free(job);
}

static unsigned count_jobs(const struct tracer *tracer)
{
    unsigned count = 0;
    list_for_each(link, &tracer->jobs)
        count++;
    return count;
}

int tracer_ask(struct tracer *tracer, const struct key *key, const struct addr *client,
               void (*told)(void *context, const struct trace *trace), void *context)
{
    if (tracer->closed) {
        told(context, NULL);
        return 0;
    }
    if (count_jobs(tracer) >= TRACER_MOST)
        return -EBUSY;
    struct job *job = mem_zalloc(1, sizeof *job);
    if (!job)
        return -ENOMEM;
    job->tracer = tracer;
    job->request.open = open_request;
    job->reply.open = open_reply;
    job->told = told;
    job->context = context;
    job->trace.key = *key;
    job->trace.client = *client;
    job->trace.done = traced;
    list_push_back(&tracer->jobs, &job->in_tracer);
    timeout_start(&tracer->patience, &job->patience);
    tracer->ops->post(tracer->context, tracer->next_worker++ % tracer->workers, &job->request);
    return 0;
}

void tracer_init(struct tracer *tracer, const struct control_setup *setup)
{
    *tracer = (struct tracer){
        .reply_to = setup->mailbox, .ops = setup->ops, .context = setup->context, .workers = setup->config->workers};
    list_init(&tracer->jobs);
    timeouts_init(&tracer->patience, setup->loop, TRACER_PATIENCE_MS, patience_over);
}

void tracer_close(struct tracer *tracer)
{
    tracer->closed = true;
    list_for_each(link, &tracer->jobs)
        job_tell(container_of(link, struct job, in_tracer), NULL);
}

void tracer_fini(struct tracer *tracer)
{
    assert(list_empty(&tracer->jobs));
    timeouts_fini(&tracer->patience);
}
