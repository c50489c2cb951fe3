/* SPDX-License-Identifier: MIT */
/* Sentinels tell which server is the master: the only place of the store.
 *
 * One Sentinel at a time is connected. It is asked for the master's address, and its messages (+switch-master) are only a
 * reason to ask once more, as are a master that is lost, that is none any more (ROLE), or that answers READONLY. While no
 * master is known, its connections are held: gets find it down, and nothing waits.
 *
 * With store.read-from: nearest it is asked for the replicas as well, whose places follow that of the master: its messages of
 * a new replica (+slave), or of one that is back (-sdown), are reasons to ask once more.
 *
 * Invariants: `current` is the Sentinel that is connected or being connected, or NULL; events of others are ignored.
 * `replies` counts the replies to come: the last one is the newest. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "fleet.h"
#include "nearest.h"
#include "topology.h"

enum {
    ASK_EACH_MS = 100, /* at most */
    PAUSE_FIRST_MS = 100,
    PAUSE_LONGEST_MS = 5000,
    SENTINELS = 16,
    REPLICAS = 8,
    VAIN_MOST = 3,
};

enum watch_state {
    SEARCHING, /* no Sentinel has answered */
    ASKING,    /* a Sentinel is connected and is about to tell the master, perhaps again */
    FOLLOWING, /* the master is known */
    STATES
};

enum watch_event {
    CONNECTED, /* a Sentinel */
    TOLD,      /* it named a master that is used */
    UNTOLD,    /* it does not know the master, or named a server that is refused */
    LOST,      /* the connection to it */
    DOUBTED,   /* the master may be another one */
    USELESS,   /* the master that it names cannot be connected, time and again */
    EVENTS
};

enum watch_action { NONE, ASK, ANOTHER /* Sentinel */ };

static const struct watch_row {
    enum watch_state next;
    enum watch_action action;
} rows[STATES][EVENTS] = {
    [SEARCHING] = {[CONNECTED] = {ASKING, ASK},
                   [TOLD] = {SEARCHING, NONE}, /* a reply of the Sentinel that was left */
                   [UNTOLD] = {SEARCHING, NONE},
                   [LOST] = {SEARCHING, ANOTHER},
                   [DOUBTED] = {SEARCHING, NONE},
                   [USELESS] = {SEARCHING, NONE}},
    [ASKING] = {[CONNECTED] = {ASKING, NONE},
                [TOLD] = {FOLLOWING, NONE},
                [UNTOLD] = {SEARCHING, ANOTHER},
                [LOST] = {SEARCHING, ANOTHER},
                [DOUBTED] = {ASKING, ASK},
                [USELESS] = {SEARCHING, ANOTHER}},
    [FOLLOWING] = {[CONNECTED] = {FOLLOWING, NONE},
                   [TOLD] = {FOLLOWING, NONE},
                   [UNTOLD] = {SEARCHING, ANOTHER},
                   [LOST] = {SEARCHING, ANOTHER},
                   [DOUBTED] = {ASKING, ASK},
                   [USELESS] = {SEARCHING, ANOTHER}},
};

struct sentinel {
    struct node *nodes[SENTINELS];
    unsigned count, at; /* the one to try next */
    unsigned tries;     /* since the latest pause, or since a master was told */
    struct node *current;
    enum watch_state state;
    bool ask_due, dial_due; /* to the Sentinel; of the master */
    bool told;              /* the master is known */
    unsigned replies;
    unsigned vain; /* connections to the master that failed since it was told, or was ready */
    uint64_t asked_ms, not_before_ms, pause_ms;
};

/* --- the Sentinel --- */

/* The next one is tried at once, but after as many as there are comes a pause. */
static void try_another(struct store *store)
{
    struct sentinel *sentinel = store->sentinel;
    struct node *node = sentinel->current;
    sentinel->current = NULL;
    sentinel->ask_due = false;
    sentinel->at = (sentinel->at + 1) % sentinel->count;
    if (++sentinel->tries >= sentinel->count) { /* not `at`: those that are down are passed over */
        sentinel->tries = 0;
        uint64_t pause_ms = sentinel->pause_ms ? sentinel->pause_ms * 2 : PAUSE_FIRST_MS;
        sentinel->pause_ms = pause_ms < PAUSE_LONGEST_MS ? pause_ms : PAUSE_LONGEST_MS;
        sentinel->not_before_ms = loop_now(store->owner.loop) + sentinel->pause_ms;
    }
    if (node && node_is_ready(node))
        node_refuse(node, node->refusal[0] ? node->refusal : "it tells no master that can be used");
    loop_wake_by(store->owner.loop, loop_now(store->owner.loop));
}

