/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - after a snapshot was published only its reference count changes;
 *   - group_ids only grows: an id belongs to its definition until the process ends, because cache entries may be
 *     stored under it.
 */
#include "upstream/routes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"

/* --- ids --- */

static int make_room(struct group_ids *ids)
{
    size_t room = ids->room ? 2 * ids->room : 8;
    if (ids->count < ids->room)
        return 0;
    struct key_group *larger = mem_resize(ids->known, room * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    ids->known = larger;
    ids->room = room;
    return 0;
}

int group_ids_find(struct group_ids *ids, const uint8_t definition[DIGEST_LEN], uint32_t *id)
{
    size_t at = 0;
    while (at < ids->count && memcmp(ids->known[at].definition, definition, DIGEST_LEN) != 0)
        at++;
    if (at == ids->count) {
        int status = make_room(ids);
        if (status < 0)
            return status;
        ids->known[at].id = (uint32_t)at + 1;
        memcpy(ids->known[at].definition, definition, DIGEST_LEN);
        ids->count++;
    }
    *id = ids->known[at].id;
    return 0;
}

void group_ids_fini(struct group_ids *ids)
{
    mem_free(ids->known);
    *ids = (struct group_ids){.count = 0};
}

/* --- a snapshot --- */

static int make_suffixes(struct suffix_table **out, const struct name_route *list, size_t count)
{
    if (count == 0)
        return 0;
    struct suffix *suffixes = mem_zalloc(count, sizeof *suffixes);
    if (!suffixes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        suffixes[i] =
            (struct suffix){list[i].suffix, (uint32_t)list[i].group | (list[i].is_private ? ROUTE_PRIVATE : 0)};
    int status = suffix_table_new(out, suffixes, count);
    mem_free(suffixes);
    return status;
}

/* Workers find their groups by name, so names must differ. */
static bool names_differ(const struct group_definition *groups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t other = 0; other < i; other++)
            if (strcmp(groups[i].name, groups[other].name) == 0)
                return false;
    return true;
}

static void add_salt(uint8_t definition[DIGEST_LEN], const uint8_t salt[ROUTE_SALT])
{
    uint8_t both[DIGEST_LEN + ROUTE_SALT];
    memcpy(both, definition, DIGEST_LEN);
    memcpy(both + DIGEST_LEN, salt, ROUTE_SALT);
    digest_bytes(definition, both, sizeof both);
}

static int define(struct key_group *out, struct group_ids *ids, const struct config *config,
                  const struct group_definition *group)
{
    int status = config_define_group(config, group->upstreams, group->upstream_count, out->definition);
    if (status == 0 && group->salt)
        add_salt(out->definition, group->salt);
    return status < 0 ? status : group_ids_find(ids, out->definition, &out->id);
}

/* Takes references to the trusts of this group, behind those of the groups before it. */
static struct tls_trust *const *take_trusts(struct tls_trust **room, const struct group_definition *group)
{
    for (size_t i = 0; i < group->upstream_count; i++)
        room[i] = group->trusts[i] ? tls_trust_ref(group->trusts[i]) : NULL;
    return room;
}

static int take_groups(struct routes *routes, struct group_ids *ids, const struct group_definition *groups,
                       size_t count)
{
    size_t trusts = 0;
    for (size_t i = 0; i < count; i++)
        trusts += groups[i].upstream_count;
    routes->groups = mem_zalloc(count, sizeof *routes->groups);
    routes->ids = mem_zalloc(count, sizeof *routes->ids);
    routes->trusts = mem_zalloc(trusts + 1, sizeof(struct tls_trust *));
    if (!routes->groups || !routes->ids || !routes->trusts)
        return -ENOMEM;
    routes->trust_count = trusts;
    trusts = 0;
    for (size_t i = 0; i < count; i++) {
        struct group_definition *group = &routes->groups[i];
        int status = define(&routes->ids[i], ids, routes->config, &groups[i]);
        if (status < 0)
            return status;
        *group = groups[i];
        group->id = routes->ids[i].id;
        group->config = routes->config;
        group->trusts = take_trusts(&routes->trusts[trusts], &groups[i]);
        trusts += group->upstream_count;
        for (size_t u = 0; u < group->upstream_count; u++)
            routes->server_count +=
                (group->upstreams[u].host ? CONFIG_HOST_ADDRESSES : group->upstreams[u].address_count) *
                (group->upstreams[u].transport == TRANSPORT_AUTO ? 2 : 1);
    }
    routes->group_count = count;
    return 0;
}

int routes_new(struct routes **out, struct group_ids *ids, struct config *config, const struct group_definition *groups,
               size_t group_count, const struct name_route *list, size_t route_count)
{
    if (group_count > ROUTES_GROUPS_MAX)
        return -E2BIG;
    if (!names_differ(groups, group_count))
        return -EEXIST;
    struct routes *routes = mem_zalloc(1, sizeof *routes);
    if (!routes)
        return -ENOMEM;
    atomic_init(&routes->refs, 1);
    routes->config = config_ref(config);
    int status = take_groups(routes, ids, groups, group_count);
    if (status == 0)
        status = make_suffixes(&routes->suffixes, list, route_count);
    if (status < 0)
        routes_unref(routes);
    else
        *out = routes;
    return status;
}

/* --- from a configuration --- */

/* The arguments of routes_new while they are made. */
struct making {
    struct group_definition *groups;
    struct tls_trust **trusts; /* of all groups */
    struct name_route *routes;
    uint8_t (*names)[NAME_MAX_WIRE]; /* of the zones */
    size_t route_count;
};

static void make_groups(struct making *making, const struct config *config, struct tls_trust *const *trusts)
{
    struct tls_trust **room = making->trusts;
    for (size_t i = 0; i < config->team_count; i++) {
        const struct config_team *team = &config->teams[i];
        making->groups[i] = (struct group_definition){.name = team->name,
                                                      .upstreams = team->members,
                                                      .upstream_count = team->count,
                                                      .policy = team->policy,
                                                      .trusts = room,
                                                      .salt = team->salt};
        for (size_t m = 0; m < team->count; m++)
            *room++ = team->places[m] == TEAM_PLAIN ? NULL : trusts[team->places[m]];
    }
}

/* Adds the routes for zones that are not in `except` (NULL: all). The configuration was checked, so each zone is a name. */
static void make_routes(struct making *making, const struct config_route *routes, size_t count, const size_t *teams,
                        const struct suffix_table *except)
{
    for (size_t i = 0; i < count; i++)
        for (size_t z = 0; z < routes[i].zone_count; z++) {
            uint8_t *name = making->names[making->route_count], lower[NAME_MAX_WIRE];
            int len = name_from_text(name, routes[i].zones[z]);
            uint32_t value;
            size_t found = 0;
            assert(len > 0);
            name_lower(lower, name, (size_t)len);
            if (except && suffix_table_find(except, lower, (size_t)len, &value, &found) && found == (size_t)len)
                continue;
            making->routes[making->route_count++] = (struct name_route){name, teams[i], routes[i].is_private};
        }
}

static size_t count_zones(const struct config_route *routes, size_t count)
{
    size_t zones = 0;
    for (size_t i = 0; i < count; i++)
        zones += routes[i].zone_count;
    return zones;
}

/* The most zones of a view, with those that it inherits. */
static size_t most_zones(const struct config *config)
{
    size_t most = 0;
    for (size_t i = 0; i < config->view_count; i++) {
        size_t zones = count_zones(config->views[i].forward, config->views[i].forward_count);
        most = zones > most ? zones : most;
    }
    return most + count_zones(config->forward, config->forward_count);
}

/* --- views --- */

static int make_view(struct route_view *view, struct making *making, const struct config *config, size_t i)
{
    const struct config_view *from = &config->views[i];
    struct suffix_table *own = NULL;
    view->label = from->label;
    view->root = from->root_team;
    view->interface = from->interface;
    making->route_count = 0;
    make_routes(making, from->forward, from->forward_count, from->route_teams, NULL);
    int status = make_suffixes(&own, making->routes, making->route_count);
    if (status == 0 && from->inherit)
        make_routes(making, config->forward, config->forward_count, config->route_teams, own);
    if (status == 0)
        status = make_suffixes(&view->suffixes, making->routes, making->route_count);
    suffix_table_free(own);
    return status;
}

static int make_clients(struct prefix_map **out, const struct config *config)
{
    size_t count = 0, used = 0;
    for (size_t i = 0; i < config->view_count; i++)
        count += config->views[i].client_count;
    struct prefix_value *list = mem_zalloc(count + 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < config->view_count; i++)
        for (size_t c = 0; c < config->views[i].client_count; c++)
            list[used++] = (struct prefix_value){config->views[i].clients[c], (uint32_t)i + 1};
    int status = prefix_map_new(out, list, count);
    mem_free(list);
    return status;
}

static int make_views(struct routes *routes, struct making *making, const struct config *config)
{
    if (config->view_count == 0)
        return 0;
    routes->views = mem_zalloc(1 + config->view_count, sizeof *routes->views);
    if (!routes->views)
        return -ENOMEM;
    routes->view_count = 1;
    routes->views[0].suffixes = routes->suffixes;
    int status = make_clients(&routes->clients, config);
    for (size_t i = 0; status == 0 && i < config->view_count; i++)
        status = make_view(&routes->views[routes->view_count++], making, config, i);
    return status;
}

/* --- both --- */

static int routes_of_teams(struct routes **out, struct group_ids *ids, struct config *config,
                           struct tls_trust *const *trusts)
{
    size_t zones = most_zones(config);
    struct making making = {
        .groups = mem_zalloc(config->team_count, sizeof *making.groups),
        .trusts = mem_zalloc(config->team_count * (config->upstream_count + 1), sizeof(struct tls_trust *)),
        .routes = mem_zalloc(zones + 1, sizeof *making.routes),
        .names = mem_zalloc(zones + 1, sizeof *making.names)};
    int status = making.groups && making.trusts && making.routes && making.names ? 0 : -ENOMEM;
    if (status == 0) {
        make_groups(&making, config, trusts);
        make_routes(&making, config->forward, config->forward_count, config->route_teams, NULL);
        status = routes_new(out, ids, config, making.groups, config->team_count, making.routes, making.route_count);
    }
    if (status == 0 && (status = make_views(*out, &making, config)) < 0) {
        routes_unref(*out);
        *out = NULL;
    }
    mem_free(making.groups);
    mem_free(making.trusts);
    mem_free(making.routes);
    mem_free(making.names);
    return status;
}

int routes_of_config(struct routes **out, struct group_ids *ids, struct config *config, struct tls_trust *const *trusts)
{
    const struct group_definition root = {.name = GROUP_ROOT,
                                          .upstreams = config->upstreams,
                                          .upstream_count = config->upstream_count,
                                          .policy = config->upstream_policy,
                                          .trusts = trusts};
    return config->teams ? routes_of_teams(out, ids, config, trusts) : routes_new(out, ids, config, &root, 1, NULL, 0);
}

void routes_know(struct routes *routes, struct bootstrap_table *known)
{
    bootstrap_table_unref(routes->known);
    routes->known = bootstrap_table_ref(known);
    for (size_t i = 0; i < routes->group_count; i++)
        routes->groups[i].known = known;
}

struct routes *routes_ref(struct routes *routes)
{
    atomic_fetch_add_explicit(&routes->refs, 1, memory_order_relaxed);
    return routes;
}

void routes_unref(struct routes *routes)
{
    if (!routes || atomic_fetch_sub_explicit(&routes->refs, 1, memory_order_acq_rel) > 1)
        return;
    bootstrap_table_unref(routes->known);
    suffix_table_free(routes->suffixes);
    for (size_t i = 1; i < routes->view_count; i++)
        suffix_table_free(routes->views[i].suffixes);
    prefix_map_free(routes->clients);
    mem_free(routes->views);
    for (size_t i = 0; i < routes->trust_count; i++)
        if (routes->trusts[i])
            tls_trust_unref(routes->trusts[i]);
    mem_free(routes->trusts);
    mem_free(routes->ids);
    mem_free(routes->groups);
    config_unref(routes->config);
    mem_free(routes);
}
