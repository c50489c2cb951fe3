/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "show.h"
#include "table.h"

/* Adds members that read better than those of the reply. */
static void describe(json_t *list)
{
    char a[TABLE_CELL], b[TABLE_CELL + 8];
    const json_t *age = json_object_get(list, "read_s_ago");
    if (json_is_integer(age))
        snprintf(b, sizeof b, "%s ago", table_duration(json_integer_value(age), a));
    else
        snprintf(b, sizeof b, "never");
    (void)json_object_set_new(list, "read", json_string(b));
}

int show_block_lists(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {
        {"LIST", "name", false}, {"FORMAT", "format", false}, {"NAMES", "names", true}, {"HITS", "hits", true},
        {"READ", "read", false}, {"FILE", "file", false},     {.title = NULL}};
    static const struct table_column names[] = {
        {"UNBLOCKED", "name", false}, {"SECONDS", "seconds", true}, {.title = NULL}};
    const json_t *lists = json_object_get(root, "lists"), *unblocked = json_object_get(root, "unblocked");
    char cell[TABLE_CELL];
    size_t i;
    json_t *list;
    if (!json_is_array(lists))
        return -EPROTO;
    json_t *copy = json_deep_copy(lists);
    json_array_foreach(copy, i, list) describe(list);
    table_print(out, copy, columns);
    json_decref(copy);
    if (json_array_size(lists) == 0)
        fputs("no block lists\n", out);
    json_array_foreach(lists, i, list) if (json_is_string(json_object_get(list, "error")))
        fprintf(out, "%s\n", table_field(list, "error", cell));
    if (json_array_size(unblocked) > 0)
        table_print(out, unblocked, names);
    return 0;
}

int show_block_test(const json_t *root, FILE *out)
{
    char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL], d[TABLE_CELL];
    const char *result = json_string_value(json_object_get(root, "result"));
    if (!result)
        return -EPROTO;
    fprintf(out, "%s: %s", table_field(root, "name", a), table_field(root, "result", b));
    if (json_is_string(json_object_get(root, "list")))
        fprintf(out, " by the list %s%s", table_field(root, "list", b),
                json_is_true(json_object_get(root, "views_only")) ? ", for clients of views that name it" : "");
    else if (strcmp(result, "allowed") == 0)
        fputs(" by block.exceptions or dotstubctl unblock", out);
    if (json_is_string(json_object_get(root, "rule")))
        fprintf(out, ", rule %s (%s)", table_field(root, "rule", c), table_field(root, "action", d));
    fputc('\n', out);
    return 0;
}

int show_unblock(const json_t *root, FILE *out)
{
    char a[TABLE_CELL], b[TABLE_CELL];
    json_int_t seconds = table_number(root, "seconds");
    if (!json_is_integer(json_object_get(root, "seconds")))
        return -EPROTO;
    if (seconds > 0)
        fprintf(out, "%s is not blocked for %s\n", table_field(root, "name", a), table_duration(seconds, b));
    else
        fprintf(out, "%s may be blocked again\n", table_field(root, "name", a));
    return 0;
}
