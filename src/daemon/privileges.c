/* SPDX-License-Identifier: MIT */
#include "privileges.h"
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"

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
    static const unsigned useful[] = {CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW};
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

/* --- the rights of the user for a time --- */

static struct {
    bool now;
    gid_t gid, *groups;
    int group_count;
} lowered;

void privileges_lower(const char *user)
{
    const struct passwd *entry = geteuid() == 0 ? getpwnam(user ? user : PRIVILEGES_DEFAULT_USER) : NULL;
    int count = entry ? getgroups(0, NULL) : -1;
    gid_t *groups = count >= 0 ? mem_zalloc((size_t)count + 1, sizeof *groups) : NULL;
    if (!groups || (count = getgroups(count, groups)) < 0) {
        mem_free(groups);
        return;
    }
    lowered.gid = getegid();
    lowered.groups = groups;
    lowered.group_count = count;
    lowered.now = true;
    if (setgroups(0, NULL) < 0 || setegid(entry->pw_gid) < 0 || seteuid(entry->pw_uid) < 0)
        privileges_return();
}

/* Root's effective capabilities come back with its user. */
void privileges_return(void)
{
    if (!lowered.now)
        return;
    if (seteuid(0) < 0 || setegid(lowered.gid) < 0)
        log_error("daemon", "cannot become root again: %s", error_text(-errno));
    (void)!setgroups((size_t)lowered.group_count, lowered.groups);
    mem_free(lowered.groups);
    lowered.now = false;
}

/* --- capabilities --- */

/* SO_MARK needs CAP_NET_ADMIN, or since Linux 5.17 CAP_NET_RAW. */
static bool kernel_marks_with_raw(void)
{
    struct utsname name;
    unsigned major, minor;
    return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 17));
}

static unsigned capability_to_mark(void)
{
    bool raw = kernel_marks_with_raw() && capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW);
    return raw ? CAP_NET_RAW : CAP_NET_ADMIN;
}

static void keep_capability(bool wanted, unsigned capability)
{
    if (wanted)
        (void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability);
}

static int become(const struct passwd *entry, unsigned keep)
{
    unsigned mark = capability_to_mark();
    capng_clear(CAPNG_SELECT_BOTH);
    keep_capability(keep & KEEP_BIND, CAP_NET_BIND_SERVICE);
    keep_capability(keep & KEEP_MARK, mark);
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

/* Of an unprivileged process (file or ambient capabilities). */
static int give_up_capabilities(unsigned keep)
{
    if (capng_have_permitted_capabilities() <= CAPNG_NONE)
        return 0;
    unsigned mark = capability_to_mark();
    bool bind = keep & KEEP_BIND && capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE),
         marks = keep & KEEP_MARK && capng_have_capability(CAPNG_PERMITTED, mark);
    capng_clear(CAPNG_SELECT_CAPS);
    keep_capability(bind, CAP_NET_BIND_SERVICE);
    keep_capability(marks, mark);
    if (capng_apply(CAPNG_SELECT_CAPS) == 0)
        return 0;
    log_error("daemon", "cannot give up capabilities");
    return -EPERM;
}

bool privileges_need_mark(const struct config *config)
{
    for (size_t i = 0; i < config->upstream_count; i++)
        if (config->upstreams[i].fwmark)
            return true;
    return false;
}

static bool may_mark(uint32_t mark)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT;
    bool may = setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0;
    close(fd);
    return may;
}

int privileges_check_marks(const struct config *config, FILE *errors)
{
    for (size_t i = 0; i < config->upstream_count; i++) {
        const struct config_upstream *upstream = &config->upstreams[i];
        if (!upstream->fwmark || may_mark(upstream->fwmark))
            continue;
        fprintf(
            errors,
            "%s: upstream %s: fwmark needs the capability CAP_NET_RAW (before Linux 5.17 CAP_NET_ADMIN), which this "
            "process does not have; start dotstub as root, or add the capability to AmbientCapabilities and "
            "CapabilityBoundingSet of its unit and restart it\n",
            config_item_origin(config, "upstreams", i, "fwmark"), upstream->name);
        return ERROR_CONFIG;
    }
    return 0;
}

int privileges_drop(const char *user, unsigned keep)
{
    int status;
    if (geteuid() == 0) {
        const struct passwd *entry = find_user(user);
        status = entry ? become(entry, keep) : -ENOENT;
    } else {
        status = give_up_capabilities(keep);
    }
    if (status == 0)
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return status;
}
