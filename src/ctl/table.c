/* SPDX-License-Identifier: MIT */
#include "table.h"
#include <errno.h>
#include <string.h>

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

/* --- tables --- */

enum { COLUMNS_MAX = 10 };

/* Returns the width of the widest cell. */
static int width_of(const json_t *rows, const struct table_column *column)
{
    size_t width = strlen(column->title), i;
    json_t *row;
    char cell[TABLE_CELL];
    json_array_foreach(rows, i, row)
    {
        size_t len = strlen(table_field(row, column->key, cell));
        width = len > width ? len : width;
    }
    return (int)width;
}

/* The last column is not padded. */
static void print_cell(FILE *out, const struct table_column *column, int width, const char *text)
{
    if (!column[1].title && !column->right)
        fprintf(out, "%s\n", text);
    else
        fprintf(out, column->right ? "%*s" : "%-*s", width, text);
    if (column[1].title)
        fputs("  ", out);
    else if (column->right)
        fputc('\n', out);
}

void table_print(FILE *out, const json_t *rows, const struct table_column *columns)
{
    int widths[COLUMNS_MAX];
    char cell[TABLE_CELL];
    size_t i;
    json_t *row;
    for (unsigned c = 0; columns[c].title; c++)
        widths[c] = width_of(rows, &columns[c]);
    for (unsigned c = 0; columns[c].title; c++)
        print_cell(out, &columns[c], widths[c], columns[c].title);
    json_array_foreach(rows, i, row) for (unsigned c = 0; columns[c].title; c++)
        print_cell(out, &columns[c], widths[c], table_field(row, columns[c].key, cell));
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
