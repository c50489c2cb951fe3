/* SPDX-License-Identifier: MIT */
/* Dropping privileges: from root to a user without any. */
#ifndef DOTSTUB_DAEMON_PRIVILEGES_H
#define DOTSTUB_DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/bytes.h"
#include "config/config.h"

#define PRIVILEGES_DEFAULT_USER "dotstub"

/* Makes effective the permitted capabilities that opening and marking sockets needs. Call it first. */
void privileges_raise(void);
/* Started as root: between these two, files are read with the rights of `user` (NULL: the default), who may have
 * written them, or linked them to others. Nothing happens if there is no such user, with whom the start fails anyway. */
void privileges_lower(const char *user);
void privileges_return(void);
/* Capabilities that the process keeps if it has them. */
enum {
    KEEP_BIND = 1, /* opens ports below 1024: for addresses that come later */
    KEEP_MARK = 2, /* marks packets: CAP_NET_RAW, with which the sandbox forbids raw sockets, or before Linux 5.17
                      CAP_NET_ADMIN */
};
/* Started as root: becomes `user` (NULL: the default) without any capability. Started as another user: drops all
 * capabilities. `keep`: except these. The process cannot gain privileges again. 0, or negative after a log line with
 * the remedy. Call it when all sockets are bound and all files read, before the first thread. */
int privileges_drop(const char *user, unsigned keep) MUST_CHECK;
/* True if an upstream has a fwmark. */
bool privileges_need_mark(const struct config *config);
/* Whether this process may set the marks of the configuration. 0, or ERROR_CONFIG after writing the remedy. */
int privileges_check_marks(const struct config *config, FILE *errors) MUST_CHECK;
/* The user and group that privileges_drop will set. 0, or -ENOENT after a log line. */
int privileges_identity(const char *user, uid_t *uid, gid_t *gid) MUST_CHECK;
/* Looks the user up early, so that a mistake shows at once. As above. */
int privileges_check(const char *user) MUST_CHECK;

#endif
