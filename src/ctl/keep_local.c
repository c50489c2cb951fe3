/* SPDX-License-Identifier: MIT */
/* A DHCP server may have written resolv.conf, so its words are checked as those of a network: only names of letters, digits,
 * hyphens and underscores get into the file. */
#include "keep_local.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "config/added.h"
#include "dns/name.h"

/* --- servers --- */

/* The reverse zone of the private range that the address is in; NULL: it is in none with a zone of its own. `room` is for
 * zones that depend on the address. */
static const char *reverse_zone(const struct addr *addr, char room[KEEP_NAME])
{
    if (addr->sa.sa_family == AF_INET6)
        return (addr->in6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc
                   ? addr->in6.sin6_addr.s6_addr[0] == 0xfd ? "d.f.ip6.arpa" : "c.f.ip6.arpa"
                   : NULL;
    uint32_t number = ntohl(addr->in.sin_addr.s_addr);
    if (number >> 24 == 10)
        return "10.in-addr.arpa";
    if (number >> 16 == 0xc0a8)
        return "168.192.in-addr.arpa";
    if (number >> 20 != 0xac1)
        return NULL;
    snprintf(room, KEEP_NAME, "%u.172.in-addr.arpa", (unsigned)(number >> 16 & 0xff));
    return room;
}

static bool is_private_address(const struct addr *addr)
{
    char room[KEEP_NAME];
    bool link_local = addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr);
    return (link_local && !addr_lacks_zone(addr)) || reverse_zone(addr, room);
}

/* --- zones --- */

static bool is_plain_name(const char *name)
{
    uint8_t wire[NAME_MAX_WIRE];
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return strlen(name) < KEEP_NAME && !name[strspn(name, letters)] && name_from_text(wire, name) > 1;
}

static bool is_at_or_below(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);
    return len >= suffix_len && strcasecmp(name + len - suffix_len, suffix) == 0 &&
           (len == suffix_len || name[len - suffix_len - 1] == '.');
}

/* Names that the public DNS does not have. */
static bool is_private_use(const char *name)
{
    static const char *const suffixes[] = {"home.arpa", "internal", "corp",        "home",
                                           "intranet",  "lan",      "localdomain", "private"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (is_at_or_below(name, suffixes[i]))
            return true;
    return false;
}

static bool has_route(const struct config *config, const char *zone)
{
    for (size_t i = 0; i < config->forward_count; i++)
        for (size_t z = 0; z < config->forward[i].zone_count; z++)
            if (added_same_zone(config->forward[i].zones[z], zone))
                return true;
    return false;
}

static bool is_found(const struct keep_local *keep, const char *zone)
{
    for (unsigned i = 0; i < keep->zone_count; i++)
        if (strcasecmp(keep->zones[i].name, zone) == 0)
            return true;
    return false;
}

static void add_zone(struct keep_local *keep, const struct config *config, const char *zone, bool is_private)
{
    if (keep->zone_count == KEEP_ZONES || is_found(keep, zone) || has_route(config, zone))
        return;
    struct keep_zone *added = &keep->zones[keep->zone_count++];
    snprintf(added->name, sizeof added->name, "%s", zone);
    added->is_private = is_private;
}

/* Names of the root's children that are not for private use are everybody's, as is all of arpa. */
static void add_domain(struct keep_local *keep, const struct config *config, char *name)
{
    size_t len = strlen(name);
    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
    if (!is_plain_name(name))
        return;
    bool is_private = is_private_use(name);
    if (is_private || (strchr(name, '.') && !is_at_or_below(name, "arpa")))
        add_zone(keep, config, name, is_private);
}

void keep_local_find(struct keep_local *out, const struct resolv *resolv, const struct config *config)
{
    char words[RESOLV_WORDS], room[KEEP_NAME], *next = NULL;
    *out = (struct keep_local){.server_count = 0};
    for (unsigned i = 0; i < resolv->server_count; i++)
        if (is_private_address(&resolv->servers[i]))
            out->servers[out->server_count++] = resolv->servers[i];
    if (out->server_count == 0)
        return;
    snprintf(words, sizeof words, "%s", resolv->searches);
    for (char *word = strtok_r(words, " ", &next); word; word = strtok_r(NULL, " ", &next))
        add_domain(out, config, word);
    for (unsigned i = 0; i < out->server_count; i++) {
        const char *zone = reverse_zone(&out->servers[i], room);
        if (zone)
            add_zone(out, config, zone, true);
    }
}

/* --- the file --- */

/* A route for the zones to keep of one kind. False: there are none. */
static bool put_route(FILE *out, const struct keep_local *keep, bool is_private)
{
    const char *first = "  - zones: [", *before = first;
    char address[ADDR_TEXT];
    for (unsigned i = 0; i < keep->zone_count; i++) {
        if (!keep->zones[i].keep || keep->zones[i].is_private != is_private)
            continue;
        fprintf(out, "%s\"%s\"", before, keep->zones[i].name);
        before = ", ";
    }
    if (before == first)
        return false;
    fputs("]\n    to: [", out);
    for (unsigned i = 0; i < keep->server_count; i++)
        fprintf(out, "%s\"%s\"", i ? ", " : "", addr_format(&keep->servers[i], false, address));
    fprintf(out, "]\n    plain: yes\n%s", is_private ? "    private: yes\n" : "");
    return true;
}

char *keep_local_text(const struct keep_local *keep)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fputs("# Written by `dotstubctl system enable`; `dotstubctl system disable` removes it.\n"
          "# Names that the router serves, without encryption; no other name is sent to it.\n"
          "forward:\n",
          out);
    bool any = put_route(out, keep, true);
    any |= put_route(out, keep, false);
    if (fclose(out) == 0 && any)
        return text;
    free(text);
    return NULL;
}
