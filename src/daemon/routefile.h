/* SPDX-License-Identifier: MIT */
/* The saved state of routes that were added at run time, as a file, and for the process that takes over.
 *
 * Does:    writes them as text, with the wall-clock time of their end; reads them back, each checked as one that is added
 *          now. The file is private (base/file.h), replaced as a whole, and removed when there is no route.
 * Owns:    nothing.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_ROUTEFILE_H
#define DOTSTUB_DAEMON_ROUTEFILE_H

#include "base/bytes.h"
#include "config/added.h"

/* The text; from malloc. NULL when out of memory. */
char *routes_pack(struct added_route *const *added, size_t count) MUST_CHECK;
/* Calls `take` with a reference for each route of the text that has not ended and that the configuration has the servers
 * for; the others are logged. 0, or ERROR_MALFORMED: the text is damaged. */
int routes_unpack(struct bytes packed, const struct config *config,
                  void (*take)(void *context, struct added_route *added), void *context) MUST_CHECK;

/* Replaces the file. False: it could not be written, which is logged, or there is no directory for it. */
bool routefile_write(const struct config *config, struct added_route *const *added, size_t count);
/* Reads the file, if there is one; what is wrong with it is logged. */
void routefile_read(const struct config *config, void (*take)(void *context, struct added_route *added), void *context);

#endif
