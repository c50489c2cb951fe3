/* SPDX-License-Identifier: MIT */
/* Prints the status in about ten lines, and the servers in a table. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "command.h"
#include "show.h"
#include "table.h"

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

static void print_state(const json_t *root, FILE *out)
{
    char state[TABLE_CELL], text[TABLE_CELL];
    table_field(root, "state", state);
    fprintf(out, "dotstub %s: ", table_field(root, "version", text));
    fprintf(out, "%s%s%s", table_color(out, state), state, table_plain(out));
    if (json_is_integer(json_object_get(root, "state_s")))
        fprintf(out, " for %s", table_duration(table_number(root, "state_s"), text));
    fprintf(out, ", up %s", table_duration(table_number(root, "uptime_s"), text));
    fprintf(out, ", pid %s\n", table_field(root, "pid", text));
    show_lines(json_object_get(root, "why"), "  ", "", out);
}

/* --- upstreams --- */

static bool is_state(const json_t *server, const char *state)
{
    const char *word = json_string_value(json_object_get(server, "state"));
    return word && strcmp(word, state) == 0;
}

static const char *text_of(const json_t *server, const char *key)
{
    const char *text = json_string_value(json_object_get(server, key));
    return text ? text : "";
}

/* An upstream of several groups has servers, and sessions, in each of them. */
static bool is_same_upstream(const json_t *a, const json_t *b)
{
    return strcmp(text_of(a, "upstream"), text_of(b, "upstream")) == 0 &&
           strcmp(text_of(a, "group"), text_of(b, "group")) == 0;
}

/* Of the servers of one upstream: one with an open session, else with a last session, else the first. */
static const json_t *best_server(const json_t *servers, const json_t *first)
{
    const json_t *best = NULL;
    unsigned rank = 0;
    size_t i;
    json_t *server;
    json_array_foreach(servers, i, server)
    {
        unsigned its = is_state(server, "open") ? 3 : json_is_object(json_object_get(server, "last_session")) ? 2 : 1;
        if (!is_same_upstream(server, first) || its <= rank)
            continue;
        best = server;
        rank = its;
    }
    return best;
}

/* Names without a route are served by the group root. */
static bool has_group(const json_t *server)
{
    const char *group = text_of(server, "group");
    return *group && strcmp(group, "root") != 0;
}

/* A server that fails now is not described by its last session. */
static void print_session(const json_t *server, FILE *out)
{
    const json_t *session = json_object_get(server, "last_session"), *error = json_object_get(server, "last_error");
    char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL];
    json_int_t left_s = table_number(session, "certificate_expires") - (json_int_t)time(NULL);
    if ((!json_is_object(session) || is_state(server, "failing")) && json_is_string(error))
        fprintf(out, "%s%s%s, %s ago", table_color(out, "failing"), table_text(error, a), table_plain(out),
                table_duration(table_number(server, "last_error_s_ago"), b));
    else if (!json_is_object(session))
        fputs("no session yet", out);
    else
        fprintf(out, "%s, certificate %s, %s left%s", table_field(session, "version", a),
                table_field(session, "certificate", b), table_duration(left_s > 0 ? left_s : 0, c),
                json_is_true(json_object_get(session, "pinned")) ? ", pin matches" : "");
}

static bool is_plain_transport(const char *name)
{
    return strcmp(name, "udp") == 0 || strcmp(name, "tcp") == 0;
}

/* One line for each upstream of each group; that of a plain server has the zone as its name. */
static void print_upstreams(const json_t *servers, FILE *out)
{
    const json_t *before = NULL;
    char name[TABLE_CELL];
    size_t i;
    json_t *server;
    json_array_foreach(servers, i, server)
    {
        if (!*text_of(server, "upstream") || (before && is_same_upstream(server, before)))
            continue;
        before = server;
        bool is_plain = is_plain_transport(table_field(server, "transport", name));
        fprintf(out, "%s %s", is_plain ? "NOT encrypted, for" : "encrypted to", table_field(server, "upstream", name));
        if (!is_plain && has_group(server))
            fprintf(out, " (group %s)", table_field(server, "group", name));
        fputs(": ", out);
        const json_t *best = best_server(servers, server);
        print_session(best, out);
        if (json_is_string(json_object_get(best, "fallback")))
            fprintf(out, "; over HTTPS, because DNS over TLS does not work: %s", table_field(best, "fallback", name));
        fputs(json_is_true(json_object_get(server, "run_time")) ? "; added at run time\n" : "\n", out);
    }
}

/* --- hosts of upstreams --- */

