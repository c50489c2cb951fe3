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

static void add_upstream(json_t *settings, const struct snapshot *snapshot, size_t i)
{
    const struct config_upstream *upstream = &snapshot->config.upstreams[i];
    char key[512];
    for (size_t j = 0; j < upstream_option_count; j++) {
        snprintf(key, sizeof key, "upstreams.%s.%s", upstream->name, upstream_options[j].key);
        add_setting(settings, key, upstream, &upstream_options[j], snapshot->upstream_origins[i][j]);
    }
}

json_t *config_to_json(const struct config *config)
{
    const struct snapshot *snapshot = snapshot_of(config);
    json_t *settings = json_array();
    for (size_t i = 0; settings && i < option_count; i++) {
        if (options[i].type != OPTION_UPSTREAMS)
            add_setting(settings, options[i].key, config, &options[i], snapshot->origins[i]);
        else
            for (size_t j = 0; j < config->upstream_count; j++)
                add_upstream(settings, snapshot, j);
    }
    return settings;
}

/* -- From JSON -- */

/* Prints one setting as YAML; JSON values are valid YAML. `section` is the length of the previous key's section. */
static void print_setting(FILE *out, const char *key, const json_t *value, const char **section)
{
    static const char upstreams[] = "upstreams.";
    bool of_upstream = strncmp(key, upstreams, strlen(upstreams)) == 0;
    const char *dot = strchr(key, '.'), *leaf = of_upstream ? strrchr(key, '.') + 1 : dot ? dot + 1 : key;
    size_t len = dot ? (size_t)(dot - key) : 0;
    bool same = *section && strncmp(*section, key, len + 1) == 0;
    if (dot && !same)
        fprintf(out, "%.*s:\n", (int)len, key);
    *section = dot ? key : NULL;
    fprintf(out, "%s%s: ", !dot ? "" : !of_upstream ? "  " : strcmp(leaf, "name") == 0 ? "  - " : "    ", leaf);
    (void)json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT);
    fputc('\n', out);
}

int config_from_json(struct config **out, const json_t *settings, const char *name, FILE *errors)
{
    char *text = NULL;
    size_t len, i;
    const char *section = NULL;
    json_t *setting;
    FILE *yaml = open_memstream(&text, &len);
    if (!yaml)
        return -ENOMEM;
    json_array_foreach(settings, i, setting)
    {
        const char *key = json_string_value(json_object_get(setting, "setting"));
        if (key)
            print_setting(yaml, key, json_object_get(setting, "value"), &section);
    }
    int status = fclose(yaml) == 0 ? config_load_text(out, name, text, errors) : -ENOMEM;
    free(text);
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
        return text_schema("^/");
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

static json_t *upstreams_schema(void);

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
    json_t *schema = option->type == OPTION_UPSTREAMS ? upstreams_schema() : value_schema(option);
    if (option_is_list(option) && option->type != OPTION_UPSTREAMS)
        schema = json_pack("{s:s, s:o, s:I}", "type", "array", "items", schema, "maxItems", (json_int_t)option->max);
    if (option->word) { /* "off", "auto", or "" for none */
        json_t *words = json_array();
        add_word(words, option->word);
        schema = json_pack("{s:[o, {s:o}]}", "anyOf", schema, "enum", words);
    }
    if (!schema)
        return NULL;
    (void)json_object_set_new(schema, "description", json_string(option->help));
    if (option->unset && option->type != OPTION_UPSTREAMS)
        (void)json_object_set_new(schema, "default", default_of(option));
    return schema;
}

static json_t *upstreams_schema(void)
{
    json_t *properties = json_object(), *names = json_array();
    for (size_t i = 0; i < upstream_option_count; i++)
        (void)json_object_set_new(properties, upstream_options[i].key, option_schema(&upstream_options[i]));
    for (size_t i = 0; i < preset_count; i++)
        (void)json_array_append_new(names, json_string(presets[i].name));
    return json_pack("{s:s, s:{s:[{s:o}, {s:s, s:o, s:[s], s:b}]}}", "type", "array", "items", "anyOf", "enum", names,
                     "type", "object", "properties", properties, "required", "name", "additionalProperties", 0);
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

static json_t *whole_schema(void)
{
    json_t *properties = json_object();
    for (size_t i = 0; i < option_count; i++) {
        size_t len = option_section(&options[i]);
        json_t *place = len ? section_of(properties, &options[i], len) : properties;
        (void)json_object_set_new(place, options[i].key + (len ? len + 1 : 0), option_schema(&options[i]));
    }
    return json_pack("{s:s, s:s, s:[s, s], s:b, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                     "title", "dotstub.yaml", "type", "object", "null", "additionalProperties", 0, "properties",
                     properties);
}

int config_print_schema(FILE *out)
{
    json_t *schema = whole_schema();
    int status = !schema ? -ENOMEM : json_dumpf(schema, out, JSON_INDENT(1)) < 0 || fputc('\n', out) == EOF ? -EIO : 0;
    json_decref(schema);
    return status == 0 && fflush(out) != 0 ? -EIO : status;
}
