/* SPDX-License-Identifier: MIT */
/* Invariants: the first team is the root team; then come the groups, each if a route leads to it, then the routes with upstreams of their
 * own, named by their first zone. No name of a group has a colon. */
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
static int add_plain(struct config *config, const struct config_route *route, struct arena *arena)
{
    const char *name = arena_print(arena, "forward:%s", route->zones[0]);
    struct config_team *team = name ? add_team(config, name, POLICY_FAILOVER, arena) : NULL;
    if (!team)
        return -ENOMEM;
    team->members[0] = (struct config_upstream){.name = route->zones[0],
                                                .addresses = route->to,
                                                .address_count = route->to_count,
                                                .ecs = ECS_DEFAULT,
                                                .interface = route->interface,
                                                .plain_zones = route->zones,
                                                .plain_zone_count = route->zone_count};
    team->places[0] = TEAM_PLAIN;
    team->count = 1;
    team->salt = route->salt;
    return 0;
}

/* Sets the team of the route; makes it if it does not exist yet. */
static int add_route(struct config *config, size_t i, struct arena *arena)
{
    const struct config_route *route = &config->forward[i];
    config->route_teams[i] = config->team_count;
    if (route->to_count > 0)
        return add_plain(config, route, arena);
    if (!route->group) {
        int status = add_named(config, arena_print(arena, "forward:%s", route->zones[0]), POLICY_FAILOVER,
                               route->upstreams, route->upstream_count, arena);
        if (status == 0)
            config->teams[config->team_count - 1].salt = route->salt;
        return status;
    }
    size_t group = 0;
    while (strcmp(config->groups[group].name, route->group) != 0)
        group++;
    config->route_teams[i] = find_team(config, route->group);
    if (config->route_teams[i] < config->team_count)
        return 0;
    return add_named(config, config->groups[group].name, config->groups[group].policy, config->groups[group].upstreams,
                     config->groups[group].upstream_count, arena);
}

static bool has_routed(const struct config *config)
{
    for (size_t i = 0; i < config->upstream_count; i++)
        if (config->upstreams[i].role == ROLE_ROUTED)
            return true;
    return false;
}

int teams_fill(struct config *config, struct arena *arena)
{
    if (config->forward_count == 0 && !has_routed(config))
        return 0;
    config->teams = arena_take(arena, (1 + config->forward_count) * sizeof *config->teams);
    config->route_teams = arena_take(arena, (1 + config->forward_count) * sizeof *config->route_teams);
    int status = config->teams && config->route_teams ? add_root(config, arena) : -ENOMEM;
    for (size_t i = 0; status == 0 && i < config->forward_count; i++)
        status = add_route(config, i, arena);
    return status;
}
