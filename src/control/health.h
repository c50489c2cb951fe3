/* SPDX-License-Identifier: MIT */
/* The daemon's state, as an operator needs it: one word, since when, and why.
 *
 *   ok       every upstream is usable, or was not dialled yet
 *   reduced  queries are answered; an upstream has no usable server
 *   failing  more than 5 % of at least 20 queries within the last minute were not answered by any upstream
 *   down     no server is usable: only the cache and local names are answered
 *
 * Does:    steps the state from reports; remembers samples of the counters for figures of the last minute. Status, page, /readyz and
 *          metrics read the state from here.
 * Owns:    nothing; a value, all zero at first.
 * Threads: main thread; times are given, so a test needs no clock.
 */
#ifndef DOTSTUB_CONTROL_HEALTH_H
#define DOTSTUB_CONTROL_HEALTH_H

#include "gather.h"

enum health_state { HEALTH_OK, HEALTH_REDUCED, HEALTH_FAILING, HEALTH_DOWN, HEALTH_STATES };

/* Counters at one moment. */
struct health_sample {
    uint64_t at_ms;
    /* Answered in all; hits and misses; with stale data; by no upstream; with SERVFAIL. */
    uint64_t queries, hits, misses, stale, failed, servfail;
    struct reasons failures;
};

enum {
    HEALTH_WINDOW_MS = 60000,
    HEALTH_STEP_MS = 5000, /* between samples */
    HEALTH_SAMPLES = HEALTH_WINDOW_MS / HEALTH_STEP_MS + 2,
};

struct daemon_health {
    enum health_state state;
    uint64_t since_ms; /* 0: no report was seen yet */
    int64_t since_wall_s;
    struct health_sample samples[HEALTH_SAMPLES]; /* a ring */
    unsigned sample_count;                        /* all that were taken */
    enum health_state logged;                     /* the last one in the log */
};

/* Counts of the last minute, or since the start if that is less. */
struct health_minute {
    uint64_t span_ms, queries, hits, misses, stale, failed, servfail;
    struct reasons failures;
};

/* "ok", ... */
const char *health_name(enum health_state state);
/* The start: ok, and the first sample, of which nothing was counted. */
void health_begin(struct daemon_health *health, uint64_t now_ms);
/* Takes a report of this moment: steps the state, and keeps a sample if the last one is HEALTH_STEP_MS old. */
void health_observe(struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms);
/* Nothing happened since the last report: keeps the last sample once more, with this time, so that a
 * window of one minute begins there. */
void health_rest(struct daemon_health *health, uint64_t now_ms);
void health_last_minute(const struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms,
                        struct health_minute *out);
/* Calls `tell` with each sentence that says why the state is not ok. */
void health_why(const struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms,
                void (*tell)(void *context, const char *sentence), void *context);
/* The number of upstreams without a usable server; one that was not dialled yet does not count. */
unsigned health_unusable(const struct gather_sum *sum);

#endif
