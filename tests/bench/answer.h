/* SPDX-License-Identifier: MIT */
/* The responses of the benchmark's server: the address that dnsload expects. */
#ifndef DOTSTUB_BENCH_ANSWER_H
#define DOTSTUB_BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_MAX = 512 };

/* Writes the response, preceded by its length in two bytes: one A record for a query of type A, no record for others, and
 * an OPT without options if the query has an OPT. Returns the length of all; 0: the query is malformed. Sets `padded` if
 * the query has the padding option. */
size_t answer_make(const uint8_t *query, size_t len, uint32_t ttl, uint8_t frame[ANSWER_MAX], bool *padded);

#endif
