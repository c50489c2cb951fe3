/* SPDX-License-Identifier: MIT */
/* A cluster: each of its masters has some of the slots, and each entry is in the slot of its key.
 *
 * The places are the servers of the setup, of which one that the cluster does not name is only a contact, and the masters that
 * it names. The map of the slots is read from one of them (CLUSTER SHARDS, or CLUSTER SLOTS of older servers) at the start,
 * and once more when a command is redirected, a connection is lost, or an entry has no server that is connected; at most
 * once a second. MOVED also changes the map at once, for one slot. Commands that are redirected are repeated there, twice at
 * most.
 *
 * With store.read-from: nearest the replicas are places, too, and READONLY is sent to all: then a replica gives values of its
 * master's slots. Gets and probes measure which server of a shard responds first. Everything but a GET goes to the master.
 *
 * Invariants: an element of `owner` is NOBODY or the index of a place; `master` and `reader` of a place are nodes of places,
 * and are set anew before a place is dropped. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "fleet.h"
#include "nearest.h"
#include "slotmap.h"
#include "topology.h"

enum {
    MAP_EACH_MS = 1000,
    MAP_LATEST_MS = 8000, /* after failures */
    NOBODY = 0xff,
    COPIES = FLEET_COPIES_MOST,
};

_Static_assert(STORE_PLACES < (int)NOBODY, "a place has a number");

/* --- the map: states --- */

enum map_state {
    CURRENT, /* nothing is known to have changed */
    WANTED,  /* to be asked for */
    SHARDS,  /* CLUSTER SHARDS was sent */
    RANGES,  /* CLUSTER SLOTS was sent, since the server does not know the other one */
    STATES
};

enum map_event { DOUBTED, SENT, TAKEN, UNKNOWN, FAILED, EVENTS };

enum map_action { NONE, ASK_RANGES, LATER };

static const struct map_row {
    enum map_state next;
    enum map_action action;
} rows[STATES][EVENTS] = {
    [CURRENT] = {[DOUBTED] = {WANTED, NONE},
                 [SENT] = {SHARDS, NONE},
                 [TAKEN] = {CURRENT, NONE},
                 [UNKNOWN] = {CURRENT, NONE},
                 [FAILED] = {CURRENT, NONE}},
    [WANTED] = {[DOUBTED] = {WANTED, NONE},
                [SENT] = {SHARDS, NONE},
                [TAKEN] = {WANTED, NONE},
                [UNKNOWN] = {WANTED, NONE},
                [FAILED] = {WANTED, NONE}},
    [SHARDS] = {[DOUBTED] = {SHARDS, NONE},
                [SENT] = {SHARDS, NONE},
                [TAKEN] = {CURRENT, NONE},
                [UNKNOWN] = {RANGES, ASK_RANGES},
                [FAILED] = {WANTED, LATER}},
    [RANGES] = {[DOUBTED] = {RANGES, NONE},
                [SENT] = {RANGES, NONE},
                [TAKEN] = {CURRENT, NONE},
                [UNKNOWN] = {WANTED, LATER},
                [FAILED] = {WANTED, LATER}},
};

struct cluster {
    uint8_t owner[SLOTS];
    enum map_state state;
    bool read; /* a map was taken */
    struct node *asked;
    unsigned turn; /* the place to ask next */
    uint64_t asked_ms, pause_ms;
    uint16_t tags[COPIES];
    struct slot_map map; /* being read */
};

static void ask_ranges(struct store *store);

static void happens(struct store *store, enum map_event event)
{
    struct cluster *cluster = store->cluster;
    const struct map_row *row = &rows[cluster->state][event];
    cluster->state = row->next;
    switch (row->action) {
    case ASK_RANGES:
        ask_ranges(store);
        break;
    case LATER:
        cluster->pause_ms = cluster->pause_ms * 2 < MAP_LATEST_MS ? cluster->pause_ms * 2 : MAP_LATEST_MS;
        break;
    case NONE:
        break;
    }
    if (cluster->state == WANTED)
        loop_wake_by(store->owner.loop, cluster->asked_ms + cluster->pause_ms);
}

/* --- places --- */

static struct store_place *place_at(struct store *store, const char *text)
{
    for (size_t i = 0; i < store->place_count; i++)
        if (strcmp(store->places[i].server->text, text) == 0)
            return &store->places[i];
    return NULL;
}

static void tell_refused(struct node *teller, const struct slot_server *server, const char *why)
{
    static struct log_repeats told = LOG_REPEATS_INIT;
    uint64_t suppressed;
    store_count(store_of(teller), COUNTER_store_nodes_refused);
    if (log_repeat_allowed(&told, teller->server->id | 1, false, loop_now(teller->owner->loop), &suppressed))
        log_warning("store", "%s names %s@%u, which is not used: %s", teller->server->text, server->host, server->port,
                    why);
}

