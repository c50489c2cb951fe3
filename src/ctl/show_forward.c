/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "show.h"
#include "table.h"

/* Adds the columns that the table prints and the daemon does not send. */
static json_t *rows_of(const json_t *routes)
{
    json_t *rows = json_array(), *route;
    char text[TABLE_CELL], left[TABLE_CELL];
    size_t i;
    json_array_foreach(routes, i, route)
    {
        json_t *row = json_deep_copy(route), *seconds = json_object_get(route, "left_s");
        const char *way = json_is_true(json_object_get(route, "plain")) ? "NOT encrypted" : "encrypted";
        snprintf(left, sizeof left, "%s",
                 json_is_integer(seconds) ? table_duration(json_integer_value(seconds), text) : "");
        (void)json_object_set_new(row, "way", json_string(way));
        (void)json_object_set_new(row, "left", json_string(left));
        const char *interface = json_string_value(json_object_get(route, "interface"));
        snprintf(text, sizeof text, "%s%s", interface ? interface : "",
                 interface && json_is_false(json_object_get(route, "in_force")) ? " (down)" : "");
        (void)json_object_set_new(row, "interface", json_string(text));
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

int show_forward(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {
        {"ZONES", "zones", false}, {"SERVERS", "servers", false}, {"", "way", false}, {"INTERFACE", "interface", false},
        {"FROM", "from", false},   {"TIME LEFT", "left", true},   {.title = NULL}};
    const json_t *routes = json_object_get(root, "routes");
    if (!json_is_array(routes))
        return -EPROTO;
    json_t *rows = rows_of(routes);
    if (json_array_size(rows) > 0)
        table_print(out, rows, columns);
    else
        fputs("no routes: all names go to the upstreams\n", out);
    json_decref(rows);
    return 0;
}

int show_forwarded(const json_t *root, FILE *out)
{
    const json_t *added = json_object_get(root, "added"), *removed = json_object_get(root, "removed"),
                 *left = json_object_get(root, "left_s");
    char text[TABLE_CELL];
    if (!json_is_array(added) && !json_is_array(removed))
        return -EPROTO;
    show_lines(added, "added ", "", out);
    show_lines(removed, "removed ", "", out);
    show_lines(json_object_get(root, "replaced"), "",
               ": until it is removed, this replaces the route of the configuration", out);
    if (json_is_integer(left))
        fprintf(out, "for %s\n", table_duration(json_integer_value(left), text));
    if (json_is_false(json_object_get(root, "saved")) && json_array_size(added) + json_array_size(removed) > 0)
        fprintf(out, "not saved: a restart %s, see the log\n",
                json_array_size(added) > 0 ? "ends the route" : "may bring the route back");
    fprintf(out, "%" JSON_INTEGER_FORMAT " entries flushed\n", table_number(root, "flushed"));
    return 0;
}
