/* SPDX-License-Identifier: MIT */
/* Messages to and from the service manager (sd_notify(3), sd_listen_fds(3), sd_pid_notify_with_fds(3)), without its
 * library.
 *
 * Does:    sends our state to the socket that NOTIFY_SOCKET names; reads the watchdog interval (WATCHDOG_USEC) and
 *          the number of inherited sockets (LISTEN_FDS): sockets that the manager opened, and sockets that an
 *          earlier process stored in it. Without a manager, or if its variables are meant for another process, no
 *          message is sent and no socket is inherited.
 * Owns:    nothing; the caller owns inherited descriptors.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_NET_NOTIFY_H
#define DOTSTUB_NET_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"

#define NOTIFY_FIRST_SOCKET 3 /* the descriptors of inherited sockets begin here */

/* Sends one assignment such as "READY=1", or several, one per line. 0, also without a manager, or a negative errno.
 * May block if the manager is slow to read. */
int notify_send(const char *assignments) MUST_CHECK;
/* The manager kills the process when it has not received "WATCHDOG=1" for this time; 0: no watchdog. */
uint64_t notify_watchdog_ms(void);
/* The number of sockets that were passed to this process; they become close-on-exec. -EINVAL if the number is
 * invalid, -EBADF if there are fewer descriptors. */
int notify_sockets(void) MUST_CHECK;
/* True if the i-th inherited socket has this name (LISTEN_FDNAMES); stored sockets have the name given to
 * notify_keep. */
bool notify_socket_is(int i, const char *name);

/* Stores copies of these descriptors in the manager for the next process, under a name, until the service is stopped.
 * It accepts at most FileDescriptorStoreMax= and stores duplicates once. As notify_send. */
int notify_keep(const char *name, const int *fds, size_t count) MUST_CHECK;
/* Removes the descriptors of this name from the manager. */
int notify_forget(const char *name) MUST_CHECK;
/* Waits until the manager has processed all earlier messages, for at most `ms`. 0, -ETIMEDOUT, or as notify_send. */
int notify_wait(int ms) MUST_CHECK;

#endif
