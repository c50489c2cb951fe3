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

static int make_suffixes(struct routes *routes, const struct name_route *list, size_t count)
{
    if (count == 0)
        return 0;
    struct suffix *suffixes = mem_zalloc(count, sizeof *suffixes);
    if (!suffixes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        suffixes[i] = (struct suffix){list[i].suffix, (uint32_t)list[i].group};
    int status = suffix_table_new(&routes->suffixes, suffixes, count);
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
            routes->server_count += group->upstreams[u].address_count;
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
        status = make_suffixes(routes, list, route_count);
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

/* The configuration was checked, so each zone is a name. */
static void make_routes(struct making *making, const struct config *config)
{
    for (size_t i = 0; i < config->forward_count; i++)
        for (size_t z = 0; z < config->forward[i].zone_count; z++) {
            uint8_t *name = making->names[making->route_count];
            int len = name_from_text(name, config->forward[i].zones[z]);
            assert(len > 0);
            (void)len;
            making->routes[making->route_count++] = (struct name_route){name, config->route_teams[i]};
        }
}

static int routes_of_teams(struct routes **out, struct group_ids *ids, struct config *config,
                           struct tls_trust *const *trusts)
{
    size_t zones = 0;
    for (size_t i = 0; i < config->forward_count; i++)
        zones += config->forward[i].zone_count;
    struct making making = {
        .groups = mem_zalloc(config->team_count, sizeof *making.groups),
        .trusts = mem_zalloc(config->team_count * (config->upstream_count + 1), sizeof(struct tls_trust *)),
        .routes = mem_zalloc(zones + 1, sizeof *making.routes),
        .names = mem_zalloc(zones + 1, sizeof *making.names)};
    int status = making.groups && making.trusts && making.routes && making.names ? 0 : -ENOMEM;
    if (status == 0) {
        make_groups(&making, config, trusts);
        make_routes(&making, config);
        status = routes_new(out, ids, config, making.groups, config->team_count, making.routes, making.route_count);
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

struct routes *routes_ref(struct routes *routes)
{
    atomic_fetch_add_explicit(&routes->refs, 1, memory_order_relaxed);
    return routes;
}

void routes_unref(struct routes *routes)
{
    if (!routes || atomic_fetch_sub_explicit(&routes->refs, 1, memory_order_acq_rel) > 1)
        return;
    suffix_table_free(routes->suffixes);
    for (size_t i = 0; i < routes->trust_count; i++)
        if (routes->trusts[i])
            tls_trust_unref(routes->trusts[i]);
    mem_free(routes->trusts);
    mem_free(routes->ids);
    mem_free(routes->groups);
    config_unref(routes->config);
    mem_free(routes);
}
