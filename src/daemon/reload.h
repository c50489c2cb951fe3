/* SPDX-License-Identifier: MIT */
/* Reload of the configuration while queries are answered.
 *
 * Does:    all or nothing: everything that can fail is done before anything changes. Then each worker gets two
 *          mailbox items, with the configuration and with the routes that follow from it, and applies each between
 *          two turns of its loop. Sockets and cache stay. A reload requested while one is under way runs after it.
 * Owns:    the changes on their way to the workers; *config belongs to the daemon, whose reference is exchanged.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_RELOAD_H
#define DOTSTUB_DAEMON_RELOAD_H

#include "control/control.h"
#include "routing.h"
#include "sandbox.h"

struct reload_setup {
    const char *file;        /* as on the command line; NULL: the default */
    struct config **config;  /* in force */
    struct step_set **steps; /* in force */
    struct worker **workers;
    unsigned count; /* of workers */
    struct routing *routing;
    struct control *control;
    unsigned (*client_limit)(const struct config *config);
    const struct sandbox *sandbox;
    void (*tell)(const char *assignments); /* the service manager */
    /* Called with the new ones; borrowed until the next call. */
    void (*changed)(struct config *config, struct routes *routes);
};

struct reload_change;
struct reload {
    struct reload_setup setup;
    struct config *started;        /* the snapshot that the daemon started with */
    struct reload_change *changes; /* one for each worker; NULL: no reload is under way */
    struct routing_change *routes; /* prepared, not yet committed */
    struct step_set *steps;        /* prepared; then the previous ones, until the workers have switched */
    unsigned outstanding;          /* workers that have not switched yet, plus 1 for the routes */
    char *postponed;               /* of the reload under way */
    struct list waiting, next;     /* callers that wait for this reload, and for the next */
    bool again, stopped;
};

/* Call it when the workers run. */
void reload_init(struct reload *reload, const struct reload_setup *setup);
/* Requests a reload. `wait` NULL: the caller needs no result. */
void reload_ask(struct reload *reload, struct reload_wait *wait);
/* Call it before the workers are stopped: no further reload begins. */
void reload_stop(struct reload *reload);
/* Call it when the workers have ended. */
void reload_fini(struct reload *reload);

#endif
