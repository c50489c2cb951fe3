/* SPDX-License-Identifier: MIT */
/* The C library has no functions for these system calls, and the headers of Debian 12 know versions 1 to 3 only; numbers
 * and structures are those of <linux/landlock.h>. The kernel accepts a longer structure than it knows if the rest is 0. */
#include "landlock.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { QUERY_VERSION = 1, RULE_PATH = 1, RULE_PORT = 2, PORTS_SINCE = 4, SCOPES_SINCE = 6 };

#define FS(bit)     (UINT64_C(1) << (bit))
#define WRITE_FILE  FS(1)
#define READ_FILE   FS(2)
#define READ_DIR    FS(3)
#define REMOVE_FILE FS(5)
#define MAKE_REG    FS(8)
#define MAKE_SOCK   FS(9)
#define TRUNCATE    FS(14)
#define IOCTL_DEV   FS(15)
#define OF_FILES                                                                                                       \
    (FS(0) | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV) /* the rights that a rule for a file may have */
#define CONNECT_TCP  (UINT64_C(1) << 1)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

struct ruleset {
    uint64_t fs, net, scoped;
};

struct path_rule {
    uint64_t access;
    int32_t parent;
} __attribute__((packed));

struct port_rule {
    uint64_t access, port;
};

/* All that the version can restrict. */
static uint64_t handled_fs(unsigned version)
{
    unsigned bits = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;
    return FS(bits) - 1;
}

unsigned landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, QUERY_VERSION);
    return version > 0 ? (unsigned)version : 0;
}

bool landlock_has_ports(unsigned version)
{
    return version >= PORTS_SINCE;
}

int landlock_begin(unsigned version)
{
    struct ruleset rules = {.fs = handled_fs(version),
                            .net = landlock_has_ports(version) ? CONNECT_TCP : 0,
                            .scoped = version >= SCOPES_SINCE ? SCOPE_SIGNAL : 0};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    return fd < 0 ? -errno : fd;
}

static uint64_t rights(unsigned access)
{
    uint64_t rights = access & LANDLOCK_READ ? READ_FILE : 0;
    if (access & LANDLOCK_LIST)
        rights |= READ_DIR;
    if (access & LANDLOCK_SAVE)
        rights |= READ_FILE | WRITE_FILE | REMOVE_FILE | MAKE_REG | TRUNCATE;
    if (access & LANDLOCK_SOCKETS)
        rights |= REMOVE_FILE | MAKE_SOCK;
    return rights;
}

int landlock_allow_fd(int ruleset, unsigned version, int fd, unsigned access)
{
    struct stat stat;
    struct path_rule rule = {.access = rights(access) & handled_fs(version), .parent = fd};
    if (fstat(fd, &stat) < 0)
        return -errno;
    if (!S_ISDIR(stat.st_mode))
        rule.access &= OF_FILES;
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) < 0 ? -errno : 0;
}

int landlock_allow_path(int ruleset, unsigned version, const char *path, unsigned access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = landlock_allow_fd(ruleset, version, fd, access);
    close(fd);
    return status;
}

int landlock_allow_port(int ruleset, uint16_t port)
{
    struct port_rule rule = {CONNECT_TCP, port};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) < 0 ? -errno : 0;
}

int landlock_enter(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
