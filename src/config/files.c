/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "config/config.h"
#include "config/member.h"
#include "config/options.h"

#define KEY_TEXT 1024

static void tell_ca_file(const char *key, const char *path,
                         void (*tell)(void *context, const char *key, const char *path, enum config_file use),
                         void *context)
{
    if (path && path[0] && strcmp(path, "system") != 0)
        tell(context, key, path, FILE_READ);
}

/* Calls `tell` for the paths among the settings of one table. `above` precedes their keys. */
static void tell_paths(const void *base, const struct option *table, size_t count, const char *above,
                       void (*tell)(void *context, const char *key, const char *path, enum config_file use),
                       void *context)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &table[i];
        char key[KEY_TEXT];
        snprintf(key, sizeof key, "%s%s", above, option->key);
        const char *path = option->type == OPTION_PATH ? *(char *const *)((const char *)base + option->at) : NULL;
        if (path)
            tell(context, key, path, option->use);
        if (option->type != OPTION_PATHS && option->type != OPTION_ITEMS)
            continue;
        for (size_t j = 0; j < member_count(base, option); j++) {
            const void *item = member_item(base, option, j);
            if (option->type == OPTION_PATHS) {
                tell(context, key, *(char *const *)item, option->use);
                continue;
            }
            char below[KEY_TEXT];
            member_item_key(below, sizeof below, key, base, option, j);
            tell_paths(item, option->items->table, option->items->count, below, tell, context);
        }
    }
}

void config_each_file(const struct config *config,
                      void (*tell)(void *context, const char *key, const char *path, enum config_file use),
                      void *context)
{
    tell_paths(config, options, option_count, "", tell, context);
    tell_ca_file("tls.ca-file", config->tls.ca_file, tell, context);
    for (size_t i = 0; i < config->upstream_count; i++) {
        char key[KEY_TEXT];
        snprintf(key, sizeof key, "upstreams.%s.ca-file", config->upstreams[i].name);
        tell_ca_file(key, config->upstreams[i].ca_file, tell, context);
    }
}
