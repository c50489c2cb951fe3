/* SPDX-License-Identifier: MIT */
/* A store over the connections of fake_nodes.h, with a fake clock, for tests of topologies. */
#ifndef DOTSTUB_TESTS_STORE_RUN_H
#define DOTSTUB_TESTS_STORE_RUN_H

#include "fake_nodes.h"

extern struct loop run_loop;
extern struct counters run_counters;
extern struct store *run_store;

/* Set-up and tear-down of a test. */
int run_begin(void **state);
int run_end(void **state);
/* A setup with `count` servers, 127.0.0.1@FIRST_PORT and on, which may name ports 7000 to 7009. */
struct store_setup *run_setup(enum store_kind kind, unsigned count, unsigned first_port);
/* Opens run_store with it, which leads. */
void run_start(enum store_kind kind, unsigned count, unsigned first_port);
/* The same, with this setup, which is released. */
void run_start_with(struct store_setup *setup);
/* Time passes, and deadlines run each millisecond. */
void run_pass(uint64_t ms);
uint64_t run_counted(enum counter which);

#endif