static const struct node_role cluster_role;

/* The place of a server that another one named, perhaps a new one. NULL: it is not used. */
static struct store_place *learn(struct store *store, struct node *teller, const struct slot_server *named)
{
    const char *host = named->host[0] ? named->host : teller->server->where.name;
    bool tls = named->port == 0 || (named->tls_port > 0 && store_host_needs_tls(host, strlen(host)));
    struct store_server server;
    const char *why =
        store_learn(&server, store->setup, teller->server, host, strlen(host), tls ? named->tls_port : named->port);
    struct store_place *place = why ? NULL : place_at(store, server.text);
    if (why) {
        tell_refused(teller, named, why);
        return NULL;
    }
    if (!place)
        place = topology_add(store, store->setup, NULL, &cluster_role, store->leads ? &fleet_channel_role : NULL);
    if (!place || !place->learned || place->learned->text[0]) { /* known, or there are too many */
        store_server_clear(&server);
        return place;
    }
    *place->learned = server;
    place->serves = false;
    node_moved(place->node);
    if (place->channel)
        node_moved(place->channel);
    node_wake(place->node);
    return place;
}

static void serve(struct store_place *place)
{
    place->serves = true;
    place->role = "master";
}

/* --- the map: replies --- */

/* Places that the cluster does not name any more are dropped, which changes the indexes of others: no slot has an owner
 * meanwhile. A master that had slots has failed, or was removed. */
static void drop_others(struct store *store)
{
    memset(store->cluster->owner, NOBODY, sizeof store->cluster->owner);
    for (size_t i = store->place_count; i-- > 0;) {
        const struct store_place *place = &store->places[i];
        if (place->named || !place->learned)
            continue;
        if (place->serves)
            store_count(store, COUNTER_store_failovers);
        topology_drop(store, i);
    }
}

static uint8_t index_of(const struct store *store, const struct node *node)
{
    for (size_t i = 0; node && i < store->place_count; i++)
        if (store->places[i].node == node)
            return (uint8_t)i;
    return NOBODY;
}

/* `masters` has the nodes of the map's masters, NULL for those that are not used. */
static void assign_slots(struct store *store, struct node *const masters[SLOT_MASTERS])
{
    struct cluster *cluster = store->cluster;
    const struct slot_map *map = &cluster->map;
    uint8_t place_of[SLOT_MASTERS];
    for (unsigned i = 0; i < map->count; i++)
        place_of[i] = index_of(store, masters[i]);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint8_t owner = map->owner[slot] == SLOT_NOBODY ? NOBODY : place_of[map->owner[slot]];
        cluster->owner[slot] = owner;
        if (owner != NOBODY)
            serve(&store->places[owner]);
    }
}

static void begin_serving(struct store *store, struct store_place *place, bool served)
{
    if (!served && node_is_ready(place->node))
        fleet_read_set(store, place);
    node_wake(place->node);
}

/* Replicas of masters that are used, as far as there is room for them. */
static void learn_replicas(struct store *store, struct node *teller, struct node *const masters[SLOT_MASTERS])
{
    const struct slot_map *map = &store->cluster->map;
    for (unsigned i = 0; store->setup->nearest && i < map->replica_count; i++) {
        struct node *master = masters[map->replica[i].master];
        struct store_place *place = master ? learn(store, teller, &map->replica[i].server) : NULL;
        if (!place || place->named) /* a master as well, or the replica of another one */
            continue;
        place->named = true;
        place->master = master;
    }
}

/* A master whose slots all went to others has failed as well. */
static void change_owners(struct store *store, struct node *const masters[SLOT_MASTERS])
{
    bool served[STORE_PLACES];
    for (size_t i = 0; i < store->place_count; i++) {
        struct store_place *place = &store->places[i];
        served[i] = place->serves;
        place->serves = false;
        place->role = place->master ? "replica" : place->named ? "empty" : "contact";
    }
    assign_slots(store, masters);
    for (size_t i = 0; i < store->place_count; i++) {
        struct store_place *place = &store->places[i];
        if (place->serves || place->master)
            begin_serving(store, place, served[i]);
        else if (served[i])
            store_count(store, COUNTER_store_failovers);
    }
}

/* Uses a map that was read. */
static void use_map(struct store *store, struct node *teller)
{
    struct cluster *cluster = store->cluster;
    struct node *masters[SLOT_MASTERS];
    for (size_t i = 0; i < store->place_count; i++) {
        struct store_place *place = &store->places[i];
        place->named = false;
        place->master = place->reader = NULL;
    }
    for (unsigned i = 0; i < cluster->map.count; i++) {
        struct store_place *place = learn(store, teller, &cluster->map.master[i]);
        masters[i] = place ? place->node : NULL;
        if (place)
            place->named = true;
    }
    learn_replicas(store, teller, masters);
    drop_others(store);
    change_owners(store, masters);
    cluster->read = true;
    cluster->pause_ms = MAP_EACH_MS;
    loop_wake_by(store->owner.loop, loop_now(store->owner.loop)); /* the place that listens may be gone */
    nearest_choose(store);
    store_count(store, COUNTER_store_maps);
}

