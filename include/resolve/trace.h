/* SPDX-License-Identifier: MIT */
/* A query that an operator sends to see how it is processed.
 *
 * Does:    runs the query through the steps like a client's query over TCP, and observes it by the callbacks of its
 *          origin; the cache step only reports its entry, so that the query starts or joins a lookup.
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
    struct addr client;                /* unset (AF_UNSPEC): the first address of access.allow */
    void (*done)(struct trace *trace); /* the worker does not use the trace after this call */
    /* The outcome: */
    const char *step;        /* the step that answered, forwarded or dropped the query; a constant */
    const char *replaced_by; /* the last step that replaced the response; NULL: none */
    char view[RECORD_VIEW];  /* the view of the client; "": none */
    bool looked;             /* the query reached the cache step, which found: */
    enum cache_result cached;
    bool denied;         /* a miss, but proofs in the cache deny the name or type (RFC 8198) */
    uint32_t ttl;        /* seconds left */
    uint64_t expired_ms; /* for how long it has been expired */
    uint64_t begun_us, cache_us, total_us;
    bool waited; /* the query waited for a lookup, whose record is: */
    struct record record;
    size_t len; /* bytes of the response; 0: none */
    uint8_t answer[MESSAGE_MAX];
};

void trace_begin(struct trace *trace, struct resolver *resolver);

#endif
