/* SPDX-License-Identifier: MIT */
/* Invariant: the version changes after each change of the table, under the lock, so a worker's copy is of its version or a
 * later one. */
#include "resolve/negatives.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "base/clock.h"
#include "validator.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct negative table[NEGATIVES_MAX];
static size_t count;
static atomic_uint version;

/* The caller has the lock. */
static void drop_ended(uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (table[i].until_ms > now_ms)
            table[kept++] = table[i];
    count = kept;
}

int negatives_set(const uint8_t *name, size_t len, uint64_t until_ms)
{
    uint64_t now_ms = clock_ms();
    int status = until_ms > now_ms ? 0 : -ENOENT;
    pthread_mutex_lock(&lock);
    drop_ended(now_ms);
    struct negative *found = NULL;
    for (size_t i = 0; i < count; i++)
        if (table[i].len == len && memcmp(table[i].name, name, len) == 0)
            found = &table[i];
    if (found)
        status = 0;
    else if (status == 0 && count == NEGATIVES_MAX)
        status = -ENOSPC;
    else if (status == 0)
        found = &table[count++];
    if (status == 0) {
        memcpy(found->name, name, len);
        found->len = len;
        found->until_ms = until_ms;
        drop_ended(now_ms);
        atomic_fetch_add_explicit(&version, 1, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

size_t negatives_list(struct negative out[NEGATIVES_MAX])
{
    pthread_mutex_lock(&lock);
    drop_ended(clock_ms());
    size_t copied = count;
    memcpy(out, table, copied * sizeof *out);
    pthread_mutex_unlock(&lock);
    return copied;
}

/* False: out of memory; the copy has less, and is made again with the next call. */
static bool copy_table(struct validator *validator)
{
    struct negative all[NEGATIVES_MAX];
    anchors_unref(validator->negatives);
    validator->negatives = NULL;
    size_t copied = negatives_list(all);
    if (copied > 0 && anchors_new(&validator->negatives) < 0)
        return false;
    for (size_t i = 0; i < copied; i++)
        if (anchors_add_negative(validator->negatives, all[i].name, all[i].len, all[i].until_ms) < 0)
            return false;
    return true;
}

const struct anchors *negatives_of(struct validator *validator)
{
    unsigned now = atomic_load_explicit(&version, memory_order_acquire);
    if (now != validator->negatives_version && copy_table(validator))
        validator->negatives_version = now;
    return validator->negatives;
}
