/* SPDX-License-Identifier: MIT */
/* Fetching: one definition after the other. The members of its set are asked for, then their values, BATCH of them each
 * STEP_MS. A member is only a hash: its value has the key, and must be the one of that hash.
 *
 * Invariant: a warming that has outstanding requests is the first one of the list, and is freed without them only if their
 * callbacks were taken off. */
#include "popular.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "get.h"

enum {
    VOTE_EACH = 4,  /* every fourth value votes, with four votes */
    TRIM_EACH = 64, /* votes between two trims of the set */
    MEMBERS = 5000, /* of a set */
    HALF_LIFE_S = 3600,
    ERA_S = 256 * HALF_LIFE_S,
    VOTE_MOST_S = 3600,
    BATCH = 20,
    STEP_MS = 20,
    GIVE_UP_MS = 30000, /* after the start */
};

/* --- the sets --- */

static void name_set(uint8_t out[SEAL_NAME], const struct store *store, const uint8_t definition[DIGEST_LEN],
                     int64_t now_s)
{
    uint8_t of[DIGEST_LEN + 4];
    memcpy(of, definition, DIGEST_LEN);
    write_u32(of + DIGEST_LEN, (uint32_t)(now_s / ERA_S));
    seal_name(out, &store->setup->keys, 0, SEAL_POPULAR, (struct bytes){of, sizeof of});
}

/* --- votes --- */

/* A vote doubles in each half-life, and grows evenly in between. The text is a whole number and a power of ten: printing
 * 2^200 as such takes more instructions than sealing a value. */
struct bytes popular_weight(char out[POPULAR_WEIGHT], uint32_t ttl, int64_t era_s)
{
    int64_t doubled = era_s / HALF_LIFE_S;
    double vote = (ttl < VOTE_MOST_S ? ttl : VOTE_MOST_S) * (double)VOTE_EACH * 1000;
    unsigned power = 0;
    vote *= 1 + (double)(era_s % HALF_LIFE_S) / HALF_LIFE_S;
    for (; doubled >= 10; doubled -= 10, power += 3)
        vote *= 1.024; /* 2^10 / 10^3 */
    char digits[DECIMAL_DIGITS], exponent[DECIMAL_DIGITS];
    struct bytes front = bytes_decimal(digits, (uint64_t)vote << doubled), back = bytes_decimal(exponent, power);
    memcpy(out, front.data, front.len);
    out[front.len] = 'e';
    memcpy(out + front.len + 1, back.data, back.len);
    return (struct bytes){(const uint8_t *)out, front.len + 1 + back.len};
}

static void trim(struct node *node, struct bytes set)
{
    char last[16], life[DECIMAL_DIGITS];
    snprintf(last, sizeof last, "-%d", MEMBERS + 1);
    (void)!node_command_when(
        node, (struct bytes[]){store_bytes_of("ZREMRANGEBYRANK"), set, store_bytes_of("0"), store_bytes_of(last)}, 4,
        NODE_LATER);
    (void)!node_command_when(
        node, (struct bytes[]){store_bytes_of("PEXPIRE"), set, bytes_decimal(life, (uint64_t)ERA_S * 1100)}, 3,
        NODE_LATER);
}

/* The set of a definition at this time; it is the same one for a long time. */
static const struct store_set *set_of(struct store *store, const uint8_t definition[DIGEST_LEN], int64_t now_s)
{
    struct store_set *set = &store->voted;
    if (!set->known || set->era != now_s / ERA_S || memcmp(set->definition, definition, DIGEST_LEN) != 0) {
        name_set(set->name, store, definition, now_s);
        seal_text(set->text, set->name);
        memcpy(set->definition, definition, DIGEST_LEN);
        set->era = now_s / ERA_S;
        set->known = true;
    }
    return set;
}

void popular_vote(struct store *store, const uint8_t definition[DIGEST_LEN], const uint8_t name[SEAL_NAME],
                  uint32_t ttl)
{
    char weight[POPULAR_WEIGHT];
    if (store->setup->warm_names == 0 || ++store->votes % VOTE_EACH != 0)
        return;
    int64_t now_s = clock_wall_ms() / 1000;
    const struct store_set *set = set_of(store, definition, now_s);
    const struct bytes text = {(const uint8_t *)set->text, SEAL_TEXT};
    struct node *node = store_node_of(store, set->name);
    (void)!node_command_when(
        node,
        (struct bytes[]){
            store_bytes_of("ZINCRBY"), text, popular_weight(weight, ttl, now_s % ERA_S), {name, SEAL_NAME}},
        4, NODE_LATER);
    if (store->votes % (VOTE_EACH * TRIM_EACH) == VOTE_EACH)
        trim(node, text);
}

/* --- fetching --- */

struct warming {
    struct list_link link;
    struct store *store;
    uint8_t definition[DIGEST_LEN];
    uint32_t group;
    uint64_t until_ms;
    bool listed; /* the members are known */
    struct store_command *request[BATCH];
    uint8_t names[BATCH][SEAL_NAME];
    unsigned outstanding;
    size_t count, at; /* of the members */
    uint8_t (*members)[SEAL_NAME];
};

static void warming_free(struct warming *warming)
{
    for (unsigned i = 0; i < BATCH; i++)
        if (warming->request[i])
            warming->request[i]->done = NULL;
    list_remove(&warming->link);
    mem_free(warming->members);
    mem_free(warming);
}

