/* SPDX-License-Identifier: MIT */
#include "lease.h"
#include <ctype.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 2048, LINES = 20000, PORT_DNS = 53 };

static void add_servers(struct network_lease *lease, char *list)
{
    char *rest = NULL;
    for (char *text = strtok_r(list, " ,;\t\n", &rest); text; text = strtok_r(NULL, " ,;\t\n", &rest)) {
        struct addr addr;
        if (lease->server_count < LEASE_SERVERS && addr_parse(&addr, text, PORT_DNS) == 0 && !addr_is_loopback(&addr) &&
            !addr_is_wildcard(&addr) && !addr_lacks_zone(&addr))
            lease->servers[lease->server_count++] = addr;
    }
}

static void set_url(struct network_lease *lease, const char *text)
{
    size_t len = strcspn(text, "\"; \t\n");
    if (len >= LEASE_URL || (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0))
        return;
    for (size_t i = 0; i < len; i++)
        if (!isgraph((unsigned char)text[i]))
            return;
    snprintf(lease->url, sizeof lease->url, "%.*s", (int)len, text);
}

static FILE *open_below(const char *root, const char *before, const char *part, const char *after)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s%s%s%s", root, before, part, after);
    return len > 0 && len < (int)sizeof path ? fopen(path, "re") : NULL;
}

/* The text after `key`, or NULL: the line has another one. */
static char *after(char *line, const char *key)
{
    while (*line == ' ' || *line == '\t')
        line++;
    return strncmp(line, key, strlen(key)) == 0 ? line + strlen(key) : NULL;
}

/* --- systemd-networkd --- */

static void read_networkd(struct network_lease *lease, const char *interface, const char *root)
{
    char index[16], line[LINE], *value;
    snprintf(index, sizeof index, "%u", if_nametoindex(interface));
    FILE *file = open_below(root, "/run/systemd/netif/leases/", index, "");
    for (unsigned i = 0; file && i < LINES && fgets(line, sizeof line, file); i++) {
        if ((value = after(line, "DNS=")))
            add_servers(lease, value);
        else if ((value = after(line, "CAPTIVE_PORTAL=")))
            set_url(lease, value);
    }
    if (file)
        fclose(file);
}

/* --- dhclient --- */

/* The latest lease of the interface in a file is the last one. */
static void read_leases(struct network_lease *lease, const char *interface, FILE *file)
{
    char line[LINE], wanted[64], *value;
    struct network_lease one = {.server_count = 0};
    bool ours = false;
    snprintf(wanted, sizeof wanted, "interface \"%.15s\";", interface);
    for (unsigned i = 0; i < LINES && fgets(line, sizeof line, file); i++) {
        if (after(line, "lease")) {
            one = (struct network_lease){.server_count = 0};
            ours = false;
        } else if (after(line, wanted)) {
            ours = true;
        } else if ((value = after(line, "option domain-name-servers "))) {
            add_servers(&one, value);
        } else if ((value = after(line, "option default-url \"")) || (value = after(line, "option unknown-114 \"")) ||
                   (value = after(line, "option v4-captive-portal \""))) {
            set_url(&one, value);
        } else if (after(line, "}") && ours && one.server_count > 0) {
            *lease = one;
        }
    }
}

static void read_dhclient(struct network_lease *lease, const char *interface, const char *root)
{
    static const char *const files[][2] = {{"/var/lib/dhcp/dhclient.", ".leases"},
                                           {"/var/lib/dhclient/dhclient-", ".leases"},
                                           {"/var/lib/dhcp/dhclient.leases", NULL}};
    for (size_t i = 0; lease->server_count == 0 && i < sizeof files / sizeof *files; i++) {
        bool one = files[i][1];
        FILE *file = open_below(root, files[i][0], one ? interface : "", one ? files[i][1] : "");
        if (!file)
            continue;
        read_leases(lease, interface, file);
        fclose(file);
    }
}

/* --- NetworkManager --- */

/* It keeps the resolvers of all connections in one file, whatever /etc/resolv.conf says. */
static void read_manager(struct network_lease *lease, const char *root)
{
    static const char *const files[] = {"/run/NetworkManager/no-stub-resolv.conf", "/run/NetworkManager/resolv.conf"};
    char line[LINE], *value;
    for (size_t f = 0; lease->server_count == 0 && f < sizeof files / sizeof *files; f++) {
        FILE *file = open_below(root, files[f], "", "");
        for (unsigned i = 0; file && i < LINES && fgets(line, sizeof line, file); i++)
            if ((value = after(line, "nameserver ")))
                add_servers(lease, value);
        if (file)
            fclose(file);
    }
}

/* --- the interface --- */

/* The interface of the IPv4 default route; false: there is none. */
static bool find_default(char out[IF_NAMESIZE], const char *root)
{
    char line[LINE], name[IF_NAMESIZE];
    unsigned target;
    FILE *file = open_below(root, "/proc/net/route", "", "");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "%15s %8x", name, &target) == 2 && target == 0;
    if (file)
        fclose(file);
    if (found)
        memcpy(out, name, IF_NAMESIZE);
    return found;
}

bool lease_read(struct network_lease *out, const char *interface, const char *root)
{
    char name[IF_NAMESIZE] = "";
    *out = (struct network_lease){.server_count = 0};
    if (interface)
        snprintf(name, sizeof name, "%.15s", interface);
    if ((interface || find_default(name, root)) && !strchr(name, '/')) {
        read_networkd(out, name, root);
        if (out->server_count == 0)
            read_dhclient(out, name, root);
    }
    if (out->server_count == 0 && !interface)
        read_manager(out, root);
    return out->server_count > 0;
}
