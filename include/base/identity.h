/* SPDX-License-Identifier: MIT */
/* For root: acts temporarily as another user, so that a file in a directory of that user is made with that user's
 * rights. The owner of a directory can replace its files at any moment, and root must not act on the replacement.
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

/* Sets the effective user and group, without capabilities; does nothing unless we are root. 0, or -EPERM: the
 * process may not change its user and is still root. */
int identity_assume(struct identity *before, uid_t uid, gid_t gid) MUST_CHECK;
void identity_restore(const struct identity *before);

/* True if only root can change which file a name in this directory refers to: the directory and all above it belong
 * to root and are not writable by others, or are sticky. */
bool identity_is_roots(const char *directory);

#endif