static void print_host(const json_t *host, FILE *out)
{
    const json_t *addresses = json_object_get(host, "addresses"), *ago = json_object_get(host, "resolved_s_ago"),
                 *error = json_object_get(host, "last_error");
    char a[TABLE_CELL], b[TABLE_CELL];
    bool known = json_array_size(addresses) > 0;
    fprintf(out, "host      %s is ", table_field(host, "host", a));
    fprintf(out, "%s", known ? table_text(addresses, b) : "not known yet");
    if (known && json_is_integer(ago))
        fprintf(out, ", looked up %s ago", table_duration(json_integer_value(ago), b));
    else if (known)
        fputs(", from the saved state", out);
    if (json_is_string(error))
        fprintf(out, "; %slooking it up fails%s: %s", table_color(out, "failing"), table_plain(out),
                table_text(error, b));
    fputc('\n', out);
}

static void print_hosts(const json_t *hosts, FILE *out)
{
    size_t i;
    json_t *host;
    json_array_foreach(hosts, i, host) print_host(host, out);
}

/* --- the store --- */

#define N "%" JSON_INTEGER_FORMAT

static void print_store_figures(const json_t *store, FILE *out)
{
    fprintf(out, "          " N " hits of " N " values asked, " N " rejected, " N " late\n",
            table_number(store, "hits"), table_number(store, "gets"), table_number(store, "rejected"),
            table_number(store, "late"));
    fprintf(out, "          " N " values written, " N " lost", table_number(store, "written"),
            table_number(store, "not_written"));
    if (table_number(store, "waits") > 0)
        fprintf(out, "; " N " of " N " lookups got the value that another machine asked for",
                table_number(store, "filled"), table_number(store, "waits"));
    if (table_number(store, "warmed") > 0)
        fprintf(out, "; " N " popular names fetched", table_number(store, "warmed"));
    fputc('\n', out);
}

static void print_store(const json_t *store, FILE *out)
{
    const json_t *servers = json_object_get(store, "servers");
    char a[TABLE_CELL], b[TABLE_CELL];
    size_t i;
    json_t *server;
    json_array_foreach(servers, i, server)
    {
        const json_t *error = json_object_get(server, "last_error"), *ms = json_object_get(server, "latency_ms");
        const char *role = table_field(server, "role", a);
        bool is_sentinel = strcmp(role, "sentinel") == 0;
        fprintf(out, "store     %s%s", strcmp(role, "server") == 0 ? "" : role, strcmp(role, "server") == 0 ? "" : " ");
        fprintf(out, "%s %s", table_field(server, "server", a), table_field(server, "state", b));
        if (json_is_number(ms))
            fprintf(out, ", %.2f ms", json_number_value(ms));
        if (json_is_string(error))
            fprintf(out, ": %s%s", table_text(error, a), is_sentinel ? "" : "; queries are answered without it");
        fputc('\n', out);
    }
    if (json_array_size(servers) > 0)
        print_store_figures(store, out);
}

/* --- figures --- */

static void print_ratio(FILE *out, const json_t *minute, const char *key, const char *what)
{
    json_t *ratio = json_object_get(minute, key);
    if (json_is_number(ratio))
        fprintf(out, ", %.1f %% %s", json_number_value(ratio) * 100, what);
}

static void print_traffic(const json_t *root, FILE *out)
{
    const json_t *minute = json_object_get(root, "last_minute");
    char text[TABLE_CELL];
    fputs("queries   ", out);
    if (json_is_object(minute)) {
        fprintf(out, "%s a second", table_field(minute, "queries_a_second", text));
        print_ratio(out, minute, "hit_ratio", "hits");
        if (table_number(minute, "stale") > 0)
            print_ratio(out, minute, "stale_ratio", "stale");
        print_ratio(out, minute, "failed_ratio", "failed");
        fputs(" in the last minute, ", out);
    }
    fprintf(out, "%s waiting\n", table_field(root, "queries_waiting", text));
}

static void print_sessions(const json_t *root, FILE *out)
{
    const json_t *servers = json_object_get(root, "servers");
    char policy[TABLE_CELL];
    json_int_t sessions = 0, in_flight = 0;
    size_t i, open = 0;
    json_t *server;
    json_array_foreach(servers, i, server)
    {
        sessions += table_number(server, "sessions_open");
        in_flight += table_number(server, "in_flight");
        open += table_number(server, "sessions_open") > 0;
    }
    fprintf(out,
            "sessions  %" JSON_INTEGER_FORMAT " to %zu of %zu servers, %" JSON_INTEGER_FORMAT
            " queries in flight; upstream policy: %s\n",
            sessions, open, json_array_size(servers), in_flight, table_field(root, "upstream_policy", policy));
}

