/* Invariant: a field that is missing or of another type is shown as "-" and is no failure, so that a newer daemon can be asked; only
 * what is no JSON, or lacks its main part, is. Texts of strangers are printed without control characters. */
#include "show.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* --- values as text --- */

enum { CELL = 512 };

static void make_plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

static const char *text_of(const json_t *value, char out[CELL])
{
    if (json_is_string(value))
        snprintf(out, CELL, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(out, CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(out, CELL, "%.1f", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(out, CELL, "%s", json_is_true(value) ? "yes" : "no");
    else
        snprintf(out, CELL, "-");
    make_plain(out);
    return out;
}

static const char *field(const json_t *object, const char *key, char out[CELL])
{
    return text_of(json_object_get(object, key), out);
}

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *duration(json_int_t seconds, char out[CELL])
{
    if (seconds >= 86400)
        snprintf(out, CELL, "%" JSON_INTEGER_FORMAT " d %" JSON_INTEGER_FORMAT " h", seconds / 86400, seconds / 3600 % 24);
    else if (seconds >= 3600)
        snprintf(out, CELL, "%" JSON_INTEGER_FORMAT " h %" JSON_INTEGER_FORMAT " min", seconds / 3600, seconds / 60 % 60);
    else if (seconds >= 60)
        snprintf(out, CELL, "%" JSON_INTEGER_FORMAT " min %" JSON_INTEGER_FORMAT " s", seconds / 60, seconds % 60);
    else
        snprintf(out, CELL, "%" JSON_INTEGER_FORMAT " s", seconds);
    return out;
}

/* --- tables --- */

enum { COLUMNS_MAX = 8 };

struct column {
    const char *title, *key;
    bool right; /* numbers */
};

/* As wide as its widest cell. */
static int width_of(const json_t *rows, const struct column *column)
{
    size_t width = strlen(column->title), i;
    json_t *row;
    char cell[CELL];
    json_array_foreach(rows, i, row) {
        size_t len = strlen(field(row, column->key, cell));
        width = len > width ? len : width;
    }
    return (int)width;
}

/* The last column is not padded. */
static void print_cell(FILE *out, const struct column *column, int width, const char *text)
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

/* `columns` end with a NULL title. */
static void print_table(FILE *out, const json_t *rows, const struct column *columns)
{
    int widths[COLUMNS_MAX];
    char cell[CELL];
    size_t i;
    json_t *row;
    for (unsigned c = 0; columns[c].title; c++)
        widths[c] = width_of(rows, &columns[c]);
    for (unsigned c = 0; columns[c].title; c++)
        print_cell(out, &columns[c], widths[c], columns[c].title);
    json_array_foreach(rows, i, row)
        for (unsigned c = 0; columns[c].title; c++)
            print_cell(out, &columns[c], widths[c], field(row, columns[c].key, cell));
}

/* --- status --- */

static void print_degraded(const json_t *root, FILE *out)
{
    size_t i;
    json_t *sentence;
    char cell[CELL];
    json_array_foreach(json_object_get(root, "degraded"), i, sentence)
        fprintf(out, "  %s\n", text_of(sentence, cell));
}

static void print_daemon(const json_t *root, FILE *out)
{
    const json_t *listening = json_object_get(root, "listen"), *cache = json_object_get(root, "cache");
    char a[CELL], b[CELL], c[CELL];
    size_t i;
    json_t *addr;
    fprintf(out, "dotstub %s, pid %s, up %s: %s\n", field(root, "version", a), field(root, "pid", b),
            duration(number(root, "uptime_s"), c), json_string_value(json_object_get(root, "state")));
    print_degraded(root, out);
    fprintf(out, "workers   %s\nlisten   ", field(root, "workers", a));
    json_array_foreach(listening, i, addr)
        fprintf(out, " %s", text_of(addr, a));
    fprintf(out, "\nqueries   %s waiting\n", field(root, "queries_waiting", a));
    fprintf(out, "cache     %s entries, %.1f of %.1f MiB\n", field(cache, "entries", a), (double)number(cache, "used_bytes") / 1048576,
            (double)number(cache, "size_bytes") / 1048576);
    fprintf(out, "log       %s\n\n", field(root, "log_level", a));
}

static void print_session(const json_t *server, FILE *out)
{
    const json_t *session = json_object_get(server, "last_session"), *error = json_object_get(server, "last_error");
    char a[CELL], b[CELL], c[CELL], d[CELL], e[CELL];
    bool told = json_is_object(session) || json_is_string(error);
    if (told)
        fprintf(out, "\n%s %s\n", field(server, "upstream", a), field(server, "address", b));
    if (json_is_object(session))
        fprintf(out, "  last session: %s, %s, certificate %s%s, %s ago\n", field(session, "version", a), field(session, "cipher", b),
                field(session, "certificate", c), json_is_true(json_object_get(session, "resumed")) ? ", resumed" : "",
                duration(number(session, "opened_s_ago"), d));
    if (json_is_string(error))
        fprintf(out, "  last error:   %s, %s ago\n", text_of(error, a), duration(number(server, "last_error_s_ago"), e));
}

static int print_status(const json_t *root, FILE *out)
{
    static const struct column columns[] = {
        {"UPSTREAM", "upstream", false},      {"ADDRESS", "address", false},         {"STATE", "state", false},
        {"SESSIONS", "sessions_open", true},  {"IN FLIGHT", "in_flight", true},      {"MS", "latency_ms", true},
        {"FAILURES", "failures_in_a_row", true}, {.title = NULL}};
    const json_t *servers = json_object_get(root, "servers"), *state = json_object_get(root, "state");
    size_t i;
    json_t *server;
    if (!json_is_array(servers) || !json_is_string(state))
        return -EPROTO;
    print_daemon(root, out);
    print_table(out, servers, columns);
    json_array_foreach(servers, i, server)
        print_session(server, out);
    return strcmp(json_string_value(state), "ok") != 0;
}

/* --- the others --- */

static int print_stats(const json_t *root, FILE *out)
{
    json_t *counters = json_object_get(root, "counters"), *value;
    const char *name;
    char cell[CELL];
    if (!json_is_object(counters))
        return -EPROTO;
    json_object_foreach(counters, name, value)
        fprintf(out, "%-26s %s\n", name, text_of(value, cell));
    return 0;
}

static int print_config(const json_t *root, FILE *out)
{
    static const struct column columns[] = {
        {"SETTING", "setting", false}, {"VALUE", "value", false}, {"FROM", "origin", false}, {.title = NULL}};
    const json_t *settings = json_object_get(root, "settings");
    if (!json_is_array(settings))
        return -EPROTO;
    print_table(out, settings, columns);
    return 0;
}

static void print_answer(const json_t *answer, FILE *out)
{
    static const struct column columns[] = {{"  TYPE", "type", false}, {"TTL", "ttl", true}, {.title = NULL}};
    char a[CELL], b[CELL], c[CELL], d[CELL];
    const json_t *expired = json_object_get(answer, "expired_s_ago"), *errors = json_object_get(answer, "extended_errors");
    size_t i;
    json_t *error;
    fprintf(out, "%s%s%s: ", field(answer, "rcode", a), json_is_true(json_object_get(answer, "dnssec_ok")) ? ", DO" : "",
            json_is_true(json_object_get(answer, "checking_disabled")) ? ", CD" : "");
    if (json_is_integer(expired))
        fprintf(out, "expired %s ago", duration(json_integer_value(expired), b));
    else
        fprintf(out, "%s of %s s left", field(answer, "ttl", b), field(answer, "original_ttl", c));
    fprintf(out, ", %s octets%s\n", field(answer, "size", d),
            json_is_true(json_object_get(answer, "authenticated")) ? ", authenticated" : "");
    json_array_foreach(errors, i, error)
        fprintf(out, "  extended error %s %s\n", field(error, "code", a), field(error, "text", b));
    if (json_array_size(json_object_get(answer, "records")) > 0)
        print_table(out, json_object_get(answer, "records"), columns);
}

static int print_cache(const json_t *root, FILE *out)
{
    const json_t *answers = json_object_get(root, "answers");
    char name[CELL], type[CELL];
    size_t i;
    json_t *answer;
    if (!json_is_array(answers))
        return -EPROTO;
    fprintf(out, "%s %s%s\n", field(root, "name", name), field(root, "type", type),
            json_array_size(answers) ? "" : ": nothing is kept");
    json_array_foreach(answers, i, answer)
        print_answer(answer, out);
    return 0;
}

static int print_flush(const json_t *root, FILE *out)
{
    if (!json_is_integer(json_object_get(root, "flushed")))
        return -EPROTO;
    fprintf(out, "%" JSON_INTEGER_FORMAT " answers flushed\n", number(root, "flushed"));
    return 0;
}

static int print_log(const json_t *root, FILE *out)
{
    char level[CELL];
    if (!json_is_string(json_object_get(root, "level")))
        return -EPROTO;
    fprintf(out, "log level %s\n", field(root, "level", level));
    return 0;
}

static int print_drain(const json_t *root, FILE *out)
{
    json_t *seconds = json_object_get(root, "draining_s");
    if (!json_is_number(seconds))
        return -EPROTO;
    fprintf(out, "draining for %g s, then stopping\n", json_number_value(seconds));
    return 0;
}

static int show(const char *json, FILE *out, int (*print)(const json_t *root, FILE *out))
{
    json_t *root = json_loads(json, 0, NULL);
    int status = root ? print(root, out) : -EPROTO;
    json_decref(root);
    return status;
}

int show_status(const char *json, FILE *out)
{
    return show(json, out, print_status);
}

int show_stats(const char *json, FILE *out)
{
    return show(json, out, print_stats);
}

int show_config(const char *json, FILE *out)
{
    return show(json, out, print_config);
}

int show_cache(const char *json, FILE *out)
{
    return show(json, out, print_cache);
}

int show_flush(const char *json, FILE *out)
{
    return show(json, out, print_flush);
}

int show_log(const char *json, FILE *out)
{
    return show(json, out, print_log);
}

int show_drain(const char *json, FILE *out)
{
    return show(json, out, print_drain);
}

const char *show_error(const char *body, char *out, size_t cap)
{
    json_t *root = json_loads(body, 0, NULL);
    const char *sentence = json_string_value(json_object_get(root, "error"));
    snprintf(out, cap, "%.*s", sentence ? (int)strlen(sentence) : (int)strcspn(body, "\r\n"), sentence ? sentence : body);
    make_plain(out);
    json_decref(root);
    return out;
}
