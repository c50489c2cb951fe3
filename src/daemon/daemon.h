/* SPDX-License-Identifier: MIT */
/* The running daemon: from the bound sockets to the end.
 *
 * Threads: the main thread; workers are threads of their own.
 */
#ifndef DOTSTUB_DAEMON_DAEMON_H
#define DOTSTUB_DAEMON_DAEMON_H

#include "config/config.h"
#include "net/tls.h"
#include "resolve/step.h"
#include <sys/types.h>

/* What the command line and the configuration came to; daemon_serve takes over configuration, trusts and steps. */
struct daemon_setup {
    struct config *config;
    struct tls_trust **trusts; /* trusts[i] belongs to config->upstreams[i] */
    struct step_set *steps;    /* prepared for it */
    const char *file;          /* to read the configuration from again; NULL: the default one */
    const char *user;          /* to run as, when started as root; NULL: the default one */
    pid_t take_over;           /* the process to take over from; 0: none */
};

/* Binds, gives up privileges, serves until SIGTERM or SIGINT. Gives the status to exit with; what is wrong has been said. */
int daemon_serve(const struct daemon_setup *setup);

#endif
