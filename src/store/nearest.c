/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include "base/clock.h"
#include "topology.h"

enum { PROBE_EACH_MS = 5000 /* while values are asked for */ };

/* A replica that is not clearly nearer is not worth a change. */
static bool is_nearer(const struct node *node, const struct node *than)
{
    return node_is_ready(node) && node->rtt_us > 0 &&
           (!node_is_ready(than) || (than->rtt_us > 0 && node->rtt_us + node->rtt_us / 4 < than->rtt_us));
}

void nearest_choose(struct store *store)
{
    for (size_t i = 0; store->setup->nearest && i < store->place_count; i++) {
        struct store_place *place = &store->places[i];
        struct node *best = place->reader && node_is_ready(place->reader) ? place->reader : place->node;
        if (is_nearer(place->node, best))
            best = place->node;
        for (size_t j = 0; j < store->place_count; j++)
            if (store->places[j].master == place->node && is_nearer(store->places[j].node, best))
                best = store->places[j].node;
        place->reader = best == place->node ? NULL : best;
    }
}

/* Nothing but a probe tries a replica that is left alone: reader_of passes it over. */
static void take_probe(struct node *node, uint64_t us)
{
    uint64_t now_ms = loop_now(node->owner->loop);
    node_note_rtt(node, us);
    if (node->health.alone_until_ms > 0 && now_ms >= node->health.alone_until_ms &&
        us / 1000 <= node->owner->patience_ms)
        health_note_in_time(&node->health, now_ms, true);
}

static void probed(struct store_command *request, const struct resp_reply *reply)
{
    struct store *store = store_of(request->node);
    if (reply)
        take_probe(request->node, clock_us() - request->sent_us);
    if (--store->nearest.probes == 0)
        nearest_choose(store);
}

/* Servers that are read from are measured by that, too. */
uint64_t nearest_check(struct store *store, uint64_t now_ms)
{
    struct nearest *nearest = &store->nearest;
    if (!store->setup->nearest || !nearest->due)
        return LOOP_NEVER;
    if (now_ms < nearest->probed_ms + PROBE_EACH_MS)
        return nearest->probed_ms + PROBE_EACH_MS;
    nearest->probed_ms = now_ms;
    nearest->due = false;
    for (size_t i = 0; i < store->place_count; i++) {
        struct node *node = store->places[i].node;
        struct store_command *request = node_command(node, (struct bytes[]){store_bytes_of("PING")}, 1);
        if (request) {
            request->done = probed;
            nearest->probes++;
        } else if (store->places[i].master) {
            node_wake(node);
        }
    }
    return LOOP_NEVER;
}

struct node *nearest_reader(struct store *store, struct store_place *place)
{
    struct node *reader = place->reader;
    uint64_t now_ms = loop_now(store->owner.loop);
    if (!store->nearest.due && store->setup->nearest) {
        store->nearest.due = true;
        loop_wake_by(store->owner.loop, store->nearest.probed_ms + PROBE_EACH_MS);
    }
    return reader && node_is_ready(reader) && reader->health.alone_until_ms == 0 &&
                   node_owes(reader, now_ms) < HEALTH_SILENT_MS
               ? reader
               : place->node;
}

void nearest_leave(struct store *store, const struct node *node)
{
    for (size_t i = 0; i < store->place_count; i++)
        if (store->places[i].reader == node)
            store->places[i].reader = NULL;
}
