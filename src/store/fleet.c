/* SPDX-License-Identifier: MIT */
/* The content of a flush: version, 1 for names below, length of the name, name. Its time is the seal time. */
#include "fleet.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "topology.h"

enum {
    VERSION = 1,
    CONTENT = 3 + NAME_MAX_WIRE,
    SEALED = 42 + 512 + 16, /* room for a sealed one */
    HEARD_MS = 10000,       /* an older message is a replay */
    POLL_MS = 1000,
};

_Static_assert(SEALED >= SEAL_HEADER + CONTENT + 128 + SEAL_TAG, "a flush fits");

/* --- names --- */

static void name_common(struct store_common *out, const struct seal_keys *keys, enum seal_kind kind)
{
    for (unsigned i = 0; i < keys->count; i++) {
        seal_name(out->name[i], keys, i, kind, store_bytes_of("flushes"));
        seal_text(out->text[i], out->name[i]);
    }
}

void fleet_configure(struct store *store)
{
    name_common(&store->flush_list, &store->setup->keys, SEAL_TOMBSTONE);
    name_common(&store->flush_channel, &store->setup->keys, SEAL_FLUSH);
}

static struct bytes text_of(const struct store_common *common, unsigned which)
{
    return (struct bytes){(const uint8_t *)common->text[which], SEAL_TEXT};
}

/* --- sealed flushes --- */

static size_t seal_flush(uint8_t out[SEALED], const struct store *store, enum seal_kind kind,
                         const struct store_flush *flush, uint64_t life_ms)
{
    const struct store_common *common = kind == SEAL_FLUSH ? &store->flush_channel : &store->flush_list;
    uint8_t content[CONTENT];
    const struct seal_terms terms = {.kind = kind,
                                     .name = common->name[0],
                                     .sealed_ms = flush->at_ms,
                                     .expires_ms = flush->at_ms + (int64_t)life_ms};
    content[0] = VERSION;
    content[1] = flush->below;
    content[2] = flush->len;
    memcpy(content + 3, flush->name, flush->len);
    seal(out, &store->setup->keys, &terms, (struct bytes){content, 3u + flush->len});
    return seal_len(3u + flush->len);
}

static bool open_flush(struct store_flush *out, const struct store *store, enum seal_kind kind, unsigned which,
                       uint8_t *sealed, size_t len)
{
    const struct store_common *common = kind == SEAL_FLUSH ? &store->flush_channel : &store->flush_list;
    struct seal_terms terms = {.kind = kind, .name = common->name[which]};
    struct bytes content;
    if (unseal(sealed, len, &store->setup->keys, which, clock_wall_ms(), &terms, &content) != SEAL_OPENED ||
        content.len < 4 || content.data[0] != VERSION || content.data[1] > 1 || content.len != 3u + content.data[2] ||
        name_len((struct bytes){content.data + 3, content.data[2]}) != content.data[2])
        return false;
    *out = (struct store_flush){.at_ms = terms.sealed_ms, .below = content.data[1], .len = content.data[2]};
    name_lower(out->name, content.data + 3, out->len);
    return true;
}

static void learn(struct store *store, const struct store_flush *flush)
{
    if (!flushes_add(&store->flushes, flush))
        return;
    if (store->leads)
        store->ops->heard(store->user, flush);
}

/* --- the set --- */

/* The oldest ones of a full set may have been removed: everything before it counts as flushed. */
static void take_set(struct store *store, const struct resp_reply *reply, unsigned which)
{
    struct store_flush flush;
    int64_t oldest_ms = INT64_MAX;
    unsigned members = 0;
    for (uint32_t i = 1; i < reply->count && members < FLUSHES_MOST; i++) {
        const struct resp_item *item = &reply->items[i];
        if (item->type != RESP_TEXT)
            continue;
        members++;
        if (!open_flush(&flush, store, SEAL_TOMBSTONE, which, resp_text(reply, item), item->len)) {
            store_count(store, COUNTER_store_flushes_ignored);
            continue;
        }
        if (flush.at_ms < oldest_ms)
            oldest_ms = flush.at_ms;
        learn(store, &flush);
    }
    if (members == FLUSHES_MOST && oldest_ms != INT64_MAX)
        flushes_add_all(&store->flushes, oldest_ms + FLUSHES_SKEW_MS);
}

