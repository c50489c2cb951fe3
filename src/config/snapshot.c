/* SPDX-License-Identifier: MIT */
/* Invariant: once a snapshot was handed out only its reference count changes. */
#include "config/snapshot.h"

#include <assert.h>
#include <errno.h>
#include "base/mem.h"
#include "config/member.h"
#include "config/options.h"

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
    config_unref(snapshot->started);
    config_unref(snapshot->base);
    arena_free(&snapshot->arena);
    mem_free(snapshot);
}

int snapshot_remark(struct snapshot *snapshot, const char *key, const char *text)
{
    const char **origin = &snapshot->origins[option_index(options, option_count, key)].text;
    const char *longer = arena_print(&snapshot->arena, "%s, %s", *origin, text);
    if (!longer)
        return -ENOMEM;
    *origin = longer;
    return 0;
}

const char *config_origin(const struct config *config, const char *key)
{
    size_t i = option_index(options, option_count, key);
    assert(i < option_count);
    return snapshot_of(config)->origins[i].text;
}

const char *config_item_origin(const struct config *config, const char *list, size_t item, const char *key)
{
    size_t at = option_index(options, option_count, list);
    assert(at < option_count && options[at].type == OPTION_ITEMS && item < member_count(config, &options[at]));
    size_t i = option_index(options[at].items->table, options[at].items->count, key);
    assert(i < options[at].items->count);
    return snapshot_of(config)->origins[at].items[item][i].text;
}
