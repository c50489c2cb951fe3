/* SPDX-License-Identifier: MIT */
/* Credentials of the process at the other end of a unix socket, and whether they give access.
 *
 * Threads: Any.
 */
#ifndef DOTSTUB_CONTROL_PEER_H
#define DOTSTUB_CONTROL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/check.h"

#define PEER_GROUPS 256 /* a peer with more supplementary groups counts as having none */

struct peer {
    uid_t uid;
    gid_t gid;
    gid_t groups[PEER_GROUPS];
    size_t group_count;
};

/* Reads the credentials that the kernel recorded at connect(). 0 or a negative error. */
int peer_read(struct peer *out, int fd) MUST_CHECK;
/* True for root, the user `own` and members of `group`. */
bool peer_may_ask(const struct peer *peer, uid_t own, gid_t group);

#endif
