/* SPDX-License-Identifier: MIT */
/* Complete reads and writes on descriptors that may block, and descriptors sent over unix sockets.
 *
 * Does:    repeats a call that was interrupted or transferred only a part. A socket whose peer has closed gives
 *          -EPIPE, never SIGPIPE.
 * Owns:    nothing; the caller owns the descriptors that recv_fds receives.
 * Threads: any.
 */
#ifndef DOTSTUB_BASE_IO_H
#define DOTSTUB_BASE_IO_H

#include <stddef.h>
#include <sys/types.h>
#include "base/check.h"

/* Descriptors in one message; the kernel's limit is 253 (SCM_MAX_FD). */
enum { IO_FDS = 250 };

/* Reads `len` bytes. 0; ERROR_CLOSED: the stream ended before; or a negative errno. */
int read_full(int fd, void *out, size_t len) MUST_CHECK;
/* Reads up to the end, at most `cap` bytes. Returns the number of bytes or a negative errno. */
ssize_t read_to_end(int fd, void *out, size_t cap) MUST_CHECK;
/* Writes `len` bytes. 0 or a negative errno. */
int write_full(int fd, const void *data, size_t len) MUST_CHECK;

/* Closes all descriptors from `first` on. */
void close_from(int first);

/* Sends descriptors over a connected unix socket, IO_FDS per message, each message with the same data of at least
 * one byte. Sends nothing if there are no descriptors. 0 or a negative errno. */
int send_fds(int fd, const void *data, size_t len, const int *fds, size_t count) MUST_CHECK;
/* Receives one message from a stream: `len` bytes of data and the descriptors sent with them, close-on-exec
 * (*count is 0 if there are none). 0; ERROR_CLOSED: the stream ended; ERROR_MALFORMED: more than IO_FDS; or a
 * negative errno. */
int recv_fds(int fd, void *data, size_t len, int fds[IO_FDS], size_t *count) MUST_CHECK;

#endif
