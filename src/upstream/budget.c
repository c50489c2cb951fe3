/* SPDX-License-Identifier: MIT */
#include "budget.h"
#include <string.h>
#include "base/mem.h"

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

/* --- shares --- */

struct budget_share *budget_share_new(const char *name, uint32_t limit)
{
    size_t len = strlen(name) + 1;
    struct budget_share *share = mem_zalloc(1, sizeof *share + len);
    if (!share)
        return NULL;
    share->users = 1;
    share->budget.limit = limit;
    memcpy(share->name, name, len);
    return share;
}

struct budget_share *budget_share_join(struct list *all, struct budget_share *fresh, uint64_t now_ms)
{
    list_for_each(link, all) {
        struct budget_share *share = container_of(link, struct budget_share, link);
        if (share->budget.limit != fresh->budget.limit || strcmp(share->name, fresh->name) != 0)
            continue;
        share->users++;
        mem_free(fresh);
        return share;
    }
    budget_init(&fresh->budget, fresh->budget.limit, now_ms);
    list_push_back(all, &fresh->link);
    return fresh;
}

void budget_share_drop(struct budget_share *share)
{
    if (!share || --share->users > 0)
        return;
    list_remove(&share->link);
    mem_free(share);
}
