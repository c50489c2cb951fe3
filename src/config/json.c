/* SPDX-License-Identifier: MIT */
#include "config/json.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "config/load.h"
#include "config/member.h"
#include "config/options.h"
#include "config/snapshot.h"

#define KEY_TEXT 1024

/* -- To JSON -- */

/* Lists and quoted texts have the same form in YAML and JSON. */
static json_t *value_of(const struct option *option, const char *text)
{
    if (option->type == OPTION_BOOLEAN)
        return json_boolean(strcmp(text, "yes") == 0);
    bool is_json = option_is_list(option) || option->type == OPTION_INTEGER || text[0] == '"';
    json_t *value = is_json ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_string(text);
}

static void add_setting(json_t *settings, const char *key, const void *base, const struct option *option,
                        const char *origin)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return;
    member_print(out, base, option);
    json_t *value = fclose(out) == 0 ? value_of(option, text) : NULL;
    free(text);
    (void)json_array_append_new(
        settings, json_pack("{s:s, s:o, s:s}", "setting", key, "value", value ? value : json_null(), "origin", origin));
}

static void add_table(json_t *settings, const char *above, const void *base, const struct option *table, size_t count,
                      const struct value_origin *origins)
{
    char key[KEY_TEXT], below[KEY_TEXT];
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &table[i];
        snprintf(key, sizeof key, "%s%s", above, option->key);
        if (option->type != OPTION_ITEMS) {
            add_setting(settings, key, base, option, origins[i].text);
            continue;
        }
        for (size_t j = 0; j < member_count(base, option); j++) {
            member_item_key(below, sizeof below, key, base, option, j);
            add_table(settings, below, member_item(base, option, j), option->items->table, option->items->count,
                      origins[i].items[j]);
        }
    }
}

json_t *config_to_json(const struct config *config)
{
    json_t *settings = json_array();
    if (settings)
        add_table(settings, "", config, options, option_count, snapshot_of(config)->origins);
    return settings;
}

/* -- From JSON -- */

/* The mapping in which the key of this table is set; moves *key to its last part. */
static json_t *section_for(json_t *mapping, const char **key)
{
    const char *dot = strchr(*key, '.');
    if (!dot)
        return mapping;
    char name[KEY_TEXT];
    snprintf(name, sizeof name, "%.*s", (int)(dot - *key), *key);
    *key = dot + 1;
    json_t *section = json_object_get(mapping, name);
    if (!section && json_object_set_new(mapping, name, section = json_object()) < 0)
        return NULL;
    return section;
}

/* The list of items that a key such as "upstreams.dns.example.port" belongs to, or NULL; *rest becomes what follows
 * its name. */
static const struct option *list_of(const struct option *table, size_t count, const char *key, const char **rest)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(table[i].key);
        if (table[i].type != OPTION_ITEMS || strncmp(key, table[i].key, len) != 0 || key[len] != '.')
            continue;
        *rest = key + len + 1;
        return &table[i];
    }
    return NULL;
}

/* The longest key of the items' table at the end of "NAME.KEY", or NULL: names may have dots as well. */
static const char *item_key(const struct option_items *of, const char *text)
{
    for (const char *dot = strchr(text, '.'); dot; dot = strchr(dot + 1, '.')) {
        const char *rest;
        if (option_index(of->table, of->count, dot + 1) < of->count || list_of(of->table, of->count, dot + 1, &rest))
            return dot + 1;
    }
    return NULL;
}

/* The last item of a list, or a new one. */
static json_t *item_for(json_t *mapping, const char *list, bool is_new)
{
    json_t *section = section_for(mapping, &list), *items = json_object_get(section, list), *item;
    if (items && !is_new)
        return json_array_get(items, json_array_size(items) - 1);
    if (!items && json_object_set_new(section, list, items = json_array()) < 0)
        return NULL;
    item = json_object();
    return json_array_append_new(items, item) == 0 ? item : NULL;
}

