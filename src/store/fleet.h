/* SPDX-License-Identifier: MIT */
/* Flushes of the whole fleet, in the store and from it.
 *
 * Each server has a sorted set with the flushes of the last days, sealed, by time; and a channel on which a flush is
 * published. A replica reads the set whenever it connects to a server, before it uses values of it, and again once it
 * listens to the channel; while it does not, it reads the set at most once a second, when it asks for values. In a cluster
 * the set has copies under several keys, so that each server has some, and one channel serves for all servers.
 */
#ifndef DOTSTUB_STORE_FLEET_H
#define DOTSTUB_STORE_FLEET_H

#include "inside.h"

enum { FLEET_COPIES_MOST = 64 };

extern const struct node_role fleet_data_role, fleet_channel_role;
/* Of fleet_data_role, for roles of other topologies. */
int fleet_greet(struct node *node);
void fleet_ready(struct node *node);

/* For another setup: computes the names. */
void fleet_configure(struct store *store);
/* Reads a copy of the set that this place has. */
void fleet_read_set(struct store *store, struct store_place *place);
/* True if flushes arrive from this place at once. */
bool fleet_hears(const struct store *store, const struct store_place *place);
/* A value is about to be asked for: reads the set if that is due. */
void fleet_poll(struct store *store, struct store_place *place, uint64_t now_ms);
/* Connects channels; returns the next deadline. */
uint64_t fleet_check(struct store *store, struct store_place *place, uint64_t now_ms);
/* All connections have ended without callbacks: ends the tellings. */
void fleet_end(struct store *store);

#endif
