/* SPDX-License-Identifier: MIT */
/* Writes src/daemon/filters.c when dotstub is built: the rules below, which libseccomp compiles for the processor. It takes
 * some 3 ms and half a megabyte, too much for each start. Names that this processor or this library does not know are
 * skipped, so the tables name the calls of all. Arguments are compared by value: the kernel does not follow pointers. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "filters.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static const char *const allowed[] = {
    /* memory */
    "brk", "madvise", "membarrier", "mincore", "mremap", "munmap",
    /* threads and the process itself */
    "arch_prctl", "exit", "exit_group", "futex", "futex_time64", "futex_waitv", "get_robust_list", "getcpu", "getpid",
    "getppid", "getrandom", "getrusage", "gettid", "rseq", "sched_getaffinity", "sched_yield", "set_robust_list",
    "set_tid_address", "sysinfo", "times", "uname",
    /* users, to be read */
    "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getresgid",
    "getresgid32", "getresuid", "getresuid32", "getrlimit", "getuid", "getuid32", "ugetrlimit",
    /* signals */
    "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_sigtimedwait_time64", "sigaltstack", "sigreturn",
    /* time; adjtimex tells whether the clock is synchronised, and cannot set it without a capability */
    "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
    "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "gettimeofday", "nanosleep", "time",
    "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
    /* events */
    "_newselect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
    "eventfd2", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "pipe", "pipe2", "poll",
    "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "select", "signalfd", "signalfd4",
    /* descriptors */
    "_llseek", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "fdatasync", "fsync", "lseek",
    "pidfd_open", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readv", "sendfile",
    "sendfile64", "write", "writev",
    /* files, within Landlock's rules */
    "access", "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fchmod", "fstat", "fstat64", "fstatat64",
    "fstatfs", "fstatfs64", "getcwd", "getdents", "getdents64", "lstat", "lstat64", "newfstatat", "open", "openat",
    "readlink", "readlinkat", "rename", "renameat", "renameat2", "stat", "stat64", "statfs", "statfs64", "statx",
    "umask", "unlink", "unlinkat",
    /* sockets */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recv", "recvfrom",
    "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown"};

static const char *const forbidden[] = {
    /* other programs and processes */
    "execve", "execveat", "fork", "vfork", "kill", "tkill", "pidfd_getfd", "pidfd_send_signal", "process_madvise",
    "process_mrelease", "process_vm_readv", "process_vm_writev", "ptrace", "kcmp", "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    /* the file system's shape */
    "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree",
    "pivot_root", "quotactl", "quotactl_fd", "setns", "swapoff", "swapon", "umount", "umount2", "unshare",
    /* owners, modes and names of files; Landlock does not know the first ones */
    "chmod", "chown", "chown32", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fremovexattr", "fsetxattr",
    "futimesat", "lchown", "lchown32", "lremovexattr", "lsetxattr", "removexattr", "setxattr", "utime", "utimensat",
    "utimensat_time64", "utimes", "creat", "link", "linkat", "mkdir", "mkdirat", "mknod", "mknodat", "rmdir", "symlink",
    "symlinkat", "truncate", "truncate64", "name_to_handle_at", "open_by_handle_at", "fanotify_init", "fanotify_mark",
    /* keys */
    "add_key", "keyctl", "request_key",
    /* large interfaces of the kernel */
    "bpf", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit",
    "io_uring_enter", "io_uring_register", "memfd_create", "memfd_secret", "perf_event_open", "userfaultfd", "vmsplice",
    /* shared memory and queues */
    "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
    "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop",
    "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget",
    /* the machine */
    "acct", "clock_settime", "clock_settime64", "delete_module", "finit_module", "init_module", "ioperm", "iopl",
    "kexec_file_load", "kexec_load", "lookup_dcookie", "modify_ldt", "personality", "reboot", "sethostname",
    "setdomainname", "settimeofday", "stime", "syslog", "vhangup", "vm86", "vm86old",
    /* users, limits and scheduling */
    "capset", "ioprio_set", "mbind", "migrate_pages", "move_pages", "sched_setaffinity", "sched_setattr",
    "sched_setparam", "sched_setscheduler", "set_mempolicy", "set_mempolicy_home_node", "setfsgid", "setfsgid32",
    "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setpriority", "setregid", "setregid32",
    "setresgid", "setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32", "setrlimit", "setuid",
    "setuid32"};

/* The C library tries these first and has another way; so does libuv from version 1.45 on, whenever it makes a loop, with
 * io_uring_setup. */
static const char *const absent[] = {"clone3", "io_uring_setup", "map_shadow_stack", "mseal", "openat2"};