/* Puts the value in its place in a tree. `previous` is the key before: the settings of one item are adjacent. */
static int put_setting(json_t *mapping, const char *whole, const char *previous, json_t *value)
{
    const struct option *table = options, *list;
    size_t count = option_count;
    const char *key = whole, *rest, *below;
    while ((list = list_of(table, count, key, &rest)) && (below = item_key(list->items, rest))) {
        bool is_new = strncmp(previous, whole, (size_t)(below - whole)) != 0;
        mapping = item_for(mapping, list->key, is_new);
        table = list->items->table;
        count = list->items->count;
        key = below;
    }
    json_t *section = section_for(mapping, &key);
    return json_object_set(section, key, value);
}

/* JSON is YAML. */
int config_from_json(struct config **out, const json_t *settings, const char *name, FILE *errors)
{
    size_t i;
    const char *previous = "";
    json_t *setting, *root = json_object();
    int status = root ? 0 : -ENOMEM;
    json_array_foreach(settings, i, setting)
    {
        const char *key = json_string_value(json_object_get(setting, "setting"));
        if (status == 0 && key && put_setting(root, key, previous, json_object_get(setting, "value")) < 0)
            status = -ENOMEM;
        previous = key ? key : previous;
    }
    char *text = status == 0 ? json_dumps(root, JSON_INDENT(1)) : NULL;
    status = text ? config_load_text(out, name, text, errors) : -ENOMEM;
    free(text);
    json_decref(root);
    return status;
}

/* -- The schema -- */

/* Texts in the form that value.c accepts. */
#define DURATION_PATTERN "^(0|(0|[1-9][0-9]*)(ms|s|m|h|d))$"
#define SIZE_PATTERN     "^(0|[1-9][0-9]*(KiB|MiB|GiB)?)$"
#define PIN_PATTERN      "^sha256/[A-Za-z0-9+/]{43}=$"
#define PREFIX_PATTERN   "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"
#define LEVEL_PATTERN    "^[a-z0-9]+=(error|warning|info|debug)$"

static json_t *text_schema(const char *pattern)
{
    return pattern ? json_pack("{s:s, s:s}", "type", "string", "pattern", pattern)
                   : json_pack("{s:s}", "type", "string");
}

/* A word, and the values that YAML readers may parse it as: 1.2 is a number, and in YAML 1.1 off is false. */
static void add_word(json_t *words, const char *word)
{
    json_t *number = json_loads(word, JSON_DECODE_ANY, NULL);
    (void)json_array_append_new(words, json_string(word));
    if (number)
        (void)json_array_append_new(words, number);
    else if (strcmp(word, "off") == 0 || strcmp(word, "no") == 0)
        (void)json_array_append_new(words, json_false());
    else if (strcmp(word, "on") == 0 || strcmp(word, "yes") == 0)
        (void)json_array_append_new(words, json_true());
}

static json_t *choice_schema(const struct option *option)
{
    json_t *words = json_array();
    for (const struct choice *choice = option->choices; choice->word; choice++)
        add_word(words, choice->word);
    return json_pack("{s:o}", "enum", words);
}

/* The schema of one value, or of one item of a list. */
static json_t *value_schema(const struct option *option)
{
    switch (option->type) {
    case OPTION_BOOLEAN:
        return json_pack("{s:[b, b, s, s, s, s]}", "enum", 1, 0, "yes", "no", "on", "off");
    case OPTION_INTEGER:
        return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)option->min, "maximum",
                         (json_int_t)option->max);
    case OPTION_DURATION:
        return json_pack("{s:[{s:i}, o]}", "anyOf", "const", 0, text_schema(DURATION_PATTERN));
    case OPTION_SIZE:
        return json_pack("{s:[{s:s, s:I}, o]}", "anyOf", "type", "integer", "minimum", (json_int_t)option->min,
                         text_schema(SIZE_PATTERN));
    case OPTION_CHOICE:
        return choice_schema(option);
    case OPTION_PATH:
    case OPTION_PATHS:
        return text_schema("^/");
    case OPTION_TEXTS: /* a port is a text that YAML readers parse as a number */
        return json_pack("{s:[s, s]}", "type", "string", "integer");
    case OPTION_PREFIXES:
        return text_schema(PREFIX_PATTERN);
    case OPTION_PINS:
        return text_schema(PIN_PATTERN);
    case OPTION_LEVELS:
        return text_schema(LEVEL_PATTERN);
    default:
        return text_schema(NULL);
    }
}

