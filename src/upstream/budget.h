/* SPDX-License-Identifier: MIT */
/* The limit of queries a second to one upstream (max-qps), shared by its servers.
 *
 * Does:    a token bucket of one second's queries. When the upstream refuses under load the rate is halved, at most
 *          once a second, and recovers by a tenth of the limit each second. All plans of a worker that have an upstream
 *          of the same name and limit, of one group or of several, share its budget.
 * Owns:    a budget is a value, see budget_init; a share is freed by its last user.
 * Threads: the worker's; budget_share_new, and budget_share_drop before budget_share_join, on any.
 */
#ifndef DOTSTUB_UPSTREAM_BUDGET_H
#define DOTSTUB_UPSTREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"
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

/* The budget of one upstream. */
struct budget_share {
    struct list_link link; /* of those of the worker; not linked: not in use yet */
    unsigned users;
    struct budget budget;
    char name[]; /* of the upstream */
};

/* With one user, for budget_share_join. NULL: out of memory. */
struct budget_share *budget_share_new(const char *name, uint32_t limit);
/* Gives the share in `all` with the same name and limit another user and frees `fresh`; else puts `fresh` into `all`. */
struct budget_share *budget_share_join(struct list *all, struct budget_share *fresh, uint64_t now_ms);
/* NULL does nothing. */
void budget_share_drop(struct budget_share *share);

#endif
