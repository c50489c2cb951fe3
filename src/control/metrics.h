/* SPDX-License-Identifier: MIT */
/* Counters, gauges and histograms in Prometheus' text format, version 0.0.4. They contain no query names.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_METRICS_H
#define DOTSTUB_CONTROL_METRICS_H

#include "view.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The caller frees the text. NULL: out of memory. */
char *metrics_text(const struct view *view, const struct gather_sum *sum);

#endif
