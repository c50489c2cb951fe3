/* SPDX-License-Identifier: MIT */
/* The bundle is meant to be sent to other people.
 *
 * Invariant: it contains nothing that names a client, a query or a person. private_settings are those whose values
 * are left out; counters contain no such data, and of the status only the members in redacted_status do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include "base/file.h"
#include <config.h>
#include "config/json.h"
#include "doctor.h"
#include "table.h"

#define REDACTED "(left out)"

/* Parts of the names of settings. */
static const char *const private_settings[] = {
    "access.",     "discovery.name", "dnssec.negative", "exceptions",     "filter-aaaa-clients", "forward",
    "health.name", "hosts",          "http-proxies",    ".https",         "identity.",           "key",
    "listen",      "password",       "portal.names",    "proxy-protocol", "rebind-allow",        "records",
    "search",      "secret",         "sort-addresses",  ".source",        "store.server",        "store.user",
    "token",       ".url",           "views.",          "zones"};

static bool is_private(const char *setting)
{
    for (size_t i = 0; i < sizeof private_settings / sizeof *private_settings; i++)
        if (strstr(setting, private_settings[i]))
            return true;
    return false;
}

/* Replaces the first label, which may name an account, as in "abc123.dns.nextdns.io". */
static json_t *without_account(const char *name)
{
    const char *rest = strchr(name, '.');
    return rest && strchr(rest + 1, '.') ? json_sprintf("*%s", rest) : json_string(name);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static json_t *settings(const struct doctor *doctor)
{
    json_t *settings = config_to_json(doctor->config), *setting;
    size_t i;
    json_array_foreach(settings, i, setting)
    {
        const char *key = json_string_value(json_object_get(setting, "setting"));
        const char *text = json_string_value(json_object_get(setting, "value"));
        if (!key || is_private(key))
            (void)json_object_set_new(setting, "value", json_string(REDACTED));
        else if (text && (ends_with(key, "tls-name") || ends_with(key, ".host")))
            (void)json_object_set_new(setting, "value", without_account(text));
    }
    return settings;
}

static json_t *versions(void)
{
    struct utsname system;
    if (uname(&system) < 0)
        return json_pack("{s:s}", "dotstubctl", PACKAGE_VERSION);
    return json_pack("{s:s, s:s, s:s}", "dotstubctl", PACKAGE_VERSION, "kernel", system.release, "machine",
                     system.machine);
}

static void redact_member(json_t *object, const char *key)
{
    const char *name = json_string_value(json_object_get(object, key));
    if (name)
        (void)json_object_set_new(object, key, without_account(name));
}

/* The groups of routes and views are named after zones and networks of clients, their servers perhaps, too. */
static void redact_servers(json_t *servers)
{
    static const char *const members[] = {"group", "upstream", "address"};
    size_t i, k;
    json_t *server;
    json_array_foreach(servers, i, server)
    {
        const char *group = json_string_value(json_object_get(server, "group"));
        bool has_owner = group && strchr(group, ':');
        for (k = 0; has_owner && k < sizeof members / sizeof *members; k++)
            (void)json_object_set_new(server, members[k], json_string(REDACTED));
        redact_member(json_object_get(server, "last_session"), "certificate");
    }
}

/* Listening addresses may identify the operator, host names and those in certificates an account; mistakes quote the
 * configuration. */
static json_t *redacted_status(const struct doctor *doctor)
{
    json_t *status = json_deep_copy(doctor->status), *host;
    size_t i;
    if (!status)
        return json_null();
    (void)json_object_del(status, "listen");
    (void)json_object_del(status, "views");
    (void)json_object_del(json_object_get(status, "configuration"), "mistakes");
    redact_servers(json_object_get(status, "servers"));
    redact_servers(json_object_get(status, "server_failures"));
    json_array_foreach(json_object_get(status, "hosts"), i, host) redact_member(host, "host");
    return status;
}

/* Sentences of other checks may name nameservers, processes or certificates: for such findings only "ok" is included. */
static json_t *redacted_findings(const struct doctor *doctor)
{
    static const char *const harmless[] = {"tcp",   "control", "throttling", "access", "timeout",
                                           "clock", "mtu",     "ipv6",       "nat64"};
    json_t *findings = json_deep_copy(doctor->findings), *finding;
    size_t i, k;
    json_array_foreach(findings, i, finding)
    {
        const char *check = json_string_value(json_object_get(finding, "check"));
        for (k = 0; k < sizeof harmless / sizeof *harmless && strcmp(harmless[k], check) != 0;)
            k++;
        if (k == sizeof harmless / sizeof *harmless)
            (void)json_object_set_new(finding, "says", json_string(REDACTED));
    }
    return findings;
}

int doctor_write_bundle(const struct doctor *doctor, const char *path)
{
    json_t *root = json_pack("{s:o, s:o, s:o, s:o, s:o}", "versions", versions(), "checks", redacted_findings(doctor),
                             "status", redacted_status(doctor), "stats",
                             doctor->stats ? json_incref(doctor->stats) : json_null(), "settings", settings(doctor));
    char *text = root ? json_dumps(root, TABLE_INDENT) : NULL;
    int status = text ? file_replace(path, text, strlen(text), 0600, false) : -ENOMEM;
    json_decref(root);
    free(text);
    return status;
}
