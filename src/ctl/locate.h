/* SPDX-License-Identifier: MIT */
/* Finds the daemon's sockets.
 *
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_LOCATE_H
#define DOTSTUB_CTL_LOCATE_H

#include <limits.h>
#include "base/addr.h"
#include "base/check.h"
#include "command.h"
#include "config/config.h"

/* Finds the control socket: from the command line, else from the configuration if it can be read, else the default. 0,
 * or an exit status after printing the error. */
int locate_socket(const struct options *options, char out[PATH_MAX]) MUST_CHECK;
/* The same without a message; false if control.socket is off. */
bool locate_socket_quietly(const struct options *options, char out[PATH_MAX]) MUST_CHECK;
/* Prints why a request to this socket failed, in one line; returns the exit status. */
int locate_explain(const char *path, int error);

/* The program of the daemon: the one beside dotstubctl, as in a build directory, else the installed one. */
const char *locate_daemon(char beside[PATH_MAX]);
/* Loads the configuration. 0 with a reference, or an exit status after printing its mistakes. */
int locate_config(const struct options *options, struct config **out) MUST_CHECK;
/* Converts a listening address to one to send to: a wildcard becomes its family's loopback address. */
struct addr locate_asked(const struct addr *listening);
/* Picks the address that local programs would use: port 53 and loopback addresses first. */
struct addr locate_listener(const struct config *config);

#endif
