/* Invariant: nothing is changed before everything was found good. */
#include "logset.h"
#include <stdio.h>
#include <string.h>
#include "base/log.h"

enum { LEVEL_COUNT = LOG_LEVEL_DEBUG + 1 };

static int find_level(const char *name)
{
    int level = 0;
    while (level < LEVEL_COUNT && strcmp(log_level_name((enum log_level)level), name) != 0)
        level++;
    return level;
}

bool logset_change(const struct logset *wanted, char why[LOGSET_WHY])
{
    int level = wanted->level ? find_level(wanted->level) : LEVEL_COUNT;
    unsigned module = wanted->module ? log_find_module(wanted->module) : LOG_MODULE_COUNT;
    if (level == LEVEL_COUNT) {
        snprintf(why, LOGSET_WHY, "the argument \"level\" must be error, warning, info or debug");
        return false;
    }
    if (wanted->module && module == LOG_MODULE_COUNT) {
        snprintf(why, LOGSET_WHY, "there is no such module; there are %s", log_module_list());
        return false;
    }
    if (wanted->module)
        log_set_module_level(module, (enum log_level)level);
    else
        log_set_level((enum log_level)level);
    return true;
}
