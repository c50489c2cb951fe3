/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - after a snapshot was published only its reference count changes;
 *   - group_ids only grows: an id belongs to its definition until the process ends, because cache entries may be
 *     stored under it.
 */
#include "upstream/routes.h"

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

static int define(struct key_group *out, struct group_ids *ids, const struct config *config,
                  const struct group_definition *group)
{
    int status = config_define_group(config, group->upstreams, group->upstream_count, out->definition);
    return status < 0 ? status : group_ids_find(ids, out->definition, &out->id);
}

/* Takes references to the trusts of this group, behind those of the groups before it. */
static struct tls_trust *const *take_trusts(struct tls_trust **room, const struct group_definition *group)
{
    for (size_t i = 0; i < group->upstream_count; i++)
        room[i] = tls_trust_ref(group->trusts[i]);
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
    routes->trusts = mem_zalloc(trusts + 1, sizeof(struct tls_trust *)); /* ends with NULL */
    if (!routes->groups || !routes->ids || !routes->trusts)
        return -ENOMEM;
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

int routes_of_config(struct routes **out, struct group_ids *ids, struct config *config, struct tls_trust *const *trusts)
{
    const struct group_definition root = {
        .name = GROUP_ROOT, .upstreams = config->upstreams, .upstream_count = config->upstream_count, .trusts = trusts};
    return routes_new(out, ids, config, &root, 1, NULL, 0);
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
    for (size_t i = 0; routes->trusts && routes->trusts[i]; i++)
        tls_trust_unref(routes->trusts[i]);
    mem_free(routes->trusts);
    mem_free(routes->ids);
    mem_free(routes->groups);
    config_unref(routes->config);
    mem_free(routes);
}
