/* SPDX-License-Identifier: MIT */
/* Prometheus' text format, version 0.0.4: a family's HELP and TYPE, then its samples.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_PROMETHEUS_H
#define DOTSTUB_CONTROL_PROMETHEUS_H

#include <stdint.h>
#include <stdio.h>
#include "base/histogram.h"

/* Begins a family of type counter, gauge or histogram. All its samples must follow before the next family. */
void prometheus_family(FILE *out, const char *name, const char *type, const char *help);
/* `labels` alternates names and values and ends with NULL; NULL: no labels. */
void prometheus_sample(FILE *out, const char *name, const char *const *labels, uint64_t value);
void prometheus_seconds(FILE *out, const char *name, const char *const *labels, uint64_t microseconds);
/* `unit_us`: microseconds per unit of the histogram's values. */
void prometheus_histogram(FILE *out, const char *name, const char *const *labels, const struct histogram *histogram,
                          unsigned unit_us);
/* A family with one sample. */
void prometheus_gauge(FILE *out, const char *name, const char *help, uint64_t value);
void prometheus_counter(FILE *out, const char *name, const char *help, uint64_t value);

#endif
