/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - A change exists from its commit until the last worker has returned its mailbox item. Several changes may be in
 *   progress.
 * - A change is committed in the turn of the loop in which it was prepared: it replaces the source that it was made
 *   from.
 */
#include "routing.h"
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "interfaces.h"

struct routing_item {
    struct worker_routes worker;
    struct routing_change *change;
};

struct routing_change {
    struct routes *routes;
    struct routing_source source;
    unsigned outstanding; /* workers that have not switched yet */
    void (*done)(void *context);
    void *context;
    unsigned count;
    struct routing_item items[]; /* one for each worker */
};

/* --- interfaces --- */

struct interface_list {
    const char **names;
    size_t count;
};

static void note_interface(struct interface_list *list, const char *name)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->names[i], name) != 0)
        i++;
    if (i == list->count)
        list->names[list->count++] = name;
}

static size_t count_by_interface(const struct config_route *routes, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += routes[i].interface != NULL;
    return found;
}

static void note_interfaces(struct interface_list *list, const struct config_route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (routes[i].interface && !routes[i].is_private)
            note_interface(list, routes[i].interface);
}

/* The interfaces of the configuration's routes that are not up now. None, if the system does not tell. 0 or -ENOMEM. */
static int find_down(struct interface_list *out, const struct config *config)
{
    size_t most = count_by_interface(config->forward, config->forward_count), left = 0;
    for (size_t i = 0; i < config->view_count; i++)
        most += count_by_interface(config->views[i].forward, config->views[i].forward_count);
    *out = (struct interface_list){.names = NULL};
    if (most == 0)
        return 0;
    if (!(out->names = mem_zalloc(most, sizeof *out->names)))
        return -ENOMEM;
    note_interfaces(out, config->forward, config->forward_count);
    for (size_t i = 0; i < config->view_count; i++)
        note_interfaces(out, config->views[i].forward, config->views[i].forward_count);
    struct ifaddrs *interfaces = interfaces_read();
    for (size_t i = 0; interfaces && i < out->count; i++)
        if (!interface_is_up(interfaces, out->names[i]))
            out->names[left++] = out->names[i];
    out->count = left;
    interfaces_free(interfaces);
    return 0;
}

/* --- sources --- */

static void source_drop(struct routing_source *source)
{
    for (size_t i = 0; source->trusts && i < source->config->upstream_count; i++)
        tls_trust_unref(source->trusts[i]);
    for (size_t i = 0; i < source->added_count; i++)
        added_unref(source->added[i]);
    mem_free(source->trusts);
    mem_free(source->added);
    mem_free(source->down);
    config_unref(source->config);
    *source = (struct routing_source){.config = NULL};
}

/* Takes references; then call source_drop, also after an error. */
static int source_take(struct routing_source *out, struct config *config, struct tls_trust *const *trusts,
                       struct added_route *const *added, size_t count)
{
    *out = (struct routing_source){.config = config_ref(config),
                                   .trusts = mem_zalloc(config->upstream_count + 1, sizeof *out->trusts),
                                   .added = mem_zalloc(count + 1, sizeof *out->added)};
    if (!out->trusts || !out->added)
        return -ENOMEM;
    for (size_t i = 0; i < config->upstream_count; i++)
        out->trusts[i] = tls_trust_ref(trusts[i]);
    for (; out->added_count < count; out->added_count++)
        out->added[out->added_count] = added_ref(added[out->added_count]);
    struct interface_list down;
    int status = find_down(&down, config);
    out->down = down.names;
    out->down_count = down.count;
    return status;
}

/* Removes the added routes whose upstreams the configuration does not have. */
static void source_fit(struct routing_source *source)
{
    size_t left = 0;
    for (size_t i = 0; i < source->added_count; i++) {
        if (added_check(source->added[i], source->config, NULL) == 0)
            source->added[left++] = source->added[i];
        else
            added_unref(source->added[i]);
    }
    source->added_count = left;
}

static int make_routes(struct routes **out, struct group_ids *ids, const struct routing_source *source)
{
    struct config *whole;
    const struct route_changes changes = {source->added, source->added_count, source->down, source->down_count};
    int status = config_with_routes(&whole, source->config, &changes);
    if (status < 0)
        return status;
    status = routes_of_config(out, ids, whole, source->trusts);
    config_unref(whole);
    return status;
}

