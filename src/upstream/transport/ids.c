/* SPDX-License-Identifier: MIT */
/* Invariant: a slot is live (attempt set), a tombstone, or free; only free ones are in the FIFO. */
#include <assert.h>
#include <errno.h>
#include "base/errors.h"
#include "base/hash.h"
#include "base/mem.h"
#include "ids.h"

enum { NO_SLOT = UINT16_MAX, FIRST_SLOTS = 64 };

void ids_init(struct ids *ids)
{
    *ids = (struct ids){.free_first = NO_SLOT, .free_last = NO_SLOT, .salt = (uint16_t)random_below(65536)};
}

void ids_free(struct ids *ids)
{
    mem_free(ids->slots);
    ids->slots = NULL;
}

static void slot_release(struct ids *ids, uint16_t slot)
{
    ids->slots[slot].next_free = NO_SLOT;
    if (ids->free_last == NO_SLOT)
        ids->free_first = slot;
    else
        ids->slots[ids->free_last].next_free = slot;
    ids->free_last = slot;
}

static int grow(struct ids *ids)
{
    unsigned wanted = ids->count ? ids->count * 2 : FIRST_SLOTS;
    if (wanted > IDS_MAX)
        return ERROR_LIMIT;
    struct id_slot *slots = mem_resize(ids->slots, wanted * sizeof *slots);
    if (!slots)
        return -ENOMEM;
    ids->slots = slots;
    for (unsigned slot = ids->count; slot < wanted; slot++) {
        slots[slot] = (struct id_slot){NULL, NO_SLOT, false};
        slot_release(ids, (uint16_t)slot);
    }
    ids->count = wanted;
    return 0;
}

int ids_take(struct ids *ids, struct attempt *attempt, uint16_t *id)
{
    int status = ids->free_first == NO_SLOT ? grow(ids) : 0;
    if (status < 0)
        return status;
    uint16_t slot = ids->free_first;
    ids->free_first = ids->slots[slot].next_free;
    if (ids->free_first == NO_SLOT)
        ids->free_last = NO_SLOT;
    ids->slots[slot].attempt = attempt;
    *id = slot ^ ids->salt;
    return 0;
}

struct attempt *ids_find(const struct ids *ids, uint16_t id)
{
    uint16_t slot = id ^ ids->salt;
    return slot < ids->count ? ids->slots[slot].attempt : NULL;
}

void ids_give(struct ids *ids, uint16_t id)
{
    uint16_t slot = id ^ ids->salt;
    assert(slot < ids->count && ids->slots[slot].attempt);
    ids->slots[slot].attempt = NULL;
    slot_release(ids, slot);
}

void ids_bury(struct ids *ids, uint16_t id)
{
    uint16_t slot = id ^ ids->salt;
    assert(slot < ids->count && ids->slots[slot].attempt);
    ids->slots[slot].attempt = NULL;
    ids->slots[slot].tombstone = true;
    ids->tombstones++;
}

bool ids_settle(struct ids *ids, uint16_t id)
{
    uint16_t slot = id ^ ids->salt;
    if (slot >= ids->count || !ids->slots[slot].tombstone)
        return false;
    ids->slots[slot].tombstone = false;
    ids->tombstones--;
    slot_release(ids, slot);
    return true;
}
