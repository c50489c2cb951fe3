/* SPDX-License-Identifier: MIT */
/* The trust anchors, for replies and metrics.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_ANCHORS_H
#define DOTSTUB_CONTROL_ANCHORS_H

#include <jansson.h>
#include <stdio.h>
#include "view.h"

/* The positive trust anchors with their states: [{"zone", "key_tag", ...}]; none unless dnssec.mode is `validate`. */
json_t *anchors_list(const struct view *view);
/* The seconds since this wall-clock time; null for 0. */
json_t *anchors_ago(int64_t at_s);
void anchors_metrics(FILE *out, const struct view *view);

#endif