static void set_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct node *node = request->node;
    if (!reply)
        return;
    if (reply->items[0].type == RESP_ARRAY)
        take_set(store_of(node), reply, request->which);
    if (node->state == NODE_GREETING)
        node_greeted(node);
}

/* The key of a copy of the set. */
enum { SET_TEXT = SEAL_TEXT + 12 };
static struct bytes set_text(char out[SET_TEXT], const struct store *store, unsigned copy, unsigned which)
{
    const char *text = store->flush_list.text[which];
    int len = store->topology->copies == 0
                  ? snprintf(out, SET_TEXT, "%s", text)
                  : snprintf(out, SET_TEXT, "dotstub:{%u}%s", store->topology->tag_of(store, copy), text + 8);
    return (struct bytes){(const uint8_t *)out, (size_t)len};
}

/* The first copy that the place has. False: it has none. */
static bool find_copy(struct store *store, const struct store_place *place, unsigned *copy)
{
    const struct topology *topology = store->topology;
    for (*copy = 0; *copy < topology->copies; ++*copy)
        if (topology->has_copy(store, place, *copy))
            return true;
    return topology->copies == 0;
}

static struct store_place *place_with(struct store *store, const struct node *node)
{
    for (size_t i = 0; i < store->place_count; i++)
        if (store->places[i].node == node || store->places[i].channel == node)
            return &store->places[i];
    return NULL;
}

/* The newest members. */
#define SET_COMMAND(set)                                                                                               \
    (struct bytes[])                                                                                                   \
    {                                                                                                                  \
        store_bytes_of("ZRANGE"), set, store_bytes_of("-256"), store_bytes_of("-1")                                    \
    }
_Static_assert(FLUSHES_MOST == 256, "the set is read from its -256th member on");

void fleet_read_set(struct store *store, struct store_place *place)
{
    char text[SET_TEXT];
    unsigned copy;
    place->node->polled_ms = loop_now(store->owner.loop);
    for (unsigned i = 0; find_copy(store, place, &copy) && i < store->setup->keys.count; i++) {
        struct store_command *request = node_command(place->node, SET_COMMAND(set_text(text, store, copy, i)), 4);
        if (!request)
            continue;
        request->done = set_replied;
        request->which = (uint8_t)i;
    }
}

int fleet_greet(struct node *node)
{
    struct store *store = store_of(node);
    const struct store_place *place = place_with(store, node);
    char text[SET_TEXT];
    unsigned copy;
    int status = 0;
    node->polled_ms = loop_now(store->owner.loop);
    for (unsigned i = 0; status == 0 && place && find_copy(store, place, &copy) && i < store->setup->keys.count; i++)
        status = node_greet(node, SET_COMMAND(set_text(text, store, copy, i)), 4, set_replied, i);
    return status;
}

/* Its channel is connected next. */
void fleet_ready(struct node *node)
{
    loop_wake_by(node->owner->loop, loop_now(node->owner->loop));
}

const struct node_role fleet_data_role = {.label = "",
                                          .meanwhile = "queries are answered without it",
                                          .counted = true,
                                          .greet = fleet_greet,
                                          .ready = fleet_ready};

bool fleet_hears(const struct store *store, const struct store_place *place)
{
    bool hears = node_is_ready(place->channel);
    for (size_t i = 0; store->topology->one_channel && i < store->place_count; i++)
        hears |= node_is_ready(store->places[i].channel);
    return hears;
}

void fleet_poll(struct store *store, struct store_place *place, uint64_t now_ms)
{
    if (node_is_ready(place->node) && now_ms >= place->node->polled_ms + POLL_MS && !fleet_hears(store, place))
        fleet_read_set(store, place);
}

