/* SPDX-License-Identifier: MIT */
/* An attacker may control the daemon, so its replies are not trusted, and no program of its choice is executed with
 * more rights than it has: the process takes on the user and groups that the kernel recorded for the daemon before
 * it executes the program.
 *
 * A service manager accepts messages only from processes in the service's control group. If the daemon has a service
 * manager, the successor must join that group or it is not started: then a restart by the manager is the way, and it
 * loses no query either. */
#include "successor.h"
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"

enum { WORDS_MAX = 4096, TEXT_MAX = 1 << 20, FIRST_OTHER_FD = 3 };

/* --- the daemon's properties --- */

/* Reads a file of /proc/PID and appends a NUL; NULL after printing the error. */
static char *read_about(pid_t pid, const char *name, size_t *len)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    FILE *file = fopen(path, "r");
    char *text = file ? malloc(TEXT_MAX) : NULL;
    *len = text ? fread(text, 1, TEXT_MAX - 1, file) : 0;
    if (!text)
        fprintf(stderr, "dotstubctl: cannot read %s: %s; run as root\n", path, error_text(-errno));
    else
        text[*len] = '\0';
    if (file)
        fclose(file);
    return text;
}

/* Splits a list of NUL-terminated words into an array that ends with NULL and has room for one more. */
static char **split(char *text, size_t len)
{
    char **words = calloc(WORDS_MAX + 2, sizeof *words);
    size_t count = 0;
    for (char *at = text; words && at < text + len && count < WORDS_MAX; at += strlen(at) + 1)
        words[count++] = at;
    return words;
}

static const char *value_of(char *const *variables, const char *name)
{
    size_t len = strlen(name);
    for (; *variables; variables++)
        if (strncmp(*variables, name, len) == 0 && (*variables)[len] == '=')
            return *variables + len + 1;
    return NULL;
}

/* The successor gets only the options and the variables of the service manager, not for example variables of the
 * loader. */
static bool is_kept(const char *variable)
{
    static const char *const names[] = {"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "JOURNAL_STREAM=", "INVOCATION_ID="};
    bool found = strncmp(variable, "DOTSTUB_", strlen("DOTSTUB_")) == 0;
    for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++)
        found = strncmp(variable, names[i], strlen(names[i])) == 0;
    return found;
}

static void adapt_environment(char **variables)
{
    static char watchdog[48];
    bool watched = value_of(variables, "WATCHDOG_PID") != NULL;
    char **to = variables;
    for (char **from = variables; *from; from++)
        if (is_kept(*from))
            *to++ = *from;
    snprintf(watchdog, sizeof watchdog, "WATCHDOG_PID=%ld", (long)getpid());
    if (watched)
        *to++ = watchdog;
    *to = NULL;
}

/* The file that the command line names with -c; NULL: none. */
static const char *config_of(char *const *words)
{
    static const char option[] = "--config=";
    const char *file = NULL;
    for (size_t i = 0; words[0] && words[i]; i++) {
        if ((strcmp(words[i], "-c") == 0 || strcmp(words[i], "--config") == 0) && words[i + 1])
            file = words[++i];
        else if (strncmp(words[i], "-c", 2) == 0 && words[i][2])
            file = words[i] + 2;
        else if (strncmp(words[i], option, sizeof option - 1) == 0)
            file = words[i] + sizeof option - 1;
    }
    return file;
}

int successor_read_config(pid_t pid, char out[PATH_MAX])
{
    size_t len;
    char *command = read_about(pid, "cmdline", &len);
    char **words = command ? split(command, len) : NULL;
    const char *file = words ? config_of(words) : NULL;
    int status = words ? 0 : -ENOMEM;
    snprintf(out, PATH_MAX, "%s", file ? file : "");
    free(words);
    free(command);
    return status;
}

/* --- in the successor, after the fork --- */

/* The cgroup hierarchies of service managers: version 2, alone or beside version 1, and systemd's in version 1. */
static const struct hierarchy {
    const char *name; /* in /proc/PID/cgroup, after the number */
    const char *mounts[2];
} hierarchies[] = {
    {"::", {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}},
    {":name=systemd:", {"/sys/fs/cgroup/systemd", NULL}},
};

/* Finds the control group, such as "/system.slice/dotstub.service"; "": none. */
static void find_group(char out[PATH_MAX], const char *process, const struct hierarchy *hierarchy)
{
    char path[64], line[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%s/cgroup", process);
    FILE *file = fopen(path, "r");
    out[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        const char *name = line + strspn(line, "0123456789");
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(name, hierarchy->name, strlen(hierarchy->name)) == 0)
            snprintf(out, PATH_MAX, "%s", name + strlen(hierarchy->name));
    }
    if (file)
        fclose(file);
}

static bool join_by(const char *mount, const char *group)
{
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s%s/cgroup.procs", mount, group);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool joined = fd >= 0 && write_full(fd, "0", 1) == 0;
    if (fd >= 0)
        close(fd);
    return joined;
}

/* True if we are now in the process's group, in each hierarchy that has one. */
static bool join_group(const char *process)
{
    bool joined = false;
    for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
        const struct hierarchy *hierarchy = &hierarchies[i];
        char wanted[PATH_MAX], own[PATH_MAX];
        find_group(wanted, process, hierarchy);
        find_group(own, "self", hierarchy);
        if (!wanted[0])
            continue;
        if (strcmp(wanted, own) != 0 && !join_by(hierarchy->mounts[0], wanted) &&
            !(hierarchy->mounts[1] && join_by(hierarchy->mounts[1], wanted)))
            return false;
        joined = true;
    }
    return joined;
}

