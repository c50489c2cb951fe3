/* SPDX-License-Identifier: MIT */
/* dnssec NAME: sends a query, then shows what the daemon's cache holds of each zone on the way: DS, keys, signatures. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "anchors.h"
#include "client.h"
#include "command.h"
#include "dns/name.h"
#include "locate.h"
#include "negative.h"
#include "show.h"
#include "table.h"

/* --- requests --- */

/* The reply to a request, about a name and type unless these are NULL. NULL: there is none; *status is the exit status. */
static json_t *request(const char *path, const char *verb, const char *target_path, const char *name, const char *type,
                       int *status)
{
    char target[2048], sentence[512];
    struct client_reply reply = {.body = NULL};
    snprintf(target, sizeof target, "%s", target_path);
    if ((name && !client_add_argument(target, sizeof target, "name", name)) ||
        (type && !client_add_argument(target, sizeof target, "type", type))) {
        fputs("dotstubctl: argument too long\n", stderr);
        *status = EXIT_USAGE;
        return NULL;
    }
    int error = client_ask(&reply, path, verb, target);
    json_t *root = error == 0 && reply.status == 200 ? json_loads(reply.body, 0, NULL) : NULL;
    if (error < 0)
        *status = locate_explain(path, error);
    else if (reply.status != 200)
        fprintf(stderr, "dotstubctl: %s\n", show_error(reply.body, sentence, sizeof sentence));
    if (!root && error == 0)
        *status = reply.status == 400 ? EXIT_USAGE : EXIT_OTHER;
    free(reply.body);
    return root;
}

static bool daemon_validates(const char *path, int *status)
{
    json_t *root = request(path, "GET", "/status", NULL, NULL, status);
    const char *mode = json_string_value(json_object_get(json_object_get(root, "dnssec"), "mode"));
    bool validates = mode && strcmp(mode, "validate") == 0;
    json_decref(root);
    return validates;
}

/* The entry that was validated, or null. */
static json_t *entry_of(json_t *cache)
{
    size_t i;
    json_t *entry, *found = NULL;
    json_array_foreach(json_object_get(cache, "entries"), i, entry)
    {
        if (!found && json_is_false(json_object_get(entry, "checking_disabled")))
            found = json_incref(entry);
    }
    return found ? found : json_null();
}

static int add_entry(json_t *zone, const char *key, const char *path, const char *name, const char *type)
{
    int status = EXIT_OK;
    json_t *cache = request(path, "GET", "/cache", name, type, &status);
    (void)json_object_set_new(zone, key, entry_of(cache));
    json_decref(cache);
    return status;
}

/* From the root down to the name. */
static int add_zones(json_t *root, const char *path, const uint8_t *name)
{
    json_t *zones = json_array();
    int status = EXIT_OK;
    char text[NAME_MAX_TEXT];
    unsigned labels = name_labels(name);
    for (unsigned i = 0; status == EXIT_OK && i <= labels; i++) {
        const uint8_t *suffix = name;
        for (unsigned skip = labels - i; skip > 0; skip--)
            suffix += 1 + (size_t)*suffix;
        json_t *zone = json_object();
        (void)json_object_set_new(zone, "zone", json_string(name_text(suffix, text)));
        status = add_entry(zone, "ds", path, text, "DS");
        if (status == EXIT_OK)
            status = add_entry(zone, "dnskey", path, text, "DNSKEY");
        (void)json_array_append_new(zones, zone);
    }
    (void)json_object_set_new(root, "zones", zones);
    return status;
}

/* --- text --- */

static bool is_secure(const json_t *entry)
{
    return json_is_true(json_object_get(entry, "authenticated"));
}

/* The n-th field of the data of a record. */
static const char *field_of(const json_t *record, unsigned n, char out[TABLE_CELL])
{
    const char *data = json_string_value(json_object_get(record, "data"));
    for (; data && n > 0; n--)
        data = (data = strchr(data, ' ')) ? data + 1 : NULL;
    snprintf(out, TABLE_CELL, "%.*s", data ? (int)strcspn(data, " ") : 1, data ? data : "-");
    table_make_plain(out);
    return out;
}

static unsigned count_records(const json_t *entry, const char *type)
{
    unsigned count = 0;
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(entry, "records"), i, record)
    {
        const char *is = json_string_value(json_object_get(record, "type"));
        const char *section = json_string_value(json_object_get(record, "section"));
        count += is && section && strcmp(is, type) == 0 && strcmp(section, "answer") == 0;
    }
    return count;
}

/* "20261230104323" becomes "2026-12-30". */
static void print_signatures(const json_t *entry, FILE *out)
{
    enum { ALGORITHM = 1, EXPIRATION = 4, TAG = 6 };
    char tag[TABLE_CELL], algorithm[TABLE_CELL], end[TABLE_CELL];
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(entry, "records"), i, record)
    {
        const char *type = json_string_value(json_object_get(record, "type"));
        if (!type || strcmp(type, "RRSIG") != 0)
            continue;
        field_of(record, EXPIRATION, end);
        fprintf(out, ", signed by key %s (algorithm %s) until %.4s-%.2s-%.2s", field_of(record, TAG, tag),
                field_of(record, ALGORITHM, algorithm), end, strlen(end) == 14 ? end + 4 : "??",
                strlen(end) == 14 ? end + 6 : "??");
    }
}

