/* SPDX-License-Identifier: MIT */
/* Where the daemon is.
 *
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_LOCATE_H
#define DOTSTUB_CTL_LOCATE_H

#include <limits.h>
#include "base/addr.h"
#include "base/check.h"
#include "command.h"
#include "config/config.h"

/* What was said on the command line, else what the configuration says, as far as it can be read. 0, or an exit status after a line
 * that says what is wrong. */
int locate_socket(const struct options *options, char out[PATH_MAX]) MUST_CHECK;
/* Why the daemon at this socket could not be asked, in one line; gives the exit status. */
int locate_explain(const char *path, int error);

/* The configuration. 0 with a reference, or an exit status after what is wrong with it. */
int locate_config(const struct options *options, struct config **out) MUST_CHECK;
/* An address at which it listens, as it is asked: in place of a wildcard its family's loopback address. */
struct addr locate_asked(const struct addr *listening);
/* The address at which programs of this machine would ask: of those that it listens at, port 53 and loopback before others. */
struct addr locate_listener(const struct config *config);

#endif
