/* SPDX-License-Identifier: MIT */
/* Invariants: the first team is the root team; then come the groups, each if a route or a view leads to it, and the
 * routes and views with upstreams of their own, named by the first zone or the view; then those that look up hosts. No
 * name of a group has a colon. */
#include "config/teams.h"

#include <errno.h>
#include <string.h>

static bool is_member(const struct config_upstream *upstream, char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], upstream->name) == 0)
            return true;
    return false;
}

static struct config_team *add_team(struct config *config, const char *name, enum config_policy policy,
                                    struct arena *arena)
{
    struct config_team *team = &config->teams[config->team_count++];
    *team = (struct config_team){.name = name,
                                 .policy = policy,
                                 .members = arena_take(arena, (config->upstream_count + 1) * sizeof *team->members),
                                 .places = arena_take(arena, (config->upstream_count + 1) * sizeof *team->places)};
    return name && team->members && team->places ? team : NULL;
}

static void add_member(struct config_team *team, const struct config *config, size_t i)
{
    team->members[team->count] = config->upstreams[i];
    team->places[team->count++] = i;
}

static int add_root(struct config *config, struct arena *arena)
{
    struct config_team *team = add_team(config, "root", config->upstream_policy, arena);
    for (size_t i = 0; team && i < config->upstream_count; i++)
        if (config->upstreams[i].role != ROLE_ROUTED)
            add_member(team, config, i);
    return team ? 0 : -ENOMEM;
}

static int add_named(struct config *config, const char *name, enum config_policy policy, char *const *names,
                     size_t count, struct arena *arena)
{
    struct config_team *team = add_team(config, name, policy, arena);
    for (size_t i = 0; team && i < config->upstream_count; i++)
        if (is_member(&config->upstreams[i], names, count))
            add_member(team, config, i);
    return team ? 0 : -ENOMEM;
}

static size_t find_team(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->team_count && strcmp(config->teams[i].name, name) != 0)
        i++;
    return i;
}

/* One member, which is in no list of upstreams. */
static int add_plain(struct config *config, const char *name, const struct config_route *route, struct arena *arena)
{
    struct config_team *team = name ? add_team(config, name, POLICY_FAILOVER, arena) : NULL;
    if (!team)
        return -ENOMEM;
    team->members[0] = (struct config_upstream){.name = route->zones[0],
                                                .addresses = route->to,
                                                .address_count = route->to_count,
                                                .ecs = ECS_DEFAULT,
                                                .has_source = route->has_source,
                                                .source = route->source,
                                                .interface = route->interface,
                                                .plain_zones = route->zones,
                                                .plain_zone_count = route->zone_count,
                                                .tcp_only = route->tcp_only,
                                                .plain_exact = route->portal,
                                                .portal = route->portal};
    team->places[0] = TEAM_PLAIN;
    team->count = 1;
    return 0;
}

/* The team of a group is made when it is needed first. */
static int add_group(struct config *config, const char *name, size_t *place, struct arena *arena)
{
    size_t group = 0;
    while (strcmp(config->groups[group].name, name) != 0)
        group++;
    *place = find_team(config, name);
    if (*place < config->team_count)
        return 0;
    return add_named(config, config->groups[group].name, config->groups[group].policy, config->groups[group].upstreams,
                     config->groups[group].upstream_count, arena);
}

/* Sets the team of the route; makes it if it does not exist yet. `owner`: "forward" or a view. */
static int add_route(struct config *config, const struct config_route *route, const char *owner, size_t *place,
                     struct arena *arena)
{
    if (route->group)
        return add_group(config, route->group, place, arena);
    *place = config->team_count;
    const char *name = route->portal ? TEAM_PORTAL : arena_print(arena, "%s:%s", owner, route->zones[0]);
    int status = route->to_count > 0
                     ? add_plain(config, name, route, arena)
                     : add_named(config, name, POLICY_FAILOVER, route->upstreams, route->upstream_count, arena);
    if (status == 0)
        config->teams[*place].salt = route->salt;
    return status;
}