static json_t *items_schema(const struct option_items *of);

static json_t *default_of(const struct option *option)
{
    json_t *list;
    if (option->type == OPTION_INTEGER && strspn(option->unset, "0123456789") == strlen(option->unset))
        return json_integer(strtoll(option->unset, NULL, 10));
    if (option->type == OPTION_BOOLEAN)
        return json_boolean(strcmp(option->unset, "yes") == 0);
    if (!option_is_list(option))
        return json_string(option->unset);
    list = json_array();
    for (const char *item = option->unset, *end; *item; item = end + (*end == ',')) {
        end = item + strcspn(item, ",");
        (void)json_array_append_new(list, json_stringn(item, (size_t)(end - item)));
    }
    return list;
}

static json_t *option_schema(const struct option *option)
{
    json_t *schema = option->type == OPTION_ITEMS ? items_schema(option->items) : value_schema(option);
    if (option_is_list(option))
        schema = json_pack("{s:s, s:o, s:I}", "type", "array", "items", schema, "maxItems", (json_int_t)option->max);
    if (option->type == OPTION_PATHS || option->type == OPTION_TEXTS) /* one text stands for a list of one */
        schema = json_pack("{s:[o, o]}", "anyOf", value_schema(option), schema);
    if (option->word) { /* "off", "auto", or "" for none */
        json_t *words = json_array();
        add_word(words, option->word);
        schema = json_pack("{s:[o, {s:o}]}", "anyOf", schema, "enum", words);
    }
    if (!schema)
        return NULL;
    (void)json_object_set_new(schema, "description", json_string(option->help));
    if (option->unset && (option->type != OPTION_ITEMS || !*option->unset))
        (void)json_object_set_new(schema, "default", default_of(option));
    return schema;
}

static json_t *section_of(json_t *properties, const struct option *option, size_t len)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)len, option->key);
    json_t *section = json_object_get(properties, name);
    if (!section) {
        section = json_pack("{s:[s, s], s:b, s:{}}", "type", "object", "null", "additionalProperties", 0, "properties");
        (void)json_object_set_new(properties, name, section);
    }
    return json_object_get(section, "properties");
}

static json_t *table_properties(const struct option *table, size_t count)
{
    json_t *properties = json_object();
    for (size_t i = 0; i < count; i++) {
        size_t len = option_section(&table[i]);
        json_t *place = len ? section_of(properties, &table[i], len) : properties;
        (void)json_object_set_new(place, option_leaf(&table[i]), option_schema(&table[i]));
    }
    return properties;
}

/* A drop-in may add settings to an item that another file defines, so only the identity of an item is required. */
static json_t *items_schema(const struct option_items *of)
{
    json_t *required = json_array(), *names = json_array();
    for (size_t i = 0; i < of->count; i++)
        if (of->identity ? strcmp(of->table[i].key, of->identity) == 0 : !of->table[i].unset)
            (void)json_array_append_new(required, json_string(of->table[i].key));
    json_t *item = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties",
                             table_properties(of->table, of->count), "required", required, "additionalProperties", 0);
    for (size_t i = 0; of->presets && i < preset_count; i++)
        (void)json_array_append_new(names, json_string(presets[i].name));
    if (of->presets)
        return json_pack("{s:[{s:o}, o]}", "anyOf", "enum", names, item);
    json_decref(names);
    return item;
}

static json_t *whole_schema(void)
{
    return json_pack("{s:s, s:s, s:[s, s], s:b, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                     "title", "dotstub.yaml", "type", "object", "null", "additionalProperties", 0, "properties",
                     table_properties(options, option_count));
}

int config_print_schema(FILE *out)
{
    json_t *schema = whole_schema();
    int status = !schema ? -ENOMEM : json_dumpf(schema, out, JSON_INDENT(1)) < 0 || fputc('\n', out) == EOF ? -EIO : 0;
    json_decref(schema);
    return status == 0 && fflush(out) != 0 ? -EIO : status;
}