static void tell_failed(struct node *node, const struct resp_reply *reply, const char *why)
{
    static struct log_repeats told = LOG_REPEATS_INIT;
    const struct resp_item *item = &reply->items[0];
    uint64_t suppressed;
    bool error = item->type == RESP_ERROR;
    if (log_repeat_allowed(&told, node->server->id | 1, false, loop_now(node->owner->loop), &suppressed))
        log_warning("store", "%s: no map of the cluster: %.*s", node->server->text,
                    error ? (int)(item->len < 120 ? item->len : 120) : (int)strlen(why),
                    error ? (const char *)resp_text(reply, item) : why);
}

/* A server that was reset, or has not joined yet, knows no slot: it must not end what the others serve. */
static bool has_slots(const struct slot_map *map)
{
    unsigned slot = 0;
    while (slot < SLOTS && map->owner[slot] == SLOT_NOBODY)
        slot++;
    return slot < SLOTS;
}

static void map_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct store *store = store_of(request->node);
    struct cluster *cluster = store->cluster;
    if (request->node != cluster->asked)
        return;
    if (!reply) {
        happens(store, FAILED);
        return;
    }
    if (reply->items[0].type == RESP_ERROR) {
        if (cluster->state == RANGES)
            tell_failed(request->node, reply, "");
        happens(store, UNKNOWN);
        return;
    }
    int status =
        cluster->state == RANGES ? slot_map_slots(&cluster->map, reply) : slot_map_shards(&cluster->map, reply);
    if (status < 0 || !has_slots(&cluster->map)) {
        tell_failed(request->node, reply, status < 0 ? "the reply cannot be understood" : "no slot has a server there");
        store_count(store, COUNTER_store_maps_refused);
        happens(store, FAILED);
        return;
    }
    use_map(store, request->node);
    happens(store, TAKEN);
}

/* --- asking --- */

static bool ask(struct store *store, struct node *node, const char *what)
{
    struct store_command *request =
        node_command(node, (struct bytes[]){store_bytes_of("CLUSTER"), store_bytes_of(what)}, 2);
    if (!request)
        return false;
    request->done = map_replied;
    store->cluster->asked = node;
    store->cluster->asked_ms = loop_now(store->owner.loop);
    return true;
}

static void ask_ranges(struct store *store)
{
    if (!ask(store, store->cluster->asked, "SLOTS"))
        happens(store, FAILED);
}

/* One after the other, so that a server that lies or is cut off is not the only one. */
static void ask_next(struct store *store)
{
    struct cluster *cluster = store->cluster;
    for (size_t i = 0; i < store->place_count; i++) {
        size_t at = (cluster->turn + i) % store->place_count;
        if (ask(store, store->places[at].node, "SHARDS")) {
            cluster->turn = (unsigned)(at + 1);
            happens(store, SENT);
            return;
        }
    }
}

/* Contacts are connected while there is no other server to ask. */
static void mind_contacts(struct store *store)
{
    bool connected = false;
    for (size_t i = 0; i < store->place_count; i++)
        connected |= store->places[i].serves && node_is_ready(store->places[i].node);
    for (size_t i = 0; i < store->place_count; i++) {
        struct store_place *place = &store->places[i];
        bool rests = connected && store->cluster->read && !place->learned && strcmp(place->role, "contact") == 0;
        if (rests && !place->node->held)
            topology_hold(place);
        else if (!rests && place->node->held)
            topology_release(place);
    }
}

static uint64_t check(struct store *store, uint64_t now_ms)
{
    struct cluster *cluster = store->cluster;
    uint64_t next_ms = nearest_check(store, now_ms);
    mind_contacts(store);
    if (cluster->state != WANTED)
        return next_ms;
    if (now_ms < cluster->asked_ms + cluster->pause_ms) {
        uint64_t ask_ms = cluster->asked_ms + cluster->pause_ms;
        return ask_ms < next_ms ? ask_ms : next_ms;
    }
    ask_next(store);
    for (size_t i = 0; cluster->state == WANTED && i < store->place_count; i++) {
        struct node *node = store->places[i].node;
        node_wake(node);
        if (node->state == NODE_DOWN && !node->held && node->retry_ms < next_ms)
            next_ms = node->retry_ms;
    }
    return next_ms > now_ms ? next_ms : now_ms + 1;
}

/* --- redirections --- */

