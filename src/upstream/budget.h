/* SPDX-License-Identifier: MIT */
/* The limit of queries a second to one upstream (max-qps), shared by its servers.
 *
 * Does:    a token bucket of one second's queries. When the upstream refuses under load the rate is halved, at most
 *          once a second, and recovers by a tenth of the limit each second.
 * Owns:    nothing; a value, see budget_init.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_BUDGET_H
#define DOTSTUB_UPSTREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/log.h"

struct budget {
    uint32_t limit, rate; /* queries a second: as configured (0: no limit), and as reduced after refusals */
    uint64_t milli_tokens;
    uint64_t filled_ms, changed_ms;
    struct log_limit log_limit;
};

/* The bucket is full at first. */
void budget_init(struct budget *budget, uint32_t limit, uint64_t now_ms);
bool budget_has(struct budget *budget, uint64_t now_ms);
/* Takes one token; budget_has returned true just before. */
void budget_take(struct budget *budget);
/* ms until the next token. */
uint64_t budget_wait(struct budget *budget, uint64_t now_ms);
/* The upstream refused a query. True: the rate was halved. False: the load was too low to be the reason, or the
 * rate was halved within the last second. */
bool budget_halve(struct budget *budget, uint64_t now_ms);

#endif
