/* SPDX-License-Identifier: MIT */
/* With store.read-from: nearest a value is asked of the server that responds first: the master that has the entry, or one of
 * its replicas (store_place.master). Gets and probes measure them. Everything but a GET goes to the master. */
#ifndef DOTSTUB_STORE_NEAREST_H
#define DOTSTUB_STORE_NEAREST_H

#include "inside.h"

/* Chooses the reader of each place; after a change of the places, too. */
void nearest_choose(struct store *store);
/* Measures all of them if that is due; returns the next deadline. */
uint64_t nearest_check(struct store *store, uint64_t now_ms);
/* The connection to read from, for a place that has an entry. */
struct node *nearest_reader(struct store *store, struct store_place *place);
/* Nothing is read from this server until the next probe. */
void nearest_leave(struct store *store, const struct node *node);

#endif
