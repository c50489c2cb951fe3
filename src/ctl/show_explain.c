/* SPDX-License-Identifier: MIT */
/* Prints recorded queries and traces. Few records are printed in full, MANY or more as a table. */
#include <errno.h>
#include <string.h>
#include "show.h"
#include "table.h"

enum { MANY = 4 }; /* records */

static const char *phase_title(const char *phase)
{
    static const struct {
        const char *phase, *title;
    } titles[] = {{"store", "waiting for the store"},       {"retries", "earlier attempts"},
                  {"queue", "waiting for a session"},       {"connect", "connecting (TCP)"},
                  {"handshake", "TLS handshake"},           {"write", "writing"},
                  {"response", "waiting for the response"}, {"validation", "validating (DNSSEC)"}};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcmp(titles[i].phase, phase) == 0)
            return titles[i].title;
    return phase;
}

static void print_phases(const json_t *record, FILE *out)
{
    char name[TABLE_CELL], ms[TABLE_CELL];
    size_t i;
    json_t *phase;
    json_array_foreach(json_object_get(record, "phases"), i, phase)
        fprintf(out, "  %-24s%6s ms\n", phase_title(table_field(phase, "phase", name)), table_field(phase, "ms", ms));
}

static void print_server(const json_t *record, FILE *out)
{
    const json_t *server = json_object_get(record, "server"), *group = json_object_get(record, "group");
    char upstream[TABLE_CELL], address[TABLE_CELL], session[TABLE_CELL];
    if (json_is_string(group) && strcmp(json_string_value(group), "root") != 0)
        fprintf(out, "  group %s\n", table_field(record, "group", upstream));
    if (!json_is_object(server))
        return;
    fprintf(out, "  server %s %s", table_field(server, "upstream", upstream), table_field(server, "address", address));
    if (strcmp(table_field(server, "transport", session), "udp") == 0 || strcmp(session, "tcp") == 0)
        fprintf(out, " over plain %s", session);
    if (json_is_string(json_object_get(record, "session")))
        fprintf(out, ", session %s", table_field(record, "session", session));
    fputc('\n', out);
}

/* Prints only deviations from the usual. */
static void print_remarks(const json_t *record, FILE *out)
{
    const json_t *error = json_object_get(record, "extended_error");
    char a[TABLE_CELL], b[TABLE_CELL];
    if (json_is_object(error))
        fprintf(out, "  extended error %s %s\n", table_field(error, "code", a), table_field(error, "text", b));
    if (json_is_true(json_object_get(record, "stale")))
        fputs("  the response was stale\n", out);
    if (json_is_true(json_object_get(record, "stored")))
        fprintf(out, "  the response came from the store%s\n",
                json_is_true(json_object_get(record, "awaited")) ? ": another machine asked the upstream for it" : "");
    if (table_number(record, "attempts") > 1)
        fprintf(out, "  %s attempts, %s sessions lost\n", table_field(record, "attempts", a),
                table_field(record, "sessions_lost", b));
    if (table_number(record, "queries") > 1)
        fprintf(out, "  %s queries waited for this lookup\n", table_field(record, "queries", a));
}

static void print_record(const json_t *record, FILE *out)
{
    char name[TABLE_CELL], type[TABLE_CELL], rcode[TABLE_CELL], transport[TABLE_CELL], ago[TABLE_CELL], id[TABLE_CELL];
    fprintf(out, "%s %s, %s, over %s, %s ago", table_field(record, "name", name), table_field(record, "type", type),
            table_field(record, "rcode", rcode), table_field(record, "transport", transport),
            table_duration(table_number(record, "ended_s_ago"), ago));
    if (json_is_string(json_object_get(record, "id")))
        fprintf(out, " [%s]", table_field(record, "id", id));
    fprintf(out, "\n  %s\n", table_field(record, "explanation", name));
    if (json_is_string(json_object_get(record, "view")))
        fprintf(out, "  client of view %s\n", table_field(record, "view", name));
    if (json_is_true(json_object_get(record, "joined")))
        fputs("  joined a lookup in progress\n", out);
    print_phases(record, out);
    print_server(record, out);
    print_remarks(record, out);
}

int show_explain(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {
        {"ID", "id", false},      {"KIND", "kind", false},     {"S AGO", "ended_s_ago", true},
        {"MS", "total_ms", true}, {"RCODE", "rcode", false},   {"TYPE", "type", false},
        {"NAME", "name", false},  {"REASON", "reason", false}, {.title = NULL}};
    const json_t *records = json_object_get(root, "records");
    size_t i;
    json_t *record;
    if (!json_is_array(records))
        return -EPROTO;
    if (json_array_size(records) == 0)
        fputs("no recorded query matches: only those that failed or waited longer than log.slow are recorded; "
              "dotstubctl trace NAME sends one now\n",
              out);
    if (json_array_size(records) >= MANY) {
        table_print(out, records, columns);
        return 0;
    }
    json_array_foreach(records, i, record) print_record(record, out);
    return 0;
}

/* --- a trace --- */

static void print_cache(const json_t *cache, FILE *out)
{
    char ms[TABLE_CELL], value[TABLE_CELL];
    if (!json_is_object(cache))
        return;
    fprintf(out, "  %-24s%6s ms  %s", "cache", table_field(cache, "ms", ms), table_field(cache, "found", value));
    if (json_is_integer(json_object_get(cache, "ttl")))
        fprintf(out, ", %s left; upstream queried anyway", table_duration(table_number(cache, "ttl"), value));
    if (json_is_integer(json_object_get(cache, "expired_s_ago")))
        fprintf(out, " %s ago", table_duration(table_number(cache, "expired_s_ago"), value));
    fputc('\n', out);
}

static void print_lookup(const json_t *lookup, FILE *out)
{
    bool joined = json_is_true(json_object_get(lookup, "joined"));
    if (!json_is_object(lookup))
        return;
    fprintf(out, "  %-35s%s\n", "lookup", joined ? "joined one in progress" : "new");
    print_phases(lookup, out);
    print_server(lookup, out);
    print_remarks(lookup, out);
}

int show_trace(const json_t *root, FILE *out)
{
    char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL], d[TABLE_CELL], e[TABLE_CELL];
    if (!json_is_string(json_object_get(root, "name")))
        return -EPROTO;
    fprintf(out, "%s %s: %s, %s records, %s bytes", table_field(root, "name", a), table_field(root, "type", b),
            table_field(root, "rcode", c), table_field(root, "answer_records", d),
            table_field(root, "response_bytes", e));
    fprintf(out, ", after %s ms, by step %s\n", table_field(root, "total_ms", a), table_field(root, "step", b));
    if (json_is_string(json_object_get(root, "view")))
        fprintf(out, "  %-35s%s\n", "view of the client", table_field(root, "view", a));
    if (json_is_string(json_object_get(root, "replaced_by")))
        fprintf(out, "  %-35sby step %s\n", "response replaced", table_field(root, "replaced_by", a));
    print_cache(json_object_get(root, "cache"), out);
    print_lookup(json_object_get(root, "lookup"), out);
    show_records(json_object_get(root, "records"), out);
    return 0;
}
