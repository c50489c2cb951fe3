/* SPDX-License-Identifier: MIT */
/* The request for the trust anchors.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_TRUST_H
#define DOTSTUB_CONTROL_TRUST_H

#include "server.h"
#include "view.h"

/* GET /dnssec/anchors. */
void trust_show(struct view *view, struct http_request *request);

#endif
