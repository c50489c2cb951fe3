/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - in_force[i] has the definition routes->groups[i];
 *   - a leaving group serves the lookups that hold one of its plans; when the last one releases its plan the
 *     sessions are closed, and when they are gone the group is freed, from the flush hook, because no callback is
 *     running then.
 */
#include "upstream/groups.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "group.h"

/* --- on the main thread --- */

void groups_change_free(struct groups_change *change)
{
    for (size_t i = 0; change->groups && i < change->routes->group_count; i++)
        group_free(change->groups[i]);
    mem_free(change->groups);
    mem_free(change->interfaces);
    routes_unref(change->routes);
    *change = (struct groups_change){.routes = NULL};
}

int groups_change_new(struct groups_change *out, struct routes *routes)
{
    *out = (struct groups_change){.routes = routes_ref(routes),
                                  .groups = mem_zalloc(routes->group_count, sizeof(struct group *))};
    if (routes->views)
        out->interfaces = mem_zalloc(routes->view_count, sizeof *out->interfaces);
    int status = out->groups && (out->interfaces || !routes->views) ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < routes->group_count; i++)
        status = group_new(&out->groups[i], &routes->groups[i]);
    if (status < 0)
        groups_change_free(out);
    return status;
}

/* --- the end of a group --- */

static void one_closed(void *context)
{
    struct groups *groups = context;
    groups->open--;
    if (!groups->stopping)
        loop_add_flush(groups->worker.loop, &groups->flush);
    else if (groups->open == 0)
        groups->closed(groups->closed_context);
}

static void leaving_flush(struct loop_flush *hook)
{
    struct groups *groups = container_of(hook, struct groups, flush);
    struct list later;
    struct list_link *link;
    list_init(&later);
    while ((link = list_pop(&groups->leaving))) {
        struct group *group = container_of(link, struct group, in_leaving);
        if (!group->stopping && group_is_idle(group))
            group_stop(group, one_closed, groups);
        if (group->stopping && group->sessions == 0)
            group_free(group);
        else
            list_push_back(&later, link);
    }
    list_move_all(&later, &groups->leaving);
}

static void group_leave(struct groups *groups, struct group *group)
{
    group->leaving = &groups->flush;
    list_push_back(&groups->leaving, &group->in_leaving);
    loop_add_flush(groups->worker.loop, &groups->flush);
}

/* --- switching to another snapshot --- */

/* Removes the group of this name from those in force; NULL: none has the name. */
static struct group *take_by_name(struct groups *groups, const char *name)
{
    for (size_t i = 0; groups->routes && i < groups->routes->group_count; i++) {
        struct group *group = groups->in_force[i];
        if (!group || strcmp(group_name(group), name) != 0)
            continue;
        groups->in_force[i] = NULL;
        return group;
    }
    return NULL;
}

/* The group with the definition of `fresh`: the existing group of that name, if there is one, else `fresh`. */
static struct group *define(struct groups *groups, struct group *fresh, const char *name)
{
    struct group *known = take_by_name(groups, name);
    if (!known) {
        groups->open++;
        group_begin(fresh, &groups->worker);
        return fresh;
    }
    group_apply(known, group_take_plan(fresh));
    group_free(fresh);
    return known;
}

/* The number of an interface changes when it is made anew. */
static void find_interfaces(struct groups *groups)
{
    for (size_t i = 0; i < groups->routes->view_count; i++)
        groups->interfaces[i] = groups->views[i].interface ? if_nametoindex(groups->views[i].interface) : 0;
}

void groups_apply(struct groups *groups, struct groups_change *change)
{
    struct routes *before = groups->routes;
    for (size_t i = 0; i < change->routes->group_count; i++)
        change->groups[i] = define(groups, change->groups[i], change->routes->groups[i].name);
    for (size_t i = 0; before && i < before->group_count; i++)
        if (groups->in_force[i])
            group_leave(groups, groups->in_force[i]);
    mem_free(groups->in_force);
    mem_free(groups->interfaces);
    groups->in_force = change->groups;
    groups->interfaces = change->interfaces;
    groups->routes = change->routes;
    groups->watch.open = groups->watch.heard && groups_named(groups, TEAM_PORTAL);
    groups->root_id = groups->routes->groups[0].id;
    groups->suffixes = groups->routes->suffixes;
    groups->views = groups->routes->views;
    find_interfaces(groups);
    *change = (struct groups_change){.routes = NULL};
    routes_unref(before);
}

/* --- addresses of hosts --- */

static bool has_host(const struct group_definition *definition)
{
    for (size_t i = 0; i < definition->upstream_count; i++)
        if (definition->upstreams[i].host)
            return true;
    return false;
}

