/* SPDX-License-Identifier: MIT */
/* Helpers for request handlers: arguments and JSON replies.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_REQUEST_H
#define DOTSTUB_CONTROL_REQUEST_H

#include "server.h"
#include "view.h"

#define REQUEST_JSON "application/json"

/* Returns NULL if the argument is absent, "" for "name" and "name=". */
const char *request_argument(const struct http_request *request, const char *name);
/* Reply with JSON; with an error sentence; with 503 because a worker did not reply. Each ends the request. */
void request_reply(struct http_request *request, unsigned status, char *text);
void request_refuse(struct http_request *request, unsigned status, const char *sentence);
void request_no_report(struct view *view, struct http_request *request);

#endif
