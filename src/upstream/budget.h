/* SPDX-License-Identifier: MIT */
/* How many queries a second an upstream may be asked (max-qps); shared by its servers.
 *
 * Does:    a token bucket of one second's queries. When the upstream refuses under load the rate is halved, at most once a second, and
 *          recovers by a tenth of the limit each second.
 * Owns:    nothing; a value, see budget_init.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_BUDGET_H
#define DOTSTUB_UPSTREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/log.h"

struct budget {
    uint32_t limit, rate; /* queries a second: as configured (0: any number), and what the upstream bears now */
    uint64_t milli_tokens;
    uint64_t filled_ms, changed_ms;
    struct log_limit log_limit;
};

/* Full. */
void budget_init(struct budget *budget, uint32_t limit, uint64_t now_ms);
bool budget_has(struct budget *budget, uint64_t now_ms);
/* Takes one query off; budget_has was true just before. */
void budget_take(struct budget *budget);
/* ms until there will be one again. */
uint64_t budget_wait(struct budget *budget, uint64_t now_ms);
/* The upstream refused a query. True: the rate was halved; not when too little was asked for the load to be the reason. */
bool budget_halve(struct budget *budget, uint64_t now_ms);

#endif
