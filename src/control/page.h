/* SPDX-License-Identifier: MIT */
/* The status page: one file of HTML, src/control/page.html, and the JSON that it polls.
 *
 * Does:    sends both. The page holds nothing of the daemon's; /status.json is /status without what is private, for whom names are.
 * Owns:    nothing.
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_PAGE_H
#define DOTSTUB_CONTROL_PAGE_H

#include "server.h"
#include "view.h"

/* page.html, with a NUL behind it; made by the build. */
extern const unsigned char page_html[];
extern const size_t page_html_len;

void page_send(struct view *view, struct http_request *request);
/* For the control socket, with names; for metrics.listen, where they need metrics.names and its token. `sum` NULL: some worker does
 * not answer. */
void page_status_private(struct view *view, struct http_request *request, const struct gather_sum *sum);
void page_status_public(struct view *view, struct http_request *request, const struct gather_sum *sum);

#endif
