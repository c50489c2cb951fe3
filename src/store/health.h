/* SPDX-License-Identifier: MIT */
/* Whether lookups wait for a server of the store.
 *
 * Does:    one late reply is enough: the server is left alone for FIRST_MS, then one get that nobody waits for tries it,
 *          again after twice the time if that is late as well, and so on up to LONGEST_MS. But late replies within
 *          HICCUP_MS are pardoned once in CALM_MS, so that a pause of the server or of this machine costs no hits: at most
 *          0.5 % of the time, which a p99 does not show.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_STORE_HEALTH_H
#define DOTSTUB_STORE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HEALTH_FIRST_MS = 250,
    HEALTH_LONGEST_MS = 8000,
    HEALTH_PROVEN_MS = 10000, /* without a late reply for this time, the next one counts as the first */
    HEALTH_HICCUP_MS = 100,
    HEALTH_CALM_MS = 20000,
    HEALTH_SILENT_MS = 150, /* nobody waits for a server that has owed a reply for this time */
    HEALTH_LOST_MS = 1000,  /* its connection ends */
};

struct store_health {
    uint64_t alone_until_ms; /* 0: lookups wait for it */
    uint64_t pause_ms, usable_since_ms;
    uint64_t pardoned_ms; /* when late replies were last pardoned; 0: never */
};

enum health_use {
    HEALTH_WAIT,  /* ask it, and wait for the reply */
    HEALTH_TRY,   /* ask it, and do not wait */
    HEALTH_LEAVE, /* do not ask it */
};
/* `owed_ms`: for how long it has owed a reply and sent nothing. After HEALTH_TRY the next try is due after the pause. */
enum health_use health_use(struct store_health *health, uint64_t now_ms, uint64_t owed_ms);
/* `tried`: of a get after HEALTH_TRY. While the server is left alone others do not count. */
void health_note_late(struct store_health *health, uint64_t now_ms, bool tried);
void health_note_in_time(struct store_health *health, uint64_t now_ms, bool tried);

#endif