static bool has_type(const char *data, const char *type)
{
    size_t len = strlen(type);
    for (const char *at = data; (at = strstr(at, type)); at += len)
        if (at > data && at[-1] == ' ' && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

/* True if a denial shows a delegation without DS. */
static bool is_unsigned_delegation(const json_t *entry)
{
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(entry, "records"), i, record)
    {
        const char *type = json_string_value(json_object_get(record, "type"));
        const char *data = json_string_value(json_object_get(record, "data"));
        if (type && data && strncmp(type, "NSEC", 4) == 0 && has_type(data, "NS") && !has_type(data, "SOA") &&
            !has_type(data, "DS"))
            return true;
    }
    return false;
}

static void print_ds(const json_t *entry, FILE *out)
{
    if (!json_is_object(entry))
        return;
    unsigned count = count_records(entry, "DS");
    if (count == 0)
        fprintf(out, "  no DS: %s\n",
                is_secure(entry) && !is_unsigned_delegation(entry) ? "not a zone of its own"
                                                                   : "nothing below is signed");
    else
        fprintf(out, "  %u DS, %s", count, is_secure(entry) ? "secure" : "insecure");
    if (count > 0) {
        print_signatures(entry, out);
        fputc('\n', out);
    }
}

static void print_keys(const json_t *entry, FILE *out)
{
    unsigned count = json_is_object(entry) ? count_records(entry, "DNSKEY") : 0;
    if (count == 0)
        return;
    fprintf(out, "  %u keys, %s", count, is_secure(entry) ? "secure" : "insecure");
    print_signatures(entry, out);
    fputc('\n', out);
}

/* Without validation by dotstub, an entry has the AD flag of the upstream. */
static const char *verdict(const json_t *answer, bool validates)
{
    if (!json_is_object(answer))
        return validates ? "no validated response in the cache" : "no response in the cache";
    if (validates)
        return is_secure(answer) ? "secure" : "insecure";
    return is_secure(answer) ? "validated by the upstream" : "not validated (dnssec.mode is not `validate`)";
}

/* The reason is in the record of the lookup that the query waited for. */
static void print_verdict(const json_t *root, bool validates, FILE *out)
{
    char name[TABLE_CELL], type[TABLE_CELL], rcode[TABLE_CELL], reason[TABLE_CELL];
    const json_t *answer = json_object_get(root, "answer");
    const json_t *error = json_object_get(json_object_get(root, "lookup"), "extended_error");
    fprintf(out, "%s %s: %s, %s", table_field(root, "name", name), table_field(root, "type", type),
            table_field(root, "rcode", rcode), verdict(answer, validates));
    if (json_is_object(error))
        fprintf(out, ": %s", table_field(error, "text", reason));
    fputc('\n', out);
    if (json_is_object(answer)) {
        size_t records = json_array_size(json_object_get(answer, "records"));
        fprintf(out, "  %zu record%s", records, records == 1 ? "" : "s");
        print_signatures(answer, out);
        fputc('\n', out);
    }
}

static void print_zones(const json_t *zones, FILE *out)
{
    char name[TABLE_CELL];
    size_t i;
    json_t *zone;
    json_array_foreach(zones, i, zone)
    {
        const json_t *ds = json_object_get(zone, "ds"), *keys = json_object_get(zone, "dnskey");
        if (!json_is_object(ds) && !json_is_object(keys))
            continue;
        fprintf(out, "%s\n", table_field(zone, "zone", name));
        print_ds(ds, out);
        print_keys(keys, out);
    }
}

static void print_all(const json_t *root, bool validates, FILE *out)
{
    if (validates)
        print_zones(json_object_get(root, "zones"), out);
    print_verdict(root, validates, out);
}

int dnssec_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    if (strcmp(arguments[0], "negative") == 0)
        return negative_run(options, arguments + 1, count - 1);
    if (strcmp(arguments[0], "anchors") == 0 && count == 1)
        return anchors_run(options);
    const char *type = count > 1 ? arguments[1] : "A";
    char path[PATH_MAX];
    uint8_t name[NAME_MAX_WIRE];
    (void)command;
    if (options->given || count > 2) {
        fputs("dotstubctl: only `dnssec negative add` takes --for; see `dotstubctl help dnssec`\n", stderr);
        return EXIT_USAGE;
    }
    if (name_from_text(name, arguments[0]) < 0) {
        fputs("dotstubctl: the argument is not a valid domain name\n", stderr);
        return EXIT_USAGE;
    }
    int status = locate_socket(options, path);
    json_t *root = status == EXIT_OK ? request(path, "POST", "/trace", arguments[0], type, &status) : NULL;
    if (!root)
        return status;
    status = add_entry(root, "answer", path, arguments[0], type);
    if (status == EXIT_OK)
        status = add_zones(root, path, name);
    if (status == EXIT_OK && options->json)
        return table_print_json(root, stdout, TABLE_INDENT) < 0 ? EXIT_OTHER : EXIT_OK;
    bool validates = status == EXIT_OK && daemon_validates(path, &status);
    if (status == EXIT_OK)
        print_all(root, validates, stdout);
    json_decref(root);
    return fflush(stdout) == 0 ? status : EXIT_OTHER;
}
