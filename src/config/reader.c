/* SPDX-License-Identifier: MIT */
/* Invariants: the keys of a mapping are distinct (yaml.c checks that); a mistake in one value never hides the next
 * one. */
#include "config/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/spelling.h"
#include "config/foreign.h"

#define KEY_TEXT 64

/* The part of a table that applies to one mapping of the file. */
struct level {
    const struct option *table;
    size_t count;
    struct setting *settings;
    const char *section; /* the keys' section; NULL: all of the table */
    const char *name;    /* for messages */
};

static bool is_in_section(const struct option *option, const char *section)
{
    size_t len = section ? strlen(section) : 0;
    return option_section(option) == len && (!section || memcmp(option->key, section, len) == 0);
}

/* Writes the key of the option in this section; false if it is in another one. */
static bool word_of(const struct option *option, const char *section, char out[KEY_TEXT])
{
    size_t len = option_section(option);
    if (is_in_section(option, section))
        snprintf(out, KEY_TEXT, "%s", option_leaf(option));
    else if (!section)
        snprintf(out, KEY_TEXT, "%.*s", (int)len, option->key);
    else
        return false;
    return true;
}

/* The key of this mapping that was probably meant, or NULL. At top level (section NULL) the names of sections are
 * keys too. */
static const char *find_meant(const char *text, const struct option *table, size_t count, const char *section,
                              char out[KEY_TEXT])
{
    unsigned least = UINT_MAX;
    char word[KEY_TEXT];
    for (size_t i = 0; i < count; i++) {
        if (!word_of(&table[i], section, word))
            continue;
        unsigned edits = spelling_distance(text, word);
        if (edits >= least)
            continue;
        least = edits;
        memcpy(out, word, sizeof(word));
    }
    for (size_t i = 0; least == UINT_MAX && i < count; i++) {
        const struct option *option = &table[i];
        size_t len = option_section(option);
        if (len == 0 || (strcmp(option_leaf(option), text) != 0 && strcmp(option->key, text) != 0))
            continue;
        least = 0; /* the key belongs to another section */
        snprintf(out, KEY_TEXT, "%.*s: {%s: ...}", (int)len, option->key, option_leaf(option));
    }
    return least == UINT_MAX ? NULL : out;
}

static void report_unknown(struct draft *draft, const struct level *level, const struct yaml_node *key)
{
    char quoted[QUOTED_TEXT], word[KEY_TEXT];
    const char *meant = find_meant(key->text, level->table, level->count, level->section, word);
    const char *in = level->name ? " in " : "", *name = level->name ? level->name : "";
    report_quote(key->text, quoted);
    if (meant)
        report_at(draft->report, key->mark, "unknown key %s%s%s; did you mean \"%s\"?", quoted, in, name, meant);
    else
        report_at(draft->report, key->mark, "unknown key %s%s%s", quoted, in, name);
}

static int read_list(struct draft *draft, struct setting *setting, const struct option *option,
                     const struct yaml_node *node)
{
    draft_begin(setting, node->mark, node->count > 0);
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        int error = 0;
        if (item->kind == YAML_SCALAR)
            error = draft_add(draft, setting, option, item->text, item->mark);
        else if (item->kind == YAML_REFUSED)
            setting->broken = true;
        else if (item->kind == YAML_MAPPING)
            draft_refuse(draft, setting, option, item->mark,
                         "this item has a \": \" in it; put an IPv6 address in quotes");
        else
            draft_refuse(draft, setting, option, item->mark, "this item is not a single value");
        if (error)
            return error;
    }
    return 0;
}

static int read_value(struct draft *draft, struct setting *setting, const struct option *option,
                      const struct yaml_node *node)
{
    enum yaml_kind wanted = option_is_list(option) ? YAML_LIST : YAML_SCALAR;
    if (node->kind == wanted && wanted == YAML_LIST)
        return read_list(draft, setting, option, node);

    bool may_be_one = option->type == OPTION_PATHS || option->type == OPTION_TEXTS; /* stands for a list of one */
    bool is_one = may_be_one && node->kind == YAML_SCALAR;
    draft_begin(setting, node->mark, is_one && option->type == OPTION_PATHS);
    if (node->kind == wanted || is_one)
        return draft_add(draft, setting, option, node->text, node->mark);
    if (node->kind == YAML_REFUSED)
        setting->broken = true;
    else if (wanted == YAML_LIST)
        draft_refuse(draft, setting, option, node->mark, "expected a list, as in [a, b]");
    else
        draft_refuse(draft, setting, option, node->mark,
                     node->kind == YAML_NULL ? "expected a value here" : "expected a single value");
    return 0;
}

