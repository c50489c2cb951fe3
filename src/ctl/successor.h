/* SPDX-License-Identifier: MIT */
/* Starts the process that replaces the daemon.
 *
 * Does:    Starts a program with --take-over in the daemon's control group, limits and namespaces, as the daemon's
 *          user and groups and without capabilities. It gets the options and the variables of the service manager
 *          from the daemon's environment, and nothing from its command line.
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_SUCCESSOR_H
#define DOTSTUB_CTL_SUCCESSOR_H

#include <limits.h>
#include "base/process.h"

enum { SUCCESSOR_GROUPS = 64 };

struct successor_plan {
    struct process daemon; /* checked by process_check */
    gid_t groups[SUCCESSOR_GROUPS];
    size_t group_count;
    const char *program; /* absolute */
    const char *config;  /* absolute; NULL: the default */
};

struct successor {
    pid_t pid;  /* not our child */
    int output; /* a pipe with its output until it has taken over the daemon's log; the caller closes it */
};

/* Reads the file that the daemon's command line names with -c; "": none. 0, or negative after printing the error.
 * The daemon controls the text. */
int successor_read_config(pid_t pid, char out[PATH_MAX]) MUST_CHECK;
/* 0, or negative after printing the error. */
int successor_start(struct successor *out, const struct successor_plan *plan) MUST_CHECK;

#endif
