/* SPDX-License-Identifier: MIT */
#include "resolve/step.h"
#include <assert.h>
#include <errno.h>
#include "base/file.h"
#include "base/mem.h"

/* --- snapshots --- */

static void add_file(void *context, const char *path)
{
    uint64_t *state = context;
    *state = file_state(path, *state);
}

uint64_t step_files_state(const struct step *step, const struct config *config)
{
    uint64_t state = 0;
    if (step->files)
        step->files(config, add_file, &state);
    return state;
}

int step_prepare(struct step_snapshot **out, const struct step *step, const struct config *config, FILE *errors)
{
    struct step_snapshot *snapshot = mem_zalloc(1, sizeof *snapshot);
    if (!snapshot)
        return -ENOMEM;
    atomic_init(&snapshot->references, 1);
    snapshot->files = step_files_state(step, config); /* before reading: a later change is noticed */
    int status = step->prepare ? step->prepare(config, &snapshot->data, errors) : 0;
    snapshot->again = status == STEP_AGAIN;
    if (status < 0)
        mem_free(snapshot);
    else
        *out = snapshot;
    return status;
}

void step_snapshot_unref(const struct step *step, struct step_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) > 1)
        return;
    if (step->release && snapshot->data)
        step->release(snapshot->data);
    mem_free(snapshot);
}

bool step_is_wanted(const struct step *step, const void *snapshot)
{
    return step->wanted ? step->wanted(snapshot) : snapshot || !step->prepare;
}

/* --- sets --- */

static struct step_set *set_new(const struct step *const *order)
{
    struct step_set *set = mem_zalloc(1, sizeof *set);
    if (!set)
        return NULL;
    atomic_init(&set->references, 1);
    set->order = order;
    return set;
}

static int prepare_all(struct step_set *set, const struct config *config, FILE *errors)
{
    for (; set->order[set->count]; set->count++) {
        assert(set->count < STEPS_MAX);
        int status = step_prepare(&set->held[set->count], set->order[set->count], config, errors);
        if (status < 0)
            return status;
    }
    return 0;
}

int step_set_new(struct step_set **out, const struct step *const *order, const struct config *config, FILE *errors)
{
    struct step_set *set = set_new(order);
    int status = set ? prepare_all(set, config, errors) : -ENOMEM;
    if (status < 0)
        step_set_unref(set);
    else
        *out = set;
    return status;
}

int step_set_replace(struct step_set **out, const struct step_set *before, unsigned index,
                     struct step_snapshot *snapshot)
{
    struct step_set *set = set_new(before->order);
    if (!set)
        return -ENOMEM;
    assert(index < before->count);
    for (; set->count < before->count; set->count++) {
        struct step_snapshot *shared = before->held[set->count];
        if (set->count != index)
            atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
        set->held[set->count] = set->count == index ? snapshot : shared;
    }
    *out = set;
    return 0;
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
        step_snapshot_unref(set->order[i], set->held[i]);
    mem_free(set);
}
