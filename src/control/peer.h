/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a unix socket, and whether that is somebody who may ask.
 *
 * Threads: any.
 */
#ifndef DOTSTUB_CONTROL_PEER_H
#define DOTSTUB_CONTROL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/check.h"

#define PEER_GROUPS 256 /* more supplementary groups than that are not looked at */

struct peer {
    uid_t uid;
    gid_t gid;
    gid_t groups[PEER_GROUPS];
    size_t group_count;
};

/* As the kernel noted it when the other end connected. 0 or a negative errno. */
int peer_read(struct peer *out, int fd) MUST_CHECK;
/* Root, the user `own`, and members of `group`. */
bool peer_may_ask(const struct peer *peer, uid_t own, gid_t group);

#endif
