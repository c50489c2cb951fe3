/* SPDX-License-Identifier: MIT */
/* Counters and gauges in Prometheus' text format, version 0.0.4. No name of a question is in it.
 *
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_METRICS_H
#define DOTSTUB_CONTROL_METRICS_H

#include "view.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* From malloc, the caller's; NULL: memory is gone. */
char *metrics_text(const struct view *view, const struct gather_sum *sum);

#endif