/* The upstreams that look up the host of an upstream, or servers without encryption that get this name alone. No
 * route leads to this team. */
static int add_bootstrap(struct config *config, const struct config_upstream *upstream, struct arena *arena)
{
    const char *name = arena_print(arena, TEAM_BOOTSTRAP "%s", upstream->name);
    if (!upstream->bootstrap_to)
        return add_named(config, name, POLICY_FAILOVER, upstream->bootstrap, upstream->bootstrap_count, arena);
    struct config_team *team = add_team(config, name, POLICY_FAILOVER, arena);
    char **zones = arena_take(arena, sizeof *zones);
    if (!team || !zones)
        return -ENOMEM;
    zones[0] = upstream->host;
    team->members[0] = (struct config_upstream){.name = upstream->host,
                                                .addresses = upstream->bootstrap_to,
                                                .address_count = upstream->bootstrap_to_count,
                                                .ecs = ECS_DEFAULT,
                                                .has_source = upstream->has_source,
                                                .source = upstream->source,
                                                .interface = upstream->interface,
                                                .fwmark = upstream->fwmark,
                                                .plain_zones = zones,
                                                .plain_zone_count = 1,
                                                .plain_exact = true};
    team->places[0] = TEAM_PLAIN;
    team->count = 1;
    return 0;
}

static bool needs_teams(const struct config *config)
{
    for (size_t i = 0; i < config->upstream_count; i++)
        if (config->upstreams[i].role == ROLE_ROUTED || config->upstreams[i].host)
            return true;
    return config->forward_count > 0 || config->view_count > 0;
}

/* --- views --- */

static const char *prefix_name(const struct prefix *prefix, struct arena *arena)
{
    char text[PREFIX_TEXT];
    return arena_print(arena, "%s", prefix_format(prefix, text));
}

static int name_view(struct config_view *view, struct arena *arena)
{
    const char *name = view->name        ? view->name
                       : view->interface ? arena_print(arena, "%%%s", view->interface)
                                         : prefix_name(&view->clients[0], arena);
    view->label = name ? arena_print(arena, "view:%s", name) : NULL;
    return view->label ? 0 : -ENOMEM;
}

/* Without upstreams of its own a view has the root team. */
static int add_view(struct config *config, struct config_view *view, struct arena *arena)
{
    int status = name_view(view, arena);
    view->route_teams = arena_take(arena, (1 + view->forward_count) * sizeof *view->route_teams);
    if (status == 0 && !view->route_teams)
        status = -ENOMEM;
    if (status == 0 && view->group)
        status = add_group(config, view->group, &view->root_team, arena);
    if (status == 0 && view->upstream_count > 0) {
        view->root_team = config->team_count;
        status = add_named(config, view->label, POLICY_FAILOVER, view->upstreams, view->upstream_count, arena);
    }
    for (size_t i = 0; status == 0 && i < view->forward_count; i++)
        status = add_route(config, &view->forward[i], view->label, &view->route_teams[i], arena);
    return status;
}

static size_t count_teams(const struct config *config)
{
    size_t count = 1 + config->forward_count + config->upstream_count;
    for (size_t i = 0; i < config->view_count; i++)
        count += 1 + config->views[i].forward_count;
    return count;
}

int teams_fill(struct config *config, struct arena *arena)
{
    if (!needs_teams(config))
        return 0;
    config->teams = arena_take(arena, count_teams(config) * sizeof *config->teams);
    config->route_teams = arena_take(arena, (1 + config->forward_count) * sizeof *config->route_teams);
    int status = config->teams && config->route_teams ? add_root(config, arena) : -ENOMEM;
    for (size_t i = 0; status == 0 && i < config->forward_count; i++)
        status = add_route(config, &config->forward[i], "forward", &config->route_teams[i], arena);
    for (size_t i = 0; status == 0 && i < config->view_count; i++)
        status = add_view(config, &config->views[i], arena);
    for (size_t i = 0; status == 0 && i < config->upstream_count; i++)
        if (config->upstreams[i].host)
            status = add_bootstrap(config, &config->upstreams[i], arena);
    return status;
}