static void print_cache(const json_t *cache, FILE *out)
{
    char text[TABLE_CELL];
    fprintf(out, "cache     %s entries, %.1f of %.1f MiB\n", table_field(cache, "entries", text),
            (double)table_number(cache, "used_bytes") / 1048576, (double)table_number(cache, "size_bytes") / 1048576);
}

/* The anchors that are tracked. */
static void print_anchors(const json_t *anchors, FILE *out)
{
    const char *before = "anchors   ";
    char state[TABLE_CELL];
    size_t i;
    json_t *anchor;
    json_array_foreach(anchors, i, anchor)
    {
        if (strcmp(table_field(anchor, "state", state), "fixed") == 0)
            continue;
        fprintf(out, "%s%" JSON_INTEGER_FORMAT " %s", before, table_number(anchor, "key_tag"), state);
        before = ", ";
    }
    if (*before == ',')
        fputs(" (keys of the root)\n", out);
}

static void print_dnssec(const json_t *dnssec, FILE *out)
{
    const char *mode = json_string_value(json_object_get(dnssec, "mode"));
    char cell[TABLE_CELL];
    const char *before = ": ";
    size_t i;
    json_t *reason;
    if (!mode || strcmp(mode, "validate") != 0)
        return;
    fprintf(out,
            "dnssec    %" JSON_INTEGER_FORMAT " secure, %" JSON_INTEGER_FORMAT " insecure, %" JSON_INTEGER_FORMAT
            " bogus",
            table_number(dnssec, "secure"), table_number(dnssec, "insecure"), table_number(dnssec, "bogus"));
    json_array_foreach(json_object_get(dnssec, "bogus_by_reason"), i, reason) if (table_number(reason, "count") > 0)
    {
        fprintf(out, "%s%" JSON_INTEGER_FORMAT " %s", before, table_number(reason, "count"),
                table_field(reason, "reason", cell));
        before = ", ";
    }
    fputc('\n', out);
    print_anchors(json_object_get(dnssec, "anchors"), out);
}

/* The protections in force. */
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

/* Prints nothing if there was no reload. */
static void print_configuration(const json_t *configuration, FILE *out)
{
    char a[TABLE_CELL], b[TABLE_CELL];
    const json_t *last = json_object_get(configuration, "last_reload");
    if (!json_is_string(last))
        return;
    bool failed = strcmp(json_string_value(last), "failed") == 0;
    fprintf(out, "reload    %s%s%s, %s ago%s\n", table_color(out, json_string_value(last)), table_text(last, a),
            table_plain(out), table_duration(table_number(configuration, "last_reload_s_ago"), b),
            failed ? ": the previous configuration stays in force" : "");
    show_lines(json_object_get(configuration, "mistakes"), "  ", "", out);
    show_lines(json_object_get(configuration, "at_next_start"), "  ", ": takes effect at the next start", out);
}

int show_status(const json_t *root, FILE *out)
{
    const json_t *servers = json_object_get(root, "servers"), *state = json_object_get(root, "state");
    char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL];
    if (!json_is_array(servers) || !json_is_string(state))
        return -EPROTO;
    print_state(root, out);
    print_upstreams(servers, out);
    print_hosts(json_object_get(root, "hosts"), out);
    print_traffic(root, out);
    print_cache(json_object_get(root, "cache"), out);
    print_dnssec(json_object_get(root, "dnssec"), out);
    print_store(json_object_get(root, "store"), out);
    print_sessions(root, out);
    fprintf(out, "listening %s; workers: %s; log level: %s\n", table_field(root, "listen", a),
            table_field(root, "workers", b), table_field(root, "log_level", c));
    print_sandbox(json_object_get(root, "sandbox"), out);
    print_configuration(json_object_get(root, "configuration"), out);
    return exit_of(json_string_value(state));
}

/* --- servers --- */

int show_servers(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {
        {"GROUP", "group", false},           {"UPSTREAM", "upstream", false},
        {"ADDRESS", "address", false},       {"STATE", "state", false},
        {"SESSIONS", "sessions_open", true}, {"IN FLIGHT", "in_flight", true},
        {"MS", "latency_ms", true},          {"FAILURES", "failures_in_a_row", true},
        {"LAST ERROR", "last_error", false}, {.title = NULL}};
    const json_t *servers = json_object_get(root, "servers");
    bool groups = false;
    size_t i;
    json_t *server;
    if (!json_is_array(servers))
        return -EPROTO;
    json_array_foreach(servers, i, server) groups |= has_group(server);
    table_print(out, servers, groups ? columns : columns + 1);
    return 0;
}