static void happens(struct store *store, enum watch_event event)
{
    struct sentinel *sentinel = store->sentinel;
    const struct watch_row *row = &rows[sentinel->state][event];
    sentinel->state = row->next;
    switch (row->action) {
    case ASK:
        sentinel->ask_due = true;
        loop_wake_by(store->owner.loop, sentinel->asked_ms + ASK_EACH_MS);
        break;
    case ANOTHER:
        try_another(store);
        break;
    case NONE:
        break;
    }
}

/* --- the master --- */

static void use_master(struct store *store, const struct store_server *server)
{
    static struct log_repeats told = LOG_REPEATS_INIT;
    struct sentinel *sentinel = store->sentinel;
    struct store_place *place = &store->places[0];
    uint64_t suppressed;
    if (log_repeat_allowed(&told, 1, !sentinel->told, loop_now(store->owner.loop), &suppressed))
        log_info("store", "the master %s is %s", store->setup->sentinel, server->text);
    if (sentinel->told)
        store_count(store, COUNTER_store_failovers);
    sentinel->told = true;
    sentinel->vain = 0;
    store_server_clear(place->learned);
    *place->learned = *server;
    sentinel->dial_due = true;
    place->reader = NULL;
    node_moved(place->node);
    if (place->channel)
        node_moved(place->channel);
}

static void tell_refused(struct node *node, const char *role, const char *what, const char *why)
{
    static struct log_repeats told = LOG_REPEATS_INIT;
    uint64_t suppressed;
    if (log_repeat_allowed(&told, node->server->id | 1, false, loop_now(node->owner->loop), &suppressed))
        log_warning("store", "sentinel %s: %s %s: %s%s%s", node->server->text, role, node->setup->sentinel, what,
                    what[0] ? " is not used: " : "", why);
}

/* A server that the Sentinel named; false: it is refused. */
static bool learn(struct store_server *out, struct node *node, const char *role, const struct resp_reply *reply,
                  const struct resp_item *host, const struct resp_item *port)
{
    struct store *store = store_of(node);
    char number[8] = "", what[300];
    const char *name = (const char *)resp_text(reply, host);
    if (port->len < sizeof number)
        memcpy(number, resp_text(reply, port), port->len);
    const char *why = store_learn(out, store->setup, node->server, name, host->len,
                                  strspn(number, "0123456789") == port->len ? strtoul(number, NULL, 10) : 0);
    if (why) {
        snprintf(what, sizeof what, "%.*s@%s", (int)(host->len < 255 ? host->len : 255), name, number);
        store_count(store, COUNTER_store_nodes_refused);
        tell_refused(node, role, what, why);
    }
    return !why;
}

/* An array of the address and the port. */
static enum watch_event take_master(struct store *store, struct node *node, const struct resp_reply *reply)
{
    static const char role[] = "the master";
    const struct resp_item *host = &reply->items[1], *port = &reply->items[2];
    struct store_server server;
    if (reply->count != 3 || reply->items[0].type != RESP_ARRAY || host->type != RESP_TEXT || port->type != RESP_TEXT) {
        tell_refused(node, role, "",
                     reply->items[0].type == RESP_NIL ? "it is not known there; see store.sentinel"
                                                      : "the reply is not an address");
        return UNTOLD;
    }
    if (!learn(&server, node, role, reply, host, port))
        return UNTOLD;
    store->sentinel->pause_ms = store->sentinel->tries = 0;
    if (store->sentinel->told && strcmp(server.text, store->places[0].server->text) == 0)
        store_server_clear(&server);
    else
        use_master(store, &server);
    return TOLD;
}

