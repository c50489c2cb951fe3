/* SPDX-License-Identifier: MIT */
/* The query log: a line for each answered query, or for one in N, if enabled (log.queries, POST /log).
 *
 * Does:    collects the lines of a turn and writes them before the loop sleeps; lines that cannot be written at
 *          once are lost and counted.
 * Owns:    the lines that were not written yet.
 * Threads: the worker's; querylog_set and querylog_sample from any.
 */
#ifndef DOTSTUB_RESOLVE_QUERYLOG_H
#define DOTSTUB_RESOLVE_QUERYLOG_H

#include <stdatomic.h>
#include "base/addr.h"
#include "base/counters.h"
#include "base/log.h"
#include "dns/message.h"
#include "net/loop.h"

struct server;

/* The source of a response. */
enum how { HOW_HIT, HOW_MISS, HOW_STALE, HOW_LOCAL, HOW_FAILED /* no upstream answered */ };

struct querylog_entry {
    const struct addr *client;
    bool tcp;
    const uint8_t *name; /* in wire form, in the client's letter case; NULL: unreadable */
    uint16_t type, rcode;
    enum how how;
    uint64_t ms;                 /* time that the query waited */
    const struct server *server; /* of the latest attempt; NULL: none */
    const char *view;            /* NULL: none */
    const struct ede_list *ede;
};

struct querylog {
    struct loop *loop;
    struct counters *counters;
    struct loop_flush flush; /* added while there are lines */
    unsigned passed;         /* queries since the last logged one */
    size_t len;
    char lines[LOG_BATCH];
};

void querylog_init(struct querylog *log, struct loop *loop, struct counters *counters);
/* Writes the remaining lines. */
void querylog_fini(struct querylog *log);
void querylog_note(struct querylog *log, const struct querylog_entry *entry);

/* Logs one of every `sample` queries; 0: none. For all workers. */
void querylog_set(unsigned sample);
extern _Atomic unsigned querylog_one_in;
static inline unsigned querylog_sample(void)
{
    return atomic_load_explicit(&querylog_one_in, memory_order_relaxed);
}

#endif
