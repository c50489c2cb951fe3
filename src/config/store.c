/* SPDX-License-Identifier: MIT */
/* The servers of the store: what a text of store.servers means, and the rules between its options. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include "config/config.h"
#include "config/draft.h"
#include "config/report.h"
#include "config/validate.h"

static bool is_host(const char *text, size_t len)
{
    size_t label = 0;
    bool named = false;
    for (size_t i = 0; i < len; i++) {
        char byte = text[i];
        label = byte == '.' ? 0 : label + 1;
        named |= isalpha((unsigned char)byte) != 0;
        if ((!isalnum((unsigned char)byte) && byte != '-' && byte != '.') || label > 63 ||
            (label == 0 && (i == 0 || text[i - 1] == '.')))
            return false;
    }
    return named && len > 0 && len <= 253;
}

static int parse_path(struct config_store_server *out, const char *text)
{
    if (strlen(text) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return -EINVAL;
    out->at = STORE_AT_PATH;
    snprintf(out->name, sizeof out->name, "%s", text);
    return 0;
}

static int parse_host(struct config_store_server *out, const char *text)
{
    const char *at = strchr(text, '@');
    size_t len = at ? (size_t)(at - text) : strlen(text);
    char *end = NULL;
    unsigned long port = at ? strtoul(at + 1, &end, 10) : CONFIG_STORE_PORT;
    if (!is_host(text, len) || (at && (!isdigit((unsigned char)at[1]) || *end)) || port == 0 || port > UINT16_MAX)
        return -EINVAL;
    out->at = STORE_AT_HOST;
    out->port = (uint16_t)port;
    snprintf(out->name, sizeof out->name, "%.*s", (int)len, text);
    return 0;
}

int config_store_server(struct config_store_server *out, const char *text)
{
    struct config_store_server server = {.port = 0};
    int status = 0;
    if (text[0] == '/') {
        status = parse_path(&server, text);
    } else if (addr_parse(&server.addr, text, CONFIG_STORE_PORT) == 0) {
        server.port = addr_port(&server.addr);
        addr_format(&server.addr, false, server.name);
        status = server.port == 0 || addr_is_wildcard(&server.addr) || addr_lacks_zone(&server.addr) ? -EINVAL : 0;
    } else {
        status = parse_host(&server, text);
    }
    if (status == 0)
        *out = server;
    return status;
}

int config_store_ports(const char *text, uint16_t *low, uint16_t *high)
{
    enum { WIDEST = 1024 };
    char *end = NULL;
    if (!isdigit((unsigned char)text[0]))
        return -EINVAL;
    unsigned long first = strtoul(text, &end, 10), last = first;
    if (*end == '-') {
        if (!isdigit((unsigned char)end[1]))
            return -EINVAL;
        last = strtoul(end + 1, &end, 10);
    }
    if (*end || first == 0 || first > last || last > UINT16_MAX || last - first >= WIDEST)
        return -EINVAL;
    *low = (uint16_t)first;
    *high = (uint16_t)last;
    return 0;
}

static void validate_login(struct draft *draft, const char *user_key, const char *password_key)
{
    const struct setting *user = draft_setting(draft, user_key), *password = draft_setting(draft, password_key);
    if (!user->broken && user->first && !user->first->none && (!password->first || password->first->none))
        report_at(draft->report, user->mark, "%s: a user needs a password; name its file in %s", user_key,
                  password_key);
}

static void validate_kind(struct draft *draft)
{
    const struct setting *sentinel = draft_setting(draft, "store.sentinel"),
                         *cluster = draft_setting(draft, "store.cluster");
    if (sentinel->first && !sentinel->first->none && cluster->first && cluster->first->number)
        report_at(draft->report, cluster->mark,
                  "store.cluster: a cluster has no Sentinels; remove it, or store.sentinel");
}

static void validate_ports(struct draft *draft)
{
    const struct setting *ports = draft_setting(draft, "store.node-ports");
    uint16_t low, high;
    for (const struct value *value = ports->first; value; value = value->next) {
        char text[300];
        snprintf(text, sizeof text, "%.*s", (int)value->text.len, (const char *)value->text.data);
        if (config_store_ports(text, &low, &high) < 0)
            report_at(draft->report, value->mark,
                      "store.node-ports: %s is not a port; write PORT, or PORT-PORT for at most 1024 of them", text);
    }
}

void validate_store(struct draft *draft)
{
    const struct setting *servers = draft_setting(draft, "store.servers"),
                         *key = draft_setting(draft, "store.fleet-key-file");
    struct config_store_server server;
    for (const struct value *value = servers->first; value; value = value->next) {
        char text[300];
        snprintf(text, sizeof text, "%.*s", (int)value->text.len, (const char *)value->text.data);
        if (config_store_server(&server, text) < 0)
            report_at(draft->report, value->mark,
                      "store.servers: %s is not a server; write HOST@PORT, ADDR@PORT, or the path of a unix socket",
                      text);
    }
    validate_ports(draft);
    validate_kind(draft);
    if (servers->broken || servers->count == 0)
        return;
    if (!key->broken && (!key->first || key->first->none))
        report_at(draft->report, servers->mark,
                  "store.servers: it needs a fleet key, with which values are sealed; write one with "
                  "`openssl rand -base64 32` to a file that only dotstub can read and name it in store.fleet-key-file");
    validate_login(draft, "store.user", "store.password-file");
    validate_login(draft, "store.sentinel-user", "store.sentinel-password-file");
}
