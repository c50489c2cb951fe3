/* SPDX-License-Identifier: MIT */
/* Whole reads and writes on descriptors that may block, and descriptors sent over unix sockets.
 *
 * Does:    repeats what was interrupted or done in part. No signal: EPIPE on a socket is an error like others.
 * Owns:    nothing; what recv_fds receives is the caller's.
 * Threads: any.
 */
#ifndef DOTSTUB_BASE_IO_H
#define DOTSTUB_BASE_IO_H

#include <stddef.h>
#include <sys/types.h>
#include "base/check.h"

/* In one message; the kernel takes 253 (SCM_MAX_FD). */
enum { IO_FDS = 250 };

/* Reads `len` bytes. 0; ERROR_CLOSED: the end came before; or a negative errno. */
int read_full(int fd, void *out, size_t len) MUST_CHECK;
/* Reads up to the end, at most `cap` bytes. How many, or a negative errno. */
ssize_t read_to_end(int fd, void *out, size_t cap) MUST_CHECK;
/* Writes `len` bytes. 0 or a negative errno. */
int write_full(int fd, const void *data, size_t len) MUST_CHECK;

/* Sends descriptors over a connected unix socket, IO_FDS a message, each message with the same data: at least a byte. Without
 * descriptors nothing is sent. 0 or a negative errno. */
int send_fds(int fd, const void *data, size_t len, const int *fds, size_t count) MUST_CHECK;
/* Receives one message from a stream: `len` bytes of data and the descriptors that came with them, close-on-exec; *count is 0
 * where there were none. 0; ERROR_CLOSED: the end; ERROR_MALFORMED: more than IO_FDS; or a negative errno. */
int recv_fds(int fd, void *data, size_t len, int fds[IO_FDS], size_t *count) MUST_CHECK;

#endif
