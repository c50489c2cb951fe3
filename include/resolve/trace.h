/* SPDX-License-Identifier: MIT */
/* A query that a person sends to see how it is processed.
 *
 * Does:    walks the steps as a client's query over TCP does, and watches it by its origin's callbacks; the cache only reports its
 *          entry, so that the query continues with a lookup of its own or joins one.
 * Owns:    nothing; a trace belongs to its caller, and to the worker from trace_begin until `done`.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_TRACE_H
#define DOTSTUB_RESOLVE_TRACE_H

#include "cache/cache.h"
#include "dns/key.h"
#include "resolve/recorder.h"

struct resolver;

struct trace {
    /* Set by the owner: */
    struct key key;                    /* name in lower case, type, class; no flags */
    void (*done)(struct trace *trace); /* the last that the worker does with it */
    /* The outcome: */
    const char *step; /* the step that answered, asked or dropped it; a constant */
    bool looked;      /* into the cache, and found: */
    enum cache_result cached;
    uint32_t ttl;        /* seconds left */
    uint64_t expired_ms; /* ago */
    uint64_t begun_us, cache_us, total_us;
    bool waited; /* it was asked upstream, and how that went: */
    struct record record;
    size_t len; /* of the answer; 0: there was none */
    uint8_t answer[MESSAGE_MAX];
};

void trace_begin(struct trace *trace, struct resolver *resolver);

#endif
