/* SPDX-License-Identifier: MIT */
/* Invariant: a route was checked before it exists, so its zones are names and its upstreams or its group exist in the
 * configuration that it was checked against. */
#include "config/added.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include "base/errors.h"
#include "base/mem.h"
#include "config/teams.h"
#include "config/text.h"
#include "config/validate.h"

/* The memory of a route. */
struct added_memory {
    struct added_route added;
    struct arena arena;
};

/* --- checking --- */

static const struct source command = {.name = "dotstubctl forward", .text = "", .command = true};
static const struct mark here = {.source = &command, .line = 1, .column = 1};

/* The listeners, and the names of upstreams and groups, for the checks of a route. */
static int add_listeners(struct draft *draft, const char *key, const struct addr *addresses, size_t count)
{
    struct setting *listen = draft_setting(draft, key);
    draft_begin(listen, here, false);
    for (size_t i = 0; i < count; i++) {
        struct value *value = arena_take(draft->arena, sizeof *value);
        if (!value)
            return -ENOMEM;
        *value = (struct value){.next = listen->first, .mark = here, .addr = addresses[i]};
        listen->first = value;
    }
    return 0;
}

static int add_name(struct draft *draft, const char *list, const char *name)
{
    struct draft_item *item;
    int status = draft_add_item(&item, draft, draft_setting(draft, list), draft_option(list)->items, here);
    if (status == 0)
        item->name = name;
    return status;
}

static int add_surroundings(struct draft *draft, const struct config *config)
{
    int status = add_listeners(draft, "listen", config->listen, config->listen_count);
    if (status == 0)
        status = add_listeners(draft, "listen-tls", config->listen_tls, config->listen_tls_count);
    if (status == 0)
        status = add_listeners(draft, "listen-https", config->listen_https, config->listen_https_count);
    draft_begin(draft_setting(draft, "upstreams"), here, false);
    draft_begin(draft_setting(draft, "forward"), here, false);
    for (size_t i = 0; status == 0 && i < config->upstream_count; i++)
        status = add_name(draft, "upstreams", config->upstreams[i].name);
    for (size_t i = 0; status == 0 && i < config->group_count; i++)
        status = add_name(draft, "groups", config->groups[i].name);
    return status;
}

static int put(struct draft *draft, const struct draft_item *route, const char *key, const char *text)
{
    struct setting *setting = draft_item_setting(route, key);
    const struct option *option = &route->of->table[option_index(route->of->table, route->of->count, key)];
    draft_begin(setting, here, true);
    return draft_add(draft, setting, option, text, here);
}

static bool looks_like_address(const char *text)
{
    struct addr addr;
    return addr_parse(&addr, text, 53) == 0 || (*text >= '0' && *text <= '9') || strpbrk(text, ":@");
}

/* A server is an address, unless an upstream or a group has this name; a group is the only one. */
static int put_server(struct draft *draft, const struct draft_item *route, const char *text)
{
    if (draft_find_item(draft_setting(draft, "groups"), text))
        return put(draft, route, "group", text);
    if (!draft_find_item(draft_setting(draft, "upstreams"), text) && looks_like_address(text))
        return put(draft, route, "to", text);
    return put(draft, route, "upstreams", text);
}

static int put_list(struct draft *draft, const struct draft_item *route, const char *texts,
                    int (*each)(struct draft *, const struct draft_item *, const char *))
{
    struct item item = {.rest = texts && *texts ? texts : NULL, .mark = here};
    int status = 0;
    while (status == 0 && draft_next_item(&item, ',', draft->arena))
        status = item.text ? each(draft, route, item.text) : -ENOMEM;
    return status;
}

static int put_zone(struct draft *draft, const struct draft_item *route, const char *text)
{
    return put(draft, route, "zones", text);
}

