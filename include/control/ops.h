/* SPDX-License-Identifier: MIT */
/* What the control side is given: how to reach the workers, and what it shows.
 *
 * Owns:    nothing; see each member.
 * Threads: the main thread's, but for control_ops.report and control_ops.trace.
 */
#ifndef DOTSTUB_CONTROL_OPS_H
#define DOTSTUB_CONTROL_OPS_H

#include <sys/types.h>
#include "base/counters.h"
#include "cache/cache.h"
#include "config/config.h"
#include "net/mailbox.h"
#include "resolve/recorder.h"
#include "resolve/tally.h"
#include "resolve/trace.h"
#include "upstream/report.h"
#include "upstream/routes.h"

/* What a worker tells. */
struct worker_report {
    size_t waiting;                   /* queries that wait for an answer */
    uint64_t counters[COUNTER_COUNT]; /* of the same moment: received = finished + dropped + waiting */
    struct tally tally;
    unsigned tcp_clients;
    struct server_report *servers; /* room for `server_count` */
    size_t server_count;           /* one for each address of each upstream entry of each group, in the routes' order */
    bool with_records;             /* asked for: */
    struct record *records;        /* room for RECORDER_ALL, as recorder_copy gives them */
    unsigned record_count;
};

/* What came of reading the configuration again. */
struct reload_result {
    int status;            /* 0, or negative: the configuration that was in force before is in force still */
    const char *mistakes;  /* then: why, in lines */
    const char *postponed; /* else: settings that differ and take effect at the next start, each with a newline; "" */
};
/* One who wants to know. */
struct reload_wait {
    struct list_link link;
    void (*done)(struct reload_wait *wait, const struct reload_result *result);
};

/* Filled from above: how to reach the workers. */
struct control_ops {
    const struct counters *(*counters)(void *context, unsigned worker);
    void (*post)(void *context, unsigned worker, struct mailbox_item *item);
    /* On the worker's thread; `reader` is what its mailbox gives to items. */
    void (*report)(void *reader, struct worker_report *out);
    /* Likewise; `done` is called there, now or later. */
    void (*trace)(void *reader, struct trace *trace);
    /* Something was flushed. May be NULL. */
    void (*flushed)(void *context);
    /* Health checks shall fail from now on, and the daemon stop after so long. */
    void (*drain)(void *context, uint64_t ms);
    /* The configuration shall be read again; `done` comes when all workers have gone over to it, or when it cannot be used. */
    void (*reload)(void *context, struct reload_wait *wait);
};

struct control_setup {
    struct loop *loop;
    struct mailbox *mailbox; /* of that loop: for the workers' answers */
    struct config *config;   /* kept by reference, */
    struct routes *routes;   /* and these */
    struct cache *cache;
    const struct addr *listening; /* where questions are answered; copied */
    size_t listening_count;
    uid_t uid; /* whom the socket is for */
    gid_t gid;
    const struct control_ops *ops;
    void *context;
    int *taken; /* listening sockets of the process before; those that fit are used, and -1 then */
    size_t taken_count;
};

#endif
