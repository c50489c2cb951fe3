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

void logging_open(const struct config *config)
{
    log_set_output(config->log_output == OUTPUT_STDOUT ? STDOUT_FILENO : STDERR_FILENO, config->log_format);
    logging_set(config);
}
