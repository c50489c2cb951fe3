/* SPDX-License-Identifier: MIT */
/* Interface from the daemon to the control side: callbacks to reach the workers, and the objects that it reports on.
 *
 * Owns:    Nothing; see each member.
 * Threads: Main thread, except control_ops.report and control_ops.trace.
 */
#ifndef DOTSTUB_CONTROL_OPS_H
#define DOTSTUB_CONTROL_OPS_H

#include <sys/types.h>
#include "base/counters.h"
#include "cache/cache.h"
#include "config/config.h"
#include "net/mailbox.h"
#include "resolve/blocked.h"
#include "resolve/recorder.h"
#include "resolve/tally.h"
#include "resolve/trace.h"
#include "upstream/report.h"
#include "store/store.h"
#include "upstream/routes.h"

/* The state of one worker at one moment. */
struct worker_report {
    size_t waiting;                   /* queries that wait for a response */
    uint64_t counters[COUNTER_COUNT]; /* received = finished + dropped + waiting */
    struct tally tally;
    unsigned tcp_clients;
    struct server_report *servers;      /* the caller's array of `server_count` */
    size_t server_count;                /* one for each address of each upstream of each group, in the routes' order */
    struct store_server_report *stores; /* the caller's array of `store_room` */
    size_t store_room, store_count;
    bool with_records;      /* set by the caller: also copy the records */
    struct record *records; /* the caller's array of RECORDER_ALL, filled by recorder_copy */
    unsigned record_count;
};

/* The result of a reload. */
struct reload_result {
    int status;            /* 0, or negative: the previous configuration stays in force */
    const char *mistakes;  /* if negative: one line for each mistake */
    const char *postponed; /* if 0: names of changed settings that need a restart, one per line; may be "" */
};
/* A callback for the result of a reload. */
struct reload_wait {
    struct list_link link;
    void (*done)(struct reload_wait *wait, const struct reload_result *result);
};

/* A change of the routes that are added at run time. The texts are borrowed for the call. */
enum forward_verb { FORWARD_ADD, FORWARD_REMOVE, FORWARD_OPEN, FORWARD_CLOSE /* the portal window */ };
struct forward_request {
    enum forward_verb verb;
    const char *zones, *servers, *interface, *duration; /* NULL: not given */
    bool plain, replace;
};
struct forward_result {
    int status;           /* 0; ERROR_CONFIG; -EBUSY: an upgrade is under way; or another error: nothing has changed */
    const char *mistakes; /* with ERROR_CONFIG: one sentence a line */
    const char *zones;    /* with 0: those that were added or removed, one a line */
    const char *replaced; /* with 0: those added that the configuration has a route for, one a line */
    uint64_t flushed;     /* entries of the cache */
    uint64_t left_s;      /* of an added route; 0: it has no end */
    bool saved;           /* the routes are kept over a restart */
};
struct forward_wait {
    void (*done)(struct forward_wait *wait, const struct forward_result *result);
};

/* A flush of the whole fleet (store.servers). */
struct flush_result {
    int status;             /* 0; -ENOTSUP: there is no store; or another error: nothing was flushed */
    uint64_t flushed;       /* entries of the local cache */
    unsigned told, servers; /* servers of the store that have noted it, of all */
};
struct flush_wait {
    void (*done)(struct flush_wait *wait, const struct flush_result *result);
};

/* The addresses of an upstream that is configured by a host name. */
struct host_report {
    const char *upstream, *host;
    bool plain; /* its bootstrap servers are not encrypted */
    struct addr addresses[CONFIG_HOST_ADDRESSES];
    size_t count;
    uint64_t resolved_ms; /* 0: not since the start */
    uint64_t due_ms;      /* of the next lookup; 0: one is under way */
    int error;            /* of the latest lookup; 0: none */
};

/* Callbacks into the daemon. */
struct control_ops {
    const struct counters *(*counters)(void *context, unsigned worker);
    void (*post)(void *context, unsigned worker, struct mailbox_item *item);
    /* Runs on the worker's thread; `reader` is the context that its mailbox passes to items. */
    void (*report)(void *reader, struct worker_report *out);
    /* Runs on the worker's thread; the trace's `done` is called there, now or later. */
    void (*trace)(void *reader, struct trace *trace);
    /* Entries of the cache were flushed. May be NULL. */
    void (*flushed)(void *context);
    /* Flushes a name, with `below` all names below it as well, on all replicas; `wait->done` runs, now or later. */
    void (*flush_fleet)(void *context, const uint8_t *name, size_t len, bool below, struct flush_wait *wait);
    /* Makes health checks fail from now on, and stops the daemon after `ms`. */
    void (*drain)(void *context, uint64_t ms);
    /* Reloads; `wait->done` runs when all workers use the new configuration, or when it was rejected. */
    void (*reload)(void *context, struct reload_wait *wait);
    /* Adds or removes routes; `wait->done` runs, now or later, when all workers have switched and the zones are flushed
     * from the cache, or when it was refused. */
    void (*forward)(void *context, const struct forward_request *request, struct forward_wait *wait);
    /* Writes at most `room` reports about hosts of upstreams; returns their number. May be NULL. */
    size_t (*hosts)(void *context, struct host_report *out, size_t room);
    /* Of policy/blocking.h. */
    size_t (*block_lists)(void *context, struct block_list_report out[BLOCK_LISTS_MAX]);
    void (*block_test)(void *context, const uint8_t *name, size_t len, struct block_test *out);
    int (*unblock)(void *context, const uint8_t *name, size_t len, uint64_t until_ms);
    size_t (*unblocked)(void *context, struct block_unblocked out[BLOCK_UNBLOCKED_MAX]);
    /* The configured trust anchors (resolve/tracked.h); NULL: nothing is validated. May be NULL. */
    struct anchors *(*anchors)(void *context);
    /* Adds or removes (resolve/negatives.h) a negative trust anchor. */
    int (*change_negative)(void *context, const uint8_t *name, size_t len, uint64_t until_ms, bool *saved);
};

/* The restrictions in force. */
struct sandbox_report {
    bool system_calls, files, tcp_ports;
    unsigned landlock; /* the version of the kernel's Landlock; 0: not used */
};

struct control_setup {
    struct loop *loop;
    struct mailbox *mailbox; /* of that loop: for the workers' replies */
    struct config *config;   /* control_open takes a reference */
    struct routes *routes;   /* likewise */
    struct cache *cache;
    const struct addr *listening; /* addresses of the DNS listeners; copied */
    size_t listening_count;
    uid_t uid; /* owner of the unix socket */
    gid_t gid;
    const struct control_ops *ops;
    void *context;
    const struct sandbox_report *sandbox; /* borrowed */
    int *taken; /* listening descriptors from the previous process; each one that is used is set to -1 */
    size_t taken_count;
};

#endif
