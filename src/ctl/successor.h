/* SPDX-License-Identifier: MIT */
/* Starts the process that replaces the daemon.
 *
 * Does:    Starts a program with --take-over and with the daemon's command line, environment, limits, control group and
 *          namespaces.
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_SUCCESSOR_H
#define DOTSTUB_CTL_SUCCESSOR_H

#include <sys/types.h>
#include "base/check.h"

/* A running daemon. */
struct running {
    pid_t pid;
    char version[64];
};
/* Parses a reply to /status: 0 or -EPROTO. */
int running_read(struct running *out, const char *json) MUST_CHECK;

/* Starts the successor of `daemon`; `binary` NULL: the daemon's own program file in its present version. Returns its
 * pid (it is not our child), or negative after printing the error. */
pid_t successor_start(const struct running *daemon, const char *binary) MUST_CHECK;

#endif
