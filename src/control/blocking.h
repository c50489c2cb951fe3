/* SPDX-License-Identifier: MIT */
/* Requests about block lists.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_BLOCKING_H
#define DOTSTUB_CONTROL_BLOCKING_H

#include <stdio.h>
#include "server.h"
#include "view.h"

/* The lists, and the names that are unblocked. */
void blocking_list(struct view *view, struct http_request *request);
/* The fate of "name". */
void blocking_test(struct view *view, struct http_request *request);
/* Unblocks "name" for the time "for" (default 10m; 0 ends it). */
void blocking_unblock(struct view *view, struct http_request *request);
/* Metrics of each list. */
void blocking_metrics(FILE *out, const struct view *view);

#endif
