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

/* --- status --- */

static void print_why(const json_t *root, FILE *out)
{
    size_t i;
    json_t *sentence;
    char cell[TABLE_CELL];
    json_array_foreach(json_object_get(root, "why"), i, sentence) fprintf(out, "  %s\n", table_text(sentence, cell));
}

static void print_lines(const json_t *lines, const char *before, const char *after, FILE *out)
{
    char cell[TABLE_CELL];
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) fprintf(out, "%s%s%s\n", before, table_text(line, cell), after);
}

/* Prints nothing if there was no reload. */
static void print_configuration(const json_t *configuration, FILE *out)
{
    char a[TABLE_CELL], b[TABLE_CELL];
    const json_t *last = json_object_get(configuration, "last_reload");
    if (!json_is_string(last))
        return;
    bool failed = strcmp(json_string_value(last), "failed") == 0;
    fprintf(out, "reload    %s, %s ago%s\n", table_text(last, a),
            table_duration(table_number(configuration, "last_reload_s_ago"), b),
            failed ? ": the previous configuration stays in force" : "");
    print_lines(json_object_get(configuration, "mistakes"), "  ", "", out);
    print_lines(json_object_get(configuration, "at_next_start"), "  ", ": takes effect at the next start", out);
}

static void print_sandbox(const json_t *sandbox, FILE *out)
{
    static const char *const parts[][2] = {
        {"system_calls", "system calls"}, {"files", "files"}, {"tcp_ports", "TCP ports"}};
    const char *before = "sandbox   ";
    if (!json_is_object(sandbox))
        return;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!json_is_true(json_object_get(sandbox, parts[i][0])))
            continue;
        fprintf(out, "%s%s", before, parts[i][1]);
        before = ", ";
    }
    fputs(before[0] == ',' ? "\n" : "sandbox   off\n", out);
}

static void print_daemon(const json_t *root, FILE *out)
{
    const json_t *listening = json_object_get(root, "listen"), *cache = json_object_get(root, "cache");
    char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL], d[TABLE_CELL];
    size_t i;
    json_t *addr;
    fprintf(out, "dotstub %s, pid %s, up %s: %s\n", table_field(root, "version", a), table_field(root, "pid", b),
            table_duration(table_number(root, "uptime_s"), c), table_field(root, "state", d));
    print_why(root, out);
    fprintf(out, "workers   %s\nlisten   ", table_field(root, "workers", a));
    json_array_foreach(listening, i, addr) fprintf(out, " %s", table_text(addr, a));
    fprintf(out, "\npolicy    %s\n", table_field(root, "upstream_policy", a));
    fprintf(out, "queries   %s waiting\n", table_field(root, "queries_waiting", a));
    fprintf(out, "cache     %s entries, %.1f of %.1f MiB\n", table_field(cache, "entries", a),
            (double)table_number(cache, "used_bytes") / 1048576, (double)table_number(cache, "size_bytes") / 1048576);
    fprintf(out, "log       %s\n", table_field(root, "log_level", a));
    print_sandbox(json_object_get(root, "sandbox"), out);
    print_configuration(json_object_get(root, "configuration"), out);
    fputc('\n', out);
}

static void print_session(const json_t *server, FILE *out)
{
    const json_t *session = json_object_get(server, "last_session"), *error = json_object_get(server, "last_error");
    char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL], d[TABLE_CELL], e[TABLE_CELL];
    bool told = json_is_object(session) || json_is_string(error);
    if (told)
        fprintf(out, "\n%s %s\n", table_field(server, "upstream", a), table_field(server, "address", b));
    if (json_is_object(session))
        fprintf(out, "  last session: %s, %s, certificate %s%s, %s ago\n", table_field(session, "version", a),
                table_field(session, "cipher", b), table_field(session, "certificate", c),
                json_is_true(json_object_get(session, "resumed")) ? ", resumed" : "",
                table_duration(table_number(session, "opened_s_ago"), d));
    if (json_is_string(error))
        fprintf(out, "  last error:   %s, %s ago\n", table_text(error, a),
                table_duration(table_number(server, "last_error_s_ago"), e));
}

/* Words of a newer daemon are no success. */
static int exit_of(const char *state)
{
    static const struct {
        const char *state;
        int status;
    } exits[] = {{"ok", EXIT_OK}, {"failing", EXIT_FAILING}, {"down", EXIT_DOWN}};
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
        if (strcmp(exits[i].state, state) == 0)
            return exits[i].status;
    return EXIT_DEGRADED;
}

int show_status(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {{"UPSTREAM", "upstream", false},
                                                  {"ADDRESS", "address", false},
                                                  {"STATE", "state", false},
                                                  {"SESSIONS", "sessions_open", true},
                                                  {"IN FLIGHT", "in_flight", true},
                                                  {"MS", "latency_ms", true},
                                                  {"FAILURES", "failures_in_a_row", true},
                                                  {.title = NULL}};
    const json_t *servers = json_object_get(root, "servers"), *state = json_object_get(root, "state");
    size_t i;
    json_t *server;
    if (!json_is_array(servers) || !json_is_string(state))
        return -EPROTO;
    print_daemon(root, out);
    table_print(out, servers, columns);
    json_array_foreach(servers, i, server) print_session(server, out);
    return exit_of(json_string_value(state));
}

/* --- other commands --- */

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

static void print_entry(const json_t *entry, FILE *out)
{
    static const struct table_column columns[] = {{"  TYPE", "type", false}, {"TTL", "ttl", true}, {.title = NULL}};
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
    if (json_array_size(json_object_get(entry, "records")) > 0)
        table_print(out, json_object_get(entry, "records"), columns);
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
    fprintf(out, "%" JSON_INTEGER_FORMAT " entries flushed\n", table_number(root, "flushed"));
    return 0;
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
    print_lines(json_object_get(root, "at_next_start"), "", ": takes effect at the next start", out);
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
    print_lines(mistakes, "", "", out);
    json_decref(root);
    return any;
}
