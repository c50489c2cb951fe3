/* SPDX-License-Identifier: MIT */
/* The names of dnsload's queries: a pattern with one %u, and the number that replaces it in each query. */
#ifndef DOTSTUB_TESTS_NAMES_H
#define DOTSTUB_TESTS_NAMES_H

#include <stdint.h>
#include "query.h"

/* Draws numbers below `distinct`: in turn if zipf is 0, else n with a probability in proportion to 1 / (n + 1)^zipf.
 * Each run draws the same numbers. `sums` has room for `distinct` values. */
struct draw {
    uint32_t distinct, turn;
    uint64_t state;
    double *sums;
};

void draw_init(struct draw *draw, uint32_t distinct, double zipf, double *sums);
uint32_t draw_next(struct draw *draw);
/* Uniformly distributed in [0, 1). */
double draw_share(struct draw *draw);

/* Writes the pattern, with its %u (if any) replaced by the number. */
void name_put(char text[QUERY_NAME], const char *pattern, uint32_t number);

#endif
