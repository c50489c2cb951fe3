/* Invariants: nothing but the number of references changes after a snapshot was handed out. */
#include "config/snapshot.h"

#include "base/mem.h"

struct config *config_ref(struct config *config)
{
    __atomic_fetch_add(&config->refs, 1, __ATOMIC_RELAXED);
    return config;
}

void config_unref(struct config *config)
{
    if (!config || __atomic_sub_fetch(&config->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    struct snapshot *snapshot = container_of(config, struct snapshot, config);
    arena_free(&snapshot->arena);
    mem_free(snapshot);
}
