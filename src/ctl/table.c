/* SPDX-License-Identifier: MIT */
#include "table.h"
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- values as text --- */

void table_make_plain(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~') /* UTF-8 would allow C1 controls */
            *text = '?';
}

const char *table_key(const char *key, char out[TABLE_CELL])
{
    snprintf(out, TABLE_CELL, "%s", key);
    table_make_plain(out);
    return out;
}

/* The items, separated by commas. */
static void join(const json_t *list, char out[TABLE_CELL])
{
    char item[TABLE_CELL];
    size_t i, len = 0;
    json_t *value;
    out[0] = '\0';
    json_array_foreach(list, i, value)
    {
        int more = snprintf(out + len, TABLE_CELL - len, "%s%s", i ? ", " : "", table_text(value, item));
        len = (size_t)more < TABLE_CELL - len ? len + (size_t)more : TABLE_CELL - 1;
    }
}

const char *table_text(const json_t *value, char out[TABLE_CELL])
{
    if (json_is_string(value))
        snprintf(out, TABLE_CELL, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(out, TABLE_CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(out, TABLE_CELL, "%.1f", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(out, TABLE_CELL, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_array(value))
        join(value, out);
    else
        snprintf(out, TABLE_CELL, "-");
    table_make_plain(out);
    return out;
}

const char *table_field(const json_t *object, const char *key, char out[TABLE_CELL])
{
    return table_text(json_object_get(object, key), out);
}

json_int_t table_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *table_duration(json_int_t seconds, char out[TABLE_CELL])
{
    if (seconds >= 86400)
        snprintf(out, TABLE_CELL, "%" JSON_INTEGER_FORMAT " d %" JSON_INTEGER_FORMAT " h", seconds / 86400,
                 seconds / 3600 % 24);
    else if (seconds >= 3600)
        snprintf(out, TABLE_CELL, "%" JSON_INTEGER_FORMAT " h %" JSON_INTEGER_FORMAT " min", seconds / 3600,
                 seconds / 60 % 60);
    else if (seconds >= 60)
        snprintf(out, TABLE_CELL, "%" JSON_INTEGER_FORMAT " min %" JSON_INTEGER_FORMAT " s", seconds / 60,
                 seconds % 60);
    else
        snprintf(out, TABLE_CELL, "%" JSON_INTEGER_FORMAT " s", seconds);
    return out;
}

/* --- terminals --- */

static bool is_terminal(FILE *out)
{
    int fd = fileno(out);
    return fd >= 0 && isatty(fd);
}

/* 0: lines may have any length. */
static size_t width_of(FILE *out)
{
    struct winsize size;
    return is_terminal(out) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* https://no-color.org */
static bool has_colors(FILE *out)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return is_terminal(out) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

static const char *color_of(const char *word)
{
    static const struct {
        const char *word, *color;
    } colors[] = {{"ok", "\033[32m"},      {"open", "\033[32m"},      {"good", "\033[32m"},
                  {"reduced", "\033[33m"}, {"draining", "\033[33m"},  {"avoided", "\033[33m"},
                  {"note", "\033[33m"},    {"failing", "\033[1;31m"}, {"failed", "\033[1;31m"},
                  {"down", "\033[1;31m"},  {"PROBLEM", "\033[1;31m"}};
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        if (strcmp(colors[i].word, word) == 0)
            return colors[i].color;
    return "";
}

const char *table_color(FILE *out, const char *word)
{
    return has_colors(out) ? color_of(word) : "";
}

const char *table_plain(FILE *out)
{
    return has_colors(out) ? "\033[0m" : "";
}

/* --- tables --- */

enum { COLUMNS_MAX = 10, GAP = 2, NARROWEST = 16 };

/* The width of the widest cell, titles included. */
static size_t widest_cell(const json_t *rows, const struct table_column *column)
{
    size_t width = strlen(column->title), i;
    json_t *row;
    char cell[TABLE_CELL];
    json_array_foreach(rows, i, row)
    {
        size_t len = strlen(table_field(row, column->key, cell));
        width = len > width ? len : width;
    }
    return width;
}

/* Finds the column to wrap so that the table fits the terminal, and its new width. False: it fits, or cannot. */
static bool find_wrapped(const json_t *rows, const struct table_column *columns, size_t terminal, unsigned *which,
                         size_t *width)
{
    size_t total = 0, widest = 0;
    for (unsigned c = 0; columns[c].title; c++) {
        size_t its = widest_cell(rows, &columns[c]);
        total += its + (c ? GAP : 0);
        if (!columns[c].right && its >= widest) {
            widest = its;
            *which = c;
        }
    }
    if (terminal == 0 || total <= terminal || widest < total - terminal + NARROWEST)
        return false;
    *width = widest - (total - terminal);
    return true;
}

/* Replaces blanks by line ends; a word that is longer than the width stays whole. */
static void wrap_words(char *text, size_t width)
{
    char *line = text, *blank = NULL;
    for (char *at = text; *at; at++) {
        if (*at != ' ')
            continue;
        if (blank && (size_t)(at - line) > width) {
            *blank = '\n';
            line = blank + 1;
        }
        blank = at;
    }
    if (blank && strlen(line) > width)
        *blank = '\n';
}

static void add_row(struct libscols_table *table, const json_t *row, const struct table_column *columns,
                    const unsigned *wrapped, size_t width)
{
    char cell[TABLE_CELL];
    struct libscols_line *line = scols_table_new_line(table, NULL);
    for (unsigned c = 0; line && columns[c].title; c++) {
        table_field(row, columns[c].key, cell);
        const char *color = color_of(cell);
        if (wrapped && *wrapped == c)
            wrap_words(cell, width);
        if (scols_line_set_data(line, c, cell) == 0 && *color)
            (void)scols_cell_set_color(scols_line_get_cell(line, c), color);
    }
}

static void add_columns(struct libscols_table *table, const struct table_column *columns, const unsigned *wrapped)
{
    for (unsigned c = 0; columns[c].title; c++) {
        bool wraps = wrapped && *wrapped == c;
        struct libscols_column *column = scols_table_new_column(
            table, columns[c].title, 0, (columns[c].right ? SCOLS_FL_RIGHT : 0) | (wraps ? SCOLS_FL_WRAP : 0));
        if (column && wraps)
            (void)scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
    }
}

void table_print(FILE *out, const json_t *rows, const struct table_column *columns)
{
    size_t terminal = width_of(out), width = 0, i;
    unsigned which = 0;
    json_t *row;
    struct libscols_table *table = scols_new_table();
    if (!table)
        return;
    const unsigned *wrapped = find_wrapped(rows, columns, terminal, &which, &width) ? &which : NULL;
    (void)scols_table_set_stream(table, out);
    (void)scols_table_enable_noencoding(table, 1); /* cells are plain ASCII and line ends */
    (void)scols_table_set_column_separator(table, "  ");
    (void)scols_table_enable_colors(table, has_colors(out));
    (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER); /* it fits; nothing is cut */
    add_columns(table, columns, wrapped);
    json_array_foreach(rows, i, row) add_row(table, row, columns, wrapped, width);
    if (json_array_size(rows) > 0)
        (void)scols_print_table(table);
    scols_unref_table(table);
}

int table_show(const char *json, FILE *out, int (*print)(const json_t *root, FILE *out))
{
    json_t *root = json_loads(json, 0, NULL);
    int status = root ? print(root, out) : -EPROTO;
    json_decref(root);
    return status;
}

int table_print_json(json_t *root, FILE *out, size_t flags)
{
    int status = !root                                                                             ? -ENOMEM
                 : json_dumpf(root, out, flags | JSON_ENSURE_ASCII) < 0 || fputc('\n', out) == EOF ? -EIO
                                                                                                   : 0;
    json_decref(root);
    return status;
}
