/* SPDX-License-Identifier: MIT */
/* Invariant: a server is in the table once; one that did not fail for FORGET_MS counts for nothing, since the configuration may name it no
 * more. */
#include "outages.h"
#include <pthread.h>
#include <string.h>
#include "base/errors.h"
#include "base/log.h"

enum { SERVERS_MAX = 128, FORGET_MS = 5 * 60 * 1000 };

struct failing {
    struct addr server;
    const char *what, *reason;
    uint64_t last_ms;
    bool named; /* by a line, with this reason */
};

static struct {
    pthread_mutex_t lock;
    struct failing item[SERVERS_MAX];
    unsigned count;
    struct log_repeats repeats;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .repeats = LOG_REPEATS_INIT};

static struct failing *find(const struct addr *server)
{
    for (unsigned i = 0; i < table.count; i++)
        if (addr_equal(&table.item[i].server, server))
            return &table.item[i];
    return NULL;
}

static void forget_old(uint64_t now_ms)
{
    for (unsigned i = 0; i < table.count;) {
        if (now_ms > table.item[i].last_ms + FORGET_MS)
            table.item[i] = table.item[--table.count];
        else
            i++;
    }
}

/* NULL: the table is full. */
static struct failing *add(const struct addr *server)
{
    if (table.count == SERVERS_MAX)
        return NULL;
    struct failing *failing = &table.item[table.count++];
    *failing = (struct failing){.server = *server};
    return failing;
}

static bool same_way(const struct failing *a, const char *what, const char *reason)
{
    return strcmp(a->what, what) == 0 && strcmp(a->reason, reason) == 0;
}

/* All that fail in this way are named by one line; returns their number. */
static unsigned name_all(const char *what, const char *reason)
{
    unsigned count = 0;
    for (unsigned i = 0; i < table.count; i++) {
        if (!same_way(&table.item[i], what, reason))
            continue;
        table.item[i].named = true;
        count++;
    }
    return count;
}

/* Identifies a way to fail: FNV-1a over both texts, never 0. */
static uint64_t key_of(const char *what, const char *reason)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325);
    for (const char *text = what; text; text = text == what ? reason : NULL)
        for (const char *at = text; *at; at++)
            key = (key ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    return key | 1;
}

bool outages_note_failure(const struct addr *server, const char *what, int error, uint64_t now_ms, unsigned *others)
{
    const char *reason = error_text(error);
    uint64_t suppressed;
    pthread_mutex_lock(&table.lock);
    forget_old(now_ms);
    struct failing *failing = find(server);
    if (!failing)
        failing = add(server);
    if (failing) {
        failing->named = failing->what && same_way(failing, what, reason) && failing->named;
        failing->what = what;
        failing->reason = reason;
        failing->last_ms = now_ms;
    }
    bool allowed =
        log_repeat_allowed(&table.repeats, key_of(what, reason), failing && !failing->named, now_ms, &suppressed);
    unsigned named = allowed ? name_all(what, reason) : 0;
    *others = named > 0 ? named - 1 : 0;
    pthread_mutex_unlock(&table.lock);
    return allowed;
}

bool outages_note_recovery(const struct addr *server)
{
    pthread_mutex_lock(&table.lock);
    struct failing *failing = find(server);
    bool named = failing && failing->named;
    if (failing)
        *failing = table.item[--table.count];
    pthread_mutex_unlock(&table.lock);
    return named;
}

void outages_reset(void)
{
    pthread_mutex_lock(&table.lock);
    table.count = 0;
    pthread_mutex_unlock(&table.lock);
    log_repeats_reset(&table.repeats);
}
