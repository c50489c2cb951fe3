/* SPDX-License-Identifier: MIT */
/* Invariant: as in validate.c, a setting with a refused value causes no second report. */
#include "config/validate_views.h"

#include <string.h>

static const struct setting *views_of(const struct draft *draft)
{
    return draft_setting(draft, "views");
}

int validate_views_upstreams(struct draft *draft)
{
    int error = validate_upstreams_of(draft, "views", views_of(draft));
    for (const struct draft_item *view = views_of(draft)->items; !error && view; view = view->next)
        error = validate_upstreams_of(draft, "forward", draft_item_setting(view, "forward"));
    return error;
}

static bool has_text(const struct setting *setting)
{
    return setting->first && !setting->first->none;
}

static bool is_same_text(const struct value *a, const struct value *b)
{
    return a->text.len == b->text.len && memcmp(a->text.data, b->text.data, a->text.len) == 0;
}

static bool is_same_prefix(const struct value *a, const struct value *b)
{
    return a->prefix.bits == b->prefix.bits && memcmp(a->prefix.bytes, b->prefix.bytes, sizeof a->prefix.bytes) == 0;
}

/* The earlier value of this key, in an earlier view or earlier in this one, that is the same; NULL: there is none. */
static const struct value *find_earlier(const struct draft *draft, const char *key, const struct value *value,
                                        bool (*is_same)(const struct value *a, const struct value *b))
{
    for (const struct draft_item *view = views_of(draft)->items; view; view = view->next)
        for (const struct value *other = draft_item_setting(view, key)->first; other; other = other->next) {
            if (other == value)
                return NULL;
            if (!other->none && is_same(other, value))
                return other;
        }
    return NULL;
}

static void check_unique(struct draft *draft, const struct draft_item *view)
{
    const struct setting *name = draft_item_setting(view, "name"), *interface = draft_item_setting(view, "interface");
    for (const struct value *value = draft_item_setting(view, "clients")->first; value; value = value->next)
        if (find_earlier(draft, "clients", value, is_same_prefix))
            report_at(draft->report, value->mark, "views: this network is in two places; remove one");
    if (has_text(interface) && find_earlier(draft, "interface", interface->first, is_same_text))
        report_at(draft->report, interface->mark, "views: another view has this interface; remove one");
    if (has_text(name) && find_earlier(draft, "name", name->first, is_same_text))
        report_at(draft->report, name->mark, "views: another view has this name; change one");
}

static void check_view(struct draft *draft, const struct draft_item *view)
{
    const struct setting *clients = draft_item_setting(view, "clients"),
                         *interface = draft_item_setting(view, "interface"),
                         *upstreams = draft_item_setting(view, "upstreams"), *group = draft_item_setting(view, "group"),
                         *routes = draft_item_setting(view, "forward");
    bool by_network = clients->count > 0 || clients->broken, by_interface = has_text(interface) || interface->broken;
    if (!by_network && !by_interface)
        report_at(draft->report, view->mark,
                  "views: this view is for no client; write clients: and a list of networks, or interface: and a name");
    if (by_network && by_interface)
        report_at(draft->report, interface->mark,
                  "views: this view has both clients and interface; make two views of it");
    if (upstreams->count > 0 && has_text(group))
        report_at(draft->report, group->mark, "views: this view has both upstreams and group; keep one of them");
    validate_group_exists(draft, "views", group);
    check_unique(draft, view);
    for (const struct draft_item *route = routes->items; route; route = route->next)
        validate_route_among(draft, routes, route);
}

void validate_views(struct draft *draft)
{
    for (const struct draft_item *view = views_of(draft)->items; view; view = view->next)
        check_view(draft, view);
}
