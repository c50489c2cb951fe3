/* SPDX-License-Identifier: MIT */
/* Exit statuses, as in dotstub(8): sysexits.h numbers. */
#ifndef DOTSTUB_DAEMON_EXITS_H
#define DOTSTUB_DAEMON_EXITS_H

#include <sysexits.h>

enum {
    EXIT_OK = 0,
    EXIT_OTHER = 1,
    EXIT_USAGE = EX_USAGE,          /* 64 */
    EXIT_PORT = EX_OSERR,           /* 71 */
    EXIT_PRIVILEGES = EX_NOPERM,    /* 77 */
    EXIT_CONFIGURATION = EX_CONFIG, /* 78 */
};

#endif
