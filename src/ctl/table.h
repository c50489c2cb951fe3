/* SPDX-License-Identifier: MIT */
/* Prints JSON values as text, and arrays of objects as tables.
 *
 * Does:    Prints missing values and unexpected types as "-", and every byte but printable ASCII as "?".
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_TABLE_H
#define DOTSTUB_CTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/check.h"

enum { TABLE_CELL = 512 };

void table_make_plain(char *text);
const char *table_key(const char *key, char out[TABLE_CELL]);
const char *table_text(const json_t *value, char out[TABLE_CELL]);
const char *table_field(const json_t *object, const char *key, char out[TABLE_CELL]);
/* Returns 0 if it is not a number. */
json_int_t table_number(const json_t *object, const char *key);
/* Formats as in "1 d 2 h". */
const char *table_duration(json_int_t seconds, char out[TABLE_CELL]);

/* The escape sequence for the colour of a state such as "ok" or "failing", and the one that ends it; "" unless `out` is a terminal
 * with colours. */
const char *table_color(FILE *out, const char *word);
const char *table_plain(FILE *out);

struct table_column {
    const char *title, *key;
    bool right; /* right-aligned */
};
/* `columns` ends with a NULL title. On a terminal the widest column is wrapped between words if the table is too wide; states are
 * coloured. Without rows it prints nothing. */
void table_print(FILE *out, const json_t *rows, const struct table_column *columns);

/* Parses `json` and passes it to `print`. Returns the result of `print`, or -EPROTO: invalid JSON. */
int table_show(const char *json, FILE *out, int (*print)(const json_t *root, FILE *out)) MUST_CHECK;

enum { TABLE_INDENT = JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENSURE_ASCII }; /* as the daemon */
/* Prints `root` and a newline, and drops its reference. `flags`: 0 (one line) or TABLE_INDENT. 0; -ENOMEM: `root` is
 * NULL; -EIO. */
int table_print_json(json_t *root, FILE *out, size_t flags) MUST_CHECK;

#endif