static const uint64_t ioctls[] = {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TIOCOUTQ, TCGETS, TIOCGWINSZ, 0x8910, 0x8933};
/* The last two: SIOCGIFNAME, SIOCGIFINDEX of <linux/sockios.h>. */
static const uint64_t bad_ioctls[] = {TIOCSTI, TIOCSCTTY, 0x541C}; /* the last one: TIOCLINUX */
static const uint64_t options[] = {PR_SET_NAME,         PR_GET_NAME,         PR_SET_VMA,     PR_GET_DUMPABLE,
                                   PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_CAPBSET_READ};

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct filter {
    scmp_filter_ctx context;
    uint32_t other, bad; /* actions: for calls without a rule, for forbidden ones */
    int status;          /* the first error */
};

static void add_if(struct filter *filter, uint32_t action, const char *name, unsigned count,
                   const struct scmp_arg_cmp *arguments)
{
    int number = seccomp_syscall_resolve_name(name);
    if (filter->status < 0 || number == __NR_SCMP_ERROR || action == filter->other)
        return;
    int status = seccomp_rule_add_array(filter->context, action, number, count, arguments);
    if (status < 0 && status != -EDOM) /* another processor's */
        filter->status = status;
}

/* A rule for calls whose argument compares so. */
static void add(struct filter *filter, uint32_t action, const char *name, unsigned argument, enum scmp_compare how,
                uint64_t a, uint64_t b)
{
    const struct scmp_arg_cmp compare = {.arg = argument, .op = how, .datum_a = a, .datum_b = b};
    add_if(filter, action, name, 1, &compare);
}

static void add_all(struct filter *filter, uint32_t action, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_if(filter, action, names[i], 0, NULL);
}

static void add_values(struct filter *filter, uint32_t action, const char *name, unsigned argument,
                       const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(filter, action, name, argument, SCMP_CMP_EQ, values[i], 0);
}

/* --- sockets --- */

enum { LAST_FAMILY = AF_NETLINK, TYPE_MASK = 0xf };

static bool is_needed(unsigned family, unsigned type, bool unix_streams)
{
    switch (family) {
    case AF_INET:
    case AF_INET6:
        return type == SOCK_STREAM || type == SOCK_DGRAM;
    case AF_NETLINK: /* changes of the network */
        return type == SOCK_RAW;
    case AF_UNIX: /* datagrams: the service manager; names of interfaces */
        return type == SOCK_DGRAM || (type == SOCK_STREAM && unix_streams);
    default:
        return false;
    }
}

static void add_type(struct filter *filter, unsigned family, unsigned type, bool unix_streams)
{
    const struct scmp_arg_cmp compare[] = {{.arg = 0, .op = SCMP_CMP_EQ, .datum_a = family},
                                           {.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = TYPE_MASK, .datum_b = type}};
    add_if(filter, is_needed(family, type, unix_streams) ? SCMP_ACT_ALLOW : filter->bad, "socket", COUNT(compare),
           compare);
}

static void add_sockets(struct filter *filter, bool unix_streams)
{
    static const unsigned types[] = {SOCK_STREAM,    SOCK_DGRAM, SOCK_RAW,   SOCK_RDM,
                                     SOCK_SEQPACKET, SOCK_DCCP,  SOCK_PACKET};
    for (unsigned family = 0; family <= LAST_FAMILY; family++) {
        bool used = family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
        if (!used)
            add(filter, filter->bad, "socket", 0, SCMP_CMP_EQ, family, 0);
        for (size_t i = 0; used && i < COUNT(types); i++)
            add_type(filter, family, types[i], unix_streams);
    }
    add(filter, filter->bad, "socket", 0, SCMP_CMP_GT, LAST_FAMILY, 0);
}

/* --- calls whose arguments matter --- */

