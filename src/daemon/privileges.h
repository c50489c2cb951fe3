/* SPDX-License-Identifier: MIT */
/* From root to a user that can do nothing but run. */
#ifndef DOTSTUB_DAEMON_PRIVILEGES_H
#define DOTSTUB_DAEMON_PRIVILEGES_H

#include <sys/types.h>
#include "base/bytes.h"

#define PRIVILEGES_DEFAULT_USER "dotstub"

/* Makes effective what is permitted and helps with sockets. To be called before they are opened. */
void privileges_raise(void);
/* Started as root: becomes `user` (NULL: the default) without any capability. Started as anybody else: gives up all capabilities;
 * `user` must then be NULL or that user. The process can gain no privileges again. 0, or negative after one line that says what is
 * wrong and what to do. To be called when all sockets are bound and all files read, before the first thread. */
int privileges_drop(const char *user) MUST_CHECK;
/* Whom privileges_drop will make of us: 0, or -ENOENT after a line. */
int privileges_identity(const char *user, uid_t *uid, gid_t *gid) MUST_CHECK;
/* Looks the user up before anything else is done, so that a mistake shows at once. As above. */
int privileges_check(const char *user) MUST_CHECK;

#endif
