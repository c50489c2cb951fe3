/* SPDX-License-Identifier: MIT */
/* The content of a lease: version; 1 while its holder asks the upstream, 0: no value will come.
 *
 * Invariants: a get that waits for another replica is in a list of `polls` between two polls, and in none while it waits
 * for the reply to one. The list's poll_ms do not fall. */
#include "lease.h"

#include <string.h>
#include "base/clock.h"
#include "get.h"
#include "popular.h"

enum {
    VERSION = 1,
    CONTENT = 2,
    SEALED = SEAL_HEADER + 128 + SEAL_TAG,
    BEFORE = 9, /* bytes of a lease's text before the entry's */
    TEXT = BEFORE + SEAL_TEXT + 1,
    WAIT_UNKNOWN_MS = 50, /* while the upstream's response times are not known */
    WAIT_MOST_MS = 400,
    LIFE_LEAST_MS = 200, /* of a lease */
    LIFE_MOST_MS = 2000,
};

/* --- the lease --- */

/* In a cluster it is in the slot of its entry: "{" and "}" enclose the part that is hashed. */
static struct bytes lease_text(char out[TEXT + 1], const uint8_t name[SEAL_NAME])
{
    memcpy(out, "dotstub:{", BEFORE);
    seal_text(out + BEFORE, name);
    memcpy(out + BEFORE + SEAL_TEXT, "}", 2);
    return (struct bytes){(const uint8_t *)out, TEXT};
}

static void seal_lease(uint8_t out[SEALED], const struct store *store, const uint8_t name[SEAL_NAME], bool held,
                       uint64_t life_ms)
{
    const uint8_t content[CONTENT] = {VERSION, held};
    int64_t now_ms = clock_wall_ms();
    const struct seal_terms terms = {
        .kind = SEAL_LEASE, .name = name, .sealed_ms = now_ms, .expires_ms = now_ms + (int64_t)life_ms};
    seal(out, &store->setup->keys, &terms, (struct bytes){content, CONTENT});
}

/* True if another replica has it and asks the upstream. */
static bool is_held(struct store_get *get, const struct resp_reply *reply, const struct resp_item *item)
{
    struct store *store = get->store;
    struct seal_terms terms = {.kind = SEAL_LEASE, .name = get->name[0]};
    struct bytes content;
    if (item->type == RESP_NIL)
        return false;
    if (item->type == RESP_TEXT &&
        unseal(resp_text(reply, item), item->len, &store->setup->keys, 0, clock_wall_ms(), &terms, &content) ==
            SEAL_OPENED &&
        content.len == CONTENT && content.data[0] == VERSION)
        return content.data[1] == 1;
    store_count(store, COUNTER_store_leases_refused);
    return false;
}

static uint64_t life_of(uint64_t median_ms)
{
    uint64_t life_ms = median_ms * 4;
    return life_ms < LIFE_LEAST_MS ? LIFE_LEAST_MS : life_ms > LIFE_MOST_MS ? LIFE_MOST_MS : life_ms;
}

static struct store_command *request_for(struct store_get *get, struct store_command *request,
                                         void (*done)(struct store_command *request, const struct resp_reply *reply))
{
    if (!request)
        return NULL;
    request->done = done;
    request->context = get;
    request->which = 0;
    get->request[0] = request;
    get->outstanding = 1;
    return request;
}

static void request_over(struct store_get *get)
{
    get->request[0] = NULL;
    get->outstanding = 0;
}

/* --- waiting for another replica --- */

static uint64_t wait_of(uint64_t median_ms)
{
    uint64_t wait_ms = median_ms == 0 ? WAIT_UNKNOWN_MS : median_ms * 5 / 4 + STORE_POLL_MS;
    return wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS;
}

/* About four polls in the time of a response. */
static unsigned poll_list(uint64_t median_ms)
{
    unsigned i = 0;
    while (i + 1 < STORE_POLLS && ((uint64_t)STORE_POLL_MS << (i + 1)) * 4 <= median_ms)
        i++;
    return i;
}

static void wait_for_poll(struct store_get *get)
{
    struct store *store = get->store;
    unsigned which = poll_list(get->median_ms);
    get->poll_ms = loop_now(store->owner.loop) + (STORE_POLL_MS << which);
    list_push_back(&store->polls[which], &get->in_waiting);
    loop_wake_exactly(store->owner.loop, get->poll_ms);
}

