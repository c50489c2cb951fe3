/* SPDX-License-Identifier: MIT */
/* The response times of one server: the expected time, and when a response is late.
 *
 * Does:    keeps a smoothed time, to choose between servers, and quantiles of the latest SAMPLES times. A response
 *          is late after the 90th percentile, and not before 1.25 times the median. (With twice the median a hedged
 *          response would take three times as long as usual; a 95th percentile fails when five in a hundred
 *          responses are slow. The hedge budget bounds the cost.)
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_RTT_H
#define DOTSTUB_UPSTREAM_RTT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UNKNOWN_RTT_MS = 200,   /* expected time of a server that has not responded yet */
    PATIENCE_UNKNOWN = 400, /* when to hedge before the server's times are known */
    PATIENCE_MIN = 10,
    OVERDUE_MIN = 40,   /* a response is overdue after three medians, and not before this */
    SILENCE_MIN = 300,  /* a session that receives nothing for four medians, within these limits, */
    SILENCE_MAX = 1000, /* while attempts are outstanding, may be half open: see session_check */
    SAMPLES = 64,       /* response times from which the quantiles are computed */
};

struct rtt {
    uint32_t smoothed_ms16; /* in sixteenths of a millisecond; 0: unknown */
    uint64_t sampled_ms;    /* when smoothed_ms16 was last updated */
    uint64_t recomputed_ms; /* when the two quantiles were last computed */
    uint16_t samples[SAMPLES];
    unsigned sample_count;
    uint16_t median_ms, patience_ms; /* 0: unknown */
};

/* A response took `took_ms`. */
void rtt_note(struct rtt *rtt, uint64_t now_ms, uint64_t took_ms);
/* No response came within `waited_ms`, because another attempt was faster. */
void rtt_note_overtaken(struct rtt *rtt, uint64_t now_ms, uint64_t waited_ms);
/* The expected response time in sixteenths of a millisecond; the weight of a measurement halves in a minute. */
uint32_t rtt_expected(const struct rtt *rtt, uint64_t now_ms);
/* The time in ms after which a response is late. */
uint64_t rtt_patience(const struct rtt *rtt);
/* The time in ms after which a response is overdue: much later than late. */
uint64_t rtt_overdue(const struct rtt *rtt);
/* The time in ms for which a session may receive nothing while attempts are outstanding. */
uint64_t rtt_silence(const struct rtt *rtt);

#endif