static int read_items(struct draft *draft, struct setting *setting, const struct option *option,
                      const struct yaml_node *node);

/* Reads one key that is not a section. */
static int read_key(struct draft *draft, const struct level *level, const struct yaml_node *node)
{
    char key[KEY_TEXT];
    int len = snprintf(key, sizeof(key), "%s%s%s", level->section ? level->section : "", level->section ? "." : "",
                       node->key->text);
    size_t i = len < KEY_TEXT ? option_index(level->table, level->count, key) : level->count;
    if (i == level->count || !is_in_section(&level->table[i], level->section)) {
        report_unknown(draft, level, node->key);
        return 0;
    }
    if (level->table[i].type == OPTION_ITEMS)
        return read_items(draft, &level->settings[i], &level->table[i], node);
    return read_value(draft, &level->settings[i], &level->table[i], node);
}

static bool is_section(const struct level *level, const char *name)
{
    bool found = false;
    for (size_t i = 0; !found && !level->section && *name && i < level->count; i++)
        found = is_in_section(&level->table[i], name);
    return found;
}

static int read_keys(struct draft *draft, const struct level *level, const struct yaml_node *mapping);

/* The option that a single value in place of a section sets: its mode. Returns option_count if there is none. */
static size_t mode_of(const struct level *level, const char *section)
{
    char key[KEY_TEXT];
    int len = snprintf(key, sizeof key, "%s.mode", section);
    return len < KEY_TEXT ? option_index(level->table, level->count, key) : level->count;
}

static int read_section(struct draft *draft, const struct level *above, const struct yaml_node *node)
{
    struct level level = *above;
    level.section = level.name = node->key->text;
    if (node->kind == YAML_MAPPING)
        return read_keys(draft, &level, node);
    size_t mode = node->kind == YAML_SCALAR ? mode_of(above, level.section) : above->count;
    if (mode < above->count)
        return read_value(draft, &above->settings[mode], &above->table[mode], node);
    if (node->kind != YAML_NULL && node->kind != YAML_REFUSED)
        report_at(draft->report, node->mark, "%s: expected settings, one per line and indented", level.name);
    return 0;
}

static int read_keys(struct draft *draft, const struct level *level, const struct yaml_node *mapping)
{
    int error = 0;
    for (const struct yaml_node *node = mapping->first; !error && node; node = node->next)
        error = is_section(level, node->key->text) ? read_section(draft, level, node) : read_key(draft, level, node);
    return error;
}

static const struct yaml_node *member_of(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *member = mapping->first;
    while (member && strcmp(member->key->text, key) != 0)
        member = member->next;
    return member;
}

static void report_unknown_preset(struct draft *draft, const char *name, const char *form, struct mark mark)
{
    char quoted[QUOTED_TEXT];
    const char *meant = NULL;
    unsigned least = UINT_MAX;
    for (size_t i = 0; i < preset_count; i++) {
        unsigned edits = spelling_distance(name, presets[i].name);
        meant = edits < least ? presets[i].name : meant;
        least = edits < least ? edits : least;
    }
    report_quote(name, quoted);
    if (meant)
        report_at(draft->report, mark, "upstreams: %s is not a preset; did you mean \"%s\"?", quoted, meant);
    else
        report_at(draft->report, mark, "upstreams: %s is neither a preset, see dotstub.yaml(5), nor %s", quoted, form);
}

int reader_add_preset(struct draft *draft, struct setting *setting, const struct option *option, const char *name,
                      const char *form, struct mark mark)
{
    const struct preset *preset = preset_find(name);
    const struct draft_item *before = draft_find_item(setting, name);
    char quoted[QUOTED_TEXT], better[FOREIGN_TEXT];
    report_quote(name, quoted);
    if (preset && !before)
        return draft_add_preset(draft, setting, option->items, preset, mark);
    if (preset && before->mark.source != mark.source)
        return 0;
    if (preset)
        report_at(draft->report, mark, "%s: duplicate name %s", option->key, quoted);
    else if (foreign_correct_upstream(name, better))
        report_at(draft->report, mark, "%s: %s is not a preset; write %s", option->key, quoted, better);
    else
        report_unknown_preset(draft, name, form, mark);
    setting->broken = true;
    return 0;
}

