/* SPDX-License-Identifier: MIT */
/* Where log lines go.
 *
 * Owns:    a description of its own of a terminal; else it borrows the descriptor.
 * Threads: logsink_set_output before there are others; the rest any.
 */
#ifndef DOTSTUB_BASE_LOGSINK_H
#define DOTSTUB_BASE_LOGSINK_H

#include <stdbool.h>
#include <stddef.h>

void logsink_set_output(int fd);
/* True if it is the journal's. */
bool logsink_is_journal(void);
/* Whole lines, in one write that does not block; false: they are lost. */
bool logsink_put(const char *lines, size_t len);

#endif