/* True with the response and its key, if the value is that of this name in a group with this definition. */
static bool open_popular(struct warming *warming, const uint8_t *name, uint8_t *sealed, size_t len, struct key *key,
                         struct store_found *found)
{
    struct store *store = warming->store;
    uint8_t material[STORE_MATERIAL], again[SEAL_NAME];
    struct store_opened opened;
    if (!get_unseal(store, 0, name, sealed, len, &opened) || value_key(opened.content, key) < 0)
        return false;
    key->group = warming->group;
    seal_name(again, &store->setup->keys, 0, SEAL_ANSWER, store_material(material, warming->definition, key));
    return memcmp(again, name, SEAL_NAME) == 0 && opened.sealed_ms >= store->not_before_ms &&
           get_unpack(store, key, &opened, found);
}

static void value_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct warming *warming = request->context;
    struct store *store = warming->store;
    const struct resp_item *item = reply ? &reply->items[0] : NULL;
    struct store_found found;
    struct key key;
    warming->request[request->which] = NULL;
    warming->outstanding--;
    if (item && item->type == RESP_TEXT &&
        open_popular(warming, warming->names[request->which], resp_text(reply, item), item->len, &key, &found)) {
        if (store->ops->warmed(store->user, &key, &found))
            store_count(store, COUNTER_store_warmed);
        else
            warming->at = warming->count;
    }
}

static void ask_batch(struct warming *warming)
{
    struct store *store = warming->store;
    for (unsigned i = 0; i < BATCH && warming->at < warming->count; i++) {
        char text[SEAL_TEXT + 1];
        memcpy(warming->names[i], warming->members[warming->at++], SEAL_NAME);
        seal_text(text, warming->names[i]);
        struct node *node = store_node_of(store, warming->names[i]);
        struct store_command *request =
            node_command(node, (struct bytes[]){store_bytes_of("GET"), {(const uint8_t *)text, SEAL_TEXT}}, 2);
        if (!request)
            continue;
        request->done = value_replied;
        request->context = warming;
        request->which = (uint8_t)i;
        warming->request[i] = request;
        warming->outstanding++;
    }
}

static void set_replied(struct store_command *request, const struct resp_reply *reply)
{
    struct warming *warming = request->context;
    uint32_t most = warming->store->setup->warm_names;
    warming->request[request->which] = NULL;
    warming->outstanding--;
    for (uint32_t i = 1; reply && i < reply->count && warming->count < most; i++)
        if (reply->items[i].type == RESP_TEXT && reply->items[i].len == SEAL_NAME)
            memcpy(warming->members[warming->count++], resp_text(reply, &reply->items[i]), SEAL_NAME);
}

/* The set of this era, then that of the one before. */
static void ask_sets(struct warming *warming)
{
    struct store *store = warming->store;
    int64_t now_s = clock_wall_ms() / 1000;
    char last[16];
    snprintf(last, sizeof last, "%u", store->setup->warm_names - 1);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t set[SEAL_NAME];
        char text[SEAL_TEXT + 1];
        name_set(set, store, warming->definition, now_s - (int64_t)i * ERA_S);
        seal_text(text, set);
        struct node *node = store_node_of(store, set);
        struct store_command *request = node_command(node,
                                                     (struct bytes[]){store_bytes_of("ZREVRANGE"),
                                                                      {(const uint8_t *)text, SEAL_TEXT},
                                                                      store_bytes_of("0"),
                                                                      store_bytes_of(last)},
                                                     4);
        if (!request)
            continue;
        request->done = set_replied;
        request->context = warming;
        request->which = (uint8_t)i;
        warming->request[i] = request;
        warming->outstanding++;
    }
    warming->listed = true;
}

static bool set_is_ready(struct store *store, const struct warming *warming)
{
    uint8_t set[SEAL_NAME];
    name_set(set, store, warming->definition, clock_wall_ms() / 1000);
    return node_is_ready(store_node_of(store, set));
}

uint64_t popular_check(struct store *store, uint64_t now_ms)
{
    struct list_link *link = list_first(&store->warmings);
    if (!link)
        return LOOP_NEVER;
    struct warming *warming = container_of(link, struct warming, link);
    if (warming->outstanding > 0) { /* each request has its slot until its reply */
        if (now_ms >= warming->until_ms)
            warming_free(warming);
        return now_ms + STEP_MS;
    }
    if (!warming->listed && set_is_ready(store, warming))
        ask_sets(warming);
    else if (warming->listed && warming->at < warming->count)
        ask_batch(warming);
    else if (warming->listed || now_ms >= warming->until_ms)
        warming_free(warming);
    return now_ms + STEP_MS;
}

void store_warm(struct store *store, const uint8_t definition[DIGEST_LEN], uint32_t group)
{
    uint32_t most = store->setup ? store->setup->warm_names : 0;
    struct warming *warming = most > 0 && !store->stopping ? mem_zalloc(1, sizeof *warming) : NULL;
    if (!warming)
        return;
    warming->store = store;
    warming->group = group;
    warming->until_ms = loop_now(store->owner.loop) + GIVE_UP_MS;
    warming->members = mem_alloc(most * sizeof *warming->members);
    memcpy(warming->definition, definition, DIGEST_LEN);
    list_push_back(&store->warmings, &warming->link);
    if (!warming->members)
        warming_free(warming);
    loop_wake_by(store->owner.loop, 1);
}

void popular_end(struct store *store)
{
    struct list_link *link;
    while ((link = list_first(&store->warmings)))
        warming_free(container_of(link, struct warming, link));
    store->voted.known = false; /* its name depends on the setup's keys */
}
