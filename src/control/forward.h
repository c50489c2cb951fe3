/* SPDX-License-Identifier: MIT */
/* Routes over the control socket: the list, and those added at run time.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_FORWARD_H
#define DOTSTUB_CONTROL_FORWARD_H

#include "request.h"

void forward_list(struct view *view, struct http_request *request);
void forward_add(struct view *view, struct http_request *request);
void forward_remove(struct view *view, struct http_request *request);
/* The window for a captive portal. */
void portal_status(struct view *view, struct http_request *request);
void portal_open(struct view *view, struct http_request *request);
void portal_close(struct view *view, struct http_request *request);

#endif