static void refuse_item(struct draft *draft, struct setting *setting, const struct option *option,
                        const struct yaml_node *node)
{
    const struct option_items *of = option->items;
    setting->broken = true;
    if (node->kind == YAML_REFUSED)
        return;
    if (of->presets)
        report_at(draft->report, node->mark, "%s: %s is the name of a preset, as in - google, or a mapping, as in - %s",
                  option->key, of->one, of->example);
    else
        report_at(draft->report, node->mark, "%s: %s is a mapping, as in - %s", option->key, of->one, of->example);
}

/* Finds the item that a mapping belongs to, which an earlier source may have begun; or appends one. */
static int find_item(struct draft_item **out, struct draft *draft, struct setting *setting, const struct option *option,
                     const struct yaml_node *mapping)
{
    const struct option_items *of = option->items;
    const struct yaml_node *identity = of->identity ? member_of(mapping, of->identity) : NULL;
    if (of->identity && !identity)
        report_at(draft->report, mapping->mark, "%s: this %s has no %s; write %s: and a word for it", option->key,
                  option_noun(of), of->identity, of->identity);
    const char *name = identity && identity->kind == YAML_SCALAR ? identity->text : NULL;

    struct draft_item *item = name ? draft_find_item(setting, name) : NULL;
    if (item && item->mark.source == mapping->mark.source) {
        char quoted[QUOTED_TEXT];
        report_at(draft->report, identity->mark, "%s: duplicate %s %s; first in line %u", option->key, of->identity,
                  report_quote(name, quoted), item->mark.line);
        item = NULL;
        name = NULL;
    }
    int error = item ? 0 : draft_add_item(&item, draft, setting, of, mapping->mark);
    if (error)
        return error;
    item->name = name;
    item->mark = mapping->mark;
    *out = item;
    return 0;
}

static int read_item(struct draft *draft, struct setting *setting, const struct option *option,
                     const struct yaml_node *node)
{
    const struct option_items *of = option->items;
    if (node->kind == YAML_SCALAR && of->presets)
        return reader_add_preset(draft, setting, option, node->text, "a mapping, as in name: mine", node->mark);
    if (node->kind != YAML_MAPPING) {
        refuse_item(draft, setting, option, node);
        return 0;
    }
    struct draft_item *item;
    int error = find_item(&item, draft, setting, option, node);
    if (error)
        return error;
    struct level level = {.table = of->table, .count = of->count, .settings = item->settings, .name = of->one};
    return read_keys(draft, &level, node);
}

static int read_items(struct draft *draft, struct setting *setting, const struct option *option,
                      const struct yaml_node *node)
{
    const struct option_items *of = option->items;
    draft_begin(setting, node->mark, node->kind == YAML_LIST && node->count > 0);
    if (node->kind != YAML_LIST) {
        if (node->kind != YAML_REFUSED)
            report_at(draft->report, node->mark, "%s: expected a list of %s, as in %s- %s", option->key, of->many,
                      of->presets ? "[google] or " : "", of->example);
        setting->broken = true;
        return 0;
    }
    int error = 0;
    for (const struct yaml_node *item = node->first; item && !error; item = item->next) {
        if (setting->count >= option->max && (item->kind == YAML_MAPPING || item->kind == YAML_SCALAR)) {
            setting->broken = true;
            report_at(draft->report, item->mark, "%s: too many %s", option->key, of->many);
            return 0;
        }
        error = read_item(draft, setting, option, item);
    }
    return error;
}

int reader_apply(struct draft *draft, const struct yaml_node *root)
{
    struct level top = {.table = options, .count = option_count, .settings = draft->settings};
    if (!root || root->kind == YAML_NULL)
        return 0;
    if (root->kind != YAML_MAPPING) {
        if (root->kind != YAML_REFUSED)
            report_at(draft->report, root->mark, "expected settings, as in workers: 1");
        return 0;
    }
    return read_keys(draft, &top, root);
}
