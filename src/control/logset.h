/* SPDX-License-Identifier: MIT */
/* Changes of the log while the daemon runs (POST /log).
 *
 * Owns:    nothing; the levels are the process's.
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_LOGSET_H
#define DOTSTUB_CONTROL_LOGSET_H

#include <stdbool.h>

/* Checks everything, then changes what is given (NULL: not given). False: nothing was changed, and `why` says what is wrong. */
#define LOGSET_WHY 256
struct logset {
    const char *level, *module;
    const char *queries, *sample; /* "yes" or "no"; a number, else `sample` */
};
bool logset_change(const struct logset *wanted, unsigned sample, char why[LOGSET_WHY]);

#endif