/* --- the channel --- */

static void subscribed(struct store_command *request, const struct resp_reply *reply)
{
    static struct log_repeats told = LOG_REPEATS_INIT;
    struct node *node = request->node;
    uint64_t suppressed;
    if (!reply)
        return;
    if (reply->items[0].type != RESP_ERROR) {
        node_greeted(node);
        return;
    }
    node_fail(node, reply);
    if (log_repeat_allowed(&told, node->server->id | 1, false, loop_now(node->owner->loop), &suppressed))
        log_warning("store", "%s: flushes of the fleet do not arrive at once: %s", node->server->text, node->refusal);
}

static int greet_channel(struct node *node)
{
    struct store *store = store_of(node);
    int status = 0;
    for (unsigned i = 0; status == 0 && i < store->setup->keys.count; i++)
        status = node_greet(node, (struct bytes[]){store_bytes_of("SUBSCRIBE"), text_of(&store->flush_channel, i)}, 2,
                            subscribed, i);
    return status;
}

/* Flushes between the greeting of the data connection and the subscription are in the set. */
static void channel_ready(struct node *node)
{
    struct store *store = store_of(node);
    struct store_place *place = place_with(store, node);
    if (place && node_is_ready(place->node))
        fleet_read_set(store, place);
}

static void take_message(struct store *store, const struct resp_reply *reply)
{
    struct store_flush flush;
    const struct resp_item *channel = &reply->items[2], *message = &reply->items[3];
    bool fine = false;
    for (unsigned i = 0; !fine && i < store->setup->keys.count && message->type == RESP_TEXT; i++)
        fine = channel->type == RESP_TEXT && channel->len == SEAL_TEXT &&
               memcmp(resp_text(reply, channel), store->flush_channel.text[i], SEAL_TEXT) == 0 &&
               open_flush(&flush, store, SEAL_FLUSH, i, resp_text(reply, message), message->len) &&
               flush.at_ms + HEARD_MS > clock_wall_ms() && flushes_add(&store->flushes, &flush);
    if (fine) {
        store_count(store, COUNTER_store_flushes_heard);
        store->ops->heard(store->user, &flush);
    } else {
        store_count(store, COUNTER_store_flushes_ignored);
    }
}

static bool pushed(struct node *node, struct resp_reply *reply)
{
    if (reply->items[0].type != RESP_ARRAY || reply->count != 4 || !resp_begins(reply, &reply->items[1], "message"))
        return false;
    if (node->state == NODE_READY || node->state == NODE_GREETING)
        take_message(store_of(node), reply);
    return true;
}

const struct node_role fleet_channel_role = {
    .subscribes = true, .greet = greet_channel, .pushed = pushed, .ready = channel_ready};

/* One place listens for all if messages reach all of them. */
static bool may_listen(const struct store *store, const struct store_place *place)
{
    for (size_t i = 0; store->topology->one_channel && i < store->place_count; i++)
        if (&store->places[i] != place && store->places[i].channel->state != NODE_DOWN)
            return false;
    return node_is_ready(place->node);
}

uint64_t fleet_check(struct store *store, struct store_place *place, uint64_t now_ms)
{
    struct node *node = place->node, *channel = place->channel;
    uint64_t next_ms = LOOP_NEVER;
    if (!store->leads || store->dial_due)
        return next_ms;
    node_wake(node); /* flushes are to arrive even if nothing is asked for */
    if (node->state == NODE_DOWN && node->retry_ms > now_ms)
        next_ms = node->retry_ms;
    if (!channel)
        return next_ms;
    bool listens = may_listen(store, place);
    if (listens)
        node_wake(channel);
    if (listens && channel->state == NODE_DOWN && channel->retry_ms > now_ms && channel->retry_ms < next_ms)
        next_ms = channel->retry_ms;
    uint64_t at_ms = node_check(channel, now_ms);
    return at_ms < next_ms ? at_ms : next_ms;
}

