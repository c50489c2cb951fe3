/* SPDX-License-Identifier: MIT */
/* dnssec anchors: the trust anchors, and how far a change of the root's keys is. */
#include "anchors.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "table.h"

static const char *time_of(const json_t *anchor, const char *key, char out[TABLE_CELL])
{
    const json_t *value = json_object_get(anchor, key);
    return json_is_integer(value) ? table_duration(json_integer_value(value), out) : NULL;
}

/* A copy of the list with one more member: what is to be expected. */
static json_t *with_notes(const json_t *list)
{
    json_t *rows = json_array(), *anchor;
    size_t i;
    json_array_foreach(list, i, anchor)
    {
        char text[TABLE_CELL], note[TABLE_CELL + 32] = "";
        json_t *row = json_copy(anchor);
        if (time_of(anchor, "valid_in_s", text))
            snprintf(note, sizeof note, "valid in %s", text);
        else if (time_of(anchor, "since_s_ago", text))
            snprintf(note, sizeof note, "for %s", text);
        (void)json_object_set_new(row, "note", json_string(note));
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

static void print_query(const json_t *root, FILE *out)
{
    char text[TABLE_CELL];
    if (!json_is_true(json_object_get(root, "tracked"))) {
        fputs("the root's keys are not tracked\n", out);
        return;
    }
    if (time_of(root, "good_query_s_ago", text))
        fprintf(out, "the root's keys were looked up %s ago", text);
    else
        fputs("the root's keys were not looked up yet", out);
    if (time_of(root, "next_query_s", text))
        fprintf(out, ", next in %s", text);
    if (json_is_string(json_object_get(root, "last_error")))
        fprintf(out, "; the last time it failed: %s", table_field(root, "last_error", text));
    fputc('\n', out);
}

static int show(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {{"ZONE", "zone", false},
                                                  {"KEY", "key_tag", true},
                                                  {"ALGORITHM", "algorithm", true},
                                                  {"STATE", "state", false},
                                                  {"FROM", "from", false},
                                                  {"", "note", false},
                                                  {.title = NULL}};
    const json_t *list = json_object_get(root, "anchors");
    if (!json_is_array(list))
        return -EPROTO;
    if (json_array_size(list) == 0) {
        fputs("no trust anchors: dnssec.mode is not `validate`\n", out);
        return 0;
    }
    json_t *rows = with_notes(list);
    table_print(out, rows, columns);
    json_decref(rows);
    print_query(root, out);
    return 0;
}

int anchors_run(const struct options *options)
{
    static const struct command command = {.verb = "GET", .path = "/dnssec/anchors", .show = show};
    if (options->given) {
        fputs("dotstubctl: `dnssec anchors` takes no options of its own\n", stderr);
        return EXIT_USAGE;
    }
    return ask_send(options, &command, command.path);
}
