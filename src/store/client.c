/* SPDX-License-Identifier: MIT */
/* Gets and puts over the nodes.
 *
 * Invariants: a get is in `waiting` until its reply is late; the deadlines in `waiting` do not fall. A get that has ended
 * is referred to by no request. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/verifytime.h"
#include "fleet.h"
#include "get.h"
#include "lease.h"
#include "popular.h"
#include "topology.h"

enum {
    PATIENCE_MIN_MS = 2,
    PATIENCE_MAX_MS = 20,
    GETS_MOST = 8192,
    TTL_LEAST_S = 2,
    CLOCK_EVERY_MS = 1000,
};

/* --- the clock --- */

/* While the clock may be behind, ages are unknown. */
static bool clock_is_fine(struct store *store, uint64_t now_ms)
{
    if (now_ms >= store->clock_checked_ms + CLOCK_EVERY_MS || store->clock_checked_ms == 0) {
        store->clock_checked_ms = now_ms;
        store->clock_fine = !verifytime_may_be_behind();
    }
    return store->clock_fine;
}

/* --- replies --- */

static void get_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct store_get *get = request->context;
    struct store *store = get->store;
    struct store_found found;
    const struct resp_item *item = reply ? &reply->items[0] : NULL;
    unsigned which = request->which;
    get->request[which] = NULL;
    get->outstanding--;
    if (!item || item->type == RESP_ERROR)
        store_count(store, COUNTER_store_failed);
    bool value = item && item->type == RESP_TEXT;
    bool opened = value && get_open(get, which, resp_text(reply, item), item->len, &found);
    /* Behind a value that was rejected, or an error, there is nothing to wait for. */
    get->unfit |= value ? !opened : !item || item->type == RESP_ERROR;
    if (opened && store->ops->usable(get->context, &found)) {
        popular_vote(store, get->definition, get->name[0], found.ttl);
        get_end(get, &found, false);
    } else if (get->outstanding > 0) {
        return;
    } else if (list_linked(&get->in_waiting) && !get->unfit) {
        lease_begin(get);
    } else {
        get_end(get, NULL, false); /* or the upstream was asked meanwhile */
    }
}

/* --- asking --- */

static struct store_command *ask_node(struct store *store, struct node *node, const uint8_t *name, enum health_use use)
{
    char text[SEAL_TEXT + 1];
    seal_text(text, name);
    struct store_command *request =
        node_command(node, (struct bytes[]){store_bytes_of("GET"), {(const uint8_t *)text, SEAL_TEXT}}, 2);
    if (!request)
        return NULL;
    request->get = true;
    request->tried = use == HEALTH_TRY;
    store_count(store, COUNTER_store_gets);
    return request;
}

/* Sends the GETs for which a lookup may wait. */
static void get_ask(struct store_get *get, const struct store_entry *entry)
{
    struct store *store = get->store;
    uint8_t material[STORE_MATERIAL];
    uint64_t now_ms = loop_now(store->owner.loop);
    for (unsigned i = 0; i < store->setup->keys.count; i++) {
        if (i == 0)
            memcpy(get->name[0], store_name_of(store, entry), SEAL_NAME);
        else
            seal_name(get->name[i], &store->setup->keys, i, SEAL_ANSWER,
                      store_material(material, entry->definition, entry->key));
        struct store_place *place = store_place_of(store, get->name[i]);
        if (!place)
            continue;
        node_wake(place->node);
        fleet_poll(store, place, now_ms);
        struct node *node = store->topology->reader_of ? store->topology->reader_of(store, place) : place->node;
        enum health_use use =
            node_is_ready(node) ? health_use(&node->health, now_ms, node_owes(node, now_ms)) : HEALTH_LEAVE;
        struct store_command *request = use == HEALTH_LEAVE ? NULL : ask_node(store, node, get->name[i], use);
        if (!request || use == HEALTH_TRY)
            continue; /* nobody waits for a try */
        request->done = get_replied;
        request->context = get;
        request->which = (uint8_t)i;
        get->request[i] = request;
        get->outstanding++;
    }
}

static uint64_t patience(const struct store *store, uint64_t median_ms)
{
    uint64_t quarter = median_ms / 4;
    if (store->setup->patience_ms)
        return store->setup->patience_ms;
    if (median_ms == 0) /* not known yet */
        return PATIENCE_MAX_MS;
    return quarter < PATIENCE_MIN_MS ? PATIENCE_MIN_MS : quarter > PATIENCE_MAX_MS ? PATIENCE_MAX_MS : quarter;
}

static void get_wait(struct store_get *get, uint64_t patience_ms)
{
    struct store *store = get->store;
    struct list_link *last = list_previous(&store->waiting, &store->waiting.head);
    get->late_ms = loop_now(store->owner.loop) + patience_ms;
    if (last && container_of(last, struct store_get, in_waiting)->late_ms > get->late_ms)
        get->late_ms = container_of(last, struct store_get, in_waiting)->late_ms;
    store->owner.patience_ms = patience_ms;
    list_push_back(&store->all, &get->in_all);
    list_push_back(&store->waiting, &get->in_waiting);
    loop_wake_exactly(store->owner.loop, get->late_ms);
}

