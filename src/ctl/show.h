/* SPDX-License-Identifier: MIT */
/* The daemon's JSON as tables for people.
 *
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_SHOW_H
#define DOTSTUB_CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/check.h"

/* Each prints an answer to `out` (table_show). 0, 1 (show_status: degraded, or draining), or -EPROTO: it is not what such an answer looks like. */
int show_status(const json_t *root, FILE *out) MUST_CHECK;
int show_stats(const json_t *root, FILE *out) MUST_CHECK;
int show_config(const json_t *root, FILE *out) MUST_CHECK;
int show_cache(const json_t *root, FILE *out) MUST_CHECK;
int show_flush(const json_t *root, FILE *out) MUST_CHECK;
int show_log(const json_t *root, FILE *out) MUST_CHECK;
int show_reload(const json_t *root, FILE *out) MUST_CHECK;
int show_drain(const json_t *root, FILE *out) MUST_CHECK;
int show_explain(const json_t *root, FILE *out) MUST_CHECK;
int show_trace(const json_t *root, FILE *out) MUST_CHECK;

/* The sentence of an error's JSON, or of any other text its first line; in `out`, of `cap` octets. */
const char *show_error(const char *body, char *out, size_t cap);
/* The mistakes of a configuration that such an error names, a line each. False: there are none. */
bool show_mistakes(const char *body, FILE *out);

#endif