static bool shares(const char *process, const char *space)
{
    char path[64], own[64];
    struct stat theirs, ours;
    snprintf(path, sizeof path, "/proc/%s/ns/%s", process, space);
    snprintf(own, sizeof own, "/proc/self/ns/%s", space);
    return stat(path, &theirs) == 0 && stat(own, &ours) == 0 && theirs.st_ino == ours.st_ino;
}

/* Joins the daemon's namespaces, except pid and user, which are the same (process_check). 0 or a negative error. */
static int join_spaces(const struct process *daemon, const char *process)
{
    int spaces = (shares(process, "mnt") ? 0 : CLONE_NEWNS) | (shares(process, "net") ? 0 : CLONE_NEWNET) |
                 (shares(process, "uts") ? 0 : CLONE_NEWUTS) | (shares(process, "ipc") ? 0 : CLONE_NEWIPC);
    return spaces && setns(daemon->fd, spaces) < 0 ? -errno : 0;
}

/* Permanently takes on the daemon's user and groups, without capabilities. 0 or a negative error. */
static int drop_privileges(const struct successor_plan *plan)
{
    capng_clear(CAPNG_SELECT_BOTH);
    if (geteuid() != 0) {
        if (geteuid() != plan->daemon.uid || capng_apply(CAPNG_SELECT_CAPS) != 0)
            return -EPERM;
    } else if (setgroups(plan->group_count, plan->groups) < 0 ||
               capng_change_id((int)plan->daemon.uid, (int)plan->daemon.gid,
                               CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT) != 0) {
        return -EPERM;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* The successor shares no descriptor with this process except the pipe for its output. */
static int place_descriptors(int output)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool placed = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
                  dup2(output, STDERR_FILENO) >= 0;
    return placed ? 0 : -errno;
}

static void take_limits(pid_t pid)
{
    static const int which[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_MEMLOCK};
    struct rlimit limit;
    for (size_t i = 0; i < sizeof which / sizeof *which; i++)
        if (prlimit(pid, which[i], NULL, &limit) == 0)
            (void)setrlimit(which[i], &limit);
}

_Noreturn static void give_up(const char *what, int status, const char *remedy)
{
    fprintf(stderr, "dotstubctl: cannot %s: %s%s\n", what, error_text(status), remedy);
    _exit(EX_NOPERM);
}

_Noreturn static void become(const struct successor_plan *plan, char **words, char **variables)
{
    char process[24];
    snprintf(process, sizeof process, "%ld", (long)plan->daemon.pid);
    if (!join_group(process) && value_of(variables, "NOTIFY_SOCKET")) {
        fputs(
            "dotstubctl: cannot join the daemon's control group, so its service manager would not accept the new process; run as root, or "
            "restart the service: the manager stores its sockets\n",
            stderr);
        _exit(EX_NOPERM);
    }
    take_limits(plan->daemon.pid);
    setsid();
    int status = join_spaces(&plan->daemon, process);
    if (status < 0)
        give_up("join the daemon's namespaces", status, "; run as root");
    status = chdir("/") < 0 ? -errno : drop_privileges(plan);
    if (status < 0)
        give_up("become the daemon's user", status, "");
    adapt_environment(variables);
    close_from(FIRST_OTHER_FD);
    execve(plan->program, words, variables);
    fprintf(stderr, "dotstubctl: cannot run %s: %s\n", plan->program, error_text(-errno));
    _exit(EX_UNAVAILABLE);
}

/* On stop a service manager waits only for its own children. Double fork, so that the successor is reparented to it
 * before it executes the program. The successor writes its pid to `told`, then waits until `go` is closed. */
_Noreturn static void begin(int told[2], int go[2], int output, const struct successor_plan *plan, char **words,
                            char **variables)
{
    pid_t own = fork() == 0 ? getpid() : 0;
    if (!own)
        _exit(0);
    char nothing;
    close(go[1]);
    if (write_full(told[1], &own, sizeof own) == 0)
        (void)!read(go[0], &nothing, 1);
    int status = place_descriptors(output);
    if (status < 0)
        give_up("prepare the new process", status, "");
    become(plan, words, variables);
}

static int start(struct successor *out, const struct successor_plan *plan, char **words, char **variables)
{
    int told[2] = {-1, -1}, go[2] = {-1, -1}, output[2] = {-1, -1};
    pid_t successor = -1;
    bool has_pipes = pipe2(told, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0;
    pid_t starter = has_pipes ? fork() : -1;
    if (starter == 0)
        begin(told, go, output[1], plan, words, variables);
    int status = starter < 0 ? -errno : 0;
    close(told[1]);
    close(output[1]);
    if (starter > 0)
        (void)waitpid(starter, NULL, 0);
    if (status == 0)
        status = read_full(told[0], &successor, sizeof successor);
    close(told[0]);
    close(go[0]);
    close(go[1]);
    if (status < 0) {
        fprintf(stderr, "dotstubctl: cannot start a process: %s\n", error_text(status));
        close(output[0]);
        return status;
    }
    *out = (struct successor){successor, output[0]};
    return 0;
}

int successor_start(struct successor *out, const struct successor_plan *plan)
{
    char number[24], take_over[] = "--take-over", config[] = "-c";
    char *words[] = {(char *)plan->program, take_over, number, plan->config ? config : NULL,
                     (char *)plan->config,  NULL};
    size_t len;
    snprintf(number, sizeof number, "%ld", (long)plan->daemon.pid);
    char *environment = read_about(plan->daemon.pid, "environ", &len);
    char **variables = environment ? split(environment, len) : NULL;
    int status = variables ? start(out, plan, words, variables) : -EACCES;
    free(variables);
    free(environment);
    return status;
}
