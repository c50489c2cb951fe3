/* SPDX-License-Identifier: MIT */
/* The running daemon: from binding the sockets to the end.
 *
 * Threads: the main thread; workers are threads of their own.
 */
#ifndef DOTSTUB_DAEMON_DAEMON_H
#define DOTSTUB_DAEMON_DAEMON_H

#include "config/config.h"
#include "net/tls.h"
#include "resolve/step.h"
#include "store/store.h"
#include <sys/types.h>

/* The result of command line and configuration; daemon_serve takes over configuration, trusts and steps. */
struct daemon_setup {
    struct config *config;
    struct tls_trust **trusts;     /* trusts[i] belongs to config->upstreams[i] */
    struct step_set *steps;        /* prepared for this configuration */
    struct tls_identity *identity; /* for listen-tls and listen-https; NULL: there is none, or it cannot be used */
    struct store_setup *store;     /* NULL: there is none */
    const char *file;              /* the file to reload; NULL: the default one */
    const char *user;              /* the user to run as if started as root; NULL: the default one */
    pid_t take_over;               /* the process to take over from; 0: none */
};

/* Binds, drops privileges, serves until SIGTERM or SIGINT. Returns the exit status; errors have been logged. */
int daemon_serve(const struct daemon_setup *setup);

#endif
