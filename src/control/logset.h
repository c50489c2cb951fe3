/* SPDX-License-Identifier: MIT */
/* Changes log levels and the query log at run time (POST /log).
 *
 * Owns:    Nothing; the levels belong to the process.
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_LOGSET_H
#define DOTSTUB_CONTROL_LOGSET_H

#include <stdbool.h>

/* Checks all arguments, then applies those that are given (NULL: not given). On false nothing was changed, and `why`
 * has the reason. */
#define LOGSET_WHY 256
struct logset {
    const char *level, *module;
    const char *queries, *sample; /* "yes" or "no"; log one query in `sample` */
};
/* `sample` is the default where wanted->sample is NULL. */
bool logset_change(const struct logset *wanted, unsigned sample, char why[LOGSET_WHY]);

#endif
