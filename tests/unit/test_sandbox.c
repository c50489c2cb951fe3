/* SPDX-License-Identifier: MIT */
/* daemon/sandbox: each thing that it forbids is tried, in a process of its own, and each thing that the daemon needs. The
 * lists are written out here, so that a rule which is removed there fails here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include "base/errors.h"
#include "daemon/landlock.h"
#include "daemon/sandbox.h"
#include "daemon/syscalls.h"

enum { OTHER_USER = 65534, FAILED = 200 };

static char top[64], file[96], save_file[96], other_file[96], token_file[96];
static struct config config;
static struct config_upstream upstream;
static struct addr addr;

static void path_in(char *out, size_t cap, const char *name)
{
    snprintf(out, cap, "%s/%s", top, name);
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    char path[96];
    log_set_level(LOG_LEVEL_ERROR);
    strcpy(top, "/tmp/test_sandbox.XXXXXX");
    if (!mkdtemp(top) || chmod(top, 0777) < 0)
        return -1;
    const char *const directories[] = {"etc", "var", "other", "secret"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        path_in(path, sizeof path, directories[i]);
        if (mkdir(path, 0777) < 0 || chmod(path, 0777) < 0)
            return -1;
    }
    path_in(file, sizeof file, "etc/dotstub.yaml");
    path_in(save_file, sizeof save_file, "var/cache");
    path_in(other_file, sizeof other_file, "other/file");
    path_in(token_file, sizeof token_file, "secret/token");
    make_file(file);
    make_file(save_file);
    make_file(other_file);
    make_file(token_file);
    assert_int_equal(addr_parse(&addr, "127.0.0.1", 1), 0);
    addr_set_port(&addr, 8853);
    static char name[] = "one";
    upstream = (struct config_upstream){.name = name, .addresses = &addr, .address_count = 1};
    static char system[] = "system";
    config =
        (struct config){.sandbox = SANDBOX_ON, .upstreams = &upstream, .upstream_count = 1, .tls = {.ca_file = system}};
    config.cache.save_file = save_file;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", top);
    return system(command);
}

/* --- attempts, each in a child --- */

