/* SPDX-License-Identifier: MIT */
/* The process_* metrics that every Prometheus exporter has.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_PROCESS_H
#define DOTSTUB_CONTROL_PROCESS_H

#include <stdint.h>
#include <stdio.h>

/* Leaves out a metric if the system does not report it. */
void process_metrics(FILE *out, int64_t started_wall_s);

#endif
