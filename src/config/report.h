/* SPDX-License-Identifier: MIT */
/* Reports of the operator's mistakes.
 *
 * Does:    prints "file:line:column: sentence", the source line and a caret under the place; counts the mistakes;
 *          finds the word that was probably meant.
 * Owns:    nothing; the name and the text of a source must outlive the marks that refer to it.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_REPORT_H
#define DOTSTUB_CONFIG_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include "base/bytes.h"

/* A text that contains settings. */
struct source {
    const char *name; /* path of the file, or name of the variable */
    const char *text; /* of a variable: NAME=value */
    size_t len;
    bool environment;
    bool command; /* of dotstubctl: mistakes are printed without a place */
};

/* A place in a source. Lines and columns count from 1, columns in characters. No source: the built-in
 * default. */
struct mark {
    const struct source *source;
    unsigned line, column;
};

struct report {
    FILE *out;
    unsigned mistakes;
};

/* Further mistakes are only counted, so that the work for a hostile file is bounded. */
#define REPORT_SHOWN 100

/* Counts a mistake and prints it with its place. */
void report_at(struct report *report, struct mark mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Counts and prints a mistake that concerns a whole file or directory. */
void report_file(struct report *report, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints the number of mistakes that were only counted, if any. */
void report_end(struct report *report);

/* Quotes a text, shortened to fit a sentence. */
#define QUOTED_TEXT 72
const char *report_quote(const char *text, char out[QUOTED_TEXT]);

#endif
