/* SPDX-License-Identifier: MIT */
/* TLS tickets on disk, beside the saved cache: the first session after a restart is resumed.
 *
 * Does:    writes the tickets when the workers have ended; reads them at the start and removes the file, so that
 *          each ticket is used once. A ticket is a secret: the file has mode 0600; a file accessible to other
 *          users is ignored.
 * Owns:    nothing.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_TICKETFILE_H
#define DOTSTUB_DAEMON_TICKETFILE_H

#include "worker.h"

/* Appends the tickets of these workers to `out`, in the format of the file. 0 or -ENOMEM. Call it on the workers'
 * threads, or while they do not run. */
int tickets_pack(struct buffer *out, struct worker *const *workers, unsigned count) MUST_CHECK;
/* Distributes the tickets over the workers in turn, before they run. 0 or ERROR_MALFORMED. */
int tickets_unpack(struct bytes packed, struct worker **workers, unsigned count) MUST_CHECK;

/* Reads the file and distributes its tickets over the workers, before they run. */
void ticketfile_read(const char *path, struct worker **workers, unsigned count);
/* Call it when the workers have ended. Without tickets there is no file. */
void ticketfile_write(const char *path, struct worker **workers, unsigned count);

#endif
