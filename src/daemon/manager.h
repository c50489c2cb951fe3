/* SPDX-License-Identifier: MIT */
/* Notifications to the service manager; a failure is logged.
 *
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_MANAGER_H
#define DOTSTUB_DAEMON_MANAGER_H

/* As notify_send. */
void manager_tell(const char *assignments);

#endif
