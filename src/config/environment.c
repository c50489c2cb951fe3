/* SPDX-License-Identifier: MIT */
/* Invariant: a variable replaces the value from the files, also for lists. */
#include "config/environment.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/spelling.h"
#include "config/file.h"
#include "config/reader.h"

static const char prefix[] = "DOTSTUB_";
static const char test_prefix[] = "DOTSTUB_TEST_";

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* True for variables that Kubernetes (and Docker links) set in every container for a service named dotstub or
 * dotstub-something: they are neither settings nor mistakes. */
static bool is_service_link(const char *name, const char *value)
{
    const char *port = strstr(name, "_PORT");
    unsigned number;
    char protocol[4];
    return ends_with(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") ||
           (port && (begins_with(value, "tcp://") || begins_with(value, "udp://") ||
                     sscanf(port, "_PORT_%5u_%3[A-Z]", &number, protocol) == 2));
}

static void report_unknown(struct draft *draft, const struct source *source)
{
    char name[OPTION_VARIABLE_TEXT], nearest[OPTION_VARIABLE_TEXT];
    unsigned least = UINT_MAX;
    for (size_t i = 0; i < option_count; i++) {
        option_variable(&options[i], name);
        unsigned edits = spelling_distance(source->name + strlen(prefix), name + strlen(prefix));
        if (edits >= least)
            continue;
        least = edits;
        memcpy(nearest, name, sizeof(name));
    }
    struct mark mark = {source, 1, 1};
    if (least == UINT_MAX)
        report_at(draft->report, mark, "unknown variable");
    else
        report_at(draft->report, mark, "unknown variable; did you mean \"%s\"?", nearest);
}

/* Reads the name of a preset, or NAME=ADDR+ADDR, where NAME is both the upstream's name and its tls-name. */
static int read_upstream(struct draft *draft, struct setting *upstreams, const struct option *list, struct item *item)
{
    char quoted[QUOTED_TEXT];
    char *equals = strchr(item->text, '=');
    if (!equals)
        return reader_add_preset(draft, upstreams, list, item->text, "NAME=ADDR+ADDR", item->at);
    *equals = '\0';
    if (draft_find_item(upstreams, item->text)) {
        report_at(draft->report, item->at, "%s: duplicate name %s", list->key, report_quote(item->text, quoted));
        return 0;
    }
    struct draft_item *upstream;
    int error = draft_add_item(&upstream, draft, upstreams, list->items, item->at);
    if (error)
        return error;

    static const char *const keys[] = {"name", "tls-name", "addresses"};
    struct mark mark = item->at;
    for (size_t i = 0; i < 3; i++) {
        const struct option *option = &upstream_options[option_index(upstream_options, upstream_option_count, keys[i])];
        struct setting *setting = draft_item_setting(upstream, keys[i]);
        if (option_is_list(option))
            mark.column += (unsigned)strlen(item->text) + 1;
        draft_begin(setting, mark, false);
        if (option_is_list(option))
            error = draft_add_items(draft, setting, option, equals + 1, '+', mark);
        else
            error = draft_add(draft, setting, option, item->text, mark);
        if (error)
            return error;
        if (setting->broken && i == 0)
            return 0;
    }
    upstream->name = item->text;
    return 0;
}

static int read_upstreams(struct draft *draft, struct setting *setting, const struct option *option, const char *value,
                          struct mark mark)
{
    struct item item = {.rest = *value ? value : NULL, .mark = mark};
    int error = 0;
    while (!error && draft_next_item(&item, ',', draft->arena)) {
        if (setting->count == option->max) {
            draft_refuse(draft, setting, option, item.at, "too many upstreams");
            return 0;
        }
        error = item.text ? read_upstream(draft, setting, option, &item) : -ENOMEM;
    }
    return error;
}

static int read_variable(struct draft *draft, const struct source *source)
{
    size_t i = option_by_variable(source->name);
    size_t start = strlen(source->name) + 1;
    const char *value = source->text + start;
    if (i == option_count) {
        if (!is_service_link(source->name, value))
            report_unknown(draft, source);
        return 0;
    }
    struct mark mark = {source, 1, (unsigned)start + 1};
    struct setting *setting = &draft->settings[i];
    draft_begin(setting, mark, false);
    if (options[i].type == OPTION_ITEMS && options[i].items->presets)
        return read_upstreams(draft, setting, &options[i], value, mark);
    if (options[i].type == OPTION_ITEMS) {
        draft_refuse(draft, setting, &options[i], mark, "a variable cannot set this list; set it in a file");
        return 0;
    }
    if (option_is_list(&options[i]))
        return draft_add_items(draft, setting, &options[i], value, ',', mark);
    return draft_add(draft, setting, &options[i], value, mark);
}

static int read_entry(struct draft *draft, const char *entry)
{
    const char *equals = strchr(entry, '=');
    if (!begins_with(entry, prefix) || begins_with(entry, test_prefix) || !equals)
        return 0;
    struct source *source = arena_take(draft->arena, sizeof(*source));
    char *text = arena_text(draft->arena, entry, strlen(entry));
    char *name = arena_text(draft->arena, entry, (size_t)(equals - entry));
    if (!source || !text || !name)
        return -ENOMEM;
    *source = (struct source){.name = name, .text = text, .len = strlen(text), .environment = true};
    if (file_is_text(draft->report, source))
        return read_variable(draft, source);
    draft->partial = true;
    return 0;
}

int environment_apply(struct draft *draft, char *const *variables)
{
    int error = 0;
    for (size_t i = 0; variables && variables[i] && !error; i++)
        error = read_entry(draft, variables[i]);
    return error;
}