/* --- the replicas --- */

/* The value of a field in an array of names and values; NULL: it has none. */
static const struct resp_item *field_of(const struct resp_reply *reply, uint32_t array, const char *name)
{
    for (uint32_t i = array + 1; i + 1 < reply->items[array].after; i += 2) {
        const struct resp_item *key = &reply->items[i], *value = &reply->items[i + 1];
        if (key->type == RESP_TEXT && key->len == strlen(name) && resp_begins(reply, key, name))
            return value->type == RESP_TEXT ? value : NULL;
    }
    return NULL;
}

/* False: the Sentinel says that it is down, or cut off from the master. */
static bool is_in_use(const struct resp_reply *reply, uint32_t array)
{
    const struct resp_item *flags = field_of(reply, array, "flags"),
                           *link = field_of(reply, array, "master-link-status");
    return flags && link && link->len == 2 && resp_begins(reply, link, "ok") &&
           !memmem(resp_text(reply, flags), flags->len, "down", 4) &&
           !memmem(resp_text(reply, flags), flags->len, "disconnected", 12);
}

static const struct node_role replica_role;

/* The place of a replica, perhaps a new one. NULL: it is the master, or there are too many. */
static struct store_place *place_for(struct store *store, const char *text)
{
    for (size_t i = 0; i < store->place_count; i++)
        if (strcmp(store->places[i].server->text, text) == 0)
            return i == 0 ? NULL : &store->places[i];
    struct store_place *place =
        store->place_count <= REPLICAS ? topology_add(store, store->setup, NULL, &replica_role, NULL) : NULL;
    if (!place)
        return NULL;
    place->serves = false;
    place->role = "replica";
    place->master = store->places[0].node;
    return place;
}

static void learn_replica(struct store *store, struct node *node, const struct resp_reply *reply, uint32_t array)
{
    const struct resp_item *host = field_of(reply, array, "ip"), *port = field_of(reply, array, "port");
    struct store_server server;
    if (!host || !port || !is_in_use(reply, array) || !learn(&server, node, "a replica of", reply, host, port))
        return;
    struct store_place *place = place_for(store, server.text);
    if (place)
        place->named = true;
    if (!place || place->server->text[0]) { /* known */
        store_server_clear(&server);
        return;
    }
    *place->learned = server;
    node_moved(place->node);
    node_wake(place->node);
}

/* An array of an array for each of them. */
static void take_replicas(struct store *store, struct node *node, const struct resp_reply *reply)
{
    for (size_t i = 0; i < store->place_count; i++) {
        store->places[i].named = i == 0;
        store->places[i].reader = NULL;
    }
    for (uint32_t i = 1; i < reply->count; i = reply->items[i].after)
        if (reply->items[i].type == RESP_ARRAY)
            learn_replica(store, node, reply, i);
    for (size_t i = store->place_count; i-- > 0;)
        if (!store->places[i].named)
            topology_drop(store, i);
    nearest_choose(store);
}

/* --- asking --- */

static void told(struct store_command *request, const struct resp_reply *reply)
{
    struct node *node = request->node;
    struct store *store = store_of(node);
    enum watch_event event = UNTOLD;
    if (!reply || node != store->sentinel->current) /* lost, see sentinel_lost; or left */
        return;
    if (--store->sentinel->replies > 0)
        return;
    if (reply->items[0].type == RESP_ERROR)
        node_fail(node, reply);
    else
        event = take_master(store, node, reply);
    happens(store, event);
}

static void replicas_told(struct store_command *request, const struct resp_reply *reply)
{
    struct node *node = request->node;
    struct store *store = store_of(node);
    if (reply && node == store->sentinel->current && store->sentinel->told && reply->items[0].type == RESP_ARRAY)
        take_replicas(store, node, reply);
}

static struct store_command *request_of(struct node *node, const char *what)
{
    return node_command(
        node, (struct bytes[]){store_bytes_of("SENTINEL"), store_bytes_of(what), store_bytes_of(node->setup->sentinel)},
        3);
}

