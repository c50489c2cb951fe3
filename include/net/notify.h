/* SPDX-License-Identifier: MIT */
/* Talk with the service manager (sd_notify(3), sd_listen_fds(3), sd_pid_notify_with_fds(3)), without its library.
 *
 * Does:    tells the manager that started us how we are, by the socket that NOTIFY_SOCKET names; reads how often
 *          it wants to hear of us (WATCHDOG_USEC) and how many sockets it has for us (LISTEN_FDS): those that it has opened,
 *          and those that a process before us gave it to keep. Where there is no manager, or its words are meant for another
 *          process, nothing is sent and nothing is wanted.
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
/* True if the i-th of them has this name (LISTEN_FDNAMES): those that were kept have the one they were given with. */
bool notify_socket_is(int i, const char *name);

/* Gives the manager copies of these descriptors to keep for the next process, under a name: until this service has stopped for
 * good. As many as it allows (FileDescriptorStoreMax=); it keeps one of each. As notify_send. */
int notify_keep(const char *name, const int *fds, size_t count) MUST_CHECK;
/* It is to keep none of this name any more. */
int notify_forget(const char *name) MUST_CHECK;
/* Waits until the manager has processed all earlier messages, at most this number of ms. 0, -ETIMEDOUT, or as notify_send. */
int notify_wait(int ms) MUST_CHECK;

#endif
