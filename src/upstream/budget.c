/* SPDX-License-Identifier: MIT */
#include "budget.h"

void budget_init(struct budget *budget, uint32_t limit, uint64_t now_ms)
{
    *budget = (struct budget){.limit = limit, .rate = limit, .milli_tokens = limit * 1000ull, .filled_ms = now_ms};
}

static void budget_fill(struct budget *budget, uint64_t now_ms)
{
    uint64_t full = (uint64_t)budget->rate * 1000; /* the tokens of one second */
    if (budget->rate < budget->limit && now_ms >= budget->changed_ms + 1000) {
        budget->rate += budget->limit / 10 + 1;
        if (budget->rate > budget->limit)
            budget->rate = budget->limit;
        budget->changed_ms = now_ms;
    }
    budget->milli_tokens += (now_ms - budget->filled_ms) * budget->rate;
    if (budget->milli_tokens > full)
        budget->milli_tokens = full;
    budget->filled_ms = now_ms;
}

bool budget_has(struct budget *budget, uint64_t now_ms)
{
    if (budget->limit == 0)
        return true;
    budget_fill(budget, now_ms);
    return budget->milli_tokens >= 1000;
}

void budget_take(struct budget *budget)
{
    if (budget->limit)
        budget->milli_tokens -= 1000;
}

uint64_t budget_wait(struct budget *budget, uint64_t now_ms)
{
    if (budget_has(budget, now_ms))
        return 0;
    return (1000 - budget->milli_tokens) / budget->rate + 1;
}

bool budget_halve(struct budget *budget, uint64_t now_ms)
{
    if (budget->limit == 0 || now_ms < budget->changed_ms + 1000 || budget->milli_tokens > budget->rate * 500ull)
        return false; /* no limit, changed less than a second ago, or less than half used */
    budget->rate = budget->rate / 2 ? budget->rate / 2 : 1;
    budget->changed_ms = now_ms;
    return true;
}
