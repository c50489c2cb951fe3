/* SPDX-License-Identifier: MIT */
/* The names that dnsload asks for: a pattern with one %u, and which number stands there in each question. */
#ifndef DOTSTUB_TESTS_NAMES_H
#define DOTSTUB_TESTS_NAMES_H

#include <stdint.h>
#include "question.h"

/* Draws numbers below `distinct`: in turn if zipf is 0, else number n comes up in proportion to 1 / (n +
 * 1)^zipf. The same numbers in each run. `sums` is room for `distinct` values. */
struct draw {
    uint32_t distinct, turn;
    uint64_t state;
    double *sums;
};

void draw_init(struct draw *draw, uint32_t distinct, double zipf, double *sums);
uint32_t draw_next(struct draw *draw);
/* Any share from 0 to below 1, all alike. */
double draw_share(struct draw *draw);

/* The pattern with the number in the place of its %u, if it has one. */
void name_put(char text[QUESTION_NAME], const char *pattern, uint32_t number);

#endif