int groups_know(struct groups *groups, const struct bootstrap_table *known)
{
    for (size_t i = 0; i < groups->routes->group_count; i++) {
        struct group_definition definition = groups->routes->groups[i];
        struct group_plan *plan = NULL;
        if (!has_host(&definition))
            continue;
        definition.known = known;
        int status = group_plan_new(&plan, &definition);
        if (status < 0)
            return status;
        group_apply(groups->in_force[i], plan);
    }
    return 0;
}

struct group *groups_named(const struct groups *groups, const char *name)
{
    for (size_t i = 0; i < groups->routes->group_count; i++)
        if (strcmp(groups->routes->groups[i].name, name) == 0)
            return groups->in_force[i];
    return NULL;
}

/* --- start and stop --- */

int groups_init(struct groups *groups, struct loop *loop, struct counters *counters, struct routes *routes)
{
    struct groups_change change;
    *groups = (struct groups){.worker = {.loop = loop, .counters = counters}, .flush.flush = leaving_flush};
    list_init(&groups->leaving);
    list_init(&groups->budgets);
    groups->worker.budgets = &groups->budgets;
    groups->worker.watch = &groups->watch;
    int status = groups_change_new(&change, routes);
    if (status < 0)
        return status;
    groups->worker.scratch = mem_zalloc(1, sizeof *groups->worker.scratch);
    groups->worker.rewrite = mem_alloc(sizeof *groups->worker.rewrite);
    if (!groups->worker.scratch || !groups->worker.rewrite)
        goto fail;
    groups_apply(groups, &change);
    return 0;
fail:
    mem_free(groups->worker.scratch);
    mem_free(groups->worker.rewrite);
    groups_change_free(&change);
    return -ENOMEM;
}

void groups_stop(struct groups *groups, void (*closed)(void *context), void *context)
{
    groups->closed = closed;
    groups->closed_context = context;
    for (size_t i = 0; i < groups->routes->group_count; i++)
        group_stop(groups->in_force[i], one_closed, groups);
    list_for_each(link, &groups->leaving) {
        struct group *group = container_of(link, struct group, in_leaving);
        if (!group->stopping)
            group_stop(group, one_closed, groups);
    }
    groups->stopping = true;
    if (groups->open == 0)
        closed(context);
}

void groups_fini(struct groups *groups)
{
    struct list_link *link;
    if (!groups->routes)
        return;
    for (size_t i = 0; i < groups->routes->group_count; i++)
        group_free(groups->in_force[i]);
    while ((link = list_pop(&groups->leaving)))
        group_free(container_of(link, struct group, in_leaving));
    loop_remove_flush(&groups->flush);
    mem_free(groups->in_force);
    mem_free(groups->interfaces);
    mem_free(groups->worker.scratch);
    mem_free(groups->worker.rewrite);
    routes_unref(groups->routes);
    groups->routes = NULL;
}

/* --- views --- */

uint8_t groups_view_of(const struct groups *groups, const struct addr *client, unsigned interface)
{
    const struct routes *routes = groups->routes;
    uint32_t view = prefix_map_find(routes->clients, client);
    if (view != PREFIX_MAP_NONE)
        return (uint8_t)view;
    for (size_t i = 1; i < routes->view_count && interface > 0; i++)
        if (groups->interfaces[i] == interface)
            return (uint8_t)i;
    return 0;
}

/* NULL: the view of clients of no other one. */
static const struct route_view *find_view(const struct groups *groups, uint8_t view)
{
    return groups->views && view > 0 && view < groups->routes->view_count ? &groups->views[view] : NULL;
}

const char *groups_view_name(const struct groups *groups, uint8_t view)
{
    const struct route_view *found = find_view(groups, view);
    return found ? found->label + strlen("view:") : NULL;
}

uint32_t groups_root_id(const struct groups *groups, uint8_t view)
{
    const struct route_view *found = find_view(groups, view);
    return found ? groups->routes->groups[found->root].id : groups->root_id;
}

static const struct suffix_table *suffixes_of(const struct groups *groups, uint8_t view)
{
    const struct route_view *found = find_view(groups, view);
    return found ? found->suffixes : groups->suffixes;
}

/* --- finding a group --- */

/* The DS of a zone is in its parent zone (RFC 4035 section 3.1.4.1). */
uint32_t groups_route_key(const struct groups *groups, uint8_t view, const struct key *key)
{
    size_t skip = key->type == TYPE_DS && key->name_len > 1 ? 1 + (size_t)key->name[0] : 0, len;
    const struct suffix_table *suffixes = suffixes_of(groups, view);
    uint32_t value;
    bool found = suffixes && suffix_table_find(suffixes, key->name + skip, key->name_len - skip, &value, &len);
    return found ? groups->routes->groups[value & ~ROUTE_PRIVATE].id : groups_root_id(groups, view);
}

