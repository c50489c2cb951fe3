/* SPDX-License-Identifier: MIT */
#include "topology.h"

#include <errno.h>
#include <stdio.h>
#include "base/errors.h"
#include "base/mem.h"

static const struct topology *const topologies[] = {
    [STORE_PLAIN] = &topology_plain,
    [STORE_SENTINEL] = &topology_sentinel,
    [STORE_CLUSTER] = &topology_cluster,
};

int topology_begin(struct store *store, const struct store_setup *setup)
{
    store->topology = topologies[setup->kind];
    store->places = mem_zalloc(STORE_PLACES, sizeof *store->places);
    return store->places ? store->topology->begin(store, setup) : -ENOMEM;
}

static void drop_place(struct store_place *place)
{
    if (place->node)
        node_leave(place->node);
    if (place->channel)
        node_leave(place->channel);
    if (place->learned)
        store_server_clear(place->learned);
    mem_free(place->learned);
}

void topology_end(struct store *store)
{
    if (store->topology && store->topology->end)
        store->topology->end(store);
    for (size_t i = 0; i < store->place_count; i++)
        drop_place(&store->places[i]);
    mem_free(store->places);
    store->places = NULL;
    store->place_count = 0;
    store->topology = NULL;
    store->nearest = (struct nearest){.probes = 0};
}

struct store_place *topology_add(struct store *store, const struct store_setup *setup,
                                 const struct store_server *server, const struct node_role *role,
                                 const struct node_role *channel_role)
{
    struct store_place *place = &store->places[store->place_count];
    if (store->place_count == STORE_PLACES)
        return NULL;
    *place = (struct store_place){.learned = server ? NULL : mem_zalloc(1, sizeof *place->learned)};
    if (!server && !place->learned)
        return NULL;
    place->server = server ? server : place->learned;
    place->node = node_new(&store->owner, setup, place->server, role);
    if (place->node && channel_role)
        place->channel = node_new(&store->owner, setup, place->server, channel_role);
    if (!place->node || (channel_role && !place->channel)) {
        drop_place(place);
        return NULL;
    }
    place->node->held = !server;
    if (place->channel)
        place->channel->held = !server;
    place->role = store->topology->serves;
    place->serves = true;
    store->place_count++;
    return place;
}

void topology_drop(struct store *store, size_t index)
{
    struct store_place place = store->places[index];
    store->places[index] = store->places[--store->place_count];
    store->places[store->place_count] = (struct store_place){.node = NULL};
    node_retire(place.node);
    place.node = NULL;
    drop_place(&place);
}

void topology_hold(struct store_place *place)
{
    node_moved(place->node);
    place->node->held = true;
    if (place->channel) {
        node_moved(place->channel);
        place->channel->held = true;
    }
}

void topology_release(struct store_place *place)
{
    place->node->held = false;
    if (place->channel)
        place->channel->held = false;
}

/* --- reports --- */

static const char *state_of(const struct node *node)
{
    static const char *const states[] = {
        [NODE_DOWN] = "down",           [NODE_RESOLVING] = "connecting", [NODE_CONNECTING] = "connecting",
        [NODE_GREETING] = "connecting", [NODE_READY] = "ready",          [NODE_CLOSING] = "down"};
    bool slow = node->state == NODE_READY && node->health.alone_until_ms > 0;
    return slow ? "slow" : states[node->state];
}

void topology_report(struct store_server_report *out, const struct node *node, const char *role)
{
    *out = (struct store_server_report){
        .role = role,
        .state = state_of(node),
        .unsent = node->state == NODE_READY ? stream_unsent(&node->stream) : 0,
        .waiting = node->outstanding,
        .latency = node->latency,
    };
    snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof out->name - 1, node->server->text);
    if (node->state != NODE_READY && (node->error || node->refusal[0]))
        snprintf(out->error, sizeof out->error, "%s", node->refusal[0] ? node->refusal : error_text(node->error));
}
