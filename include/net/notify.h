/* SPDX-License-Identifier: MIT */
/* Messages to and from the service manager (sd_notify(3), sd_listen_fds(3), sd_pid_notify_with_fds(3)), without its
 * library.
 *
 * Does:    sends our state to the socket that NOTIFY_SOCKET names; reads the watchdog interval (WATCHDOG_USEC) and the
 *          number of inherited sockets (LISTEN_FDS): sockets that the manager opened, and sockets that an earlier
 *          process stored in it. Without a manager, or if its variables are meant for another process, nothing is sent
 *          and none is inherited.
 * Owns:    nothing; inherited descriptors are the caller's.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_NET_NOTIFY_H
#define DOTSTUB_NET_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"

#define NOTIFY_FIRST_SOCKET 3 /* the descriptors of inherited sockets begin here */

/* Sends assignments, "READY=1" or several in lines of their own. 0, also if nobody wants to hear, or a negative
 * errno. May wait for a manager that is slow to read. */
int notify_send(const char *assignments) MUST_CHECK;
/* The manager kills us when it has not had "WATCHDOG=1" for so long; 0: it does not wait for it. */
uint64_t notify_watchdog_ms(void);
/* The number of sockets that were passed to this process; they become close-on-exec. -EINVAL if the number cannot be read,
 * -EBADF if there are fewer. */
int notify_sockets(void) MUST_CHECK;
/* True if the i-th of them has this name (LISTEN_FDNAMES): stored ones have the name that they were stored under. */
bool notify_socket_is(int i, const char *name);

/* Stores copies of these descriptors in the manager for the next process, under a name, until the service is stopped.
 * It accepts at most FileDescriptorStoreMax= and stores duplicates once. As notify_send. */
int notify_keep(const char *name, const int *fds, size_t count) MUST_CHECK;
/* Removes the descriptors of this name from the manager. */
int notify_forget(const char *name) MUST_CHECK;
/* Waits until the manager has processed all earlier messages, at most this number of ms. 0, -ETIMEDOUT, or as notify_send. */
int notify_wait(int ms) MUST_CHECK;

#endif
