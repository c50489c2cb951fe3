/* SPDX-License-Identifier: MIT */
/* The sandbox: what this process gives up once it runs, whichever way it was started.
 *
 * Does:    restricts files and outgoing TCP ports (landlock.h) and system calls (syscalls.h), as far as the kernel can. Files
 *          are allowed by their directories: they are replaced by rename, and are often symbolic links.
 * Owns:    the list of what is allowed.
 * Threads: the main thread. Files and ports are restricted before others start, system calls afterwards, for all of
 *          them: the filter takes some milliseconds to build, and queries are answered meanwhile. It is never left.
 */
#ifndef DOTSTUB_DAEMON_SANDBOX_H
#define DOTSTUB_DAEMON_SANDBOX_H

#include <limits.h>
#include "config/config.h"
#include "control/ops.h"

struct sandbox {
    struct sandbox_report report; /* what is in force */
    struct sandbox_path *paths;   /* allowed */
    size_t path_count;
    uint16_t *ports;
    size_t port_count;
    bool new_socket;      /* as in the setup */
    bool no_unix_streams; /* connections to unix sockets are forbidden */
};

struct sandbox_setup {
    const char *file; /* the configuration file; NULL: the default */
    int handover;     /* the directory of the hand-over's socket; -1: none */
    bool new_socket;  /* the control socket could not be made yet: it is tried again */
};

/* Files and ports, before other threads start; a kernel that cannot restrict them is not an error. 0 or -ENOMEM. */
int sandbox_enter(struct sandbox *sandbox, const struct config *config, const struct sandbox_setup *setup) MUST_CHECK;
/* System calls of all threads, once those run. Logs the restrictions in force. 0 or -ENOMEM. */
int sandbox_complete(struct sandbox *sandbox, const struct config *config) MUST_CHECK;
/* For a reload: 0, or ERROR_CONFIG after one line to `errors` for each thing that needs a restart. The first before the
 * file is read, the second before what the configuration names is opened. */
int sandbox_check_file(const struct sandbox *sandbox, const char *file, FILE *errors) MUST_CHECK;
int sandbox_check(const struct sandbox *sandbox, const struct config *config, FILE *errors) MUST_CHECK;
/* The same for a route that is added at run time. */
int sandbox_check_route(const struct sandbox *sandbox, const struct config_route *route, FILE *errors) MUST_CHECK;
void sandbox_fini(struct sandbox *sandbox);

#endif
