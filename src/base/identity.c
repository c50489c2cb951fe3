/* SPDX-License-Identifier: MIT */
#include "base/identity.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int identity_assume(struct identity *before, uid_t uid, gid_t gid)
{
    *before = (struct identity){geteuid(), getegid()};
    if (before->uid != 0 || uid == 0 || (setegid(gid) == 0 && seteuid(uid) == 0))
        return 0;
    identity_restore(before);
    return -EPERM;
}

void identity_restore(const struct identity *before)
{
    if ((geteuid() != before->uid && seteuid(before->uid) < 0) ||
        (getegid() != before->gid && setegid(before->gid) < 0))
        abort(); /* cannot happen: the saved user is still root */
}

static bool is_roots(const char *path)
{
    struct stat stat;
    return lstat(path, &stat) == 0 && S_ISDIR(stat.st_mode) && stat.st_uid == 0 &&
           (!(stat.st_mode & (S_IWGRP | S_IWOTH)) || stat.st_mode & S_ISVTX);
}

bool identity_is_roots(const char *directory)
{
    char path[PATH_MAX];
    if (!realpath(directory, path) || !is_roots("/"))
        return false;
    for (char *end = path + 1; *end; end++) {
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        if (!is_roots(path))
            return false;
        if (!kept)
            break;
        *end = kept;
    }
    return true;
}
