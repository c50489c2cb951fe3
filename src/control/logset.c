/* SPDX-License-Identifier: MIT */
/* Invariant: all arguments are valid before anything changes. */
#include "logset.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "resolve/querylog.h"

enum { LEVEL_COUNT = LOG_LEVEL_DEBUG + 1 };

static int find_level(const char *name)
{
    int level = 0;
    while (level < LEVEL_COUNT && strcmp(log_level_name((enum log_level)level), name) != 0)
        level++;
    return level;
}

static bool complain(char why[LOGSET_WHY], const char *sentence, const char *list)
{
    snprintf(why, LOGSET_WHY, "%s%s", sentence, list);
    return false;
}

struct log_change {
    int level;
    unsigned module, sample;
};

/* Sets out->level (LEVEL_COUNT: unchanged) and out->module (LOG_MODULE_COUNT: all). */
static bool read_level(struct log_change *out, const struct logset *wanted, char why[LOGSET_WHY])
{
    out->level = wanted->level ? find_level(wanted->level) : LEVEL_COUNT;
    out->module = wanted->module ? log_find_module(wanted->module) : LOG_MODULE_COUNT;
    if (out->level == LEVEL_COUNT && (wanted->level || wanted->module || !wanted->queries))
        return complain(why, "the argument \"level\" must be error, warning, info or debug", "");
    if (wanted->module && out->module == LOG_MODULE_COUNT)
        return complain(why, "unknown module; the modules are ", log_module_list());
    return true;
}

/* Sets out->sample: one query in `sample` is logged; 0: none. */
static bool read_queries(struct log_change *out, const struct logset *wanted, unsigned sample, char why[LOGSET_WHY])
{
    enum { SAMPLE_MOST = 1000000 };
    const char *text = wanted->sample;
    bool on = wanted->queries && strcmp(wanted->queries, "yes") == 0;
    out->sample = on ? sample : 0;
    if (wanted->queries && !on && strcmp(wanted->queries, "no") != 0)
        return complain(why, "the argument \"queries\" must be yes or no", "");
    if (!text)
        return true;
    bool plain = *text >= '1' && *text <= '9' && strlen(text) <= 7 && strspn(text, "0123456789") == strlen(text);
    out->sample = plain ? (unsigned)strtoul(text, NULL, 10) : 0;
    if (!on || !plain || out->sample > SAMPLE_MOST)
        return complain(why, "the argument \"sample\" must be a number from 1 to 1000000, with queries=yes", "");
    return true;
}

bool logset_change(const struct logset *wanted, unsigned sample, char why[LOGSET_WHY])
{
    struct log_change change;
    if (!read_level(&change, wanted, why) || !read_queries(&change, wanted, sample, why))
        return false;
    if (wanted->module)
        log_set_module_level(change.module, (enum log_level)change.level);
    else if (wanted->level)
        log_set_level((enum log_level)change.level);
    if (wanted->queries)
        querylog_set(change.sample);
    return true;
}
