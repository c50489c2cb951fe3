/* SPDX-License-Identifier: MIT */
/* The response times of one server: what to expect, and when a response is late.
 *
 * Does:    keeps a smoothed time, to choose between servers, and quantiles of the latest SAMPLES times. A response is late after five
 *          quarters of the median, but not before nine of ten responses have come. (Twice the median would bring the response to a hedge
 *          after three times the usual wait; a 95th percentile fails when five in a hundred are slow. The hedge budget bounds the cost.)
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_RTT_H
#define DOTSTUB_UPSTREAM_RTT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UNKNOWN_RTT_MS = 200,   /* expected of a server that never responded */
    PATIENCE_UNKNOWN = 400, /* when to hedge while nothing is known of the server's times */
    PATIENCE_MIN = 10,
    OVERDUE_MIN = 40,   /* a response is overdue after three medians, but not before this */
    SILENCE_MIN = 300,  /* a session that delivers nothing for four medians, within these limits, while */
    SILENCE_MAX = 1000, /* attempts are outstanding, may be half open: see session_check */
    SAMPLES = 64,       /* response times that the quantiles are taken of */
};

struct rtt {
    uint32_t smoothed_ms16; /* in sixteenths of a millisecond; 0: unknown */
    uint64_t sampled_ms;    /* when that was last changed, */
    uint64_t recomputed_ms; /* and the two quantiles */
    uint16_t samples[SAMPLES];
    unsigned sample_count;
    uint16_t median_ms, patience_ms; /* 0: unknown */
};

/* A response took so long. */
void rtt_note(struct rtt *rtt, uint64_t now_ms, uint64_t took_ms);
/* No response came in that time, another attempt was faster. */
void rtt_note_overtaken(struct rtt *rtt, uint64_t now_ms, uint64_t waited_ms);
/* The expected response time in sixteenths of a millisecond; the weight of a measurement halves in a minute. */
uint32_t rtt_expected(const struct rtt *rtt, uint64_t now_ms);
/* The time in ms after which a response is late. */
uint64_t rtt_patience(const struct rtt *rtt);
/* The time in ms after which it is overdue: far later than late. */
uint64_t rtt_overdue(const struct rtt *rtt);
/* How long a session may deliver nothing while attempts are outstanding, ms. */
uint64_t rtt_silence(const struct rtt *rtt);

#endif
