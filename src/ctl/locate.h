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

/* What was said on the command line, else what the configuration says, as far as it can be read. 0, or an exit status after a line
 * that says what is wrong. */
int locate_socket(const struct options *options, char out[PATH_MAX]) MUST_CHECK;
/* Why the daemon at this socket could not be asked, in one line; gives the exit status. */
int locate_explain(const char *path, int error);

/* The address at which programs of this machine would ask the daemon: of those that the configuration has it listen at, loopback and port
 * 53 before others. As above. */
int locate_server(const struct options *options, struct addr *out) MUST_CHECK;

#endif
