/* SPDX-License-Identifier: MIT */
/* The answers of the benchmark's server: the address that dnsload expects. */
#ifndef DOTSTUB_BENCH_ANSWER_H
#define DOTSTUB_BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_MAX = 512 };

/* Makes the answer with two octets of length before it: one A record for a question of type A, none for
 * others, and an OPT without options if the question has one. Its length; 0: there is no answer to that.
 * `padded`: the question was. */
size_t answer_make(const uint8_t *question, size_t len, uint32_t ttl, uint8_t frame[ANSWER_MAX], bool *padded);

#endif
