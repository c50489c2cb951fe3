/* SPDX-License-Identifier: MIT */
/* The destination of log lines.
 *
 * Owns:    its own non-blocking descriptor of a terminal; any other descriptor is borrowed.
 * Threads: logsink_set_output before there are other threads; the rest any.
 */
#ifndef DOTSTUB_BASE_LOGSINK_H
#define DOTSTUB_BASE_LOGSINK_H

#include <stdbool.h>
#include <stddef.h>

void logsink_set_output(int fd);
/* True if the descriptor is the journal's. */
bool logsink_is_journal(void);
/* Writes whole lines in one write that does not block. False: they were dropped. */
bool logsink_put(const char *lines, size_t len);

#endif