/* False: too much is unsent. */
static bool each_channel(struct node *node, const char *command)
{
    static const char *const channels[] = {"+switch-master", "+slave", "-sdown"};
    bool sent = true;
    for (unsigned i = 0; sent && i < (node->setup->nearest ? 3 : 1); i++)
        sent = node_command(node, (struct bytes[]){store_bytes_of(command), store_bytes_of(channels[i])}, 2) != NULL;
    return sent;
}

/* A connection that is subscribed takes no other commands. */
static void ask(struct store *store)
{
    struct sentinel *sentinel = store->sentinel;
    struct node *node = sentinel->current;
    sentinel->asked_ms = loop_now(store->owner.loop);
    if (!each_channel(node, "UNSUBSCRIBE"))
        return; /* it stays due */
    struct store_command *request = request_of(node, "GET-MASTER-ADDR-BY-NAME");
    if (request) {
        request->done = told;
        sentinel->replies++;
        sentinel->ask_due = false;
    }
    request = store->setup->nearest ? request_of(node, "REPLICAS") : NULL;
    if (request)
        request->done = replicas_told;
    (void)each_channel(node, "SUBSCRIBE");
}

/* --- the connections --- */

static void sentinel_ready(struct node *node)
{
    struct store *store = store_of(node);
    if (node != store->sentinel->current)
        return;
    store->sentinel->replies = 0;
    happens(store, CONNECTED);
}

static void sentinel_lost(struct node *node)
{
    struct store *store = store_of(node);
    if (node == store->sentinel->current)
        happens(store, LOST);
}

static bool sentinel_pushed(struct node *node, struct resp_reply *reply)
{
    if (reply->items[0].type != RESP_ARRAY || reply->count != 4 || !resp_begins(reply, &reply->items[1], "message"))
        return false;
    if (node == store_of(node)->sentinel->current)
        happens(store_of(node), DOUBTED);
    return true;
}

static const struct node_role sentinel_role = {.label = "sentinel ",
                                               .meanwhile = "another one is tried",
                                               .subscribes = true,
                                               .sentinel = true,
                                               .ready = sentinel_ready,
                                               .pushed = sentinel_pushed,
                                               .lost = sentinel_lost};

static void role_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct node *node = request->node;
    bool replica = node->role == &replica_role;
    const char *wanted = replica ? "slave" : "master";
    if (!reply)
        return;
    if (reply->items[0].type == RESP_ERROR)
        node_fail(node, reply);
    else if (reply->count > 1 && reply->items[1].type == RESP_TEXT && reply->items[1].len == strlen(wanted) &&
             resp_begins(reply, &reply->items[1], wanted))
        node_greeted(node);
    else
        node_refuse(node, replica ? "it is not a replica" : "it is not the master");
}

static int greet_server(struct node *node)
{
    int status = node_greet(node, (struct bytes[]){store_bytes_of("ROLE")}, 1, role_replied, 0);
    return status == 0 ? fleet_greet(node) : status;
}

static void master_ready(struct node *node)
{
    store_of(node)->sentinel->vain = 0;
    fleet_ready(node);
}

/* A Sentinel that is cut off from the others, or lies, names the same master for ever. */
static void master_lost(struct node *node)
{
    struct sentinel *sentinel = store_of(node)->sentinel;
    bool useless = sentinel->count > 1 && ++sentinel->vain >= VAIN_MOST;
    if (useless)
        sentinel->vain = 0;
    happens(store_of(node), useless ? USELESS : DOUBTED);
}

/* A server that became a replica may keep its connections. */
static bool master_refused(struct node *node, struct store_command *request, const struct resp_reply *error)
{
    (void)request;
    if (resp_begins(error, &error->items[0], "READONLY"))
        node_fail(node, error);
    return false;
}

static const struct node_role master_role = {.label = "master ",
                                             .meanwhile = "queries are answered without it",
                                             .counted = true,
                                             .greet = greet_server,
                                             .ready = master_ready,
                                             .lost = master_lost,
                                             .refused = master_refused};

static void replica_lost(struct node *node)
{
    nearest_leave(store_of(node), node);
    happens(store_of(node), DOUBTED);
}

/* Its link to the master may be down. */
static bool replica_refused(struct node *node, struct store_command *request, const struct resp_reply *error)
{
    (void)request;
    (void)error;
    nearest_leave(store_of(node), node);
    return false;
}