/* --- changes --- */

int routing_init(struct routing *routing, struct config *config, struct tls_trust *const *trusts)
{
    *routing = (struct routing){.routes = NULL};
    int status = source_take(&routing->source, config, trusts, NULL, 0);
    return status < 0 ? status : make_routes(&routing->routes, &routing->ids, &routing->source);
}

void routing_start(struct routing *routing, struct worker *const *workers, unsigned count)
{
    routing->workers = workers;
    routing->worker_count = count;
}

/* Runs on the main thread when a worker has switched. */
static void item_reply(struct mailbox_item *item, void *reader)
{
    struct routing_change *change = container_of(item, struct routing_item, worker.reply)->change;
    (void)reader;
    if (--change->outstanding > 0)
        return;
    void (*done)(void *context) = change->done;
    void *context = change->context;
    routing_drop(change);
    done(context);
}

void routing_know(struct routing *routing, struct bootstrap_table *known)
{
    bootstrap_table_unref(routing->known);
    routing->known = bootstrap_table_ref(known);
}

void routing_drop(struct routing_change *change)
{
    if (!change)
        return;
    for (unsigned i = 0; i < change->count; i++)
        groups_change_free(&change->items[i].worker.change);
    routes_unref(change->routes);
    source_drop(&change->source);
    mem_free(change);
}

/* Takes over the source, also after an error. */
static int prepare(struct routing_change **out, struct routing *routing, struct routing_source *source)
{
    unsigned count = routing->worker_count;
    struct routing_change *change = mem_zalloc(1, sizeof *change + count * sizeof *change->items);
    if (!change) {
        source_drop(source);
        return -ENOMEM;
    }
    change->source = *source;
    int status = make_routes(&change->routes, &routing->ids, &change->source);
    if (status == 0)
        routes_know(change->routes, routing->known);
    for (; status == 0 && change->count < count; change->count++) {
        struct routing_item *item = &change->items[change->count];
        item->change = change;
        item->worker.reply.open = item_reply;
        status = groups_change_new(&item->worker.change, change->routes);
    }
    if (status == 0)
        *out = change;
    else
        routing_drop(change);
    return status;
}

int routing_prepare(struct routing_change **out, struct routing *routing, struct config *config,
                    struct tls_trust *const *trusts)
{
    struct routing_source source;
    int status = source_take(&source, config, trusts, routing->source.added, routing->source.added_count);
    if (status < 0) {
        source_drop(&source);
        return status;
    }
    source_fit(&source);
    return prepare(out, routing, &source);
}

int routing_prepare_added(struct routing_change **out, struct routing *routing, struct added_route *const *added,
                          size_t count)
{
    struct routing_source source;
    int status = source_take(&source, routing->source.config, routing->source.trusts, added, count);
    if (status == 0)
        return prepare(out, routing, &source);
    source_drop(&source);
    return status;
}

/* The source of the change replaces the one in force, which the change then holds. */
static void put_in_force(struct routing *routing, struct routing_change *change)
{
    struct routes *before = routing->routes;
    struct routing_source source = routing->source;
    routing->routes = routes_ref(change->routes);
    routing->source = change->source;
    change->source = source;
    routes_unref(before);
}

void routing_commit(struct routing *routing, struct routing_change *change, void (*done)(void *context), void *context)
{
    change->done = done;
    change->context = context;
    change->outstanding = change->count;
    put_in_force(routing, change);
    for (unsigned i = 0; i < change->count; i++)
        worker_route(routing->workers[i], &change->items[i].worker);
}

void routing_commit_early(struct routing *routing, struct routing_change *change)
{
    put_in_force(routing, change);
    for (unsigned i = 0; i < change->count; i++)
        worker_route_early(routing->workers[i], &change->items[i].worker);
    routing_drop(change);
}

void routing_fini(struct routing *routing)
{
    routes_unref(routing->routes);
    source_drop(&routing->source);
    bootstrap_table_unref(routing->known);
    group_ids_fini(&routing->ids);
}
