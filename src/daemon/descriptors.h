/* SPDX-License-Identifier: MIT */
/* Descriptors, of which there are only so many.
 *
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_DESCRIPTORS_H
#define DOTSTUB_DAEMON_DESCRIPTORS_H

#include <stddef.h>
#include "config/config.h"

/* Raises the limit to what is allowed, and gives how many TCP clients a worker may have: limits.tcp-clients, or, after a line, what the
 * `listeners` of each worker, upstream sessions and the control side leave. */
unsigned descriptors_for_clients(const struct config *config, size_t listeners);

#endif
