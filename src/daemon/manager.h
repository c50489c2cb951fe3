/* SPDX-License-Identifier: MIT */
/* What the service manager is told, and a line if that fails.
 *
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_MANAGER_H
#define DOTSTUB_DAEMON_MANAGER_H

/* As notify_send. */
void manager_tell(const char *assignments);

#endif
