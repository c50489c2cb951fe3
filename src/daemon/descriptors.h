/* SPDX-License-Identifier: MIT */
/* The limit of open files.
 *
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_DESCRIPTORS_H
#define DOTSTUB_DAEMON_DESCRIPTORS_H

#include <stddef.h>
#include "config/config.h"

/* Raises the limit to the hard limit. Returns the maximum number of TCP clients of a worker: limits.tcp-clients,
 * or, after a log line, the descriptors left by its `listeners`, upstream sessions and the control side. */
unsigned descriptors_for_clients(const struct config *config, size_t listeners);

#endif
