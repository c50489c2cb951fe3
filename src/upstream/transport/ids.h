/* SPDX-License-Identifier: MIT */
/* The message ids of one session: which question each stands for.
 *
 * Does:    gives each question under way an id of its own. The id of a question that was given up stays taken (a tombstone) until its
 *          answer came, so that this cannot be mistaken for another's; a free one rests as long as possible.
 * Owns:    the slots; attempts are borrowed.
 * Threads: the worker's.
 * RFC:     7766 section 7 (ids must not be reused while an answer can come).
 */
#ifndef DOTSTUB_UPSTREAM_IDS_H
#define DOTSTUB_UPSTREAM_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/check.h"

struct attempt;

#define IDS_MAX 4096 /* of one session, tombstones included */

struct id_slot {
    struct attempt *attempt; /* NULL: free or a tombstone */
    uint16_t next_free;
    bool tombstone;
};

struct ids {
    struct id_slot *slots;
    unsigned count, tombstones;
    uint16_t free_first, free_last; /* a FIFO */
    uint16_t salt;                  /* id on the wire = slot ^ salt */
};

void ids_init(struct ids *ids);
void ids_free(struct ids *ids);
/* Takes an id for the attempt; 0, -ENOMEM, or ERROR_LIMIT when all are taken. */
int ids_take(struct ids *ids, struct attempt *attempt, uint16_t *id) MUST_CHECK;
/* The attempt that has the id; NULL: none. */
struct attempt *ids_find(const struct ids *ids, uint16_t id);
/* Its answer came: the id is free. */
void ids_give(struct ids *ids, uint16_t id);
/* It was given up: the id becomes a tombstone. */
void ids_bury(struct ids *ids, uint16_t id);
/* An answer for nobody came: true if it belongs to a tombstone, which is gone then. */
bool ids_settle(struct ids *ids, uint16_t id);

#endif
