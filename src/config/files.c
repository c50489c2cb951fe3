/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "config/config.h"
#include "config/options.h"

static void tell_ca_file(const char *key, const char *path,
                         void (*tell)(void *context, const char *key, const char *path, enum config_file use),
                         void *context)
{
    if (path && path[0] && strcmp(path, "system") != 0)
        tell(context, key, path, FILE_READ);
}

void config_each_file(const struct config *config,
                      void (*tell)(void *context, const char *key, const char *path, enum config_file use),
                      void *context)
{
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].type != OPTION_PATH)
            continue;
        const char *path = *(char *const *)((const char *)config + options[i].at);
        if (path)
            tell(context, options[i].key, path, options[i].use);
    }
    tell_ca_file("tls.ca-file", config->tls.ca_file, tell, context);
    for (size_t i = 0; i < config->upstream_count; i++) {
        char key[320];
        snprintf(key, sizeof key, "upstreams.%s.ca-file", config->upstreams[i].name);
        tell_ca_file(key, config->upstreams[i].ca_file, tell, context);
    }
}