/* --- telling --- */

static void telling_end(struct store_telling *telling)
{
    list_remove(&telling->in_store);
    telling->done(telling);
}

static void noted(struct store_command *request, const struct resp_reply *reply)
{
    struct store_telling *telling = request->context;
    struct store *store = store_of(request->node);
    if (reply && reply->items[0].type == RESP_INTEGER) {
        telling->told++;
        store_count(store, COUNTER_store_flushes_sent);
    }
    if (--telling->outstanding == 0)
        telling_end(telling);
}

/* Adds the flush to a copy of the set. `telling` NULL: the result does not count. */
static void note_in_set(struct store *store, struct node *node, struct bytes set, const struct store_flush *flush,
                        uint64_t life_ms, struct store_telling *telling)
{
    uint8_t sealed[SEALED];
    char score[24], life[24];
    size_t len = seal_flush(sealed, store, SEAL_TOMBSTONE, flush, life_ms);
    snprintf(score, sizeof score, "%" PRId64, flush->at_ms);
    snprintf(life, sizeof life, "%" PRIu64, life_ms);
    struct store_command *request =
        node_command(node, (struct bytes[]){store_bytes_of("ZADD"), set, store_bytes_of(score), {sealed, len}}, 4);
    if (!request)
        return;
    if (telling) {
        request->done = noted;
        request->context = telling;
        telling->outstanding++;
    }
    (void)!node_command(
        node, (struct bytes[]){store_bytes_of("ZREMRANGEBYRANK"), set, store_bytes_of("0"), store_bytes_of("-257")}, 4);
    (void)!node_command(node, (struct bytes[]){store_bytes_of("PEXPIRE"), set, store_bytes_of(life)}, 3);
}

/* A place counts as told by its first copy; one that has none, as its few slots are those of no copy, does not count. */
static void note_in_sets(struct store *store, struct store_place *place, const struct store_flush *flush,
                         uint64_t life_ms, struct store_telling *telling)
{
    const struct topology *topology = store->topology;
    char text[SET_TEXT];
    unsigned first;
    telling->servers += find_copy(store, place, &first);
    if (topology->copies == 0)
        note_in_set(store, place->node, set_text(text, store, 0, 0), flush, life_ms, telling);
    for (unsigned copy = first; copy < topology->copies; copy++)
        if (topology->has_copy(store, place, copy)) {
            note_in_set(store, place->node, set_text(text, store, copy, 0), flush, life_ms, telling);
            telling = NULL;
        }
}

/* True if the message left. */
static bool publish(struct store *store, struct node *node, const struct store_flush *flush)
{
    uint8_t sealed[SEALED];
    size_t len = seal_flush(sealed, store, SEAL_FLUSH, flush, HEARD_MS);
    return node_command(
        node, (struct bytes[]){store_bytes_of("PUBLISH"), text_of(&store->flush_channel, 0), {sealed, len}}, 3);
}

void store_tell_flush(struct store *store, const struct store_flush *flush, uint64_t life_ms,
                      struct store_telling *telling)
{
    bool published = false;
    telling->outstanding = telling->told = telling->servers = 0;
    (void)flushes_add(&store->flushes, flush);
    list_push_back(&store->tellings, &telling->in_store);
    for (size_t i = 0; !store->stopping && i < store->place_count; i++) {
        struct store_place *place = &store->places[i];
        if (place->serves)
            note_in_sets(store, place, flush, life_ms, telling);
        if (store->topology->one_channel ? !published : place->serves)
            published = publish(store, place->node, flush);
    }
    if (telling->servers == 0) /* none is known */
        telling->servers = 1;
    if (telling->outstanding == 0)
        telling_end(telling);
}

void fleet_end(struct store *store)
{
    struct list_link *link;
    while ((link = list_first(&store->tellings)))
        telling_end(container_of(link, struct store_telling, in_store));
}
