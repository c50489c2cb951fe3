/* SPDX-License-Identifier: MIT */
/* The paths of the HTTP interface, their arguments and handlers.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_API_H
#define DOTSTUB_CONTROL_API_H

#include "server.h"
#include "view.h"

/* Handle a request that came over the control socket, or over metrics.listen. */
void api_control(struct view *view, struct http_request *request);
void api_metrics(struct view *view, struct http_request *request);

/* True if a request over TCP may have this Host header (NULL: none): an address, localhost or this machine's name. This
 * stops DNS rebinding: a web page whose own name resolves to our address cannot read our replies. */
bool api_host_is_ours(const char *host, const char *machine);

#endif
