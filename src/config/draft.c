/* SPDX-License-Identifier: MIT */
/* Invariants: a setting that no source names has its default values; `count` counts the values from `first` to
 * `last`, or the items. */
#include "config/draft.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "config/foreign.h"

#define NOTICE_MAX 1024

void draft_begin(struct setting *setting, struct mark mark, bool keep)
{
    if (!keep || !setting->named)
        *setting = (struct setting){.named = false};
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

struct setting *draft_item_setting(const struct draft_item *item, const char *key)
{
    size_t i = option_index(item->of->table, item->of->count, key);
    assert(i < item->of->count);
    return &item->settings[i];
}

struct draft_item *draft_find_item(const struct setting *setting, const char *name)
{
    struct draft_item *item = setting->items;
    while (item && (!item->name || strcmp(item->name, name) != 0))
        item = item->next;
    return item;
}

static int set_defaults(struct draft *draft, struct setting *settings, const struct option *table, size_t count);

int draft_add_item(struct draft_item **out, struct draft *draft, struct setting *setting, const struct option_items *of,
                   struct mark mark)
{
    struct draft_item *item = arena_take(draft->arena, sizeof(*item));
    struct setting *settings = arena_take(draft->arena, of->count * sizeof(*settings));
    if (!item || !settings)
        return -ENOMEM;
    *item = (struct draft_item){.of = of, .mark = mark, .settings = settings};
    int error = set_defaults(draft, settings, of->table, of->count);
    if (error)
        return error;
    if (setting->last_item)
        setting->last_item->next = item;
    else
        setting->items = item;
    setting->last_item = item;
    setting->count++;
    *out = item;
    return 0;
}

/* Values of a preset count as defaults: a later source that names the upstream replaces its lists. */
int draft_add_preset(struct draft *draft, struct setting *setting, const struct option_items *of,
                     const struct preset *preset, struct mark mark)
{
    struct draft_item *upstream;
    int error = draft_add_item(&upstream, draft, setting, of, mark);
    for (size_t i = 0; !error && i < of->count; i++) {
        const struct option *option = &of->table[i];
        const char *text = preset_text(preset, option->key);
        struct setting *value = &upstream->settings[i];
        if (!text)
            continue;
        draft_begin(value, mark, false);
        error = option_is_list(option) ? draft_add_items(draft, value, option, text, ',', mark)
                                       : draft_add(draft, value, option, text, mark);
        value->named = false;
    }
    if (!error)
        upstream->name = preset->name;
    return error;
}

/* The default of a list of mappings is a preset or nothing. */
static int set_default(struct draft *draft, struct setting *setting, const struct option *option)
{
    struct mark nowhere = {0};
    draft_begin(setting, nowhere, false);
    if (option->type == OPTION_ITEMS && *option->unset)
        return draft_add_preset(draft, setting, option->items, preset_find(option->unset), nowhere);
    if (option_is_list(option))
        return draft_add_items(draft, setting, option, option->unset, ',', nowhere);
    return draft_add(draft, setting, option, option->unset, nowhere);
}

static int set_defaults(struct draft *draft, struct setting *settings, const struct option *table, size_t count)
{
    int error = 0;
    for (size_t i = 0; !error && i < count; i++)
        error = table[i].unset ? set_default(draft, &settings[i], &table[i]) : 0;
    return error;
}

int draft_init(struct draft *draft, struct arena *arena, struct report *report)
{
    *draft = (struct draft){.arena = arena, .report = report};
    draft->settings = arena_take(arena, option_count * sizeof(*draft->settings));
    int error = draft->settings ? set_defaults(draft, draft->settings, options, option_count) : -ENOMEM;
    assert(error || report->mistakes == 0); /* an invalid default in the table is our bug */
    return error;
}
