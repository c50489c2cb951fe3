/* SPDX-License-Identifier: MIT */
/* The file with the latest addresses of upstreams' hosts, so that a start does not depend on their bootstraps.
 *
 * Does:    writes the file whole; reads the entries of hosts that are still configured.
 * Owns:    nothing.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_HOSTFILE_H
#define DOTSTUB_DAEMON_HOSTFILE_H

#include <stddef.h>
#include "host_state.h"

/* Adds the saved addresses to the states of the same upstream and host. A file that is missing, damaged, of another
 * user or accessible to others is ignored; the latter cases with a warning. */
void hostfile_read(const char *path, struct host_state *states, size_t count);
/* A failure is logged. */
void hostfile_write(const char *path, const struct host_state *states, size_t count);

#endif
