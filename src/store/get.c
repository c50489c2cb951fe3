/* SPDX-License-Identifier: MIT */
#include "get.h"

#include <string.h>
#include "base/clock.h"
#include "topology.h"

_Static_assert(sizeof((struct store_name *)0)->bytes == SEAL_NAME, "a name is a name");

/* The group's number differs between replicas: its definition stands for it. */
struct bytes store_material(uint8_t out[STORE_MATERIAL], const uint8_t definition[DIGEST_LEN], const struct key *key)
{
    struct writer writer = writer_over(out, STORE_MATERIAL);
    writer_u8(&writer, key->flags);
    writer_bytes(&writer, definition, DIGEST_LEN);
    writer_u16(&writer, key->type);
    writer_u16(&writer, key->class);
    writer_u8(&writer, key->name_len);
    writer_bytes(&writer, key->name, key->name_len);
    return (struct bytes){out, writer_len(&writer)};
}

const uint8_t *store_name_of(const struct store *store, const struct store_entry *entry)
{
    uint8_t material[STORE_MATERIAL];
    if (entry->name->setup != store->setup_number)
        seal_name(entry->name->bytes, &store->setup->keys, 0, SEAL_ANSWER,
                  store_material(material, entry->definition, entry->key));
    entry->name->setup = store->setup_number;
    return entry->name->bytes;
}

struct store_place *store_place_of(struct store *store, const uint8_t name[SEAL_NAME])
{
    return store->topology->place_of(store, name);
}

struct node *store_node_of(struct store *store, const uint8_t name[SEAL_NAME])
{
    struct store_place *place = store_place_of(store, name);
    return place ? place->node : NULL;
}

/* --- the end of a get --- */

void store_forget(struct store_get *get)
{
    for (unsigned i = 0; i < SEAL_FLEET_KEYS; i++)
        if (get->request[i])
            get->request[i]->done = NULL;
    list_remove(&get->in_all);
    list_remove(&get->in_waiting);
    slab_give(&get->store->gets, get);
}

void get_end(struct store_get *get, struct store_found *found, bool leased)
{
    struct store *store = get->store;
    void *context = get->context;
    store_forget(get);
    store->ops->done(context, found, leased);
}

/* --- replies --- */

static void count_rejected(struct store *store, enum seal_verdict verdict)
{
    static const enum counter counters[] = {
        [SEAL_FOREIGN] = COUNTER_store_foreign,
        [SEAL_DAMAGED] = COUNTER_store_damaged,
        [SEAL_EARLY] = COUNTER_store_early,
        [SEAL_EXPIRED] = COUNTER_store_expired,
    };
    store_count(store, counters[verdict]);
}

bool get_unseal(struct store *store, unsigned which, const uint8_t name[SEAL_NAME], uint8_t *sealed, size_t len,
                struct store_opened *out)
{
    struct seal_terms terms = {.kind = SEAL_ANSWER, .name = name};
    int64_t now_ms = clock_wall_ms();
    enum seal_verdict verdict = unseal(sealed, len, &store->setup->keys, which, now_ms, &terms, &out->content);
    if (verdict != SEAL_OPENED) {
        count_rejected(store, verdict);
        return false;
    }
    out->sealed_ms = terms.sealed_ms;
    out->age_ms = now_ms > terms.sealed_ms ? (uint64_t)(now_ms - terms.sealed_ms) : 0;
    return true;
}

bool get_unpack(struct store *store, const struct key *key, const struct store_opened *opened, struct store_found *out)
{
    struct store_value value;
    if (value_unpack(&value, opened->content, key, opened->age_ms, &store->room) < 0) {
        store_count(store, COUNTER_store_foreign);
        return false;
    }
    if (flushes_exclude(&store->flushes, key, &value.answer, opened->sealed_ms)) {
        store_count(store, COUNTER_store_flushed);
        return false;
    }
    *out = (struct store_found){
        .answer = value.answer, .ttl = value.ttl, .age_ms = opened->age_ms, .verdict = value.verdict};
    return true;
}

bool get_open(struct store_get *get, unsigned which, uint8_t *sealed, size_t len, struct store_found *out)
{
    struct store *store = get->store;
    struct store_opened opened;
    if (!get_unseal(store, which, get->name[which], sealed, len, &opened))
        return false;
    if (opened.sealed_ms < get->not_before_ms) {
        store_count(store, COUNTER_store_flushed);
        return false;
    }
    return get_unpack(store, get->key, &opened, out);
}

/* The servers of a late get are left alone. The deadlines of timers come before the bytes that have arrived meanwhile: a
 * turn that took long must not be taken for a slow server. */
void get_is_late(struct store_get *get, uint64_t now_ms)
{
    struct store *store = get->store;
    for (unsigned i = 0; i < SEAL_FLEET_KEYS; i++)
        if (get->request[i])
            health_note_late(&get->request[i]->node->health, now_ms, false);
    store_count(store, COUNTER_store_late);
    store->ops->late(get->context);
}
