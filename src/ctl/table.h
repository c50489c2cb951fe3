/* SPDX-License-Identifier: MIT */
/* Values of JSON as text, and rows of objects as tables.
 *
 * Does:    what is missing or of another type is "-"; of the texts of strangers nothing is left but printable ASCII.
 * Threads: the program's only one.
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
/* 0 for what is none. */
json_int_t table_number(const json_t *object, const char *key);
/* "1 d 2 h" */
const char *table_duration(json_int_t seconds, char out[TABLE_CELL]);

struct table_column {
    const char *title, *key;
    bool right; /* numbers */
};
/* `columns` end with a NULL title. */
void table_print(FILE *out, const json_t *rows, const struct table_column *columns);

/* Reads the text and prints it. What `print` gives, or -EPROTO: it is no JSON. */
int table_show(const char *json, FILE *out, int (*print)(const json_t *root, FILE *out)) MUST_CHECK;

enum { TABLE_INDENT = JSON_INDENT(2) | JSON_REAL_PRECISION(15) }; /* thousandths are not printed with 17 digits */
/* Prints it, in one line or as TABLE_INDENT, and a newline; takes the reference over. 0, -ENOMEM: `root` is NULL, or -EIO. */
int table_print_json(json_t *root, FILE *out, size_t flags) MUST_CHECK;

#endif