static int finish(int (*attempt)(void), void (*enter)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(OTHER_USER) < 0 || setresuid(OTHER_USER, OTHER_USER, OTHER_USER) < 0))
            _exit(FAILED);
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            _exit(FAILED);
        enter();
        int result = attempt();
        _exit(result < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void enter_sandbox(void)
{
    static struct sandbox sandbox;
    const struct sandbox_setup setup = {.file = file, .handover = -1};
    if (sandbox_enter(&sandbox, &config, &setup) < 0 || sandbox_complete(&sandbox, &config) < 0 ||
        sandbox.report.system_calls != syscalls_can_restrict())
        _exit(FAILED);
}

/* The errno of the attempt, 0, or the negative number of the signal that ended it. */
static int try(int (*attempt)(void))
{
    return finish(attempt, enter_sandbox);
}

/* --- system calls --- */

static const char *call_name;

static int call_it(void)
{
    return (int)syscall(seccomp_syscall_resolve_name(call_name), 0, 0, 0, 0, 0, 0);
}

static const char *const forbidden[] = {"execve",
                                        "execveat",
                                        "fork",
                                        "vfork",
                                        "kill",
                                        "tkill",
                                        "pidfd_getfd",
                                        "pidfd_send_signal",
                                        "process_madvise",
                                        "process_mrelease",
                                        "process_vm_readv",
                                        "process_vm_writev",
                                        "ptrace",
                                        "kcmp",
                                        "rt_sigqueueinfo",
                                        "rt_tgsigqueueinfo",
                                        "chroot",
                                        "fsconfig",
                                        "fsmount",
                                        "fsopen",
                                        "fspick",
                                        "mount",
                                        "mount_setattr",
                                        "move_mount",
                                        "open_tree",
                                        "pivot_root",
                                        "quotactl",
                                        "quotactl_fd",
                                        "setns",
                                        "swapoff",
                                        "swapon",
                                        "umount2",
                                        "unshare",
                                        "chmod",
                                        "chown",
                                        "fchmodat",
                                        "fchmodat2",
                                        "fchown",
                                        "fchownat",
                                        "fremovexattr",
                                        "fsetxattr",
                                        "futimesat",
                                        "lchown",
                                        "lremovexattr",
                                        "lsetxattr",
                                        "removexattr",
                                        "setxattr",
                                        "utime",
                                        "utimensat",
                                        "utimes",
                                        "creat",
                                        "link",
                                        "linkat",
                                        "mkdir",
                                        "mkdirat",
                                        "mknod",
                                        "mknodat",
                                        "rmdir",
                                        "symlink",
                                        "symlinkat",
                                        "truncate",
                                        "name_to_handle_at",
                                        "open_by_handle_at",
                                        "fanotify_init",
                                        "fanotify_mark",
                                        "add_key",
                                        "keyctl",
                                        "request_key",
                                        "bpf",
                                        "io_cancel",
                                        "io_destroy",
                                        "io_getevents",
                                        "io_pgetevents",
                                        "io_setup",
                                        "io_submit",
                                        "io_uring_enter",
                                        "io_uring_register",
                                        "memfd_create",
                                        "memfd_secret",
                                        "perf_event_open",
                                        "userfaultfd",
                                        "vmsplice",
                                        "mq_getsetattr",
                                        "mq_notify",
                                        "mq_open",
                                        "mq_timedreceive",
                                        "mq_timedsend",
                                        "mq_unlink",
                                        "msgctl",
                                        "msgget",
                                        "msgrcv",
                                        "msgsnd",
                                        "semctl",
                                        "semget",
                                        "semop",
                                        "semtimedop",
                                        "shmat",
                                        "shmctl",
                                        "shmdt",
                                        "shmget",
                                        "acct",
                                        "clock_settime",
                                        "delete_module",
                                        "finit_module",
                                        "init_module",
                                        "ioperm",
                                        "iopl",
                                        "kexec_file_load",
                                        "kexec_load",
                                        "lookup_dcookie",
                                        "modify_ldt",
                                        "personality",
                                        "reboot",
                                        "sethostname",
                                        "setdomainname",
                                        "settimeofday",
                                        "syslog",
                                        "vhangup",
                                        "capset",
                                        "ioprio_set",
                                        "mbind",
                                        "migrate_pages",
                                        "move_pages",
                                        "sched_setaffinity",
                                        "sched_setattr",
                                        "sched_setparam",
                                        "sched_setscheduler",
                                        "set_mempolicy",
                                        "set_mempolicy_home_node",
                                        "setfsgid",
                                        "setfsuid",
                                        "setgid",
                                        "setgroups",
                                        "setpriority",
                                        "setregid",
                                        "setresgid",
                                        "setresuid",
                                        "setreuid",
                                        "setrlimit",
                                        "setuid"};

static void need_filter(void)
{
    if (!syscalls_can_restrict())
        skip();
}

static void each_forbidden_call_fails(void **state)
{
    (void)state;
    need_filter();
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        call_name = forbidden[i];
        if (seccomp_syscall_resolve_name(call_name) < 0)
            continue; /* this processor or this library does not know it */
        int result = try(call_it);
        if (result != EPERM)
            fail_msg("%s: %d instead of EPERM", call_name, result);
    }
}

static void each_forbidden_call_ends_the_process_if_configured(void **state)
{
    (void)state;
    need_filter();
    config.sandbox = SANDBOX_KILL;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        call_name = forbidden[i];
        if (seccomp_syscall_resolve_name(call_name) < 0)
            continue;
        int result = try(call_it);
        if (result != -SIGSYS)
            fail_msg("%s: %d instead of SIGSYS", call_name, result);
    }
}

/* As the daemon does it: libuv must not have a ring when the filter comes. */
static int run_loop(void)
{
    uv_loop_t loop;
    uv_async_t async[4];
    bool good = syscalls_refuse_io_uring() == 0 && uv_loop_init(&loop) == 0;
    good = good && syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno == ENOSYS;
    good = good && syscalls_restrict(true, false) == 0;
    for (size_t i = 0; i < sizeof async / sizeof *async; i++)
        good = good && uv_async_init(&loop, &async[i], NULL) == 0;
    good = good && uv_run(&loop, UV_RUN_NOWAIT) != 0;
    errno = FAILED;
    return good ? 0 : -1;
}

static void no_sandbox(void)
{
}

static void loops_use_no_ring(void **state)
{
    (void)state;
    need_filter();
    assert_int_equal(finish(run_loop, no_sandbox), 0);
}

static int call_unknown(void)
{
    return (int)syscall(100000, 0, 0, 0, 0, 0, 0);
}

