/* SPDX-License-Identifier: MIT */
/* Invariant: `done` is called exactly once, however the query ends; then the trace belongs to its owner again. */
#include <string.h>
#include "resolve/resolver.h"
#include "resolve/trace.h"
#include "validator.h"

static uint8_t *trace_room(struct query *query, size_t cap)
{
    struct trace *trace = query->origin.owner;
    (void)cap;
    return trace->answer;
}

static void trace_end(struct trace *trace, size_t len)
{
    trace->len = len;
    trace->total_us = clock_us() - trace->begun_us;
    trace->done(trace);
}

static void trace_reply(struct query *query, size_t len)
{
    struct trace *trace = query->origin.owner;
    trace->step = query_step_name(query);
    query_view_name(query, trace->view, sizeof trace->view);
    trace->replaced_by = query_replaced_by(query);
    trace_end(trace, len);
}

static void trace_dropped(struct query *query)
{
    trace_reply(query, 0);
}

static void trace_recorded(struct query *query, const struct record *record)
{
    struct trace *trace = query->origin.owner;
    trace->record = *record;
    trace->waited = true;
}

static void trace_look(struct query *query)
{
    struct trace *trace = query->origin.owner;
    struct resolver *resolver = query->resolver;
    struct cache_found found;
    uint64_t begun_us = clock_us();
    trace->cached = cache_get(resolver->cache, &query->key, query->hash, loop_now(resolver->loop), CACHE_PEEK, 0,
                              trace->answer, MESSAGE_MAX, &found);
    trace->cache_us = clock_us() - begun_us;
    trace->looked = true;
    if (trace->cached == CACHE_MISS) {
        struct answer denial;
        trace->denied = denied_find(resolver, &query->key, &denial);
        return;
    }
    trace->ttl = found.answer.ttl;
    trace->expired_ms = found.expired_ms;
}

static const struct origin_ops trace_ops = {
    .room = trace_room,
    .reply = trace_reply,
    .look = trace_look,
    .dropped = trace_dropped,
    .recorded = trace_recorded,
};

/* Unless the trace names a client, the origin has the address of the first one in access.allow: users of the control socket are not refused for
 * their address. */
static struct origin origin_of(struct trace *trace, const struct config *config)
{
    struct origin origin = {.ops = &trace_ops, .owner = trace, .tcp = true};
    if (trace->client.sa.sa_family != AF_UNSPEC) {
        origin.client = trace->client;
        return origin;
    }
    origin.client.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
    memcpy(&origin.client.in6.sin6_addr, config->access.allow[0].bytes, sizeof origin.client.in6.sin6_addr);
    return origin;
}

void trace_begin(struct trace *trace, struct resolver *resolver)
{
    const struct config *config = resolver->config;
    struct edit_ask ask = {.edns = true};
    uint8_t wire[EDIT_QUESTION_MAX];
    trace->begun_us = clock_us();
    if (config->access.allow_count == 0) {             /* no client is allowed */
        trace->step = resolver->steps->order[0]->name; /* the step that refuses */
        trace_end(trace, 0);
        return;
    }
    struct origin origin = origin_of(trace, config);
    size_t len = edit_question(wire, &trace->key, &ask);
    /* The callbacks of the origin get the outcome. */
    (void)query_start(resolver, &origin, (struct bytes){wire, len});
}