static bool refused(struct node *node, struct store_command *request, const struct resp_reply *error)
{
    struct store *store = store_of(node);
    struct slot_redirect redirect;
    if (resp_begins(error, &error->items[0], "CLUSTERDOWN"))
        happens(store, DOUBTED);
    nearest_leave(store, node);
    bool map = request->done == map_replied; /* a map is of the server that was asked */
    if (map || !slot_redirect_read(&redirect, error))
        return false;
    store_count(store, redirect.ask ? COUNTER_store_asks : COUNTER_store_moved);
    struct store_place *place = learn(store, node, &redirect.to);
    if (!redirect.ask)
        happens(store, DOUBTED);
    if (!place || place->node == node)
        return false;
    if (!redirect.ask) {
        store->cluster->owner[redirect.slot] = (uint8_t)(place - store->places);
        serve(place);
    }
    return node_redirect(request, place->node, redirect.ask);
}

static void ready(struct node *node)
{
    fleet_ready(node);
    if (!store_of(node)->cluster->read)
        happens(store_of(node), DOUBTED);
}

static void lost(struct node *node)
{
    happens(store_of(node), DOUBTED);
}

static void readonly_replied(struct store_command *request, const struct resp_reply *reply)
{
    if (reply && reply->items[0].type == RESP_ERROR)
        node_fail(request->node, reply);
    else if (reply)
        node_greeted(request->node);
}

static int greet(struct node *node)
{
    int status = node->setup->nearest
                     ? node_greet(node, (struct bytes[]){store_bytes_of("READONLY")}, 1, readonly_replied, 0)
                     : 0;
    return status == 0 ? fleet_greet(node) : status;
}

static const struct node_role cluster_role = {.label = "",
                                              .meanwhile = "queries are answered without it",
                                              .counted = true,
                                              .keeps = true,
                                              .greet = greet,
                                              .ready = ready,
                                              .lost = lost,
                                              .refused = refused};

/* --- the topology --- */

/* The set of flushes has a copy for each 256 slots, so that each master has some: its key begins with a number in "{}" whose
 * slot is one of them. */
static void find_tags(struct cluster *cluster)
{
    unsigned found = 0;
    bool has[COPIES] = {false};
    for (unsigned tag = 0; found < COPIES && tag <= UINT16_MAX; tag++) {
        char text[8];
        int len = snprintf(text, sizeof text, "%u", tag);
        unsigned copy = slot_of((struct bytes){(const uint8_t *)text, (size_t)len}) / (SLOTS / COPIES);
        if (has[copy])
            continue;
        has[copy] = true;
        cluster->tags[copy] = (uint16_t)tag;
        found++;
    }
}

static int begin(struct store *store, const struct store_setup *setup)
{
    struct cluster *cluster = store->cluster = mem_zalloc(1, sizeof *cluster);
    if (!cluster)
        return -ENOMEM;
    memset(cluster->owner, NOBODY, sizeof cluster->owner);
    cluster->state = WANTED;
    cluster->pause_ms = MAP_EACH_MS;
    find_tags(cluster);
    for (size_t i = 0; i < setup->server_count; i++) {
        struct store_place *place =
            topology_add(store, setup, &setup->servers[i], &cluster_role, store->leads ? &fleet_channel_role : NULL);
        if (!place)
            return -ENOMEM;
        place->serves = false;
    }
    return 0;
}

static struct store_place *place_of_slot(struct store *store, unsigned slot)
{
    uint8_t owner = store->cluster->owner[slot];
    return owner == NOBODY ? NULL : &store->places[owner];
}

static struct store_place *place_of(struct store *store, const uint8_t name[SEAL_NAME])
{
    char text[SEAL_TEXT + 1];
    seal_text(text, name);
    struct store_place *place = place_of_slot(store, slot_of((struct bytes){(const uint8_t *)text, SEAL_TEXT}));
    if (!place || !node_is_ready(place->node))
        happens(store, DOUBTED);
    return place;
}

static unsigned tag_of(const struct store *store, unsigned copy)
{
    return store->cluster->tags[copy];
}

static bool has_copy(struct store *store, const struct store_place *place, unsigned copy)
{
    char text[8];
    int len = snprintf(text, sizeof text, "%u", tag_of(store, copy));
    const struct store_place *owner = place_of_slot(store, slot_of((struct bytes){(const uint8_t *)text, (size_t)len}));
    return owner && (owner == place || owner->node == place->master);
}

static void end(struct store *store)
{
    mem_free(store->cluster);
    store->cluster = NULL;
}

const struct topology topology_cluster = {.begin = begin,
                                          .place_of = place_of,
                                          .reader_of = nearest_reader,
                                          .check = check,
                                          .end = end,
                                          .tag_of = tag_of,
                                          .has_copy = has_copy,
                                          .copies = COPIES,
                                          .one_channel = true,
                                          .serves = "contact"};
