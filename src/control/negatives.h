/* SPDX-License-Identifier: MIT */
/* Requests about negative trust anchors.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_NEGATIVES_H
#define DOTSTUB_CONTROL_NEGATIVES_H

#include "server.h"
#include "view.h"

/* Lists the anchors of the configuration, and those added at run time. */
void negatives_show(struct view *view, struct http_request *request);
/* Adds "name" for the time "for" (default 1h). */
void negatives_add(struct view *view, struct http_request *request);
/* Removes "name". */
void negatives_remove(struct view *view, struct http_request *request);

#endif
