/* SPDX-License-Identifier: MIT */
/* Requests about names, on the control socket only: cache entries, recorded queries, traces.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_QUERIES_H
#define DOTSTUB_CONTROL_QUERIES_H

#include "server.h"
#include "view.h"

void queries_cache(struct view *view, struct http_request *request);
/* `sum` includes the records; NULL: a worker did not reply. */
void queries_explain(struct view *view, struct http_request *request, const struct gather_sum *sum);
void queries_trace(struct view *view, struct http_request *request);

#endif
