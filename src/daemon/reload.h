/* SPDX-License-Identifier: MIT */
/* Reading the configuration again while questions are answered.
 *
 * Does:    all or nothing: whatever can fail is done before anything changes; then each worker gets two items, with the
 *          configuration and with the routes that follow from it, and goes over to them between two turns of its loop. Sockets and cache stay. What is asked for while one is under way
 *          is done once more after it.
 * Owns:    what is on its way to the workers; *config, whose reference it exchanges, is the daemon's.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_RELOAD_H
#define DOTSTUB_DAEMON_RELOAD_H

#include "control/control.h"
#include "routing.h"

struct reload_setup {
    const char *file;       /* as on the command line; NULL: the default */
    struct config **config; /* in force */
    struct worker **workers;
    unsigned count; /* of workers */
    struct routing *routing;
    struct control *control;
    unsigned (*client_limit)(const struct config *config);
    void (*tell)(const char *assignments); /* the service manager */
    /* Others are in force; borrowed until the next time. */
    void (*changed)(const struct config *config, struct routes *routes);
};

struct reload_change;
struct reload {
    struct reload_setup setup;
    struct config *started;        /* that the daemon started with */
    struct reload_change *changes; /* one for each worker; NULL: nothing is under way */
    struct routing_change *routes; /* prepared and not committed */
    unsigned outstanding;          /* workers that have not gone over yet, and the routes */
    char *postponed;               /* of the one that is under way */
    struct list waiting, next;     /* who waits for this one, and for the next */
    bool again, stopped;
};

/* The workers run. */
void reload_init(struct reload *reload, const struct reload_setup *setup);
/* `wait` NULL: nobody wants to know. */
void reload_ask(struct reload *reload, struct reload_wait *wait);
/* The workers are about to be stopped: none is begun any more. */
void reload_stop(struct reload *reload);
/* They have ended. */
void reload_fini(struct reload *reload);

#endif
