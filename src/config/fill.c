/* SPDX-License-Identifier: MIT */
/* Fills a snapshot from a draft without mistakes. */
#include <errno.h>
#include <string.h>
#include "config/member.h"
#include "config/teams.h"
#include "config/validate.h"
#include "config/validate_private.h"

#define WORKERS_AUTO_MAX 16

static const char *origin_of(struct arena *arena, const struct mark *mark)
{
    if (!mark->source)
        return "default";
    if (mark->source->environment)
        return arena_print(arena, "%s", mark->source->name);
    return arena_print(arena, "%s:%u", mark->source->name, mark->line);
}

/* The origin of the values: one place, or for a list the first place in each source. NULL when out of memory. */
static const char *origins_of(struct arena *arena, const struct setting *setting)
{
    const char *all = origin_of(arena, setting->first ? &setting->first->mark : &setting->mark);
    for (const struct value *value = setting->first; value && value->next && all; value = value->next) {
        if (value->mark.source == value->next->mark.source)
            continue;
        const char *one = origin_of(arena, &value->next->mark);
        all = one ? arena_print(arena, "%s, %s", all, one) : NULL;
    }
    return all;
}

static int fill(void *base, struct value_origin **out, struct arena *arena, const struct option *table, size_t count,
                const struct setting *settings);

static int fill_items(void *base, struct value_origin *origin, struct arena *arena, const struct option *option,
                      const struct setting *setting)
{
    char *at = member_store_items(base, option, setting->count, arena);
    origin->items = arena_take(arena, setting->count * sizeof(*origin->items));
    if (!at || !origin->items)
        return -ENOMEM;
    int error = 0;
    struct value_origin **origins = origin->items;
    for (const struct draft_item *item = setting->items; !error && item; item = item->next) {
        error = fill(at, origins++, arena, item->of->table, item->of->count, item->settings);
        at += item->of->size;
    }
    return error;
}

/* Fills the struct at `base` and the origins of its values from the settings of one table. */
static int fill(void *base, struct value_origin **out, struct arena *arena, const struct option *table, size_t count,
                const struct setting *settings)
{
    struct value_origin *origins = *out = arena_take(arena, count * sizeof(*origins));
    int error = origins ? 0 : -ENOMEM;
    for (size_t i = 0; !error && i < count; i++) {
        origins[i].text = origins_of(arena, &settings[i]);
        if (!origins[i].text)
            error = -ENOMEM;
        else if (table[i].type == OPTION_ITEMS)
            error = fill_items(base, &origins[i], arena, &table[i], &settings[i]);
        else
            error = member_store(base, &table[i], settings[i].first, settings[i].count, arena);
    }
    return error;
}

int validate_fill_route(struct config_route *out, const struct draft_item *route, struct arena *arena)
{
    struct value_origin *origins;
    return fill(out, &origins, arena, route->of->table, route->of->count, route->settings);
}

static int fit_workers(struct snapshot *snapshot, const struct machine *machine)
{
    if (snapshot->config.workers != 0)
        return 0;
    snapshot->config.workers = machine->processors < WORKERS_AUTO_MAX ? machine->processors : WORKERS_AUTO_MAX;
    return snapshot_remark(snapshot, "workers", "auto");
}

static int fit_cache(struct snapshot *snapshot, const struct machine *machine)
{
    const struct option *option = draft_option("cache.size");
    struct config *config = &snapshot->config;
    uint64_t quarter = machine->memory / 4 / option->min * option->min; /* whole MiB */
    if (quarter < option->min)
        quarter = option->min;
    if (config->cache.size <= quarter)
        return 0;
    char before[NUMBER_TEXT], after[NUMBER_TEXT];
    value_number(option, config->cache.size, before);
    value_number(option, quarter, after);
    config->cache.size = quarter;
    if (config->log_level >= LOG_LEVEL_INFO)
        log_info("config", "cache.size is %s instead of %s: a quarter of the available memory", after, before);
    return snapshot_remark(snapshot, "cache.size", "lowered to a quarter of the available memory");
}

static int copy_notices(struct snapshot *snapshot, const struct draft *draft)
{
    struct config *config = &snapshot->config;
    config->notices = arena_take(&snapshot->arena, (draft->notice_count + 1) * sizeof(*config->notices));
    for (const struct notice *notice = draft->first_notice; config->notices && notice; notice = notice->next) {
        const char *text = arena_text(&snapshot->arena, notice->text, strlen(notice->text));
        if (!text)
            return -ENOMEM;
        config->notices[config->notice_count++] = text;
    }
    return config->notices ? 0 : -ENOMEM;
}

int validate_fill(struct snapshot *snapshot, const struct draft *draft, const struct machine *machine)
{
    int error = fill(&snapshot->config, &snapshot->origins, &snapshot->arena, options, option_count, draft->settings);
    if (!error)
        error = validate_fill_hosts(&snapshot->config, &snapshot->arena);
    if (!error)
        error = teams_fill(&snapshot->config, &snapshot->arena);
    if (!error)
        error = fit_workers(snapshot, machine);
    if (!error)
        error = fit_cache(snapshot, machine);
    if (!error)
        error = copy_notices(snapshot, draft);
    snapshot->config.listen_is_default = !draft_setting(draft, "listen")->named;
    snapshot->config.control_socket_is_default = !draft_setting(draft, "control.socket")->named;
    return error;
}
