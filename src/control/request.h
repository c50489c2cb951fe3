/* SPDX-License-Identifier: MIT */
/* What those who answer requests share: arguments and replies.
 *
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_REQUEST_H
#define DOTSTUB_CONTROL_REQUEST_H

#include "server.h"
#include "view.h"

#define REQUEST_JSON "application/json"

/* NULL: it was not given. "name" and "name=" are an empty text. */
const char *request_argument(const struct http_request *request, const char *name);
/* As http_reply, with JSON; with the sentence of a mistake; because the workers have not answered. */
void request_reply(struct http_request *request, unsigned status, char *text);
void request_refuse(struct http_request *request, unsigned status, const char *sentence);
void request_no_report(struct view *view, struct http_request *request);

#endif
