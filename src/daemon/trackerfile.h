/* SPDX-License-Identifier: MIT */
/* The saved state of the tracking of trust anchors: the evidence (dnssec/tracking.h).
 *
 * Does:    writes them, replacing the file as a whole, and gives them to the tracking at the start. The file is private
 *          (base/file.h). Nothing in it is believed: each sighting counts only by the root's signatures, checked again; and if it
 *          would leave no anchor, it is ignored, since a file without the successor of a revoked key does that.
 * Owns:    nothing.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_TRACKERFILE_H
#define DOTSTUB_DAEMON_TRACKERFILE_H

#include "config/config.h"

/* Call it when privileges are dropped, after tracked_begin. A file that is damaged is logged and ignored as a whole. */
void trackerfile_read(const struct config *config);
/* False: it failed, which is logged. Without anything to save the file is removed. */
bool trackerfile_write(const struct config *config);

#endif
