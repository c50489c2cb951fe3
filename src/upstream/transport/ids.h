/* SPDX-License-Identifier: MIT */
/* The message ids of one session and the attempts that use them.
 *
 * Does:    gives each outstanding attempt an id of its own. The id of an attempt that was given up stays reserved
 *          (a tombstone) until its response has come, so that the response cannot match another attempt. Free ids
 *          are reused as late as possible.
 * Owns:    the slots; attempts are borrowed.
 * Threads: the worker's.
 * RFC:     7766 section 7 (ids must not be reused while a response can come).
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
/* Takes an id for the attempt; 0, -ENOMEM, or ERROR_LIMIT when all are in use. */
int ids_take(struct ids *ids, struct attempt *attempt, uint16_t *id) MUST_CHECK;
/* The attempt with this id; NULL: none. */
struct attempt *ids_find(const struct ids *ids, uint16_t id);
/* The response has come: the id is free. */
void ids_give(struct ids *ids, uint16_t id);
/* The attempt was given up: the id becomes a tombstone. */
void ids_bury(struct ids *ids, uint16_t id);
/* A response without an attempt came: true if its id is a tombstone, which is free then. */
bool ids_settle(struct ids *ids, uint16_t id);

#endif
