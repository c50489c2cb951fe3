/* SPDX-License-Identifier: MIT */
/* The directory "handover" beside the control socket: mode 0700, of the daemon's user. Only that user and root can
 * access its contents, so no other container and no other user of the host can.
 *
 * Does:    makes and opens the directory; names in it are used through the descriptor, even if its path changes.
 * Owns:    nothing; the caller owns the descriptor.
 * Threads: the main thread, before others start.
 */
#ifndef DOTSTUB_DAEMON_PRIVATE_DIR_H
#define DOTSTUB_DAEMON_PRIVATE_DIR_H

#include <sys/types.h>
#include <sys/un.h>
#include "base/bytes.h"

/* Makes the directory if it is missing: as that user, or, where only root has permission, as root. 0 or a
 * negative errno. */
int private_dir_make(const char *control_socket, uid_t uid, gid_t gid) MUST_CHECK;
/* Opens the directory. Returns a descriptor for the functions below (O_PATH), or a negative errno; -EPERM: it
 * belongs to another user, or others may enter. */
int private_dir_open(const char *control_socket, uid_t uid) MUST_CHECK;
/* The address of the unix socket `name` in the directory, whatever the length of its path. 0 or -ENAMETOOLONG. */
int private_dir_address(struct sockaddr_un *out, int directory, const char *name) MUST_CHECK;

#endif
