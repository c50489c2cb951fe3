/* SPDX-License-Identifier: MIT */
/* Prometheus' text format, version 0.0.4: a family's HELP and TYPE, then its samples.
 *
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_PROMETHEUS_H
#define DOTSTUB_CONTROL_PROMETHEUS_H

#include <stdint.h>
#include <stdio.h>
#include "base/histogram.h"

/* `type`: counter, gauge or histogram; samples of this family follow, and of no other before its last. */
void prometheus_family(FILE *out, const char *name, const char *type, const char *help);
/* Names and values of labels in turn, ending with NULL; NULL: none. */
void prometheus_sample(FILE *out, const char *name, const char *const *labels, uint64_t value);
void prometheus_seconds(FILE *out, const char *name, const char *const *labels, uint64_t microseconds);
/* `unit_us`: how many microseconds one of the histogram's values is. */
void prometheus_histogram(FILE *out, const char *name, const char *const *labels, const struct histogram *histogram,
                          unsigned unit_us);
/* Family and only sample. */
void prometheus_gauge(FILE *out, const char *name, const char *help, uint64_t value);
void prometheus_counter(FILE *out, const char *name, const char *help, uint64_t value);

#endif
