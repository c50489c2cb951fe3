/* SPDX-License-Identifier: MIT */
/* Invariants: a key has at most one failure; a failure that is no longer in force is remembered until FAILURES_MAX
 * newer ones have replaced it, so that the next one can be longer. */
#include "failures.h"
#include "base/errors.h"

int failures_init(struct failures *failures)
{
    slab_init(&failures->slab, sizeof(struct failure), 0, FAILURES_MAX);
    list_init(&failures->order);
    return table_init(&failures->by_key, 16);
}

void failures_fini(struct failures *failures)
{
    table_fini(&failures->by_key);
    slab_fini(&failures->slab);
}

static struct failure *find(const struct failures *failures, const struct key *key, uint64_t hash)
{
    if (failures->slab.in_use == 0)
        return NULL;
    struct table_link *link = table_first(&failures->by_key, hash);
    for (; link; link = table_next(link)) {
        struct failure *failure = container_of(link, struct failure, by_key);
        if (key_equal(&failure->key, key))
            return failure;
    }
    return NULL;
}

static void forget(struct failures *failures, struct failure *failure)
{
    table_remove(&failures->by_key, &failure->by_key);
    list_remove(&failure->in_order);
    slab_give(&failures->slab, failure);
}

static struct failure *add(struct failures *failures, const struct key *key, uint64_t hash)
{
    if (failures->slab.in_use == FAILURES_MAX)
        forget(failures, container_of(list_first(&failures->order), struct failure, in_order));
    struct failure *failure = slab_take(&failures->slab);
    if (!failure)
        return NULL;
    failure->in_order = (struct list_link){NULL, NULL};
    failure->length_ms = 0;
    failure->until_ms = 0;
    key_copy(&failure->key, key);
    table_insert(&failures->by_key, &failure->by_key, hash);
    return failure;
}

/* A failure while another one is in force (a trace causes a lookup nevertheless) does not count as the next in the
 * row. */
static uint32_t next_length(const struct failure *failure, uint64_t now_ms, bool doubles)
{
    if (!doubles || failure->length_ms == 0 || now_ms >= failure->until_ms + FAILURE_RECENT_MS)
        return FAILURE_FIRST_MS;
    if (now_ms < failure->until_ms || failure->length_ms == FAILURE_LONGEST_MS)
        return failure->length_ms;
    return 2 * failure->length_ms;
}

void failures_note(struct failures *failures, const struct key *key, uint64_t hash, uint64_t now_ms, uint64_t epoch,
                   const struct answer *answer, bool doubles)
{
    struct failure *failure = find(failures, key, hash);
    if (!failure)
        failure = add(failures, key, hash);
    if (!failure)
        return;
    failure->length_ms = next_length(failure, now_ms, doubles);
    failure->until_ms = now_ms + failure->length_ms;
    failure->epoch = epoch;
    failure->rcode = answer->rcode;
    failure->unanswered = !answer->wire;
    failure->verdict = answer_is_verdict(answer);
    failure->ede = answer->ede;
    list_remove(&failure->in_order);
    list_push_back(&failures->order, &failure->in_order);
}

void failures_clear(struct failures *failures, const struct key *key, uint64_t hash)
{
    struct failure *failure = find(failures, key, hash);
    if (failure)
        forget(failures, failure);
}

const struct failure *failures_find(const struct failures *failures, const struct key *key, uint64_t hash,
                                    uint64_t now_ms, uint64_t epoch)
{
    const struct failure *failure = find(failures, key, hash);
    return failure && failure->epoch == epoch && now_ms < failure->until_ms ? failure : NULL;
}