static bool table_has_route_within(const struct suffix_table *suffixes, const struct key *key, const uint8_t *zone)
{
    uint32_t value;
    size_t len;
    return suffixes && suffix_table_find(suffixes, key->name, key->name_len, &value, &len) &&
           len >= key->name_len - (size_t)(zone - key->name);
}

bool groups_has_route_within(const struct groups *groups, uint8_t view, const struct key *key, const uint8_t *zone)
{
    return table_has_route_within(suffixes_of(groups, view), key, zone);
}

bool groups_is_routed(const struct groups *groups, const struct key *key)
{
    const uint8_t *root = key->name + key->name_len - 1;
    if (table_has_route_within(groups->suffixes, key, root))
        return true;
    for (size_t i = 0; groups->views && i < groups->routes->view_count; i++)
        if (table_has_route_within(groups->views[i].suffixes, key, root))
            return true;
    return false;
}

bool groups_is_private_zone(const struct groups *groups, uint8_t view, const struct key *key)
{
    const struct suffix_table *suffixes = suffixes_of(groups, view);
    uint32_t value;
    size_t len;
    return suffixes && suffix_table_find(suffixes, key->name, key->name_len, &value, &len) && len == key->name_len &&
           (value & ROUTE_PRIVATE);
}

static bool table_is_unvouched(const struct groups *groups, const struct suffix_table *suffixes, const struct key *key,
                               struct bytes *zone)
{
    uint32_t value;
    size_t len;
    if (!suffixes || !suffix_table_find(suffixes, key->name, key->name_len, &value, &len))
        return false;
    const struct group_definition *group = &groups->routes->groups[value & ~ROUTE_PRIVATE];
    if (group->id != key->group ||
        !((value & ROUTE_PRIVATE) || (group->upstream_count > 0 && group->upstreams[0].plain_zone_count > 0)))
        return false;
    *zone = (struct bytes){key->name + key->name_len - len, len};
    return true;
}

bool groups_is_unvouched(const struct groups *groups, const struct key *key, struct bytes *zone)
{
    if (table_is_unvouched(groups, groups->suffixes, key, zone))
        return true;
    for (size_t i = 0; groups->views && i < groups->routes->view_count; i++)
        if (table_is_unvouched(groups, groups->views[i].suffixes, key, zone))
            return true;
    return false;
}

struct group *groups_find(const struct groups *groups, uint32_t id)
{
    for (size_t i = 0; i < groups->routes->group_count; i++)
        if (groups->routes->groups[i].id == id)
            return groups->in_force[i];
    return NULL;
}

const uint8_t *groups_definition(const struct groups *groups, uint32_t id)
{
    for (size_t i = 0; i < groups->routes->group_count; i++)
        if (groups->routes->ids[i].id == id)
            return groups->routes->ids[i].definition;
    return NULL;
}

/* --- all groups --- */

/* The groups in force and the leaving ones, which have sessions, too. */
static void each_group(struct groups *groups, void (*each)(struct group *group))
{
    for (size_t i = 0; i < groups->routes->group_count; i++)
        each(groups->in_force[i]);
    list_for_each(link, &groups->leaving)
        each(container_of(link, struct group, in_leaving));
}

#ifdef ENABLE_DNSTAP
void groups_tap(struct groups *groups, struct tap_queue *tap)
{
    groups->worker.tap = tap;
    for (size_t i = 0; i < groups->routes->group_count; i++)
        group_tap(groups->in_force[i], tap);
}
#endif

static void network_changed(struct group *group)
{
    group_network_changed(group, false);
}

void groups_network_changed(struct groups *groups)
{
    find_interfaces(groups);
    each_group(groups, network_changed);
}

void groups_clock_changed(struct groups *groups)
{
    each_group(groups, group_clock_changed);
}

size_t groups_report(const struct groups *groups, struct server_report *out, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < groups->routes->group_count; i++)
        count += group_report(groups->in_force[i], out + count, room - count);
    return count;
}

void groups_each_ticket(const struct groups *groups, void (*each)(void *context, const struct ticket *ticket),
                        void *context)
{
    for (size_t i = 0; i < groups->routes->group_count; i++)
        group_each_ticket(groups->in_force[i], each, context);
}

void groups_drop_tickets(struct groups *groups)
{
    each_group(groups, group_drop_tickets);
}

bool groups_take_ticket(struct groups *groups, const struct ticket *ticket)
{
    for (size_t i = 0; i < groups->routes->group_count; i++)
        if (group_take_ticket(groups->in_force[i], ticket))
            return true;
    return false;
}
