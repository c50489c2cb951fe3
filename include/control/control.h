/* SPDX-License-Identifier: MIT */
/* The control side: what people and their tools ask of a running daemon, over HTTP.
 *
 * Does:    on the unix socket control.socket (root, the daemon's user, the socket's group): status, counters, configuration,
 *          the cache, flushing, the level of the log; on metrics.listen (anybody who reaches it): metrics and health, read-only.
 *          What a worker knows is asked of it by letter and answered with a copy; nothing here waits for a worker, nor makes
 *          one wait.
 * Owns:    its sockets and connections, and items under way.
 * Threads: the main thread's, but for control_ops.report.
 */
#ifndef DOTSTUB_CONTROL_CONTROL_H
#define DOTSTUB_CONTROL_CONTROL_H

#include "control/ops.h"

struct control;

/* Opens the sockets, before privileges are dropped and before there are other threads. 0 (also when there is nothing to serve),
 * or negative after one line that says what is wrong and what to do: -EACCES, -EADDRINUSE, ... A default control socket that
 * cannot be had is one line of information and no error. */
int control_open(struct control **out, const struct control_setup *setup) MUST_CHECK;
/* Its listening sockets, for the next process: their number. Borrowed. */
#define CONTROL_SOCKETS 2
size_t control_sockets(const struct control *control, int out[CONTROL_SOCKETS]);
/* The next process listens on them now: this one closes its own, and leaves the unix socket's file there. After control_stopping. */
void control_hand_over(struct control *control);
/* How many descriptors it may hold at once. */
unsigned control_descriptors(const struct config *config);
/* The workers run. Before: not ready. */
void control_started(struct control *control);
/* Another configuration and other routes are in force (kept by reference); their items have been posted to the workers. */
void control_configure(struct control *control, struct config *config, struct routes *routes);
/* The configuration was read again; all is copied. */
void control_reloaded(struct control *control, const struct reload_result *result);
/* They answer still, but not for long: not ready any more. */
void control_draining(struct control *control);
/* They are about to be stopped: no item is posted any more, those who wait for one are told. Not ready any more. */
void control_stopping(struct control *control);
/* Closes the sockets; after control_stopping, or where no worker was ever started. */
void control_close(struct control *control);
/* When all items are back: the workers have ended and the mailbox was closed. NULL does nothing. */
void control_free(struct control *control);

#endif