static int put_texts(struct draft *draft, const struct draft_item *route, const struct added_texts *texts)
{
    int status = put_list(draft, route, texts->zones, put_zone);
    if (status == 0)
        status = put_list(draft, route, texts->servers, put_server);
    if (status == 0 && texts->interface)
        status = put(draft, route, "interface", texts->interface);
    return status == 0 && texts->plain ? put(draft, route, "plain", "yes") : status;
}

static bool is_text(const char *text)
{
    size_t at;
    return !text || text_check(text, strlen(text), false, &at) == TEXT_CLEAN;
}

static bool has_upstream(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->upstream_count && strcmp(config->upstreams[i].name, name) != 0)
        i++;
    return i < config->upstream_count;
}

static bool has_group(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->group_count && strcmp(config->groups[i].name, name) != 0)
        i++;
    return i < config->group_count;
}

int added_check(const struct added_route *added, const struct config *config, FILE *errors)
{
    const struct config_route *route = &added->route;
    bool group = !route->group || has_group(config, route->group), all = true;
    for (size_t i = 0; i < route->upstream_count; i++) {
        bool found = has_upstream(config, route->upstreams[i]);
        if (!found && errors)
            fprintf(
                errors,
                "forward: %s is not among the upstreams in force; define it in upstreams, with role: routed if other "
                "names must not use it\n",
                route->upstreams[i]);
        all &= found;
    }
    if (!group && errors)
        fprintf(errors, "forward: there is no group %s; define it in groups\n", route->group);
    return group && all ? 0 : ERROR_CONFIG;
}

/* --- a route --- */

/* Reads the texts into a draft with one route; all of it is in the arena. */
static int read_texts(struct draft *draft, struct draft_item **route, const struct config *config,
                      const struct added_texts *texts)
{
    if (!is_text(texts->zones) || !is_text(texts->servers) || !is_text(texts->interface)) {
        report_at(draft->report, here, "forward: a text has bytes that are not UTF-8, or control characters");
        return 0;
    }
    int status = draft_init(draft, draft->arena, draft->report);
    if (status == 0)
        status = add_surroundings(draft, config);
    if (status == 0)
        status = draft_add_item(route, draft, draft_setting(draft, "forward"), draft_option("forward")->items, here);
    if (status == 0)
        status = put_texts(draft, *route, texts);
    return status < 0 ? status : validate_route(draft, *route);
}

int added_duration(uint64_t *out_ms, const char *text, FILE *errors)
{
    static const struct option option = {
        .key = "for", .type = OPTION_DURATION, .grain = 1000, .min = 1000, .max = UINT64_C(366) * 24 * 3600 * 1000};
    struct value value = {.mark = here};
    char why[VALUE_WHY];
    if (is_text(text) && value_parse(&value, &option, text, why)) {
        *out_ms = value.number;
        return 0;
    }
    fprintf(errors, "for: %s\n", is_text(text) ? why : "the text has control characters");
    return ERROR_CONFIG;
}

static struct added_memory *begin(const uint8_t salt[ROUTE_SALT], uint64_t until_ms)
{
    struct added_memory *making = mem_zalloc(1, sizeof *making);
    if (!making)
        return NULL;
    making->added.refs = 1;
    making->added.route.until_ms = until_ms;
    making->added.route.salt = arena_take(&making->arena, ROUTE_SALT);
    if (making->added.route.salt) {
        memcpy(making->added.route.salt, salt, ROUTE_SALT);
        return making;
    }
    added_unref(&making->added);
    return NULL;
}

int added_new(struct added_route **out, const struct config *config, const struct added_texts *texts,
              const uint8_t salt[ROUTE_SALT], uint64_t until_ms, FILE *errors)
{
    struct arena arena = {NULL};
    struct report report = {.out = errors};
    struct draft draft = {.arena = &arena, .report = &report};
    struct draft_item *item = NULL;
    struct added_memory *making = begin(salt, until_ms);
    int status = making ? read_texts(&draft, &item, config, texts) : -ENOMEM;
    if (status == 0 && report.mistakes > 0)
        status = ERROR_CONFIG;
    if (status == 0)
        status = validate_fill_route(&making->added.route, item, &making->arena);
    if (status == 0)
        status = added_check(&making->added, config, errors);
    if (status == 0)
        making->added.route.portal = texts->portal;
    report_end(&report);
    arena_free(&arena);
    if (status == 0)
        *out = &making->added;
    else if (making)
        added_unref(&making->added);
    return status;
}

