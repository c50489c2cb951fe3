/* SPDX-License-Identifier: MIT */
/* Invariant: a change exists from its commit until the last worker has returned its mailbox item. Several changes
 * may be in progress. */
#include "routing.h"
#include <errno.h>
#include "base/mem.h"

struct routing_item {
    struct worker_routes worker;
    struct routing_change *change;
};

struct routing_change {
    struct routes *routes;
    unsigned outstanding; /* workers that have not switched yet */
    void (*done)(void *context);
    void *context;
    unsigned count;
    struct routing_item items[]; /* one for each worker */
};

int routing_init(struct routing *routing, struct config *config, struct tls_trust *const *trusts)
{
    *routing = (struct routing){.routes = NULL};
    return routes_of_config(&routing->routes, &routing->ids, config, trusts);
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

void routing_drop(struct routing_change *change)
{
    if (!change)
        return;
    for (unsigned i = 0; i < change->count; i++)
        groups_change_free(&change->items[i].worker.change);
    routes_unref(change->routes);
    mem_free(change);
}

int routing_prepare(struct routing_change **out, struct routing *routing, struct config *config,
                    struct tls_trust *const *trusts)
{
    unsigned count = routing->worker_count;
    struct routing_change *change = mem_zalloc(1, sizeof *change + count * sizeof *change->items);
    if (!change)
        return -ENOMEM;
    int status = routes_of_config(&change->routes, &routing->ids, config, trusts);
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

void routing_commit(struct routing *routing, struct routing_change *change, void (*done)(void *context), void *context)
{
    struct routes *before = routing->routes;
    change->done = done;
    change->context = context;
    change->outstanding = change->count;
    routing->routes = routes_ref(change->routes);
    for (unsigned i = 0; i < change->count; i++)
        worker_route(routing->workers[i], &change->items[i].worker);
    routes_unref(before);
}

void routing_fini(struct routing *routing)
{
    routes_unref(routing->routes);
    group_ids_fini(&routing->ids);
}
