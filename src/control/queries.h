/* SPDX-License-Identifier: MIT */
/* What is asked about names, on the control socket only: what is kept of them, what became of them, and what does now.
 *
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_QUERIES_H
#define DOTSTUB_CONTROL_QUERIES_H

#include "server.h"
#include "view.h"

void queries_cache(struct view *view, struct http_request *request);
/* `sum` with records, or NULL. */
void queries_explain(struct view *view, struct http_request *request, const struct gather_sum *sum);
void queries_trace(struct view *view, struct http_request *request);

#endif