struct added_route *added_ref(struct added_route *added)
{
    added->refs++;
    return added;
}

void added_unref(struct added_route *added)
{
    if (!added || --added->refs > 0)
        return;
    struct added_memory *making = container_of(added, struct added_memory, added);
    arena_free(&making->arena);
    mem_free(making);
}

/* --- copies --- */

static int copy_texts(char ***out, char *const *texts, size_t count, struct arena *arena)
{
    *out = arena_take(arena, (count + 1) * sizeof **out);
    if (!*out)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (!((*out)[i] = arena_text(arena, texts[i], strlen(texts[i]))))
            return -ENOMEM;
    return 0;
}

static int copy_text(char **out, const char *text, struct arena *arena)
{
    *out = text ? arena_text(arena, text, strlen(text)) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

/* Copies everything but the salt, which stays. */
static int copy_route(struct config_route *out, const struct config_route *route, struct arena *arena)
{
    uint8_t *salt = out->salt;
    *out = *route;
    out->salt = salt;
    out->to = arena_take(arena, (route->to_count + 1) * sizeof *out->to);
    if (!out->to)
        return -ENOMEM;
    if (route->to_count > 0)
        memcpy(out->to, route->to, route->to_count * sizeof *out->to);
    int status = copy_texts(&out->zones, route->zones, route->zone_count, arena);
    if (status == 0)
        status = copy_texts(&out->upstreams, route->upstreams, route->upstream_count, arena);
    if (status == 0)
        status = copy_text(&out->group, route->group, arena);
    return status < 0 ? status : copy_text(&out->interface, route->interface, arena);
}

/* Removes zones from a route whose list of zones may be changed. */
static void drop_zones(struct config_route *route, bool (*drops)(void *context, const char *zone), void *context)
{
    size_t left = 0;
    for (size_t i = 0; i < route->zone_count; i++)
        if (!drops(context, route->zones[i]))
            route->zones[left++] = route->zones[i];
    route->zone_count = left;
}

int added_without(struct added_route **out, const struct added_route *from,
                  bool (*drops)(void *context, const char *zone), void *context)
{
    struct added_memory *making = begin(from->route.salt, from->route.until_ms);
    int status = making ? copy_route(&making->added.route, &from->route, &making->arena) : -ENOMEM;
    *out = NULL;
    if (status == 0)
        drop_zones(&making->added.route, drops, context);
    if (status == 0 && making->added.route.zone_count > 0)
        *out = &making->added;
    else if (making)
        added_unref(&making->added);
    return status;
}

bool added_same_zone(const char *a, const char *b)
{
    size_t len_a = strlen(a), len_b = strlen(b);
    len_a -= len_a > 1 && a[len_a - 1] == '.';
    len_b -= len_b > 1 && b[len_b - 1] == '.';
    return len_a == len_b && strncasecmp(a, b, len_a) == 0;
}

/* --- a configuration with more routes --- */

static bool is_added(void *context, const char *zone)
{
    const struct route_changes *changes = context;
    for (size_t i = 0; i < changes->added_count; i++)
        for (size_t z = 0; z < changes->added[i]->route.zone_count; z++)
            if (added_same_zone(changes->added[i]->route.zones[z], zone))
                return true;
    return false;
}

/* The names of a private route mean nothing to other upstreams: it stays, and its queries fail. */
static bool is_waiting(const struct config_route *route, const struct route_changes *changes)
{
    size_t i = 0;
    if (!route->interface || route->is_private)
        return false;
    while (i < changes->down_count && strcmp(changes->down[i], route->interface) != 0)
        i++;
    return i < changes->down_count;
}

/* The routes of `base` that are not waiting, with the zones that no added route has. */
static int take_routes(struct config *config, const struct config *base, struct route_changes *changes,
                       struct arena *arena)
{
    for (size_t i = 0; i < base->forward_count; i++) {
        struct config_route *route = &config->forward[config->forward_count];
        if (is_waiting(&base->forward[i], changes)) {
            config->waiting[config->waiting_count++] = base->forward[i];
            continue;
        }
        *route = base->forward[i];
        route->zones = arena_take(arena, (route->zone_count + 1) * sizeof *route->zones);
        if (!route->zones)
            return -ENOMEM;
        memcpy(route->zones, base->forward[i].zones, route->zone_count * sizeof *route->zones);
        drop_zones(route, is_added, changes);
        config->forward_count += route->zone_count > 0;
    }
    return 0;
}

/* The routes of the views that are not waiting. */
static int take_views(struct config *config, const struct config *base, const struct route_changes *changes,
                      struct arena *arena)
{
    for (size_t i = 0; i < base->view_count; i++) {
        struct config_view *view = &config->views[i];
        *view = base->views[i];
        view->forward = arena_take(arena, (view->forward_count + 1) * sizeof *view->forward);
        if (!view->forward)
            return -ENOMEM;
        view->forward_count = 0;
        for (size_t r = 0; r < base->views[i].forward_count; r++)
            if (!is_waiting(&base->views[i].forward[r], changes))
                view->forward[view->forward_count++] = base->views[i].forward[r];
    }
    return 0;
}

static int add_route(struct config *config, const struct config_route *from, struct arena *arena)
{
    struct config_route *route = &config->forward[config->forward_count++];
    *route = (struct config_route){.salt = arena_take(arena, ROUTE_SALT)};
    if (!route->salt)
        return -ENOMEM;
    memcpy(route->salt, from->salt, ROUTE_SALT);
    return copy_route(route, from, arena);
}

/* All members but the first one, the references: other threads drop theirs meanwhile. */
static void copy_config(struct config *to, const struct config *from)
{
    const size_t start = offsetof(struct config, notices);
    memcpy((char *)to + start, (const char *)from + start, sizeof *to - start);
}

int config_with_routes(struct config **out, struct config *base, const struct route_changes *changes)
{
    struct route_changes now = *changes;
    size_t count = base->forward_count + now.added_count;
    if (now.added_count == 0 && now.down_count == 0) {
        *out = config_ref(base);
        return 0;
    }
    struct snapshot *snapshot = mem_zalloc(1, sizeof *snapshot);
    if (!snapshot)
        return -ENOMEM;
    struct config *config = &snapshot->config;
    struct arena *arena = &snapshot->arena;
    copy_config(config, base);
    config->refs = 1;
    snapshot->base = config_ref(base);
    snapshot->origins = snapshot_of(base)->origins;
    config->forward_count = config->waiting_count = config->team_count = 0;
    config->teams = NULL;
    config->forward = arena_take(arena, (count + 1) * sizeof *config->forward);
    config->waiting = arena_take(arena, (base->forward_count + 1) * sizeof *config->waiting);
    config->views = arena_take(arena, (base->view_count + 1) * sizeof *config->views); /* teams_fill changes them */
    int status = config->forward && config->waiting && config->views ? 0 : -ENOMEM;
    if (status == 0)
        status = take_routes(config, base, &now, arena);
    if (status == 0)
        status = take_views(config, base, &now, arena);
    for (size_t i = 0; status == 0 && i < now.added_count; i++)
        status = add_route(config, &now.added[i]->route, arena);
    if (status == 0)
        status = teams_fill(config, arena);
    if (status == 0)
        *out = config;
    else
        config_unref(config);
    return status;
}
