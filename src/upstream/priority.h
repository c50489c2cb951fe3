/* SPDX-License-Identifier: MIT */
/* Whether a server is deprioritized: it failed where another one succeeded, several times in a row.
 *
 * Does:    a deprioritized server is used only if no other is available: for one second, twice as long after each
 *          further failure, up to eight.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_PRIORITY_H
#define DOTSTUB_UPSTREAM_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DEPRIORITIZED_AFTER = 3,    /* failures in a row for queries that another upstream then answered */
    DEPRIORITIZED_FIRST = 1000, /* ms, doubled by each further failure */
    DEPRIORITIZED_MAX = 8000,   /* ms, the longest time */
};

struct priority {
    unsigned failures; /* in a row */
    uint64_t low_until_ms;
};

void priority_note_failure(struct priority *priority, uint64_t now_ms);
/* The server gave a usable response. */
void priority_note_success(struct priority *priority);
bool priority_is_low(const struct priority *priority, uint64_t now_ms);

#endif
