/* SPDX-License-Identifier: MIT */
/* The daemon's JSON as tables for people.
 *
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_SHOW_H
#define DOTSTUB_CTL_SHOW_H

#include <stdbool.h>
#include <stdio.h>
#include "base/check.h"

/* Each prints an answer to `out`. 0, 1 (show_status: degraded, or draining), or -EPROTO: it is not what such an answer looks like. */
int show_status(const char *json, FILE *out) MUST_CHECK;
int show_stats(const char *json, FILE *out) MUST_CHECK;
int show_config(const char *json, FILE *out) MUST_CHECK;
int show_cache(const char *json, FILE *out) MUST_CHECK;
int show_flush(const char *json, FILE *out) MUST_CHECK;
int show_log(const char *json, FILE *out) MUST_CHECK;
int show_reload(const char *json, FILE *out) MUST_CHECK;
int show_drain(const char *json, FILE *out) MUST_CHECK;
int show_explain(const char *json, FILE *out) MUST_CHECK;
int show_trace(const char *json, FILE *out) MUST_CHECK;

/* The sentence of an error's JSON, or of any other text its first line; in `out`, of `cap` octets. */
const char *show_error(const char *body, char *out, size_t cap);
/* The mistakes of a configuration that such an error names, a line each. False: there are none. */
bool show_mistakes(const char *body, FILE *out);

#endif
