/* SPDX-License-Identifier: MIT */
/* The checks of `groups` and `forward`. */
#include <string.h>
#include <strings.h>
#include "config/validate_private.h"
#include "config/validate_views.h"

#define LONGEST_NAME 253

static bool is_same_zone(const struct value *a, const struct value *b)
{
    size_t len_a = a->text.len, len_b = b->text.len;
    len_a -= len_a > 1 && a->text.data[len_a - 1] == '.';
    len_b -= len_b > 1 && b->text.data[len_b - 1] == '.';
    return len_a == len_b && strncasecmp((const char *)a->text.data, (const char *)b->text.data, len_a) == 0;
}

/* True if a zone of an earlier route of the list, or an earlier one of this route, is the same. */
static bool is_zone_taken(const struct setting *routes, const struct value *zone)
{
    for (const struct draft_item *route = routes->items; route; route = route->next)
        for (const struct value *other = draft_item_setting(route, "zones")->first; other; other = other->next) {
            if (other == zone)
                return false;
            if (is_same_zone(other, zone))
                return true;
        }
    return false;
}

static void check_zones(struct draft *draft, const struct setting *routes, const struct draft_item *route)
{
    for (const struct value *zone = draft_item_setting(route, "zones")->first; zone; zone = zone->next) {
        int len = (int)zone->text.len;
        const char *text = (const char *)zone->text.data;
        if (len == 1 && *text == '.')
            report_at(draft->report, zone->mark, "forward: a route for all names; set upstreams instead");
        else if (is_zone_taken(routes, zone))
            report_at(draft->report, zone->mark, "forward: the zone %.*s has two routes; remove one", len, text);
    }
}

/* A name in plain DNS is never sent by mistake: the address and the consent must both be there. */
static void check_plain(struct draft *draft, const struct draft_item *route)
{
    const struct setting *to = draft_item_setting(route, "to"), *plain = draft_item_setting(route, "plain");
    bool is_plain = plain->broken || plain->first->number;
    if (to->count > 0 && !is_plain)
        report_at(
            draft->report, to->mark,
            "forward: queries to these servers are not encrypted; write plain: yes beside them (dotstubctl forward: --plain) if "
            "that is wanted");
    if (to->count == 0 && !to->broken && plain->named && is_plain)
        report_at(draft->report, plain->mark, "forward: plain: yes is for the servers of to, and there are none");
    const struct setting *interface = draft_item_setting(route, "interface"),
                         *tcp_only = draft_item_setting(route, "tcp-only");
    if (to->count == 0 && !to->broken && tcp_only->named && !tcp_only->broken && tcp_only->first->number)
        report_at(draft->report, tcp_only->mark, "forward: tcp-only is for the servers of to, and there are none");
    if (to->count == 0 && !to->broken && interface->first && !interface->first->none)
        report_at(draft->report, interface->mark,
                  "forward: interface is for the servers of to; set it for upstreams in upstreams");
    const struct setting *source = draft_item_setting(route, "source");
    if (to->count == 0 && !to->broken && source->first && !source->first->none)
        report_at(draft->report, source->mark,
                  "forward: source is for the servers of to; set it for upstreams in upstreams");
    validate_source(draft, route, "to", "to");
    for (const struct value *value = to->first; value; value = value->next)
        if (addr_is_wildcard(&value->addr))
            report_at(draft->report, value->mark, "to: this is not the address of a server");
}

void validate_group_exists(struct draft *draft, const char *list, const struct setting *group)
{
    char name[LONGEST_NAME + 1], quoted[QUOTED_TEXT];
    if (group->broken || !group->first || group->first->none)
        return;
    snprintf(name, sizeof name, "%.*s", (int)group->first->text.len, (const char *)group->first->text.data);
    if (!draft_find_item(draft_setting(draft, "groups"), name))
        report_at(draft->report, group->mark, "%s: there is no group %s; define it in groups", list,
                  report_quote(name, quoted));
}

void validate_route_among(struct draft *draft, const struct setting *routes, const struct draft_item *route)
{
    const struct setting *upstreams = draft_item_setting(route, "upstreams"),
                         *group = draft_item_setting(route, "group"), *to = draft_item_setting(route, "to");
    check_zones(draft, routes, route);
    validate_duplicates(draft, to, "to");
    check_plain(draft, route);
    if (upstreams->broken || group->broken || to->broken)
        return;
    bool has_group = group->first && !group->first->none;
    unsigned ways = has_group + (upstreams->count > 0) + (to->count > 0);
    if (ways == 0)
        report_at(
            draft->report, route->mark,
            "forward: this route leads nowhere; write upstreams: and a list, group: and a name, or to: and a list");
    if (ways > 1)
        report_at(draft->report, route->mark,
                  "forward: this route has two of upstreams, group and to; keep one of them");
    validate_group_exists(draft, "forward", group);
}

void validate_routes(struct draft *draft)
{
    const struct draft_item *root = draft_find_item(draft_setting(draft, "groups"), "root");
    if (root)
        report_at(draft->report, root->mark, "groups: root is the group of names without a route; use another name");
    const struct setting *routes = draft_setting(draft, "forward");
    for (const struct draft_item *route = routes->items; route; route = route->next)
        validate_route_among(draft, routes, route);
}
