/* SPDX-License-Identifier: MIT */
/* The paths: what each one takes, and who answers it.
 *
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_API_H
#define DOTSTUB_CONTROL_API_H

#include "server.h"
#include "view.h"

/* Answers a request of the control socket; of metrics.listen. */
void api_control(struct view *view, struct http_request *request);
void api_metrics(struct view *view, struct http_request *request);

/* True if a request that came by TCP may bear this Host (NULL: none): an address, localhost or this machine's name. A page in some
 * browser that had its own name point here cannot read what is answered (DNS rebinding). */
bool api_host_is_ours(const char *host, const char *machine);

#endif