static int call_clone3(void)
{
    return (int)syscall(SYS_clone3, 0, 0, 0, 0, 0, 0);
}

static int call_io_uring(void)
{
    return (int)syscall(SYS_io_uring_setup, 0, NULL);
}

/* As at the end of the daemon: libuv tries to have a ring for each loop. */
static int make_loop(void)
{
    uv_loop_t loop;
    int status = uv_loop_init(&loop);
    errno = -status;
    return status;
}

static void unknown_calls_are_as_on_an_old_kernel(void **state)
{
    (void)state;
    need_filter();
    assert_int_equal(try(call_unknown), ENOSYS);
    assert_int_equal(try(call_clone3), ENOSYS);
    assert_int_equal(try(call_io_uring), ENOSYS);
    config.sandbox = SANDBOX_KILL;
    assert_int_equal(try(call_clone3), ENOSYS);
    assert_int_equal(try(call_io_uring), ENOSYS);
    assert_int_equal(try(make_loop), 0);
}

/* --- the build --- */

/* dotstub may be built by an emulator, or in a container, whose kernel has no filters. */
static void write_filters(void)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    if (context && seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0) == 0 &&
        seccomp_load(context) == 0)
        execl("/bin/sh", "sh", "-c", "src/daemon/write_filters | cmp -s - src/daemon/filters.c", NULL);
    _exit(FAILED);
}

static void the_kernel_of_the_build_does_not_matter(void **state)
{
    (void)state;
    int status;
    if (access("src/daemon/write_filters", X_OK) < 0)
        skip(); /* not run in the directory of the build */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_filters();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- arguments --- */

static int domain, kind;

static int open_socket(void)
{
    return socket(domain, kind, 0);
}

static int result_of_socket(int family, int type)
{
    domain = family;
    kind = type | SOCK_CLOEXEC | SOCK_NONBLOCK;
    return try(open_socket);
}

static void only_needed_sockets_are_opened(void **state)
{
    (void)state;
    need_filter();
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(result_of_socket(families[i], SOCK_DGRAM), 0);
        assert_int_equal(result_of_socket(families[i], SOCK_STREAM), 0);
        assert_int_equal(result_of_socket(families[i], SOCK_RAW), EPERM);
        assert_int_equal(result_of_socket(families[i], SOCK_SEQPACKET), EPERM);
        assert_int_equal(result_of_socket(families[i], SOCK_DCCP), EPERM);
    }
    assert_int_equal(result_of_socket(AF_NETLINK, SOCK_RAW), 0);
    assert_int_equal(result_of_socket(AF_NETLINK, SOCK_DGRAM), EPERM);
    assert_int_equal(result_of_socket(AF_UNIX, SOCK_DGRAM), 0);
    assert_int_equal(result_of_socket(AF_UNIX, SOCK_STREAM), EPERM);
    assert_int_equal(result_of_socket(AF_UNIX, SOCK_SEQPACKET), EPERM);
    static char tap[] = "/run/tap";
    config.dnstap_socket = tap;
    assert_int_equal(result_of_socket(AF_UNIX, SOCK_STREAM), 0);
    for (int family = 0; family < 70; family++)
        if (family != AF_INET && family != AF_INET6 && family != AF_NETLINK && family != AF_UNIX)
            assert_int_equal(result_of_socket(family, SOCK_STREAM), EPERM);
    assert_int_equal(result_of_socket(AF_PACKET, SOCK_RAW), EPERM);
    assert_int_equal(result_of_socket(AF_VSOCK, SOCK_STREAM), EPERM);
    assert_int_equal(result_of_socket(AF_ALG, SOCK_SEQPACKET), EPERM);
}

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                                  : 0;
}

