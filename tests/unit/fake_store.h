/* SPDX-License-Identifier: MIT */
/* A store without servers: the test answers each get. */
#ifndef DOTSTUB_TESTS_FAKE_STORE_H
#define DOTSTUB_TESTS_FAKE_STORE_H

#include "store/store.h"

struct store_get {
    void *context;
    const struct key *key;
    uint64_t median_ms, epoch;
    bool forgotten;
};

/* For resolver->store. */
struct store *fake_store(void);
/* The latest get; NULL: none, or it was refused. */
extern struct store_get *fake_store_get;
extern unsigned fake_store_gets, fake_store_puts, fake_store_unleases;
extern bool fake_store_refuses, fake_store_keeps_nothing;
/* The ttl and the stale window of the latest put. */
extern uint32_t fake_store_ttl, fake_store_stale_s;
void fake_store_reset(void);

#endif
