/* SPDX-License-Identifier: MIT */
/* Prints the daemon's JSON as tables.
 *
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_SHOW_H
#define DOTSTUB_CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/check.h"

/* Each prints one kind of reply. 0; the exit status of the state (only show_status); -EPROTO: not such a reply. */
int show_status(const json_t *root, FILE *out) MUST_CHECK;
int show_servers(const json_t *root, FILE *out) MUST_CHECK;
int show_stats(const json_t *root, FILE *out) MUST_CHECK;
int show_config(const json_t *root, FILE *out) MUST_CHECK;
int show_cache(const json_t *root, FILE *out) MUST_CHECK;
int show_flush(const json_t *root, FILE *out) MUST_CHECK;
int show_log(const json_t *root, FILE *out) MUST_CHECK;
int show_reload(const json_t *root, FILE *out) MUST_CHECK;
int show_drain(const json_t *root, FILE *out) MUST_CHECK;
int show_forward(const json_t *root, FILE *out) MUST_CHECK;
int show_portal(const json_t *root, FILE *out);
int show_forwarded(const json_t *root, FILE *out) MUST_CHECK;
int show_explain(const json_t *root, FILE *out) MUST_CHECK;
int show_trace(const json_t *root, FILE *out) MUST_CHECK;
int show_block_lists(const json_t *root, FILE *out) MUST_CHECK;
int show_block_test(const json_t *root, FILE *out) MUST_CHECK;
int show_unblock(const json_t *root, FILE *out) MUST_CHECK;

/* Prints each item of a list on a line. */
void show_lines(const json_t *lines, const char *before, const char *after, FILE *out);
/* Prints the records of a response, as a table. */
void show_records(const json_t *records, FILE *out);
/* Copies the sentence of a JSON error, or the first line of any other text, to `out` of `cap` bytes. */
const char *show_error(const char *body, char *out, size_t cap);
/* Prints the configuration mistakes that a JSON error lists, one per line. False: none. */
bool show_mistakes(const char *body, FILE *out);

#endif