static void polled(struct store_command *request, const struct resp_reply *reply)
{
    struct store_get *get = request->context;
    struct store *store = get->store;
    struct store_found found;
    bool whole = reply && reply->items[0].type == RESP_ARRAY && reply->count == 3;
    bool waits = list_linked(&get->in_waiting); /* else the upstream was asked meanwhile */
    request_over(get);
    list_remove(&get->in_waiting);
    if (!whole)
        store_count(store, COUNTER_store_leases_refused);
    bool value = whole && reply->items[1].type == RESP_TEXT;
    bool opened = value && get_open(get, 0, resp_text(reply, &reply->items[1]), reply->items[1].len, &found);
    if (opened && store->ops->usable(get->context, &found)) {
        store_count(store, COUNTER_store_leases_filled);
        found.awaited = true;
        popular_vote(store, get->definition, get->name[0], found.ttl);
        get_end(get, &found, false);
    } else if (waits && whole && value == opened && is_held(get, reply, &reply->items[2]) &&
               loop_now(store->owner.loop) < get->give_up_ms) {
        wait_for_poll(get);
    } else {
        get_end(get, NULL, false);
    }
}

/* Asks for the value and the lease. */
static void poll(struct store_get *get)
{
    struct store *store = get->store;
    struct node *node = store_node_of(store, get->name[0]);
    char text[SEAL_TEXT + 1], lease[TEXT + 1];
    seal_text(text, get->name[0]);
    struct bytes command[] = {
        store_bytes_of("MGET"), {(const uint8_t *)text, SEAL_TEXT}, lease_text(lease, get->name[0])};
    if (!request_for(get, node_command(node, command, 3), polled)) {
        get_end(get, NULL, false);
        return;
    }
    get->poll_ms = loop_now(store->owner.loop) + store->owner.patience_ms;
    list_push_back(&store->polled, &get->in_waiting);
    loop_wake_exactly(store->owner.loop, get->poll_ms);
}

static void check_polls(struct store *store, struct list *polls, uint64_t now_ms)
{
    struct list_link *link;
    while ((link = list_first(polls))) {
        struct store_get *get = container_of(link, struct store_get, in_waiting);
        if (get->poll_ms > now_ms) {
            loop_wake_exactly(store->owner.loop, get->poll_ms);
            return;
        }
        list_remove(&get->in_waiting);
        poll(get);
    }
}

/* If the reply to a poll is late, nobody waits for it any more. Deadlines of groups differ, so all are checked. */
static void check_polled(struct store *store, uint64_t now_ms)
{
    struct list_link *next;
    for (struct list_link *link = list_first(&store->polled); link; link = next) {
        struct store_get *get = container_of(link, struct store_get, in_waiting);
        next = list_next(&store->polled, link);
        if (get->poll_ms <= now_ms) {
            list_remove(link);
            store_count(store, COUNTER_store_late);
            store->ops->late(get->context);
            next = list_first(&store->polled); /* the callback may end any get */
        } else {
            loop_wake_exactly(store->owner.loop, get->poll_ms);
        }
    }
}

void leases_check(struct store *store, uint64_t now_ms)
{
    for (unsigned i = 0; i < STORE_POLLS; i++)
        check_polls(store, &store->polls[i], now_ms);
    check_polled(store, now_ms);
}

/* --- taking it --- */

static void lease_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct store_get *get = request->context;
    struct store *store = get->store;
    enum resp_type type = reply ? reply->items[0].type : RESP_ERROR;
    bool waits = list_linked(&get->in_waiting);
    request_over(get);
    if (type == RESP_STATUS)
        store_count(store, COUNTER_store_leases_won);
    else if (type != RESP_NIL)
        store_count(store, COUNTER_store_leases_refused);
    if (!waits || type != RESP_NIL) {
        get_end(get, NULL, type == RESP_STATUS && waits);
        return;
    }
    store_count(store, COUNTER_store_leases_lost);
    list_remove(&get->in_waiting);
    get->give_up_ms = loop_now(store->owner.loop) + wait_of(get->median_ms);
    poll(get);
}

static struct store_command *set_lease(struct store *store, struct node *node, const uint8_t name[SEAL_NAME], bool held,
                                       uint64_t life_ms)
{
    uint8_t sealed[SEALED];
    char text[TEXT + 1], life[DECIMAL_DIGITS];
    seal_lease(sealed, store, name, held, life_ms);
    return node_command(node,
                        (struct bytes[]){store_bytes_of("SET"),
                                         lease_text(text, name),
                                         {sealed, SEALED},
                                         store_bytes_of(held ? "NX" : "XX"),
                                         store_bytes_of("PX"),
                                         bytes_decimal(life, life_ms)},
                        6);
}

void lease_begin(struct store_get *get)
{
    struct store *store = get->store;
    struct node *node = store_node_of(store, get->name[0]);
    struct store_command *request = node && node->health.alone_until_ms == 0
                                        ? set_lease(store, node, get->name[0], true, life_of(get->median_ms))
                                        : NULL;
    if (!request_for(get, request, lease_replied))
        get_end(get, NULL, false);
}

void store_unlease(struct store *store, const struct store_entry *entry)
{
    if (!store->setup || store->stopping)
        return;
    const uint8_t *name = store_name_of(store, entry);
    (void)!set_lease(store, store_node_of(store, name), name, false, LIFE_MOST_MS);
}
