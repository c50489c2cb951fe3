/* SPDX-License-Identifier: MIT */
/* The control side: HTTP for operators and their tools.
 *
 * Does:    On the unix socket control.socket (for root, the daemon's user and the socket's group): status, counters,
 *          configuration, cache contents, flush, log levels. On metrics.listen (for everybody who can connect):
 *          metrics and health, read-only. Workers get requests by mailbox item and reply with a copy, so neither
 *          side blocks the other.
 * Owns:    Its sockets and connections, and its mailbox items in flight.
 * Threads: Main thread, except control_ops.report and control_ops.trace.
 */
#ifndef DOTSTUB_CONTROL_CONTROL_H
#define DOTSTUB_CONTROL_CONTROL_H

#include "control/ops.h"

struct control;

/* Opens the sockets. Call it before privileges are dropped and before other threads start. A socket that cannot be
 * opened is logged and tried again every few seconds: queries do not depend on it. 0 or -ENOMEM. */
int control_open(struct control **out, const struct control_setup *setup) MUST_CHECK;
/* Copies its listening descriptors for the next process; returns their number. They stay owned by `control`. */
#define CONTROL_SOCKETS 2
size_t control_sockets(const struct control *control, int out[CONTROL_SOCKETS]);
/* True if the unix socket is open. */
bool control_has_socket(const struct control *control);
/* Closes the sockets after a hand-over, without removing the unix socket's file. Call control_stopping first. */
void control_hand_over(struct control *control);
/* The most descriptors that it can hold at once. */
unsigned control_descriptors(const struct config *config);
/* The workers run: /readyz succeeds from now on. */
void control_started(struct control *control);
/* Addresses may have come: tries again at once to open what failed. */
void control_network_changed(struct control *control);
/* Takes references to a new configuration and new routes. Call it after their items were posted to the workers. */
void control_configure(struct control *control, struct config *config, struct routes *routes);
/* The addresses of the DNS listeners have changed. */
void control_listening(struct control *control, const struct addr *listening, size_t count);
/* Records the result of a reload; copies it. */
void control_reloaded(struct control *control, const struct reload_result *result);
/* The daemon stops soon: /readyz fails from now on, everything else works. */
void control_draining(struct control *control);
/* The workers are about to stop: posts no more items, and fails the requests that wait for one. */
void control_stopping(struct control *control);
/* Closes the sockets. Call it after control_stopping, or if no worker was started. */
void control_close(struct control *control);
/* Call it when all items have returned: the workers have ended and the mailbox is closed. NULL does nothing. */
void control_free(struct control *control);

#endif