static int protect_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int start_process(void)
{
    return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static int signal_another(void)
{
    return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int raise_limit(void)
{
    const struct rlimit limit = {16, 16};
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static int type_into_terminal(void)
{
    return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static int take_terminal(void)
{
    return ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

static int type_into_console(void)
{
    return ioctl(STDIN_FILENO, 0x541C, "x");
}

static int allow_tracing(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void arguments_are_looked_at(void **state)
{
    (void)state;
    need_filter();
    assert_int_equal(try(map_code), EPERM);
    assert_int_equal(try(protect_code), EPERM);
    assert_int_equal(try(start_process), EPERM);
    assert_int_equal(try(signal_another), EPERM);
    assert_int_equal(try(raise_limit), EPERM);
    assert_int_equal(try(type_into_terminal), EPERM);
    assert_int_equal(try(take_terminal), EPERM);
    assert_int_equal(try(type_into_console), EPERM);
    assert_int_equal(try(allow_tracing), ENOSYS);
}

/* --- what the daemon needs --- */

static void *run(void *context)
{
    return context;
}

static int use_threads(void)
{
    pthread_t thread;
    void *result = NULL;
    errno = pthread_create(&thread, NULL, run, top);
    return errno == 0 && pthread_join(thread, &result) == 0 && result == top ? 0 : -1;
}

static int fail_assertion(void)
{
    abort();
}

static int read_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit);
}

static int list_root(void)
{
    return open("/", O_RDONLY | O_CLOEXEC); /* libuv, when there are no descriptors left */
}

static int read_config(void)
{
    return open(file, O_RDONLY | O_CLOEXEC);
}

static int read_proc(void)
{
    return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

static int replace_saved(void)
{
    char draft[128];
    snprintf(draft, sizeof draft, "%s.new", save_file);
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, "x", 1) == 1 && fchmod(fd, 0600) == 0 && rename(draft, save_file) == 0
               ? unlink(save_file)
               : -1;
}

static void needed_things_work(void **state)
{
    (void)state;
    for (config.sandbox = SANDBOX_ON; config.sandbox <= SANDBOX_KILL; config.sandbox++) {
        assert_int_equal(try(use_threads), 0);
        assert_int_equal(try(fail_assertion), -SIGABRT);
        assert_int_equal(try(read_limit), 0);
        assert_int_equal(try(list_root), 0);
        assert_int_equal(try(read_config), 0);
        assert_int_equal(try(read_proc), 0);
        assert_int_equal(try(replace_saved), 0);
        make_file(save_file);
    }
}

/* --- files and ports --- */

static void need_landlock(void)
{
    if (landlock_version() == 0)
        skip();
}

static const char *path;
static int flags;

static int open_path(void)
{
    return open(path, flags | O_CLOEXEC, 0600);
}

static int result_of_open(const char *name, int how)
{
    path = name;
    flags = how;
    return try(open_path);
}

static void other_files_are_out_of_reach(void **state)
{
    (void)state;
    char beside[128];
    need_landlock();
    assert_int_equal(result_of_open(other_file, O_RDONLY), EACCES);
    assert_int_equal(result_of_open(other_file, O_WRONLY), EACCES);
    assert_int_equal(result_of_open("/etc/passwd", O_RDONLY), EACCES);
    assert_int_equal(result_of_open(file, O_WRONLY), EACCES);
    snprintf(beside, sizeof beside, "%s/etc/new", top);
    assert_int_equal(result_of_open(beside, O_WRONLY | O_CREAT), EACCES);
    snprintf(beside, sizeof beside, "%s/var/link", top);
    assert_int_equal(symlink(other_file, beside), 0);
    assert_int_equal(result_of_open(beside, O_RDONLY), EACCES);
    snprintf(beside, sizeof beside, "%s/var/new", top);
    assert_int_equal(result_of_open(beside, O_WRONLY | O_CREAT), 0);
    assert_int_equal(result_of_open(save_file, O_RDWR | O_TRUNC), 0);
}

static void what_a_configured_link_means_is_read(void **state)
{
    (void)state;
    static char link[96];
    need_landlock();
    path_in(link, sizeof link, "etc/token");
    assert_int_equal(symlink(token_file, link), 0);
    assert_int_equal(result_of_open(link, O_RDONLY), EACCES);
    config.metrics_token_file = link;
    assert_int_equal(result_of_open(link, O_RDONLY), 0);
}

static uint16_t port;

static int connect_to(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? fd : connect(fd, (struct sockaddr *)&to, sizeof to);
}

static int result_of_connect(unsigned number)
{
    port = (uint16_t)number;
    int result = try(connect_to);
    return result == ECONNREFUSED ? 0 : result; /* nothing listens */
}

static void connections_go_to_the_servers_of_routes(void **state)
{
    (void)state;
    if (!landlock_has_ports(landlock_version()))
        skip();
    struct addr servers[2] = {addr, addr};
    struct config_route routes[2] = {{.to = &servers[0], .to_count = 1}, {.to = &servers[1], .to_count = 1}};
    struct config_view view = {.forward = &routes[1], .forward_count = 1};
    addr_set_port(&servers[0], 5301);
    addr_set_port(&servers[1], 5302);
    config.forward = &routes[0];
    config.forward_count = 1;
    config.views = &view;
    config.view_count = 1;
    assert_int_equal(result_of_connect(5301), 0);
    assert_int_equal(result_of_connect(5302), 0);
    assert_int_equal(result_of_connect(5303), EACCES);
    config.forward_count = config.view_count = 0;
}

static void connections_go_to_the_ports_of_upstreams_only(void **state)
{
    (void)state;
    if (!landlock_has_ports(landlock_version()))
        skip();
    assert_int_equal(result_of_connect(53), 0);
    assert_int_equal(result_of_connect(443), 0);
    assert_int_equal(result_of_connect(853), 0);
    assert_int_equal(result_of_connect(8853), 0);
    assert_int_equal(result_of_connect(25), EACCES);
    assert_int_equal(result_of_connect(54), EACCES);
    assert_int_equal(result_of_connect(8854), EACCES);
}

static void off_is_off(void **state)
{
    (void)state;
    struct sandbox sandbox = {.path_count = 0};
    const struct sandbox_setup nothing = {.file = file, .handover = -1};
    config.sandbox = SANDBOX_OFF;
    assert_int_equal(sandbox_enter(&sandbox, &config, &nothing), 0);
    assert_int_equal(sandbox_complete(&sandbox, &config), 0);
    assert_false(sandbox.report.system_calls || sandbox.report.files || sandbox.report.tcp_ports);
    int fd = open(other_file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    sandbox_fini(&sandbox);
}

/* --- Landlock alone, where system calls would be forbidden too --- */

static unsigned granted; /* for the directory "var" */

static void enter_landlock(void)
{
    char directory[96];
    unsigned version = landlock_version();
    path_in(directory, sizeof directory, "var");
    int ruleset = landlock_begin(version);
    if (ruleset < 0 || landlock_allow_path(ruleset, version, directory, granted) < 0 || landlock_enter(ruleset) < 0)
        _exit(FAILED);
}

static char target[96];

static int make_directory(void)
{
    return mkdir(target, 0700);
}

static int make_fifo(void)
{
    return mkfifo(target, 0600);
}

static int make_link(void)
{
    return symlink("x", target);
}

static int make_regular(void)
{
    return open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int make_socket(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, target, strlen(target) + 1);
    return bind(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&name, sizeof name);
}

static int remove_file(void)
{
    return unlink(save_file);
}

static int truncate_file(void)
{
    return truncate(save_file, 0);
}

static int list_directory(void)
{
    char directory[96];
    path_in(directory, sizeof directory, "var");
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int execute(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}

static int move_away(void)
{
    char elsewhere[128];
    snprintf(elsewhere, sizeof elsewhere, "%s/other/cache", top);
    return rename(save_file, elsewhere);
}

static int signal_parent(void)
{
    return kill(getppid(), 0);
}

static int with(unsigned access, int (*attempt)(void))
{
    granted = access;
    return finish(attempt, enter_landlock);
}

static void rules_grant_no_more_than_they_say(void **state)
{
    (void)state;
    need_landlock();
    const unsigned all = LANDLOCK_READ | LANDLOCK_LIST | LANDLOCK_SAVE | LANDLOCK_SOCKETS;
    path_in(target, sizeof target, "var/made");
    assert_int_equal(with(all, make_directory), EACCES);
    assert_int_equal(with(all, make_fifo), EACCES);
    assert_int_equal(with(all, make_link), EACCES);
    assert_int_equal(with(all, execute), EACCES);
    assert_int_not_equal(with(all, move_away), 0);
    assert_int_equal(with(all & ~LANDLOCK_SOCKETS, make_socket), EACCES);
    assert_int_equal(with(LANDLOCK_SOCKETS, make_socket), 0);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(with(all & ~LANDLOCK_SAVE, make_regular), EACCES);
    assert_int_equal(with(LANDLOCK_SAVE, make_regular), 0);
    assert_int_equal(with(LANDLOCK_SOCKETS, list_directory), EACCES);
    assert_int_equal(with(LANDLOCK_LIST, list_directory), 0);
    assert_int_equal(with(LANDLOCK_READ | LANDLOCK_LIST, remove_file), EACCES);
    if (landlock_version() >= 3)
        assert_int_equal(with(LANDLOCK_READ | LANDLOCK_LIST, truncate_file), EACCES);
    if (landlock_version() >= 6)
        assert_int_equal(with(all, signal_parent), EPERM);
    assert_int_equal(with(LANDLOCK_SAVE, truncate_file), 0);
    assert_int_equal(with(LANDLOCK_SAVE, remove_file), 0);
}

/* --- reload --- */

static char report[1024];

/* In a child, which enters the sandbox for `config` and checks `changed`; its report is in `report`. */
static int check_change(struct config *changed, const char *changed_file)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        static struct sandbox sandbox;
        const struct sandbox_setup entered = {.file = file, .handover = -1};
        FILE *errors = fdopen(ends[1], "w");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_enter(&sandbox, &config, &entered) < 0 ||
            sandbox_complete(&sandbox, &config) < 0)
            _exit(FAILED);
        int result = sandbox_check_file(&sandbox, changed_file, errors);
        if (result == 0)
            result = sandbox_check(&sandbox, changed, errors);
        fflush(errors);
        _exit(result == 0 ? 0 : result == ERROR_CONFIG ? 1 : FAILED);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], report, sizeof report - 1);
    report[len > 0 ? len : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_reload_that_needs_more_says_so(void **state)
{
    (void)state;
    static char ca_file[96], known[96];
    struct config changed = config;
    need_landlock();
    assert_int_equal(check_change(&changed, file), 0);
    assert_string_equal(report, "");
    snprintf(ca_file, sizeof ca_file, "%s", other_file);
    changed.tls.ca_file = ca_file;
    assert_int_equal(check_change(&changed, file), 1);
    assert_non_null(strstr(report, "tls.ca-file: "));
    assert_non_null(strstr(report, "restart needed\n"));
    path_in(known, sizeof known, "etc/ca.pem");
    changed.tls.ca_file = known;
    assert_int_equal(check_change(&changed, file), 0);
    assert_int_equal(symlink(other_file, known), 0); /* it is replaced by a link to elsewhere */
    assert_int_equal(check_change(&changed, file), 1);
    assert_int_equal(unlink(known), 0);
    changed = config;
    assert_int_equal(check_change(&changed, other_file), 1);
    assert_non_null(strstr(report, "the configuration file: "));
    if (!landlock_has_ports(landlock_version()))
        return;
    struct addr elsewhere = addr;
    struct config_upstream moved = upstream;
    addr_set_port(&elsewhere, 8854);
    moved.addresses = &elsewhere;
    changed.upstreams = &moved;
    assert_int_equal(check_change(&changed, file), 1);
    assert_string_equal(report, "upstream one: port 8854 is not among those that the sandbox allows: restart needed\n");
    addr_set_port(&elsewhere, 443);
    assert_int_equal(check_change(&changed, file), 0);
    char url[] = "https://one.example:8443/dns-query";
    moved.transport = TRANSPORT_AUTO;
    moved.https = url;
    assert_int_equal(check_change(&changed, file), 1);
    assert_string_equal(report, "upstream one: port 8443 is not among those that the sandbox allows: restart needed\n");
    char zone[] = "corp.example", *zones[] = {zone};
    struct config_route route = {.zones = zones, .zone_count = 1, .to = &elsewhere, .to_count = 1};
    struct config_view view = {.forward = &route, .forward_count = 1};
    addr_set_port(&elsewhere, 8854);
    changed = config;
    changed.views = &view;
    changed.view_count = 1;
    assert_int_equal(check_change(&changed, file), 1);
    assert_string_equal(
        report, "the route of corp.example: port 8854 is not among those that the sandbox allows: restart needed\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_forbidden_call_fails),
        TEST(each_forbidden_call_ends_the_process_if_configured),
        TEST(loops_use_no_ring),
        TEST(unknown_calls_are_as_on_an_old_kernel),
        TEST(the_kernel_of_the_build_does_not_matter),
        TEST(only_needed_sockets_are_opened),
        TEST(arguments_are_looked_at),
        TEST(needed_things_work),
        TEST(other_files_are_out_of_reach),
        TEST(what_a_configured_link_means_is_read),
        TEST(connections_go_to_the_ports_of_upstreams_only),
        TEST(connections_go_to_the_servers_of_routes),
        TEST(off_is_off),
        TEST(rules_grant_no_more_than_they_say),
        TEST(a_reload_that_needs_more_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
