/* SPDX-License-Identifier: MIT */
/* Landlock: this thread, and those it starts, may use only the files and TCP ports that rules name.
 *
 * Owns:    nothing; the caller owns the descriptor of a ruleset.
 * Threads: the main thread, before others start: the kernel restricts one thread.
 */
#ifndef DOTSTUB_DAEMON_LANDLOCK_H
#define DOTSTUB_DAEMON_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/check.h"

/* Bits for landlock_allow_path, for all that is below a directory, or for a file. */
enum landlock_access {
    LANDLOCK_READ = 1 << 0,    /* read files */
    LANDLOCK_LIST = 1 << 1,    /* list directories */
    LANDLOCK_SAVE = 1 << 2,    /* read, write, make, rename and remove files */
    LANDLOCK_SOCKETS = 1 << 3, /* make, rename and remove sockets */
};

/* The version of the kernel's interface; 0: it has none, or forbids it. */
unsigned landlock_version(void);
bool landlock_has_ports(unsigned version);
/* Returns the descriptor of a ruleset for this version, or a negative errno. */
int landlock_begin(unsigned version) MUST_CHECK;
/* 0 or a negative errno, -ENOENT if there is no such path. */
int landlock_allow_path(int ruleset, unsigned version, const char *path, unsigned access) MUST_CHECK;
/* The same for an open file or directory; O_PATH is enough. */
int landlock_allow_fd(int ruleset, unsigned version, int fd, unsigned access) MUST_CHECK;
/* 0 or a negative errno. */
int landlock_allow_port(int ruleset, uint16_t port) MUST_CHECK;
/* From here on the rules hold. Needs no_new_privs. 0 or a negative errno. */
int landlock_enter(int ruleset) MUST_CHECK;

#endif
