/* SPDX-License-Identifier: MIT */
/* For root: acting as another user for a moment, so that a file in a directory of that user is made with that user's
 * rights. The owner of a directory can replace the files in it at any moment; root must not follow.
 *
 * Owns:    nothing.
 * Threads: only while there is one thread.
 */
#ifndef DOTSTUB_BASE_IDENTITY_H
#define DOTSTUB_BASE_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/check.h"

struct identity {
    uid_t uid;
    gid_t gid;
};

/* The effective user and group become these, without capabilities; does nothing unless we are root. 0, or -EPERM: root
 * may not change its user here, and is still root. */
int identity_assume(struct identity *before, uid_t uid, gid_t gid) MUST_CHECK;
void identity_restore(const struct identity *before);

/* True if only root can change which file a name in this directory means: the directory and all above it belong to root
 * and are writable by nobody else, or sticky. */
bool identity_is_roots(const char *directory);

#endif
