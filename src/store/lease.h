/* SPDX-License-Identifier: MIT */
/* Leases: of the replicas that miss a name at the same time, one asks the upstream and the others wait for its value.
 *
 * A lease is a sealed value beside that of the entry, which only one replica can set (SET NX PX). The replicas that find it
 * poll for the value, as long as a hedge would take. They do not wait for a lease that is damaged or past its life, or whose
 * holder says that no value will come.
 */
#ifndef DOTSTUB_STORE_LEASE_H
#define DOTSTUB_STORE_LEASE_H

#include "inside.h"

/* The store has no usable value: takes a lease, or waits for the replica that has it. Ends the get, now or later. */
void lease_begin(struct store_get *get);
/* Polls, and ends gets that have waited long enough. */
void leases_check(struct store *store, uint64_t now_ms);

#endif
