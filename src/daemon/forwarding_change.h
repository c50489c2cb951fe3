/* SPDX-License-Identifier: MIT */
/* One change of the routes added at run time, from the list that it makes to the flush that ends it.
 *
 * Does:    makes the next list from the one in force, switches the workers to it, saves it, and flushes the zones.
 * Owns:    a change owns its list and its texts; once it is applied it frees itself.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_FORWARDING_CHANGE_H
#define DOTSTUB_DAEMON_FORWARDING_CHANGE_H

#include <stdio.h>
#include "control/ops.h"
#include "net/loop.h"
#include "routing.h"
#include "sandbox.h"

struct ifaddrs;

struct forwarding_setup {
    struct loop *loop;
    struct routing *routing;
    struct cache *cache;
    const struct sandbox *sandbox;
    /* True while another process is taking over: nothing may change then. */
    bool (*is_busy)(void);
    /* Other routes are in force; they were posted to the workers. */
    void (*changed)(struct routes *routes);
    /* Entries of the cache were flushed. */
    void (*flushed)(void);
};

struct forwarding {
    struct forwarding_setup setup;
    struct loop_tick tick;
    struct added_route **known; /* those in force after the last change */
    size_t known_count;
    unsigned flushing; /* changes whose flush is not over */
    bool stopped;
};

/* A text that grows; closed before it is read. */
struct note {
    FILE *out;
    char *text;
    size_t len;
};

/* False: memory is lacking. note_end closes the note; then its text may be read. */
bool note_open(struct note *note) MUST_CHECK;
bool note_end(struct note *note) MUST_CHECK;
/* Does nothing to zeroed memory. */
void note_free(struct note *note);

enum drop_why { DROP_REPLACED, DROP_ASKED, DROP_ENDED, DROP_PORTAL };

/* Which zones leave the list, and what is known of the change afterwards. */
struct forwarding_change {
    struct forwarding *forwarding;
    struct forward_wait *wait;             /* NULL: nobody waits */
    struct added_route *fresh;             /* to be added; NULL: none */
    const struct forward_request *request; /* while it is prepared */
    enum drop_why why;
    uint64_t now_ms;
    struct ifaddrs *interfaces;   /* DROP_ENDED: those of this moment */
    const struct added_route *at; /* the route whose zones are asked about */
    struct added_route **list;
    size_t count;
    struct note flush;    /* zones to flush, one a line */
    struct note told;     /* zones that were added or removed */
    struct note replaced; /* zones of the configuration that have another route now */
    uint64_t left_s;
    bool saved;
    uv_work_t work;   /* the flush */
    uint64_t flushed; /* entries */
};

/* NULL when out of memory. */
struct forwarding_change *change_new(struct forwarding *forwarding, enum drop_why why) MUST_CHECK;
/* Frees a change that was not applied. */
void change_free(struct forwarding_change *change);
/* Applies the change, which then ends by itself. On failure nothing has changed, and the caller still has it: -ENOMEM,
 * -E2BIG (too many groups), or ERROR_CONFIG with a sentence in `errors`. */
int change_apply(struct forwarding_change *change, FILE *errors) MUST_CHECK;
/* Why the route ends at the time of the change; NULL: it does not. */
const char *change_end_of(const struct forwarding_change *change, const struct config_route *route);
/* Call it with another list in force: saves it, and finds the next end of a route. True: it was saved. */
bool change_list_changed(struct forwarding *forwarding);

bool route_has_zone(const struct config_route *route, const char *zone);
#endif
