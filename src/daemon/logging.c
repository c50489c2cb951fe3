/* SPDX-License-Identifier: MIT */
#include "logging.h"
#include <unistd.h>
#include "base/log.h"
#include "resolve/querylog.h"

void logging_set(const struct config *config)
{
    log_set_level(config->log_level);
    for (size_t i = 0; i < config->log_module_count; i++)
        log_set_module_level(config->log_modules[i].module, (enum log_level)config->log_modules[i].level);
    querylog_set(config->log_queries ? config->log_queries_sample : 0);
}

void logging_notices(const struct config *config)
{
    for (size_t i = 0; i < config->notice_count; i++)
        log_warning("config", "%s", config->notices[i]);
}

static bool same_log(const struct config *a, const struct config *b)
{
    bool same = a->log_level == b->log_level && a->log_module_count == b->log_module_count;
    for (size_t i = 0; same && i < a->log_module_count; i++)
        same =
            a->log_modules[i].module == b->log_modules[i].module && a->log_modules[i].level == b->log_modules[i].level;
    return same && a->log_queries == b->log_queries && a->log_queries_sample == b->log_queries_sample;
}

void logging_change(const struct config *config, const struct config *before)
{
    if (!same_log(config, before))
        logging_set(config);
}

void logging_open(const struct config *config)
{
    log_set_output(config->log_output == OUTPUT_STDOUT ? STDOUT_FILENO : STDERR_FILENO, config->log_format);
    logging_set(config);
}
