/* SPDX-License-Identifier: MIT */
/* Listeners: where queries of clients come in.
 *
 * Does:    a worker holds a list of listeners, one for each socket that it is given. They share its places for clients on
 *          connections.
 * Owns:    handles, buffers and clients; once opened, the descriptors.
 * Threads: the worker's; the table and what it says about configurations: any.
 */
#ifndef DOTSTUB_LISTEN_LISTENERS_H
#define DOTSTUB_LISTEN_LISTENERS_H

#include "listen/kind.h"
#include "resolve/context.h"

struct listeners;

/* The table; ends with NULL. */
extern const struct listener_kind *const listener_kinds[];

/* The listeners of one worker, none yet. `client_limit`: most clients on connections at once. 0 or -ENOMEM. */
int listeners_new(struct listeners **out, struct resolver *resolver, unsigned client_limit) MUST_CHECK;
/* Adds one: as its kind's open. */
int listeners_open(struct listeners *listeners, const struct listener_spec *spec, int fd) MUST_CHECK;
/* The resolver's configuration is another one now; clients that are there stay. */
void listeners_configure(struct listeners *listeners, unsigned client_limit);
/* Each as the table says. */
void listeners_stop(struct listeners *listeners);
void listeners_drain(struct listeners *listeners);
void listeners_close(struct listeners *listeners);
/* How many clients on connections there are. */
unsigned listeners_clients(const struct listeners *listeners);
/* After listeners_close, when all handles are closed. */
void listeners_free(struct listeners *listeners);

#endif
