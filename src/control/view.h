/* SPDX-License-Identifier: MIT */
/* The state of the daemon that request handlers use.
 *
 * Owns:    Nothing by itself: control.c fills and frees it.
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_VIEW_H
#define DOTSTUB_CONTROL_VIEW_H

#include "control/ops.h"
#include "reloads.h"
#include "gather.h"
#include "health.h"
#include "token.h"
#include "tracer.h"

enum readiness { READY_NOT_YET, READY_YES, READY_DRAINING, READY_STOPPING };

struct view {
    const struct config *config;
    const struct routes *routes;
    struct cache *cache;
    const struct control_ops *ops;
    void *context;
    struct addr *listening;
    size_t listening_count;
    uint64_t started_ms; /* boot-time clock */
    int64_t started_wall_s;
    enum readiness readiness;
    struct token token;                /* for names on metrics.listen */
    const struct http_server *metrics; /* NULL: not served */
    struct gather gather;
    struct tracer tracer;
    struct reloads reloads;
    const struct sandbox_report *sandbox;
    struct daemon_health health;
};

/* A counter, summed over the workers. */
static inline uint64_t view_counter(const struct view *view, enum counter which)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < view->config->workers; w++)
        sum += counter_read(view->ops->counters(view->context, w), which);
    return sum;
}

#endif
