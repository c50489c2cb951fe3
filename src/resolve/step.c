/* SPDX-License-Identifier: MIT */
#include "resolve/step.h"
#include <assert.h>
#include <errno.h>
#include "base/mem.h"

static int prepare_all(struct step_set *set, const struct config *config, FILE *errors)
{
    for (; set->order[set->count]; set->count++) {
        const struct step *step = set->order[set->count];
        assert(set->count < STEPS_MAX);
        int status = step->prepare ? step->prepare(config, &set->snapshot[set->count], errors) : 0;
        if (status < 0)
            return status;
    }
    return 0;
}

int step_set_new(struct step_set **out, const struct step *const *order, const struct config *config, FILE *errors)
{
    struct step_set *set = mem_zalloc(1, sizeof *set);
    if (!set)
        return -ENOMEM;
    atomic_init(&set->references, 1);
    set->order = order;
    int status = prepare_all(set, config, errors);
    if (status < 0)
        step_set_unref(set);
    else
        *out = set;
    return status;
}

struct step_set *step_set_ref(struct step_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void step_set_unref(struct step_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) > 1)
        return;
    for (unsigned i = 0; i < set->count; i++)
        if (set->order[i]->release && set->snapshot[i])
            set->order[i]->release(set->snapshot[i]);
    mem_free(set);
}
