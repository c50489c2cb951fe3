/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - a member that is missing or of another type prints as "-", so that dotstubctl works with a newer daemon. Only
 *     invalid JSON, or a reply without its main member, is an error;
 *   - texts are printed without control characters: some come from the network.
 */
#include "show.h"
#include "command.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "table.h"

void show_lines(const json_t *lines, const char *before, const char *after, FILE *out)
{
    char cell[TABLE_CELL];
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) fprintf(out, "%s%s%s\n", before, table_text(line, cell), after);
}

int show_stats(const json_t *root, FILE *out)
{
    json_t *counters = json_object_get(root, "counters"), *value;
    const char *name;
    char a[TABLE_CELL], b[TABLE_CELL];
    if (!json_is_object(counters))
        return -EPROTO;
    json_object_foreach(counters, name, value) fprintf(out, "%-26s %s\n", table_key(name, a), table_text(value, b));
    return 0;
}

int show_config(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {
        {"SETTING", "setting", false}, {"VALUE", "value", false}, {"FROM", "origin", false}, {.title = NULL}};
    const json_t *settings = json_object_get(root, "settings");
    if (!json_is_array(settings))
        return -EPROTO;
    table_print(out, settings, columns);
    return 0;
}

void show_records(const json_t *records, FILE *out)
{
    static const struct table_column columns[] = {{"NAME", "name", false},
                                                  {"TTL", "ttl", true},
                                                  {"TYPE", "type", false},
                                                  {"DATA", "data", false},
                                                  {.title = NULL}};
    if (json_array_size(records) > 0)
        table_print(out, records, columns);
}

static void print_entry(const json_t *entry, FILE *out)
{
    char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL], d[TABLE_CELL];
    const json_t *expired = json_object_get(entry, "expired_s_ago"),
                 *errors = json_object_get(entry, "extended_errors");
    size_t i;
    json_t *error;
    fprintf(out, "%s%s%s: ", table_field(entry, "rcode", a),
            json_is_true(json_object_get(entry, "dnssec_ok")) ? ", DO" : "",
            json_is_true(json_object_get(entry, "checking_disabled")) ? ", CD" : "");
    if (json_is_integer(expired))
        fprintf(out, "expired %s ago", table_duration(json_integer_value(expired), b));
    else
        fprintf(out, "%s of %s s left", table_field(entry, "ttl", b), table_field(entry, "original_ttl", c));
    fprintf(out, ", %s bytes%s\n", table_field(entry, "size", d),
            json_is_true(json_object_get(entry, "authenticated")) ? ", authenticated" : "");
    json_array_foreach(errors, i, error)
        fprintf(out, "  extended error %s %s\n", table_field(error, "code", a), table_field(error, "text", b));
    show_records(json_object_get(entry, "records"), out);
}

int show_cache(const json_t *root, FILE *out)
{
    const json_t *entries = json_object_get(root, "entries");
    char name[TABLE_CELL], type[TABLE_CELL];
    size_t i;
    json_t *entry;
    if (!json_is_array(entries))
        return -EPROTO;
    fprintf(out, "%s %s%s\n", table_field(root, "name", name), table_field(root, "type", type),
            json_array_size(entries) ? "" : ": not in the cache");
    json_array_foreach(entries, i, entry) print_entry(entry, out);
    return 0;
}

int show_flush(const json_t *root, FILE *out)
{
    if (!json_is_integer(json_object_get(root, "flushed")))
        return -EPROTO;
    json_int_t told = table_number(root, "servers_told"), servers = table_number(root, "servers");
    fprintf(out, "%" JSON_INTEGER_FORMAT " entries flushed\n", table_number(root, "flushed"));
    if (servers > 0)
        fprintf(out, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " servers of the store have told the fleet\n",
                told, servers);
    if (told == servers)
        return 0;
    fputs("dotstubctl: not all machines may know of the flush: see `dotstubctl status`, then repeat it\n", stderr);
    return EXIT_OTHER;
}

int show_log(const json_t *root, FILE *out)
{
    const char *name;
    json_t *level;
    char a[TABLE_CELL], b[TABLE_CELL];
    if (!json_is_string(json_object_get(root, "level")))
        return -EPROTO;
    fprintf(out, "log level %s", table_field(root, "level", a));
    json_object_foreach(json_object_get(root, "modules"), name, level)
        fprintf(out, ", %s %s", table_key(name, a), table_text(level, b));
    if (table_number(root, "queries_one_in") > 0)
        fprintf(out, "; logging one query in %s", table_field(root, "queries_one_in", a));
    fputc('\n', out);
    return 0;
}

int show_reload(const json_t *root, FILE *out)
{
    if (!json_is_true(json_object_get(root, "reloaded")))
        return -EPROTO;
    fputs("reloaded\n", out);
    show_lines(json_object_get(root, "at_next_start"), "", ": takes effect at the next start", out);
    return 0;
}

int show_drain(const json_t *root, FILE *out)
{
    json_t *seconds = json_object_get(root, "draining_s");
    if (!json_is_number(seconds))
        return -EPROTO;
    fprintf(out, "draining for %g s, then stopping\n", json_number_value(seconds));
    return 0;
}

const char *show_error(const char *body, char *out, size_t cap)
{
    json_t *root = json_loads(body, 0, NULL);
    const char *sentence = json_string_value(json_object_get(root, "error"));
    snprintf(out, cap, "%.*s", sentence ? (int)strlen(sentence) : (int)strcspn(body, "\r\n"),
             sentence ? sentence : body);
    table_make_plain(out);
    json_decref(root);
    return out;
}

bool show_mistakes(const char *body, FILE *out)
{
    json_t *root = json_loads(body, 0, NULL);
    const json_t *mistakes = json_object_get(root, "mistakes");
    bool any = json_array_size(mistakes) > 0;
    show_lines(mistakes, "", "", out);
    json_decref(root);
    return any;
}
