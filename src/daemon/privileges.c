/* SPDX-License-Identifier: MIT */
#include "privileges.h"
#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/log.h"

static const struct passwd *find_user(const char *user)
{
    const char *name = user ? user : PRIVILEGES_DEFAULT_USER;
    const struct passwd *entry = getpwnam(name);
    if (!entry)
        log_error("daemon", "user %s does not exist: create it (useradd --system %s) or name another with --user", name,
                  name);
    return entry;
}

int privileges_check(const char *user)
{
    if (geteuid() != 0 && !user)
        return 0;
    const struct passwd *entry = find_user(user);
    if (!entry)
        return -ENOENT;
    if (geteuid() != 0 && entry->pw_uid != geteuid()) {
        log_error("daemon", "cannot become user %s: start as root, or without --user", user);
        return -EPERM;
    }
    return 0;
}

int privileges_identity(const char *user, uid_t *uid, gid_t *gid)
{
    const struct passwd *entry = geteuid() == 0 ? find_user(user) : NULL;
    if (geteuid() == 0 && !entry)
        return -ENOENT;
    *uid = entry ? entry->pw_uid : geteuid();
    *gid = entry ? entry->pw_gid : getegid();
    return 0;
}

/* The program file has permitted, not effective capabilities: with effective ones it could not be started at all
 * where they are withheld. */
void privileges_raise(void)
{
    static const unsigned useful[] = {CAP_NET_BIND_SERVICE, CAP_NET_ADMIN};
    bool found = false;
    for (size_t i = 0; i < sizeof useful / sizeof *useful; i++) {
        if (!capng_have_capability(CAPNG_PERMITTED, useful[i]) || capng_have_capability(CAPNG_EFFECTIVE, useful[i]))
            continue;
        found = true;
        (void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, useful[i]);
    }
    if (found && capng_apply(CAPNG_SELECT_CAPS) != 0)
        log_warning("daemon", "cannot use the file capabilities of the program, so binding a port below 1024 may fail");
}

static void keep_bind(bool bind)
{
    if (bind)
        (void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
}

static int become(const struct passwd *entry, bool bind)
{
    capng_clear(CAPNG_SELECT_BOTH);
    keep_bind(bind);
    int status = capng_change_id((int)entry->pw_uid, (int)entry->pw_gid,
                                 CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
    if (status == 0)
        return 0;
    log_error(
        "daemon",
        "cannot become user %s (step %d failed): the container or service manager forbids it; start as that user instead",
        entry->pw_name, -status);
    return -EPERM;
}

/* Capabilities of an unprivileged process (file or ambient ones) served only to bind. */
static int give_up_capabilities(bool bind)
{
    if (capng_have_permitted_capabilities() <= CAPNG_NONE)
        return 0;
    bind = bind && capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
    capng_clear(CAPNG_SELECT_CAPS);
    keep_bind(bind);
    if (capng_apply(CAPNG_SELECT_CAPS) == 0)
        return 0;
    log_error("daemon", "cannot give up capabilities");
    return -EPERM;
}

int privileges_drop(const char *user, bool bind)
{
    int status;
    if (geteuid() == 0) {
        const struct passwd *entry = find_user(user);
        status = entry ? become(entry, bind) : -ENOENT;
    } else {
        status = give_up_capabilities(bind);
    }
    if (status == 0)
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return status;
}
