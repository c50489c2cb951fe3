/* SPDX-License-Identifier: MIT */
/* Dropping privileges: from root to a user without any. */
#ifndef DOTSTUB_DAEMON_PRIVILEGES_H
#define DOTSTUB_DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/bytes.h"

#define PRIVILEGES_DEFAULT_USER "dotstub"

/* Makes effective the permitted capabilities that opening sockets needs. Call it before they are opened. */
void privileges_raise(void);
/* Started as root: becomes `user` (NULL: the default) without any capability. Started as another user: drops all
 * capabilities. `bind`: keeps the one that opens ports below 1024, for addresses that come later; `user` must then be NULL or that user. The process cannot gain privileges again. 0, or negative
 * after a log line with the remedy. Call it when all sockets are bound and all files read, before the first
 * thread. */
int privileges_drop(const char *user, bool bind) MUST_CHECK;
/* The user and group that privileges_drop will set. 0, or -ENOENT after a log line. */
int privileges_identity(const char *user, uid_t *uid, gid_t *gid) MUST_CHECK;
/* Looks the user up early, so that a mistake shows at once. As above. */
int privileges_check(const char *user) MUST_CHECK;

#endif