static const struct node_role replica_role = {.label = "replica ",
                                              .meanwhile = "values are read from other servers",
                                              .counted = true,
                                              .greet = greet_server,
                                              .ready = fleet_ready,
                                              .lost = replica_lost,
                                              .refused = replica_refused};

/* --- the topology --- */

static int begin(struct store *store, const struct store_setup *setup)
{
    struct sentinel *sentinel = store->sentinel = mem_zalloc(1, sizeof *sentinel);
    struct store_place *place =
        sentinel ? topology_add(store, setup, NULL, &master_role, store->leads ? &fleet_channel_role : NULL) : NULL;
    if (!place)
        return -ENOMEM;
    snprintf(place->learned->text, sizeof place->learned->text, "%s", setup->sentinel);
    for (size_t i = 0; i < setup->server_count && i < SENTINELS; i++) {
        sentinel->nodes[i] = node_new(&store->owner, setup, &setup->servers[i], &sentinel_role);
        if (!sentinel->nodes[i])
            return -ENOMEM;
        sentinel->count++;
    }
    return 0;
}

static struct store_place *place_of(struct store *store, const uint8_t name[SEAL_NAME])
{
    (void)name;
    return &store->places[0];
}

/* The first one whose back-off has passed. Dialling may fail at once, which is an event. */
static uint64_t search(struct store *store, uint64_t now_ms)
{
    struct sentinel *sentinel = store->sentinel;
    uint64_t next_ms = LOOP_NEVER;
    if (now_ms < sentinel->not_before_ms)
        return sentinel->not_before_ms;
    for (unsigned i = 0; !sentinel->current && i < sentinel->count; i++) {
        unsigned at = (sentinel->at + i) % sentinel->count;
        struct node *node = sentinel->nodes[at];
        if (node->state == NODE_DOWN && node->retry_ms <= now_ms) {
            sentinel->at = at;
            sentinel->current = node;
            node_wake(node);
            return sentinel->current ? LOOP_NEVER : now_ms + 1;
        }
        if (node->state == NODE_DOWN && node->retry_ms < next_ms)
            next_ms = node->retry_ms;
    }
    return next_ms;
}

static uint64_t check(struct store *store, uint64_t now_ms)
{
    struct sentinel *sentinel = store->sentinel;
    uint64_t next_ms = nearest_check(store, now_ms), at_ms = LOOP_NEVER;
    for (unsigned i = 0; i < sentinel->count; i++) {
        at_ms = node_check(sentinel->nodes[i], now_ms);
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    at_ms = sentinel->current ? LOOP_NEVER : search(store, now_ms);
    if (sentinel->current && sentinel->ask_due && now_ms >= sentinel->asked_ms + ASK_EACH_MS)
        ask(store);
    if (sentinel->current && sentinel->ask_due)
        at_ms = sentinel->asked_ms + ASK_EACH_MS;
    if (sentinel->dial_due && store->places[0].node->state == NODE_DOWN) {
        sentinel->dial_due = false;
        node_wake(store->places[0].node);
    }
    return at_ms < next_ms ? at_ms : next_ms;
}

static size_t report(const struct store *store, struct store_server_report *out, size_t room)
{
    const struct sentinel *sentinel = store->sentinel;
    size_t count = sentinel->count < room ? sentinel->count : room;
    for (size_t i = 0; i < count; i++) {
        topology_report(&out[i], sentinel->nodes[i], "sentinel");
        if (sentinel->nodes[i] != sentinel->current && !out[i].error[0])
            out[i].state = "unused";
    }
    return count;
}

static void end(struct store *store)
{
    for (unsigned i = 0; store->sentinel && i < store->sentinel->count; i++)
        node_leave(store->sentinel->nodes[i]);
    mem_free(store->sentinel);
    store->sentinel = NULL;
}

const struct topology topology_sentinel = {.begin = begin,
                                           .place_of = place_of,
                                           .reader_of = nearest_reader,
                                           .check = check,
                                           .report = report,
                                           .end = end,
                                           .serves = "master"};
