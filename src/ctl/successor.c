/* SPDX-License-Identifier: MIT */
/* A service manager accepts messages only from processes in the service's control group. If the daemon has a service
 * manager, the successor must join that group or it is not started: then a restart by the manager is the way, and it
 * loses no query either. */
#include "successor.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"

enum { WORDS_MAX = 4096, TEXT_MAX = 1 << 20 };

int running_read(struct running *out, const char *json)
{
    json_t *root = json_loads(json, 0, NULL);
    const char *version = json_string_value(json_object_get(root, "version"));
    json_int_t pid = json_integer_value(json_object_get(root, "pid"));
    int status = version && pid > 0 && pid <= INT_MAX ? 0 : -EPROTO;
    if (status == 0) {
        out->pid = (pid_t)pid;
        snprintf(out->version, sizeof out->version, "%s", version);
    }
    json_decref(root);
    return status;
}

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

/* Splits a list of NUL-terminated words into an array that ends with NULL and has room for three more. */
static char **split(char *text, size_t len)
{
    char **words = calloc(WORDS_MAX + 4, sizeof *words);
    size_t count = 0;
    for (char *at = text; words && at < text + len && count < WORDS_MAX; at += strlen(at) + 1)
        words[count++] = at;
    return words;
}

static void drop_word(char **at)
{
    do
        at[0] = at[1];
    while (*at++);
}

/* Removes "--take-over PID": the daemon may be the result of an upgrade itself. */
static void drop_take_over(char **words)
{
    for (char **at = words; *at;) {
        if (strcmp(*at, "--take-over") == 0 && at[1])
            drop_word(at + 1);
        if (strncmp(*at, "--take-over", strlen("--take-over")) == 0)
            drop_word(at);
        else
            at++;
    }
}

static void append_word(char **words, char *word)
{
    while (*words)
        words++;
    words[0] = word;
    words[1] = NULL;
}

static const char *value_of(char *const *variables, const char *name)
{
    size_t len = strlen(name);
    for (; *variables; variables++)
        if (strncmp(*variables, name, len) == 0 && (*variables)[len] == '=')
            return *variables + len + 1;
    return NULL;
}

/* Removes what holds for the old process only: inherited descriptors and the watchdog's pid. */
static void adapt_environment(char **variables)
{
    static char watchdog[48];
    bool watched = value_of(variables, "WATCHDOG_PID");
    for (char **at = variables; *at;) {
        if (strncmp(*at, "LISTEN_", strlen("LISTEN_")) == 0 ||
            strncmp(*at, "WATCHDOG_PID=", strlen("WATCHDOG_PID=")) == 0)
            drop_word(at);
        else
            at++;
    }
    snprintf(watchdog, sizeof watchdog, "WATCHDOG_PID=%ld", (long)getpid());
    if (watched)
        append_word(variables, watchdog);
}

static bool find_binary(char out[PATH_MAX], pid_t pid)
{
    static const char deleted[] = " (deleted)";
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    ssize_t len = readlink(path, out, PATH_MAX - 1);
    if (len < 0) {
        fprintf(stderr, "dotstubctl: cannot read %s: %s; run as root, or name the program\n", path, error_text(-errno));
        return false;
    }
    out[len] = '\0';
    size_t tail = sizeof deleted - 1;
    if ((size_t)len > tail && strcmp(out + (size_t)len - tail, deleted) == 0)
        out[(size_t)len - tail] = '\0';
    return true;
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

/* Joins the daemon's namespaces. 0 or a negative error. */
static int join_spaces(pid_t pid, const char *process)
{
    int spaces = (shares(process, "mnt") ? 0 : CLONE_NEWNS) | (shares(process, "net") ? 0 : CLONE_NEWNET) |
                 (shares(process, "uts") ? 0 : CLONE_NEWUTS) | (shares(process, "ipc") ? 0 : CLONE_NEWIPC);
    if (!spaces)
        return 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int status = fd < 0 || setns(fd, spaces) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return status;
}

static void take_limits(pid_t pid)
{
    static const int which[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_MEMLOCK};
    struct rlimit limit;
    for (size_t i = 0; i < sizeof which / sizeof *which; i++)
        if (prlimit(pid, which[i], NULL, &limit) == 0)
            (void)setrlimit(which[i], &limit);
}

_Noreturn static void become(const struct running *daemon, const char *binary, char **words, char **variables)
{
    char process[24];
    snprintf(process, sizeof process, "%ld", (long)daemon->pid);
    if (!join_group(process) && value_of(variables, "NOTIFY_SOCKET")) {
        fputs(
            "dotstubctl: cannot join the daemon's control group, so its service manager would not accept the new process; run as root, or "
            "restart the service: the manager stores its sockets\n",
            stderr);
        _exit(EX_NOPERM);
    }
    take_limits(daemon->pid);
    int status = join_spaces(daemon->pid, process);
    if (status < 0) {
        fprintf(stderr, "dotstubctl: cannot join the daemon's namespaces: %s; run as root\n", error_text(status));
        _exit(EX_NOPERM);
    }
    adapt_environment(variables);
    setsid();
    if (chdir("/") == 0)
        execve(binary, words, variables);
    fprintf(stderr, "dotstubctl: cannot run %s: %s\n", binary, error_text(-errno));
    _exit(EX_UNAVAILABLE);
}

/* On stop a service manager waits only for its own children. Double fork, so that the successor is reparented to it
 * before it executes the program. The successor writes its pid to `told`, then waits until `go` is closed. */
_Noreturn static void begin(int told[2], int go[2], const struct running *daemon, const char *binary, char **words,
                            char **variables)
{
    pid_t own = fork() == 0 ? getpid() : 0;
    if (!own)
        _exit(0);
    char nothing;
    close(go[1]);
    if (write_full(told[1], &own, sizeof own) == 0)
        (void)!read(go[0], &nothing, 1);
    close(told[1]);
    become(daemon, binary, words, variables);
}

static pid_t start(const struct running *daemon, const char *binary, char **words, char **variables)
{
    int told[2] = {-1, -1}, go[2] = {-1, -1};
    pid_t successor = -1;
    pid_t starter = pipe2(told, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0 ? fork() : -1;
    if (starter == 0)
        begin(told, go, daemon, binary, words, variables);
    close(told[1]);
    if (starter > 0)
        (void)waitpid(starter, NULL, 0);
    int status = starter < 0 ? -errno : read_full(told[0], &successor, sizeof successor);
    if (status < 0) {
        successor = -1;
        fprintf(stderr, "dotstubctl: cannot start a process: %s\n", error_text(status));
    }
    close(told[0]);
    close(go[0]);
    close(go[1]);
    return successor;
}

pid_t successor_start(const struct running *daemon, const char *binary)
{
    char found[PATH_MAX], number[24], option[] = "--take-over";
    size_t command_len, environ_len;
    pid_t successor = -1;
    if (!binary && !find_binary(found, daemon->pid))
        return -1;
    char *environment = NULL, **words = NULL, **variables = NULL;
    char *command = read_about(daemon->pid, "cmdline", &command_len);
    if (!command)
        goto end;
    environment = read_about(daemon->pid, "environ", &environ_len);
    if (!environment)
        goto end;
    words = split(command, command_len);
    variables = split(environment, environ_len);
    if (!words || !variables || !words[0])
        goto end;
    drop_take_over(words);
    snprintf(number, sizeof number, "%ld", (long)daemon->pid);
    append_word(words, option);
    append_word(words, number);
    successor = start(daemon, binary ? binary : found, words, variables);
end:
    free(variables);
    free(words);
    free(environment);
    free(command);
    return successor;
}
