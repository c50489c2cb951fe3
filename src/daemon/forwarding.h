/* SPDX-License-Identifier: MIT */
/* Routes added at run time: dotstubctl forward.
 *
 * Does:    adds and removes them; removes those whose time is over or whose interface is gone. Each change is a switch
 *          of the routes of all workers (routing.h), then a flush of the zones concerned, in all groups; only then is
 *          it reported as done. A route added at run time replaces one of the configuration for the same zone. Their
 *          number is limited by limits.added-routes. They are in force over a reload. The saved state has them
 *          (routefile.h), and a process that takes over gets them.
 * Owns:    changes on their way; the routes themselves belong to routing.h.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_FORWARDING_H
#define DOTSTUB_DAEMON_FORWARDING_H

#include "forwarding_change.h"

#define FORWARDING_ZONES 64 /* of one route */

/* Call it when privileges are dropped and before the workers run: puts the routes of the saved state into force, or those
 * of the previous process if `taken` is not NULL. A route that cannot be used is logged and left out. */
void forwarding_begin(struct forwarding *forwarding, const struct forwarding_setup *setup, const struct bytes *taken);
/* Adds or removes routes; the request is borrowed for the call. */
void forwarding_ask(struct forwarding *forwarding, const struct forward_request *request, struct forward_wait *wait);
/* An encrypted upstream answers: closes the portal window, if it is open. */
void forwarding_portal_over(struct forwarding *forwarding);
/* Interfaces may have come or gone. */
void forwarding_network_changed(struct forwarding *forwarding);
/* A reload is in force: logs which routes it has removed. */
void forwarding_reloaded(struct forwarding *forwarding);
/* Call it before the workers are stopped: no further change begins. */
void forwarding_stop(struct forwarding *forwarding);
/* Call it when the workers have ended: waits for flushes. */
void forwarding_wait(struct forwarding *forwarding);
void forwarding_fini(struct forwarding *forwarding);

#endif