/* The local cache was flushed, and not by a flush of the fleet: what was sealed before must not come back. */
static void note_epoch(struct store *store, uint64_t epoch)
{
    uint64_t begun = store->has_epoch ? epoch - store->epoch : 0;
    if (begun > store->spared)
        store->not_before_ms = clock_wall_ms();
    store->spared -= begun < store->spared ? (unsigned)begun : store->spared;
    store->epoch = epoch;
    store->has_epoch = true;
}

void store_take_flush(struct store *store, const struct store_flush *flush, uint64_t epoch)
{
    note_epoch(store, epoch);
    (void)flushes_add(&store->flushes, flush);
    store->spared++;
}

struct store_get *store_get(struct store *store, const struct store_entry *entry, uint64_t median_ms, uint64_t epoch,
                            void *context)
{
    note_epoch(store, epoch);
    if (!store->setup || store->stopping || !clock_is_fine(store, loop_now(store->owner.loop)))
        return NULL;
    struct store_get *get = slab_take(&store->gets);
    if (!get)
        return NULL;
    get->store = store;
    get->context = context;
    get->key = entry->key;
    memcpy(get->definition, entry->definition, DIGEST_LEN);
    get->median_ms = median_ms;
    get->not_before_ms = store->not_before_ms;
    get_ask(get, entry);
    if (get->outstanding == 0) {
        store_count(store, COUNTER_store_left_alone);
        slab_give(&store->gets, get);
        return NULL;
    }
    get_wait(get, patience(store, median_ms));
    return get;
}

/* --- late replies --- */

/* Once for each get: on a machine that is always late, the upstream is asked in the end. */
static void postpone(struct store *store, uint64_t now_ms)
{
    list_for_each(link, &store->waiting) {
        struct store_get *get = container_of(link, struct store_get, in_waiting);
        if (get->late_ms > now_ms)
            return;
        if (!get->postponed)
            get->late_ms = now_ms + 1;
        get->postponed = true;
    }
}

static void check_waiting(struct store *store, uint64_t now_ms)
{
    enum { OUR_DELAY_MS = 3 };
    struct list_link *link;
    while ((link = list_first(&store->waiting))) {
        struct store_get *get = container_of(link, struct store_get, in_waiting);
        if (get->late_ms > now_ms) {
            loop_wake_exactly(store->owner.loop, get->late_ms);
            return;
        }
        if (now_ms > get->late_ms + OUR_DELAY_MS && !get->postponed) {
            postpone(store, now_ms);
            continue;
        }
        list_remove(&get->in_waiting);
        get_is_late(get, now_ms);
    }
}

static uint64_t store_tick(struct loop_tick *hook, uint64_t now_ms)
{
    struct store *store = container_of(hook, struct store, tick);
    uint64_t next_ms = LOOP_NEVER;
    check_waiting(store, now_ms);
    leases_check(store, now_ms);
    next_ms = popular_check(store, now_ms);
    if (store->topology && store->topology->check) {
        uint64_t topology_ms = store->topology->check(store, now_ms);
        next_ms = topology_ms < next_ms ? topology_ms : next_ms;
    }
    for (size_t i = 0; store->dial_due && i < store->place_count; i++)
        node_wake(store->places[i].node);
    store->dial_due = false;
    for (size_t i = 0; i < store->place_count; i++) {
        uint64_t node_ms = node_check(store->places[i].node, now_ms);
        uint64_t fleet_ms = fleet_check(store, &store->places[i], now_ms);
        next_ms = node_ms < next_ms ? node_ms : next_ms;
        next_ms = fleet_ms < next_ms ? fleet_ms : next_ms;
    }
    return next_ms;
}

static void store_flush(struct loop_flush *hook)
{
    nodes_flush(container_of(hook, struct node_owner, flush));
}

/* --- storing --- */

static void put_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct store *store = request->context;
    if (!reply || reply->items[0].type == RESP_ERROR)
        store_count(store, COUNTER_store_puts_failed);
}

