/* SPDX-License-Identifier: MIT */
/* The process that is to follow the daemon.
 *
 * Does:    starts a program with the command line, the environment, the limits, the control group and the namespaces of the
 *          daemon, and --take-over.
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_SUCCESSOR_H
#define DOTSTUB_CTL_SUCCESSOR_H

#include <sys/types.h>
#include "base/check.h"

/* What a daemon says of itself. */
struct running {
    pid_t pid;
    char version[64];
};
/* Reads an answer to /status: 0 or -EPROTO. */
int running_read(struct running *out, const char *json) MUST_CHECK;

/* Begins the successor of `daemon`; `binary` NULL: the program that the daemon was started from, as it is now. Its number (it is
 * no child of ours), or negative after a line that says what is wrong. */
pid_t successor_start(const struct running *daemon, const char *binary) MUST_CHECK;

#endif