static void add_memory(struct filter *filter)
{
    static const char *const maps[] = {"mmap", "mmap2"}, *const protects[] = {"mprotect", "pkey_mprotect"};
    const uint64_t both = PROT_WRITE | PROT_EXEC;
    for (size_t i = 0; i < COUNT(maps); i++) {
        add(filter, filter->bad, maps[i], 2, SCMP_CMP_MASKED_EQ, both, both);
        add(filter, SCMP_ACT_ALLOW, maps[i], 2, SCMP_CMP_MASKED_EQ, both, PROT_WRITE);
        add(filter, SCMP_ACT_ALLOW, maps[i], 2, SCMP_CMP_MASKED_EQ, both, PROT_EXEC);
        add(filter, SCMP_ACT_ALLOW, maps[i], 2, SCMP_CMP_MASKED_EQ, both, 0);
    }
    for (size_t i = 0; i < COUNT(protects); i++) {
        add(filter, filter->bad, protects[i], 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
        add(filter, SCMP_ACT_ALLOW, protects[i], 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    }
}

/* Threads, but no processes; abort(), but no signal to another process; limits are read, not set. */
static void add_process(struct filter *filter)
{
#ifdef __s390__
    enum { FLAGS = 1 };
#else
    enum { FLAGS = 0 };
#endif
    add(filter, SCMP_ACT_ALLOW, "clone", FLAGS, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    add(filter, filter->bad, "clone", FLAGS, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    add(filter, SCMP_ACT_ALLOW, "tgkill", 0, SCMP_CMP_EQ, FILTER_PID, 0);
    add(filter, filter->bad, "tgkill", 0, SCMP_CMP_NE, FILTER_PID, 0);
    add(filter, SCMP_ACT_ALLOW, "prlimit64", 2, SCMP_CMP_EQ, 0, 0);
    add(filter, filter->bad, "prlimit64", 2, SCMP_CMP_NE, 0, 0);
    add_values(filter, SCMP_ACT_ALLOW, "prctl", 0, options, COUNT(options));
    add_values(filter, SCMP_ACT_ALLOW, "ioctl", 1, ioctls, COUNT(ioctls));
    add_values(filter, filter->bad, "ioctl", 1, bad_ioctls, COUNT(bad_ioctls));
}

/* --- the filter --- */

static int set_attributes(scmp_filter_ctx context)
{
    enum { BINARY_TREE = 2 }; /* of numbers, instead of a list */
    int status = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    return status < 0 ? status : seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE);
}

static int set_rules(scmp_filter_ctx context, unsigned kind)
{
    const bool kill = kind & FILTER_KILL, unix_streams = kind & FILTER_UNIX_STREAMS;
    struct filter filter = {.context = context,
                            .other = kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS),
                            .bad = kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM)};
    filter.status = seccomp_reset(context, filter.other);
    if (filter.status == 0)
        filter.status = set_attributes(context);
    add_all(&filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    add_all(&filter, filter.bad, forbidden, COUNT(forbidden));
    add_all(&filter, SCMP_ACT_ERRNO(ENOSYS), absent, COUNT(absent));
    add_sockets(&filter, unix_streams);
    add_memory(&filter);
    add_process(&filter);
    return filter.status;
}

static int set_no_io_uring(scmp_filter_ctx context)
{
    int status = seccomp_reset(context, SCMP_ACT_ALLOW);
    if (status == 0)
        status = set_attributes(context);
    return status < 0 ? status : seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
}

/* --- the programs --- */

static int print_code(FILE *compiled, unsigned kind)
{
    struct sock_filter code;
    rewind(compiled);
    printf("static const struct sock_filter code_%u[] = {\n", kind);
    while (fread(&code, sizeof code, 1, compiled) == 1)
        printf("    {0x%x, %u, %u, 0x%x},\n", code.code, code.jt, code.jf, (unsigned)code.k);
    puts("};\n");
    return ferror(compiled) ? -EIO : 0;
}

static int print_program(unsigned kind)
{
    FILE *compiled = tmpfile();
    scmp_filter_ctx context = compiled ? seccomp_init(SCMP_ACT_ALLOW) : NULL;
    int status = !compiled ? -errno : context ? 0 : -ENOMEM;
    if (status == 0)
        status = kind == FILTER_NO_IO_URING ? set_no_io_uring(context) : set_rules(context, kind);
    if (status == 0)
        status = seccomp_export_bpf(context, fileno(compiled));
    if (status == 0)
        status = print_code(compiled, kind);
    if (compiled)
        fclose(compiled);
    seccomp_release(context);
    return status;
}

int main(void)
{
    enum { LINUX_4_14 = 3 }; /* has all that the rules use; else libseccomp asks the kernel that dotstub is built on */
    if (seccomp_api_set(LINUX_4_14) < 0) {
        fputs("write_filters: libseccomp is too old\n", stderr);
        return 1;
    }
    puts("/* Written by write_filters.c; do not edit. */\n#include \"daemon/filters.h\"\n");
    for (unsigned kind = 0; kind < FILTER_COUNT; kind++) {
        int status = print_program(kind);
        if (status < 0) {
            fprintf(stderr, "write_filters: program %u: %s\n", kind, strerror(-status));
            return 1;
        }
    }
    puts("const struct filter_program filter_programs[FILTER_COUNT] = {");
    for (unsigned kind = 0; kind < FILTER_COUNT; kind++)
        printf("    {code_%u, sizeof code_%u / sizeof *code_%u},\n", kind, kind, kind);
    puts("};");
    return fflush(stdout) < 0 || ferror(stdout);
}
