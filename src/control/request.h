/* SPDX-License-Identifier: MIT */
/* Helpers for request handlers: arguments and JSON replies.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_REQUEST_H
#define DOTSTUB_CONTROL_REQUEST_H

#include "dns/name.h"
#include "server.h"
#include "view.h"

#define REQUEST_JSON "application/json"

/* Returns NULL if the argument is absent, "" for "name" and "name=". */
const char *request_argument(const struct http_request *request, const char *name);
/* Reads the argument "name". Its length in wire form, or -EINVAL: the request was refused. */
int request_name(struct http_request *request, uint8_t out[NAME_MAX_WIRE]);
/* Why name_from_text refused this text, or NULL as text. */
const char *request_name_mistake(const char *text);
/* For a name that includes those below it. True: it begins with "*.", so the request was refused. */
bool request_is_wildcard(struct http_request *request, const uint8_t *name);
/* Seconds of "30s", "10m", "2h", "1d" or "0"; -1: not a time, or above `most`. */
int64_t request_seconds(const char *text, int64_t most);
/* Reply with JSON; with an error sentence; with 503 because a worker did not reply. Each ends the request. */
void request_reply(struct http_request *request, unsigned status, char *text);
void request_refuse(struct http_request *request, unsigned status, const char *sentence);
void request_no_report(struct view *view, struct http_request *request);

#endif
