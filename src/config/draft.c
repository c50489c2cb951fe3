/* SPDX-License-Identifier: MIT */
/* Invariants: a setting that no source names has its default values; `count` counts the values from `first` to
 * `last`. */
#include "config/draft.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "config/foreign.h"

#define NOTICE_MAX 1024

void draft_begin(struct setting *setting, struct mark mark, bool keep)
{
    if (!keep || !setting->named) {
        setting->first = setting->last = NULL;
        setting->count = 0;
        setting->broken = false;
    }
    setting->named = mark.source != NULL;
    setting->mark = mark;
}

void draft_refuse(struct draft *draft, struct setting *setting, const struct option *option, struct mark mark,
                  const char *why)
{
    setting->broken = true;
    report_at(draft->report, mark, "%s: %s", option->key, why);
}

int draft_add(struct draft *draft, struct setting *setting, const struct option *option, const char *text,
              struct mark mark)
{
    char why[VALUE_WHY];
    if (option_is_list(option) && setting->count == option->max) {
        if (!setting->broken)
            draft_refuse(draft, setting, option, mark, "too many items");
        return 0;
    }
    struct value *value = arena_take(draft->arena, sizeof(*value));
    if (!value)
        return -ENOMEM;
    value->mark = mark;
    if (!value_parse(value, option, text, why)) {
        foreign_explain(option, text, why);
        draft_refuse(draft, setting, option, mark, why);
        return 0;
    }
    if (setting->last)
        setting->last->next = value;
    else
        setting->first = value;
    setting->last = value;
    setting->count++;
    return 0;
}

int draft_notice(struct draft *draft, const char *format, ...)
{
    char text[NOTICE_MAX];
    struct notice *notice = arena_take(draft->arena, sizeof(*notice));
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!notice || !(notice->text = arena_text(draft->arena, text, strlen(text))))
        return -ENOMEM;
    if (draft->last_notice)
        draft->last_notice->next = notice;
    else
        draft->first_notice = notice;
    draft->last_notice = notice;
    draft->notice_count++;
    return 0;
}

static void step(struct item *item)
{
    if (((unsigned char)*item->rest & 0xc0) != 0x80)
        item->mark.column++;
    item->rest++;
}

bool draft_next_item(struct item *item, char separator, struct arena *arena)
{
    if (!item->rest)
        return false;
    while (*item->rest == ' ')
        step(item);
    const char *start = item->rest;
    item->at = item->mark;
    while (*item->rest && *item->rest != separator)
        step(item);
    size_t len = (size_t)(item->rest - start);
    while (len > 0 && start[len - 1] == ' ')
        len--;
    item->text = arena_text(arena, start, len);
    if (*item->rest)
        step(item);
    else
        item->rest = NULL;
    return true;
}

int draft_add_items(struct draft *draft, struct setting *setting, const struct option *option, const char *text,
                    char separator, struct mark mark)
{
    struct item item = {.rest = *text ? text : NULL, .mark = mark};
    int error = 0;
    while (!error && draft_next_item(&item, separator, draft->arena))
        error = item.text ? draft_add(draft, setting, option, item.text, item.at) : -ENOMEM;
    return error;
}

static int set_default(struct draft *draft, struct setting *setting, const struct option *option, const char *text)
{
    struct mark nowhere = {0};
    draft_begin(setting, nowhere, false);
    if (option_is_list(option))
        return draft_add_items(draft, setting, option, text, ',', nowhere);
    return draft_add(draft, setting, option, text, nowhere);
}

struct setting *draft_setting(const struct draft *draft, const char *key)
{
    size_t i = option_index(options, option_count, key);
    assert(i < option_count);
    return &draft->settings[i];
}

const struct option *draft_option(const char *key)
{
    size_t i = option_index(options, option_count, key);
    assert(i < option_count);
    return &options[i];
}

struct setting *draft_upstream_setting(const struct draft_upstream *upstream, const char *key)
{
    size_t i = option_index(upstream_options, upstream_option_count, key);
    assert(i < upstream_option_count);
    return &upstream->settings[i];
}

void draft_begin_upstreams(struct draft *draft, struct mark mark, bool keep)
{
    struct setting *setting = draft_setting(draft, "upstreams");
    if (!keep || !setting->named)
        draft->first = draft->last = NULL;
    draft_begin(setting, mark, keep);
}

struct draft_upstream *draft_find_upstream(const struct draft *draft, const char *name)
{
    struct draft_upstream *upstream = draft->first;
    while (upstream && (!upstream->name || strcmp(upstream->name, name) != 0))
        upstream = upstream->next;
    return upstream;
}

int draft_add_upstream(struct draft_upstream **out, struct draft *draft, struct mark mark)
{
    struct draft_upstream *upstream = arena_take(draft->arena, sizeof(*upstream));
    struct setting *settings = arena_take(draft->arena, upstream_option_count * sizeof(*settings));
    if (!upstream || !settings)
        return -ENOMEM;
    *upstream = (struct draft_upstream){.mark = mark, .settings = settings};
    for (size_t i = 0; i < upstream_option_count; i++) {
        const struct option *option = &upstream_options[i];
        int error = option->unset ? set_default(draft, &settings[i], option, option->unset) : 0;
        if (error)
            return error;
    }
    if (draft->last)
        draft->last->next = upstream;
    else
        draft->first = upstream;
    draft->last = upstream;
    draft_setting(draft, "upstreams")->count++;
    *out = upstream;
    return 0;
}

/* Values of a preset count as defaults: a later source that names the upstream replaces its lists. */
int draft_add_preset(struct draft *draft, const struct preset *preset, struct mark mark)
{
    struct draft_upstream *upstream;
    int error = draft_add_upstream(&upstream, draft, mark);
    for (size_t i = 0; !error && i < upstream_option_count; i++) {
        const struct option *option = &upstream_options[i];
        const char *text = preset_text(preset, option->key);
        struct setting *setting = &upstream->settings[i];
        if (!text)
            continue;
        draft_begin(setting, mark, false);
        error = option_is_list(option) ? draft_add_items(draft, setting, option, text, ',', mark)
                                       : draft_add(draft, setting, option, text, mark);
        setting->named = false;
    }
    if (!error)
        upstream->name = preset->name;
    return error;
}

int draft_init(struct draft *draft, struct arena *arena, struct report *report)
{
    *draft = (struct draft){.arena = arena, .report = report};
    draft->settings = arena_take(arena, option_count * sizeof(*draft->settings));
    if (!draft->settings)
        return -ENOMEM;
    for (size_t i = 0; i < option_count; i++) {
        int error = options[i].type == OPTION_UPSTREAMS
                        ? draft_add_preset(draft, &presets[0], (struct mark){0})
                        : set_default(draft, &draft->settings[i], &options[i], options[i].unset);
        if (error)
            return error;
    }
    assert(report->mistakes == 0); /* an invalid default in the table is our bug */
    return 0;
}
