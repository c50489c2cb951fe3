/* SPDX-License-Identifier: MIT */
/* TLS tickets on the disk, beside the saved cache: the first session after a restart is resumed.
 *
 * Does:    writes them at the end, when the workers have ended; reads them at the start and removes the file, so that each is
 *          used once. A ticket is a secret: the file is its owner's alone (0600), and one that is not is ignored.
 * Owns:    nothing.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_TICKETFILE_H
#define DOTSTUB_DAEMON_TICKETFILE_H

#include "worker.h"

/* All tickets of these workers in the format of the file, appended to `out`: 0 or -ENOMEM. On the workers' threads, or where
 * these do not run. */
int tickets_pack(struct buffer *out, struct worker *const *workers, unsigned count) MUST_CHECK;
/* Shares them out among the workers, before these run; the first gets the first. 0 or ERROR_MALFORMED. */
int tickets_unpack(struct bytes packed, struct worker **workers, unsigned count) MUST_CHECK;

/* Shares them out among the workers, before these run. */
void ticketfile_read(const char *path, struct worker **workers, unsigned count);
/* After they have ended. Without tickets there is no file. */
void ticketfile_write(const char *path, struct worker **workers, unsigned count);

#endif