bool store_put(struct store *store, const struct store_entry *entry, const struct answer *answer, uint32_t stale_s,
               enum store_verdict verdict)
{
    char text[SEAL_TEXT + 1], life[DECIMAL_DIGITS];
    if (!store->setup || store->stopping || answer->ttl < TTL_LEAST_S || !answer_is_conclusive(answer) ||
        answer->truncated || !clock_is_fine(store, loop_now(store->owner.loop)))
        return false;
    const uint8_t *name = store_name_of(store, entry);
    struct node *node = store_node_of(store, name);
    node_wake(node);
    size_t len = node_is_ready(node) ? value_pack(store->content, answer, entry->key->flags, verdict) : 0;
    if (len == 0) {
        store_count(store, COUNTER_store_puts_dropped);
        return false;
    }
    int64_t now_ms = clock_wall_ms();
    uint64_t life_ms = ((uint64_t)answer->ttl + stale_s) * 1000;
    const struct seal_terms terms = {
        .kind = SEAL_ANSWER, .name = name, .sealed_ms = now_ms, .expires_ms = now_ms + (int64_t)life_ms};
    seal(store->sealed, &store->setup->keys, &terms, (struct bytes){store->content, len});
    seal_text(text, name);
    struct store_command *request = node_command(node,
                                                 (struct bytes[]){store_bytes_of("SET"),
                                                                  {(const uint8_t *)text, SEAL_TEXT},
                                                                  {store->sealed, seal_len(len)},
                                                                  store_bytes_of("PX"),
                                                                  bytes_decimal(life, life_ms)},
                                                 5);
    if (request) {
        request->done = put_replied;
        request->context = store;
    }
    store_count(store, request ? COUNTER_store_puts : COUNTER_store_puts_dropped);
    if (request)
        popular_vote(store, entry->definition, name, answer->ttl);
    return request != NULL;
}

/* --- start and end --- */

static void end_gets(struct store *store)
{
    struct list_link *link;
    while ((link = list_first(&store->all)))
        get_end(container_of(link, struct store_get, in_all), NULL, false);
}

static void drop_nodes(struct store *store)
{
    popular_end(store);
    topology_end(store);
    fleet_end(store);
}

/* 0, or -ENOMEM: the store is off. */
static int use_setup(struct store *store, struct store_setup *setup)
{
    int status = setup ? topology_begin(store, setup) : 0;
    if (status < 0) {
        drop_nodes(store);
        return status;
    }
    store->setup = store_setup_ref(setup);
    store->setup_number++;
    if (setup)
        fleet_configure(store);
    store->dial_due = true; /* on the worker's thread, without the privileges of the start */
    loop_wake_by(store->owner.loop, 1);
    return 0;
}

static int look_up(struct node_owner *owner, struct store_host *host)
{
    struct store *store = container_of(owner, struct store, owner);
    return store->ops->look_up(store->user, host);
}

static void node_closed(struct node_owner *owner)
{
    struct store *store = container_of(owner, struct store, owner);
    if (store->stopping && owner->open == 0)
        store->closed(store->closed_context);
}

int store_new(struct store **out, struct loop *loop, struct counters *counters, struct store_setup *setup,
              const struct store_ops *ops, void *user, bool leads)
{
    struct store *store = mem_zalloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    store->ops = ops;
    store->user = user;
    store->leads = leads;
    store->owner = (struct node_owner){
        .loop = loop, .counters = counters, .flush = {.flush = store_flush}, .closed = node_closed, .look_up = look_up};
    list_init(&store->owner.dirty);
    list_init(&store->all);
    list_init(&store->waiting);
    list_init(&store->tellings);
    list_init(&store->polled);
    list_init(&store->warmings);
    for (unsigned i = 0; i < STORE_POLLS; i++)
        list_init(&store->polls[i]);
    slab_init(&store->owner.requests, sizeof(struct store_command), sizeof(struct store_command), SIZE_MAX);
    slab_init(&store->gets, sizeof(struct store_get), sizeof(struct store_get), GETS_MOST);
    store->tick.tick = store_tick;
    loop_add_tick(loop, &store->tick);
    int status = use_setup(store, setup);
    if (status == 0)
        *out = store;
    else
        store_free(store);
    return status;
}

void store_configure(struct store *store, struct store_setup *setup)
{
    struct store_setup *before = store->setup;
    if (store->stopping || store_setup_same(before, setup))
        return;
    store->setup = NULL;
    end_gets(store);
    drop_nodes(store);
    if (use_setup(store, setup) < 0)
        log_warning("store", "cannot be used until the next reload: out of memory");
    store_setup_unref(before);
}

void store_stop(struct store *store, void (*closed)(void *context), void *context)
{
    assert(list_empty(&store->all));
    store->closed = closed;
    store->closed_context = context;
    drop_nodes(store);
    store->stopping = true;
    if (store->owner.open == 0)
        closed(context);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    loop_remove_flush(&store->owner.flush);
    loop_remove_tick(&store->tick);
    slab_fini(&store->owner.requests);
    slab_fini(&store->gets);
    store_setup_unref(store->setup);
    mem_free(store);
}

/* --- reports --- */

size_t store_report(const struct store *store, struct store_server_report *out, size_t room)
{
    size_t count = store->place_count < room ? store->place_count : room;
    for (size_t i = 0; i < count; i++) {
        topology_report(&out[i], store->places[i].node, store->places[i].role);
        out[i].serves = store->places[i].serves;
        if (store->places[i].node->held && out[i].serves)
            snprintf(out[i].error, sizeof out[i].error, "no Sentinel has told its address yet");
        else if (store->places[i].node->held)
            out[i].state = "unused";
        out[i].hears = fleet_hears(store, &store->places[i]);
    }
    if (store->topology && store->topology->report)
        count += store->topology->report(store, out + count, room - count);
    return count;
}
